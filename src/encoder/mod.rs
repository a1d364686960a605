//! The multilingual text encoder: token windows in, pooled vectors out.

#[cfg(feature = "train")]
mod adapt;
mod bert;
mod config;
mod embedding;
mod pooling;
mod quant;
mod weights;

#[cfg(feature = "train")]
pub use adapt::{Adapters, Matrix, Products};
pub use bert::expected_shapes;
pub use config::EncoderConfig;
pub use pooling::{POOLS, Pool, slot_weights};
pub use quant::{BLOCK, Precision, Quantised};
pub use weights::Weights;

use burn::tensor::{Device, Tensor, TensorData};

use crate::error::Result;
use crate::tokenizer::{Passage, Window};
use bert::Bert;
use embedding::EmbeddingTable;

/// A loaded encoder: the vocabulary table on the CPU, the layers on the device.
pub struct Encoder {
    table: EmbeddingTable,
    layers: Bert,
    buckets: bool,
    device: Device,
}

/// Padded lengths on devices that compile a kernel for each new shape.
const BUCKETS: [usize; 6] = [16, 32, 64, 128, 256, 512];

impl Encoder {
    /// Puts the weights of `config` on `device`.
    ///
    /// `buckets` pads windows to a few lengths, so that a GPU compiles few kernels; a CPU pads
    /// only to the longest window of the batch.
    ///
    /// # Errors
    /// `Format` when tensors are missing (all are named), `Shape` when one does not fit `config`.
    pub fn load(
        config: &EncoderConfig,
        weights: &Weights,
        buckets: bool,
        device: &Device,
    ) -> Result<Self> {
        config.validate()?;
        weights.require(&bert::expected_shapes(config))?;
        Ok(Self {
            table: EmbeddingTable::load(config, weights)?,
            layers: Bert::load(config, weights, device)?,
            buckets,
            device: device.clone(),
        })
    }

    /// Width of a pooled vector.
    pub fn width(&self) -> usize {
        self.table.width()
    }

    /// Hidden states of `windows`: `[windows, longest, width]`, padding rows undefined.
    ///
    /// # Errors
    /// `Shape` when an id is outside the vocabulary or a window is longer than the positions.
    pub fn hidden(&self, windows: &[&Window]) -> Result<Tensor<3>> {
        let length = self.padded_length(windows);
        let mut rows = vec![0.0; windows.len() * length * self.width()];
        let mut bias = vec![0.0; windows.len() * length];
        for (index, window) in windows.iter().enumerate() {
            let start = index * length;
            let end = start + window.ids.len();
            self.table.look_up(
                &window.ids,
                &mut rows[start * self.width()..end * self.width()],
            )?;
            // Finite, so that a row without any token still has a softmax.
            bias[end..start + length].fill(-1e9);
        }
        let shape = [windows.len(), length, self.width()];
        let input = Tensor::<3>::from_data(TensorData::new(rows, shape), &self.device);
        let bias = TensorData::new(bias, [windows.len(), 1, 1, length]);
        Ok(self
            .layers
            .forward(input, Tensor::<4>::from_data(bias, &self.device)))
    }

    /// Pooled vectors of `passages`, `[passages, POOLS, width]`, in the order of [`Pool`].
    ///
    /// Means run over real tokens only: a passage's vectors do not depend on its batch.
    /// Pools without a token (a segment the passage lacks) are zero.
    ///
    /// # Errors
    /// As [`Self::hidden`].
    pub fn pool(&self, passages: &[&Passage]) -> Result<Tensor<3>> {
        let windows: Vec<&Window> = passages
            .iter()
            .flat_map(|passage| &passage.windows)
            .collect();
        let hidden = self.hidden(&windows)?;
        let [rows, length, width] = hidden.dims();
        let weights = pooling::token_weights(passages, length);
        let weights = TensorData::new(weights, [rows, POOLS, length]);
        let pooled = Tensor::<3>::from_data(weights, &self.device).matmul(hidden);
        if rows == passages.len() {
            return Ok(pooled);
        }
        let merge = TensorData::new(pooling::window_sums(passages), [passages.len(), rows]);
        let merged = Tensor::<2>::from_data(merge, &self.device)
            .matmul(pooled.reshape([rows, POOLS * width]));
        Ok(merged.reshape([passages.len(), POOLS, width]))
    }

    fn padded_length(&self, windows: &[&Window]) -> usize {
        let longest = windows.iter().map(|window| window.ids.len()).max();
        let longest = longest.unwrap_or(0).max(1);
        let bucket = BUCKETS.into_iter().find(|&bucket| bucket >= longest);
        bucket.filter(|_| self.buckets).unwrap_or(longest)
    }
}
