//! Exports of Argilla's Python SDK as judged rows.
//!
//! Two forms are read: `records.to_list(flatten=True)` as JSON (or what `records.to_datasets()`
//! writes as JSON lines), where `QUESTION.responses` stands beside `QUESTION.responses.status`, and
//! the nested form of `records.to_json()`, which leaves the status out.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::super::forms::{self, Element, Form};
use super::super::rows::{self, field};
use super::{Scale, label, rounded};
use crate::error::{Error, ErrorKind, Result};

/// What the export itself does not say.
#[derive(Clone, Debug)]
pub struct Options {
    /// The question whose answers are the judged scores; may be none where there is only one.
    pub question: Option<String>,
    /// The scale of that question.
    pub scale: Scale,
    /// The metric of records that name none.
    pub metric: Option<String>,
    /// Its definition, for a metric of one's own.
    pub definition: Option<String>,
    /// The field with the prompt, where its name is not one that rows have.
    pub prompt: Option<String>,
    /// The field with the answer.
    pub response: Option<String>,
    /// The field with the system prompt.
    pub system: Option<String>,
    /// Takes responses of which the export does not say whether they were submitted.
    pub accept_unknown_status: bool,
}

/// Judged rows, and what was left out of them.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// The rows, by the names that [`rows`] reads.
    pub rows: Vec<Value>,
    /// Records that nobody has judged.
    pub unjudged: usize,
    /// Responses that were discarded, drafts or empty.
    pub left_out: usize,
}

/// One record, whichever form it came in.
struct Record {
    place: String,
    /// Its fields and metadata; what custom fields hold stands among them.
    fields: Map<String, Value>,
    /// By question: the answers.
    responses: Vec<(String, Vec<Response>)>,
}

struct Response {
    value: Value,
    status: Option<String>,
}

/// The judged rows of an export; `path` only helps to tell its form.
///
/// # Errors
/// `Data`: broken JSON, an element that is no record, no or several questions to choose from, a
/// field that is missing, an answer outside the scale, a status that is not told. The message names
/// the record and what was expected.
pub fn import(bytes: Vec<u8>, path: &Path, options: &Options) -> Result<Imported> {
    let (form, found) = forms::read(bytes, path)?;
    let elements = found.elements.into_iter();
    let records: Vec<Record> = elements
        .map(|one| record(one, form))
        .collect::<Result<_>>()?;
    let question = question(&records, options.question.as_deref())?;
    let mut imported = Imported::default();
    for record in &records {
        take(record, &question, options, &mut imported).map_err(|e| e.context(&record.place))?;
    }
    if imported.rows.is_empty() {
        let message = format!(
            "none of {} records has a submitted answer to {question}",
            records.len()
        );
        return Err(data(message));
    }
    Ok(imported)
}

fn data(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Data, message)
}

fn record(element: Element, form: Form) -> Result<Record> {
    let place = element.place(form).replacen("row", "record", 1);
    let broken = |why: String| data(format!("{place}: {why}"));
    let mut map = match element.value.map_err(broken)? {
        Value::Object(map) => map,
        other => {
            return Err(broken(format!(
                "expected a record, found {}",
                forms::type_name(&other)
            )));
        }
    };
    let place = match label(&map, &["id"]) {
        Some(id) => format!("{place} (id {id})"),
        None => place,
    };
    let responses = responses(&map);
    let responses = responses.map_err(|why| data(format!("{place}: {why}")))?;
    let mut fields = Map::new();
    for part in ["fields", "metadata"] {
        if let Some(Value::Object(inner)) = map.remove(part) {
            fields.extend(inner);
        }
    }
    for (key, value) in map {
        fields.entry(key).or_insert(value);
    }
    let custom: Vec<Value> = fields.values().filter(|v| v.is_object()).cloned().collect();
    for (key, value) in custom.iter().filter_map(Value::as_object).flatten() {
        fields.entry(key).or_insert(value.clone());
    }
    Ok(Record {
        place,
        fields,
        responses,
    })
}

