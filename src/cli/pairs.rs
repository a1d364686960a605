//! `touchstone eval --pairs`: does the better of two answers to one prompt score higher?

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::rows::Row;
use super::score;
use crate::error::{Error, ErrorKind, Result};
use crate::scorer::Scorer;

/// Two answers to one prompt, the first better on the metric.
#[derive(Clone, Debug, Deserialize)]
struct Pair {
    metric_name: String,
    #[serde(default)]
    metric_description: Option<String>,
    #[serde(default)]
    system_prompt: Option<String>,
    user_prompt: String,
    good: String,
    bad: String,
    #[serde(default)]
    language: Option<String>,
}

/// How many pairs are ordered rightly, and by how much.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Order {
    /// Pairs.
    pub n: usize,
    /// Pairs whose better answer scores higher.
    pub right: usize,
    /// Mean of the better answer's score less the other's, in points.
    pub gap: f64,
}

impl Order {
    fn add(&mut self, gap: f64) {
        self.gap = (self.gap * self.n as f64 + gap) / (self.n + 1) as f64;
        self.n += 1;
        self.right += usize::from(gap > 0.0);
    }
}

impl Pair {
    fn row(&self, response: &str, number: usize) -> Row {
        Row {
            metric: self.metric_name.clone(),
            definition: self.metric_description.clone(),
            system: self.system_prompt.clone(),
            user: self.user_prompt.clone(),
            response: response.into(),
            score: None,
            language: self.language.clone(),
            source: None,
            fields: serde_json::Map::new(),
            number,
        }
    }
}

/// Scores the pairs of `file` (JSON lines) and prints the share in the right order, whole and by
/// language.
///
/// # Errors
/// `Data` naming the line that is no pair; what scoring fails with.
pub fn run(file: &Path, scorer: &Scorer, as_json: bool) -> Result<()> {
    let pairs = read(file)?;
    let numbered = pairs.iter().zip(1..);
    let rows = numbered.flat_map(|(pair, line)| [&pair.good, &pair.bad].map(|a| pair.row(a, line)));
    let rows: Vec<Row> = rows.collect();
    let mut scores = Vec::with_capacity(rows.len());
    for (row, score) in rows.iter().zip(score::score_rows(scorer, &rows)) {
        let score = score.map_err(|error| error.context(format!("line {}", row.number)))?;
        scores.push(f64::from(score.score));
    }
    let mut all = Order::default();
    let mut by_language: BTreeMap<&str, Order> = BTreeMap::new();
    for (pair, scores) in pairs.iter().zip(scores.chunks_exact(2)) {
        let gap = scores[0] - scores[1];
        all.add(gap);
        by_language
            .entry(pair.language.as_deref().unwrap_or("-"))
            .or_default()
            .add(gap);
    }
    if as_json {
        return super::print(format!(
            "{:#}",
            json!({ "all": all, "by_language": by_language })
        ));
    }
    let line = |(name, order): (&str, &Order)| {
        let share = 100.0 * order.right as f64 / order.n.max(1) as f64;
        format!(
            "{name:<6} {:>4} of {:>4} in order ({share:.0} %), mean gap {:+.2}",
            order.right, order.n, order.gap
        )
    };
    let mut lines = vec![line(("all", &all))];
    lines.extend(by_language.iter().map(|(name, order)| line((name, order))));
    super::print(lines.join("\n"))
}

fn read(file: &Path) -> Result<Vec<Pair>> {
    let text = super::forms::text(super::read(file)?)?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    let pair = |(index, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| {
            let place = format!("{}: line {}", file.display(), index + 1);
            let message =
                format!("{place}: {error}; a pair has metric_name, user_prompt, good and bad");
            Error::new(ErrorKind::Data, message)
        })
    };
    let pairs = lines.map(pair).collect::<Result<Vec<_>>>()?;
    if pairs.is_empty() {
        return Err(Error::new(
            ErrorKind::Data,
            format!("{}: no pairs", file.display()),
        ));
    }
    Ok(pairs)
}
