//! Which files of a repository make a checkpoint.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::name::Model;
use crate::error::{Error, ErrorKind, Result};

const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const MODULES: &str = "modules.json";
/// What every checkpoint has beside its weights.
const NEEDED: [&str; 2] = ["config.json", "tokenizer.json"];
/// What is brought where it exists.
const WELCOME: [&str; 4] = [
    "tokenizer_config.json",
    MODULES,
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
];
/// Weights in a module's folder, in the forms they come in.
const PICKLED: &str = "pytorch_model.bin";

/// A file of a repository, as far as it is known before it is here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Path in the repository, with `/`.
    pub path: String,
    /// Size in bytes.
    pub bytes: Option<u64>,
    /// SHA-256; the hub knows it for large files.
    pub sha256: Option<String>,
}

/// The files of a repository, by path.
pub type Listing = BTreeMap<String, Listed>;

/// One entry of `modules.json`.
#[derive(Deserialize)]
struct Module {
    #[serde(default)]
    path: String,
}

/// The files of `listing` to bring. `read` brings a file that names others and gives its bytes.
///
/// # Errors
/// `Unsupported` where the repository has no safetensors or lacks another file that is needed,
/// `Format` where a file names others that are outside or missing, and whatever `read` fails with.
pub fn plan(
    model: &Model,
    listing: &Listing,
    page: &str,
    mut read: impl FnMut(&Listed) -> Result<Vec<u8>>,
) -> Result<Vec<Listed>> {
    check_weights(model, listing, page)?;
    check_needed(model, listing)?;
    let mut names: BTreeSet<String> = NEEDED.map(String::from).into();
    names.extend(WELCOME.map(String::from));
    if let Some(index) = listing
        .get(INDEX)
        .filter(|_| !listing.contains_key(WEIGHTS))
    {
        names.extend(shards(&read(index)?, listing)?);
        names.insert(INDEX.to_owned());
    }
    names.insert(WEIGHTS.to_owned());
    if let Some(modules) = listing.get(MODULES) {
        for folder in module_folders(&read(modules)?)? {
            names.extend(module_files(model, &folder, listing, page)?);
        }
    }
    let listed = names.iter().filter_map(|name| listing.get(name));
    Ok(listed.cloned().collect())
}

/// Whether `path` names something inside the folder it is joined to, on every system.
pub fn is_safe(path: &str) -> bool {
    let plain = |c: char| !(c.is_control() || "\\:*?\"<>|".contains(c));
    let part =
        |part: &str| !(part.is_empty() || part.starts_with('.') || part.ends_with(['.', ' ']));
    path.chars().all(plain) && path.split('/').all(part)
}

fn check_weights(model: &Model, listing: &Listing, page: &str) -> Result<()> {
    if listing.contains_key(WEIGHTS) || listing.contains_key(INDEX) {
        return Ok(());
    }
    let mut pickled = listing.keys().filter(|path| path.ends_with(".bin"));
    match pickled.find(|path| !path.contains('/')) {
        Some(path) => Err(only_pickled(model, path, page)),
        None => Err(unsupported(format!(
            "{model} has neither {WEIGHTS} nor {INDEX}: weights as safetensors are needed"
        ))),
    }
}

fn only_pickled(model: &Model, path: &str, page: &str) -> Error {
    unsupported(format!(
        "{model} has its weights only as {path}; safetensors are needed, since such a file may run \
         code when it is opened. The hub's conversion bot often proposes them: look for its pull \
         request at {page}/discussions and name it, `touchstone fetch {}@refs/pr/NUMBER`, or \
         another revision that has {WEIGHTS}",
        model.name
    ))
}

fn check_needed(model: &Model, listing: &Listing) -> Result<()> {
    let missing = NEEDED
        .into_iter()
        .filter(|name| !listing.contains_key(*name));
    let missing: Vec<&str> = missing.collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(" and ");
    Err(unsupported(format!(
        "{model} lacks {missing}, which an encoder needs here; another revision may have it"
    )))
}

fn shards(index: &[u8], listing: &Listing) -> Result<BTreeSet<String>> {
    let index: Value = serde_json::from_slice(index).map_err(|error| malformed(INDEX, error))?;
    let map = index["weight_map"]
        .as_object()
        .filter(|map| !map.is_empty());
    let map = map.ok_or_else(|| malformed(INDEX, "expected an object `weight_map` of files"))?;
    let mut shards = BTreeSet::new();
    for shard in map.values() {
        let name = shard.as_str().unwrap_or_default();
        if !is_safe(name) || !name.ends_with(".safetensors") {
            let message =
                format!("names the shard {shard}, expected a .safetensors file beside it");
            return Err(malformed(INDEX, message));
        }
        if !listing.contains_key(name) {
            let message = format!("names the shard {name}, which the repository does not hold");
            return Err(malformed(INDEX, message));
        }
        shards.insert(name.to_owned());
    }
    Ok(shards)
}

