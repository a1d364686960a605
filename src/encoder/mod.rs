//! The multilingual text encoder: token windows in, pooled vectors out.

#[cfg(feature = "train")]
mod adapt;
mod bert;
#[cfg(feature = "cpu")]
mod blockwise;
mod config;
#[cfg(feature = "train")]
mod distil;
mod distilbert;
mod embedding;
#[cfg(feature = "cpu")]
mod fused;
#[cfg(feature = "cpu")]
mod gelu;
mod gemma;
#[cfg(feature = "gpu")]
mod gpu;
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
#[cfg(feature = "train")]
pub use distil::{Trace, spread_layers};
pub use distilbert::DistilBertConfig;
pub use gemma::GemmaConfig;
#[cfg(feature = "gpu")]
pub use gpu::Gpu;
pub use pass::Pass;
pub use pipeline::{Activation, DenseConfig, Pipeline, SentencePooling, dense_name};
pub use pooling::{POOLS, Pool, slot_weights};
pub use quant::{BLOCK, Precision, Quantised};
pub use weights::Weights;
pub(crate) use weights::tensors;
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

/// A loaded encoder: the vocabulary table on the CPU, the layers where they run.
pub struct Encoder {
    config: EncoderConfig,
    table: EmbeddingTable,
    layers: Layers,
    readout: Readout,
    pooling: SentencePooling,
    device: Device,
}

/// How the layers run.
#[derive(Clone, Debug)]
pub enum Execution {
    /// On the CPU, each layer fused and without padding. Architectures that have no such form run as
    /// [`Self::Padded`]; so does everything in a build without the feature `cpu`.
    Fused,
    /// As burn's tensor operations, windows padded to the longest of the batch.
    Padded,
    /// On this graphics card.
    #[cfg(feature = "gpu")]
    Gpu(Gpu),
}

/// The layers of an architecture.
enum Layers {
    PostNorm(Box<PostNorm>),
    Gemma(Box<Gemma>),
    #[cfg(feature = "cpu")]
    Fused(Box<Fused>),
    #[cfg(feature = "gpu")]
    Gpu(Box<gpu::Layers>),
}

/// One step of a pass: hidden states in, hidden states out, `[windows, length, width]`.
type Step<'a> = Box<dyn FnOnce(Tensor<3>) -> Tensor<3> + 'a>;

impl Layers {
    fn load(
        config: &EncoderConfig,
        weights: &Weights,
        execution: &Execution,
        device: &Device,
    ) -> Result<Self> {
        Ok(match (config.stack(), execution) {
            #[cfg(feature = "gpu")]
            (_, Execution::Gpu(gpu)) => {
                Self::Gpu(Box::new(gpu::Layers::load(config, weights, gpu)?))
            }
            #[cfg(feature = "cpu")]
            (Stack::PostNorm(plan), Execution::Fused) => {
                Self::Fused(Box::new(Fused::load(&plan, weights)?))
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
    /// Makes the weights of `config` and `pipeline` ready to run as `execution` says; burn's part of
    /// it on `device`.
    ///
    /// # Errors
    /// `Format` when tensors are missing (all are named), `Shape` when one does not fit `config`.
    pub fn load(
        config: &EncoderConfig,
        pipeline: &Pipeline,
        weights: &Weights,
        execution: &Execution,
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
            device: device.clone(),
        })
    }

    /// The architecture and its sizes.
    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    /// Type of the layers' products: `q4-i16` or `q8-i16` where weights of 4 or 8 bits take rows of 16
    /// bits, `q4-i14` or `q8-i14` where rows are of 14 (ARM, the wasm file with relaxed SIMD), `f16` on
    /// a graphics card that has it, else `f32`.
    pub fn arithmetic(&self) -> &'static str {
        match &self.layers {
            #[cfg(feature = "cpu")]
            Layers::Fused(fused) => fused.arithmetic(),
            #[cfg(feature = "gpu")]
            Layers::Gpu(layers) => layers.arithmetic(),
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
    /// `Shape` when an id is outside the vocabulary or a window is longer than the positions;
    /// `Device` when the graphics card fails.
    pub async fn hidden(&self, windows: &[&Window]) -> Result<Tensor<3>> {
        let mut run = self.run(windows)?;
        while run.step() {}
        run.hidden(&self.device).await
    }

    /// Summed embeddings `[windows, longest, token width]` and what is added to attention logits,
    /// `[windows, 1, 1, longest]`.
    fn input(&self, windows: &[&Window]) -> Result<(Tensor<3>, Tensor<4>)> {
        let longest = windows.iter().map(|window| window.ids.len()).max();
        let (length, width) = (longest.unwrap_or(0).max(1), self.table.width());
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
    pub async fn pool(&self, passages: &[&Passage]) -> Result<Tensor<3>> {
        self.start(passages)?.finish().await
    }

    /// Pools of hidden states, see [`Self::pool`].
    fn read_out(&self, passages: &[&Passage], hidden: Tensor<3>) -> Tensor<3> {
        let [_, length, width] = hidden.dims();
        let weights = self.token_weights(passages, length);
        let pooled = merge(passages, weights.clone().matmul(hidden));
        debug_assert_eq!(pooled.dims(), [passages.len(), POOLS, width]);
        let present = || merge(passages, weights.sum_dim(2));
        self.readout.forward(pooled, present)
    }

    /// The same of pools `[passages x POOLS x token width]` that were made elsewhere.
    #[cfg(feature = "gpu")]
    fn read_out_pools(&self, passages: &[&Passage], pools: Vec<f32>) -> Tensor<3> {
        let shape = [passages.len(), POOLS, self.table.width()];
        let pools = Tensor::from_data(TensorData::new(pools, shape), &self.device);
        let windows = passages.iter().flat_map(|passage| &passage.windows);
        let longest = windows.map(|window| window.ids.len()).max().unwrap_or(1);
        let present = || merge(passages, self.token_weights(passages, longest).sum_dim(2));
        self.readout.forward(pools, present)
    }

    /// See [`pooling::token_weights`]: `[windows, POOLS, length]`.
    fn token_weights(&self, passages: &[&Passage], length: usize) -> Tensor<3> {
        let weights = pooling::token_weights(passages, length, self.pooling);
        let rows = weights.len() / (POOLS * length);
        let weights = TensorData::new(weights, [rows, POOLS, length]);
        Tensor::from_data(weights, &self.device)
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
