//! BERT (Devlin et al. 2019), as in the hub's `BertModel`.

use serde::{Deserialize, Serialize};

use super::config::unsupported;
use super::embedding::{Positions, TableLayout};
use super::post_norm::{Names, Plan};
use crate::error::Result;

/// Configuration of a BERT.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BertConfig {
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
    /// Rows of the position table.
    pub max_position_embeddings: usize,
    /// Rows of the token-type table; only row 0 is used.
    pub type_vocab_size: usize,
    /// Added to the variance in every LayerNorm.
    pub layer_norm_eps: f64,
    /// Activation of the feed-forward; `gelu` (the exact, erf form) is supported.
    #[serde(default = "gelu")]
    pub hidden_act: String,
    /// Kind of positions; `absolute` is supported.
    #[serde(default = "absolute", skip_serializing_if = "is_absolute")]
    pub position_embedding_type: String,
}

pub(super) fn gelu() -> String {
    "gelu".into()
}

fn absolute() -> String {
    "absolute".into()
}

fn is_absolute(kind: &str) -> bool {
    kind == "absolute"
}

/// Tensor names of BERT and XLM-RoBERTa.
pub(super) const NAMES: Names = Names {
    layer: "encoder.layer",
    query: "attention.self.query",
    key: "attention.self.key",
    value: "attention.self.value",
    output: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    up: "intermediate.dense",
    down: "output.dense",
    output_norm: "output.LayerNorm",
};

impl BertConfig {
    pub(super) fn check_variant(&self) -> Result<()> {
        if self.hidden_act != "gelu" || !is_absolute(&self.position_embedding_type) {
            return Err(unsupported(&format!(
                "a BERT with activation `{}` and `{}` positions",
                self.hidden_act, self.position_embedding_type
            )));
        }
        Ok(())
    }

    pub(super) fn table(&self) -> TableLayout {
        let positions = Positions {
            rows: self.max_position_embeddings,
            first: 0,
        };
        TableLayout::post_norm(
            self.vocab_size,
            self.hidden_size,
            positions,
            self.type_vocab_size,
        )
    }

    pub(super) fn plan(&self) -> Plan {
        Plan {
            names: &NAMES,
            layers: self.num_hidden_layers,
            width: self.hidden_size,
            heads: self.num_attention_heads,
            inner: self.intermediate_size,
            epsilon: self.layer_norm_eps,
        }
    }
}
