//! The multilingual text encoder: token windows in, pooled vectors out.

#[cfg(feature = "train")]
mod adapt;
mod bert;
#[cfg(feature = "cpu")]
mod blockwise;
mod config;
mod distilbert;
mod embedding;
#[cfg(feature = "cpu")]
mod fused;
mod gemma;
mod parts;
mod pass;
mod pipeline;
mod pooling;
mod post_norm;
mod quant;
mod weights;
mod xlm_roberta;

#[cfg(feature = "train")]
pub use adapt::{Adapters, Matrix, Products};
pub use bert::BertConfig;
pub use config::{EncoderConfig, expected_shapes};
pub use distilbert::DistilBertConfig;
pub use gemma::GemmaConfig;
pub use pass::Pass;
pub use pipeline::{Activation, DenseConfig, Pipeline, SentencePooling, dense_name};
pub use pooling::{POOLS, Pool, slot_weights};
pub use quant::{BLOCK, Precision, Quantised};
pub use weights::Weights;
pub use xlm_roberta::XlmRobertaConfig;

use burn::tensor::{Device, Tensor, TensorData};

use crate::error::Result;
use crate::tokenizer::{Passage, Window};
use config::Stack;
use embedding::EmbeddingTable;
#[cfg(feature = "cpu")]
use fused::Fused;
use gemma::Gemma;
use pipeline::Readout;
use post_norm::PostNorm;

/// A loaded encoder: the vocabulary table on the CPU, the layers on the device.
pub struct Encoder {
    config: EncoderConfig,
    table: EmbeddingTable,
    layers: Layers,
    readout: Readout,
    pooling: SentencePooling,
    execution: Execution,
    device: Device,
}

/// How the layers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Execution {
    /// On the CPU, each layer fused and without padding. Architectures that have no such form run as
    /// [`Self::Padded`]; so does everything in a build without the feature `cpu`.
    Fused,
    /// The same, but 4-bit weights take rows rounded to 8 bits: faster on x86 with AVX2 and in wasm,
    /// and not quite the same vectors.
    Rounded,
    /// As tensor operations on the device, windows padded to the longest of the batch.
    Padded,
    /// The same, windows padded to a few lengths, so that a GPU compiles few kernels.
    Bucketed,
}

/// The layers of an architecture.
enum Layers {
    PostNorm(Box<PostNorm>),
    Gemma(Box<Gemma>),
    #[cfg(feature = "cpu")]
    Fused(Box<Fused>),
}

/// One step of a pass: hidden states in, hidden states out, `[windows, length, width]`.
type Step<'a> = Box<dyn FnOnce(Tensor<3>) -> Tensor<3> + 'a>;

/// Padded lengths on devices that compile a kernel for each new shape.
const BUCKETS: [usize; 6] = [16, 32, 64, 128, 256, 512];

impl Layers {
    fn load(
        config: &EncoderConfig,
        weights: &Weights,
        execution: Execution,
        device: &Device,
    ) -> Result<Self> {
        Ok(match (config.stack(), execution) {
            #[cfg(feature = "cpu")]
            (Stack::PostNorm(plan), Execution::Fused | Execution::Rounded) => {
                let rounds = execution == Execution::Rounded;
                Self::Fused(Box::new(Fused::load(&plan, weights, rounds)?))
            }
            (Stack::PostNorm(plan), _) => {
                Self::PostNorm(Box::new(PostNorm::load(&plan, weights, device)?))
            }
            (Stack::Gemma(config), _) => {
                Self::Gemma(Box::new(Gemma::load(config, weights, device)?))
            }
        })
    }
}

impl Encoder {
    /// Puts the weights of `config` and `pipeline` on `device`.
    ///
    /// # Errors
    /// `Format` when tensors are missing (all are named), `Shape` when one does not fit `config`.
    pub fn load(
        config: &EncoderConfig,
        pipeline: &Pipeline,
        weights: &Weights,
        execution: Execution,
        device: &Device,
    ) -> Result<Self> {
        config.validate()?;
        pipeline.validate(config.hidden_size())?;
        let mut expected = expected_shapes(config);
        expected.extend(pipeline.expected_shapes());
        weights.require(&expected)?;
        Ok(Self {
            config: config.clone(),
            table: EmbeddingTable::load(config.table(), weights)?,
            layers: Layers::load(config, weights, execution, device)?,
            readout: Readout::load(pipeline, config.hidden_size(), weights, device)?,
            pooling: pipeline.pooling,
            execution,
            device: device.clone(),
        })
    }

