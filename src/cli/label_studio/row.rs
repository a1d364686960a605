//! An annotation as a training row.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::fields::Fields;
use super::labelling::score_in;
use crate::cli::forms;
use crate::error::{Error, ErrorKind, Result};

/// What the rows' `source` says.
const SOURCE: &str = "label-studio";

/// A row as `train` and `eval` read it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Judged {
    /// Name of the metric.
    pub metric_name: String,
    /// What it measures, where the project or the task says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric_description: Option<String>,
    /// The system prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
    /// The user's prompt.
    pub user_prompt: String,
    /// The answer.
    pub response: String,
    /// What the annotator gave, 0 to 10.
    pub score: f64,
    /// The language, where the task names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Where the row comes from.
    pub source: &'static str,
    /// The annotation behind it.
    #[serde(rename = "label_studio")]
    pub origin: Origin,
}

/// Which annotation a row is, and how it came about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// Number of the project.
    pub project: u64,
    /// Number of the task.
    pub task: u64,
    /// Number of the annotation.
    pub annotation: u64,
    /// When it was made, as Label Studio writes it.
    pub created: Option<String>,
    /// When it was last changed, likewise.
    pub updated: Option<String>,
    /// Number of the annotator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<u64>,
    /// The pre-score that the annotator saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted: Option<f64>,
}

/// Tells annotations of one server apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Number of the project.
    pub project: u64,
    /// Number of the annotation.
    pub annotation: u64,
}

impl Origin {
    /// The origin that a row names; none for rows from elsewhere.
    pub fn of(row: &Map<String, Value>) -> Option<Self> {
        serde_json::from_value(row.get("label_studio")?.clone()).ok()
    }

    /// What the annotation is known by.
    pub fn key(&self) -> Key {
        Key {
            project: self.project,
            annotation: self.annotation,
        }
    }

    /// Two servers number their annotations alike, but do not make them in the same microsecond.
    ///
    /// # Errors
    /// `Data` saying what to do.
    pub fn ensure_same_server(&self, other: &Self) -> Result<()> {
        match (&self.created, &other.created) {
            (Some(mine), Some(theirs)) if mine != theirs => {
                let message = format!(
                    "annotation {} of project {} was made on {mine} in this file, now on {theirs}: \
                     it is of another Label Studio; give each its own file",
                    self.annotation, self.project
                );
                Err(Error::new(ErrorKind::Data, message))
            }
            _ => Ok(()),
        }
    }
}

/// What an annotation, as webhooks and exports give it, says of its task.
///
/// Nothing where it was skipped, holds no score, or was copied from a prediction in bulk: then
/// nobody judged.
///
/// # Errors
/// `Data` for an annotation without numbers, a score that is none from 0 to 10, and as
/// [`Fields::task`].
pub fn judged(
    fields: &Fields,
    project: u64,
    task: &Value,
    annotation: &Value,
) -> Result<Option<Judged>> {
    let named = |error: Error| {
        let id = |value: &Value| value["id"].as_u64().map_or("?".into(), |id| id.to_string());
        error.context(format!(
            "annotation {} of task {}",
            id(annotation),
            id(task)
        ))
    };
    let Some(score) = score(fields, annotation).map_err(named)? else {
        return Ok(None);
    };
    if is_copied(annotation) {
        return Ok(None);
    }
    let data = &task["data"];
    let asked = fields.task(data).map_err(named)?;
    Ok(Some(Judged {
        metric_name: asked.metric,
        metric_description: asked.definition,
        system_prompt: asked.system,
        user_prompt: asked.user,
        response: asked.response,
        score,
        language: text(&data["language"]),
        source: SOURCE,
        origin: Origin {
            project,
            task: number(task, "id").map_err(named)?,
            annotation: number(annotation, "id").map_err(named)?,
            created: text(&annotation["created_at"]),
            updated: text(&annotation["updated_at"]),
            by: annotator(&annotation["completed_by"]),
            predicted: control_number(fields, &annotation["prediction"]["result"]),
        },
    }))
}

