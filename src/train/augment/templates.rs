//! What is written into answers, by language: phrases, function words, endings, names.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use serde::Deserialize;
use unicode_segmentation::UnicodeSegmentation;

use super::text::mark;
use crate::cli::rows::Row;
use crate::scorer::script;
use crate::train::random::Random;

/// Words looked at to tell the language of an unlabelled answer.
const SAMPLE: usize = 200;
/// One function word in this many words is enough to know a language by.
const FUNCTION_SHARE: usize = 20;
/// Clusters that a case ending may add to a listed name.
const LONGEST_ENDING: usize = 4;

/// Lists of one language.
#[derive(Debug, Deserialize)]
pub struct Language {
    /// Its script, as [`script`] names it.
    pub script: String,
    labels: Vec<String>,
    /// Whether no other language of note is written in its script.
    alone: bool,
    /// Whether case endings are written onto names.
    suffixing: bool,
    function_words: HashSet<String>,
    swaps: Vec<Vec<String>>,
    /// Endings and the wrong ones to put in their place.
    pub endings: Vec<(String, String)>,
    /// Names that can stand in each other's place, endings included.
    names: Vec<Vec<String>>,
    slots: HashMap<String, Vec<String>>,
    refusal_marks: Vec<String>,
    /// Harmful requests, without any usable detail.
    pub requests: Vec<String>,
    /// Wrappings of `{request}` that try to switch off the rules.
    pub tricks: Vec<String>,
    /// Empty compliant answers: half-hearted, hesitant, eager.
    pub complies: Vec<Vec<String>>,
    /// Good refusals.
    pub declines: Vec<String>,
    #[serde(flatten)]
    phrases: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct Templates {
    confusables: Vec<String>,
    languages: BTreeMap<String, Language>,
}

static TEMPLATES: LazyLock<Templates> = LazyLock::new(|| {
    serde_json::from_str(include_str!("templates.json")).expect("the built-in templates parse")
});

static CONFUSABLES: LazyLock<HashMap<char, &str>> = LazyLock::new(|| {
    let groups = TEMPLATES.confusables.iter();
    groups
        .flat_map(|group| group.chars().map(|c| (c, group.as_str())))
        .collect()
});

/// The letters or vowel signs that a writer confuses with this one, itself among them.
pub fn confusables(character: char) -> Option<&'static str> {
    CONFUSABLES.get(&character).copied()
}

/// All languages with templates, by code.
pub fn languages() -> impl Iterator<Item = (&'static str, &'static Language)> {
    TEMPLATES
        .languages
        .iter()
        .map(|(code, language)| (code.as_str(), language))
}

/// The language label of a row as a bare code: `hi` of `hi-IN`, `en` of `si->en`.
pub fn label(row: &Row) -> Option<String> {
    let label = row.language.as_deref()?;
    let last = label.rsplit("->").next()?.trim().to_lowercase();
    last.split(['-', '_']).next().map(str::to_owned)
}

/// The label of a row in a language without templates.
pub fn foreign_label(row: &Row) -> Option<String> {
    let known = |label: &String| languages().any(|(_, known)| known.labels.contains(label));
    label(row).filter(|label| !known(label))
}

/// The templates for an answer: by the row's label where the answer is in that language's
/// script, without a label by script and function words.
pub fn language(row: &Row) -> Option<(&'static str, &'static Language)> {
    let written = script(&row.response);
    let mut fitting = languages().filter(|(_, language)| language.script == written);
    match label(row) {
        Some(label) => fitting.find(|(_, language)| language.labels.contains(&label)),
        None => fitting.find(|(_, language)| language.alone || language.reads(&row.response)),
    }
}

/// Whether an answer turns the request down, in any language with templates.
pub fn declines(answer: &str) -> bool {
    let marks = languages().flat_map(|(_, language)| &language.refusal_marks);
    marks.into_iter().any(|mark| answer.contains(mark.as_str()))
}

impl Language {
    fn reads(&self, text: &str) -> bool {
        let words: Vec<&str> = text.unicode_words().take(SAMPLE).collect();
        let known = words.iter().filter(|word| self.is_function(word)).count();
        known > 0 && known * FUNCTION_SHARE >= words.len()
    }

    /// Whether `word` is one of the language's function words, in any case.
    pub fn is_function(&self, word: &str) -> bool {
        self.function_words.contains(lower(word).as_ref())
    }

    /// Another word of the group in which writers break agreement; none for words of no group.
    pub fn confused(&self, word: &str, random: &mut Random) -> Option<String> {
        let word = lower(word);
        let group = self
            .swaps
            .iter()
            .find(|group| group.iter().any(|w| *w == word))?;
        let others: Vec<&String> = group.iter().filter(|w| **w != word).collect();
        Some(others[random.below(others.len())].clone())
    }

