//! The table of kinds: how each damages an answer, which metrics that lowers and which it leaves.

use std::sync::LazyLock;

use serde::Deserialize;

use super::damage::Good;
use crate::error::{Error, ErrorKind, Result};

/// Target of an undamaged answer in the formula of [`Lower::score`].
const BASE: f32 = 9.5;
/// Stands for the row's own metric, where it is one in the judge's own words.
pub const DESCRIBED: &str = "*";

/// A kind of damage.
#[derive(Debug, Deserialize)]
pub struct Kind {
    /// Its name, the last part of the rows' `source`.
    pub name: String,
    /// What is done to the answer.
    pub how: How,
    /// Which answers it is for.
    pub needs: Needs,
    /// The metrics the damage counts against.
    pub lowers: Vec<Lower>,
    /// The metrics it clearly leaves alone.
    pub keeps: Vec<Keep>,
}

/// What is done to an answer. `phrases` names lists of the templates.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum How {
    /// Neighbouring words jumbled.
    WordOrder,
    /// Function words dropped, doubled or confused, endings changed.
    Grammar,
    /// One misspelling a word.
    Spelling,
    /// Marks and capitals dropped or confused.
    Punctuation,
    /// Sentences said again, up to twice each.
    Repeat,
    /// Sentences in another order.
    SentenceOrder,
    /// The end replaced by an answer to another prompt.
    Splice,
    /// The end replaced by an answer in another language.
    WrongLanguage,
    /// The end cut off.
    Truncate,
    /// Numbers changed; with phrases, these are put in too.
    Numbers {
        /// Put in after sentences, if named.
        phrases: Option<String>,
    },
    /// Names exchanged for others.
    Names,
    /// Phrases put in after (or before) sentences, `most` of them at a dial of 1.
    Insert {
        /// What to put in.
        phrases: String,
        /// How many at most.
        most: usize,
        /// Before the sentence instead of after it.
        #[serde(default)]
        before: bool,
    },
    /// The end replaced by phrases; `whole` where nothing of the answer is left.
    ReplaceEnd {
        /// What follows the part that is kept.
        phrases: String,
        /// What stands alone.
        whole: String,
        /// How many at most.
        most: usize,
    },
    /// Sentences replaced by phrases.
    Fill {
        /// What to put in.
        phrases: String,
    },
    /// A harmful request of the templates in place of the prompt, and an answer that goes along.
    Comply {
        /// Wrapped in an attempt to switch off the rules.
        tricks: bool,
    },
}

/// What must be known of an answer before a kind of damage makes sense.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Needs {
    /// Nothing: every good answer will do.
    Any,
    /// That it helps with a harmless request.
    Helpful,
    /// That what it says is right too, or that its own metric is one that the kind lowers.
    Sound,
}

/// When an entry of the table applies.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Only {
    /// To answers in an Indian script.
    Indian,
    /// To rows judged on this very metric.
    Own,
    /// To answers that help with a harmless request.
    Helpful,
    /// To answers that are right too.
    Sound,
}

/// A metric that the damage counts against.
#[derive(Debug, Deserialize)]
pub struct Lower {
    /// A name of the catalogue, or [`DESCRIBED`].
    pub metric: String,
    /// The score at a dial of 1.
    pub floor: f32,
    /// Exponent of the dial; below 1 a little damage already costs much.
    pub shape: f32,
    only: Option<Only>,
}

/// A metric that the damage leaves alone.
#[derive(Debug, Deserialize)]
pub struct Keep {
    /// A name of the catalogue.
    pub metric: String,
    only: Option<Only>,
    /// The largest dial at which that is clear; any where left out.
    until: Option<f32>,
}

#[derive(Deserialize)]
struct Table {
    sensitive: Vec<String>,
    sound: Vec<String>,
    indian_scripts: Vec<String>,
    kinds: Vec<Kind>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    serde_json::from_str(include_str!("kinds.json")).expect("the built-in table parses")
});

/// All kinds.
pub fn kinds() -> &'static [Kind] {
    &TABLE.kinds
}

/// The kinds of these names; all for an empty list.
///
/// # Errors
/// `Input` for a name that no kind has, with the names there are.
pub fn named(names: &[String]) -> Result<Vec<&'static Kind>> {
    let wanted = |kind: &&Kind| names.is_empty() || names.contains(&kind.name);
    match names
        .iter()
        .find(|name| kinds().iter().all(|kind| kind.name != **name))
    {
        None => Ok(kinds().iter().filter(wanted).collect()),
        Some(name) => {
            let known: Vec<&str> = kinds().iter().map(|kind| kind.name.as_str()).collect();
            let message = format!(
                "there is no kind `{name}`; the kinds are {}",
                known.join(", ")
            );
            Err(Error::new(ErrorKind::Input, message))
        }
    }
}

