//! Tensors by name from safetensors bytes, dequantised on request.
//!
//! A quantised matrix `name` is stored as `name.q4` or `name.q8` (packed bytes, `[rows, bytes]`)
//! with `name.scale` (f16, `[rows, columns / 32]`), a stack of matrices with one more dimension
//! before these; everything else is f32 (or f16, bf16) under its own name. Names are those of the hub's encoders.

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::quant::{BLOCK, Precision, Quantised};
use crate::error::{Error, ErrorKind, Result};

/// Parsed weights, of one file or of several shards; borrows their bytes.
pub struct Weights<'a> {
    file: &'a str,
    shards: Vec<SafeTensors<'a>>,
    prefix: String,
}

/// The tensors of a safetensors file.
///
/// # Errors
/// `Format` naming the file when it is cut short or none.
pub(crate) fn tensors<'a>(file: &str, bytes: &'a [u8]) -> Result<SafeTensors<'a>> {
    SafeTensors::deserialize(bytes).map_err(|error| {
        let message = format!("{file} is not a whole safetensors file: {error}");
        Error::new(ErrorKind::Format, message)
    })
}

impl<'a> Weights<'a> {
    /// Parses `bytes`; `file` names them in errors.
    ///
    /// # Errors
    /// `Format` when the bytes are not safetensors or are cut short.
    pub fn from_bytes(file: &'a str, bytes: &'a [u8]) -> Result<Self> {
        Self::from_shards(&[(file, bytes)])
    }

