//! Tokenizer and encoder together: texts to vectors.

use burn::tensor::{Device, Tensor};

use super::batches::batches;
use super::pause::Pause;
use crate::bundle::{Bundle, ENCODER};
use crate::encoder::{Encoder, Execution, POOLS, Pool, Weights};
use crate::error::{Error, ErrorKind, Result};
use crate::tokenizer::{Passage, Tokenizer};

/// Padded tokens encoded at a time: enough to keep the device busy. In a browser less, where one
/// thread computes a layer and nothing is heard until it has: a call must end soon after it is
/// called off, and a long submit trips a slow adapter's watchdog.
pub const BATCH_TOKENS: usize = if cfg!(target_arch = "wasm32") {
    512
} else {
    2048
};

/// Tokenizer and encoder: texts to vectors.
pub struct Embedder {
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// The encoder.
    pub encoder: Encoder,
}

impl Embedder {
    /// Takes tokenizer and encoder out of `bundle`; run as `execution` says.
    ///
    /// # Errors
    /// As [`Bundle::take`], [`Tokenizer::of`] and [`Encoder::load`]; `Shape` when the
    /// tokenizer has more ids than the encoder has rows.
    pub fn load(bundle: &mut Bundle, execution: &Execution) -> Result<Self> {
        let tokenizer = Tokenizer::of(bundle)?;
        let info = bundle.manifest.encoder.clone();
        tokenizer.check_fit(info.config.vocab_size())?;
        let bytes = bundle.take(ENCODER)?;
        let weights = Weights::from_bytes(ENCODER, &bytes)?;
        let encoder = info.load(&weights, execution, &Device::flex())?;
        Ok(Self { tokenizer, encoder })
    }

    /// Pooled vectors of `passages`, `[passages x POOLS x width]`, read back to the CPU.
    ///
    /// Passages of like length are encoded together, at most [`BATCH_TOKENS`] at a time; the
    /// results keep the order of `passages`. Reading each batch back bounds what is queued.
    ///
    /// # Errors
    /// As [`Encoder::pool`]; `Device` when the backend fails; what `pause` ends with.
    pub async fn pool(&self, passages: &[&Passage], pause: &impl Pause) -> Result<Vec<f32>> {
        let size = POOLS * self.encoder.width();
        let mut values = vec![0.0; passages.len() * size];
        let costs: Vec<usize> = passages.iter().map(|passage| passage.len()).collect();
        for batch in batches(&costs, BATCH_TOKENS) {
            let members: Vec<&Passage> = batch.iter().map(|&index| passages[index]).collect();
            let pooled = self.pool_batch(&members, pause).await?;
            for (index, vectors) in batch.into_iter().zip(pooled.chunks_exact(size)) {
                values[index * size..][..size].copy_from_slice(vectors);
            }
        }
        Ok(values)
    }

    async fn pool_batch(&self, passages: &[&Passage], pause: &impl Pause) -> Result<Vec<f32>> {
        let mut pass = self.encoder.start(passages)?;
        pause.pause().await?;
        while pass.step() {
            pause.pause().await?;
        }
        read(pass.finish().await?).await
    }

    /// The encoder's own embedding of each passage (its own pooling, L2-normalised),
    /// `[passages x width]`.
    ///
    /// # Errors
    /// As [`Self::pool`].
    pub async fn embed(&self, passages: &[&Passage], pause: &impl Pause) -> Result<Vec<f32>> {
        let width = self.encoder.width();
        let pooled = self.pool(passages, pause).await?;
        let rows = pooled.chunks_exact(POOLS * width);
        Ok(rows.flat_map(|pools| embedding(pools, width)).collect())
    }
}

/// The embedding of a passage, L2-normalised `[width]`, from its pools `[POOLS x width]`.
pub(super) fn embedding(pools: &[f32], width: usize) -> Vec<f32> {
    let mean = &pools[Pool::All as usize * width..][..width];
    let norm = mean.iter().map(|value| value * value).sum::<f32>().sqrt() + 1e-12;
    mean.iter().map(|value| value / norm).collect()
}

/// The awaited read: values of a tensor, row-major.
///
/// # Errors
/// `Device` when the backend fails.
pub(super) async fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let failed = |error: String| {
        Error::new(
            ErrorKind::Device,
            format!("the compute device failed: {error}"),
        )
    };
    let data = tensor
        .into_data_async()
        .await
        .map_err(|error| failed(format!("{error:?}")))?;
    data.try_into_vec::<f32>()
        .map_err(|error| failed(format!("{error:?}")))
}
