//! WebAssembly's 128-bit vectors: two inputs of 4 outputs in an instruction.

use std::arch::wasm32::*;

use super::{BLOCK, Code, LANES, PAIR, RowBlock, Sums, Tile, steps};

/// Pairs of inputs in a loop. A whole block's would be written out, and then a browser's compiler no
/// longer keeps all sums in registers and loses a third of the speed.
const LOOPED: usize = 8;

/// See [`super::Kernel::quantise`].
pub(super) fn quantise(values: &[f32; BLOCK], most: i16, codes: &mut [i16; BLOCK]) -> f32 {
    let (parts, _) = values.as_chunks::<4>();
    // SAFETY: each part holds 4 floats.
    let parts: [v128; BLOCK / 4] =
        std::array::from_fn(|index| unsafe { v128_load(parts[index].as_ptr().cast()) });
    let largest = parts.map(|part| f32x4_abs(part));
    let largest = largest
        .into_iter()
        .fold(f32x4_splat(0.0), |most, part| f32x4_pmax(most, part));
    let largest = f32x4_pmax(largest, i32x4_shuffle::<2, 3, 0, 1>(largest, largest));
    let largest = f32x4_pmax(largest, i32x4_shuffle::<1, 0, 3, 2>(largest, largest));
    let (factor, scale) = steps(f32x4_extract_lane::<0>(largest), most);
    let factor = f32x4_splat(factor);
    let round = |part| i32x4_trunc_sat_f32x4(f32x4_nearest(f32x4_mul(part, factor)));
    for (part, codes) in codes.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        let packed = i16x8_narrow_i32x4(round(parts[2 * part]), round(parts[2 * part + 1]));
        // SAFETY: each part of the codes is 16 bytes.
        unsafe { v128_store(codes.as_mut_ptr().cast(), packed) };
    }
    scale
}

/// See [`super::Kernel::add_products`].
pub(super) fn add_products<C: Code, const M: usize>(
    tile: &[Tile<C>],
    rows: &[RowBlock],
    sums: &mut Sums,
) {
    let mut totals = [[f32x4_splat(0.0); 2]; M];
    for (totals, sums) in totals.iter_mut().zip(sums.rows()) {
        let (halves, _) = sums.as_chunks::<4>();
        for (total, half) in totals.iter_mut().zip(halves) {
            // SAFETY: half of the sums are 4.
            *total = unsafe { v128_load(half.as_ptr().cast()) };
        }
    }
    for (tile, rows) in tile.iter().zip(rows) {
        #[cfg(target_feature = "relaxed-simd")]
        let sums = if C::GROUP == super::planes::QUAD {
            relaxed::products::<C, M>(tile, rows)
        } else {
            products::<C, M>(tile, rows)
        };
        #[cfg(not(target_feature = "relaxed-simd"))]
        let sums = products::<C, M>(tile, rows);
        // SAFETY: a tile has two times 4 scales.
        let scales =
            [0, 4].map(|first| unsafe { v128_load(tile.scales.as_ptr().add(first).cast()) });
        for ((totals, sums), scale) in totals.iter_mut().zip(sums).zip(rows.scales) {
            let step = f32x4_splat(scale);
            for ((total, sum), scales) in totals.iter_mut().zip(sums).zip(scales) {
                let sum = f32x4_mul(f32x4_convert_i32x4(sum), f32x4_mul(scales, step));
                *total = f32x4_add(*total, sum);
            }
        }
    }
    for (sums, totals) in sums.rows().zip(totals) {
        let (halves, _) = sums.as_chunks_mut::<4>();
        for (half, total) in halves.iter_mut().zip(totals) {
            // SAFETY: half of the sums are 4.
            unsafe { v128_store(half.as_mut_ptr().cast(), total) };
        }
    }
}

/// The sums of one block, exactly.
#[inline(always)]
fn products<C: Code, const M: usize>(tile: &Tile<C>, rows: &RowBlock) -> [[v128; 2]; M] {
    let mut sums = [[i32x4_splat(0); 2]; M];
    let (pairs, _) = tile.codes.as_chunks::<{ PAIR * LANES }>();
    for (part, pairs) in pairs.chunks_exact(LOOPED).enumerate() {
        for (pair, weights) in pairs.iter().enumerate() {
            // SAFETY: half of the weights of a pair are 4 times two codes of one or two bytes.
            let weights = [0, LANES / 2].map(|first| unsafe {
                let weights = weights.as_ptr().add(first * PAIR);
                match size_of::<C>() {
                    1 => i16x8_load_extend_i8x8(weights.cast()),
                    _ => v128_load(weights.cast()),
                }
            });
            let place = (part * LOOPED + pair) * PAIR;
            for (sums, row) in sums.iter_mut().zip(&rows.codes) {
                // SAFETY: a pair of the codes of a row is 4 bytes.
                let row = unsafe { v128_load32_splat(row.as_ptr().add(place).cast()) };
                for (sum, weights) in sums.iter_mut().zip(weights) {
                    *sum = i32x4_add(*sum, i32x4_dot_i16x8(weights, row));
                }
            }
        }
    }
    sums
}

/// Relaxed SIMD: four inputs of 4 outputs in an instruction.
#[cfg(target_feature = "relaxed-simd")]
mod relaxed {
    use super::super::planes::{BITS, QUAD};
    use super::*;

    /// One of four quads, for all lanes.
    #[inline(always)]
    fn spread(quads: v128, quad: usize) -> v128 {
        match quad {
            0 => i32x4_shuffle::<0, 0, 0, 0>(quads, quads),
            1 => i32x4_shuffle::<1, 1, 1, 1>(quads, quads),
            2 => i32x4_shuffle::<2, 2, 2, 2>(quads, quads),
            _ => i32x4_shuffle::<3, 3, 3, 3>(quads, quads),
        }
    }

    /// See [`super::products`]: first with the high bits of the rows, then with the low ones.
    #[inline]
    pub(super) fn products<C: Code, const M: usize>(
        tile: &Tile<C>,
        rows: &RowBlock,
    ) -> [[v128; 2]; M] {
        // SAFETY: a tile has two times 4 starts.
        let starts =
            [0, 4].map(|first| unsafe { v128_load(tile.starts.as_ptr().add(first).cast()) });
        let mut sums = [starts; M];
        let (quads, _) = tile.codes.as_chunks::<{ QUAD * LANES }>();
        for plane in 0..2 {
            if plane == 1 {
                sums = sums.map(|sums| sums.map(|sum| i32x4_shl(sum, BITS)));
            }
            for (part, quads) in quads.chunks_exact(4).enumerate() {
                let place = plane * BLOCK + part * 4 * QUAD;
                // SAFETY: the planes of a row are twice as many bytes as codes.
                let rows: [v128; M] = std::array::from_fn(|row| unsafe {
                    v128_load(rows.codes[row].as_ptr().cast::<u8>().add(place).cast())
                });
                for (quad, weights) in quads.iter().enumerate() {
                    // SAFETY: half of the weights of a quad are 4 times four bytes.
                    let weights = [0, LANES / 2].map(|first| unsafe {
                        v128_load(weights.as_ptr().add(first * QUAD).cast())
                    });
                    for (sums, row) in sums.iter_mut().zip(rows) {
                        let row = spread(row, quad);
                        for (sum, weights) in sums.iter_mut().zip(weights) {
                            *sum = i32x4_relaxed_dot_i8x16_i7x16_add(weights, row, *sum);
                        }
                    }
                }
            }
        }
        sums
    }
}
