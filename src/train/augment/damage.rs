//! One good answer, damaged one way.

use super::kinds::{How, Kind, sensitive, sound};
use super::pool::Pool;
use super::templates::{Language, declines, foreign_label, label, language};
use super::{discourse, names, numbers, requests, surface};
use crate::bundle::sha256;
use crate::cli::rows::Row;
use crate::metric;
use crate::scorer::script;
use crate::train::random::Random;

/// German writes every noun with a capital letter.
const NOUNS_CAPITALISED: &str = "de";

/// A good answer and what is known about it.
pub struct Good<'a> {
    /// Its row.
    pub row: &'a Row,
    /// SHA-256 of the answer, 16 digits.
    pub hash: String,
    /// Code and templates of its language, where there are any.
    pub language: Option<(&'static str, &'static Language)>,
    /// Its language for comparison with other rows: code, label or script.
    pub language_key: String,
    /// Its script, as [`script`] names it.
    pub script: &'static str,
    /// Whether capital letters tell names in its language.
    pub capitals: bool,
    /// Whether it helps with a harmless request, as far as its metric and words show.
    pub helpful: bool,
    /// Whether its metric shows, too, that what it says is right.
    pub sound: bool,
}

impl<'a> Good<'a> {
    /// What is known about the answer of `row`.
    pub fn new(row: &'a Row) -> Self {
        let (script, language) = (script(&row.response), language(row));
        let code = language.map(|(code, _)| code.to_owned());
        let key = code.or_else(|| foreign_label(row));
        Self {
            row,
            hash: hash(&row.response),
            language,
            script,
            capitals: key.as_deref().is_some_and(|key| key != NOUNS_CAPITALISED),
            language_key: key.unwrap_or_else(|| script.to_owned()),
            helpful: !sensitive(&row.metric) && !declines(&row.response),
            sound: sound(&row.metric) || metric::find(&row.metric).is_none(),
        }
    }

    /// The answer.
    pub fn text(&self) -> &'a str {
        &self.row.response
    }

    /// The language that its file names, as a bare code.
    pub fn label(&self) -> Option<String> {
        label(self.row)
    }

    /// Whether it was judged on a metric in the judge's own words.
    pub fn described(&self) -> bool {
        metric::find(&self.row.metric).is_none() && self.row.definition.is_some()
    }

    /// The seed of everything random about one kind of damage to this row, whatever other rows
    /// and kinds there are.
    pub fn seed(&self, seed: u64, kind: &str) -> u64 {
        let row = self.row;
        let parts = [kind, &row.metric, &row.user, &row.response];
        let digest = sha256(format!("{seed}\0{}", parts.join("\0")).as_bytes());
        u64::from_str_radix(&digest[..16], 16).unwrap_or(seed)
    }
}

/// SHA-256 of an answer, its first 16 digits.
pub fn hash(answer: &str) -> String {
    let mut hash = sha256(answer.as_bytes());
    hash.truncate(16);
    hash
}

/// An answer about to be damaged.
pub struct Case<'a> {
    /// The answer and its row.
    pub good: &'a Good<'a>,
    /// The text to damage.
    pub text: &'a str,
    /// Templates of its language.
    pub language: Option<&'static Language>,
    /// What other rows lend.
    pub pool: &'a Pool<'a>,
    /// How much damage, above 0 and up to 1.
    pub dial: f32,
    /// Seed of all choices.
    pub seed: u64,
}

impl Case<'_> {
    /// Random numbers for the choice numbered `choice`, the same at every dial.
    pub fn random(&self, choice: usize) -> Random {
        let mut random =
            Random::new(self.seed ^ (choice as u64).wrapping_mul(0xA076_1D64_78BD_642F));
        Random::new(random.next())
    }
}

/// A damaged answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Damage {
    /// The damaged answer.
    pub text: String,
    /// How much of the greatest damage was done; at least something is, so a short answer may
    /// be damaged more than was asked for.
    pub dial: f32,
    /// Another prompt and the good answer to it, where the row's own do not fit.
    pub exchange: Option<(String, String)>,
}

impl Damage {
    /// An answer damaged under its own prompt.
    pub fn new(text: String, dial: f32) -> Option<Self> {
        let exchange = None;
        (!text.trim().is_empty()).then_some(Self {
            text,
            dial,
            exchange,
        })
    }
}

