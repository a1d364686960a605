//! Wrong names: exchanged for names of other rows, or for others of the templates' lists.

use std::collections::BTreeMap;
use std::ops::Range;

use super::damage::{Case, Damage};
use super::text::{Edit, choose, edited, words};
use crate::train::random::Random;

/// Fewer names a word than this, and the text does not stand or fall with them.
const WORDS_PER_NAME: usize = 60;
/// Different names looked at in one text.
const MOST_NAMES: usize = 64;

/// Exchanges names, each for the same other one wherever it stands.
pub fn names(case: &Case) -> Option<Damage> {
    let found = find(case);
    if found.len() * WORDS_PER_NAME < words(case.text).len() {
        return None;
    }
    let found: Vec<(&String, &Vec<Range<usize>>)> = found.iter().take(MOST_NAMES).collect();
    let (chosen, dial) = choose(found.len(), found.len(), case.dial, &mut case.random(0))?;
    let wrong = |site: usize| -> Option<Vec<Edit>> {
        let (name, places) = found[site];
        let other = other(case, name, &mut case.random(site + 1))?;
        Some(
            places
                .iter()
                .map(|range| (range.clone(), other.clone()))
                .collect(),
        )
    };
    let edits = chosen.into_iter().filter_map(wrong).flatten().collect();
    Damage::new(edited(case.text, edits), dial)
}

/// The names of a text and where each stands.
fn find(case: &Case) -> BTreeMap<String, Vec<Range<usize>>> {
    let mut found: BTreeMap<String, Vec<Range<usize>>> = BTreeMap::new();
    for (range, name) in case.pool.names_in(case.good) {
        found.entry(name).or_default().push(range);
    }
    let mut known: Vec<Range<usize>> = found.values().flatten().cloned().collect();
    known.sort_by_key(|range| range.start);
    for range in words(case.text) {
        let next = known.partition_point(|other| other.end <= range.start);
        let fresh = known.get(next).is_none_or(|other| range.end <= other.start);
        let word = &case.text[range.clone()];
        if fresh && case.language.is_some_and(|language| language.lists(word)) {
            found.entry(word.to_owned()).or_default().push(range);
        }
    }
    found
}

fn other(case: &Case, name: &str, random: &mut Random) -> Option<String> {
    let group = case.language.and_then(|language| language.listed(name));
    let Some((listed, group)) = group else {
        return case.pool.other_name(case.good, name, random);
    };
    let others: Vec<&String> = group.iter().filter(|other| *other != listed).collect();
    let other = others.get(random.below(others.len()))?;
    Some(format!("{other}{}", &name[listed.len()..]))
}

#[cfg(test)]
mod tests {
    use super::super::damage::tests::{case, language};
    use super::*;

    #[test]
    fn a_listed_name_keeps_its_case_ending() {
        let (name, group) = language("ta").listed("சென்னையில்").unwrap();
        assert_eq!(name, "சென்னை");
        assert!(group.iter().all(|other| other.ends_with('ை')));
        assert!(language("bn").listed("কলকাতায়").is_some());
        assert!(language("bn").listed("ভারতী").is_none());
        assert!(language("en").listed("Marching").is_none());
    }

    #[test]
    fn one_name_becomes_one_other_everywhere() {
        let out = names(&case("दिल्ली बड़ी है। दिल्ली राजधानी है।", "hi", 1.0))
            .unwrap()
            .text;
        assert!(!out.contains("दिल्ली"), "{out}");
        let first = out.split(' ').next().unwrap();
        assert_eq!(out.matches(first).count(), 2, "{out}");
    }

    #[test]
    fn a_text_without_names_stays_whole() {
        assert!(names(&case("water boils when it is hot", "en", 1.0)).is_none());
    }
}
