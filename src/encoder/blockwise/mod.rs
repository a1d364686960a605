//! Products of rows with 4-bit weights, block by block of [`BLOCK`], in whole numbers.
//!
//! The weights are those of the bundle, bit for bit: a code of -8 to 7 times the scale of its block.
//! Rows are rounded to 16 bits with a scale for each of their own blocks, which is as exact as f32
//! to within a few 1e-5 of a value; a block's sum is exact. CPUs multiply and add up twice as many
//! 16-bit numbers as f32 in an instruction.

#![allow(unsafe_code, reason = "vector instructions load by pointer")]

#[cfg(target_arch = "wasm32")]
mod wasm;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::quant::{BLOCK, Precision, Quantised};

/// Outputs that a tile of weights computes at once.
const LANES: usize = 8;
/// Inputs whose products are added up in one lane of an instruction.
const PAIR: usize = 2;
/// Rows that one pass over a tile serves.
const ROWS: usize = if cfg!(target_arch = "wasm32") { 4 } else { 8 };
const HALF: usize = ROWS / 2;

/// One block of the weights of [`LANES`] outputs.
#[derive(Clone)]
#[repr(C)]
struct WeightBlock {
    /// For each [`PAIR`] of inputs the codes of every output, `[inputs / 2][outputs x 2]`.
    codes: [[i8; LANES * PAIR]; BLOCK / PAIR],
    scales: [f32; LANES],
}

/// One block of a row.
#[derive(Clone, Default)]
#[repr(C)]
pub(super) struct RowBlock {
    codes: [i16; BLOCK],
    scale: f32,
}

/// The sums of [`LANES`] outputs for some rows.
type Sums<const M: usize> = [[f32; LANES]; M];

/// The vector instructions that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kernel {
    /// VNNI of AVX-512, on 256 bits.
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    /// VNNI without AVX-512.
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    #[cfg(target_arch = "wasm32")]
    Simd128,
    /// Loops, which the others are compared with; elsewhere than x86 and wasm there are no others.
    #[cfg(any(test, not(any(target_arch = "x86_64", target_arch = "wasm32"))))]
    #[cfg_attr(not(test), allow(dead_code, reason = "products run in f32 there"))]
    Plain,
}

impl Kernel {
    /// The one for the CPU at hand, if it is faster with it than with f32.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn detect() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx512vl") {
            return Some(Self::Avx512Vnni);
        } else if is_x86_feature_detected!("avxvnni") && is_x86_feature_detected!("fma") {
            return Some(Self::AvxVnni);
        }
        None
    }

    /// The one for browsers, all of which have the instructions that this build needs.
    #[cfg(target_arch = "wasm32")]
    pub(super) fn detect() -> Option<Self> {
        Some(Self::Simd128)
    }

    fn quantise(self, values: &[f32; BLOCK], block: &mut RowBlock) {
        match self {
            // SAFETY: `detect` has found the instructions.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni | Self::AvxVnni => unsafe { x86::quantise(values, block) },
            #[cfg(target_arch = "wasm32")]
            Self::Simd128 => wasm::quantise(values, block),
            #[cfg(any(test, not(any(target_arch = "x86_64", target_arch = "wasm32"))))]
            Self::Plain => plain::quantise(values, block),
        }
    }

    fn sums<const M: usize>(self, weights: &[WeightBlock], rows: [&[RowBlock]; M]) -> Sums<M> {
        match self {
            // SAFETY: `detect` has found the instructions.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => unsafe { x86::avx512::sums(weights, rows) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => unsafe { x86::avx::sums(weights, rows) },
            #[cfg(target_arch = "wasm32")]
            Self::Simd128 => wasm::sums(weights, rows),
            #[cfg(any(test, not(any(target_arch = "x86_64", target_arch = "wasm32"))))]
            Self::Plain => plain::sums(weights, rows),
        }
    }
}

/// Weights `[outputs, inputs]` in tiles of [`LANES`] outputs.
pub(super) struct BlockwiseMatrix {
    kernel: Kernel,
    outputs: usize,
    /// Blocks of a row.
    blocks: usize,
    /// Tile by tile, the blocks of each in order.
    tiles: Vec<WeightBlock>,
}

