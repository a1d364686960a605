//! ARM: four inputs of 4 outputs in an instruction, `sdot`.

use std::arch::aarch64::*;
use std::arch::asm;

use super::planes::{BITS, QUAD};
use super::{BLOCK, Code, LANES, RowBlock, Sums, Tile, steps};

/// Vectors of the outputs of a tile.
const VECTORS: usize = LANES / 4;

/// See [`super::Kernel::quantise`].
pub(super) fn quantise(values: &[f32; BLOCK], most: i16, codes: &mut [i16; BLOCK]) -> f32 {
    let (parts, _) = values.as_chunks::<4>();
    // SAFETY: each part holds 4 floats; every CPU of the kind has the instructions.
    unsafe {
        let parts: [float32x4_t; BLOCK / 4] =
            std::array::from_fn(|index| vld1q_f32(parts[index].as_ptr()));
        let largest = parts.map(|part| vabsq_f32(part));
        let largest = largest.into_iter().reduce(|a, b| vmaxq_f32(a, b));
        let largest = largest.map_or(0.0, |largest| vmaxvq_f32(largest));
        let (factor, scale) = steps(largest, most);
        let round = |part| vqmovn_s32(vcvtnq_s32_f32(vmulq_n_f32(part, factor)));
        for (part, codes) in parts.into_iter().zip(codes.as_chunks_mut::<4>().0) {
            vst1_s16(codes.as_mut_ptr(), round(part));
        }
        scale
    }
}

/// Adds the products of a quad of the weights of 4 outputs with one of four quads of a row. The
/// library's function for the instruction is not stable yet.
macro_rules! add_dot {
    ($sum:expr, $weights:expr, $row:expr, $quad:literal) => {
        asm!(
            concat!("sdot {0:v}.4s, {1:v}.16b, {2:v}.4b[", $quad, "]"),
            inlateout(vreg) $sum,
            in(vreg) $weights,
            in(vreg) $row,
            options(pure, nomem, nostack, preserves_flags),
        )
    };
}

/// See [`super::Kernel::add_products`].
#[target_feature(enable = "dotprod")]
pub(super) fn add_products<C: Code, const M: usize>(
    tile: &[Tile<C>],
    rows: &[RowBlock],
    sums: &mut Sums,
) {
    let mut totals = [[vdupq_n_f32(0.0); VECTORS]; M];
    for (totals, sums) in totals.iter_mut().zip(sums.rows()) {
        // SAFETY: there are 4 sums for each vector.
        *totals = std::array::from_fn(|part| unsafe { vld1q_f32(sums[4 * part..].as_ptr()) });
    }
    for (tile, rows) in tile.iter().zip(rows) {
        // SAFETY: there are 4 starts for each vector.
        let starts: [int32x4_t; VECTORS] =
            std::array::from_fn(|part| unsafe { vld1q_s32(tile.starts[4 * part..].as_ptr()) });
        let mut sums = [starts; M];
        for plane in 0..2 {
            if plane == 1 {
                for sum in sums.as_flattened_mut() {
                    *sum = vshlq_n_s32::<{ BITS as i32 }>(*sum);
                }
            }
            // Four quads of inputs at a time.
            for (part, quads) in tile.codes.chunks_exact(4 * QUAD * LANES).enumerate() {
                let place = plane * BLOCK + part * 4 * QUAD;
                // SAFETY: the planes of a row are twice as many bytes as codes.
                let rows: [int8x16_t; M] = std::array::from_fn(|row| unsafe {
                    vld1q_s8(rows.codes[row].as_ptr().cast::<i8>().add(place))
                });
                macro_rules! add_quad {
                    ($quad:literal) => {
                        let weights = &quads[$quad * QUAD * LANES..][..QUAD * LANES];
                        for part in 0..VECTORS {
                            // SAFETY: a quad of 4 outputs are 16 weights of one byte.
                            let weights =
                                unsafe { vld1q_s8(weights[4 * QUAD * part..].as_ptr().cast()) };
                            for (sums, row) in sums.iter_mut().zip(rows) {
                                // SAFETY: the CPU has the instruction, which only computes.
                                unsafe { add_dot!(sums[part], weights, row, $quad) };
                            }
                        }
                    };
                }
                add_quad!(0);
                add_quad!(1);
                add_quad!(2);
                add_quad!(3);
            }
        }
        for ((totals, sums), scale) in totals.iter_mut().zip(sums).zip(rows.scales) {
            for (part, (total, sum)) in totals.iter_mut().zip(sums).enumerate() {
                // SAFETY: there are 4 scales for each vector.
                let scales = unsafe { vld1q_f32(tile.scales[4 * part..].as_ptr()) };
                *total = vfmaq_f32(*total, vcvtq_f32_s32(sum), vmulq_n_f32(scales, scale));
            }
        }
    }
    for (sums, totals) in sums.rows().zip(totals) {
        for (part, total) in totals.into_iter().enumerate() {
            // SAFETY: there are 4 sums for each vector.
            unsafe { vst1q_f32(sums[4 * part..].as_mut_ptr(), total) };
        }
    }
}