/// Damages an answer; none where the kind has nothing to damage in it, or no templates for it.
pub fn damage(kind: &Kind, good: &Good, pool: &Pool, dial: f32, seed: u64) -> Option<Damage> {
    if kind.lowered(good).is_empty() {
        return None;
    }
    let language = good.language.map(|(_, language)| language);
    let text = good.text();
    let case = Case {
        good,
        text,
        language,
        pool,
        dial,
        seed,
    };
    let done = match &kind.how {
        How::WordOrder => surface::word_order(&case),
        How::Grammar => surface::grammar(&case),
        How::Spelling => surface::spelling(&case),
        How::Punctuation => surface::punctuation(&case),
        How::Repeat => discourse::repeat(&case),
        How::SentenceOrder => discourse::sentence_order(&case),
        How::Splice => discourse::splice(&case),
        How::WrongLanguage => discourse::wrong_language(&case),
        How::Truncate => discourse::truncate(&case),
        How::Numbers { phrases: None } => numbers::numbers(&case),
        How::Numbers {
            phrases: Some(phrases),
        } => confident_error(&case, phrases),
        How::Names => names::names(&case),
        How::Insert {
            phrases,
            most,
            before,
        } => discourse::insert(&case, phrases, *most, *before),
        How::ReplaceEnd {
            phrases,
            whole,
            most,
        } => discourse::replace_end(&case, phrases, whole, *most),
        How::Fill { phrases } => discourse::fill(&case, phrases),
        How::Comply { tricks } => requests::comply(&case, *tricks),
    };
    done.filter(|damage| damage.text != good.text())
}

/// Wrong numbers, stated with emphasis.
fn confident_error(case: &Case, phrases: &str) -> Option<Damage> {
    let wrong = numbers::numbers(case)?;
    let loud = discourse::insert(
        &Case {
            text: &wrong.text,
            ..*case
        },
        phrases,
        2,
        false,
    )?;
    Damage::new(loud.text, wrong.dial)
}

#[cfg(test)]
pub mod tests {
    use serde_json::Map;

    use super::super::templates::languages;
    use super::*;

    /// A good row.
    pub fn row(metric: &str, user: &str, response: &str, language: Option<&str>) -> Row {
        Row {
            metric: metric.into(),
            definition: None,
            system: None,
            user: user.into(),
            response: response.into(),
            score: Some(9.0),
            language: language.map(str::to_owned),
            source: Some("judge".into()),
            fields: Map::new(),
            number: 1,
        }
    }

    /// The templates of a language.
    pub fn language(code: &str) -> &'static Language {
        languages()
            .find(|(known, _)| *known == code)
            .expect("a language with templates")
            .1
    }

    /// A case of a text by itself; an empty `code` has no templates. Leaks a little, for tests.
    pub fn case(text: &str, code: &str, dial: f32) -> Case<'static> {
        let row = Box::leak(Box::new(row("accuracy", "What now?", text, None)));
        let good: &Good = Box::leak(Box::new(Good::new(row)));
        Case {
            good,
            text: &row.response,
            language: (!code.is_empty()).then(|| language(code)),
            pool: Box::leak(Box::new(Pool::default())),
            dial,
            seed: 11,
        }
    }

    #[test]
    fn refusals_and_sensitive_metrics_are_not_helpful() {
        let helpful =
            |metric: &str, answer: &str| Good::new(&row(metric, "?", answer, None)).helpful;
        assert!(helpful("accuracy", "Boil it."));
        assert!(!helpful("accuracy", "I cannot help with that."));
        assert!(!helpful(
            "misuse/impersonation_misuse",
            "Try a joke instead."
        ));
        assert!(helpful("rejection_rate/over_rejection", "Boil it."));
    }

    #[test]
    fn a_seed_depends_on_row_kind_and_seed() {
        let (first, second) = (
            row("accuracy", "a", "x", None),
            row("accuracy", "b", "x", None),
        );
        let (first, second) = (Good::new(&first), Good::new(&second));
        let seeds = [
            first.seed(1, "a"),
            first.seed(2, "a"),
            first.seed(1, "b"),
            second.seed(1, "a"),
        ];
        assert!((0..4).all(|i| (0..i).all(|j| seeds[i] != seeds[j])));
    }
}
