//! Label Studio's JSON export as training rows.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::fields::{Fields, Role};
use super::labelling::{SCORE, score_in};
use super::ledger::{Change, Counts, Ledger};
use super::row::{judged, number};
use super::settings::Settings;
use crate::cli::forms::{self, Element, Form};
use crate::error::{Error, ErrorKind, Result};

/// What an export leaves open, since it comes without its labelling configuration.
#[derive(Clone, Debug, Default)]
pub struct Open {
    /// The control that holds the score.
    pub control: Option<String>,
    /// The metric of tasks that name none.
    pub metric: Option<String>,
    /// What that metric measures.
    pub definition: Option<String>,
    /// The data field with the system prompt.
    pub system: Option<String>,
    /// The data field with the prompt.
    pub prompt: Option<String>,
    /// The data field with the answer.
    pub response: Option<String>,
}

/// What came of an import.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// What it did to the file of rows.
    pub counts: Counts,
    /// Annotations that nobody judged.
    pub unjudged: usize,
}

/// Adds the judged annotations of the export at `path` to the rows in `output`, each in place of
/// its older row.
///
/// # Errors
/// `Io`, and as [`import`] and [`Ledger::open`].
pub fn import_file(path: &Path, open: Open, output: &Path) -> Result<Done> {
    let named = |error: Error| error.context(path.display());
    let (form, found) = forms::read(crate::cli::read(path)?, path).map_err(named)?;
    let control = open.control.clone();
    let imported = import(&found.elements, form, control.as_deref(), &open.settings());
    let imported = imported.map_err(named)?;
    let counts = Ledger::open(output)?.apply(imported.changes)?;
    Ok(Done {
        counts,
        unjudged: imported.unjudged,
    })
}

impl Open {
    fn settings(self) -> Settings {
        let fields = [
            (Role::System, self.system),
            (Role::Prompt, self.prompt),
            (Role::Response, self.response),
        ];
        let fields = fields.into_iter();
        Settings {
            metric: self.metric,
            definition: self.definition,
            fields: fields
                .filter_map(|(role, name)| Some((role, name?)))
                .collect(),
        }
    }
}

/// The annotations of an export.
#[derive(Debug, Default)]
struct Imported {
    /// A row for each judged annotation.
    changes: Vec<Change>,
    /// Those that were skipped, hold no score, or are copies of predictions.
    unjudged: usize,
}

/// The judged annotations of an export's tasks. The score is what the control `control` holds; by
/// default the one named `score`, or the only number.
///
/// # Errors
/// `Data` for an element that is no exported task, several controls to choose from, and as
/// [`judged`]; the message names the place.
fn import(
    elements: &[Element],
    form: Form,
    control: Option<&str>,
    settings: &Settings,
) -> Result<Imported> {
    let tasks: Vec<(String, &Value)> = elements
        .iter()
        .map(|element| Ok((element.place(form), task(element, form)?)))
        .collect::<Result<_>>()?;
    let control = match control {
        Some(named) => named.to_owned(),
        None => only_control(tasks.iter().map(|(_, task)| *task))?,
    };
    let fields = Fields::of_export(&control, settings.clone());
    let mut imported = Imported::default();
    for (place, task) in tasks {
        take(&fields, task, &mut imported).map_err(|error| error.context(place))?;
    }
    Ok(imported)
}

fn task(element: &Element, form: Form) -> Result<&Value> {
    let wrong = |why: &str| {
        let place = element.place(form);
        Error::new(ErrorKind::Data, format!("{place}: {why}"))
    };
    let value = element.value.as_ref().map_err(|why| wrong(why))?;
    match value["data"].is_object() && value["annotations"].is_array() {
        true => Ok(value),
        false => Err(wrong(
            "no task as Label Studio exports it: expected `data` and `annotations`; choose JSON as \
             the form of the export (JSON-MIN and CSV are rows as they are, and need no import)",
        )),
    }
}

fn take(fields: &Fields, task: &Value, imported: &mut Imported) -> Result<()> {
    let project = number(task, "project")?;
    for annotation in annotations(task) {
        match judged(fields, project, task, annotation)? {
            Some(row) => imported.changes.push(Change::Put(Box::new(row))),
            None => imported.unjudged += 1,
        }
    }
    Ok(())
}

