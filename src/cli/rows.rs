//! Rows to score or to learn from, read from CSV, a JSON list or JSON lines, each also gzipped, or
//! from Parquet.
//!
//! A row names a metric, the texts of one answer and, where somebody judged it, a score of 0-10.
//! Numbers are counted as the user counts: data rows of a CSV or Parquet file and elements of a
//! list from 1, lines in JSON lines.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

pub use super::forms::Form;
use super::forms::{self, Element};
use crate::error::{Error, ErrorKind, Result};
use crate::text::Task;

pub(super) const METRIC: &[&str] = &["metric_name", "metric"];
pub(super) const DEFINITION: &[&str] = &["metric_description", "definition"];
pub(super) const SYSTEM: &[&str] = &["system_prompt", "system"];
pub(super) const USER: &[&str] = &["user_prompt", "user", "prompt"];
pub(super) const RESPONSE: &[&str] = &["response", "answer"];
const SCORE: &[&str] = &["score"];
pub(super) const LANGUAGE: &[&str] = &["language"];
const SOURCE: &[&str] = &["source"];

/// What to ask of the `score` field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scores {
    /// Not looked at; [`Row::score`] is none. For files that are to be scored.
    Ignored,
    /// Checked where it stands, none where it is empty.
    Optional,
    /// Every row needs one. For training and evaluation.
    Required,
}

/// How strictly a file is read.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What to ask of the `score` field. With [`Scores::Required`], rows with an empty metric,
    /// prompt or answer are skipped and counted; else they are kept, and the scorer names the fault.
    pub scores: Scores,
    /// A bad score or a malformed JSON line skips its row instead of ending the reading.
    pub lenient: bool,
}

impl Options {
    /// For `score`: every row is kept, scores are not looked at.
    pub const SCORING: Self = Self {
        scores: Scores::Ignored,
        lenient: false,
    };
    /// For `predict`: as [`Self::SCORING`], and what is no row at all is counted and passed over.
    pub const PREDICTING: Self = Self {
        scores: Scores::Ignored,
        lenient: true,
    };
    /// For `train` and `eval`: every row needs a good score.
    pub const JUDGED: Self = Self {
        scores: Scores::Required,
        lenient: false,
    };
}

/// One answer, the metric it is judged on, and what its file said besides.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The metric's name; empty where the file has none.
    pub metric: String,
    /// The metric in the file's own words.
    pub definition: Option<String>,
    /// The system prompt.
    pub system: Option<String>,
    /// The user's prompt.
    pub user: String,
    /// The answer; empty where the file has none.
    pub response: String,
    /// The judge's score, 0-10.
    pub score: Option<f32>,
    /// The language, as the file names it.
    pub language: Option<String>,
    /// Where the row comes from, as the file names it.
    pub source: Option<String>,
    /// The whole row as read; CSV cells stand under [`forms::keys`] of the header.
    pub fields: Map<String, Value>,
    /// 1-based number as the user counts: data row, element of the list, or line of JSON lines.
    pub number: usize,
}

impl Row {
    /// What the scorer is asked.
    pub fn task(&self) -> Task {
        Task {
            metric: self.metric.clone(),
            definition: self.definition.clone(),
            system: self.system.clone(),
            user: self.user.clone(),
            response: self.response.clone(),
        }
    }
}

/// A row that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its number, counted as in [`Row::number`].
    pub number: usize,
    /// Why, in words.
    pub why: String,
}

/// What a file holds.
#[derive(Clone, Debug)]
pub struct Rows {
    /// The rows in file order.
    pub rows: Vec<Row>,
    /// The rows left out, in file order.
    pub skipped: Vec<Skipped>,
    /// The form the file was in.
    pub form: Form,
    /// The column names as written (CSV, Parquet), else every key in order of appearance.
    pub header: Vec<String>,
}

impl Rows {
    /// One line for the user about the rows left out, by reason; none if nothing was.
    pub fn skipped_summary(&self) -> Option<String> {
        let mut reasons: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for skipped in &self.skipped {
            reasons
                .entry(&skipped.why)
                .or_default()
                .push(skipped.number);
        }
        let total = self.skipped.len();
        let parts: Vec<String> = reasons
            .iter()
            .map(|(why, numbers)| reason(why, numbers))
            .collect();
        (total > 0).then(|| {
            format!(
                "skipped {total} of {}: {}",
                total + self.rows.len(),
                parts.join("; ")
            )
        })
    }
}

fn reason(why: &str, numbers: &[usize]) -> String {
    let first: Vec<String> = numbers.iter().take(5).map(usize::to_string).collect();
    let more = if numbers.len() > 5 { ", ..." } else { "" };
    format!("{} x {why} (no. {}{more})", numbers.len(), first.join(", "))
}

