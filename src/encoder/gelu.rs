//! GELU on the CPU.

use std::f32::consts::FRAC_1_SQRT_2;

use rten_simd::ops::{BitOps, FloatOps, NumOps};
use rten_simd::{Isa, SimdUnaryOp};

/// `x (1 + erf(x / sqrt 2)) / 2`, to within 2e-6.
///
/// erf is a quotient of polynomials, Eigen's: without the exponential of rten's own it takes a third of
/// the time where vectors are short.
pub(super) struct Gelu;

/// Of odd powers, the highest first.
const NUMERATOR: [f32; 7] = [
    -2.726_142_3e-10,
    2.770_681_4e-8,
    -2.101_024e-6,
    -5.692_506_4e-5,
    -7.349_906_3e-4,
    -2.954_6e-3,
    -1.609_603_3e-2,
];
/// Of even powers.
const DENOMINATOR: [f32; 5] = [
    -1.456_607_2e-5,
    -2.133_740_5e-4,
    -1.682_827e-3,
    -7.373_329e-3,
    -1.426_473_9e-2,
];

impl SimdUnaryOp<f32> for Gelu {
    #[inline(always)]
    fn eval<I: Isa>(&self, isa: I, x: I::F32) -> I::F32 {
        let ops = isa.f32();
        let at = ops.mul(x, ops.splat(FRAC_1_SQRT_2));
        // Beyond, erf is 1 in f32.
        let at = ops.clamp(at, ops.splat(-4.0), ops.splat(4.0));
        let square = ops.mul(at, at);
        let [first, rest @ ..] = NUMERATOR;
        let numerator = rest.iter().fold(ops.splat(first), |sum, &next| {
            ops.mul_add(sum, square, ops.splat(next))
        });
        let [first, rest @ ..] = DENOMINATOR;
        let denominator = rest.iter().fold(ops.splat(first), |sum, &next| {
            ops.mul_add(sum, square, ops.splat(next))
        });
        let erf = ops.div(ops.mul(at, numerator), denominator);
        let half = ops.mul(x, ops.splat(0.5));
        ops.mul_add(half, erf, half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against values of erf with 15 digits (Abramowitz and Stegun, table 7.1).
    #[test]
    fn values_are_those_of_the_table() {
        for (at, erf) in [
            (0.0, 0.0),
            (0.1, 0.112_462_916_018_284),
            (0.5, 0.520_499_877_813_046),
            (1.0, 0.842_700_792_949_714),
            (1.5, 0.966_105_146_475_310),
            (2.0, 0.995_322_265_018_952),
            (3.0, 0.999_977_909_503_001),
            (20.0, 1.0),
        ] {
            for sign in [1.0, -1.0] {
                let x = sign * at * std::f64::consts::SQRT_2;
                let expected = x * (1.0 + sign * erf) / 2.0;
                let found = Gelu.scalar_eval(x as f32);
                assert!(
                    (f64::from(found) - expected).abs() < 2e-6,
                    "{x}: {found} {expected}"
                );
            }
        }
    }
}
