//! Which encoder is meant: a short name or `org/name`, and a revision.

use super::{DEFAULT_MODEL, is_commit};
use crate::error::{Error, ErrorKind, Result};

/// Short names of the recipe's encoders.
const SHORT: [(&str, &str); 4] = [
    ("multilingual-e5-small", DEFAULT_MODEL),
    (
        "paraphrase-multilingual-MiniLM-L12-v2",
        "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
    ),
    (
        "distilbert-base-multilingual-cased",
        "distilbert/distilbert-base-multilingual-cased",
    ),
    ("embeddinggemma-300m", "google/embeddinggemma-300m"),
];

/// Revision of [`DEFAULT_MODEL`] whose files have the hashes in [`PINS`].
const PINNED: &str = "fd1525a9fd15316a2d503bf26ab031a61d056e98";

/// SHA-256 of the default encoder's large files at [`PINNED`].
const PINS: [(&str, &str); 2] = [
    (
        "model.safetensors",
        "1a55775f53449dac10a2bcbc312469fac40b96d53198c407081a831f81c98477",
    ),
    ("tokenizer.json", super::packages::TOKENIZER_SHA256),
];

/// Revision that is meant when none is named.
const MAIN: &str = "main";
/// Longest part of a name the hub allows, and a revision taken here, in bytes.
const LONGEST: usize = 96;
/// Nearest short names shown for one that is unknown.
const SHOWN: usize = 2;

/// A model of the hub at a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// `org/name`.
    pub name: String,
    /// A branch, tag or commit.
    pub revision: String,
}

impl Model {
    /// Reads `NAME[@revision]`; NAME is a short name (in any case) or `org/name`.
    ///
    /// # Errors
    /// `Input` for a short name that is unknown, naming the nearest, and for what is no name.
    pub fn parse(text: &str) -> Result<Self> {
        let (name, revision) = match text.split_once('@') {
            Some((name, revision)) => (name, Some(revision)),
            None => (text, None),
        };
        let name = full_name(name)?;
        let revision = match revision {
            Some(revision) => checked_revision(revision)?,
            None if name == DEFAULT_MODEL => PINNED,
            None => MAIN,
        };
        Ok(Self {
            name,
            revision: revision.to_owned(),
        })
    }

    /// The default encoder at its pinned commit.
    pub fn pinned_default() -> Self {
        Self {
            name: DEFAULT_MODEL.to_owned(),
            revision: PINNED.to_owned(),
        }
    }

    /// The commit, where the revision is one.
    pub fn commit(&self) -> Option<&str> {
        Some(self.revision.as_str()).filter(|revision| is_commit(revision))
    }

    /// SHA-256 that touchstone itself knows for `file`.
    pub fn pin(&self, file: &str) -> Option<&'static str> {
        let pinned = self.name == DEFAULT_MODEL && self.revision == PINNED;
        let mut pins = PINS.iter().filter(|_| pinned);
        pins.find(|(name, _)| *name == file).map(|(_, hash)| *hash)
    }
}

impl std::fmt::Display for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.revision.as_str() {
            MAIN => f.write_str(&self.name),
            _ if *self == Self::pinned_default() => f.write_str(&self.name),
            revision => write!(f, "{}@{revision}", self.name),
        }
    }
}

fn full_name(name: &str) -> Result<String> {
    let known = |(short, full): &&(&str, &str)| {
        short.eq_ignore_ascii_case(name) || full.eq_ignore_ascii_case(name)
    };
    if let Some((_, full)) = SHORT.iter().find(known) {
        return Ok((*full).to_owned());
    }
    match name.split_once('/') {
        Some((org, model)) if is_part(org) && is_part(model) => Ok(name.to_owned()),
        None if is_part(name) => Err(unknown(name)),
        _ => Err(Error::new(
            ErrorKind::Input,
            format!(
                "`{name}` is no model name: expected org/name, of letters, digits, `-`, `_` \
                 and `.`, as in {DEFAULT_MODEL}"
            ),
        )),
    }
}

/// The hub's rule for one part of a name. It allows no `--`, so that folders named
/// `org--name` are told apart.
fn is_part(part: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let ends = part.starts_with(['.', '-']) || part.ends_with(['.', '-']);
    (1..=LONGEST).contains(&part.len())
        && part.bytes().all(plain)
        && !(ends || part.contains("--") || part.contains(".."))
}

fn checked_revision(revision: &str) -> Result<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+/".contains(&byte);
    let parts = |part: &str| !(part.is_empty() || part.starts_with('.'));
    let right = revision.len() <= LONGEST
        && revision.bytes().all(plain)
        && revision.split('/').all(parts)
        && !revision.contains("..");
    right.then_some(revision).ok_or_else(|| {
        let message = format!(
            "`{revision}` is no revision: expected a branch, tag or commit of up to {LONGEST} \
             letters, digits, `-`, `_`, `.`, `+` and `/`"
        );
        Error::new(ErrorKind::Input, message)
    })
}

fn unknown(name: &str) -> Error {
    let likeness = |short: &str| strsim::jaro_winkler(&short.to_lowercase(), &name.to_lowercase());
    let mut names = SHORT.map(|(short, _)| (likeness(short), short));
    names.sort_by(|a, b| b.0.total_cmp(&a.0));
    let nearest = names[..SHOWN].iter().map(|(_, short)| *short);
    let message = format!(
        "no encoder has the short name `{name}`; nearest: {}. Any other model of the hub is named \
         org/name",
        nearest.collect::<Vec<_>>().join(", ")
    );
    Error::new(ErrorKind::Input, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_taken_in_any_case() {
        let model = Model::parse("EmbeddingGemma-300M").unwrap();
        assert_eq!(model.name, "google/embeddinggemma-300m");
        assert_eq!(model.revision, "main");
        let model = Model::parse("Distilbert-base-multilingual-cased@v1").unwrap();
        assert_eq!(
            model.to_string(),
            "distilbert/distilbert-base-multilingual-cased@v1"
        );
    }

    #[test]
    fn the_default_encoder_is_pinned_until_a_revision_is_named() {
        let model = Model::parse("multilingual-e5-small").unwrap();
        assert_eq!(model, Model::pinned_default());
        assert!(model.commit().is_some() && model.pin("tokenizer.json").is_some());
        let main = Model::parse("intfloat/multilingual-e5-small@main").unwrap();
        assert!(main.commit().is_none() && main.pin("tokenizer.json").is_none());
        assert!(
            Model::parse("a/b")
                .unwrap()
                .pin("model.safetensors")
                .is_none()
        );
    }

    #[test]
    fn an_unknown_short_name_is_answered_with_the_nearest() {
        let error = Model::parse("embedinggema").unwrap_err().to_string();
        assert!(error.contains("nearest: embeddinggemma-300m"), "{error}");
    }

    #[test]
    fn what_would_leave_the_cache_folder_is_no_name() {
        for text in [
            "../x",
            "a/..",
            "a/b/c",
            "a--b/c",
            "/a",
            "a/",
            "",
            "a/b c",
            "https://h/a/b",
        ] {
            assert!(Model::parse(text).is_err(), "{text}");
        }
        for text in [
            "a/b@", "a/b@../x", "a/b@x//y", "a/b@/x", "a/b@x y", "a/b@.git", "a/b@x@y",
        ] {
            assert!(Model::parse(text).is_err(), "{text}");
        }
        assert_eq!(Model::parse("a/b@refs/pr/1").unwrap().revision, "refs/pr/1");
    }
}
