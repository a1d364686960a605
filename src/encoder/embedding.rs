//! Token, position and type embeddings, summed on the CPU.
//!
//! The vocabulary table stays quantised in CPU memory: as f32 it would not fit WebGPU's default
//! limits, and a batch needs only its own rows.

use super::config::EncoderConfig;
use super::quant::Quantised;
use super::weights::Weights;
use crate::error::{Error, ErrorKind, Result};

/// Name of the vocabulary table.
pub(super) const WORDS: &str = "embeddings.word_embeddings.weight";
/// Name of the position table.
pub(super) const POSITIONS: &str = "embeddings.position_embeddings.weight";
/// Name of the token-type table.
pub(super) const TYPES: &str = "embeddings.token_type_embeddings.weight";

enum Words {
    Plain(Vec<f32>),
    Quantised(Quantised),
}

/// The sum of a token's three embeddings, before the LayerNorm.
pub(super) struct EmbeddingTable {
    words: Words,
    /// Position and type-0 embedding, already summed: `[positions, width]`.
    positions: Vec<f32>,
    vocab: usize,
    width: usize,
}

impl EmbeddingTable {
    pub(super) fn load(config: &EncoderConfig, weights: &Weights) -> Result<Self> {
        let words = match weights.quantised(WORDS)? {
            Some(matrix) => Words::Quantised(matrix),
            None => Words::Plain(weights.f32(WORDS)?),
        };
        let types = weights.f32(TYPES)?;
        let mut positions = weights.f32(POSITIONS)?;
        for row in positions.chunks_exact_mut(config.hidden_size) {
            row.iter_mut()
                .zip(&types)
                .for_each(|(value, kind)| *value += kind);
        }
        Ok(Self {
            words,
            positions,
            vocab: config.vocab_size,
            width: config.hidden_size,
        })
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Writes the embeddings of `ids` into `output`, `[ids, width]`.
    pub(super) fn look_up(&self, ids: &[u32], output: &mut [f32]) -> Result<()> {
        let longest = self.positions.len() / self.width;
        if ids.len() > longest {
            let message = format!(
                "a window of {} tokens; the encoder has {longest} positions",
                ids.len()
            );
            return Err(Error::new(ErrorKind::Shape, message));
        }
        for (position, (&id, row)) in ids
            .iter()
            .zip(output.chunks_exact_mut(self.width))
            .enumerate()
        {
            self.word(id as usize, row)?;
            let position = &self.positions[position * self.width..][..self.width];
            row.iter_mut()
                .zip(position)
                .for_each(|(value, add)| *value += add);
        }
        Ok(())
    }

    fn word(&self, id: usize, row: &mut [f32]) -> Result<()> {
        if id >= self.vocab {
            let message = format!(
                "token id {id} is outside the vocabulary of {}: the tokenizer does not belong to this encoder",
                self.vocab
            );
            return Err(Error::new(ErrorKind::Shape, message));
        }
        match &self.words {
            Words::Plain(values) => row.copy_from_slice(&values[id * self.width..][..self.width]),
            Words::Quantised(matrix) => matrix.row(id, row),
        }
        Ok(())
    }
}