    /// Parses files that hold parts of one set of tensors; the first names them in errors.
    ///
    /// # Errors
    /// As [`Self::from_bytes`], naming the file; `Format` when there is none.
    pub fn from_shards(files: &[(&'a str, &'a [u8])]) -> Result<Self> {
        let parse = |(file, bytes): &(&str, &'a [u8])| tensors(file, bytes);
        let none = || Error::new(ErrorKind::Format, "there is no file of weights");
        Ok(Self {
            file: files.first().ok_or_else(none)?.0,
            shards: files.iter().map(parse).collect::<Result<_>>()?,
            prefix: String::new(),
        })
    }

    /// The tensors below whatever stands before `name`: checkpoints of a larger model keep the
    /// encoder under a prefix (`bert.`, `model.`).
    pub fn rooted_at(mut self, name: &str) -> Self {
        let names = self.shards.iter().flat_map(SafeTensors::names);
        let prefixes = names.filter_map(|found| found.strip_suffix(name));
        let nearest = prefixes.min_by_key(|prefix| prefix.len());
        self.prefix = nearest.unwrap_or_default().to_owned();
        self
    }

    /// Checks that every tensor is there with its shape.
    ///
    /// # Errors
    /// `Format` naming every missing tensor, or `Shape` naming every one that does not fit.
    pub fn require(&self, expected: &[(String, Vec<usize>)]) -> Result<()> {
        let missing: Vec<&str> = expected
            .iter()
            .filter(|(name, _)| self.shape(name).is_none())
            .map(|(name, _)| name.as_str())
            .collect();
        if !missing.is_empty() {
            let message = format!("{} lacks {}", self.file, missing.join(", "));
            return Err(Error::new(ErrorKind::Format, message));
        }
        let wrong: Vec<String> = expected
            .iter()
            .filter_map(|(name, shape)| {
                let found = self.shape(name)?;
                (found != *shape).then(|| format!("{name} is {found:?}, expected {shape:?}"))
            })
            .collect();
        if wrong.is_empty() {
            return Ok(());
        }
        let message = format!(
            "{} does not fit its config: {}",
            self.file,
            wrong.join("; ")
        );
        Err(Error::new(ErrorKind::Shape, message))
    }

    /// Shape of `name`, quantised or not.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        let Some((precision, codes)) = self.quantised_view(name) else {
            return Some(self.view(name)?.shape().to_vec());
        };
        let mut shape = codes.shape().to_vec();
        let last = shape.last_mut()?;
        *last = *last / precision.block_bytes() * BLOCK;
        Some(shape)
    }

    /// The values of `name` as f32, row-major.
    ///
    /// # Errors
    /// `Format` when it is missing or of a type that is not a float.
    pub fn f32(&self, name: &str) -> Result<Vec<f32>> {
        match self.quantised(name)? {
            Some(matrix) => Ok(matrix.dequantise()),
            None => self.plain(name),
        }
    }

    /// The named products stacked, `[sum of outputs, inputs]` row-major, and their biases one after
    /// the other if they have any.
    ///
    /// # Errors
    /// As [`Self::f32`].
    pub(super) fn stacked(&self, names: &[String], has_bias: bool) -> Result<(Vec<f32>, Vec<f32>)> {
        let rows = self.joined(names, "weight")?;
        let biases = if has_bias {
            self.joined(names, "bias")?
        } else {
            Vec::new()
        };
        Ok((rows, biases))
    }

    /// The values of this part of each of the named products, one after the other.
    ///
    /// # Errors
    /// As [`Self::f32`].
    pub(super) fn joined(&self, names: &[String], part: &str) -> Result<Vec<f32>> {
        let parts = names.iter().map(|name| self.f32(&format!("{name}.{part}")));
        Ok(parts.collect::<Result<Vec<_>>>()?.concat())
    }

    /// The packed form of `name`, `None` when it is stored as plain floats.
    ///
    /// # Errors
    /// `Format` when codes and scales do not belong together.
    pub fn quantised(&self, name: &str) -> Result<Option<Quantised>> {
        let Some((precision, codes)) = self.quantised_view(name) else {
            return Ok(None);
        };
        let scale = self.view(&format!("{name}.scale"));
        let scales = scale.as_ref().map(|view| view.data()).unwrap_or_default();
        let blocks = codes.data().len() / precision.block_bytes();
        let row = match codes.shape() {
            [.., _, bytes] => *bytes,
            _ => 0,
        };
        let fits = row > 0
            && row.is_multiple_of(precision.block_bytes())
            && codes.dtype() == Dtype::U8
            && scale
                .as_ref()
                .is_some_and(|scale| scale.dtype() == Dtype::F16)
            && scales.len() == 2 * blocks;
        if !fits {
            let message = format!(
                "{}: {name} has {blocks} blocks but {} scales",
                self.file,
                scales.len() / 2
            );
            return Err(Error::new(ErrorKind::Format, message));
        }
        Ok(Some(Quantised {
            precision,
            columns: row / precision.block_bytes() * BLOCK,
            codes: codes.data().to_vec(),
            scales: scales
                .chunks_exact(2)
                .map(|b| f16::from_le_bytes([b[0], b[1]]))
                .collect(),
        }))
    }

    fn view(&self, name: &str) -> Option<TensorView<'_>> {
        let name = format!("{}{name}", self.prefix);
        let mut shards = self.shards.iter();
        shards.find_map(|shard| shard.tensor(&name).ok())
    }

    fn quantised_view(&self, name: &str) -> Option<(Precision, TensorView<'_>)> {
        let stored = |precision, suffix| Some((precision, self.view(&format!("{name}.{suffix}"))?));
        stored(Precision::Q4, "q4").or_else(|| stored(Precision::Q8, "q8"))
    }

    fn plain(&self, name: &str) -> Result<Vec<f32>> {
        let view = self
            .view(name)
            .ok_or_else(|| Error::new(ErrorKind::Format, format!("{} lacks {name}", self.file)))?;
        let data = view.data();
        match view.dtype() {
            Dtype::F32 => Ok(data
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect()),
            Dtype::F16 => Ok(data
                .chunks_exact(2)
                .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
                .collect()),
            Dtype::BF16 => Ok(data
                .chunks_exact(2)
                .map(|b| bf16::from_le_bytes([b[0], b[1]]).to_f32())
                .collect()),
            other => Err(Error::new(
                ErrorKind::Format,
                format!(
                    "{}: {name} is {other:?}; expected F32, F16 or BF16",
                    self.file
                ),
            )),
        }
    }
}
