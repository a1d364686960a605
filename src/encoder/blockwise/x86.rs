//! x86: 8 outputs, two inputs of each, in an instruction of VNNI.

use std::arch::x86_64::*;

use super::{BLOCK, LANES, PAIR, RowBlock, steps};

/// See [`super::Kernel::quantise`].
#[target_feature(enable = "avx2,fma")]
pub(super) fn quantise(values: &[f32; BLOCK], block: &mut RowBlock) {
    let (parts, _) = values.as_chunks::<LANES>();
    // SAFETY: each part holds 8 floats.
    let parts: [__m256; BLOCK / LANES] =
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
    for (half, (low, high)) in [(a, b), (c, d)].into_iter().enumerate() {
        // Packing works in halves: back into the order of the values.
        let codes = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(low, high));
        // SAFETY: each half of the codes is 32 bytes.
        unsafe { _mm256_storeu_si256(block.codes.as_mut_ptr().add(16 * half).cast(), codes) };
    }
    block.scale = scale;
}

/// The kernel of one of the two encodings of VNNI.
macro_rules! vnni {
    ($name:ident, $features:literal, $multiply_add:ident) => {
        pub(super) mod $name {
            use super::*;
            use crate::encoder::blockwise::{Sums, WeightBlock};

            /// See [`super::super::Kernel::sums`].
            #[target_feature(enable = $features)]
            pub(in super::super) fn sums<const M: usize>(
                weights: &[WeightBlock],
                rows: [&[RowBlock]; M],
            ) -> Sums<M> {
                let rows = rows.map(|row| &row[..weights.len()]);
                let mut totals = [_mm256_setzero_ps(); M];
                for (place, block) in weights.iter().enumerate() {
                    let mut sums = [_mm256_setzero_si256(); M];
                    for (pair, codes) in block.codes.iter().enumerate() {
                        // SAFETY: the codes of a pair are 16 bytes.
                        let codes = unsafe { _mm_loadu_si128(codes.as_ptr().cast()) };
                        let codes = _mm256_cvtepi8_epi16(codes);
                        for (sum, row) in sums.iter_mut().zip(rows) {
                            let row = _mm256_set1_epi32(joined(&row[place].codes, pair));
                            *sum = $multiply_add(*sum, codes, row);
                        }
                    }
                    // SAFETY: a block has 8 scales.
                    let scales = unsafe { _mm256_loadu_ps(block.scales.as_ptr()) };
                    for ((total, sum), row) in totals.iter_mut().zip(sums).zip(rows) {
                        let scales = _mm256_mul_ps(scales, _mm256_set1_ps(row[place].scale));
                        *total = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), scales, *total);
                    }
                }
                totals.map(|total| {
                    let mut sums = [0.0; LANES];
                    // SAFETY: there are 8 sums.
                    unsafe { _mm256_storeu_ps(sums.as_mut_ptr(), total) };
                    sums
                })
            }
        }
    };
}

vnni!(avx512, "avx2,fma,avx512vnni,avx512vl", _mm256_dpwssd_epi32);
vnni!(avx, "avx2,fma,avxvnni", _mm256_dpwssd_avx_epi32);

/// A pair of codes as one number.
#[inline(always)]
fn joined(codes: &[i16; BLOCK], pair: usize) -> i32 {
    let [low, high] = codes.as_chunks::<PAIR>().0[pair];
    i32::from(high) << 16 | i32::from(low as u16)
}
