//! What the hub knows about a model at a revision.

use serde::Deserialize;
use serde_json::Value;

use super::client::Client;
use super::is_commit;
use super::name::Model;
use super::plan::{Listed, Listing};
use super::refusal::{Asked, network};
use super::retry::{Trouble, retry};
use super::url::escaped;
use crate::error::{Error, ErrorKind, Result};

/// The largest list of files that is read, in bytes.
const MAX_INFO: u64 = 32 << 20;

/// A model at a revision.
#[derive(Debug)]
pub struct Info {
    /// The commit that the revision means.
    pub commit: String,
    /// Its files.
    pub files: Listing,
    /// The licence the model card names.
    pub licence: Option<String>,
    /// `auto` or `manual`, where the model is gated.
    pub gated: Option<String>,
}

impl Info {
    /// The same with the hashes that touchstone itself knows.
    ///
    /// # Errors
    /// `Hash` where the hub names another one.
    pub fn pinned(mut self, model: &Model) -> Result<Self> {
        for file in self.files.values_mut() {
            let Some(pin) = model.pin(&file.path) else {
                continue;
            };
            let found = file.sha256.replace(pin.to_owned());
            if let Some(found) = found.filter(|found| found != pin) {
                let path = &file.path;
                let message = format!(
                    "{path} of {model}: expected the pinned SHA-256 {pin}, the hub offers {found}"
                );
                return Err(Error::new(ErrorKind::Hash, message));
            }
        }
        Ok(self)
    }
}

#[derive(Deserialize)]
struct Answer {
    sha: String,
    #[serde(default)]
    gated: Value,
    #[serde(default)]
    siblings: Vec<Sibling>,
    #[serde(default, rename = "cardData")]
    card: Value,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    sha256: Option<String>,
}

/// Asks the hub what `model` is: its commit, its files with sizes and hashes, its licence.
///
/// # Errors
/// `Network` in words that say what to do, `Format` for an answer that is none.
pub fn info(client: &Client, model: &Model) -> Result<Info> {
    let (hub, name) = (&client.endpoint.url, &model.name);
    // A revision such as refs/pr/1 is one segment of the path.
    let revision = escaped(&model.revision, true);
    let url = format!("{hub}/api/models/{name}/revision/{revision}?blobs=true");
    let asked = Asked { model, file: None };
    let text = retry(|| {
        let answer = client.get(&url, 0, &asked)?;
        let body = answer.body.into_with_config().limit(MAX_INFO);
        body.read_to_string().map_err(|error| {
            let message = format!("what the hub says about {model} was cut: {error}");
            Trouble::Passing(network(message), None)
        })
    })?;
    parse(model, &text)
}

fn parse(model: &Model, text: &str) -> Result<Info> {
    let wrong = |what: String| {
        let message = format!("what the hub says about {model} is not as expected: {what}");
        Error::new(ErrorKind::Format, message)
    };
    let answer: Answer = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    if !is_commit(&answer.sha) {
        return Err(wrong(format!("`{}` is no commit", answer.sha)));
    }
    if model.commit().is_some_and(|commit| commit != answer.sha) {
        return Err(wrong(format!("the commit is {}", answer.sha)));
    }
    if answer.siblings.is_empty() {
        return Err(wrong("it lists no files".into()));
    }
    Ok(Info {
        licence: licence(&answer),
        gated: answer.gated.as_str().map(str::to_owned),
        files: answer.siblings.into_iter().map(listed).collect(),
        commit: answer.sha,
    })
}

fn listed(sibling: Sibling) -> (String, Listed) {
    let sha256 = sibling.lfs.and_then(|lfs| lfs.sha256);
    let listed = Listed {
        path: sibling.rfilename.clone(),
        bytes: sibling.size,
        sha256: sha256.map(|hash| hash.to_ascii_lowercase()),
    };
    (sibling.rfilename, listed)
}

/// `license` of the model card, with the name of one that has no identifier; else of the tags.
fn licence(answer: &Answer) -> Option<String> {
    let field = |name: &str| match &answer.card[name] {
        Value::String(text) => Some(text.clone()),
        Value::Array(list) => {
            let texts: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            (!texts.is_empty()).then(|| texts.join(" AND "))
        }
        _ => None,
    };
    let named = field("license").filter(|licence| licence != "other");
    let tagged = || {
        let mut tags = answer.tags.iter();
        tags.find_map(|tag| Some(tag.strip_prefix("license:")?.to_owned()))
    };
    named.or_else(|| field("license_name")).or_else(tagged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(rest: &str) -> Result<Info> {
        let commit = "a".repeat(40);
        let files = r#""siblings": [{"rfilename": "config.json"}]"#;
        let text = format!(r#"{{"sha": "{commit}", {files}{rest}}}"#);
        parse(&Model::parse("org/name").unwrap(), &text)
    }

    fn licence_of(rest: &str) -> Option<String> {
        answer(rest).unwrap().licence
    }

    #[test]
    fn the_licence_comes_from_the_card_or_its_tags() {
        assert_eq!(
            licence_of(r#", "cardData": {"license": "mit"}"#).unwrap(),
            "mit"
        );
        let other = r#", "cardData": {"license": "other", "license_name": "lfm"}"#;
        assert_eq!(licence_of(other).unwrap(), "lfm");
        assert_eq!(
            licence_of(r#", "tags": ["bert", "license:gemma"]"#).unwrap(),
            "gemma"
        );
        assert_eq!(licence_of(""), None);
    }

    #[test]
    fn a_commit_that_is_none_is_refused() {
        let model = Model::parse("org/name").unwrap();
        for text in [r#"{"sha": "../../x", "siblings": []}"#, "{}", "<html>"] {
            let error = parse(&model, text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Format, "{text}");
        }
        let asked = Model::parse(&format!("org/name@{}", "b".repeat(40))).unwrap();
        let other = format!(
            r#"{{"sha": "{}", "siblings": [{{"rfilename": "x"}}]}}"#,
            "a".repeat(40)
        );
        assert!(parse(&asked, &other).is_err());
    }

    #[test]
    fn a_gated_model_says_so() {
        assert_eq!(
            answer(r#", "gated": "manual""#).unwrap().gated.unwrap(),
            "manual"
        );
        assert_eq!(answer(r#", "gated": false"#).unwrap().gated, None);
    }
}
