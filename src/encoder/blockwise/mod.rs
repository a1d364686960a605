//! Products in whole numbers, block by block of [`BLOCK`] inputs.
//!
//! Weights are those of the bundle, bit for bit: a code of 4 or 8 bits times the scale of its block.
//! What they are multiplied with is rounded to 16 bits, or 14, with a scale for each of its own blocks,
//! which is as exact as f32 to within a few 1e-5 of a value; a block's sum is exact. CPUs multiply and
//! add up twice as many 16-bit numbers as f32 in an instruction, or four times as many bytes.

#![allow(unsafe_code, reason = "vector instructions load by pointer")]

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(not(target_arch = "aarch64"))]
mod attention;
mod planes;
#[cfg(target_arch = "wasm32")]
mod wasm;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::quant::{BLOCK, Precision, Quantised};
#[cfg(not(target_arch = "aarch64"))]
pub(super) use attention::{attend, attends};

/// Whether stored weights meet rows in [`planes`].
pub(super) const IN_PLANES: bool = cfg!(any(
    target_arch = "aarch64",
    all(target_arch = "wasm32", target_feature = "relaxed-simd")
));
/// Outputs that one pass computes at once.
const LANES: usize = if cfg!(target_arch = "wasm32") { 8 } else { 16 };
/// Rows that one pass serves at most.
const ROWS: usize = if cfg!(any(target_arch = "wasm32", target_arch = "aarch64")) {
    4
} else {
    8
};
/// Codes of a row in one number of 32 bits.
const PAIR: usize = 2;

/// One block of the weights of [`LANES`] outputs.
#[derive(Clone)]
#[repr(C)]
struct Tile<C> {
    /// For each [`Code::GROUP`] of inputs the codes of every output.
    codes: [C; BLOCK * LANES],
    scales: [f32; LANES],
    /// What [`planes::start`] says.
    starts: [i32; if IN_PLANES { LANES } else { 0 }],
}

/// One block of [`ROWS`] rows.
#[derive(Clone)]
#[repr(C)]
struct RowBlock {
    codes: [[i16; BLOCK]; ROWS],
    scales: [f32; ROWS],
}

impl<C: Code> Tile<C> {
    const ZERO: Self = Self {
        codes: [C::ZERO; BLOCK * LANES],
        scales: [0.0; LANES],
        starts: [0; _],
    };
}

impl RowBlock {
    const ZERO: Self = Self {
        codes: [[0; BLOCK]; ROWS],
        scales: [0.0; ROWS],
    };
}

/// A weight without its scale.
pub(super) trait Code: Copy + Into<i32> {
    const ZERO: Self;
    /// Inputs whose products an instruction adds up in one lane.
    const GROUP: usize = PAIR;
    /// The largest code of a row, so that no block's sum overflows 32 bits.
    const MOST: i16;

    /// The code of a row, wherever it is kept.
    #[cfg(test)]
    fn row_code(codes: &[i16; BLOCK], input: usize) -> i32 {
        if Self::GROUP == planes::QUAD {
            planes::code(codes, input)
        } else {
            codes[input].into()
        }
    }
}

/// A stored weight of 4 or 8 bits.
impl Code for i8 {
    const ZERO: Self = 0;
    const GROUP: usize = if IN_PLANES { planes::QUAD } else { PAIR };
    const MOST: i16 = if IN_PLANES { planes::MOST } else { i16::MAX };
}

/// What was rounded like a row, to no more than [`Code::MOST`]: 32 x 8191 x 8191 is below 2^31.
#[cfg(not(target_arch = "aarch64"))]
impl Code for i16 {
    const ZERO: Self = 0;
    const MOST: i16 = 8191;
}