/// The answers of a record by question, nested or flat.
fn responses(
    map: &Map<String, Value>,
) -> std::result::Result<Vec<(String, Vec<Response>)>, String> {
    if let Some(Value::Object(questions)) = map.get("responses") {
        let nested = questions
            .iter()
            .map(|(name, list)| Ok((name.clone(), nested(name, list)?)));
        return nested.collect();
    }
    let flat = map
        .iter()
        .filter_map(|(key, value)| Some((key.strip_suffix(".responses")?, value)));
    let found: Vec<_> = flat.collect();
    if found.is_empty() && map.contains_key("responses") {
        return Err(
            "responses is not an object of questions; export with Argilla's Python SDK 2".into(),
        );
    }
    let one = |(name, values): (&str, &Value)| {
        let status = map.get(&format!("{name}.responses.status"));
        Ok((name.to_owned(), flat_responses(name, values, status)?))
    };
    found.into_iter().map(one).collect()
}

fn nested(name: &str, list: &Value) -> std::result::Result<Vec<Response>, String> {
    let answer = |entry: &Value| {
        let entry = entry.as_object();
        let entry =
            entry.ok_or_else(|| format!("an answer to {name} is no object with a value"))?;
        Ok(Response {
            value: entry.get("value").cloned().unwrap_or_default(),
            status: label(entry, &["status"]),
        })
    };
    list_of(name, list)?.iter().map(answer).collect()
}

fn flat_responses(
    name: &str,
    values: &Value,
    status: Option<&Value>,
) -> std::result::Result<Vec<Response>, String> {
    let values = list_of(name, values)?;
    let states = status
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    if !states.is_empty() && states.len() != values.len() {
        return Err(format!(
            "{name} has {} answers and {} statuses",
            values.len(),
            states.len()
        ));
    }
    let state = |i: usize| states.get(i).and_then(Value::as_str).map(str::to_owned);
    let answers = values.iter().enumerate();
    Ok(answers
        .map(|(i, value)| Response {
            value: value.clone(),
            status: state(i),
        })
        .collect())
}

fn list_of<'a>(name: &str, value: &'a Value) -> std::result::Result<&'a [Value], String> {
    match value {
        Value::Null => Ok(&[]),
        Value::Array(list) => Ok(list),
        other => Err(format!(
            "the answers to {name} are {}, not a list",
            forms::type_name(other)
        )),
    }
}

/// The question asked for, or the only one.
fn question(records: &[Record], asked: Option<&str>) -> Result<String> {
    let names = records
        .iter()
        .flat_map(|r| r.responses.iter().map(|(name, _)| name.as_str()));
    let names: BTreeSet<&str> = names.collect();
    let list = || names.iter().copied().collect::<Vec<_>>().join(", ");
    match (asked, names.len()) {
        (_, 0) => Err(data(
            "no record has responses; expected an export of Argilla's Python SDK, with responses: \
             json.dump(dataset.records(with_responses=True).to_list(flatten=True), file)",
        )),
        (Some(name), _) if names.contains(name) => Ok(name.to_owned()),
        (Some(name), _) => Err(data(format!("no question {name}; found: {}", list()))),
        (None, 1) => Ok(list()),
        (None, _) => Err(data(format!(
            "several questions, say which holds the score (--question): {}",
            list()
        ))),
    }
}

/// Puts a record among the rows, or counts it.
fn take(record: &Record, question: &str, options: &Options, imported: &mut Imported) -> Result<()> {
    let answers = record.responses.iter().filter(|(name, _)| name == question);
    let mut scores = Vec::new();
    for answer in answers.flat_map(|(_, answers)| answers) {
        match submitted(answer, options)? {
            true => scores.push(score(&answer.value, question, options.scale)?),
            false => imported.left_out += 1,
        }
    }
    if scores.is_empty() {
        imported.unjudged += 1;
        return Ok(());
    }
    let mean = rounded(scores.iter().sum::<f64>() / scores.len() as f64);
    imported
        .rows
        .push(row(record, mean, scores.len(), options)?);
    Ok(())
}

