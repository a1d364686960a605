//! The task a caller gives and the template that turns its texts into encoder passages.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// The largest text accepted in one field, in bytes.
pub const MAX_TEXT_BYTES: usize = 1 << 20;

/// One thing to score: an answer, what it answers, and the metric it is judged on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// A name of the catalogue, or any own name together with `definition`.
    pub metric: String,
    /// What an own metric measures; a catalogue name keeps the catalogue's definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// The system prompt, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The user's prompt.
    pub user: String,
    /// The answer to be scored.
    pub response: String,
}

impl Task {
    /// Checks what can be checked without a model.
    ///
    /// # Errors
    /// `Input` when the answer is empty or a text is longer than [`MAX_TEXT_BYTES`].
    pub fn validate(&self) -> Result<()> {
        if self.response.trim().is_empty() {
            return Err(Error::new(
                ErrorKind::Input,
                "the answer is empty: there is nothing to score",
            ));
        }
        let fields = [
            ("metric", Some(self.metric.as_str())),
            ("definition", self.definition.as_deref()),
            ("system prompt", self.system.as_deref()),
            ("prompt", Some(self.user.as_str())),
            ("answer", Some(self.response.as_str())),
        ];
        fields
            .into_iter()
            .filter_map(|(name, text)| Some((name, text?)))
            .try_for_each(|(name, text)| check_length(name, text))
    }

    /// The text of that segment, to be edited; none where the task has no system prompt.
    pub fn text_mut(&mut self, segment: Segment) -> Option<&mut String> {
        match segment {
            Segment::System => self.system.as_mut(),
            Segment::User => Some(&mut self.user),
            Segment::Response => Some(&mut self.response),
        }
    }

    /// The texts in the order of [`Segment`], absent and blank ones as `None`.
    pub fn segments(&self) -> [Option<&str>; SEGMENTS] {
        let present = |text: &'_ str| !text.trim().is_empty();
        [
            self.system.as_deref().filter(|text| present(text)),
            Some(self.user.as_str()).filter(|text| present(text)),
            Some(self.response.as_str()).filter(|text| present(text)),
        ]
    }
}

fn check_length(name: &str, text: &str) -> Result<()> {
    if text.len() <= MAX_TEXT_BYTES {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Input,
        format!(
            "the {name} is {} bytes long; at most {MAX_TEXT_BYTES} (1 MiB) are accepted",
            text.len()
        ),
    ))
}

/// Which of a task's texts a token belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// The system prompt.
    System = 0,
    /// The user's prompt.
    User = 1,
    /// The answer.
    Response = 2,
}

/// How many segments a task has.
pub const SEGMENTS: usize = 3;

impl Segment {
    /// All segments, in the order of their numbers.
    pub const ALL: [Self; SEGMENTS] = [Self::System, Self::User, Self::Response];

    /// The name that programs use.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Response => "response",
        }
    }

    /// What people call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::System => "system prompt",
            Self::User => "prompt",
            Self::Response => "answer",
        }
    }
}

impl FromStr for Segment {
    type Err = Error;

    /// # Errors
    /// `Input` for any other than the three names.
    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|segment| segment.name() == name);
        found.ok_or_else(|| {
            let message = format!("there is no text `{name}`; expected response, user or system");
            Error::new(ErrorKind::Input, message)
        })
    }
}

/// How a task's texts become passages of the encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Every text is a passage of its own, as sentence encoders are trained.
    Separate,
    /// The texts are joined, an end-of-sequence token between them, into one passage.
    Joined,
}

/// The one description of how texts are fed to the encoder; heads are valid for one template only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// Put before every window, as the encoder was trained (`query: ` for the e5 family).
    pub prefix: String,
    /// Whether the texts are encoded apart or joined.
    pub layout: Layout,
    /// Tokens in one window, special tokens and prefix included.
    pub max_tokens: usize,
    /// Windows kept of one passage; the rest of a longer text is cut off and the user is told.
    pub max_windows: usize,
    /// Tokens that neighbouring windows share.
    pub overlap: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(response: &str) -> Task {
        Task {
            metric: "fairness".into(),
            user: "Hi".into(),
            response: response.into(),
            ..Task::default()
        }
    }

    #[test]
    fn an_empty_answer_is_refused() {
        let error = task(" \n").validate().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        assert!(error.to_string().contains("answer is empty"), "{error}");
    }

    #[test]
    fn a_text_over_one_mebibyte_is_refused_with_its_size() {
        let error = task(&"a".repeat(MAX_TEXT_BYTES + 1))
            .validate()
            .unwrap_err();
        assert!(error.to_string().contains("1048577 bytes"), "{error}");
        assert!(task(&"a".repeat(MAX_TEXT_BYTES)).validate().is_ok());
    }

    #[test]
    fn a_blank_system_prompt_counts_as_absent() {
        let mut task = task("yes");
        task.system = Some("  ".into());
        assert_eq!(task.segments(), [None, Some("Hi"), Some("yes")]);
    }
}
