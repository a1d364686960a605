//! XLM-RoBERTa (Conneau et al. 2020), as in the hub's `XLMRobertaModel`: BERT whose positions
//! count from behind the padding id.

use serde::{Deserialize, Serialize};

use super::bert::BertConfig;
use super::embedding::{Positions, TableLayout};
use super::post_norm::Plan;
use crate::error::Result;

/// Configuration of an XLM-RoBERTa.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct XlmRobertaConfig {
    /// What it shares with BERT; the position table has `pad_token_id + 1` rows that no token uses.
    #[serde(flatten)]
    pub bert: BertConfig,
    /// Id of the padding token; the first token's position is the one after it.
    #[serde(default = "pad")]
    pub pad_token_id: usize,
}

fn pad() -> usize {
    1
}

impl XlmRobertaConfig {
    pub(super) fn check_variant(&self) -> Result<()> {
        self.bert.check_variant()
    }

    pub(super) fn table(&self) -> TableLayout {
        let positions = Positions {
            rows: self.bert.max_position_embeddings,
            first: self.pad_token_id + 1,
        };
        TableLayout::post_norm(
            self.bert.vocab_size,
            self.bert.hidden_size,
            positions,
            self.bert.type_vocab_size,
        )
    }

    pub(super) fn plan(&self) -> Plan {
        self.bert.plan()
    }
}