fn submitted(answer: &Response, options: &Options) -> Result<bool> {
    match answer.status.as_deref() {
        _ if answer.value.is_null() => Ok(false),
        Some("submitted") => Ok(true),
        Some("draft" | "discarded") => Ok(false),
        Some(other) => Err(data(format!(
            "status {other:?}, expected submitted, draft or discarded"
        ))),
        None if options.accept_unknown_status => Ok(true),
        None => Err(data(
            "the export does not say whether an answer was submitted or discarded (records.to_json() leaves it out): \
             export records.to_list(flatten=True), or take every answer with --accept-unknown-status",
        )),
    }
}

fn score(value: &Value, question: &str, scale: Scale) -> Result<f64> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    };
    let refused = || {
        data(format!(
            "the answer to {question} is {value}, expected a number from {scale} (--scale)"
        ))
    };
    number
        .and_then(|number| scale.score(number))
        .ok_or_else(refused)
}

fn row(record: &Record, score: f64, judges: usize, options: &Options) -> Result<Value> {
    let fields = &record.fields;
    let own = text(fields, None, rows::METRIC, "")?;
    // The definition of the command line belongs to its metric, not to one that the record names.
    let (metric, definition) = match own {
        Some(own) => (own, text(fields, None, rows::DEFINITION, "")?),
        None => (
            options.metric.clone().ok_or_else(no_metric)?,
            options.definition.clone(),
        ),
    };
    let needed = |asked: &Option<String>, names: &[&str], option: &str| {
        let found = text(fields, asked.as_deref(), names, option)?;
        found.ok_or_else(|| missing(fields, asked.as_deref(), names, option))
    };
    let mut row = Map::new();
    let mut put = |key: &str, value: Option<String>| {
        row.extend(value.map(|value| (key.to_owned(), Value::String(value))));
    };
    put("id", label(fields, &["id"]));
    put("metric_name", Some(metric));
    put("metric_description", definition);
    put(
        "system_prompt",
        text(fields, options.system.as_deref(), rows::SYSTEM, "--system")?,
    );
    put(
        "user_prompt",
        Some(needed(&options.prompt, rows::USER, "--prompt")?),
    );
    put(
        "response",
        Some(needed(&options.response, rows::RESPONSE, "--response")?),
    );
    put("language", label(fields, rows::LANGUAGE));
    put("source", Some("argilla".into()));
    row.insert("score".into(), json!(score));
    row.insert("judges".into(), json!(judges));
    Ok(Value::Object(row))
}

/// A text of the record: under the name asked for, else under one of `names`.
fn text(
    fields: &Map<String, Value>,
    asked: Option<&str>,
    names: &[&str],
    option: &str,
) -> Result<Option<String>> {
    let value = match asked {
        Some(name) => fields.get(name),
        None => field(fields, names),
    };
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok((!text.trim().is_empty()).then(|| text.clone())),
        Some(other) => {
            let name = asked.unwrap_or(names[0]);
            let kind = forms::type_name(other);
            let hint = if option.is_empty() {
                String::new()
            } else {
                format!(" (another field: {option})")
            };
            Err(data(format!("field {name} is {kind}, expected text{hint}")))
        }
    }
}

fn missing(
    fields: &Map<String, Value>,
    asked: Option<&str>,
    names: &[&str],
    option: &str,
) -> Error {
    let wanted = asked.map_or_else(|| names.join(" or "), str::to_owned);
    let texts = fields.iter().filter(|(_, value)| value.is_string());
    let found: Vec<&str> = texts.map(|(key, _)| key.as_str()).collect();
    data(format!(
        "no text in the field {wanted} ({option} names another); texts found: {}",
        found.join(", ")
    ))
}

fn no_metric() -> Error {
    data("no metric: neither the record (a field or metadata metric_name) nor --metric names one")
}

#[cfg(test)]
#[path = "argilla_tests.rs"]
mod tests;
