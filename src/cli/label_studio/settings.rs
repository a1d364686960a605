//! What a project, or the whole backend, was told: a fixed metric and names of data fields.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fields::Role;
use crate::error::{Error, ErrorKind, Result};

/// What can be told beside the labelling configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The one metric that is scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// What it measures, where it is not in the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// Data field of each role.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<Role, String>,
}

impl Settings {
    /// A model connection's extra parameters: an object, the same as text (which is what Label
    /// Studio's own form sends), or nothing.
    ///
    /// # Errors
    /// `Input` naming the parameter that is not known or not of its type.
    pub fn from_extra_params(params: &Value) -> Result<Self> {
        let params = match params {
            Value::Null => return Ok(Self::default()),
            Value::String(text) if text.trim().is_empty() => return Ok(Self::default()),
            Value::String(text) => serde_json::from_str(text),
            object => serde_json::from_value(object.clone()),
        };
        params.map_err(|error| {
            let message = format!(
                "extra parameters: {error}; expected an object such as \
                 {{\"metric\": \"fairness\", \"definition\": \"...\", \"fields\": {{\"prompt\": \"question\"}}}}"
            );
            Error::new(ErrorKind::Input, message)
        })
    }
}

/// The settings of every project seen, kept beside the rows: after a restart an annotation may
/// come in before Label Studio introduces its project again.
pub struct Projects {
    file: PathBuf,
    known: BTreeMap<String, Settings>,
}

impl Projects {
    /// Reads what an earlier run kept beside `rows`.
    ///
    /// # Errors
    /// `Io`, and `Format` for a file that was not written here.
    pub fn open(rows: &Path) -> Result<Self> {
        let mut file = rows.as_os_str().to_owned();
        file.push(".projects.json");
        let file = PathBuf::from(file);
        let known = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                let path = file.display();
                let message = format!("{path}: {error}; delete it, Label Studio tells it again");
                Error::new(ErrorKind::Format, message)
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(crate::cli::io("read", &file, &error)),
        };
        Ok(Self { file, known })
    }

    /// What project `id` was told; nothing where it is not known.
    pub fn get(&self, id: &str) -> Settings {
        self.known.get(id).cloned().unwrap_or_default()
    }

    /// Keeps what project `id` was told.
    ///
    /// # Errors
    /// `Io`.
    pub fn set(&mut self, id: &str, settings: Settings) -> Result<()> {
        if self.get(id) == settings {
            return Ok(());
        }
        self.known.insert(id.to_owned(), settings);
        let json = serde_json::to_vec_pretty(&self.known)
            .map_err(|error| Error::new(ErrorKind::Format, error.to_string()))?;
        crate::cli::write(&self.file, &json)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn extra_parameters_are_an_object_or_its_text() {
        let object = json!({"metric": "fairness", "fields": {"prompt": "question"}});
        let settings = Settings::from_extra_params(&object).unwrap();
        assert_eq!(settings.metric.as_deref(), Some("fairness"));
        assert_eq!(settings.fields[&Role::Prompt], "question");
        let text = Value::String(object.to_string());
        assert_eq!(Settings::from_extra_params(&text).unwrap(), settings);
        for nothing in [Value::Null, json!(""), json!({})] {
            let found = Settings::from_extra_params(&nothing).unwrap();
            assert_eq!(found, Settings::default());
        }
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        for (params, name) in [
            (json!({"metrik": "fairness"}), "metrik"),
            (json!({"metric": 3}), "integer"),
            (json!({"fields": {"question": "prompt"}}), "question"),
            (json!([1]), "metric"),
            (json!("fairness"), "expected"),
        ] {
            let error = Settings::from_extra_params(&params).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn projects_are_known_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let rows = folder.path().join("rows.jsonl");
        let settings = Settings::from_extra_params(&json!({"metric": "fairness"})).unwrap();
        Projects::open(&rows)
            .unwrap()
            .set("3", settings.clone())
            .unwrap();
        let again = Projects::open(&rows).unwrap();
        assert_eq!(again.get("3"), settings);
        assert_eq!(again.get("4"), Settings::default());
        std::fs::write(folder.path().join("rows.jsonl.projects.json"), "{").unwrap();
        assert_eq!(
            Projects::open(&rows).err().unwrap().kind(),
            ErrorKind::Format
        );
    }
}