impl BlockwiseMatrix {
    /// Packs matrices of 4-bit codes, stacked; none where one is not of that kind.
    pub(super) fn pack(parts: &[Quantised], kernel: Kernel) -> Option<Self> {
        let first = parts.first()?;
        let fits =
            |part: &Quantised| part.precision == Precision::Q4 && part.columns == first.columns;
        if !parts.iter().all(fits) {
            return None;
        }
        let blocks = first.columns / BLOCK;
        let outputs = parts.iter().map(Quantised::rows).sum::<usize>();
        let empty = WeightBlock {
            codes: [[0; LANES * PAIR]; BLOCK / PAIR],
            scales: [0.0; LANES],
        };
        let mut tiles = vec![empty; outputs.div_ceil(LANES) * blocks];
        let rows = parts.iter().flat_map(|part| {
            let codes = part.codes.chunks_exact(blocks * BLOCK / 2);
            codes.zip(part.scales.chunks_exact(blocks))
        });
        for (output, (codes, scales)) in rows.enumerate() {
            let tile = &mut tiles[output / LANES * blocks..][..blocks];
            let lane = output % LANES;
            let stored = codes.chunks_exact(BLOCK / 2).zip(scales);
            for (block, (codes, scale)) in tile.iter_mut().zip(stored) {
                block.scales[lane] = scale.to_f32();
                for (place, code) in codes.iter().enumerate() {
                    block.set(lane, place, code & 15);
                    block.set(lane, place + BLOCK / 2, code >> 4);
                }
            }
        }
        Some(Self {
            kernel,
            outputs,
            blocks,
            tiles,
        })
    }

    /// Width of a row.
    pub(super) fn inputs(&self) -> usize {
        self.blocks * BLOCK
    }

    /// Rounds `values`, `[rows, inputs]`, to 16 bits.
    pub(super) fn quantise(&self, values: &[f32], rows: &mut Vec<RowBlock>) {
        let (blocks, _) = values.as_chunks::<BLOCK>();
        rows.resize(blocks.len(), RowBlock::default());
        for (values, block) in blocks.iter().zip(rows) {
            self.kernel.quantise(values, block);
        }
    }

    /// Gives `each` the products of every row with every output: the row, the first of some outputs
    /// that follow each other, and their products.
    pub(super) fn multiply(&self, rows: &[RowBlock], mut each: impl FnMut(usize, usize, &[f32])) {
        let row = |index: usize| &rows[index * self.blocks..][..self.blocks];
        let count = rows.len() / self.blocks;
        for (tile, weights) in self.tiles.chunks_exact(self.blocks).enumerate() {
            let first = tile * LANES;
            let lanes = LANES.min(self.outputs - first);
            let mut give = |start: usize, sums: &[[f32; LANES]]| {
                for (index, sums) in sums.iter().enumerate() {
                    each(start + index, first, &sums[..lanes]);
                }
            };
            let mut start = 0;
            while start < count {
                start += match count - start {
                    ROWS.. => some::<ROWS>(self.kernel, weights, start, row, &mut give),
                    HALF.. => some::<HALF>(self.kernel, weights, start, row, &mut give),
                    _ => some::<1>(self.kernel, weights, start, row, &mut give),
                };
            }
        }
    }
}

/// Gives the sums of `M` rows from `start` on, and says how many they are.
fn some<'a, const M: usize>(
    kernel: Kernel,
    weights: &[WeightBlock],
    start: usize,
    row: impl Fn(usize) -> &'a [RowBlock],
    give: &mut impl FnMut(usize, &[[f32; LANES]]),
) -> usize {
    let rows = std::array::from_fn::<_, M, _>(|index| row(start + index));
    give(start, &kernel.sums(weights, rows));
    M
}

impl WeightBlock {
    fn set(&mut self, lane: usize, place: usize, code: u8) {
        self.codes[place / PAIR][lane * PAIR + place % PAIR] = code as i8 - 8;
    }
}

/// The largest code over the largest magnitude, and its inverse; both 0 for a block of zeros.
fn steps(largest: f32) -> (f32, f32) {
    let most = f32::from(i16::MAX);
    if largest > 0.0 {
        (most / largest, largest / most)
    } else {
        (0.0, 0.0)
    }
}

#[cfg(any(test, not(any(target_arch = "x86_64", target_arch = "wasm32"))))]
mod plain {
    use super::{BLOCK, LANES, PAIR, RowBlock, Sums, WeightBlock, steps};

    pub(super) fn quantise(values: &[f32; BLOCK], block: &mut RowBlock) {
        let largest = values
            .iter()
            .fold(0.0_f32, |most, value| most.max(value.abs()));
        let (factor, scale) = steps(largest);
        block.scale = scale;
        block.codes = values.map(|value| (value * factor).round_ties_even() as i16);
    }

    pub(super) fn sums<const M: usize>(weights: &[WeightBlock], rows: [&[RowBlock]; M]) -> Sums<M> {
        rows.map(|row| {
            let mut sums = [0.0; LANES];
            for (weights, row) in weights.iter().zip(row) {
                for (lane, sum) in sums.iter_mut().enumerate() {
                    let exact: i32 = (0..BLOCK)
                        .map(|place| {
                            let code = weights.codes[place / PAIR][lane * PAIR + place % PAIR];
                            i32::from(code) * i32::from(row.codes[place])
                        })
                        .sum();
                    *sum += exact as f32 * (weights.scales[lane] * row.scale);
                }
            }
            sums
        })
    }
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::*;

