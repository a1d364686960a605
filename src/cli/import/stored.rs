//! Tensors as a bundle stores them.

use safetensors::Dtype;

use crate::encoder::{BLOCK, Precision, Quantised};

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
    /// Plain f32 values.
    pub fn f32(name: impl Into<String>, shape: &[usize], values: &[f32]) -> Self {
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

    /// A matrix `[rows, columns]`, rounded to `precision` where its rows divide into blocks.
    pub fn matrix(name: &str, shape: &[usize], values: &[f32], precision: Precision) -> Vec<Self> {
        match shape {
            [_, columns] if columns.is_multiple_of(BLOCK) => match precision {
                Precision::Q4 => Self::quantised(name, Quantised::q4(values, *columns)).into(),
                Precision::Q8 => Self::quantised(name, Quantised::q8(values, *columns)).into(),
                Precision::F32 => vec![Self::f32(name, shape, values)],
            },
            _ => vec![Self::f32(name, shape, values)],
        }
    }

    /// A quantised matrix as its codes and its scales.
    pub(super) fn quantised(name: &str, matrix: Quantised) -> [Self; 2] {
        let (rows, blocks) = (matrix.rows(), matrix.columns / BLOCK);
        let suffix = if matrix.precision == Precision::Q4 {
            "q4"
        } else {
            "q8"
        };
        let codes = Self {
            name: format!("{name}.{suffix}"),
            dtype: Dtype::U8,
            shape: vec![rows, blocks * matrix.precision.block_bytes()],
            bytes: matrix.codes,
        };
        let scales = Self {
            name: format!("{name}.scale"),
            dtype: Dtype::F16,
            shape: vec![rows, blocks],
            bytes: matrix.scales.into_iter().flat_map(f16_bytes).collect(),
        };
        [codes, scales]
    }
}

fn f16_bytes(value: half::f16) -> [u8; 2] {
    value.to_le_bytes()
}
