//! Which data fields of a task hold the metric, the prompts and the answer.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::labelling::{Control, Labelling};
use super::settings::Settings;
use crate::cli::{forms, rows};
use crate::error::{Error, ErrorKind, Result};
use crate::text::Task;

/// What a data field is to Touchstone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Name of the metric.
    Metric,
    /// What a metric of one's own measures.
    Definition,
    /// The system prompt.
    System,
    /// The user's prompt.
    Prompt,
    /// The answer.
    Response,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 5] = [
        Self::Metric,
        Self::Definition,
        Self::System,
        Self::Prompt,
        Self::Response,
    ];

    /// The name that options and extra parameters use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Metric => "metric",
            Self::Definition => "definition",
            Self::System => "system",
            Self::Prompt => "prompt",
            Self::Response => "response",
        }
    }

    /// Names by which tags and data fields are recognised, the likeliest first: those of row
    /// files, then what people call such fields.
    fn names(self) -> impl Iterator<Item = &'static str> {
        let further: &[&str] = match self {
            Self::Metric => &["criterion"],
            Self::Definition => &["criterion_description"],
            Self::System => &["system_message"],
            Self::Prompt => &["question", "instruction", "query", "input"],
            Self::Response => &["output", "completion", "reply"],
        };
        self.row_names().iter().chain(further).copied()
    }

    /// Names that the fields of row files have.
    pub fn row_names(self) -> &'static [&'static str] {
        match self {
            Self::Metric => rows::METRIC,
            Self::Definition => rows::DEFINITION,
            Self::System => rows::SYSTEM,
            Self::Prompt => rows::USER,
            Self::Response => rows::RESPONSE,
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        let found = Self::ALL.into_iter().find(|role| role.name() == name);
        let names = Self::ALL.map(Self::name).join(", ");
        found.ok_or_else(|| format!("there is no text `{name}`; expected one of {names}"))
    }
}

/// How one project's tasks are read.
#[derive(Clone, Debug)]
pub struct Fields {
    labelling: Labelling,
    score: Control,
    /// The project's own settings, then the backend's.
    own: Settings,
    general: Settings,
}

impl Fields {
    /// For a project with that labelling configuration and extra parameters; `general` is what
    /// the command line says for all projects.
    ///
    /// # Errors
    /// As [`Labelling::parse`] and [`Labelling::score`].
    pub fn new(label_config: &str, own: Settings, general: Settings) -> Result<Self> {
        let labelling = Labelling::parse(label_config)?;
        let score = labelling.score()?.clone();
        Ok(Self {
            labelling,
            score,
            own,
            general,
        })
    }

    /// For an export, which comes without its labelling configuration; `control` held the score.
    pub fn of_export(control: &str, general: Settings) -> Self {
        Self {
            labelling: Labelling::default(),
            score: Control::number(control),
            own: Settings::default(),
            general,
        }
    }

    /// The control that holds the score.
    pub fn score(&self) -> &Control {
        &self.score
    }

    /// The labelling configuration.
    pub fn labelling(&self) -> &Labelling {
        &self.labelling
    }

    /// What decides a score beside the task itself, as text: predictions made under another one
    /// are out of date.
    pub fn fingerprint(&self) -> String {
        format!(
            "{:?}",
            (
                &self.labelling.objects,
                &self.score,
                &self.own,
                &self.general
            )
        )
    }

    /// What the scorer is asked about a task's `data`.
    ///
    /// # Errors
    /// `Data` where the metric, the prompt or the answer has no field (naming what was found) or
    /// a field is no text.
    pub fn task(&self, data: &Value) -> Result<Task> {
        let Some(data) = data.as_object() else {
            let found = forms::type_name(data);
            let message = format!("the task's data is {found}, expected an object");
            return Err(Error::new(ErrorKind::Data, message));
        };
        let (metric, definition) = self.metric(data)?;
        Ok(Task {
            metric,
            definition,
            system: self.text(data, Role::System)?,
            user: self.needed(data, Role::Prompt)?,
            response: self.needed(data, Role::Response)?,
        })
    }

