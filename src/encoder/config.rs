//! What an encoder's `config.json` must say.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// Configuration of a BERT-family encoder, with the field names of the hub's `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncoderConfig {
    /// Architecture family; `bert` is supported.
    pub model_type: String,
    /// Width of a token's vector.
    pub hidden_size: usize,
    /// Number of transformer layers.
    pub num_hidden_layers: usize,
    /// Attention heads of each layer; divides `hidden_size`.
    pub num_attention_heads: usize,
    /// Width of the feed-forward's inner layer.
    pub intermediate_size: usize,
    /// Rows of the vocabulary table.
    pub vocab_size: usize,
    /// Rows of the position table, the longest window.
    pub max_position_embeddings: usize,
    /// Rows of the token-type table; only row 0 is used.
    pub type_vocab_size: usize,
    /// Added to the variance in every LayerNorm.
    pub layer_norm_eps: f64,
    /// Activation of the feed-forward; `gelu` (the exact, erf form) is supported.
    #[serde(default = "gelu")]
    pub hidden_act: String,
}

fn gelu() -> String {
    "gelu".into()
}

impl EncoderConfig {
    /// Reads the bytes of a `config.json`; fields that are not needed are ignored.
    ///
    /// # Errors
    /// `Format` when a field is missing, `Unsupported` as in [`Self::validate`].
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let config: Self = serde_json::from_slice(bytes)
            .map_err(|error| Error::new(ErrorKind::Format, format!("config.json: {error}")))?;
        config.validate()?;
        Ok(config)
    }

    /// Checks that this code can run the configuration.
    ///
    /// # Errors
    /// `Unsupported` for another architecture or activation, `Format` for sizes that do not divide.
    pub fn validate(&self) -> Result<()> {
        if self.model_type != "bert" || self.hidden_act != "gelu" {
            let message = format!(
                "the encoder is a `{}` with activation `{}`; supported: `bert` with `gelu`",
                self.model_type, self.hidden_act
            );
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let sizes = [
            self.intermediate_size,
            self.vocab_size,
            self.type_vocab_size,
        ];
        if sizes.contains(&0) || self.num_hidden_layers > 1024 {
            let message = format!("the encoder's sizes make no sense: {self:?}");
            return Err(Error::new(ErrorKind::Format, message));
        }
        let heads = self.num_attention_heads;
        if heads == 0 || self.hidden_size == 0 || !self.hidden_size.is_multiple_of(heads) {
            let message = format!(
                "a width of {} cannot be divided over {heads} attention heads",
                self.hidden_size
            );
            return Err(Error::new(ErrorKind::Format, message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_architecture_is_named_with_what_is_supported() {
        let json = include_str!("../../tests/fixtures/tiny-bert/config.json");
        let json = json.replace("\"model_type\": \"bert\"", "\"model_type\": \"t5\"");
        let error = EncoderConfig::from_json(json.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("`t5`"), "{error}");
    }
}
