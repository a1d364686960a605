//! Scales that judges used, mapped to 0-10.

use std::str::FromStr;

/// A scale from its worst to its best value, mapped linearly to 0-10.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    worst: f64,
    best: f64,
}

impl Scale {
    /// The value as a score of 0 to 10; none where it lies outside the scale.
    pub fn score(self, value: f64) -> Option<f64> {
        let share = (value - self.worst) / (self.best - self.worst);
        (0.0..=1.0)
            .contains(&share)
            .then(|| super::rounded(10.0 * share))
    }
}

impl FromStr for Scale {
    type Err = String;

    /// Reads `WORST-BEST`: `1-5`, `0-100`, `-1-1`, or `5-1` where 1 is the best.
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("expected WORST-BEST, such as 0-10, 1-5 or 5-1, found {text:?}");
        // A minus at the start belongs to the number.
        let mut dashes = text.char_indices().skip(1).filter(|(_, c)| *c == '-');
        let (at, _) = dashes.next().ok_or_else(expected)?;
        let number = |part: &str| part.trim().parse().ok().filter(|n: &f64| n.is_finite());
        match (number(&text[..at]), number(&text[at + 1..])) {
            (Some(worst), Some(best)) if worst != best => Ok(Self { worst, best }),
            _ => Err(expected()),
        }
    }
}

impl std::fmt::Display for Scale {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} to {}",
            self.worst.min(self.best),
            self.worst.max(self.best)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(text: &str) -> Scale {
        text.parse().unwrap()
    }

    #[test]
    fn a_value_is_mapped_to_its_share_of_the_scale() {
        assert_eq!(scale("0-10").score(7.5), Some(7.5));
        assert_eq!(scale("1-5").score(1.0), Some(0.0));
        assert_eq!(scale("1-5").score(4.0), Some(7.5));
        assert_eq!(scale("5-1").score(1.0), Some(10.0));
        assert_eq!(scale("-1-1").score(0.0), Some(5.0));
        assert_eq!(scale("-5--1").score(-2.0), Some(7.5));
        assert_eq!(scale("1-4").score(2.0), Some(3.3333));
    }

    #[test]
    fn what_lies_outside_is_no_score() {
        assert_eq!(scale("1-5").score(0.0), None);
        assert_eq!(scale("5-1").score(5.5), None);
        assert_eq!(scale("0-10").score(f64::NAN), None);
    }

    #[test]
    fn what_is_no_scale_is_refused() {
        for bad in ["", "5", "1-", "-5", "a-b", "3-3", "0-inf", "५-१"] {
            let error = bad.parse::<Scale>().unwrap_err();
            assert!(
                error.contains("WORST-BEST") && error.contains(bad),
                "{error}"
            );
        }
    }
}