    /// The architecture and its sizes.
    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    /// Type of the layers' arithmetic: `f32`, or `q4-i8` where products take 4-bit weights and rows
    /// of 8 bits.
    pub fn arithmetic(&self) -> &'static str {
        match &self.layers {
            #[cfg(feature = "cpu")]
            Layers::Fused(fused) if fused.rounds_rows() => "q4-i8",
            _ => "f32",
        }
    }

    /// Width of a pooled vector.
    pub fn width(&self) -> usize {
        self.readout.width()
    }

    /// Hidden states of `windows`: `[windows, longest, token width]`, padding rows undefined.
    ///
    /// # Errors
    /// `Shape` when an id is outside the vocabulary or a window is longer than the positions.
    pub fn hidden(&self, windows: &[&Window]) -> Result<Tensor<3>> {
        let mut run = self.run(windows)?;
        while run.step() {}
        Ok(run.hidden())
    }

    /// Summed embeddings `[windows, longest, token width]` and what is added to attention logits,
    /// `[windows, 1, 1, longest]`.
    fn input(&self, windows: &[&Window]) -> Result<(Tensor<3>, Tensor<4>)> {
        let (length, width) = (self.padded_length(windows), self.table.width());
        let mut rows = vec![0.0; windows.len() * length * width];
        let mut bias = vec![0.0; windows.len() * length];
        for (index, window) in windows.iter().enumerate() {
            let start = index * length;
            let end = start + window.ids.len();
            self.table
                .look_up(&window.ids, &mut rows[start * width..end * width])?;
            // Finite, so that a row without any token still has a softmax.
            bias[end..start + length].fill(-1e9);
        }
        let rows = TensorData::new(rows, [windows.len(), length, width]);
        let bias = TensorData::new(bias, [windows.len(), 1, 1, length]);
        Ok((
            Tensor::from_data(rows, &self.device),
            Tensor::from_data(bias, &self.device),
        ))
    }

    /// Pooled vectors of `passages`, `[passages, POOLS, width]`, in the order of [`Pool`].
    ///
    /// Means run over real tokens only: a passage's vectors do not depend on its batch.
    /// Pools without a token (a segment the passage lacks) are zero.
    ///
    /// # Errors
    /// As [`Self::hidden`].
    pub fn pool(&self, passages: &[&Passage]) -> Result<Tensor<3>> {
        Ok(self.start(passages)?.finish())
    }

    /// Pools of hidden states, see [`Self::pool`].
    fn read_out(&self, passages: &[&Passage], hidden: Tensor<3>) -> Tensor<3> {
        let [rows, length, width] = hidden.dims();
        let weights = pooling::token_weights(passages, length, self.pooling);
        let weights = TensorData::new(weights, [rows, POOLS, length]);
        let weights = Tensor::<3>::from_data(weights, &self.device);
        let pooled = merge(passages, weights.clone().matmul(hidden));
        debug_assert_eq!(pooled.dims(), [passages.len(), POOLS, width]);
        let present = || merge(passages, weights.sum_dim(2));
        self.readout.forward(pooled, present)
    }

    fn padded_length(&self, windows: &[&Window]) -> usize {
        let longest = windows.iter().map(|window| window.ids.len()).max();
        let longest = longest.unwrap_or(0).max(1);
        let bucket = BUCKETS.into_iter().find(|&bucket| bucket >= longest);
        bucket
            .filter(|_| self.execution == Execution::Bucketed)
            .unwrap_or(longest)
    }
}

/// Sums the windows of each passage: `[windows, POOLS, width]` to `[passages, POOLS, width]`.
fn merge(passages: &[&Passage], windows: Tensor<3>) -> Tensor<3> {
    let [rows, _, width] = windows.dims();
    if rows == passages.len() {
        return windows;
    }
    let sums = TensorData::new(pooling::window_sums(passages), [passages.len(), rows]);
    let merged = Tensor::<2>::from_data(sums, &windows.device())
        .matmul(windows.reshape([rows, POOLS * width]));
    merged.reshape([passages.len(), POOLS, width])
}
