//! AVX2: 8 outputs, four inputs of each, in an instruction.

use std::arch::x86_64::*;

use super::{BLOCK, GROUP, LANES, RowBlock, Sums, WeightBlock, steps};

/// See [`super::Kernel::quantise`].
#[target_feature(enable = "avx2,fma")]
pub(super) fn quantise(values: &[f32; BLOCK], block: &mut RowBlock) {
    let (parts, _) = values.as_chunks::<8>();
    // SAFETY: each part holds 8 floats.
    let parts: [__m256; BLOCK / 8] =
        std::array::from_fn(|index| unsafe { _mm256_loadu_ps(parts[index].as_ptr()) });
    let sign = _mm256_set1_ps(-0.0);
    let [a, b, c, d] = parts.map(|part| _mm256_andnot_ps(sign, part));
    let most = _mm256_max_ps(_mm256_max_ps(a, b), _mm256_max_ps(c, d));
    let most = _mm_max_ps(
        _mm256_castps256_ps128(most),
        _mm256_extractf128_ps::<1>(most),
    );
    let most = _mm_max_ps(most, _mm_movehl_ps(most, most));
    let most = _mm_max_ss(most, _mm_shuffle_ps::<1>(most, most));
    let (factor, scale) = steps(_mm_cvtss_f32(most));
    let factor = _mm256_set1_ps(factor);
    let [a, b, c, d] = parts.map(|part| _mm256_cvtps_epi32(_mm256_mul_ps(part, factor)));
    let codes = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
    // Packing works in halves: back into the order of the values.
    let codes = _mm256_permutevar8x32_epi32(codes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    // 8 x the sums of two neighbours, then of every second of these.
    let sums = _mm256_maddubs_epi16(_mm256_set1_epi8(8), codes);
    let sums = _mm_add_epi16(
        _mm256_castsi256_si128(sums),
        _mm256_extracti128_si256::<1>(sums),
    );
    let sums = _mm_add_epi16(sums, _mm_shuffle_epi32::<0b01_00_11_10>(sums));
    let sums = _mm_add_epi16(sums, _mm_shuffle_epi32::<0b10_11_00_01>(sums));
    let sums = _mm_cvtsi128_si32(_mm_sub_epi16(_mm_setzero_si128(), sums));
    // SAFETY: the codes are 32 bytes.
    unsafe { _mm256_storeu_si256(block.codes.as_mut_ptr().cast(), codes) };
    block.offset = [sums as i16, (sums >> 16) as i16];
    block.scale = scale;
}

/// See [`super::Kernel::sums`].
#[target_feature(enable = "avx2,fma")]
pub(super) fn sums<const M: usize>(weights: &[WeightBlock], rows: [&[RowBlock]; M]) -> Sums<M> {
    let rows = rows.map(|row| &row[..weights.len()]);
    let ones = _mm256_set1_epi16(1);
    let mut totals = [_mm256_setzero_ps(); M];
    for (place, block) in weights.iter().enumerate() {
        let mut sums = rows.map(|row| _mm256_set1_epi32(pair(row[place].offset)));
        for (group, codes) in block.codes.iter().enumerate() {
            // SAFETY: a group's codes are 32 bytes.
            let codes = unsafe { _mm256_loadu_si256(codes.as_ptr().cast()) };
            for (sum, row) in sums.iter_mut().zip(rows) {
                // Below 2 x 15 x 127, so nothing saturates; sums wrap, and end below 2^15.
                let row = _mm256_set1_epi32(quad(&row[place].codes, group));
                *sum = _mm256_add_epi16(*sum, _mm256_maddubs_epi16(codes, row));
            }
        }
        // SAFETY: a block has 8 scales.
        let scales = unsafe { _mm256_loadu_ps(block.scales.as_ptr()) };
        for ((total, sum), row) in totals.iter_mut().zip(sums).zip(rows) {
            let exact = _mm256_cvtepi32_ps(_mm256_madd_epi16(sum, ones));
            let scales = _mm256_mul_ps(scales, _mm256_set1_ps(row[place].scale));
            *total = _mm256_fmadd_ps(exact, scales, *total);
        }
    }
    totals.map(|total| {
        let mut sums = [0.0; LANES];
        // SAFETY: there are 8 sums.
        unsafe { _mm256_storeu_ps(sums.as_mut_ptr(), total) };
        sums
    })
}

/// Two numbers as one.
fn pair([low, high]: [i16; 2]) -> i32 {
    i32::from(high) << 16 | i32::from(low as u16)
}

/// The codes of a group as one number.
fn quad(codes: &[i8; BLOCK], group: usize) -> i32 {
    let codes = codes.as_chunks::<GROUP>().0[group];
    i32::from_le_bytes(codes.map(|code| code as u8))
}
