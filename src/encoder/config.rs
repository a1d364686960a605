//! What an encoder's `config.json` must say.

use serde::{Deserialize, Serialize};

use super::bert::BertConfig;
use super::distilbert::DistilBertConfig;
use super::embedding::TableLayout;
use super::gemma::GemmaConfig;
use super::post_norm::Plan;
use super::xlm_roberta::XlmRobertaConfig;
use crate::error::{Error, ErrorKind, Result};

/// Configuration of an encoder, by architecture, with the field names of the hub's `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model_type")]
pub enum EncoderConfig {
    /// BERT: multilingual-e5-small, paraphrase-multilingual-MiniLM-L12-v2, the bge-small family.
    #[serde(rename = "bert")]
    Bert(BertConfig),
    /// DistilBERT: distilbert-base-multilingual-cased.
    #[serde(rename = "distilbert")]
    DistilBert(DistilBertConfig),
    /// XLM-RoBERTa: multilingual-e5-base and -large, paraphrase-multilingual-mpnet-base-v2.
    #[serde(rename = "xlm-roberta")]
    XlmRoberta(XlmRobertaConfig),
    /// Gemma 3 text with attention both ways: embeddinggemma-300m.
    #[serde(rename = "gemma3_text")]
    Gemma(GemmaConfig),
}

/// Values of `model_type` that [`EncoderConfig`] knows.
const SUPPORTED: [&str; 4] = ["bert", "distilbert", "xlm-roberta", "gemma3_text"];

/// An architecture's layers.
pub(super) enum Stack<'a> {
    PostNorm(Plan),
    Gemma(&'a GemmaConfig),
}

impl EncoderConfig {
    /// Reads the bytes of a `config.json`; fields that are not needed are ignored.
    ///
    /// # Errors
    /// `Format` when a field is missing, `Unsupported` as in [`Self::validate`].
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Kind {
            model_type: String,
        }
        let malformed = |error| Error::new(ErrorKind::Format, format!("config.json: {error}"));
        let Kind { model_type } = serde_json::from_slice(bytes).map_err(malformed)?;
        if !SUPPORTED.contains(&model_type.as_str()) {
            return Err(unsupported(&format!("a `{model_type}`")));
        }
        let config: Self = serde_json::from_slice(bytes).map_err(malformed)?;
        config.validate()?;
        Ok(config)
    }

    /// Checks that this code can run the configuration.
    ///
    /// # Errors
    /// `Unsupported` for a variant of the architecture that is not implemented, `Format` for sizes
    /// that make no sense.
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::Bert(config) => config.check_variant()?,
            Self::DistilBert(config) => config.check_variant()?,
            Self::XlmRoberta(config) => config.check_variant()?,
            Self::Gemma(config) => config.check_variant()?,
        }
        let table = self.table();
        if table.vocab == 0 || table.width == 0 || self.max_tokens() == 0 {
            return Err(senseless(&format!("{self:?}")));
        }
        match self.stack() {
            Stack::PostNorm(plan) => plan.check(),
            Stack::Gemma(config) => config.check_sizes(),
        }
    }

    /// Width of a token's vector.
    pub fn hidden_size(&self) -> usize {
        self.table().width
    }

    /// Number of transformer layers.
    pub fn layers(&self) -> usize {
        match self.stack() {
            Stack::PostNorm(plan) => plan.layers,
            Stack::Gemma(config) => config.num_hidden_layers,
        }
    }

    /// Rows of the vocabulary table.
    pub fn vocab_size(&self) -> usize {
        self.table().vocab
    }

    /// Says that there are other layers.
    #[cfg(feature = "train")]
    pub(super) fn set_layers(&mut self, layers: usize) {
        match self {
            Self::Bert(config) => config.num_hidden_layers = layers,
            Self::DistilBert(config) => config.n_layers = layers,
            Self::XlmRoberta(config) => config.bert.num_hidden_layers = layers,
            Self::Gemma(config) => config.num_hidden_layers = layers,
        }
    }

    /// Says that the vocabulary table has other rows.
    pub fn set_vocab_size(&mut self, rows: usize) {
        match self {
            Self::Bert(config) => config.vocab_size = rows,
            Self::DistilBert(config) => config.vocab_size = rows,
            Self::XlmRoberta(config) => config.bert.vocab_size = rows,
            Self::Gemma(config) => config.vocab_size = rows,
        }
    }

    /// The longest window, in tokens.
    pub fn max_tokens(&self) -> usize {
        self.table().max_tokens
    }

    pub(super) fn table(&self) -> TableLayout {
        match self {
            Self::Bert(config) => config.table(),
            Self::DistilBert(config) => config.table(),
            Self::XlmRoberta(config) => config.table(),
            Self::Gemma(config) => config.table(),
        }
    }

    pub(super) fn stack(&self) -> Stack<'_> {
        match self {
            Self::Bert(config) => Stack::PostNorm(config.plan()),
            Self::DistilBert(config) => Stack::PostNorm(config.plan()),
            Self::XlmRoberta(config) => Stack::PostNorm(config.plan()),
            Self::Gemma(config) => Stack::Gemma(config),
        }
    }
}

/// Name and shape of every tensor an encoder of this configuration has.
pub fn expected_shapes(config: &EncoderConfig) -> Vec<(String, Vec<usize>)> {
    let mut shapes = config.table().expected_shapes();
    shapes.extend(match config.stack() {
        Stack::PostNorm(plan) => plan.expected_shapes(),
        Stack::Gemma(config) => config.expected_shapes(),
    });
    shapes
}

/// Refuses a checkpoint this code cannot run.
pub(super) fn unsupported(found: &str) -> Error {
    let message = format!(
        "the encoder is {found}; supported are BERT, DistilBERT and XLM-RoBERTa with exact GELU \
         and absolute positions (`bert`, `distilbert`, `xlm-roberta`), and Gemma 3 text with \
         attention both ways, as EmbeddingGemma has it (`gemma3_text`)"
    );
    Error::new(ErrorKind::Unsupported, message)
}

pub(super) fn senseless(sizes: &str) -> Error {
    let message = format!("the encoder's sizes make no sense: {sizes}");
    Error::new(ErrorKind::Format, message)
}

/// Refuses a width that `heads` do not divide.
pub(super) fn check_heads(width: usize, heads: usize) -> Result<()> {
    if heads > 0 && width > 0 && width.is_multiple_of(heads) {
        return Ok(());
    }
    let message = format!("{width} cannot be divided over {heads} attention heads");
    Err(Error::new(ErrorKind::Format, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny(from: &str, to: &str) -> Result<EncoderConfig> {
        let json = include_str!("../../tests/fixtures/tiny-bert/config.json");
        assert!(json.contains(from), "{from}");
        EncoderConfig::from_json(json.replace(from, to).as_bytes())
    }

    #[test]
    fn another_architecture_is_named_with_what_is_supported() {
        let error = tiny("\"model_type\": \"bert\"", "\"model_type\": \"t5\"").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let message = error.to_string();
        for word in ["`t5`", "`bert`", "`gemma3_text`"] {
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn another_activation_and_heads_that_do_not_divide_are_refused() {
        let error = tiny("\"gelu\"", "\"relu\"").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let error = tiny("\"num_attention_heads\": 4", "\"num_attention_heads\": 5").unwrap_err();
        assert!(error.to_string().contains("5 attention heads"), "{error}");
    }

    #[test]
    fn a_missing_field_is_named() {
        let error = tiny("\"hidden_size\"", "\"hidden\"").unwrap_err();
        assert!(error.to_string().contains("hidden_size"), "{error}");
    }
}
