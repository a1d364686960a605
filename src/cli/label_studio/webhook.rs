//! What Label Studio tells about annotations.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::exchange::Refusal;
use super::fields::Fields;
use super::ledger::Change;
use super::row::{Key, judged, number};
use super::{Backend, locked};
use crate::error::{Error, ErrorKind, Result};

/// Takes one event: annotations become rows, withdrawn ones go.
///
/// # Errors
/// 422 where an annotation cannot become a row, 500 where the disk refuses, 501 for training.
pub fn take(backend: &Backend, event: &Value) -> std::result::Result<Value, Refusal> {
    let changes = match event["action"].as_str() {
        Some("ANNOTATION_CREATED" | "ANNOTATIONS_CREATED" | "ANNOTATION_UPDATED") => {
            let project = project(event)?;
            let fields = backend.fields(&project.to_string(), &event["project"]["label_config"])?;
            written(&fields, project, event)
        }
        Some("ANNOTATIONS_DELETED" | "ANNOTATION_DELETED") => {
            withdrawn(event)?.into_iter().map(Ok).collect()
        }
        Some("START_TRAINING") => {
            let message = "train on the collected rows with: touchstone train ROWS";
            return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, message));
        }
        Some(_) => return Ok(json!({ "status": "passed over" })),
        None => {
            let message = "`action` is missing: this is no event of Label Studio";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, message));
        }
    };
    keep(backend, changes)
}

/// Takes what is good of an event, then tells what is not.
fn keep(backend: &Backend, changes: Vec<Result<Change>>) -> std::result::Result<Value, Refusal> {
    let (all, mut errors) = (changes.len(), Vec::new());
    let good = changes
        .into_iter()
        .filter_map(|change| change.map_err(|e| errors.push(e)).ok());
    let counts = locked(&backend.ledger).apply(good.collect())?;
    match errors.into_iter().next() {
        None => Ok(json!({ "status": "taken", "rows": counts })),
        Some(error) if all == 1 => Err(error.into()),
        Some(error) => Err(error
            .context("some annotations became no row; the first")
            .into()),
    }
}

/// The project's number; without payload there is nothing to read.
fn project(event: &Value) -> Result<u64> {
    if !event["project"].is_object() {
        let message = "the event has no payload; switch on \"Send payload\" of the webhook";
        return Err(Error::new(ErrorKind::Data, message));
    }
    number(&event["project"], "id").map_err(|error| error.context("project"))
}

/// What annotations, one or several, say now.
fn written(fields: &Fields, project: u64, event: &Value) -> Vec<Result<Change>> {
    let tasks = several(&event["task"]);
    several(&event["annotation"])
        .into_iter()
        .map(|annotation| {
            let task = tasks.iter().find(|task| task["id"] == annotation["task"]);
            let task = task.copied().unwrap_or(&Value::Null);
            change(fields, project, task, annotation)
        })
        .collect()
}

fn change(fields: &Fields, project: u64, task: &Value, annotation: &Value) -> Result<Change> {
    let row = judged(fields, project, task, annotation)?;
    Ok(match row {
        Some(row) => Change::Put(Box::new(row)),
        None => Change::Remove(Key {
            project,
            annotation: number(annotation, "id")?,
        }),
    })
}

/// Deleted annotations come as their numbers only.
fn withdrawn(event: &Value) -> Result<Vec<Change>> {
    let project = project(event)?;
    let annotations = several(&event["annotations"]).into_iter();
    annotations
        .chain(several(&event["annotation"]))
        .map(|annotation| {
            let annotation = number(annotation, "id")?;
            Ok(Change::Remove(Key {
                project,
                annotation,
            }))
        })
        .collect()
}

/// One record, or a list of them.
fn several(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(list) => list.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}