/// Reads the rows of the file at `path`.
///
/// # Errors
/// `Io` if it cannot be read, else as [`parse`]; the message starts with the path.
pub fn read(path: &Path, options: &Options) -> Result<Rows> {
    let bytes = std::fs::read(path).map_err(|e| {
        Error::new(
            ErrorKind::Io,
            format!("cannot read {}: {e}", path.display()),
        )
    })?;
    parse(bytes, path, options).map_err(|e| e.context(path.display()))
}

/// Reads rows from the bytes of a file; `path` only helps to tell its form.
///
/// # Errors
/// `Data`: not UTF-8, a damaged Parquet file, empty or without rows, needed columns missing (which, and which were found),
/// a malformed line or element, a score that is missing or no number from 0 to 10 (which row,
/// what was found).
pub fn parse(bytes: Vec<u8>, path: &Path, options: &Options) -> Result<Rows> {
    let (form, found) = forms::read(bytes, path)?;
    let mut rows = Rows {
        rows: Vec::new(),
        skipped: Vec::new(),
        form,
        header: found.header,
    };
    if found.elements.is_empty() {
        return Err(Error::new(ErrorKind::Data, "the file has no rows"));
    }
    let readable = found
        .elements
        .iter()
        .any(|e| matches!(e.value, Ok(Value::Object(_))));
    if readable || form == Form::Csv {
        check_columns(&rows.header, options.scores)?;
    }
    for element in found.elements {
        take(&mut rows, element, options)?;
    }
    Ok(rows)
}

fn check_columns(header: &[String], scores: Scores) -> Result<()> {
    let mut needed = vec![METRIC, USER, RESPONSE];
    needed.extend((scores == Scores::Required).then_some(SCORE));
    let has = |names: &[&str]| header.iter().any(|h| names.iter().any(|n| same(n, h)));
    let missing: Vec<String> = needed
        .into_iter()
        .filter(|names| !has(names))
        .map(column)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let (missing, found) = (missing.join(", "), header.join(", "));
    let hint = export_hint(header).unwrap_or_else(|| separator_hint(header));
    Err(Error::new(
        ErrorKind::Data,
        format!("missing columns: {missing}; found: {found}{hint}"),
    ))
}

fn column(names: &[&str]) -> String {
    match names {
        [name] => (*name).to_owned(),
        [name, others @ ..] => format!("{name} (or {})", others.join(", ")),
        [] => String::new(),
    }
}

/// An export of another tool is brought into rows first.
fn export_hint(header: &[String]) -> Option<String> {
    let has = |name: &str| header.iter().any(|h| h == name);
    let argilla = has("_server_id") || header.iter().any(|h| h.ends_with(".responses"));
    let label_studio = has("data") && has("annotations");
    let (tool, name) = match (argilla, label_studio) {
        (true, _) => ("Argilla", "argilla"),
        (_, true) => ("Label Studio", "label-studio"),
        _ => return None,
    };
    Some(format!(
        "; this looks like an export of {tool}: `touchstone import FILE --from {name}` makes rows of it"
    ))
}

fn separator_hint(header: &[String]) -> String {
    let other = |c: &char| header.len() == 1 && header[0].contains(*c);
    match [';', '\t', '|'].into_iter().find(other) {
        Some(c) => format!(" (the columns seem separated by {c:?}; save the file with commas)"),
        None => String::new(),
    }
}

fn same(name: &str, key: &str) -> bool {
    name.eq_ignore_ascii_case(key.trim())
}

/// Puts an element among the rows or the skipped, or ends the reading.
fn take(rows: &mut Rows, element: Element, options: &Options) -> Result<()> {
    let (number, place) = (element.number, element.place(rows.form));
    match row(element, rows.form, options) {
        Ok(row) => rows.rows.push(row),
        Err(Fault::Odd(why)) => rows.skipped.push(Skipped { number, why }),
        Err(Fault::Bad(why)) if options.lenient => rows.skipped.push(Skipped { number, why }),
        Err(Fault::Bad(why)) => return Err(Error::new(ErrorKind::Data, format!("{place}: {why}"))),
    }
    Ok(())
}

/// Why an element is no row.
enum Fault {
    /// Nothing to read here: skipped and counted.
    Odd(String),
    /// Something is wrong with the file: an error unless lenient.
    Bad(String),
}

