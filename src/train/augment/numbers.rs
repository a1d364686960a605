//! Wrong numbers in any digit system.

use std::ops::Range;

use super::damage::{Case, Damage};
use super::text::{Edit, choose, edited, words};
use crate::train::random::Random;

/// The zeros of the digit systems that are read; the other nine digits follow each.
const ZEROS: [char; 13] = [
    '0', '०', '০', '௦', '౦', '೦', '൦', '૦', '੦', '୦', '٠', '۰', '０',
];
/// Longer numbers are codes, not quantities.
const LONGEST: usize = 18;
/// A text with fewer numbers a word does not stand or fall with them.
const WORDS_PER_NUMBER: usize = 60;
/// With factors up to the root of 10, one of `n * f` and `n / f` has as many digits as `n`.
const STEEPEST: f64 = 3.1;

/// Multiplies or divides numbers by a factor that grows with the dial, up to about 3; the count
/// of digits, the grouping and the digit system stay. The dial reached is the mean of the dial
/// asked for and the share of numbers changed.
pub fn numbers(case: &Case) -> Option<Damage> {
    let found = find(case.text);
    if found.len() * WORDS_PER_NUMBER < words(case.text).len() {
        return None;
    }
    let (chosen, share) = choose(found.len(), found.len(), case.dial, &mut case.random(0))?;
    let wrong = |site: usize| -> Edit {
        let range = found[site].clone();
        let number = &case.text[range.clone()];
        (
            range,
            altered(number, case.dial, &mut case.random(site + 1)),
        )
    };
    let edits = chosen.into_iter().map(wrong).collect();
    Damage::new(edited(case.text, edits), (share + case.dial) / 2.0)
}

fn digit(character: char) -> Option<(u64, char)> {
    let value = |zero: char| u64::from(character).checked_sub(u64::from(zero));
    let found = ZEROS.into_iter().map(|zero| (value(zero), zero));
    found
        .filter_map(|(value, zero)| Some((value.filter(|v| *v < 10)?, zero)))
        .next()
}

/// The numbers of a text, with separators inside them; list markers and parts of words are none.
fn find(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut chars = text.char_indices().peekable();
    let mut before = '\n';
    while let Some((start, first)) = chars.next() {
        let starts = digit(before).is_none() && !before.is_ascii_alphanumeric();
        before = first;
        if digit(first).is_none() {
            continue;
        }
        let mut end = start + first.len_utf8();
        while let Some(&(at, next)) = chars.peek() {
            let after = text[at + next.len_utf8()..].chars().next();
            let inside = ".,".contains(next) && after.is_some_and(|c| digit(c).is_some());
            if digit(next).is_none() && !inside {
                break;
            }
            (end, before) = (at + next.len_utf8(), next);
            chars.next();
        }
        let digits = text[start..end]
            .chars()
            .filter(|c| digit(*c).is_some())
            .count();
        if starts && digits <= LONGEST && !list_marker(text, start, end) {
            found.push(start..end);
        }
    }
    found
}

fn list_marker(text: &str, start: usize, end: usize) -> bool {
    let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let first = text[line..start]
        .chars()
        .all(|c| c.is_whitespace() || "-*#".contains(c));
    first && text[end..].starts_with(['.', ')', ':'])
}

/// The number with another value of as many digits, in the same layout.
fn altered(number: &str, dial: f32, random: &mut Random) -> String {
    let value = number
        .chars()
        .filter_map(digit)
        .fold(0, |value, (d, _)| value * 10 + d);
    let steep = f64::from(dial) * (STEEPEST - 1.0) * f64::from(0.5 + 0.5 * random.uniform());
    let mut rest = other_value(value, 1.0 + steep);
    let mut digits = Vec::new();
    for character in number.chars().rev() {
        let Some((_, zero)) = digit(character) else {
            digits.push(character);
            continue;
        };
        digits.extend(char::from_u32(zero as u32 + (rest % 10) as u32));
        rest /= 10;
    }
    digits.iter().rev().collect()
}

fn other_value(value: u64, factor: f64) -> u64 {
    if value == 0 {
        return (factor * 2.0) as u64;
    }
    let limit = 10u64.pow(value.ilog10() + 1);
    let product = (value as f64 * factor).round() as u64;
    if product < limit && value + 1 < limit {
        return product.max(value + 1);
    }
    let quotient = (value as f64 / factor).round() as u64;
    quotient.min(value - 1)
}

#[cfg(test)]
mod tests {
    use super::super::damage::tests::case;
    use super::*;

    #[test]
    fn numbers_are_found_in_every_digit_system_without_markers() {
        let text = "1. Pay 2,000 by 12/05, not B2.\n2) ३,८४,००० किमी, ১২.৫ ভাগ, ௧௨";
        let found: Vec<&str> = find(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, ["2,000", "12", "05", "३,८४,०००", "১২.৫", "௧௨"]);
    }

    #[test]
    fn every_value_changes_and_keeps_its_digits() {
        for value in (0..2000).chain([9_999_999, 10_000_000]) {
            for factor in [1.0001, 1.2, 2.0, 3.0999] {
                let other = other_value(value, factor);
                assert_ne!(other, value);
                let length = |value: u64| value.checked_ilog10().unwrap_or(0);
                assert_eq!(length(other), length(value), "{value} * {factor} = {other}");
            }
        }
    }

    #[test]
    fn the_factor_grows_with_the_dial_and_the_layout_stays() {
        let value = |text: &str| text.replace(',', "").parse::<f64>().unwrap();
        let (low, high) = (
            altered("3,20,000", 0.1, &mut Random::new(3)),
            altered("3,20,000", 1.0, &mut Random::new(3)),
        );
        assert!(
            value(&low) < value(&high) && value(&low) > 320_000.0,
            "{low} {high}"
        );
        assert_eq!(low.find(','), Some(1));
        assert!(
            altered("२०", 0.5, &mut Random::new(1))
                .chars()
                .all(|c| ('०'..='९').contains(&c))
        );
    }

    #[test]
    fn a_lone_number_in_a_long_text_does_not_count() {
        let text = "word ".repeat(100) + "7";
        assert!(numbers(&case(&text, "en", 1.0)).is_none());
        assert!(numbers(&case("It costs 40 rupees.", "en", 1.0)).is_some());
    }
}
