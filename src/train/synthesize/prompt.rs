//! What the model is asked; every word of it stands in `prompt.txt`.

use std::sync::LazyLock;

use serde_json::json;

use super::language::Language;
use crate::cli::rows::Row;
use crate::metric::Metric;

/// Characters kept of each text of an example: enough to show what was judged, at a bounded cost.
const SHOWN: usize = 1500;

/// The parts of `prompt.txt`, which lines of `====` keep apart.
struct Parts {
    system: &'static str,
    user: &'static str,
    own: &'static str,
    others: &'static str,
    none: &'static str,
    subjects: Vec<&'static str>,
}

static PARTS: LazyLock<Parts> = LazyLock::new(|| {
    let mut parts = include_str!("prompt.txt").split("\n====\n").map(str::trim);
    let mut next = || parts.next().unwrap_or_default();
    Parts {
        system: next(),
        user: next(),
        own: next(),
        others: next(),
        none: next(),
        subjects: next().lines().collect(),
    }
});

/// Subjects that batches of one metric and language take turns in, so that they differ.
pub fn subjects() -> &'static [&'static str] {
    &PARTS.subjects
}

/// What one request asks for.
pub struct Ask<'a> {
    /// The metric, in the catalogue's or the user's words.
    pub metric: &'a Metric,
    /// The language of the prompts.
    pub language: &'a Language,
    /// One score for each item.
    pub scores: &'a [f32],
    /// Examples shown.
    pub shots: &'a [&'a Row],
    /// Number of the batch, from 1: no two requests are the same.
    pub batch: usize,
    /// One of [`subjects`].
    pub subject: &'a str,
}

/// The two messages of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Messages {
    /// The rules, the same for all requests.
    pub system: String,
    /// Metric, language, examples and demand.
    pub user: String,
}

impl Ask<'_> {
    /// The messages that put the question.
    pub fn messages(&self) -> Messages {
        let scores: Vec<String> = self.scores.iter().map(f32::to_string).collect();
        let values = [
            ("title", self.metric.title.as_str()),
            ("name", &self.metric.name),
            ("definition", &self.metric.definition),
            ("language", &self.language.name),
            ("batch", &self.batch.to_string()),
            ("subject", self.subject),
            ("examples", &self.examples()),
            ("count", &scores.len().to_string()),
            ("scores", &scores.join(", ")),
        ];
        Messages {
            system: PARTS.system.to_owned(),
            user: fill(PARTS.user, &values),
        }
    }

    fn examples(&self) -> String {
        let own = |row: &&Row| row.metric == self.metric.name;
        let heading = match self.shots.first() {
            None => return PARTS.none.to_owned(),
            Some(row) if own(row) => PARTS.own,
            Some(_) => PARTS.others,
        };
        let lines = self.shots.iter().map(|row| shown(row, !own(row)));
        [heading.to_owned()]
            .into_iter()
            .chain(lines)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// An example as one line of JSON, with its metric where that is not the one asked for.
fn shown(row: &Row, named: bool) -> String {
    let mut example = json!({
        "system_prompt": row.system.as_deref().map(clipped),
        "user_prompt": clipped(&row.user),
        "response": clipped(&row.response),
        "score": row.score,
    });
    if named {
        example["metric"] = clipped(&row.metric).into();
    }
    example.to_string()
}

fn clipped(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} [...]", &text[..end]),
        None => text.to_owned(),
    }
}

/// Puts values for `<<name>>`; what the values say is left alone.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut parts = template.split("<<");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(">>").unwrap_or((part, ""));
        let value = values.iter().find(|(known, _)| *known == name);
        filled.push_str(value.map_or("", |(_, value)| value));
        filled.push_str(rest);
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::rows::{self, Options};
    use crate::metric;

    fn rows(text: &str) -> Vec<Row> {
        let path = std::path::Path::new("rows.jsonl");
        rows::parse(text.as_bytes().to_vec(), path, &Options::JUDGED)
            .unwrap()
            .rows
    }

    fn messages(metric: &Metric, shots: &[&Row]) -> Messages {
        let ask = Ask {
            metric,
            language: &Language::of("ta"),
            scores: &[0.0, 7.5],
            shots,
            batch: 3,
            subject: subjects()[0],
        };
        ask.messages()
    }

    #[test]
    fn the_prompt_file_has_all_its_parts() {
        assert!(PARTS.system.starts_with("You write") && PARTS.system.ends_with('}'));
        assert!(PARTS.user.starts_with("Metric:") && PARTS.user.contains("<<scores>>"));
        assert!(PARTS.own.ends_with(':') && PARTS.others.ends_with(':'));
        assert_eq!(subjects().len(), 16);
    }

    #[test]
    fn every_placeholder_is_filled_and_values_are_not() {
        let metric = Metric::resolve("tone", Some("Is <<count>> kind?")).unwrap();
        let user = messages(&metric, &[]).user;
        assert!(user.contains("Definition: Is <<count>> kind?"), "{user}");
        assert_eq!(user.matches("<<").count(), 1, "{user}");
        assert!(
            user.contains("Write 2 items") && user.contains("0, 7.5."),
            "{user}"
        );
        assert!(
            user.contains("Language: Tamil") && user.contains("(number 3)"),
            "{user}"
        );
        assert!(user.contains("no examples yet"), "{user}");
    }

    #[test]
    fn examples_of_other_metrics_are_shown_as_form_only() {
        let line = r#"{"metric": "fairness", "user": "Hi", "response": "Yo", "score": 4}"#;
        let rows = rows(line);
        let own = messages(metric::find("fairness").unwrap(), &[&rows[0]]).user;
        assert!(
            own.contains(PARTS.own) && !own.contains(r#""metric""#),
            "{own}"
        );
        let other = messages(metric::find("jailbreak").unwrap(), &[&rows[0]]).user;
        assert!(other.contains(PARTS.others), "{other}");
        assert!(other.contains(r#""metric":"fairness""#), "{other}");
    }

    #[test]
    fn long_examples_are_cut_between_characters() {
        let text = "क".repeat(SHOWN + 1);
        let cut = clipped(&text);
        assert_eq!(cut.chars().count(), SHOWN + " [...]".len());
        assert_eq!(clipped("क"), "क");
    }
}