fn row(element: Element, form: Form, options: &Options) -> std::result::Result<Row, Fault> {
    let broken = |why| {
        if form == Form::Csv {
            Fault::Odd(why)
        } else {
            Fault::Bad(why)
        }
    };
    let fields = match element.value.map_err(broken)? {
        Value::Object(fields) => fields,
        other => {
            return Err(Fault::Odd(format!(
                "not an object but {}",
                forms::type_name(&other)
            )));
        }
    };
    let row = Row {
        metric: text(&fields, METRIC)?.unwrap_or_default().trim().to_owned(),
        definition: text(&fields, DEFINITION)?,
        system: text(&fields, SYSTEM)?,
        user: text(&fields, USER)?.unwrap_or_default(),
        response: text(&fields, RESPONSE)?.unwrap_or_default(),
        score: None,
        language: label(&fields, LANGUAGE),
        source: label(&fields, SOURCE),
        number: element.number,
        fields,
    };
    if options.scores == Scores::Required {
        check_texts(&row)?;
    }
    Ok(Row {
        score: score(&row.fields, options.scores).map_err(Fault::Bad)?,
        ..row
    })
}

fn check_texts(row: &Row) -> std::result::Result<(), Fault> {
    let texts = [
        ("metric", &row.metric),
        ("prompt", &row.user),
        ("answer", &row.response),
    ];
    match texts.into_iter().find(|(_, text)| text.trim().is_empty()) {
        Some((name, _)) => Err(Fault::Odd(format!("no {name}"))),
        None => Ok(()),
    }
}

/// The first of `names` that the row has, whatever its case.
pub(super) fn field<'a>(fields: &'a Map<String, Value>, names: &[&str]) -> Option<&'a Value> {
    names.iter().find_map(|n| {
        fields
            .get(*n)
            .or_else(|| fields.iter().find(|(k, _)| same(n, k)).map(|(_, v)| v))
    })
}

/// The text of a field; none where it is missing, null or empty.
fn text(fields: &Map<String, Value>, names: &[&str]) -> std::result::Result<Option<String>, Fault> {
    match field(fields, names) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok((!text.is_empty()).then(|| text.clone())),
        Some(other) => Err(Fault::Odd(format!(
            "{} is {}, not text",
            names[0],
            forms::type_name(other)
        ))),
    }
}