/// The vector instructions that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kernel {
    /// VNNI of AVX-512.
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    /// VNNI without AVX-512.
    #[cfg(target_arch = "x86_64")]
    AvxVnni,
    /// The kernel of [`Self::AvxVnni`] on CPUs with AVX-512.
    #[cfg(all(test, target_arch = "x86_64"))]
    Avx512Vl,
    /// ARM's dot product of bytes.
    #[cfg(target_arch = "aarch64")]
    Sdot,
    #[cfg(target_arch = "wasm32")]
    Simd128,
    /// Loops, which the others are compared with.
    #[cfg(test)]
    Plain,
}

impl Kernel {
    /// The one for the CPU at hand, if it is faster with it than with f32.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn detect() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx512bw") {
            return Some(Self::Avx512Vnni);
        } else if is_x86_feature_detected!("avxvnni") && is_x86_feature_detected!("fma") {
            return Some(Self::AvxVnni);
        }
        #[cfg(target_arch = "aarch64")]
        if std::arch::is_aarch64_feature_detected!("dotprod") {
            return Some(Self::Sdot);
        }
        None
    }

    /// The one for browsers, all of which have the instructions that this build needs.
    #[cfg(target_arch = "wasm32")]
    pub(super) fn detect() -> Option<Self> {
        Some(Self::Simd128)
    }

    /// Rounds `values` to codes of at most `most`; gives their scale.
    fn quantise(self, values: &[f32; BLOCK], most: i16, codes: &mut [i16; BLOCK]) -> f32 {
        match self {
            // SAFETY: `detect` has found the instructions.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni | Self::AvxVnni => unsafe { x86::quantise(values, most, codes) },
            // SAFETY: as above.
            #[cfg(all(test, target_arch = "x86_64"))]
            Self::Avx512Vl => unsafe { x86::quantise(values, most, codes) },
            #[cfg(target_arch = "aarch64")]
            Self::Sdot => aarch64::quantise(values, most, codes),
            #[cfg(target_arch = "wasm32")]
            Self::Simd128 => wasm::quantise(values, most, codes),
            #[cfg(test)]
            Self::Plain => plain::quantise(values, most, codes),
        }
    }

    /// Adds the products of `M` rows or fewer with the outputs of a tile to `sums`.
    fn add_products<C: Code, const M: usize>(
        self,
        tile: &[Tile<C>],
        rows: &[RowBlock],
        sums: &mut Sums,
    ) {
        match self {
            // SAFETY: `detect` has found the instructions.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => unsafe { x86::add_products_512::<C, M>(tile, rows, sums) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni => unsafe { x86::add_products_256::<C, M>(tile, rows, sums) },
            // SAFETY: as above.
            #[cfg(all(test, target_arch = "x86_64"))]
            Self::Avx512Vl => unsafe { x86::add_products_256_vl::<C, M>(tile, rows, sums) },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Self::Sdot => unsafe { aarch64::add_products::<C, M>(tile, rows, sums) },
            #[cfg(target_arch = "wasm32")]
            Self::Simd128 => wasm::add_products::<C, M>(tile, rows, sums),
            #[cfg(test)]
            Self::Plain => plain::add_products::<C, M>(tile, rows, sums),
        }
    }
}

/// The sums of [`LANES`] outputs for `rows` rows: those of the next row are `stride` further on.
struct Sums<'a> {
    values: &'a mut [f32],
    stride: usize,
    rows: usize,
}

impl Sums<'_> {
    /// The sums of each row.
    fn rows(&mut self) -> impl Iterator<Item = &mut [f32; LANES]> {
        let rows = self.values.chunks_mut(self.stride).take(self.rows);
        rows.map(|row| row.first_chunk_mut().expect("as many values as lanes"))
    }
}

/// Rows rounded to 16 bits, [`ROWS`] by [`ROWS`].
#[derive(Default)]
pub(super) struct Rows {
    count: usize,
    blocks: Vec<RowBlock>,
}

/// Weights `[outputs, inputs]` in tiles of [`LANES`] outputs.
pub(super) struct BlockwiseMatrix<C> {
    kernel: Kernel,
    outputs: usize,
    /// Blocks of a row.
    blocks: usize,
    /// Tile by tile, the blocks of each in order.
    tiles: Vec<Tile<C>>,
}

