//! A token's embeddings, summed on the CPU.
//!
//! The vocabulary table stays quantised in CPU memory: as f32 it would not fit WebGPU's default
//! limits, and a batch needs only its own rows.

#[cfg(any(feature = "cpu", feature = "gpu"))]
use std::ops::Range;

#[cfg(any(feature = "cpu", feature = "gpu"))]
use burn::tensor::{Device, Tensor, TensorData};

use super::quant::Quantised;
use super::weights::Weights;
use crate::error::{Error, ErrorKind, Result};
#[cfg(any(feature = "cpu", feature = "gpu"))]
use crate::tokenizer::Window;

/// Name of the vocabulary table of BERT and its kin.
const WORDS: &str = "embeddings.word_embeddings.weight";
const POSITIONS: &str = "embeddings.position_embeddings.weight";
const TYPES: &str = "embeddings.token_type_embeddings.weight";
/// Name of the LayerNorm behind the sum.
pub(super) const NORM: &str = "embeddings.LayerNorm";

/// What an architecture adds up to embed a token, and under which names.
pub(super) struct TableLayout {
    /// Name of the vocabulary table.
    pub words: &'static str,
    /// Rows of the vocabulary table.
    pub vocab: usize,
    /// Width of a token's vector.
    pub width: usize,
    /// Factor on the vocabulary table's rows.
    pub scale: f32,
    /// The learned positions, if any.
    pub positions: Option<Positions>,
    /// Rows of the token-type table; 0 where there is none.
    pub types: usize,
    /// The longest window, in tokens.
    pub max_tokens: usize,
}

/// A table of learned positions.
pub(super) struct Positions {
    /// Its rows.
    pub rows: usize,
    /// The row of the first token.
    pub first: usize,
}

impl TableLayout {
    /// Words, positions and (with `types` above 0) token types, as BERT names them.
    pub(super) fn post_norm(
        vocab: usize,
        width: usize,
        positions: Positions,
        types: usize,
    ) -> Self {
        Self {
            words: WORDS,
            vocab,
            width,
            scale: 1.0,
            max_tokens: positions.rows.saturating_sub(positions.first),
            positions: Some(positions),
            types,
        }
    }

    pub(super) fn expected_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let mut shapes = vec![(self.words.into(), vec![self.vocab, self.width])];
        if let Some(positions) = &self.positions {
            shapes.push((POSITIONS.into(), vec![positions.rows, self.width]));
        }
        if self.types > 0 {
            shapes.push((TYPES.into(), vec![self.types, self.width]));
        }
        shapes
    }

    /// What is added to the word at each position: `[max_tokens, width]`, empty for nothing.
    fn offsets(&self, weights: &Weights) -> Result<Vec<f32>> {
        let Some(positions) = &self.positions else {
            return Ok(Vec::new());
        };
        let mut offsets = weights.f32(POSITIONS)?;
        offsets.drain(..positions.first * self.width);
        if self.types > 0 {
            let types = weights.f32(TYPES)?;
            let rows = offsets.chunks_exact_mut(self.width);
            rows.for_each(|row| add(row, &types));
        }
        Ok(offsets)
    }
}

/// Adds the beginning of `values` to `row`.
fn add(row: &mut [f32], values: &[f32]) {
    row.iter_mut()
        .zip(values)
        .for_each(|(value, add)| *value += add);
}

/// Rows of windows one below the other, see [`EmbeddingTable::stack`], as `[windows, longest, width]`;
/// padding rows are zero.
#[cfg(any(feature = "cpu", feature = "gpu"))]
pub(super) fn unstack(
    rows: &[f32],
    windows: &[Range<usize>],
    width: usize,
    device: &Device,
) -> Tensor<3> {
    let longest = windows.iter().map(ExactSizeIterator::len).max();
    let length = longest.unwrap_or(0).max(1);
    let mut padded = vec![0.0; windows.len() * length * width];
    for (range, output) in windows.iter().zip(padded.chunks_exact_mut(length * width)) {
        let values = &rows[range.start * width..range.end * width];
        output[..values.len()].copy_from_slice(values);
    }
    let shape = [windows.len(), length, width];
    Tensor::from_data(TensorData::new(padded, shape), device)
}

enum Words {
    Plain(Vec<f32>),
    Quantised(Quantised),
}

/// The sum of a token's embeddings, as it enters the first layer's norm.
pub(super) struct EmbeddingTable {
    words: Words,
    offsets: Vec<f32>,
    layout: TableLayout,
}

impl EmbeddingTable {
    pub(super) fn load(layout: TableLayout, weights: &Weights) -> Result<Self> {
        let words = match weights.quantised(layout.words)? {
            Some(matrix) => Words::Quantised(matrix),
            None => Words::Plain(weights.f32(layout.words)?),
        };
        Ok(Self {
            words,
            offsets: layout.offsets(weights)?,
            layout,
        })
    }

    pub(super) fn width(&self) -> usize {
        self.layout.width
    }

    /// The embeddings of all windows, one below the other, `[tokens, width]`, and the rows of each.
    ///
    /// # Errors
    /// As [`Self::look_up`].
    #[cfg(any(feature = "cpu", feature = "gpu"))]
    pub(super) fn stack(&self, windows: &[&Window]) -> Result<(Vec<f32>, Vec<Range<usize>>)> {
        let mut tokens = 0;
        let ranges = windows.iter().map(|window| {
            let first = tokens;
            tokens += window.ids.len();
            first..tokens
        });
        let ranges: Vec<Range<usize>> = ranges.collect();
        let width = self.width();
        let mut rows = vec![0.0; tokens * width];
        for (window, range) in windows.iter().zip(&ranges) {
            let rows = &mut rows[range.start * width..range.end * width];
            self.look_up(&window.ids, rows)?;
        }
        Ok((rows, ranges))
    }

    /// Writes the embeddings of `ids` into `output`, `[ids, width]`.
    pub(super) fn look_up(&self, ids: &[u32], output: &mut [f32]) -> Result<()> {
        let (longest, width) = (self.layout.max_tokens, self.layout.width);
        if ids.len() > longest {
            let message = format!(
                "a window of {} tokens; the encoder has {longest} positions",
                ids.len()
            );
            return Err(Error::new(ErrorKind::Shape, message));
        }
        let rows = ids.iter().zip(output.chunks_exact_mut(width));
        for (position, (&id, row)) in rows.enumerate() {
            self.word(id as usize, row)?;
            if let Some(offset) = self.offsets.get(position * width..) {
                add(row, offset);
            }
        }
        Ok(())
    }

    fn word(&self, id: usize, row: &mut [f32]) -> Result<()> {
        let TableLayout { vocab, width, .. } = self.layout;
        if id >= vocab {
            let message = format!(
                "token id {id} is outside the vocabulary of {vocab}: the tokenizer does not \
                 belong to this encoder"
            );
            return Err(Error::new(ErrorKind::Shape, message));
        }
        match &self.words {
            Words::Plain(values) => row.copy_from_slice(&values[id * width..][..width]),
            Words::Quantised(matrix) => matrix.row(id, row),
        }
        if self.layout.scale != 1.0 {
            row.iter_mut().for_each(|value| *value *= self.layout.scale);
        }
        Ok(())
    }
}
