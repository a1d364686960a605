//! Scored rows as tasks with predictions, to be imported into Label Studio.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::fields::{Fields, Role};
use super::predict::prediction;
use super::settings::Settings;
use crate::cli::interchange::Scored;
use crate::error::{Error, ErrorKind, Result};
use crate::scorer::Score;
use crate::text::Task;

/// The labelling configuration that the predictions are for.
const CONFIG: &str = include_str!("../../../examples/label-studio/labeling-config.xml");

static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    let none = Settings::default;
    Fields::new(CONFIG, none(), none()).expect("the example is a fitting configuration")
});

/// Scored rows as the JSON list of tasks that Label Studio imports.
///
/// # Errors
/// `Format` if JSON cannot be written.
pub fn tasks(scored: &[Scored<'_>]) -> Result<String> {
    let tasks = scored.iter().enumerate();
    let tasks = tasks.map(|(at, it)| task(at + 1, &it.row.task(), &it.row.fields, it.score));
    serde_json::to_string_pretty(&Value::Array(tasks.collect()))
        .map_err(|error| Error::new(ErrorKind::Format, error.to_string()))
}

/// A task with its prediction. The data fields are those that the example configuration shows, and
/// what else the row holds.
fn task(number: usize, asked: &Task, row: &Map<String, Value>, score: &Score) -> Value {
    let shown = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut data = Map::new();
    data.insert("metric".into(), json!(asked.metric));
    data.insert("system_prompt".into(), json!(shown(&asked.system)));
    data.insert("prompt".into(), json!(asked.user));
    data.insert("response".into(), json!(asked.response));
    if let Some(definition) = &asked.definition {
        data.insert("definition".into(), json!(definition));
    }
    for (name, value) in row.iter().filter(|(name, _)| !is_text(name)) {
        data.entry(name.clone()).or_insert_with(|| value.clone());
    }
    let version = format!(
        "touchstone-{}-{}",
        score.receipt.version,
        score.receipt.bundle.get(..8).unwrap_or_default()
    );
    let prediction = prediction(&FIELDS, &json!({ "id": number }), score, &version);
    json!({ "data": data, "predictions": [prediction] })
}

/// Whether a row's field holds one of the task's texts under a name of ours.
fn is_text(name: &str) -> bool {
    let rows = Role::ALL.into_iter().flat_map(Role::row_names);
    rows.into_iter()
        .any(|known| known.eq_ignore_ascii_case(name.trim()))
}
