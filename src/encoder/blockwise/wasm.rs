//! WebAssembly's 128-bit vectors: 4 outputs, four inputs of each, in an instruction of relaxed SIMD;
//! without it 2 outputs, in 16 bits. Both give the same sums: they are whole numbers.

use std::arch::wasm32::*;

use super::{BLOCK, GROUP, LANES, RowBlock, Sums, WeightBlock, steps};

/// Outputs of a vector of sums.
const HALF: usize = LANES / 2;

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
    let words: [v128; BLOCK / 8] = std::array::from_fn(|index| {
        i16x8_narrow_i32x4(round(parts[2 * index]), round(parts[2 * index + 1]))
    });
    let (low, high) = (
        i8x16_narrow_i16x8(words[0], words[1]),
        i8x16_narrow_i16x8(words[2], words[3]),
    );
    // Sums of two neighbours, then of every second of these.
    let sums = i16x8_add(
        i16x8_extadd_pairwise_i8x16(low),
        i16x8_extadd_pairwise_i8x16(high),
    );
    let sums = i16x8_add(sums, i32x4_shuffle::<2, 3, 0, 1>(sums, sums));
    let sums = i16x8_add(sums, i32x4_shuffle::<1, 0, 3, 2>(sums, sums));
    // SAFETY: the codes are 32 bytes.
    unsafe {
        v128_store(block.codes.as_mut_ptr().cast(), low);
        v128_store(block.codes.as_mut_ptr().add(16).cast(), high);
    }
    block.offset = [
        -8 * i16x8_extract_lane::<0>(sums),
        -8 * i16x8_extract_lane::<1>(sums),
    ];
    block.scale = scale;
}

/// See [`super::Kernel::sums`].
pub(super) fn sums<const M: usize>(weights: &[WeightBlock], rows: [&[RowBlock]; M]) -> Sums<M> {
    let rows = rows.map(|row| &row[..weights.len()]);
    let mut sums = [[0.0; LANES]; M];
    for half in 0..LANES / HALF {
        let mut totals = [f32x4_splat(0.0); M];
        for (place, block) in weights.iter().enumerate() {
            let blocks = rows.map(|row| &row[place]);
            // SAFETY: each half has 4 scales.
            let scales = unsafe { v128_load(block.scales.as_ptr().add(half * HALF).cast()) };
            let exact = exact(block, half, blocks);
            for ((total, exact), row) in totals.iter_mut().zip(exact).zip(blocks) {
                let scales = f32x4_mul(scales, f32x4_splat(row.scale));
                *total = f32x4_add(*total, f32x4_mul(f32x4_convert_i32x4(exact), scales));
            }
        }
        for (sums, total) in sums.iter_mut().zip(totals) {
            // SAFETY: each half has 4 sums.
            unsafe { v128_store(sums.as_mut_ptr().add(half * HALF).cast(), total) };
        }
    }
    sums
}

/// A block's sums of 4 outputs, whole numbers.
#[cfg(target_feature = "relaxed-simd")]
fn exact<const M: usize>(block: &WeightBlock, half: usize, rows: [&RowBlock; M]) -> [v128; M] {
    // SAFETY: the offset is 4 bytes.
    let offset = |row: &RowBlock| unsafe { v128_load32_splat(row.offset.as_ptr().cast()) };
    let mut sums = rows.map(offset);
    for (group, codes) in block.codes.iter().enumerate() {
        // SAFETY: a group's codes are two times 16 bytes.
        let codes = unsafe { v128_load(codes.as_ptr().add(half * 16).cast()) };
        for (sum, row) in sums.iter_mut().zip(rows) {
            // SAFETY: a group of a row is 4 bytes.
            let row = unsafe { v128_load32_splat(row.codes.as_ptr().add(group * GROUP).cast()) };
            // Codes are below 16, for which the instruction has one meaning on every CPU.
            *sum = i16x8_add(*sum, i16x8_relaxed_dot_i8x16_i7x16(row, codes));
        }
    }
    sums.map(|sum| i32x4_extadd_pairwise_i16x8(sum))
}

/// A block's sums of 4 outputs, whole numbers.
#[cfg(not(target_feature = "relaxed-simd"))]
fn exact<const M: usize>(block: &WeightBlock, half: usize, rows: [&RowBlock; M]) -> [v128; M] {
    // Two outputs each, in two parts.
    let (mut low, mut high) = ([i32x4_splat(0); M], [i32x4_splat(0); M]);
    let (pairs, _) = block.codes.as_chunks::<2>();
    for (pair, groups) in pairs.iter().enumerate() {
        // SAFETY: two groups of a row are 8 bytes.
        let row = |row: &RowBlock| unsafe {
            i16x8_load_extend_i8x8(row.codes.as_ptr().add(pair * 2 * GROUP))
        };
        let rows = rows.map(row);
        let halves = [
            rows.map(|row| i64x2_shuffle::<0, 0>(row, row)),
            rows.map(|row| i64x2_shuffle::<1, 1>(row, row)),
        ];
        for (codes, rows) in groups.iter().zip(halves) {
            // SAFETY: a group's codes are two times 16 bytes.
            let codes = unsafe { v128_load(codes.as_ptr().add(half * 16).cast()) };
            let (first, second) = (
                i16x8_extend_low_u8x16(codes),
                i16x8_extend_high_u8x16(codes),
            );
            for index in 0..M {
                low[index] = i32x4_add(low[index], i32x4_dot_i16x8(first, rows[index]));
                high[index] = i32x4_add(high[index], i32x4_dot_i16x8(second, rows[index]));
            }
        }
    }
    std::array::from_fn(|index| {
        let (low, high) = (low[index], high[index]);
        let even = i32x4_shuffle::<0, 2, 4, 6>(low, high);
        let odd = i32x4_shuffle::<1, 3, 5, 7>(low, high);
        let offset = rows[index].offset;
        let offset = i32x4_splat(i32::from(offset[0]) + i32::from(offset[1]));
        i32x4_add(i32x4_add(even, odd), offset)
    })
}