/// Folders of the modules that have one.
fn module_folders(json: &[u8]) -> Result<Vec<String>> {
    let modules: Vec<Module> =
        serde_json::from_slice(json).map_err(|error| malformed(MODULES, error))?;
    let folders = modules.into_iter().map(|module| module.path);
    let folders: Vec<String> = folders.filter(|path| !path.is_empty()).collect();
    match folders.iter().find(|path| !is_safe(path)) {
        Some(path) => Err(malformed(
            MODULES,
            format!("names the folder `{path}`, expected one inside the repository"),
        )),
        None => Ok(folders),
    }
}

fn module_files(model: &Model, folder: &str, listing: &Listing, page: &str) -> Result<[String; 2]> {
    let inside = |name: &str| format!("{folder}/{name}");
    let pickled = inside(PICKLED);
    if listing.contains_key(&pickled) && !listing.contains_key(&inside(WEIGHTS)) {
        return Err(only_pickled(model, &pickled, page));
    }
    Ok(["config.json", WEIGHTS].map(inside))
}

fn malformed(file: &str, what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Format, format!("{file}: {what}"))
}

fn unsupported(message: String) -> Error {
    Error::new(ErrorKind::Unsupported, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(files: &[&str], content: &str) -> Result<Vec<String>> {
        let model = Model::parse("org/name").unwrap();
        let listing = files.iter().map(|path| {
            let path = (*path).to_owned();
            let listed = Listed {
                path: path.clone(),
                ..Listed::default()
            };
            (path, listed)
        });
        let listing = listing.collect();
        let files = plan(&model, &listing, "page", |_| {
            Ok(content.as_bytes().to_vec())
        })?;
        Ok(files.into_iter().map(|file| file.path).collect())
    }

    #[test]
    fn modules_bring_their_folders_and_nothing_else_comes() {
        let files = [
            "1_Pooling/config.json",
            "2_Dense/config.json",
            "2_Dense/model.safetensors",
            "README.md",
            "config.json",
            "model.safetensors",
            "modules.json",
            "onnx/model.onnx",
            "pytorch_model.bin",
            "tokenizer.json",
        ];
        let modules = r#"[{"path": ""}, {"path": "1_Pooling"}, {"path": "2_Dense"}, {"path": "3_Normalize"}]"#;
        let expected = [
            "1_Pooling/config.json",
            "2_Dense/config.json",
            "2_Dense/model.safetensors",
            "config.json",
            "model.safetensors",
            "modules.json",
            "tokenizer.json",
        ];
        assert_eq!(planned(&files, modules).unwrap(), expected);
    }

    #[test]
    fn a_dense_module_with_pickled_weights_is_refused() {
        let files = [
            "config.json",
            "tokenizer.json",
            WEIGHTS,
            MODULES,
            "2_Dense/pytorch_model.bin",
        ];
        let error = planned(&files, r#"[{"path": "2_Dense"}]"#).unwrap_err();
        assert!(
            error.to_string().contains("2_Dense/pytorch_model.bin"),
            "{error}"
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = planned(&[WEIGHTS], "").unwrap_err().to_string();
        assert!(error.contains("config.json and tokenizer.json"), "{error}");
        let error = planned(&["config.json", "model.onnx"], "")
            .unwrap_err()
            .to_string();
        assert!(error.contains("neither model.safetensors nor"), "{error}");
        let index = r#"{"weight_map": {"w": "model-1.safetensors"}}"#;
        let error = planned(&["config.json", "tokenizer.json", INDEX], index).unwrap_err();
        assert!(error.to_string().contains("does not hold"), "{error}");
        assert!(planned(&["config.json", "tokenizer.json", INDEX], "{}").is_err());
    }

    #[test]
    fn paths_that_leave_the_folder_are_unsafe() {
        for path in [
            "../x", "a/../x", "/x", "a//b", "a\\b", "C:x", "", ".git/x", "a/", "a\0", "a.",
        ] {
            assert!(!is_safe(path), "{path}");
        }
        assert!(is_safe("1_Pooling/config.json") && is_safe("model-00001-of-00002.safetensors"));
    }
}