impl BlockwiseMatrix<i8> {
    /// Packs stored matrices, stacked; none where their rows differ in length.
    pub(super) fn pack(parts: &[Quantised], kernel: Kernel) -> Option<Self> {
        let columns = parts.first()?.columns;
        if parts.iter().any(|part| part.columns != columns) {
            return None;
        }
        let blocks = columns / BLOCK;
        let outputs = parts.iter().map(Quantised::rows).sum::<usize>();
        let mut matrix = Self::zero(kernel, outputs, blocks);
        let stored = parts.iter().flat_map(|part| {
            let codes = part.codes.chunks_exact(part.precision.block_bytes());
            codes
                .zip(&part.scales)
                .map(|(codes, scale)| (part.precision, codes, scale))
        });
        for (index, (precision, codes, scale)) in stored.enumerate() {
            let codes = std::array::from_fn(|place| match precision {
                Precision::Q4 if place < BLOCK / 2 => (codes[place] & 15) as i8 - 8,
                Precision::Q4 => (codes[place - BLOCK / 2] >> 4) as i8 - 8,
                _ => codes[place] as i8,
            });
            matrix.set(index / blocks, index % blocks, &codes, scale.to_f32());
        }
        Some(matrix)
    }
}

impl<C: Code> BlockwiseMatrix<C> {
    fn zero(kernel: Kernel, outputs: usize, blocks: usize) -> Self {
        Self {
            kernel,
            outputs,
            blocks,
            tiles: vec![Tile::ZERO; outputs.div_ceil(LANES) * blocks],
        }
    }

    /// Sets a block of the weights of an output.
    fn set(&mut self, output: usize, block: usize, codes: &[C; BLOCK], scale: f32) {
        let (tile, lane) = (output / LANES * self.blocks + block, output % LANES);
        let tile = &mut self.tiles[tile];
        let groups = tile.codes.chunks_exact_mut(C::GROUP * LANES);
        for (weights, group) in groups.zip(codes.chunks_exact(C::GROUP)) {
            weights[lane * C::GROUP..][..C::GROUP].copy_from_slice(group);
        }
        tile.scales[lane] = scale;
        if let Some(start) = tile.starts.get_mut(lane) {
            *start = planes::start(codes);
        }
    }

    /// Width of a row.
    pub(super) fn inputs(&self) -> usize {
        self.blocks * BLOCK
    }

    /// Rounds `values`, `[rows, inputs]`, to 16 bits.
    pub(super) fn quantise(&self, values: &[f32], rows: &mut Rows) {
        let blocks = self.blocks;
        rows.count = values.len() / self.inputs();
        rows.blocks
            .resize(rows.count.div_ceil(ROWS) * blocks, RowBlock::ZERO);
        for (row, values) in values.chunks_exact(self.inputs()).enumerate() {
            let group = &mut rows.blocks[row / ROWS * blocks..][..blocks];
            for (block, values) in group.iter_mut().zip(values.as_chunks::<BLOCK>().0) {
                let codes = &mut block.codes[row % ROWS];
                block.scales[row % ROWS] = self.kernel.quantise(values, C::MOST, codes);
                if C::GROUP == planes::QUAD {
                    planes::split(codes);
                }
            }
        }
    }

    /// Adds the products of every row with every output to `output`, in which rows are `stride` apart.
    pub(super) fn add_products(&self, rows: &Rows, output: &mut [f32], stride: usize) {
        let mut spare = [0.0; LANES * ROWS];
        for (tile, weights) in self.tiles.chunks_exact(self.blocks).enumerate() {
            let first = tile * LANES;
            let lanes = LANES.min(self.outputs - first);
            let groups = rows.blocks.chunks_exact(self.blocks);
            for (group, blocks) in groups.enumerate() {
                let start = group * ROWS;
                let output = &mut output[start * stride + first..];
                let count = ROWS.min(rows.count - start);
                if lanes == LANES {
                    self.tile(
                        weights,
                        blocks,
                        Sums {
                            values: output,
                            stride,
                            rows: count,
                        },
                    );
                    continue;
                }
                spare.fill(0.0);
                let sums = Sums {
                    values: &mut spare,
                    stride: LANES,
                    rows: count,
                };
                self.tile(weights, blocks, sums);
                for (output, sums) in output.chunks_mut(stride).zip(spare.chunks_exact(LANES)) {
                    output
                        .iter_mut()
                        .zip(&sums[..lanes])
                        .for_each(|(value, sum)| *value += sum);
                }
            }
        }
    }