    /// The project's own metric, else the task's, else the command line's, each with its definition.
    fn metric(&self, data: &Map<String, Value>) -> Result<(String, Option<String>)> {
        let scale = &self.score.scale;
        let definition = self.text(data, Role::Definition)?;
        let fixed = |metric: &Option<String>, own: &Option<String>| {
            let metric = metric.clone()?;
            Some((metric, own.clone().or_else(|| definition.clone())))
        };
        let of_project = fixed(&self.own.metric, &self.own.definition)
            .or_else(|| fixed(&scale.metric, &scale.definition));
        if let Some(found) = of_project {
            return Ok(found);
        }
        let of_task = self.text(data, Role::Metric);
        match (
            of_task,
            fixed(&self.general.metric, &self.general.definition),
        ) {
            (Ok(Some(metric)), _) => Ok((metric.trim().to_owned(), definition)),
            (Ok(None), Some(general)) => Ok(general),
            (Ok(None), None) => Err(self.missing(data, Role::Metric)),
            (Err(error), _) => Err(error),
        }
    }

    fn needed(&self, data: &Map<String, Value>, role: Role) -> Result<String> {
        self.text(data, role)?
            .ok_or_else(|| self.missing(data, role))
    }

    /// The text of a role; none where there is no such field or it is empty.
    fn text(&self, data: &Map<String, Value>, role: Role) -> Result<Option<String>> {
        let Some(field) = self.field(data, role) else {
            return Ok(None);
        };
        match lookup(data, &field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok((!text.trim().is_empty()).then(|| text.clone())),
            Some(other) => {
                let (role, found) = (role.name(), forms::type_name(other));
                let message = format!("the {role}, data field `{field}`, is {found}, not text");
                Err(Error::new(ErrorKind::Data, message))
            }
        }
    }

    /// The data field of a role: what the settings say, else what a tag of such a name shows,
    /// else a field of such a name.
    fn field(&self, data: &Map<String, Value>, role: Role) -> Option<String> {
        let set = |settings: &Settings| settings.fields.get(&role).cloned();
        let tag = |name: &str| {
            let mut objects = self.labelling.objects.iter();
            let tag = objects.find(|object| object.name.eq_ignore_ascii_case(name))?;
            Some(tag.field.clone())
        };
        let guess = |name: &str| {
            data.keys()
                .find(|key| key.eq_ignore_ascii_case(name))
                .cloned()
        };
        set(&self.own)
            .or_else(|| set(&self.general))
            .or_else(|| role.names().find_map(tag))
            .or_else(|| role.names().find_map(guess))
    }

    fn missing(&self, data: &Map<String, Value>, role: Role) -> Error {
        let fields: Vec<&str> = data.keys().map(String::as_str).collect();
        let tags: Vec<String> = self
            .labelling
            .objects
            .iter()
            .map(|object| format!("{}=${}", object.name, object.field))
            .collect();
        let name = role.name();
        let looked = match self.field(data, role) {
            Some(field) => format!("data field `{field}` is missing or empty"),
            None => "no tag and no data field has such a name".to_owned(),
        };
        let fixed = match role {
            Role::Metric => ", or fix one for the project: metric=\"...\" on the Number control",
            _ => "",
        };
        let message = format!(
            "no {name}: {looked}; data fields found: {}; tags found: {}. Name a tag `{name}`{fixed}",
            list(&fields),
            list(&tags)
        );
        Error::new(ErrorKind::Data, message)
    }
}

fn list(names: &[impl AsRef<str>]) -> String {
    const SHOWN: usize = 12;
    let shown = names.iter().take(SHOWN).map(|name| match name.as_ref() {
        long if long.chars().count() > 40 => long.chars().take(40).chain(['…']).collect(),
        short => short.to_owned(),
    });
    let shown: Vec<String> = shown.collect();
    match names.len() {
        0 => "none".to_owned(),
        many if many > SHOWN => format!("{} and {} more", shown.join(", "), many - SHOWN),
        _ => shown.join(", "),
    }
}

