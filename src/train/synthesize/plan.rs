//! Which requests are to be made: metrics by languages by rounds, each with its examples.

use std::path::Path;

use serde_json::{Map, Value};

use super::endpoint::body;
use super::language::{Language, base};
use super::prompt::{Ask, Messages, subjects};
use super::reply::Demand;
use crate::bundle::sha256;
use crate::cli::forms;
use crate::cli::read;
use crate::cli::rows::Row;
use crate::error::{Error, ErrorKind, Result};
use crate::metric::{self, Metric};
use crate::train::dataset::SYNTHETIC;
use crate::train::random::Random;
use crate::train::twins::hash;

/// Stands for the whole catalogue among metrics' names.
const ALL: &str = "all";

/// What the user wants.
pub struct Wanted {
    /// The metrics.
    pub metrics: Vec<Metric>,
    /// The languages, each for every metric.
    pub languages: Vec<Language>,
    /// Scores that items take in turn.
    pub scores: Vec<f32>,
    /// Items of each metric in each language.
    pub items: usize,
    /// Items of one request.
    pub per_request: usize,
    /// Examples shown in one request.
    pub shots: usize,
    /// Seed of the choice of examples and subjects.
    pub seed: u64,
    /// The model's name.
    pub model: String,
    /// Whether the server is asked for JSON by `response_format`.
    pub json_mode: bool,
    /// Further fields of a request.
    pub extra: Map<String, Value>,
}

/// One request and what its reply must meet.
pub struct Request {
    /// The metric.
    pub metric: Metric,
    /// The language.
    pub language: Language,
    /// One score for each item.
    pub scores: Vec<f32>,
    /// The answers of the examples shown, which no item may copy.
    pub shots: Vec<String>,
    /// The two messages.
    pub messages: Messages,
    /// The whole body.
    pub body: Value,
    /// SHA-256 of the body, the model in it.
    pub id: String,
}

impl Request {
    /// What the items of the reply must meet.
    pub fn demand(&self) -> Demand<'_> {
        Demand {
            metric: &self.metric,
            language: &self.language,
            scores: &self.scores,
        }
    }
}

impl Wanted {
    /// All requests: the first round of every metric and language before the second of any, so
    /// that a small budget spreads over all of them. The same wishes give the same requests, and
    /// more `items` only add some.
    pub fn requests(&self, examples: &[Row]) -> Vec<Request> {
        let synthetic = |row: &&Row| {
            let source = row.source.as_deref();
            source.is_some_and(|source| source.starts_with(SYNTHETIC))
        };
        let real: Vec<&Row> = examples.iter().filter(|row| !synthetic(row)).collect();
        let mut requests = Vec::new();
        for round in 0..self.items.div_ceil(self.per_request) {
            for metric in &self.metrics {
                let languages = self.languages.iter();
                requests
                    .extend(languages.map(|language| self.request(metric, language, round, &real)));
            }
        }
        requests
    }

    fn request(
        &self,
        metric: &Metric,
        language: &Language,
        round: usize,
        real: &[&Row],
    ) -> Request {
        let cell = format!("{}\n{}\n", metric.name, language.code);
        let first_subject = hash(&cell) ^ self.seed;
        let mut random = Random::new(hash(&format!("{cell}{round}")) ^ self.seed);
        let shots = spread(candidates(real, metric, language), self.shots, &mut random);
        let scores = self.round_scores(round);
        let subjects = subjects();
        let subject = (first_subject as usize).wrapping_add(round) % subjects.len();
        let ask = Ask {
            metric,
            language,
            scores: &scores,
            shots: &shots,
            batch: round + 1,
            subject: subjects[subject],
        };
        let messages = ask.messages();
        let body = body(&self.model, &messages, self.json_mode, &self.extra);
        Request {
            id: sha256(body.to_string().as_bytes()),
            shots: shots.iter().map(|row| row.response.clone()).collect(),
            metric: metric.clone(),
            language: language.clone(),
            scores,
            messages,
            body,
        }
    }

    fn round_scores(&self, round: usize) -> Vec<f32> {
        let first = round * self.per_request;
        let items = first..self.items.min(first + self.per_request);
        items
            .map(|item| self.scores[item % self.scores.len()])
            .collect()
    }
}