    fn tile(&self, weights: &[Tile<C>], blocks: &[RowBlock], mut sums: Sums) {
        let kernel = self.kernel;
        if sums.rows > ROWS / 2 {
            kernel.add_products::<C, ROWS>(weights, blocks, &mut sums);
        } else if sums.rows > ROWS / 4 {
            kernel.add_products::<C, { ROWS / 2 }>(weights, blocks, &mut sums);
        } else {
            kernel.add_products::<C, { ROWS / 4 }>(weights, blocks, &mut sums);
        }
    }
}

/// The largest code over the largest magnitude, and its inverse; both 0 for a block of zeros.
fn steps(largest: f32, most: i16) -> (f32, f32) {
    let most = f32::from(most);
    if largest > 0.0 {
        (most / largest, largest / most)
    } else {
        (0.0, 0.0)
    }
}

#[cfg(test)]
mod plain {
    use super::{BLOCK, Code, LANES, RowBlock, Sums, Tile, steps};

    pub(super) fn quantise(values: &[f32; BLOCK], most: i16, codes: &mut [i16; BLOCK]) -> f32 {
        let largest = values
            .iter()
            .fold(0.0_f32, |most, value| most.max(value.abs()));
        let (factor, scale) = steps(largest, most);
        *codes = values.map(|value| (value * factor).round_ties_even() as i16);
        scale
    }

