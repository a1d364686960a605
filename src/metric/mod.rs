//! The 145 metrics of the catalogue and metrics in the user's own words.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::text::Task;

/// What is judged about an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metric {
    /// Identifier, `parent/child` or a single word.
    pub name: String,
    /// The part before the slash.
    #[serde(default)]
    pub parent: Option<String>,
    /// A readable name.
    pub title: String,
    /// What is judged, and what a 10 (always the desired behaviour) and a 0 look like.
    pub definition: String,
}

static CATALOGUE: LazyLock<Vec<Metric>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("catalogue.json")).expect("the built-in catalogue parses")
});

/// The catalogue, in its fixed order.
pub fn catalogue() -> &'static [Metric] {
    &CATALOGUE
}

/// The catalogue's metric of that name.
pub fn find(name: &str) -> Option<&'static Metric> {
    catalogue().iter().find(|metric| metric.name == name)
}

impl Metric {
    /// The text whose embedding is the metric's anchor.
    pub fn text(&self) -> String {
        format!("{}. {}", self.title, self.definition)
    }

    /// The metric a task names: the catalogue's, or the task's own words.
    ///
    /// # Errors
    /// `Metric` when the name is not in the catalogue and no definition is given; the nearest
    /// names are suggested.
    pub fn of_task(task: &Task) -> Result<Self> {
        Self::resolve(&task.metric, task.definition.as_deref())
    }

    /// As [`Self::of_task`], from a name and an optional definition.
    ///
    /// # Errors
    /// As [`Self::of_task`].
    pub fn resolve(name: &str, definition: Option<&str>) -> Result<Self> {
        if let Some(metric) = find(name) {
            return Ok(metric.clone());
        }
        match definition.filter(|definition| !definition.trim().is_empty()) {
            Some(definition) if !name.trim().is_empty() => Ok(Self {
                name: name.into(),
                parent: None,
                title: name.into(),
                definition: definition.into(),
            }),
            _ => Err(unknown(name)),
        }
    }
}

fn unknown(name: &str) -> Error {
    let mut nearest: Vec<(f64, &str)> = catalogue()
        .iter()
        .map(|metric| (similarity(name, &metric.name), metric.name.as_str()))
        .collect();
    nearest.sort_by(|a, b| b.0.total_cmp(&a.0));
    let names: Vec<&str> = nearest.iter().take(3).map(|(_, name)| *name).collect();
    Error::new(
        ErrorKind::Metric,
        format!(
            "there is no metric `{name}` in the catalogue; the nearest are {}. \
             For a metric of your own give its definition too",
            names.join(", ")
        ),
    )
}

/// Likeness of two names, the better of the whole name and its part after the slash.
fn similarity(wanted: &str, name: &str) -> f64 {
    let wanted = wanted.to_lowercase();
    let child = name.rsplit('/').next().unwrap_or(name);
    strsim::jaro_winkler(&wanted, name).max(strsim::jaro_winkler(&wanted, child))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_whole() {
        assert_eq!(catalogue().len(), 145);
        for metric in catalogue() {
            let parent = metric.name.split_once('/').map(|(parent, _)| parent);
            assert_eq!(metric.parent.as_deref(), parent, "{}", metric.name);
            assert!(metric.definition.contains("10:"), "{}", metric.name);
            assert!(metric.definition.contains(" 0:"), "{}", metric.name);
        }
    }

    #[test]
    fn names_and_titles_are_unique() {
        for key in [
            |m: &Metric| m.name.clone(),
            |m: &Metric| m.title.to_lowercase(),
        ] {
            let mut keys: Vec<String> = catalogue().iter().map(key).collect();
            keys.sort();
            let count = keys.len();
            keys.dedup();
            assert_eq!(keys.len(), count);
        }
    }

    #[test]
    fn an_unknown_metric_is_answered_with_the_nearest_names() {
        let error = Metric::resolve("over_rejecton", None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Metric);
        assert!(
            error.to_string().contains("rejection_rate/over_rejection"),
            "{error}"
        );
    }

    #[test]
    fn an_own_metric_needs_a_definition() {
        assert!(Metric::resolve("kindness", Some("Is the answer kind?")).is_ok());
        assert!(Metric::resolve("kindness", Some(" ")).is_err());
    }
}
