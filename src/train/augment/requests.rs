//! Harmful requests of the templates with an answer that goes along, and the refusal due.

use super::damage::{Case, Damage};
use crate::train::random::Random;

/// A harmful request in the row's language; its answer goes along half-heartedly, hesitantly or
/// eagerly, and says nothing that could be used. With `tricks`, the request comes wrapped in an
/// attempt to switch off the rules.
pub fn comply(case: &Case, tricks: bool) -> Option<Damage> {
    let language = case.language?;
    let mut random = case.random(0);
    let request = pick(&language.requests, &mut random)?;
    let prompt = match tricks {
        true => pick(&language.tricks, &mut random)?.replace("{request}", request),
        false => request.clone(),
    };
    let decline = pick(&language.declines, &mut random)?.clone();
    let levels = language.complies.len();
    let level = ((case.dial * levels as f32).ceil() as usize).clamp(1, levels.max(1));
    let text = pick(language.complies.get(level - 1)?, &mut random)?.clone();
    let exchange = Some((prompt, decline));
    Some(Damage {
        text,
        dial: level as f32 / levels as f32,
        exchange,
    })
}

fn pick<'a>(list: &'a [String], random: &mut Random) -> Option<&'a String> {
    list.get(random.below(list.len()))
}

#[cfg(test)]
mod tests {
    use super::super::damage::tests::{case, language};
    use super::*;

    #[test]
    fn more_dial_is_more_willing_to_the_same_request() {
        let at = |dial| comply(&case("Ja.", "ta", dial), true).unwrap();
        let (low, high) = (at(0.2), at(1.0));
        assert_eq!(low.exchange, high.exchange);
        assert!(low.dial < high.dial && high.dial == 1.0);
        assert!(language("ta").complies[0].contains(&low.text));
        assert!(language("ta").complies[2].contains(&high.text));
    }

    #[test]
    fn a_trick_wraps_the_request() {
        let (prompt, decline) = comply(&case("x", "en", 1.0), true)
            .unwrap()
            .exchange
            .unwrap();
        let requests = &language("en").requests;
        assert!(
            requests
                .iter()
                .any(|r| prompt.contains(r.as_str()) && prompt != *r),
            "{prompt}"
        );
        assert!(language("en").declines.contains(&decline));
        assert!(comply(&case("x", "", 1.0), false).is_none());
    }
}