    /// The listed name at the start of a word, with its group; a case ending may follow where the
    /// language writes one onto names.
    pub fn listed(&self, word: &str) -> Option<(&str, &[String])> {
        let fits = |name: &&String| {
            word.strip_prefix(name.as_str()).is_some_and(|ending| {
                (self.suffixing || ending.is_empty())
                    && !ending.starts_with(mark)
                    && ending.graphemes(true).count() <= LONGEST_ENDING
            })
        };
        let mut groups = self.names.iter();
        groups.find_map(|group| Some((group.iter().find(fits)?.as_str(), group.as_slice())))
    }

    /// Whether a word is a listed name.
    pub fn lists(&self, word: &str) -> bool {
        self.listed(word).is_some()
    }

    /// The phrases called `name`; empty where the language has none.
    pub fn phrases(&self, name: &str) -> &[String] {
        self.phrases.get(name).map_or(&[], Vec::as_slice)
    }

    /// A phrase with its `{slots}` filled: `s` with `quoted`, the others from lists or with
    /// numbers. All persons, addresses and works are invented; no telephone number starts so.
    pub fn fill(&self, phrase: &str, quoted: &str, random: &mut Random) -> String {
        let who = random.below(usize::MAX);
        let (mut out, mut rest) = (String::new(), phrase);
        while let Some((before, (slot, after))) = rest
            .split_once('{')
            .and_then(|(before, after)| Some((before, after.split_once('}')?)))
        {
            out.push_str(before);
            match slot {
                "s" => out.push_str(quoted),
                _ => out.push_str(&self.slot(slot, who, random)),
            }
            rest = after;
        }
        out + rest
    }

    fn slot(&self, slot: &str, who: usize, random: &mut Random) -> String {
        match slot {
            "n" => (2 + random.below(97)).to_string(),
            "nnn" => (100 + random.below(900)).to_string(),
            "year" => (1960 + random.below(64)).to_string(),
            "phone" => format!("00000 {:05}", random.below(100_000)),
            list => match self.slots.get(list) {
                // Person and mail address of one phrase belong together.
                Some(list) => list[who % list.len()].clone(),
                None => String::new(),
            },
        }
    }
}

fn lower(word: &str) -> Cow<'_, str> {
    if word.chars().any(char::is_uppercase) {
        Cow::Owned(word.to_lowercase())
    } else {
        Cow::Borrowed(word)
    }
}

#[cfg(test)]
mod tests {
    use super::super::damage::tests::row;
    use super::*;

    fn code(response: &str, label: Option<&str>) -> Option<&'static str> {
        language(&row("accuracy", "?", response, label)).map(|(code, _)| code)
    }

    #[test]
    fn a_label_counts_only_in_its_own_script() {
        assert_eq!(code("यह सही है।", Some("hi-IN")), Some("hi"));
        assert_eq!(code("It is so.", Some("si->en")), Some("en"));
        assert_eq!(code("Yeh sahi hai.", Some("hi")), None);
        assert_eq!(code("C'est juste.", Some("fr")), None);
    }

    #[test]
    fn without_a_label_script_and_function_words_decide() {
        assert_eq!(code("The cat is on the table.", None), Some("en"));
        assert_eq!(code("Le chat dort dehors.", None), None);
        assert_eq!(code("यह किताब मेज़ पर है।", None), Some("hi"));
        assert_eq!(code("हे पुस्तक टेबलावर आहे.", None), None);
        assert_eq!(code("பதில் சரி.", None), Some("ta"));
        assert_eq!(code("1234", None), None);
    }

    #[test]
    fn every_slot_of_every_phrase_is_known() {
        for (code, language) in languages() {
            for phrase in language.phrases.values().flatten() {
                for seed in 0..4 {
                    let out = language.fill(phrase, "Q", &mut Random::new(seed));
                    assert!(
                        !out.contains(['{', '}']) && !out.contains("  "),
                        "{code}: {out}"
                    );
                    assert!(
                        out.matches("“”").count() == 0 && !out.starts_with(' '),
                        "{out}"
                    );
                }
            }
            assert!(
                language
                    .tricks
                    .iter()
                    .all(|trick| trick.contains("{request}")),
                "{code}"
            );
        }
    }

    #[test]
    fn the_templates_decline_where_they_should_and_comply_where_they_should_not() {
        for (_, language) in languages() {
            assert!(
                !language
                    .complies
                    .iter()
                    .flatten()
                    .any(|answer| declines(answer))
            );
            assert!(language.declines.iter().all(|answer| answer.len() > 40));
        }
        assert!(declines("I'm sorry, but I cannot help with that."));
        assert!(!declines("Of course. Boil the water first."));
    }

    #[test]
    fn the_templates_hold_composed_letters_as_they_are_normally_written() {
        let text = include_str!("templates.json");
        let excluded =
            |c: char| ('\u{958}'..='\u{95f}').contains(&c) || "\u{9dc}\u{9dd}\u{9df}".contains(c);
        assert!(
            !text.chars().any(excluded),
            "write these in their normal form (NFC)"
        );
    }
}
