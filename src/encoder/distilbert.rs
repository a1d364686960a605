//! DistilBERT (Sanh et al. 2019), as in the hub's `DistilBertModel`: BERT without token types.

use serde::{Deserialize, Serialize};

use super::bert::gelu;
use super::config::unsupported;
use super::embedding::{Positions, TableLayout};
use super::post_norm::{Names, Plan};
use crate::error::Result;

/// Configuration of a DistilBERT.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DistilBertConfig {
    /// Width of a token's vector.
    pub dim: usize,
    /// Number of transformer layers.
    pub n_layers: usize,
    /// Attention heads of each layer; divides `dim`.
    pub n_heads: usize,
    /// Width of the feed-forward's inner layer.
    pub hidden_dim: usize,
    /// Rows of the vocabulary table.
    pub vocab_size: usize,
    /// Rows of the position table.
    pub max_position_embeddings: usize,
    /// Activation of the feed-forward; `gelu` (the exact, erf form) is supported.
    #[serde(default = "gelu")]
    pub activation: String,
}

const NAMES: Names = Names {
    layer: "transformer.layer",
    query: "attention.q_lin",
    key: "attention.k_lin",
    value: "attention.v_lin",
    output: "attention.out_lin",
    attention_norm: "sa_layer_norm",
    up: "ffn.lin1",
    down: "ffn.lin2",
    output_norm: "output_layer_norm",
};

impl DistilBertConfig {
    pub(super) fn check_variant(&self) -> Result<()> {
        if self.activation == "gelu" {
            return Ok(());
        }
        let found = format!("a DistilBERT with activation `{}`", self.activation);
        Err(unsupported(&found))
    }

    pub(super) fn table(&self) -> TableLayout {
        let positions = Positions {
            rows: self.max_position_embeddings,
            first: 0,
        };
        TableLayout::post_norm(self.vocab_size, self.dim, positions, 0)
    }

    pub(super) fn plan(&self) -> Plan {
        Plan {
            names: &NAMES,
            layers: self.n_layers,
            width: self.dim,
            heads: self.n_heads,
            inner: self.hidden_dim,
            // Fixed in the reference's code.
            epsilon: 1e-12,
        }
    }
}
