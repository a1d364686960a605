//! What other rows lend: answers to other prompts, answers in other languages, names.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use unicode_segmentation::UnicodeSegmentation;

use super::damage::Good;
use super::text::{sentences, words};
use crate::train::random::Random;

/// Donors looked at before the one least like the row is taken.
const DRAWS: usize = 4;
/// Names looked at for one of as many words.
const NAME_DRAWS: usize = 16;
/// Shorter answers, such as a bare number, are nobody's donor.
const DONATED: usize = 4;
/// Characters of a text compared with a donor's.
const COMPARED: usize = 4000;
/// Words as short as this say little about a subject.
const SHORT: usize = 3;

/// Everything that can be borrowed, independent of the order of the rows.
#[derive(Default)]
pub struct Pool<'a> {
    /// Harmless answers by language, sorted.
    donors: BTreeMap<&'a str, Vec<&'a Good<'a>>>,
    /// Names by language, sorted.
    names: BTreeMap<&'a str, Vec<String>>,
    /// Words seen in lower case: with a capital they are no names.
    common: BTreeMap<&'a str, HashSet<String>>,
}

impl<'a> Pool<'a> {
    /// The pool of these answers.
    pub fn new(goods: &'a [Good<'a>]) -> Self {
        let mut pool = Self::default();
        for good in goods {
            pool.common
                .entry(&good.language_key)
                .or_default()
                .extend(lower_words(good.text()));
        }
        for good in goods.iter().filter(|good| donates(good)) {
            pool.donors
                .entry(&good.language_key)
                .or_default()
                .push(good);
        }
        for donors in pool.donors.values_mut() {
            donors.sort_by(|a, b| (&a.hash, &a.row.user).cmp(&(&b.hash, &b.row.user)));
            donors.dedup_by(|a, b| a.hash == b.hash && a.row.user == b.row.user);
        }
        for good in goods {
            let unlisted = |name: &String| !good.language.is_some_and(|(_, l)| l.lists(name));
            let found = pool.names_in(good).map(|(_, name)| name).filter(unlisted);
            let found: Vec<String> = found.collect();
            pool.names
                .entry(&good.language_key)
                .or_default()
                .extend(found);
        }
        for names in pool.names.values_mut() {
            *names = names
                .drain(..)
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect();
        }
        pool
    }

    /// An answer of the same language to another prompt, rather one on another subject.
    pub fn other_answer(&self, good: &Good, random: &mut Random) -> Option<&'a str> {
        let donors = self.donors.get(good.language_key.as_str())?;
        let known = subject(&[&good.row.user, good.text()]);
        let mut found: Option<(usize, &str)> = None;
        for _ in 0..DRAWS {
            let donor = donors[random.below(donors.len())];
            let overlap = subject(&[donor.text()]).intersection(&known).count();
            let other = donor.row.user.trim() != good.row.user.trim() && donor.hash != good.hash;
            if other && found.is_none_or(|(least, _)| overlap < least) {
                found = Some((overlap, donor.text()));
            }
        }
        found.map(|(_, text)| text)
    }

    /// An answer in another language, each language being as likely as any other.
    pub fn foreign_answer(&self, good: &Good, random: &mut Random) -> Option<&'a str> {
        let others = self
            .donors
            .iter()
            .filter(|(key, _)| **key != good.language_key);
        let others: Vec<&Vec<&Good>> = others.map(|(_, donors)| donors).collect();
        let donors = others.get(random.below(others.len()))?;
        let foreign = |donor: &&&Good| donor.label().is_none() || donor.label() != good.label();
        let mut drawn = (0..DRAWS).map(|_| &donors[random.below(donors.len())]);
        drawn.find(|donor| foreign(donor)).map(|donor| donor.text())
    }

    /// A name of the rows in this language that this row does not hold, rather one of as many
    /// words as `name`.
    pub fn other_name(&self, good: &Good, name: &str, random: &mut Random) -> Option<String> {
        let names = self
            .names
            .get(good.language_key.as_str())
            .filter(|names| !names.is_empty())?;
        let texts = [&good.row.user, &good.row.response];
        let drawn = (0..NAME_DRAWS).map(|_| &names[random.below(names.len())]);
        let other: Vec<&String> = drawn
            .filter(|other| !texts.iter().any(|text| text.contains(*other)))
            .collect();
        let long = |name: &str| name.split(' ').count();
        let alike = other.iter().find(|other| long(other) == long(name));
        alike.or(other.first()).map(|other| (*other).clone())
    }

    /// Where an answer holds names known by their capital letters: runs of capitalised words
    /// inside a sentence that nobody writes small.
    pub fn names_in<'t>(
        &'t self,
        good: &'t Good,
    ) -> impl Iterator<Item = (std::ops::Range<usize>, String)> + 't {
        let common = self.common.get(good.language_key.as_str());
        let text = good.text();
        let name = move |word: &str| {
            let mut chars = word.chars();
            chars.next().is_some_and(char::is_uppercase)
                && chars.clone().count() >= 2
                && chars.all(char::is_lowercase)
                && !common.is_some_and(|common| common.contains(&word.to_lowercase()))
        };
        let runs = match good.capitals {
            true => runs(text, name),
            false => Vec::new(),
        };
        runs.into_iter()
            .map(move |range| (range.clone(), text[range].to_owned()))
    }
}

