//! Damage to the form of a text: word order, grammar, spelling, punctuation.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::damage::{Case, Damage};
use super::templates::{Language, confusables};
use super::text::{Edit, choose, edited, joins, mark, sentences, words};
use crate::train::random::Random;

/// Words of one window that is jumbled.
const WINDOW: usize = 4;
/// Orders in which no two neighbours stay neighbours; shorter windows are reversed.
const ORDERS: [[usize; WINDOW]; 2] = [[1, 3, 0, 2], [2, 0, 3, 1]];

/// Jumbles windows of neighbouring words inside sentences; punctuation stays in its place.
pub fn word_order(case: &Case) -> Option<Damage> {
    let mut windows: Vec<Vec<Range<usize>>> = Vec::new();
    let mut at = 0;
    for sentence in sentences(case.text) {
        at += sentence.head.len();
        let shift = |range: Range<usize>| range.start + at..range.end + at;
        let found: Vec<_> = words(sentence.body).into_iter().map(shift).collect();
        windows.extend(
            found
                .chunks(WINDOW)
                .filter(|c| c.len() > 1)
                .map(<[_]>::to_vec),
        );
        at += sentence.body.len() + sentence.tail.len();
    }
    let (chosen, dial) = choose(windows.len(), windows.len(), case.dial, &mut case.random(0))?;
    let jumbled = chosen
        .iter()
        .flat_map(|&site| jumble(case, &windows[site], site));
    Damage::new(edited(case.text, jumbled.collect()), dial)
}

fn jumble(case: &Case, window: &[Range<usize>], site: usize) -> Vec<Edit> {
    let order = ORDERS[case.random(site + 1).below(ORDERS.len())];
    let other = |place: usize| match window.len() {
        WINDOW => order[place],
        short => short - 1 - place,
    };
    let word = |place: usize| case.text[window[other(place)].clone()].to_owned();
    (0..window.len())
        .map(|place| (window[place].clone(), word(place)))
        .collect()
}

/// Drops, doubles or confuses function words and breaks agreement by wrong endings; in a
/// language without lists it drops or doubles short words.
pub fn grammar(case: &Case) -> Option<Damage> {
    let words = words(case.text);
    let wrong = |site: usize| wrong_form(case, &words, site);
    let edits: Vec<Edit> = (0..words.len()).filter_map(wrong).collect();
    let full = words.len().div_ceil(4);
    let (chosen, dial) = choose(edits.len(), full, case.dial, &mut case.random(0))?;
    let chosen = chosen.into_iter().map(|site| edits[site].clone());
    Damage::new(edited(case.text, chosen.collect()), dial)
}

fn wrong_form(case: &Case, words: &[Range<usize>], site: usize) -> Option<Edit> {
    let range = words[site].clone();
    let word = &case.text[range.clone()];
    let mut random = case.random(site + 1);
    let Some(language) = case.language else {
        let short = word.graphemes(true).count() <= 3 && word.chars().all(char::is_alphabetic);
        return short.then(|| dropped_or_doubled(case.text, words, site, &mut random));
    };
    let confused = language.confused(word, &mut random);
    match confused {
        Some(other) if !language.is_function(word) || random.below(2) == 0 => Some((range, other)),
        _ if language.is_function(word) => {
            Some(dropped_or_doubled(case.text, words, site, &mut random))
        }
        _ => Some((range, wrong_ending(word, language)?)),
    }
}

fn dropped_or_doubled(
    text: &str,
    words: &[Range<usize>],
    site: usize,
    random: &mut Random,
) -> Edit {
    let range = words[site].clone();
    // Before a mark a word is doubled: dropped, it would leave a space before the mark.
    if random.below(3) == 0 || !spaced(text, words, site) && !touching(words, site) {
        let word = &text[range.clone()];
        let unspaced = touching(words, site) || site > 0 && touching(words, site - 1);
        let space = if unspaced { "" } else { " " };
        return (range, format!("{word}{space}{word}"));
    }
    let end = match words.get(site + 1) {
        Some(next) if spaced(text, words, site) => next.start,
        _ => range.end,
    };
    (range.start..end, String::new())
}