    pub(super) fn add_products<C: Code, const M: usize>(
        tile: &[Tile<C>],
        rows: &[RowBlock],
        sums: &mut Sums,
    ) {
        for (row, sums) in sums.rows().enumerate().take(M) {
            for (tile, rows) in tile.iter().zip(rows) {
                for (lane, sum) in sums.iter_mut().enumerate() {
                    let products = (0..BLOCK).map(|input| {
                        let group = input / C::GROUP * LANES + lane;
                        let weight = tile.codes[group * C::GROUP + input % C::GROUP];
                        weight.into() * C::row_code(&rows.codes[row], input)
                    });
                    let exact: i32 = products.sum();
                    *sum += exact as f32 * (tile.scales[lane] * rows.scales[row]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::*;

    /// Pseudo-random numbers in 0..1.
    pub(super) fn noise(seed: u64) -> impl FnMut() -> f32 {
        let mut state = seed;
        move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 40) as f32 / (1 << 24) as f32
        }
    }

    /// The kernels that run on this machine.
    pub(super) fn kernels() -> impl Iterator<Item = Kernel> {
        let kernels = [
            #[cfg(target_arch = "x86_64")]
            is_x86_feature_detected!("avxvnni").then_some(Kernel::AvxVnni),
            #[cfg(target_arch = "x86_64")]
            (is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx512vl"))
                .then_some(Kernel::Avx512Vl),
            Kernel::detect(),
            Some(Kernel::Plain),
        ];
        kernels.into_iter().flatten()
    }

    fn weights(
        precision: Precision,
        outputs: usize,
        inputs: usize,
        mut code: impl FnMut() -> u8,
    ) -> Quantised {
        let bytes = outputs * inputs / BLOCK * precision.block_bytes();
        Quantised {
            precision,
            columns: inputs,
            codes: (0..bytes).map(|_| code()).collect(),
            scales: (0..outputs * inputs / BLOCK)
                .map(|index| f16::from_f32(0.01 + 0.001 * (index % 7) as f32))
                .collect(),
        }
    }

    fn product(parts: &[Quantised], rows: &[f32], kernel: Kernel) -> Vec<f32> {
        let matrix = BlockwiseMatrix::pack(parts, kernel).unwrap();
        let mut blocks = Rows::default();
        matrix.quantise(rows, &mut blocks);
        let count = rows.len() / parts[0].columns;
        let mut output = vec![0.0; count * matrix.outputs];
        matrix.add_products(&blocks, &mut output, matrix.outputs);
        output
    }

    /// Every kernel gives what the plain one gives, on shapes with and without remainders.
    #[test]
    fn kernels_agree_with_the_plain_one() {
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
                weights(Precision::Q4, outputs, inputs, || (next() * 256.0) as u8),
                weights(Precision::Q8, 3, inputs, || 0xF0),
            ];
            let mut next = noise(7);
            let rows: Vec<f32> = (0..rows * inputs).map(|_| 4.0 * next() - 2.0).collect();
            let expected = product(&parts, &rows, Kernel::Plain);
            for kernel in kernels() {
                let found = product(&parts, &rows, kernel);
                assert_eq!(found.len(), expected.len());
                for (found, expected) in found.iter().zip(&expected) {
                    assert!(
                        (found - expected).abs() < 1e-5 * (1.0 + expected.abs()),
                        "{kernel:?}: {found} {expected}"
                    );
                }
            }
        }
    }

    /// The largest sums there can be, zeros, and values that are almost nothing.
    #[test]
    fn extremes_do_not_overflow() {
        let rows = [[1.0; 32], [-1.0; 32], [0.0; 32], [1e-30; 32]].concat();
        for (precision, code, weight) in [
            (Precision::Q4, 0x00, -8.0),
            (Precision::Q4, 0xFF, 7.0),
            (Precision::Q4, 0x88, 0.0),
            (Precision::Q8, 0x80, -128.0),
            (Precision::Q8, 0x7F, 127.0),
        ] {
            let parts = [weights(precision, 8, 32, || code)];
            let found = product(&parts, &rows, Kernel::Plain);
            for kernel in kernels() {
                assert_eq!(product(&parts, &rows, kernel), found, "{kernel:?}");
            }
            let exact = 32.0 * weight * parts[0].scales[0].to_f32();
            let error = 1e-5 * exact.abs();
            assert!((found[0] - exact).abs() <= error, "{} {exact}", found[0]);
            assert!((found[8] + exact).abs() <= error, "{} {exact}", found[8]);
            assert!(found[16..24].iter().all(|&value| value == 0.0));
        }
    }

    /// Against the weights in f64: what rounding the rows costs.
    #[test]
    fn rounding_the_rows_costs_as_little_as_f32() {
        let mut next = noise(3);
        let parts = [weights(Precision::Q4, 64, 384, || (next() * 256.0) as u8)];
        let mut next = noise(5);
        let rows: Vec<f32> = (0..384).map(|_| next() - 0.5).collect();
        let found = product(&parts, &rows, Kernel::Plain);
        let weights = parts[0].dequantise();
        for (found, weights) in found.iter().zip(weights.chunks_exact(384)) {
            let products = weights.iter().zip(&rows);
            let products = products.map(|(weight, value)| f64::from(*weight) * f64::from(*value));
            let magnitude: f64 = products.clone().map(f64::abs).sum();
            let error = (f64::from(*found) - products.sum::<f64>()).abs();
            let least = 0.1 / f64::from(i8::MOST);
            assert!(error < least * magnitude, "{error} of {magnitude}");
        }
    }

    #[test]
    fn matrices_of_different_widths_are_not_stacked() {
        let parts = [32, 64].map(|columns| Quantised::q8(&[1.0; 64], columns));
        assert!(BlockwiseMatrix::pack(&parts, Kernel::Plain).is_none());
        assert!(BlockwiseMatrix::pack(&[], Kernel::Plain).is_none());
    }
}
