//! Touchstone scores an LLM's answer on a quality or safety metric, 0 to 10, as an LLM judge
//! would, in the browser (WebGPU or CPU) and offline.
//!
//! The way of the data: [`text`] template, [`tokenizer`], [`encoder`] with segment pooling,
//! [`heads`], one [`Score`]. The page, the command line and the trainer run this same code.

pub mod bundle;
#[cfg(feature = "cli")]
pub mod cli;
pub mod encoder;
pub mod error;
pub mod evaluate;
pub mod heads;
pub mod metric;
pub mod scorer;
pub mod surface;
pub mod text;
pub mod tokenizer;
#[cfg(feature = "train")]
pub mod train;
#[cfg(feature = "web")]
pub mod web;

pub use bundle::Bundle;
pub use error::{Error, ErrorKind, Result};
pub use scorer::{Backend, Score, Scorer};
pub use text::Task;
