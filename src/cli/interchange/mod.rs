//! Other tools: scored rows in their forms, and their exports as judged rows.
//!
//! Each form lives in a file of its own and is pure: rows and Scores in, text out. The page writes
//! the same bodies (`web/file/langfuse.js`, `web/file/llm-comparator.js`).

pub mod argilla;
pub mod command;
pub mod langfuse;
pub mod llm_comparator;
mod scale;

use std::path::Path;

use clap::ValueEnum;
use serde_json::{Map, Value};

pub use scale::Scale;

use super::label_studio;
use super::rows::{Row, field};
use crate::error::{Error, ErrorKind, Result};
use crate::scorer::Score;

/// A form that another tool reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Langfuse: JSON lines, each the body of one score for its API.
    Langfuse,
    /// LLM Comparator: one JSON file of pairs, the answers of two models to the same prompt.
    LlmComparator,
    /// Label Studio: one JSON list of tasks with predictions, for the example's configuration.
    LabelStudio,
}

/// A row and what the scorer said of it.
#[derive(Clone, Copy, Debug)]
pub struct Scored<'a> {
    /// The row as read.
    pub row: &'a Row,
    /// Its Score.
    pub score: &'a Score,
}

impl Format {
    /// Whether the rows have what the form needs, to be asked before the long work of scoring.
    ///
    /// # Errors
    /// `Data` naming the row and what was expected.
    pub fn check(self, rows: &[Row]) -> Result<()> {
        match self {
            Self::Langfuse => langfuse::check(rows),
            Self::LlmComparator => llm_comparator::check(rows),
            Self::LabelStudio => Ok(()),
        }
    }

    /// The file's text, of the rows that have a Score; what a form has to leave out is said on
    /// standard error.
    ///
    /// # Errors
    /// As [`check`](Self::check); `Data` when nothing is left to write.
    pub fn text(self, rows: &[Row], scores: &[Result<Score>], source: &Path) -> Result<String> {
        let scored = rows.iter().zip(scores);
        let scored = scored.filter_map(|(row, score)| Some((row, score.as_ref().ok()?)));
        let scored: Vec<Scored<'_>> = scored.map(|(row, score)| Scored { row, score }).collect();
        if scored.is_empty() {
            let message = "no row could be scored, so there is nothing to write";
            return Err(Error::new(ErrorKind::Data, message));
        }
        match self {
            Self::LabelStudio => label_studio::tasks(&scored),
            Self::Langfuse => langfuse::text(&scored),
            Self::LlmComparator => {
                let (text, remark) = llm_comparator::text(&scored, source)?;
                remark.into_iter().for_each(|remark| eprintln!("{remark}"));
                Ok(text)
            }
        }
    }
}

/// A text field of a row under any of `names`; numbers count as text, since identifiers often are.
fn label(fields: &Map<String, Value>, names: &[&str]) -> Option<String> {
    let text = match field(fields, names)? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// A Score as JSON with the shortest digits of its 32-bit numbers: 7.1, not 7.099999904632568.
fn plain(score: &Score) -> Result<Value> {
    let json = serde_json::to_string(score).and_then(|text| serde_json::from_str(&text));
    json.map_err(|error| Error::new(ErrorKind::Format, format!("cannot write a Score: {error}")))
}

/// An error of the row's own number.
fn row_error(row: &Row, message: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Data, format!("row {}: {message}", row.number))
}

/// A number with at most four decimals.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[cfg(test)]
mod testing {
    //! Rows and Scores for the tests of the forms.

    use super::super::rows::{Options, parse};
    use super::*;
    use crate::scorer::Score;

    pub fn rows(lines: &str) -> Vec<Row> {
        let bytes = lines.as_bytes().to_vec();
        parse(bytes, Path::new("a.jsonl"), &Options::SCORING)
            .unwrap()
            .rows
    }

    /// A Score whose interval reaches one point to each side.
    pub fn score(value: f32) -> Score {
        let json = serde_json::json!({
            "score": value, "rounded": value.round() as u8,
            "interval": [(value - 1.0).max(0.0), (value + 1.0).min(10.0)],
            "coverage": null, "support": "synthetic", "abstain": false, "doubts": [],
            "members": [value], "anchors": [], "truncated": null,
            "receipt": { "bundle": "0123", "backend": "cpu", "dtype": "f32", "version": "0.1.0", "tokens": 9 },
        });
        serde_json::from_value(json).unwrap()
    }

    pub fn scored<'a>(rows: &'a [Row], scores: &'a [Score]) -> Vec<Scored<'a>> {
        let pairs = rows.iter().zip(scores);
        pairs.map(|(row, score)| Scored { row, score }).collect()
    }
}