/// Whether a word and the next stand without anything between them.
fn touching(words: &[Range<usize>], site: usize) -> bool {
    words
        .get(site + 1)
        .is_some_and(|next| next.start == words[site].end)
}

/// Whether nothing but white space on one line stands between a word and the next.
fn spaced(text: &str, words: &[Range<usize>], site: usize) -> bool {
    let next = words.get(site + 1).map_or(text.len(), |next| next.start);
    let gap = &text[words[site].end..next];
    !gap.is_empty() && gap.chars().all(|c| c == ' ')
}

/// The word with another ending of its language, the longest that fits.
fn wrong_ending(word: &str, language: &Language) -> Option<String> {
    let fits = |(from, to): &&(String, String)| {
        word.strip_suffix(from.as_str()).is_some_and(|stem| {
            stem.graphemes(true).count() >= 2 && joins(stem, to) && !to.starts_with(from.as_str())
        })
    };
    let (from, to) = language
        .endings
        .iter()
        .filter(fits)
        .max_by_key(|(from, _)| from.len())?;
    Some(format!("{}{to}", &word[..word.len() - from.len()]))
}

/// One mistake in each chosen word: clusters swapped, dropped or doubled, vowel signs and letters
/// of like sound confused or left out.
pub fn spelling(case: &Case) -> Option<Damage> {
    let wrong = |(site, range): (usize, Range<usize>)| {
        let word = misspelt(&case.text[range.clone()], &mut case.random(site + 1))?;
        Some((range, word))
    };
    let edits: Vec<Edit> = words(case.text)
        .into_iter()
        .enumerate()
        .filter_map(wrong)
        .collect();
    let (chosen, dial) = choose(edits.len(), edits.len(), case.dial, &mut case.random(0))?;
    let chosen = chosen.into_iter().map(|site| edits[site].clone());
    Damage::new(edited(case.text, chosen.collect()), dial)
}

fn misspelt(word: &str, random: &mut Random) -> Option<String> {
    let clusters: Vec<&str> = word.graphemes(true).collect();
    if clusters.len() < 2 || word.chars().any(char::is_numeric) {
        return None;
    }
    let alike = |cluster: &&str| cluster.chars().any(|c| confusables(c).is_some());
    let sites: Vec<usize> = (0..clusters.len())
        .filter(|&at| alike(&clusters[at]))
        .collect();
    if !sites.is_empty() && random.below(3) > 0 {
        return Some(respelt(&clusters, sites[random.below(sites.len())], random));
    }
    (clusters.len() > 2).then(|| reclustered(&clusters, random))
}

/// One letter or vowel sign of a cluster replaced by one like it, or the vowel sign left out.
fn respelt(clusters: &[&str], site: usize, random: &mut Random) -> String {
    let cluster = clusters[site];
    let found = cluster
        .char_indices()
        .find_map(|(at, c)| Some((at, c, confusables(c)?)));
    let mut out: Vec<String> = clusters.iter().map(|&c| c.to_owned()).collect();
    if let Some((at, from, group)) = found {
        let others: Vec<char> = group.chars().filter(|&c| c != from).collect();
        let to = others[random.below(others.len())].to_string();
        let to = if mark(from) && random.below(3) == 0 {
            String::new()
        } else {
            to
        };
        out[site].replace_range(at..at + from.len_utf8(), &to);
    }
    out.concat()
}

/// Whole clusters after the first swapped, dropped or doubled.
fn reclustered(clusters: &[&str], random: &mut Random) -> String {
    let mut out = clusters.to_vec();
    let site = 1 + random.below(out.len() - 1);
    match random.below(3) {
        0 if site + 1 < out.len() && out[site] != out[site + 1] => out.swap(site, site + 1),
        1 => out.insert(site, clusters[site]),
        _ => drop(out.remove(site)),
    }
    out.concat()
}

