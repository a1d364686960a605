//! Intervals by resampling whole prompts (Efron and Tibshirani 1993; Field and Welsh 2007 for
//! clusters): rows of one prompt are not independent.

use std::collections::BTreeMap;

use serde::Serialize;

use super::random::Random;

/// Resamples.
const DRAWS: usize = 1000;

/// An estimate with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean over all rows.
    pub mean: f64,
    /// 2.5th percentile of the resampled means.
    pub low: f64,
    /// 97.5th percentile.
    pub high: f64,
}

impl Estimate {
    /// Whether the interval lies above zero.
    pub fn is_positive(&self) -> bool {
        self.low > 0.0
    }
}

/// The mean of `values` with an interval by resampling their `groups`, from a fixed seed; none for
/// no values.
pub fn mean(values: &[f64], groups: &[usize]) -> Option<Estimate> {
    let mut sums: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for (value, group) in values.iter().zip(groups) {
        let (sum, count) = sums.entry(*group).or_default();
        *sum += value;
        *count += 1.0;
    }
    let sums: Vec<(f64, f64)> = sums.into_values().collect();
    if sums.is_empty() {
        return None;
    }
    let add = |a: (f64, f64), b: &(f64, f64)| (a.0 + b.0, a.1 + b.1);
    let ratio = |(sum, count): (f64, f64)| sum / count;
    let mut random = Random::new(1);
    let mut draw = || {
        let picked = (0..sums.len()).map(|_| &sums[random.below(sums.len())]);
        ratio(picked.fold((0.0, 0.0), add))
    };
    let mut means: Vec<f64> = (0..DRAWS).map(|_| draw()).collect();
    means.sort_by(f64::total_cmp);
    Some(Estimate {
        mean: ratio(sums.iter().fold((0.0, 0.0), add)),
        low: means[DRAWS / 40],
        high: means[DRAWS - 1 - DRAWS / 40],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_one_prompt_count_as_one() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(i / 100 % 2)).collect();
        let single: Vec<usize> = (0..400).collect();
        let grouped: Vec<usize> = (0..400).map(|i| i / 100).collect();
        let width = |groups: &[usize]| {
            let estimate = mean(&values, groups).unwrap();
            assert_eq!(estimate.mean, 0.5);
            estimate.high - estimate.low
        };
        assert!(width(&grouped) > 4.0 * width(&single));
    }

    #[test]
    fn an_interval_knows_zero_and_nothing_has_none() {
        let estimate = mean(&[1.0, 1.2, 0.9, 1.1], &[0, 1, 2, 3]).unwrap();
        assert!(estimate.is_positive() && estimate.low <= 1.05 && estimate.high >= 1.05);
        assert_eq!(mean(&[], &[]), None);
    }
}
