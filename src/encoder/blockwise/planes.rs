//! Rows in two planes of 7 bits, for instructions that multiply bytes: the high bits of all codes of a
//! block, then the low ones. Sums over both planes are as exact as sums over the codes.
//!
//! Nothing in a plane is negative, since WebAssembly's relaxed instruction multiplies signed bytes
//! with numbers of 7 bits. What is added to that end is taken out where a sum [`start`]s.

use super::{BLOCK, Code};

/// Inputs whose products an instruction adds up in one lane.
pub(super) const QUAD: usize = 4;
/// The largest code of a row.
pub(super) const MOST: i16 = OFFSET - 1;
/// Bits of a plane.
pub(super) const BITS: u32 = 7;
/// What is added to the codes of rows.
const OFFSET: i16 = 1 << (2 * BITS - 1);

/// Puts the two planes of the codes in their place, byte by byte.
pub(super) fn split(codes: &mut [i16; BLOCK]) {
    let shifted = codes.map(|code| (code + OFFSET).cast_unsigned());
    let (high, low) = codes.split_at_mut(BLOCK / 2);
    let pairs = shifted.as_chunks::<2>().0;
    for ((high, low), pair) in high.iter_mut().zip(low).zip(pairs) {
        *high = i16::from_ne_bytes(pair.map(|code| (code >> BITS) as u8));
        *low = i16::from_ne_bytes(pair.map(|code| (code & ((1 << BITS) - 1)) as u8));
    }
}

/// What the sums of an output's block begin with; those of the high plane are then shifted by
/// [`BITS`], and those of the low plane added.
pub(super) fn start<C: Code>(weights: &[C; BLOCK]) -> i32 {
    let sum: i32 = weights.iter().map(|&weight| weight.into()).sum();
    -(i32::from(OFFSET) >> BITS) * sum
}

/// The code of a row that was split.
#[cfg(test)]
pub(super) fn code(planes: &[i16; BLOCK], input: usize) -> i32 {
    let bytes = planes.map(i16::to_ne_bytes);
    let [high, low] = [0, BLOCK].map(|plane| i32::from(bytes.as_flattened()[plane + input]));
    (high << BITS) + low - i32::from(OFFSET)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_make_the_sums_of_the_codes() {
        let codes: [i16; BLOCK] = std::array::from_fn(|input| match input {
            0 => MOST,
            1 => -MOST,
            2 => 0,
            _ => (input as i16 * 977) % MOST - 3000,
        });
        let weights: [i8; BLOCK] = std::array::from_fn(|input| (input as i8).wrapping_mul(83));
        let mut planes = codes;
        split(&mut planes);
        assert_eq!(
            std::array::from_fn(|input| code(&planes, input) as i16),
            codes
        );
        let bytes = planes.map(i16::to_ne_bytes);
        let bytes = bytes.as_flattened();
        assert!(bytes.iter().all(|&byte| byte < 1 << BITS));
        let dot = |plane: &[u8]| -> i32 {
            let products = plane.iter().zip(weights);
            products
                .map(|(&code, weight)| i32::from(code) * i32::from(weight))
                .sum()
        };
        let (high, low) = bytes.split_at(BLOCK);
        let found = ((start(&weights) + dot(high)) << BITS) + dot(low);
        let products = codes.into_iter().zip(weights);
        let expected: i32 = products
            .map(|(code, weight)| i32::from(code) * i32::from(weight))
            .sum();
        assert_eq!(found, expected);
    }
}