/// Drops or confuses punctuation marks and takes capital letters from the start of sentences.
pub fn punctuation(case: &Case) -> Option<Damage> {
    let mut edits = Vec::new();
    let mut at = 0;
    for sentence in sentences(case.text) {
        at += sentence.head.len();
        edits.extend(lowered(sentence.body, at));
        edits.extend(marks(case, sentence.body, at));
        at += sentence.body.len() + sentence.tail.len();
    }
    let full = edits.len().max(words(case.text).len() / 8);
    let (chosen, dial) = choose(edits.len(), full, case.dial, &mut case.random(0))?;
    let chosen = chosen.into_iter().map(|site| edits[site].clone());
    Damage::new(edited(case.text, chosen.collect()), dial)
}

fn lowered(body: &str, at: usize) -> Option<Edit> {
    let first = body.chars().next().filter(|c| c.is_uppercase())?;
    Some((at..at + first.len_utf8(), first.to_lowercase().collect()))
}

fn marks(case: &Case, body: &str, at: usize) -> Vec<Edit> {
    const MARKS: &str = ".,;:!?।॥\"'“”‘’()、。，！？；：…";
    const OTHERS: [&str; 6] = ["", "", "", ",", "?", ";"];
    let inside = |from: usize, to: usize| {
        let before = body[..from].ends_with(char::is_alphanumeric);
        before && body[to..].starts_with(char::is_alphanumeric)
    };
    let wrong = |(from, mark): (usize, char)| {
        let to = from + mark.len_utf8();
        let other = OTHERS[case.random(at + to).below(OTHERS.len())];
        let other = if other.starts_with(mark) { "" } else { other };
        (MARKS.contains(mark) && !inside(from, to)).then(|| (at + from..at + to, other.to_owned()))
    };
    body.char_indices().filter_map(wrong).collect()
}

#[cfg(test)]
mod tests {
    use super::super::damage::tests::{case, language};
    use super::*;

    #[test]
    fn words_are_jumbled_and_marks_stay() {
        let text = "Boil the water, then add leaves and milk. Serve it hot!";
        let out = word_order(&case(text, "en", 1.0)).unwrap();
        assert_eq!(out.text.chars().filter(|c| ",.!".contains(*c)).count(), 3);
        assert!(out.text.ends_with('!') && out.text != text);
        let sorted = |text: &str| {
            let mut words: Vec<String> = text.unicode_words().map(str::to_owned).collect();
            words.sort();
            words
        };
        assert_eq!(sorted(&out.text), sorted(text));
    }

    #[test]
    fn agreement_is_broken_with_the_language_s_own_endings() {
        assert_eq!(wrong_ending("दिखती", language("hi")).unwrap(), "दिखते");
        assert_eq!(wrong_ending("করেছেন", language("bn")).unwrap(), "করেছি");
        assert_eq!(wrong_ending("நிலத்தில்", language("ta")).unwrap(), "நிலத்தை");
        assert_eq!(wrong_ending("पता", language("hi")), None);
    }

    #[test]
    fn a_language_without_lists_loses_or_doubles_short_words() {
        let out = grammar(&case("Le chat est sur la table et il dort", "", 1.0)).unwrap();
        assert_ne!(out.text, "Le chat est sur la table et il dort");
    }

    #[test]
    fn a_misspelling_never_starts_with_a_mark() {
        for word in ["कृत्रिम", "বৃষ্টি", "கிளி", "హైదరాబాద్", "naïve", "हिंदी"]
        {
            for seed in 0..200 {
                let wrong = misspelt(word, &mut Random::new(seed));
                assert!(wrong.is_none_or(|wrong| !wrong.starts_with(mark)), "{word}");
            }
        }
    }

    #[test]
    fn punctuation_leaves_numbers_contractions_and_markers_alone() {
        let text = "1. Don't pay 2,000.50 rupees.";
        let out = punctuation(&case(text, "en", 1.0)).unwrap().text;
        assert!(out.starts_with("1. don't pay 2,000.50 rupees"), "{out}");
        assert_ne!(out.chars().last(), Some('.'));
    }
}
