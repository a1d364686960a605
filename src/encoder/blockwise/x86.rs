//! x86: two inputs of 16 or of 8 outputs in an instruction of VNNI.

use std::arch::x86_64::*;

use super::{BLOCK, Code, LANES, PAIR, RowBlock, Sums, Tile, steps};

/// See [`super::Kernel::quantise`].
#[target_feature(enable = "avx2,fma")]
pub(super) fn quantise(values: &[f32; BLOCK], most: i16, codes: &mut [i16; BLOCK]) -> f32 {
    let (parts, _) = values.as_chunks::<8>();
    // SAFETY: each part holds 8 floats.
    let parts: [__m256; BLOCK / 8] =
        std::array::from_fn(|index| unsafe { _mm256_loadu_ps(parts[index].as_ptr()) });
    let sign = _mm256_set1_ps(-0.0);
    let [a, b, c, d] = parts.map(|part| _mm256_andnot_ps(sign, part));
    let largest = _mm256_max_ps(_mm256_max_ps(a, b), _mm256_max_ps(c, d));
    let largest = _mm_max_ps(
        _mm256_castps256_ps128(largest),
        _mm256_extractf128_ps::<1>(largest),
    );
    let largest = _mm_max_ps(largest, _mm_movehl_ps(largest, largest));
    let largest = _mm_max_ss(largest, _mm_shuffle_ps::<1>(largest, largest));
    let (factor, scale) = steps(_mm_cvtss_f32(largest), most);
    let factor = _mm256_set1_ps(factor);
    let [a, b, c, d] = parts.map(|part| _mm256_cvtps_epi32(_mm256_mul_ps(part, factor)));
    for (half, (low, high)) in [(a, b), (c, d)].into_iter().enumerate() {
        // Packing works in halves: back into the order of the values.
        let packed = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(low, high));
        // SAFETY: each half of the codes is 32 bytes.
        unsafe { _mm256_storeu_si256(codes.as_mut_ptr().add(16 * half).cast(), packed) };
    }
    scale
}

/// A pair of the codes of a row as one number.
#[inline(always)]
fn joined(codes: &[i16; BLOCK], pair: usize) -> i32 {
    let [low, high] = codes.as_chunks::<PAIR>().0[pair];
    i32::from(high) << 16 | i32::from(low as u16)
}

/// See [`super::Kernel::add_products`].
#[target_feature(enable = "avx512vnni,avx512bw")]
pub(super) fn add_products_512<C: Code, const M: usize>(
    tile: &[Tile<C>],
    rows: &[RowBlock],
    sums: &mut Sums,
) {
    let mut totals = [_mm512_setzero_ps(); M];
    for (total, sums) in totals.iter_mut().zip(sums.rows()) {
        // SAFETY: there are 16 sums.
        *total = unsafe { _mm512_loadu_ps(sums.as_ptr()) };
    }
    for (tile, rows) in tile.iter().zip(rows) {
        let mut sums = [_mm512_setzero_si512(); M];
        for (pair, weights) in tile.codes.chunks_exact(PAIR * LANES).enumerate() {
            let weights = weights.as_ptr();
            // SAFETY: the weights of a pair are 16 times two codes of one or of two bytes.
            let weights = unsafe {
                match size_of::<C>() {
                    1 => _mm512_cvtepi8_epi16(_mm256_loadu_si256(weights.cast())),
                    _ => _mm512_loadu_si512(weights.cast()),
                }
            };
            for (sum, row) in sums.iter_mut().zip(&rows.codes) {
                *sum = _mm512_dpwssd_epi32(*sum, weights, _mm512_set1_epi32(joined(row, pair)));
            }
        }
        // SAFETY: a tile has 16 scales.
        let scales = unsafe { _mm512_loadu_ps(tile.scales.as_ptr()) };
        for ((total, sum), scale) in totals.iter_mut().zip(sums).zip(rows.scales) {
            let scales = _mm512_mul_ps(scales, _mm512_set1_ps(scale));
            *total = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scales, *total);
        }
    }
    for (sums, total) in sums.rows().zip(totals) {
        // SAFETY: there are 16 sums.
        unsafe { _mm512_storeu_ps(sums.as_mut_ptr(), total) };
    }
}

/// The same with vectors of 8 outputs.
macro_rules! add_products_256 {
    ($(#[$attribute:meta])* $name:ident, $dot:ident) => {
        /// See [`super::Kernel::add_products`].
        $(#[$attribute])*
        pub(super) fn $name<C: Code, const M: usize>(
            tile: &[Tile<C>],
            rows: &[RowBlock],
            sums: &mut Sums,
        ) {
            for first in [0, LANES / 2] {
                let mut totals = [_mm256_setzero_ps(); M];
                for (total, sums) in totals.iter_mut().zip(sums.rows()) {
                    // SAFETY: half of the sums are 8.
                    *total = unsafe { _mm256_loadu_ps(sums[first..].as_ptr()) };
                }
                for (tile, rows) in tile.iter().zip(rows) {
                    let mut sums = [_mm256_setzero_si256(); M];
                    for (pair, weights) in tile.codes.chunks_exact(PAIR * LANES).enumerate() {
                        let weights = weights[first * PAIR..].as_ptr();
                        // SAFETY: half of the weights of a pair are 8 times two codes of one or of two bytes.
                        let weights = unsafe {
                            match size_of::<C>() {
                                1 => _mm256_cvtepi8_epi16(_mm_loadu_si128(weights.cast())),
                                _ => _mm256_loadu_si256(weights.cast()),
                            }
                        };
                        for (sum, row) in sums.iter_mut().zip(&rows.codes) {
                            let row = _mm256_set1_epi32(joined(row, pair));
                            *sum = $dot(*sum, weights, row);
                        }
                    }
                    // SAFETY: half of a tile has 8 scales.
                    let scales = unsafe { _mm256_loadu_ps(tile.scales[first..].as_ptr()) };
                    for ((total, sum), scale) in totals.iter_mut().zip(sums).zip(rows.scales) {
                        let scales = _mm256_mul_ps(scales, _mm256_set1_ps(scale));
                        *total = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), scales, *total);
                    }
                }
                for (sums, total) in sums.rows().zip(totals) {
                    // SAFETY: half of the sums are 8.
                    unsafe { _mm256_storeu_ps(sums[first..].as_mut_ptr(), total) };
                }
            }
        }
    };
}

add_products_256! {
    #[target_feature(enable = "avx2,fma,avxvnni")]
    add_products_256, _mm256_dpwssd_avx_epi32
}
// CPUs with AVX-512 may lack AVX-VNNI, but have the instruction in another form.
#[cfg(test)]
add_products_256! {
    #[target_feature(enable = "avx2,fma,avx512vnni,avx512vl")]
    add_products_256_vl, _mm256_dpwssd_epi32
}