/// Whether an answer can stand in another's place.
fn donates(good: &Good) -> bool {
    good.helpful && good.text().unicode_words().nth(DONATED - 1).is_some()
}

/// Runs of words that `name` accepts, never the first word of a sentence.
fn runs(text: &str, name: impl Fn(&str) -> bool) -> Vec<std::ops::Range<usize>> {
    let mut found: Vec<std::ops::Range<usize>> = Vec::new();
    let mut at = 0;
    for sentence in sentences(text) {
        at += sentence.head.len();
        for range in words(sentence.body).into_iter().skip(1) {
            let (start, end) = (at + range.start, at + range.end);
            if !name(&text[start..end]) || opens(&text[at..start]) {
                continue;
            }
            match found.last_mut() {
                Some(last) if &text[last.end..start] == " " => last.end = end,
                _ => found.push(start..end),
            }
        }
        at += sentence.body.len() + sentence.tail.len();
    }
    found
}

/// Whether a capital after this is due to the place and not to the word.
fn opens(before: &str) -> bool {
    let last = before.trim_end().chars().next_back();
    last.is_none_or(|c| ":.!?\"“‘'(*#|-–•".contains(c)) || before.ends_with('\n')
}

fn lower_words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.unicode_words()
        .filter(|word| word.starts_with(char::is_lowercase))
        .map(str::to_owned)
}

/// The longer words of the first part of some texts.
fn subject(texts: &[&str]) -> HashSet<String> {
    let start = |text: &&str| {
        text.chars()
            .take(COMPARED)
            .collect::<String>()
            .to_lowercase()
    };
    let parts: Vec<String> = texts.iter().map(start).collect();
    let words = parts.iter().flat_map(|part| part.unicode_words());
    words
        .filter(|word| word.graphemes(true).count() > SHORT)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::damage::tests::row;
    use super::*;

    #[test]
    fn names_are_capitalised_words_inside_sentences_that_are_never_small() {
        let rows = [
            row(
                "accuracy",
                "a",
                "The river flows past New Delhi. Time Management matters to Asha.",
                Some("en"),
            ),
            row(
                "accuracy",
                "b",
                "Good time, good management. Ask Ravi Kumar: Then go.",
                Some("en"),
            ),
        ];
        let goods: Vec<Good> = rows.iter().map(Good::new).collect();
        let pool = Pool::new(&goods);
        let found: Vec<String> = pool.names_in(&goods[0]).map(|(_, name)| name).collect();
        assert_eq!(found, ["New Delhi", "Asha"]);
        let other = pool.other_name(&goods[0], "New Delhi", &mut Random::new(1));
        assert!(other.is_none_or(|name| name == "Ravi Kumar"));
    }

    #[test]
    fn donors_are_of_another_prompt_and_of_the_language_asked_for() {
        let rows = [
            row("accuracy", "a", "Boil the water first.", Some("en")),
            row("accuracy", "b", "Paris is the capital.", Some("en")),
            row("accuracy", "c", "पानी को पहले उबालिए।", Some("hi")),
            row("jailbreak", "d", "I will explain it all.", Some("en")),
        ];
        let goods: Vec<Good> = rows.iter().map(Good::new).collect();
        let pool = Pool::new(&goods);
        assert!(!donates(&Good::new(&row("accuracy", "e", "96.", None))));
        for seed in 0..20 {
            let other = pool.other_answer(&goods[0], &mut Random::new(seed));
            assert!(other.is_none_or(|text| text == "Paris is the capital."));
            let foreign = pool.foreign_answer(&goods[0], &mut Random::new(seed));
            assert_eq!(foreign, Some("पानी को पहले उबालिए।"));
        }
        assert!(
            Pool::new(&goods[..1])
                .foreign_answer(&goods[0], &mut Random::new(1))
                .is_none()
        );
    }
}