/// The rows to choose examples from: those of the metric in the language, else in any language,
/// else others in the language, else any.
fn candidates<'a>(rows: &[&'a Row], metric: &Metric, language: &Language) -> Vec<&'a Row> {
    let own = |row: &Row| row.metric == metric.name;
    let same = |row: &Row| row.language.as_deref().map(base) == Some(base(&language.code));
    let tiers: [&dyn Fn(&Row) -> bool; 3] = [&|row| own(row) && same(row), &own, &same];
    let tier = |tier: &&dyn Fn(&Row) -> bool| {
        let found: Vec<&Row> = rows.iter().copied().filter(|row| tier(row)).collect();
        (!found.is_empty()).then_some(found)
    };
    tiers.iter().find_map(tier).unwrap_or_else(|| rows.to_vec())
}

/// At most `count` rows, one by chance from each of as many strata of the scores.
fn spread<'a>(mut rows: Vec<&'a Row>, count: usize, random: &mut Random) -> Vec<&'a Row> {
    random.shuffle(&mut rows);
    let score = |row: &Row| row.score.unwrap_or_default();
    rows.sort_by(|a, b| score(a).total_cmp(&score(b)));
    let count = count.min(rows.len());
    let edge = |stratum: usize| stratum * rows.len() / count;
    (0..count)
        .map(|stratum| {
            let (from, to) = (edge(stratum), edge(stratum + 1));
            rows[from + random.below(to - from)]
        })
        .collect()
}

/// The metrics of `names` (of the catalogue, `all` for the whole of it, or described by an
/// example) and those of the file `own`.
///
/// # Errors
/// `Metric` for a name nobody describes; `Data` for a file that is not as [`described`] wants it;
/// `Input` when nothing is named.
pub fn metrics(names: &[String], own: Option<&Path>, examples: &[Row]) -> Result<Vec<Metric>> {
    let mut metrics: Vec<Metric> = Vec::new();
    for name in names.iter().map(|name| name.trim()) {
        if name == ALL {
            metrics.extend(metric::catalogue().iter().cloned());
            continue;
        }
        let describes = |row: &&Row| row.metric == name && row.definition.is_some();
        let row = examples.iter().find(describes);
        metrics.push(Metric::resolve(
            name,
            row.and_then(|row| row.definition.as_deref()),
        )?);
    }
    metrics.extend(own.map(described).transpose()?.unwrap_or_default());
    if metrics.is_empty() {
        let message =
            "no metric is named: give --metrics NAME,NAME or --metrics all, or --own FILE";
        return Err(Error::new(ErrorKind::Input, message));
    }
    let mut names = std::collections::HashSet::new();
    metrics.retain(|metric| names.insert(metric.name.clone()));
    Ok(metrics)
}