/// The field of that name, or the one that its dots lead to (`answer.text`).
fn lookup<'a>(data: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    data.get(field).or_else(|| {
        let (first, rest) = field.split_once('.')?;
        lookup(data.get(first)?.as_object()?, rest)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CONFIG: &str = r#"<View><Text name="prompt" value="$q"/><Text name="answer" value="$a"/>
        <Number name="score" toName="answer"/></View>"#;

    fn fields(config: &str, own: Value, general: Value) -> Fields {
        let settings = |value: Value| Settings::from_extra_params(&value).unwrap();
        Fields::new(config, settings(own), settings(general)).unwrap()
    }

    fn plain(config: &str) -> Fields {
        fields(config, Value::Null, Value::Null)
    }

    #[test]
    fn tags_name_the_fields_and_the_rest_is_guessed() {
        let data = json!({"q": "Why?", "a": "So.", "Metric_Name": "fairness", "prompt": "wrong"});
        let task = plain(CONFIG).task(&data).unwrap();
        let texts = (&*task.metric, &*task.user, &*task.response, task.system);
        assert_eq!(texts, ("fairness", "Why?", "So.", None));
    }

    #[test]
    fn settings_come_before_tags_and_the_projects_before_the_general_ones() {
        let own = json!({"fields": {"prompt": "own"}});
        let general = json!({"metric": "general", "fields": {"prompt": "g", "system": "s.text"}});
        let data = json!({"q": "q", "a": "a", "own": "mine", "s": {"text": "Be kind."}});
        let task = fields(CONFIG, own, general).task(&data).unwrap();
        assert_eq!((&*task.user, &*task.metric), ("mine", "general"));
        assert_eq!(task.system.as_deref(), Some("Be kind."));
    }

    #[test]
    fn a_projects_metric_comes_before_the_tasks_and_that_before_the_general_one() {
        let metric = |config: &str, own: Value, data: Value| {
            let fields = fields(config, own, json!({"metric": "general", "definition": "g"}));
            let task = fields.task(&data).unwrap();
            (task.metric, task.definition)
        };
        let with = json!({"q": "q", "a": "a", "metric": "task's", "definition": "t"});
        let without = json!({"q": "q", "a": "a"});
        let fixed = CONFIG.replace("<Number", "<Number metric='config' definition='c'");
        let is = |found: (String, Option<String>), name: &str, definition: &str| {
            assert_eq!(found, (name.to_owned(), Some(definition.to_owned())));
        };
        let own = json!({"metric": "own", "definition": "o"});
        is(metric(&fixed, own, with.clone()), "own", "o");
        is(metric(&fixed, Value::Null, with.clone()), "config", "c");
        is(metric(CONFIG, Value::Null, with), "task's", "t");
        is(metric(CONFIG, Value::Null, without), "general", "g");
    }

    #[test]
    fn what_is_missing_is_named_with_what_was_found() {
        let refused = |data: Value| plain(CONFIG).task(&data).unwrap_err().to_string();
        let message = refused(json!({"q": "q", "a": "a", "text": "x"}));
        assert!(
            message.contains("no metric") && message.contains("q, a, text"),
            "{message}"
        );
        assert!(message.contains("prompt=$q, answer=$a"), "{message}");
        let message = refused(json!({"q": "q", "a": " ", "metric": "m"}));
        assert!(message.contains("`a` is missing or empty"), "{message}");
        let message = refused(json!({"q": ["x"], "a": "a", "metric": "m"}));
        assert!(message.contains("`q`, is a list, not text"), "{message}");
        assert!(refused(json!([1])).contains("a list, expected an object"));
        let many: Map<String, Value> = (0..99).map(|i| (format!("f{i}"), json!(1))).collect();
        assert!(refused(Value::Object(many)).contains("and 87 more"));
    }
}