fn label(fields: &Map<String, Value>, names: &[&str]) -> Option<String> {
    let text = field(fields, names)?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The score of a row: a number, or a number written as text as in the challenge's files.
fn score(fields: &Map<String, Value>, scores: Scores) -> std::result::Result<Option<f32>, String> {
    let value = field(fields, SCORE).filter(|_| scores != Scores::Ignored);
    let number = match value {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.trim().is_empty() => None,
        Some(Value::String(text)) => Some(text.trim().parse::<f64>().ok()),
        Some(other) => Some(other.as_f64()),
    };
    match (number, value) {
        (None, _) if scores == Scores::Required => {
            Err("no score, expected a number from 0 to 10".to_owned())
        }
        (None, _) => Ok(None),
        (Some(Some(number)), _) if (0.0..=10.0).contains(&number) => Ok(Some(number as f32)),
        (Some(_), found) => Err(format!(
            "score is {}, expected a number from 0 to 10",
            shown(found)
        )),
    }
}

fn shown(value: Option<&Value>) -> String {
    let text = value.map(Value::to_string).unwrap_or_default();
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scoring(name: &str, text: &str) -> Result<Rows> {
        parse(text.as_bytes().to_vec(), Path::new(name), &Options::SCORING)
    }

    fn judged(name: &str, text: &str) -> Result<Rows> {
        parse(text.as_bytes().to_vec(), Path::new(name), &Options::JUDGED)
    }

    fn message<T>(result: Result<T>) -> String {
        let error = result.err().expect("an error");
        assert_eq!(error.kind(), ErrorKind::Data);
        error.to_string()
    }

    #[test]
    fn csv_with_short_names_any_case_and_a_byte_order_mark() {
        let csv = "\u{feff}Metric,Definition,system,prompt,Answer,score,note\r\nfluency,,,\"a\nb\",उत्तर,9.5,x\r\n";
        let rows = judged("a.csv", csv).unwrap();
        let row = &rows.rows[0];
        assert_eq!(
            (
                row.metric.as_str(),
                row.user.as_str(),
                row.response.as_str()
            ),
            ("fluency", "a\nb", "उत्तर")
        );
        assert_eq!(
            (row.score, &row.definition, &row.system),
            (Some(9.5), &None, &None)
        );
        assert_eq!(row.fields["note"], "x");
        assert_eq!(rows.header[0], "Metric");
    }

    #[test]
    fn the_challenge_form_has_text_scores_nulls_and_odd_elements() {
        let json = r#"[{"metric_name":"m","score":"10.0","user_prompt":"u","response":"r","system_prompt":null},
            {"metric_name":"m","score":"9.0","user_prompt":"u","response":null,"system_prompt":"s"},
            17, "text", null,
            {"metric_name":"m","score":"9.0","user_prompt":"u","response":[1],"system_prompt":"s"}]"#;
        let rows = judged("train_data.json", json).unwrap();
        assert_eq!(rows.form, Form::JsonList);
        assert_eq!(
            (rows.rows.len(), rows.rows[0].score, rows.rows[0].number),
            (1, Some(10.0), 1)
        );
        let skipped: Vec<_> = rows
            .skipped
            .iter()
            .map(|s| (s.number, s.why.as_str()))
            .collect();
        assert_eq!(skipped[0], (2, "no answer"));
        assert_eq!(skipped[1], (3, "not an object but a number"));
        assert_eq!(skipped[4], (6, "response is a list, not text"));
        assert!(
            rows.skipped_summary()
                .unwrap()
                .starts_with("skipped 5 of 6: 1 x no answer (no. 2)")
        );
    }

    #[test]
    fn scoring_keeps_a_row_without_an_answer() {
        let rows = scoring(
            "a.json",
            r#"[{"metric":"m","user":"u","response":null},{"metric":"m","user":"u","response":"r","score":"x"}]"#,
        );
        let rows = rows.unwrap();
        assert_eq!((rows.rows.len(), rows.skipped.len()), (2, 0));
        assert_eq!(
            (rows.rows[0].response.as_str(), rows.rows[1].score),
            ("", None)
        );
        assert_eq!(rows.skipped_summary(), None);
    }

    #[test]
    fn json_lines_count_lines() {
        let rows = judged(
            "a.jsonl",
            "\n{\"metric\":\"m\",\"user\":\"u\",\"answer\":\"r\",\"score\":0,\"source\":\"s\"}\r\n",
        )
        .unwrap();
        assert_eq!((rows.rows[0].number, rows.rows[0].score), (2, Some(0.0)));
        assert_eq!(rows.rows[0].source.as_deref(), Some("s"));
    }

    #[test]
    fn missing_columns_are_named_with_those_found() {
        let found = message(judged("a.csv", "metric,text\nm,t\n"));
        assert_eq!(
            found,
            "missing columns: user_prompt (or user, prompt), response (or answer), score; found: metric, text"
        );
        assert!(
            message(scoring("a.csv", "metric;user;response\nm;u;r\n")).contains("separated by ';'")
        );
        assert!(message(scoring("a.jsonl", "{\"a\":1}")).contains("missing columns: metric_name"));
        assert!(message(scoring("a.csv", "metric,user,response\n")).contains("no rows"));
    }

    #[test]
    fn a_bad_score_names_its_row_and_what_was_found() {
        for bad in [
            "NaN", "inf", "-inf", "-0.5", "11", "10.01", "1e999", "good", "9,5", "५",
        ] {
            let csv = format!("metric,user,response,score\nm,u,r,5\nm,u,r,\"{bad}\"\n");
            let found = message(judged("a.csv", &csv));
            assert_eq!(
                found,
                format!("row 2 (line 3): score is \"{bad}\", expected a number from 0 to 10")
            );
        }
        for bad in ["11", "-1", "true", "[9]", "{}"] {
            let line =
                format!("{{\"metric\":\"m\",\"user\":\"u\",\"response\":\"r\",\"score\":{bad}}}");
            assert!(message(judged("a.jsonl", &line)).contains(&format!("line 1: score is {bad}")));
        }
        assert!(
            message(judged("a.csv", "metric,user,response,score\nm,u,r,\n"))
                .contains("row 1 (line 2): no score")
        );
    }

    #[test]
    fn lenient_skips_what_strict_refuses() {
        let text = "{\"metric\":\"m\",\"user\":\"u\",\"response\":\"r\",\"score\":11}\n{oops\n{\"metric\":\"m\",\"user\":\"u\",\"response\":\"r\",\"score\":10}";
        let lenient = Options {
            lenient: true,
            ..Options::JUDGED
        };
        let rows = parse(text.as_bytes().to_vec(), Path::new("a.jsonl"), &lenient).unwrap();
        assert_eq!(
            (
                rows.rows.len(),
                rows.skipped[0].number,
                rows.skipped[1].number
            ),
            (1, 1, 2)
        );
        let strict = message(parse(
            b"{oops".to_vec(),
            Path::new("a.jsonl"),
            &Options::SCORING,
        ));
        assert!(strict.starts_with("line 1: malformed JSON"), "{strict}");
    }

    #[test]
    fn optional_scores_are_checked_where_they_stand() {
        let options = Options {
            scores: Scores::Optional,
            lenient: false,
        };
        let read = |score: &str| {
            let text = format!("metric,user,response,score\nm,u,r,{score}\n");
            parse(text.into_bytes(), Path::new("a.csv"), &options)
        };
        assert_eq!(read("").unwrap().rows[0].score, None);
        assert_eq!(read("7").unwrap().rows[0].score, Some(7.0));
        assert!(read("11").is_err());
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = read(Path::new("no/such/file.csv"), &Options::SCORING).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("no/such/file.csv"));
    }
}