fn annotations(task: &Value) -> impl Iterator<Item = &Value> {
    task["annotations"].as_array().into_iter().flatten()
}

/// The control whose numbers are the scores.
fn only_control<'a>(tasks: impl Iterator<Item = &'a Value>) -> Result<String> {
    let regions = tasks
        .flat_map(annotations)
        .filter_map(|annotation| annotation["result"].as_array())
        .flatten();
    let numbers = regions.filter(|region| score_in(&region["value"]).is_some());
    let names: BTreeSet<&str> = numbers.filter_map(|it| it["from_name"].as_str()).collect();
    if names.len() < 2 || names.contains(SCORE) {
        return Ok(names
            .first()
            .filter(|_| names.len() == 1)
            .unwrap_or(&SCORE)
            .to_string());
    }
    let names: Vec<&str> = names.into_iter().collect();
    let message = format!(
        "there are several controls for numbers ({}); name the one that holds the score with --question",
        names.join(", ")
    );
    Err(Error::new(ErrorKind::Data, message))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(export: &Value, control: Option<&str>) -> Result<Imported> {
        let bytes = export.to_string().into_bytes();
        let (form, found) = forms::read(bytes, Path::new("export.json")).unwrap();
        import(&found.elements, form, control, &Settings::default())
    }

    fn annotation(id: u64, control: &str, score: f64) -> Value {
        json!({
            "id": id, "completed_by": {"id": 4, "email": "a@example.org"}, "lead_time": 2.0,
            "created_at": "c", "updated_at": "u", "parent_prediction": null, "was_cancelled": false,
            "result": [{"from_name": control, "to_name": "response", "type": "number", "value": {"number": score}}],
        })
    }

    fn export(annotations: &[Value]) -> Value {
        let data = json!({"metric": "fairness", "prompt": "Who?", "response": "You."});
        json!([{"id": 7, "project": 3, "data": data, "annotations": annotations, "predictions": [1]}])
    }

    fn scores(imported: &Imported) -> Vec<f64> {
        let score = |change: &Change| match change {
            Change::Put(row) => row.score,
            Change::Remove(_) => f64::NAN,
        };
        imported.changes.iter().map(score).collect()
    }

    #[test]
    fn each_judged_annotation_is_a_row() {
        let mut skipped = annotation(3, "score", 1.0);
        skipped["was_cancelled"] = json!(true);
        let both = [
            annotation(1, "score", 2.5),
            annotation(2, "score", 8.0),
            skipped,
        ];
        let found = read(&export(&both), None).unwrap();
        assert_eq!((scores(&found), found.unjudged), (vec![2.5, 8.0], 1));
        let Change::Put(row) = &found.changes[0] else {
            panic!("a row")
        };
        assert_eq!(
            (row.origin.project, row.origin.task, row.origin.by),
            (3, 7, Some(4))
        );
    }

    #[test]
    fn the_scores_control_is_the_named_or_the_only_one() {
        let stars = [annotation(1, "stars", 3.0)];
        assert_eq!(scores(&read(&export(&stars), None).unwrap()), [3.0]);
        let two = [annotation(1, "stars", 3.0), annotation(2, "score", 4.0)];
        assert_eq!(scores(&read(&export(&two), None).unwrap()), [4.0]);
        assert_eq!(scores(&read(&export(&two), Some("stars")).unwrap()), [3.0]);
        let two = [annotation(1, "stars", 3.0), annotation(2, "points", 4.0)];
        let error = read(&export(&two), None).unwrap_err();
        assert!(error.to_string().contains("(points, stars)"), "{error}");
    }

    #[test]
    fn what_is_no_export_is_told_with_its_place() {
        let error = read(&json!([{"prompt": "Who?", "score": 3}]), None).unwrap_err();
        assert!(error.to_string().contains("row 1: no task"), "{error}");
        let mut wrong = export(&[annotation(1, "score", 11.0)]);
        let error = read(&wrong, None).unwrap_err().to_string();
        assert!(error.contains("row 1: annotation 1 of task 7"), "{error}");
        wrong[0]["annotations"] = json!([annotation(1, "score", 1.0)]);
        wrong[0]["data"] = json!({"prompt": "Who?", "response": "You."});
        assert!(
            read(&wrong, None)
                .unwrap_err()
                .to_string()
                .contains("no metric")
        );
    }
}
