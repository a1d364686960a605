//! Checkpoints of others, read into named tensors: hub folders and the packed `e5-small-q4.bin`.

mod hub;
mod packed;
mod sentence_transformers;
mod stored;

pub use packed::PACKED;
pub use stored::Stored;

use std::path::Path;

use crate::encoder::{EncoderConfig, Pipeline, Precision};
use crate::error::{Error, ErrorKind, Result};

/// An encoder read from somebody's files.
pub struct Checkpoint {
    /// The architecture.
    pub config: EncoderConfig,
    /// What comes behind the transformer, and the prompts.
    pub pipeline: Pipeline,
    /// Its tensors, as they will be stored.
    pub tensors: Vec<Stored>,
    /// What was read, for the manifest.
    pub source: String,
    /// How the matrices are stored, for the manifest.
    pub quantisation: String,
}

/// Reads a checkpoint folder: a transformer or sentence encoder as the hub has them, or
/// [`PACKED`]. Matrices of true f32 or f16 sources are rounded to `precision`; 4-bit sources pass
/// through unchanged.
///
/// # Errors
/// `Io`, `Format`, `Shape` and `Unsupported` for files that are missing or not what they should be.
pub fn read_checkpoint(folder: &Path, precision: Precision) -> Result<Checkpoint> {
    if hub::is_checkpoint(folder) {
        return hub::read(folder, precision);
    }
    if folder.join(PACKED).exists() {
        return packed::read(&super::read(&folder.join(PACKED))?);
    }
    let message = format!(
        "{} holds neither config.json (as the model hub's folders do) nor {PACKED}; \
         `touchstone fetch` brings a checkpoint",
        folder.display()
    );
    Err(Error::new(ErrorKind::Io, message))
}
