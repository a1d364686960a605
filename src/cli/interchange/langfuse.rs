//! Scores for Langfuse: one JSON object a line, the body of `POST /api/public/scores`.
//!
//! A score of Langfuse belongs to a trace (or an observation within it), a session or a dataset
//! run, which the row names. The fields are those of `CreateScoreRequest` in Langfuse's public API
//! definition.

use serde_json::{Map, Value, json};

use super::super::rows::Row;
use super::{Scored, label, plain, row_error};
use crate::error::Result;

/// What a score may belong to: the body's field and the names a row may give it.
const SUBJECTS: [(&str, &[&str]); 4] = [
    ("traceId", &["traceId", "trace_id"]),
    ("observationId", &["observationId", "observation_id"]),
    ("sessionId", &["sessionId", "session_id"]),
    ("datasetRunId", &["datasetRunId", "dataset_run_id"]),
];

/// Whether every row says what its score belongs to.
///
/// # Errors
/// `Data` naming the first row that does not, or that names an observation without its trace.
pub fn check(rows: &[Row]) -> Result<()> {
    rows.iter().try_for_each(|row| subject(row).map(|_| ()))
}

/// The file's text.
///
/// # Errors
/// As [`check`]; `Format` if a Score cannot be written.
pub fn text(scored: &[Scored<'_>]) -> Result<String> {
    scored
        .iter()
        .map(|one| Ok(format!("{}\n", body(one)?)))
        .collect()
}

fn subject(row: &Row) -> Result<Map<String, Value>> {
    let named = SUBJECTS.iter().filter_map(|(field, names)| {
        Some(((*field).to_owned(), label(&row.fields, names)?.into()))
    });
    let found: Map<String, Value> = named.collect();
    if found.contains_key("observationId") && !found.contains_key("traceId") {
        return Err(row_error(
            row,
            "an observationId needs its traceId beside it",
        ));
    }
    if found.is_empty() {
        let message = "no traceId, sessionId or datasetRunId; a score of Langfuse belongs to one of them \
                       (observationId goes with traceId)";
        return Err(row_error(row, message));
    }
    Ok(found)
}

fn body(one: &Scored<'_>) -> Result<Value> {
    let subject = subject(one.row)?;
    let score = plain(one.score)?;
    let mut body = Map::new();
    body.insert("id".into(), identifier(&subject, one.row).into());
    body.extend(subject);
    body.insert("name".into(), one.row.metric.clone().into());
    body.insert("value".into(), score["score"].clone());
    body.insert("dataType".into(), "NUMERIC".into());
    body.insert("comment".into(), comment(one).into());
    body.insert("metadata".into(), metadata(&score));
    Ok(Value::Object(body))
}

/// The same for the same row of the same file, so that sending it twice does not count it twice.
fn identifier(subject: &Map<String, Value>, row: &Row) -> String {
    let narrowest = subject
        .get("observationId")
        .or_else(|| subject.values().next());
    let owner = narrowest.and_then(Value::as_str).unwrap_or_default();
    let whole = format!("touchstone-{owner}-{}-{}", row.metric, row.number);
    let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    whole.chars().map(safe).collect()
}

fn comment(one: &Scored<'_>) -> String {
    let score = one.score;
    let mut text = format!("{:.1} of 10", score.score);
    if let Some([low, high]) = score.interval {
        text += &format!(", a judge's score expected from {low:.1} to {high:.1}");
    }
    if score.abstain {
        text += "; not sure";
    }
    text
}

fn metadata(score: &Value) -> Value {
    let receipt = &score["receipt"];
    json!({
        "interval": score["interval"], "coverage": score["coverage"], "support": score["support"],
        "abstain": score["abstain"], "doubts": score["doubts"], "truncated": score["truncated"],
        "bundle": receipt["bundle"], "backend": receipt["backend"], "version": receipt["version"],
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{rows, score, scored};
    use super::*;

    fn line(extra: &str) -> String {
        format!("{{\"metric\":\"a/b\",\"user\":\"u\",\"response\":\"r\"{extra}}}\n")
    }

    fn bodies(lines: &str) -> Vec<Value> {
        let (rows, scores) = (rows(lines), [score(7.1), score(3.0)]);
        let text = text(&scored(&rows, &scores)).unwrap();
        text.lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect()
    }

    fn refusal(lines: &str) -> String {
        check(&rows(lines)).unwrap_err().to_string()
    }

    #[test]
    fn a_row_becomes_the_body_of_one_score() {
        let mut found = bodies(&line(",\"trace_id\":\"t1\"")).remove(0);
        let metadata = found.as_object_mut().unwrap().remove("metadata").unwrap();
        let expected = json!({
            "id": "touchstone-t1-a-b-1", "traceId": "t1", "name": "a/b", "value": 7.1, "dataType": "NUMERIC",
            "comment": "7.1 of 10, a judge's score expected from 6.1 to 8.1",
        });
        assert_eq!(found, expected);
        assert_eq!(metadata["interval"], json!([6.1, 8.1]));
        assert_eq!(metadata["bundle"], "0123");
    }

    #[test]
    fn the_narrowest_subject_makes_the_identifier_and_numbers_are_taken() {
        let row = ",\"TraceID\":7,\"observationId\":\"o 2\"";
        let found = bodies(&(line(row) + &line(row)));
        assert_eq!(found[0]["traceId"], "7");
        assert_eq!(found[0]["id"], "touchstone-o-2-a-b-1");
        assert_ne!(found[0]["id"], found[1]["id"]);
    }

    #[test]
    fn a_row_without_a_subject_is_named() {
        let found = refusal(&(line(",\"sessionId\":\"s\"") + &line(",\"traceId\":\" \"")));
        assert!(
            found.starts_with("row 2: no traceId, sessionId or datasetRunId"),
            "{found}"
        );
        let found = refusal(&line(",\"observation_id\":\"o\""));
        assert!(found.contains("needs its traceId"), "{found}");
    }

    #[test]
    fn not_sure_is_said() {
        let rows = rows(&line(",\"traceId\":\"t\""));
        let mut unsure = score(5.0);
        unsure.abstain = true;
        unsure.interval = None;
        let text = text(&scored(&rows, &[unsure])).unwrap();
        assert!(
            text.contains("\"comment\":\"5.0 of 10; not sure\""),
            "{text}"
        );
        assert!(text.contains("\"abstain\":true"));
    }
}