/// The number under `name`, which every record of Label Studio has.
///
/// # Errors
/// `Data` saying what is there instead.
pub fn number(record: &Value, name: &str) -> Result<u64> {
    record[name].as_u64().ok_or_else(|| {
        let found = forms::type_name(&record[name]);
        let message = format!("`{name}` is {found}, expected a whole number");
        Error::new(ErrorKind::Data, message)
    })
}

/// The score an annotation gives; none where it was skipped or the control left empty.
fn score(fields: &Fields, annotation: &Value) -> Result<Option<f64>> {
    if annotation["was_cancelled"] == true {
        return Ok(None);
    }
    match control_number(fields, &annotation["result"]) {
        Some(score) if !(0.0..=10.0).contains(&score) => {
            let message = format!("the score is {score}, expected a number from 0 to 10");
            Err(Error::new(ErrorKind::Data, message))
        }
        found => Ok(found),
    }
}

fn control_number(fields: &Fields, result: &Value) -> Option<f64> {
    let control = fields.score();
    let mut regions = result.as_array()?.iter();
    let region = regions.find(|region| region["from_name"] == *control.name)?;
    score_in(&region["value"])
}

/// "Create annotations from predictions" leaves no time that anybody spent on them.
fn is_copied(annotation: &Value) -> bool {
    !annotation["parent_prediction"].is_null() && annotation["lead_time"].is_null()
}

/// An annotator is a number, or in some exports a record that holds it.
fn annotator(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value["id"].as_u64())
}

fn text(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::label_studio::settings::Settings;

    fn fields() -> Fields {
        let config = r#"<View><Text name="prompt" value="$q"/><Text name="response" value="$a"/>
            <Number name="score" toName="response"/></View>"#;
        Fields::new(config, Settings::default(), Settings::default()).unwrap()
    }

    fn task() -> Value {
        json!({"id": 7, "data": {"q": "Who?", "a": "<b>You.</b>", "metric": "fairness", "language": "en"}})
    }

    fn annotation(score: Value) -> Value {
        json!({
            "id": 5, "completed_by": 2, "created_at": "c", "updated_at": "u",
            "lead_time": 3.5, "parent_prediction": 1, "was_cancelled": false,
            "prediction": {"result": [{"from_name": "score", "value": {"number": 7.4}}]},
            "result": [
                {"from_name": "note", "value": {"text": ["x"]}},
                {"from_name": "score", "type": "number", "value": {"number": score}}
            ]
        })
    }

    fn read(annotation: &Value) -> Result<Option<Judged>> {
        judged(&fields(), 3, &task(), annotation)
    }

    #[test]
    fn an_annotation_becomes_a_row_with_its_origin() {
        let row = read(&annotation(json!(2.5))).unwrap().unwrap();
        let row = serde_json::to_value(row).unwrap();
        assert_eq!(row["score"], 2.5);
        assert_eq!(row["response"], "<b>You.</b>");
        assert_eq!(row["language"], "en");
        let origin = json!({"project": 3, "task": 7, "annotation": 5, "created": "c", "updated": "u", "by": 2, "predicted": 7.4});
        assert_eq!(row["label_studio"], origin);
        let origin = Origin::of(row.as_object().unwrap()).unwrap();
        assert_eq!(
            origin.key(),
            Key {
                project: 3,
                annotation: 5
            }
        );
    }

    #[test]
    fn where_nobody_judged_there_is_no_row() {
        let change = |name: &str, value: Value| {
            let mut annotation = annotation(json!(2.5));
            annotation[name] = value;
            read(&annotation).unwrap()
        };
        assert!(change("lead_time", json!(1.0)).is_some());
        assert!(change("lead_time", Value::Null).is_none(), "copied in bulk");
        assert!(change("was_cancelled", json!(true)).is_none());
        assert!(change("result", json!([])).is_none());
        assert!(change("result", Value::Null).is_none());
        assert!(read(&annotation(Value::Null)).unwrap().is_none());
    }

    #[test]
    fn a_score_off_the_scale_is_refused_by_name() {
        for score in [10.5, -1.0] {
            let error = read(&annotation(json!(score))).unwrap_err().to_string();
            assert!(error.contains("annotation 5 of task 7"), "{error}");
            assert!(error.contains("from 0 to 10"), "{error}");
        }
    }
}
