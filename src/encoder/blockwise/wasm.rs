//! WebAssembly's 128-bit vectors: 4 outputs, two inputs of each, in an instruction.

use std::arch::wasm32::*;

use super::{BLOCK, LANES, PAIR, RowBlock, Sums, WeightBlock, steps};

/// See [`super::Kernel::quantise`].
pub(super) fn quantise(values: &[f32; BLOCK], block: &mut RowBlock) {
    let (parts, _) = values.as_chunks::<4>();
    // SAFETY: each part holds 4 floats.
    let parts: [v128; BLOCK / 4] =
        std::array::from_fn(|index| unsafe { v128_load(parts[index].as_ptr().cast()) });
    let most = parts.map(|part| f32x4_abs(part));
    let most = most
        .into_iter()
        .fold(f32x4_splat(0.0), |most, part| f32x4_pmax(most, part));
    let lanes = [
        f32x4_extract_lane::<0>(most),
        f32x4_extract_lane::<1>(most),
        f32x4_extract_lane::<2>(most),
        f32x4_extract_lane::<3>(most),
    ];
    let (factor, scale) = steps(lanes.into_iter().fold(0.0, f32::max));
    let factor = f32x4_splat(factor);
    let round = |part| i32x4_trunc_sat_f32x4(f32x4_nearest(f32x4_mul(part, factor)));
    for half in 0..BLOCK / 8 {
        let codes = i16x8_narrow_i32x4(round(parts[2 * half]), round(parts[2 * half + 1]));
        // SAFETY: each part of the codes is 16 bytes.
        unsafe { v128_store(block.codes.as_mut_ptr().add(8 * half).cast(), codes) };
    }
    block.scale = scale;
}

/// See [`super::Kernel::sums`].
pub(super) fn sums<const M: usize>(weights: &[WeightBlock], rows: [&[RowBlock]; M]) -> Sums<M> {
    let rows = rows.map(|row| &row[..weights.len()]);
    let mut totals = [[f32x4_splat(0.0); 2]; M];
    for (place, block) in weights.iter().enumerate() {
        let mut sums = [[i32x4_splat(0); 2]; M];
        for (pair, codes) in block.codes.iter().enumerate() {
            // SAFETY: the codes of a pair are two times 8 bytes.
            let codes = [0, LANES]
                .map(|first| unsafe { i16x8_load_extend_i8x8(codes.as_ptr().add(first)) });
            for (sums, row) in sums.iter_mut().zip(rows) {
                // SAFETY: a pair of a row is 4 bytes.
                let row =
                    unsafe { v128_load32_splat(row[place].codes.as_ptr().add(PAIR * pair).cast()) };
                for (sum, codes) in sums.iter_mut().zip(codes) {
                    *sum = i32x4_add(*sum, i32x4_dot_i16x8(codes, row));
                }
            }
        }
        // SAFETY: a block has two times 4 scales.
        let scales =
            [0, 4].map(|first| unsafe { v128_load(block.scales.as_ptr().add(first).cast()) });
        for ((totals, sums), row) in totals.iter_mut().zip(sums).zip(rows) {
            let step = f32x4_splat(row[place].scale);
            for ((total, sum), scales) in totals.iter_mut().zip(sums).zip(scales) {
                let sum = f32x4_mul(f32x4_convert_i32x4(sum), f32x4_mul(scales, step));
                *total = f32x4_add(*total, sum);
            }
        }
    }
    totals.map(|halves| {
        let mut sums = [0.0; LANES];
        for (part, total) in halves.into_iter().enumerate() {
            // SAFETY: there are two times 4 sums.
            unsafe { v128_store(sums.as_mut_ptr().add(4 * part).cast(), total) };
        }
        sums
    })
}
