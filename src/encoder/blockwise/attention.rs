//! Attention in whole numbers: keys and values are matrices like any other, of 16-bit codes.

use rten_simd::SimdOp;
use rten_vecmath::Softmax;

use super::{BLOCK, BlockwiseMatrix, Code, Kernel, ROWS, Rows};

/// Whether heads of this width can be attended to in whole numbers.
pub(in super::super) fn attends(size: usize) -> bool {
    size.is_multiple_of(BLOCK)
}

/// What every token of a window gathers from all of them in one head, into `context`,
/// `[tokens, size]`.
///
/// `part(0)`, `part(1)` and `part(2)` are the head's query, key and value of the window's first token
/// and what follows; those of the next are `stride` further on. `size`, the width of a head, is a
/// multiple of [`BLOCK`].
pub(in super::super) fn attend<'a>(
    kernel: Kernel,
    part: impl Fn(usize) -> &'a [f32],
    stride: usize,
    size: usize,
    context: &mut [f32],
) {
    let tokens = context.len() / size;
    let padded = tokens.next_multiple_of(BLOCK);
    let mut block = [0.0; BLOCK];
    let keys = part(1);
    let keys = pack(kernel, [tokens, size / BLOCK], |token, index| {
        block.copy_from_slice(&keys[token * stride + index * BLOCK..][..BLOCK]);
        block
    });
    let values = part(2);
    let values = pack(kernel, [size, padded / BLOCK], |column, index| {
        let first = index * BLOCK;
        for (place, value) in block.iter_mut().enumerate() {
            let token = first + place;
            *value = if token < tokens {
                values[token * stride + column]
            } else {
                0.0
            };
        }
        block
    });
    let scale = (size as f32).sqrt().recip();
    let queries = part(0);
    let (mut scaled, mut logits, mut rows) =
        (Vec::new(), vec![0.0; ROWS * padded], Rows::default());
    for (group, context) in context.chunks_mut(ROWS * size).enumerate() {
        let own = group * ROWS..group * ROWS + context.len() / size;
        let logits = &mut logits[..own.len() * padded];
        scaled.clear();
        for token in own {
            let query = &queries[token * stride..][..size];
            scaled.extend(query.iter().map(|value| value * scale));
        }
        keys.quantise(&scaled, &mut rows);
        logits.fill(0.0);
        keys.add_products(&rows, logits, padded);
        for row in logits.chunks_exact_mut(padded) {
            Softmax::new_mut(&mut row[..tokens]).dispatch();
        }
        values.quantise(logits, &mut rows);
        context.fill(0.0);
        values.add_products(&rows, context, size);
    }
}

/// A matrix `[outputs, blocks x BLOCK]` of what `values` gives for each output and block.
fn pack(
    kernel: Kernel,
    [outputs, blocks]: [usize; 2],
    mut values: impl FnMut(usize, usize) -> [f32; BLOCK],
) -> BlockwiseMatrix<i16> {
    let mut matrix = BlockwiseMatrix::zero(kernel, outputs, blocks);
    let mut codes = [0; BLOCK];
    for output in 0..outputs {
        for block in 0..blocks {
            let scale = kernel.quantise(&values(output, block), i16::MOST, &mut codes);
            matrix.set(output, block, &codes, scale);
        }
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::super::tests::{kernels, noise};
    use super::*;

    /// [`attend`] in f64.
    fn exactly(qkv: &[f32], tokens: usize, size: usize) -> Vec<f64> {
        let vector = |token: usize, part: usize| {
            let values = &qkv[(3 * token + part) * size..][..size];
            values.iter().map(|&value| f64::from(value))
        };
        let mut context = vec![0.0; tokens * size];
        for (token, context) in context.chunks_exact_mut(size).enumerate() {
            let weights = (0..tokens).map(|other| {
                let products = vector(token, 0).zip(vector(other, 1));
                let logit: f64 = products.map(|(query, key)| query * key).sum();
                (logit / (size as f64).sqrt()).exp()
            });
            let weights: Vec<f64> = weights.collect();
            let sum: f64 = weights.iter().sum();
            for (other, weight) in weights.iter().enumerate() {
                let values = context.iter_mut().zip(vector(other, 2));
                values.for_each(|(context, value)| *context += weight / sum * value);
            }
        }
        context
    }

    /// On lengths with and without remainders, for attention that is flat and that is peaked.
    #[test]
    fn attention_is_that_of_real_numbers() {
        for (tokens, size, peak) in [
            (1, 32, 1.0),
            (2, 64, 1.0),
            (7, 32, 8.0),
            (31, 32, 1.0),
            (33, 64, 8.0),
            (100, 32, 8.0),
            (257, 32, 1.0),
        ] {
            let mut next = noise(tokens as u64);
            let qkv: Vec<f32> = (0..3 * tokens * size)
                .map(|index| {
                    let value = 2.0 * next() - 1.0;
                    // Only queries and keys make a peak.
                    if index / size % 3 < 2 {
                        value * peak
                    } else {
                        value
                    }
                })
                .collect();
            let expected = exactly(&qkv, tokens, size);
            for kernel in kernels() {
                let mut context = vec![f32::NAN; tokens * size];
                let part = |part| &qkv[part * size..];
                attend(kernel, part, 3 * size, size, &mut context);
                for (found, expected) in context.iter().zip(&expected) {
                    let error = (f64::from(*found) - expected).abs();
                    // A logit of 60 is within 0.004.
                    assert!(
                        error < 3e-4 * f64::from(peak),
                        "{kernel:?}: {found} {expected}: {tokens} x {size} {peak}"
                    );
                }
            }
        }
    }
}