/// The metrics a file describes: CSV, a JSON list or JSON lines with `metric_name` and
/// `metric_description`.
///
/// # Errors
/// `Io`; `Data` for an element without the two texts.
fn described(path: &Path) -> Result<Vec<Metric>> {
    let named = |error: Error| error.context(path.display());
    let text = forms::text(read(path)?).map_err(named)?;
    let form = forms::detect(path, &text);
    let elements = forms::split(&text, form).map_err(named)?.elements;
    let metric = |element: &forms::Element| {
        let value = element
            .value
            .as_ref()
            .map_err(|why| Error::new(ErrorKind::Data, why));
        let metric = value.and_then(|value| {
            let text = |names: [&str; 2]| names.iter().find_map(|name| value.get(name)?.as_str());
            let name = text(["metric_name", "metric"]);
            let definition = text(["metric_description", "definition"]);
            match (name.map(str::trim), definition) {
                (Some(name), Some(_)) if !name.is_empty() => Metric::resolve(name, definition),
                _ => {
                    let message = "expected the texts metric_name and metric_description";
                    Err(Error::new(ErrorKind::Data, message))
                }
            }
        });
        metric.map_err(|error| named(error.context(element.place(form))))
    };
    elements.iter().map(metric).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::rows::{self, Options};

    fn rows(lines: &[(&str, &str, f32, &str)]) -> Vec<Row> {
        let line = |(i, (metric, language, score, source)): (usize, &(&str, &str, f32, &str))| {
            format!(
                r#"{{"metric": "{metric}", "language": "{language}", "score": {score},
                "source": "{source}", "user": "u", "response": "r{i}", "definition": "d"}}"#
            )
            .replace('\n', " ")
        };
        let text: Vec<String> = lines.iter().enumerate().map(line).collect();
        let path = Path::new("rows.jsonl");
        let bytes = text.join("\n").into_bytes();
        rows::parse(bytes, path, &Options::JUDGED).unwrap().rows
    }

    fn wanted() -> Wanted {
        Wanted {
            metrics: metrics(&["fairness".into(), "jailbreak".into()], None, &[]).unwrap(),
            languages: vec![Language::of("en"), Language::of("hi")],
            scores: vec![0.0, 5.0, 10.0],
            items: 5,
            per_request: 3,
            shots: 2,
            seed: 1,
            model: "m".into(),
            json_mode: true,
            extra: Map::new(),
        }
    }

    #[test]
    fn rounds_share_out_the_items_and_their_scores() {
        let requests = wanted().requests(&[]);
        let cells: Vec<(&str, &str, &[f32])> = requests
            .iter()
            .map(|r| {
                (
                    r.metric.name.as_str(),
                    r.language.code.as_str(),
                    r.scores.as_slice(),
                )
            })
            .collect();
        let (first, second): (&[f32], &[f32]) = (&[0.0, 5.0, 10.0], &[0.0, 5.0]);
        assert_eq!(cells.len(), 8);
        assert_eq!(cells[0], ("fairness", "en", first));
        assert_eq!(cells[3], ("jailbreak", "hi", first));
        assert_eq!(cells[4], ("fairness", "en", second));
    }

    #[test]
    fn requests_are_the_same_each_time_and_differ_from_each_other() {
        let ids = |wanted: Wanted| -> Vec<String> {
            let requests = wanted.requests(&[]);
            requests.into_iter().map(|request| request.id).collect()
        };
        let first = ids(wanted());
        assert_eq!(first, ids(wanted()));
        let distinct: std::collections::HashSet<&String> = first.iter().collect();
        assert_eq!(distinct.len(), first.len());
        let more = ids(Wanted {
            items: 99,
            ..wanted()
        });
        assert_eq!(first[..4], more[..4]);
        let distinct: std::collections::HashSet<&String> = more.iter().collect();
        assert_eq!((distinct.len(), more.len()), (132, 132));
        let other = ids(Wanted {
            model: "n".into(),
            ..wanted()
        });
        assert!(first.iter().all(|id| !other.contains(id)));
    }

    #[test]
    fn examples_are_real_rows_of_the_metric_spread_over_the_scores() {
        let rows = rows(&[
            ("fairness", "en", 9.0, "judge"),
            ("fairness", "en", 1.0, "judge"),
            ("fairness", "en", 2.0, "judge"),
            ("fairness", "en", 8.0, "judge"),
            ("fairness", "en", 5.0, "synthetic:llm/m"),
            ("fairness", "hi", 5.0, "judge"),
        ]);
        let requests = wanted().requests(&rows);
        let [low, high] = requests[0].shots.as_slice() else {
            panic!()
        };
        assert!(["r1", "r2"].contains(&low.as_str()) && ["r0", "r3"].contains(&high.as_str()));
        assert_eq!(requests[1].shots, ["r5"]);
    }

    #[test]
    fn a_metric_without_examples_is_shown_those_of_others() {
        let rows = rows(&[
            ("fairness", "ta", 5.0, "judge"),
            ("fairness", "hi", 5.0, "judge"),
        ]);
        let requests = wanted().requests(&rows);
        assert_eq!(requests[3].shots, ["r1"]);
        assert_eq!(requests[2].shots.len(), 2);
    }

    #[test]
    fn own_metrics_are_described_by_examples_or_a_file() {
        let rows = rows(&[("tone", "en", 5.0, "judge")]);
        let found = metrics(&["tone".into(), "tone".into()], None, &rows).unwrap();
        assert_eq!((found.len(), found[0].definition.as_str()), (1, "d"));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.csv");
        std::fs::write(&file, "metric_name,metric_description\nwit,Is it witty?\n").unwrap();
        assert_eq!(
            metrics(&[], Some(&file), &[]).unwrap()[0].definition,
            "Is it witty?"
        );
        std::fs::write(&file, "metric_name,metric_description\nwit,\n").unwrap();
        let error = metrics(&[], Some(&file), &[]).unwrap_err().to_string();
        assert!(
            error.contains("own.csv") && error.contains("row 1"),
            "{error}"
        );
        assert_eq!(metrics(&["all".into()], None, &[]).unwrap().len(), 145);
        assert!(metrics(&["tone".into()], None, &[]).is_err());
        assert!(metrics(&[], None, &[]).is_err());
    }
}