    /// Pseudo-random numbers in 0..1.
    fn noise(seed: u64) -> impl FnMut() -> f32 {
        let mut state = seed;
        move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 40) as f32 / (1 << 24) as f32
        }
    }

    fn weights(outputs: usize, inputs: usize, mut code: impl FnMut() -> u8) -> Quantised {
        Quantised {
            precision: Precision::Q4,
            columns: inputs,
            codes: (0..outputs * inputs / 2).map(|_| code()).collect(),
            scales: (0..outputs * inputs / BLOCK)
                .map(|index| f16::from_f32(0.01 + 0.001 * (index % 7) as f32))
                .collect(),
        }
    }

    fn product(parts: &[Quantised], rows: &[f32], kernel: Kernel) -> Vec<f32> {
        let matrix = BlockwiseMatrix::pack(parts, kernel).unwrap();
        let mut blocks = Vec::new();
        matrix.quantise(rows, &mut blocks);
        let count = rows.len() / parts[0].columns;
        let mut output = vec![f32::NAN; count * matrix.outputs];
        matrix.multiply(&blocks, |row, first, values| {
            output[row * matrix.outputs + first..][..values.len()].copy_from_slice(values);
        });
        output
    }

    /// Every kernel gives what the plain one gives, on shapes with and without remainders.
    #[test]
    fn kernels_agree_with_the_plain_one() {
        let Some(kernel) = Kernel::detect() else {
            return;
        };
        for (rows, outputs, inputs) in [
            (1, 8, 32),
            (2, 5, 64),
            (3, 17, 96),
            (4, 24, 384),
            (9, 40, 64),
            (23, 16, 32),
            (7, 1, 32),
        ] {
            let mut next = noise((rows * outputs * inputs) as u64);
            let parts = [
                weights(outputs, inputs, || (next() * 256.0) as u8),
                weights(3, inputs, || 0xF0),
            ];
            let mut next = noise(7);
            let rows: Vec<f32> = (0..rows * inputs).map(|_| 4.0 * next() - 2.0).collect();
            let (found, expected) = (
                product(&parts, &rows, kernel),
                product(&parts, &rows, Kernel::Plain),
            );
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                assert!(
                    (found - expected).abs() < 1e-5 * (1.0 + expected.abs()),
                    "{found} {expected}"
                );
            }
        }
    }

    /// The largest sums there can be, zeros, and values that are almost nothing.
    #[test]
    fn extremes_do_not_overflow() {
        let kernel = Kernel::detect().unwrap_or(Kernel::Plain);
        let rows = [[1.0; 32], [-1.0; 32], [0.0; 32], [1e-30; 32]].concat();
        for code in [0x00, 0xFF, 0x88] {
            let parts = [weights(8, 32, || code)];
            let found = product(&parts, &rows, kernel);
            let expected = product(&parts, &rows, Kernel::Plain);
            assert_eq!(found, expected);
            let weight = f32::from(code & 15) - 8.0;
            let exact = 32.0 * weight * parts[0].scales[0].to_f32();
            assert!((found[0] - exact).abs() < 1e-4, "{} {exact}", found[0]);
            assert!((found[8] + exact).abs() < 1e-4, "{} {exact}", found[8]);
            assert!(found[16..24].iter().all(|&value| value == 0.0));
        }
    }

    /// Against the weights in f64: what rounding the rows costs.
    #[test]
    fn rounding_the_rows_costs_as_little_as_f32() {
        let mut next = noise(3);
        let parts = [weights(64, 384, || (next() * 256.0) as u8)];
        let mut next = noise(5);
        let rows: Vec<f32> = (0..384).map(|_| next() - 0.5).collect();
        let found = product(&parts, &rows, Kernel::detect().unwrap_or(Kernel::Plain));
        let weights = parts[0].dequantise();
        for (found, weights) in found.iter().zip(weights.chunks_exact(384)) {
            let products = weights.iter().zip(&rows);
            let products = products.map(|(weight, value)| f64::from(*weight) * f64::from(*value));
            let magnitude: f64 = products.clone().map(f64::abs).sum();
            let error = (f64::from(*found) - products.sum::<f64>()).abs();
            assert!(error < 3e-6 * magnitude, "{error} of {magnitude}");
        }
    }

    #[test]
    fn other_precisions_are_left_to_others() {
        let kernel = Kernel::Plain;
        assert!(BlockwiseMatrix::pack(&[Quantised::q8(&[1.0; 32], 32)], kernel).is_none());
        assert!(BlockwiseMatrix::pack(&[], kernel).is_none());
    }
}
