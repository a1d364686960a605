//! Quantised rows: how weights are stored in a bundle and turned back into f32.
//!
//! A row is cut into blocks of [`BLOCK`] weights; each block has one f16 scale.
//! `q4`: 16 bytes a block, byte j holds weight j in its low nibble and weight j + 16 in its high
//! one, value = (nibble - 8) x scale. `q8`: one signed byte a weight, value = byte x scale.

use half::f16;
use serde::{Deserialize, Serialize};

/// Weights that share one scale.
pub const BLOCK: usize = 32;

/// How a matrix is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 4 bits a weight in blocks of 32.
    Q4,
    /// 8 bits a weight in blocks of 32.
    #[default]
    Q8,
    /// Plain f32.
    F32,
}

impl Precision {
    /// Bytes that hold the codes of one block.
    pub fn block_bytes(self) -> usize {
        match self {
            Self::Q4 => BLOCK / 2,
            Self::Q8 => BLOCK,
            Self::F32 => BLOCK * 4,
        }
    }
}

/// A quantised matrix `[rows, columns]`, row-major, columns a multiple of [`BLOCK`].
#[derive(Clone, Debug)]
pub struct Quantised {
    /// [`Precision::Q4`] or [`Precision::Q8`].
    pub precision: Precision,
    /// Columns of a row.
    pub columns: usize,
    /// Packed weights.
    pub codes: Vec<u8>,
    /// One scale a block.
    pub scales: Vec<f16>,
}

impl Quantised {
    /// Rounds `values` to 8 bits, each block scaled by its largest magnitude over 127.
    pub fn q8(values: &[f32], columns: usize) -> Self {
        let (mut codes, mut scales) = (Vec::with_capacity(values.len()), Vec::new());
        for block in values.chunks_exact(BLOCK) {
            let largest = block
                .iter()
                .fold(0.0_f32, |max, value| max.max(value.abs()));
            let scale = f16::from_f32(largest / 127.0);
            let divisor = divisor(scale);
            scales.push(scale);
            codes.extend(
                block
                    .iter()
                    .map(|value| (value / divisor).round().clamp(-127.0, 127.0) as i8 as u8),
            );
        }
        Self {
            precision: Precision::Q8,
            columns,
            codes,
            scales,
        }
    }

    /// Rounds `values` to 4 bits, each block scaled so that its largest magnitude becomes -8, as
    /// llama.cpp's `Q4_0` does.
    pub fn q4(values: &[f32], columns: usize) -> Self {
        let (blocks, _) = values.as_chunks::<BLOCK>();
        let (mut codes, mut scales) = (Vec::new(), Vec::new());
        for block in blocks {
            let largest = block.iter().copied();
            let largest = largest.max_by(|a, b| a.abs().total_cmp(&b.abs()));
            let scale = f16::from_f32(largest.unwrap_or_default() / -8.0);
            let divisor = divisor(scale);
            scales.push(scale);
            let code = |value: f32| ((value / divisor).round() + 8.0).clamp(0.0, 15.0) as u8;
            let (low, high) = block.split_at(BLOCK / 2);
            let pairs = low.iter().zip(high);
            codes.extend(pairs.map(|(low, high)| code(*low) | code(*high) << 4));
        }
        Self {
            precision: Precision::Q4,
            columns,
            codes,
            scales,
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.scales.len() * BLOCK / self.columns
    }

    /// Writes row `row` into `output` (`columns` long) as f32.
    pub fn row(&self, row: usize, output: &mut [f32]) {
        let blocks = self.columns / BLOCK;
        let bytes = self.precision.block_bytes();
        for (block, values) in output.chunks_exact_mut(BLOCK).enumerate() {
            let index = row * blocks + block;
            let scale = self.scales[index].to_f32();
            let codes = &self.codes[index * bytes..(index + 1) * bytes];
            match self.precision {
                Precision::Q4 => unpack_q4(codes, scale, values),
                _ => unpack_q8(codes, scale, values),
            }
        }
    }

    /// The whole matrix as f32, row-major.
    pub fn dequantise(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.rows() * self.columns];
        for (row, output) in values.chunks_exact_mut(self.columns).enumerate() {
            self.row(row, output);
        }
        values
    }
}

/// What values are divided by for their codes: a block of zeros has the scale 0.
fn divisor(scale: f16) -> f32 {
    if scale == f16::ZERO {
        1.0
    } else {
        scale.to_f32()
    }
}

fn unpack_q4(codes: &[u8], scale: f32, values: &mut [f32]) {
    let (low, high) = values.split_at_mut(BLOCK / 2);
    for ((code, low), high) in codes.iter().zip(low).zip(high) {
        *low = (f32::from(code & 15) - 8.0) * scale;
        *high = (f32::from(code >> 4) - 8.0) * scale;
    }
}

fn unpack_q8(codes: &[u8], scale: f32, values: &mut [f32]) {
    for (code, value) in codes.iter().zip(values) {
        *value = f32::from(*code as i8) * scale;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q4_blocks_follow_the_nibble_order() {
        let mut codes = vec![0x88; 16];
        codes[0] = 0xF0; // weight 0 = -8, weight 16 = 7
        let matrix = Quantised {
            precision: Precision::Q4,
            columns: BLOCK,
            codes,
            scales: vec![f16::from_f32(0.5)],
        };
        let row = matrix.dequantise();
        assert_eq!((row[0], row[16], row[1]), (-4.0, 3.5, 0.0));
    }

    fn zeros_and_a_wave() -> Vec<f32> {
        (0..64)
            .map(|i| if i < 32 { 0.0 } else { (i as f32).sin() })
            .collect()
    }

    #[test]
    fn q4_is_within_a_step_and_keeps_zero_blocks() {
        let values = zeros_and_a_wave();
        let back = Quantised::q4(&values, 64).dequantise();
        assert!(back[..32].iter().all(|&value| value == 0.0));
        for (value, back) in values.iter().zip(&back) {
            // The end of the scale that the largest magnitude does not take is a step short.
            assert!((value - back).abs() <= 1.0 / 8.0 + 1e-3, "{value} {back}");
        }
    }

    #[test]
    fn q8_is_within_half_a_step_and_keeps_zero_blocks() {
        let values = zeros_and_a_wave();
        let back = Quantised::q8(&values, 64).dequantise();
        assert!(back[..32].iter().all(|&value| value == 0.0));
        for (value, back) in values.iter().zip(&back) {
            assert!((value - back).abs() <= 0.5 / 127.0 + 1e-3, "{value} {back}");
        }
    }
}
