//! Tensors as a bundle stores them.

use safetensors::Dtype;

#[cfg(feature = "train")]
use crate::bundle::ENCODER;
#[cfg(feature = "train")]
use crate::encoder::tensors;
use crate::encoder::{BLOCK, Precision, Quantised};
#[cfg(feature = "train")]
use crate::error::Result;

/// A tensor as it will be stored.
pub struct Stored {
    /// Name in the bundle.
    pub name: String,
    /// Element type.
    pub dtype: Dtype,
    /// Shape.
    pub shape: Vec<usize>,
    /// Little-endian bytes.
    pub bytes: Vec<u8>,
}

impl Stored {
    /// The tensors of a bundle's file of weights.
    ///
    /// # Errors
    /// `Format` when it is cut short or none.
    #[cfg(feature = "train")]
    pub fn of_file(bytes: &[u8]) -> Result<Vec<Self>> {
        let file = tensors(ENCODER, bytes)?;
        let tensors = file.tensors().into_iter();
        let tensors = tensors.map(|(name, view)| Self {
            name,
            dtype: view.dtype(),
            shape: view.shape().to_vec(),
            bytes: view.data().to_vec(),
        });
        Ok(tensors.collect())
    }

    /// Values as they are: in f16 where that loses nothing, as in checkpoints that once were f16.
    pub fn plain(name: impl Into<String>, shape: &[usize], values: &[f32]) -> Self {
        let is_half = |value: &f32| half::f16::from_f32(*value).to_f32() == *value;
        if values.iter().all(is_half) {
            return Self::f16(name, shape, values);
        }
        Self {
            name: name.into(),
            dtype: Dtype::F32,
            shape: shape.to_vec(),
            bytes: values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        }
    }

    /// Values rounded to f16.
    pub fn f16(name: impl Into<String>, shape: &[usize], values: &[f32]) -> Self {
        let half = values.iter().map(|value| half::f16::from_f32(*value));
        Self {
            name: name.into(),
            dtype: Dtype::F16,
            shape: shape.to_vec(),
            bytes: half.flat_map(f16_bytes).collect(),
        }
    }

    /// A matrix `[rows, columns]` or a stack of such, rounded to `precision` where rows divide into
    /// blocks.
    pub fn matrix(name: &str, shape: &[usize], values: &[f32], precision: Precision) -> Vec<Self> {
        match shape {
            [stack @ .., _, columns] if columns.is_multiple_of(BLOCK) => {
                let matrix = match precision {
                    Precision::Q4 => Quantised::q4(values, *columns),
                    Precision::Q8 => Quantised::q8(values, *columns),
                    Precision::F32 => return vec![Self::plain(name, shape, values)],
                };
                Self::quantised(name, stack, matrix).into()
            }
            _ => vec![Self::plain(name, shape, values)],
        }
    }

    /// A quantised matrix, or a `stack` of such, as its codes and its scales.
    pub fn quantised(name: &str, stack: &[usize], matrix: Quantised) -> [Self; 2] {
        let blocks = matrix.columns / BLOCK;
        let rows = matrix.rows() / stack.iter().product::<usize>().max(1);
        let shape = |last: usize| [stack, &[rows, last]].concat();
        let suffix = if matrix.precision == Precision::Q4 {
            "q4"
        } else {
            "q8"
        };
        let codes = Self {
            name: format!("{name}.{suffix}"),
            dtype: Dtype::U8,
            shape: shape(blocks * matrix.precision.block_bytes()),
            bytes: matrix.codes,
        };
        let scales = Self {
            name: format!("{name}.scale"),
            dtype: Dtype::F16,
            shape: shape(blocks),
            bytes: matrix.scales.into_iter().flat_map(f16_bytes).collect(),
        };
        [codes, scales]
    }
}

fn f16_bytes(value: half::f16) -> [u8; 2] {
    value.to_le_bytes()
}