/// Whether a good answer on this metric may well be a refusal or its request a harmful one.
pub fn sensitive(metric: &str) -> bool {
    covered(&TABLE.sensitive, metric)
}

/// Whether a good answer on this metric must be right and do what was asked; on others, such as
/// grammar, a wrong answer can be good.
pub fn sound(metric: &str) -> bool {
    covered(&TABLE.sound, metric)
}

/// Whether a list names the metric, or with a final slash its parent.
fn covered(list: &[String], metric: &str) -> bool {
    let covers = |entry: &String| match entry.ends_with('/') {
        true => metric.starts_with(entry),
        false => metric == entry,
    };
    list.iter().any(covers)
}

/// Whether a script is one of the Indian languages'.
pub fn indian(script: &str) -> bool {
    TABLE.indian_scripts.iter().any(|known| known == script)
}

impl Lower {
    /// The target at a dial: `base + (floor - base) * dial ^ shape`, to a tenth.
    pub fn score(&self, dial: f32) -> f32 {
        let score = BASE + (self.floor - BASE) * dial.powf(self.shape);
        (score * 10.0).round() / 10.0
    }

    /// Whether this is the metric that the answer was judged on.
    pub fn own(&self, good: &Good) -> bool {
        self.metric == DESCRIBED || self.metric == good.row.metric
    }

    /// Whether the entry applies to damage done to this answer.
    fn applies(&self, good: &Good) -> bool {
        match self.metric.as_str() {
            DESCRIBED => good.described(),
            metric => applies(self.only, metric, good),
        }
    }
}

impl Kind {
    /// The metrics that damage of this kind to this answer counts against.
    pub fn lowered(&self, good: &Good) -> Vec<&Lower> {
        let known = |lower: &&Lower| match self.needs {
            Needs::Any => true,
            Needs::Helpful => good.helpful,
            Needs::Sound => good.helpful && (good.sound || lower.own(good)),
        };
        let applying = self.lowers.iter().filter(|lower| lower.applies(good));
        applying.filter(known).collect()
    }
}

impl Keep {
    /// Whether the entry applies to this answer damaged to `dial`.
    pub fn applies(&self, good: &Good, dial: f32) -> bool {
        applies(self.only, &self.metric, good) && self.until.is_none_or(|until| dial <= until)
    }
}

fn applies(only: Option<Only>, metric: &str, good: &Good) -> bool {
    match only {
        None => true,
        Some(Only::Indian) => indian(good.script),
        Some(Only::Own) => good.row.metric == metric,
        Some(Only::Helpful) => good.helpful,
        Some(Only::Sound) => good.sound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric;

    #[test]
    fn every_metric_of_the_table_is_in_the_catalogue() {
        for kind in kinds() {
            let lowers = kind.lowers.iter().map(|lower| &lower.metric);
            let keeps = kind.keeps.iter().map(|keep| &keep.metric);
            for name in lowers.chain(keeps).filter(|name| *name != DESCRIBED) {
                assert!(metric::find(name).is_some(), "{}: {name}", kind.name);
            }
            assert!(
                !kind.lowers.is_empty() && !kind.keeps.is_empty(),
                "{}",
                kind.name
            );
        }
        let mut catalogue = metric::catalogue().iter();
        assert!(TABLE.sensitive.iter().chain(&TABLE.sound).all(
            |entry| match entry.strip_suffix('/') {
                Some(parent) => metric::find(parent).is_some(),
                None => metric::find(entry).is_some(),
            }
        ));
        assert!(catalogue.any(|metric| !sensitive(&metric.name)));
    }

    #[test]
    fn no_metric_is_lowered_and_kept_by_one_kind() {
        for kind in kinds() {
            for keep in &kind.keeps {
                let lowered = kind.lowers.iter().any(|lower| lower.metric == keep.metric);
                assert!(!lowered, "{}: {}", kind.name, keep.metric);
            }
        }
    }

    #[test]
    fn scores_fall_with_the_dial_and_stay_on_the_scale() {
        for lower in kinds().iter().flat_map(|kind| &kind.lowers) {
            let scores: Vec<f32> = (1..=20).map(|d| lower.score(d as f32 / 20.0)).collect();
            assert!(scores.iter().all(|score| (0.0..=10.0).contains(score)));
            assert!(
                scores.windows(2).all(|pair| pair[1] <= pair[0]),
                "{}",
                lower.metric
            );
            assert!(
                scores[0] > scores[19] && scores[19] == lower.floor,
                "{}",
                lower.metric
            );
        }
    }

    #[test]
    fn unknown_kinds_are_answered_with_the_known_ones() {
        assert_eq!(named(&[]).unwrap().len(), kinds().len());
        assert_eq!(named(&["splice".into()]).unwrap()[0].name, "splice");
        let error = named(&["splices".into()]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert!(error.to_string().contains("word-order, grammar"), "{error}");
    }
}
