//! What a scorer answers with.

use serde::{Deserialize, Serialize};

use crate::encoder::Execution;
use crate::heads::{Doubt, Support};

/// Where the arithmetic runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// The CPU, native or in wasm: fused layers, or burn flex for architectures without.
    Cpu,
    /// The browser's WebGPU.
    WebGpu,
    /// A native GPU.
    Gpu,
}

impl Backend {
    /// Where an encoder that is run so runs.
    pub fn of(execution: &Execution) -> Self {
        match execution {
            #[cfg(all(feature = "gpu", target_arch = "wasm32"))]
            Execution::Gpu(_) => Self::WebGpu,
            #[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
            Execution::Gpu(_) => Self::Gpu,
            Execution::Fused | Execution::Padded => Self::Cpu,
        }
    }
}

/// A metric near the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nearest {
    /// Name in the catalogue.
    pub metric: String,
    /// Cosine of the text's point to the anchor, in the heads' joint space (mean over its members)
    /// or, where they have none, of the encoder's vectors around their means; -1 to 1.
    pub similarity: f32,
}

/// Tokens kept of a text that was too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truncated {
    /// Tokens the score rests on.
    pub kept: usize,
    /// Tokens there were.
    pub of: usize,
}

/// What a score was made with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// SHA-256 of the bundle's manifest.
    pub bundle: String,
    /// Where it ran.
    pub backend: Backend,
    /// Type of the encoder's arithmetic, see [`crate::encoder::Encoder::arithmetic`].
    pub dtype: String,
    /// Version of touchstone.
    pub version: String,
    /// Tokens the encoder saw.
    pub tokens: usize,
}

/// The one output; 10 is always the desired behaviour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Mean of the members, calibrated where held-out rows allow it; 0 to 10.
    pub score: f32,
    /// The nearest whole score.
    pub rounded: u8,
    /// Where a judge's score is expected, where the heads were calibrated.
    pub interval: Option<[f32; 2]>,
    /// Share of judged scores inside such intervals on unseen prompts of the training data's kind;
    /// none where nothing can be claimed (support is not `judged`).
    pub coverage: Option<f32>,
    /// What kind of examples the score rests on.
    pub support: Support,
    /// Whether the score should be read as "not sure".
    pub abstain: bool,
    /// Why, where it should.
    pub doubts: Vec<Doubt>,
    /// Score of each ensemble member.
    pub members: Vec<f32>,
    /// The nearest metric anchors, best first.
    pub anchors: Vec<Nearest>,
    /// Set when something was cut off.
    pub truncated: Option<Truncated>,
    /// What the score was made with.
    pub receipt: Receipt,
}
