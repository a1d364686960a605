//! The files that the `sentence-transformers` library puts beside a transformer: `modules.json`
//! and the folders it names, and the prompts.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::encoder::{Activation, DenseConfig, Pipeline, SentencePooling};
use crate::error::{Error, ErrorKind, Result};

/// Name of the list of modules.
pub(super) const MODULES: &str = "modules.json";
const PROMPTS: &str = "config_sentence_transformers.json";

/// What a folder's files say; the plain mean where there are none.
#[derive(Default)]
pub(super) struct Modules {
    pub pipeline: Pipeline,
    /// Folders of the dense layers, in their order.
    pub dense: Vec<PathBuf>,
    transformer: PathBuf,
}

#[derive(Deserialize)]
struct Module {
    path: PathBuf,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Default, Deserialize)]
struct Prompts {
    #[serde(default)]
    prompts: BTreeMap<String, Option<String>>,
    default_prompt_name: Option<String>,
}

/// `1_Pooling/config.json`, of before and after its modes got one field.
#[derive(Deserialize)]
struct PoolingFile {
    pooling_mode: Option<String>,
    #[serde(default = "yes")]
    include_prompt: bool,
    #[serde(flatten)]
    others: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct DenseFile {
    in_features: usize,
    out_features: usize,
    #[serde(default = "yes")]
    bias: bool,
    #[serde(default = "tanh")]
    activation_function: String,
}

fn yes() -> bool {
    true
}

/// The library's default.
fn tanh() -> String {
    "torch.nn.modules.activation.Tanh".into()
}

impl Modules {
    /// Reads the files in `folder`.
    ///
    /// # Errors
    /// `Io` and `Format` naming the file; `Unsupported` for a module that is not implemented.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let mut modules = Self::default();
        if folder.join(MODULES).exists() {
            for module in read_json::<Vec<Module>>(&folder.join(MODULES))? {
                modules.add(folder, module)?;
            }
        }
        if folder.join(PROMPTS).exists() {
            let file: Prompts = read_json(&folder.join(PROMPTS))?;
            let prompts = file.prompts.into_iter();
            let prompts = prompts.filter_map(|(name, prompt)| Some((name, prompt?)));
            modules.pipeline.prompts = prompts.collect();
            modules.pipeline.default_prompt = file.default_prompt_name;
        }
        modules.pipeline.max_tokens = longest(&modules.transformer(folder))?;
        Ok(modules)
    }

    /// The transformer's folder inside `folder`.
    pub(super) fn transformer(&self, folder: &Path) -> PathBuf {
        folder.join(&self.transformer)
    }

    fn add(&mut self, folder: &Path, module: Module) -> Result<()> {
        let inside = |part: Component| matches!(part, Component::Normal(_));
        if !module.path.components().all(inside) {
            let message = format!(
                "{MODULES} names the folder `{}`, expected one beside it",
                module.path.display()
            );
            return Err(Error::new(ErrorKind::Format, message));
        }
        let config = folder.join(&module.path).join("config.json");
        match last_word(&module.kind) {
            "Transformer" => self.transformer = module.path,
            "Pooling" => self.pipeline.pooling = pooling(read_json(&config)?)?,
            "Dense" => {
                self.pipeline.dense.push(dense(read_json(&config)?)?);
                self.dense.push(module.path);
            }
            // Every embedding is brought to length 1 here.
            "Normalize" => {}
            _ => return Err(unsupported(&format!("a module `{}`", module.kind))),
        }
        Ok(())
    }
}

/// The longest input the files name, in tokens.
fn longest(transformer: &Path) -> Result<Option<usize>> {
    #[derive(Deserialize)]
    struct Limit {
        max_seq_length: Option<usize>,
        /// 1e30 where the author set none.
        model_max_length: Option<f64>,
    }
    for name in ["sentence_bert_config.json", "tokenizer_config.json"] {
        let path = transformer.join(name);
        if !path.exists() {
            continue;
        }
        let limit: Limit = read_json(&path)?;
        let length = limit.max_seq_length.map(|length| length as f64);
        let length = length.or(limit.model_max_length);
        if let Some(length) = length.filter(|length| (1.0..1e6).contains(length)) {
            return Ok(Some(length as usize));
        }
    }
    Ok(None)
}

fn pooling(file: PoolingFile) -> Result<SentencePooling> {
    if !file.include_prompt {
        return Err(unsupported("pooling without the prompt's tokens"));
    }
    let switched_on = file.others.iter().filter(|(_, on)| **on == true);
    let modes = switched_on.filter_map(|(name, _)| name.strip_prefix("pooling_mode_"));
    let modes: Vec<&str> = file
        .pooling_mode
        .as_deref()
        .into_iter()
        .chain(modes)
        .collect();
    match modes.as_slice() {
        ["mean" | "mean_tokens"] => Ok(SentencePooling::Mean),
        ["cls" | "cls_token"] => Ok(SentencePooling::Cls),
        _ => Err(unsupported(&format!("pooling by {}", modes.join(" and ")))),
    }
}

fn dense(file: DenseFile) -> Result<DenseConfig> {
    let activation = match last_word(&file.activation_function) {
        "Identity" => Activation::Identity,
        "Tanh" => Activation::Tanh,
        other => {
            return Err(unsupported(&format!(
                "a dense layer with activation {other}"
            )));
        }
    };
    Ok(DenseConfig {
        in_features: file.in_features,
        out_features: file.out_features,
        bias: file.bias,
        activation,
    })
}

fn last_word(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

fn unsupported(found: &str) -> Error {
    let message = format!(
        "the sentence encoder has {found}; supported are pooling by the mean or the first token, \
         dense layers with Identity or Tanh, and normalising"
    );
    Error::new(ErrorKind::Unsupported, message)
}

/// Reads a JSON file.
///
/// # Errors
/// `Io` and `Format` naming the file.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_slice(&crate::cli::read(path)?)
        .map_err(|error| Error::new(ErrorKind::Format, format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pooled(json: &str) -> Result<SentencePooling> {
        pooling(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn both_forms_of_the_pooling_file_are_read() {
        let old = r#"{"word_embedding_dimension": 32, "pooling_mode_cls_token": true,
                      "pooling_mode_mean_tokens": false}"#;
        assert_eq!(pooled(old).unwrap(), SentencePooling::Cls);
        let new = r#"{"embedding_dimension": 32, "pooling_mode": "mean"}"#;
        assert_eq!(pooled(new).unwrap(), SentencePooling::Mean);
    }

    #[test]
    fn other_poolings_are_named() {
        let two = r#"{"pooling_mode_cls_token": true, "pooling_mode_max_tokens": true}"#;
        let message = pooled(two).unwrap_err().to_string();
        assert!(message.contains("cls_token and max_tokens"), "{message}");
        let without = r#"{"pooling_mode": "mean", "include_prompt": false}"#;
        assert!(pooled(without).unwrap_err().to_string().contains("prompt"));
    }

    #[test]
    fn a_module_outside_the_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let modules = r#"[{"path": "../x", "type": "sentence_transformers.models.Dense"}]"#;
        std::fs::write(folder.path().join(MODULES), modules).unwrap();
        let error = Modules::read(folder.path()).err().unwrap();
        assert!(error.to_string().contains("../x"), "{error}");
    }

    #[test]
    fn an_unknown_module_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let modules = r#"[{"path": "1_LSTM", "type": "sentence_transformers.models.LSTM"}]"#;
        std::fs::write(folder.path().join(MODULES), modules).unwrap();
        let error = Modules::read(folder.path()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("LSTM"), "{error}");
    }
}
