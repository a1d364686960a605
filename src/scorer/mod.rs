//! The one scorer behind the page, the widget, the command line and the evaluation.

mod batches;
mod check;
mod embedder;
mod explain;
mod judge;
mod locate;
mod output;
mod pause;
mod prepared;
mod profile;
mod score;
mod sentences;

pub use batches::batches;
pub use check::{Case, SelfTest, TOLERANCE};
pub use embedder::{BATCH_TOKENS, Embedder};
pub use explain::{Explanation, Part};
pub use output::{Backend, Nearest, Receipt, Score, Truncated};
pub use pause::{Pause, Unpaused};
pub use prepared::{anchor_passages, present, script};
pub use profile::{Profile, ProfileScore};
pub use sentences::MAX_PARTS;

use std::collections::BTreeMap;

use burn::tensor::Device;
use serde::Serialize;

use crate::bundle::{Bundle, HEADS, Manifest, MapPoint};
use crate::encoder::{Execution, Weights};
use crate::error::{Error, ErrorKind, Result};
use crate::heads::{Heads, HeadsInfo, Support};
use crate::text::Task;

/// What a page tells about a scorer.
#[derive(Serialize)]
pub struct Summary<'a> {
    bundle: &'a str,
    name: &'a str,
    encoder: &'a str,
    quantisation: &'a str,
    sizes: Sizes,
    backend: Backend,
    version: &'static str,
    members: usize,
    support: &'a BTreeMap<String, BTreeMap<Support, Vec<String>>>,
    training: &'a serde_json::Value,
    evaluation: &'a serde_json::Value,
}

/// How large a model is.
#[derive(Serialize)]
struct Sizes {
    /// Of all files of the bundle but the manifest.
    bytes: u64,
    layers: usize,
    width: usize,
    vocabulary: usize,
    metrics: usize,
    /// Tokens of a window.
    window: usize,
    /// Windows read of one text.
    windows: usize,
}

/// An encoder with heads.
pub struct Scorer {
    embedder: Embedder,
    heads: Heads,
    info: HeadsInfo,
    manifest: Manifest,
    bundle: String,
    backend: Backend,
    device: Device,
}

impl Scorer {
    /// Loads a whole bundle; the encoder's layers run as `execution` says.
    ///
    /// # Errors
    /// As [`Embedder::load`], [`Bundle::heads_info`] and [`Heads::load`].
    pub fn load(mut bundle: Bundle, execution: &Execution) -> Result<Self> {
        let info = bundle.heads_info()?.clone();
        let device = Device::flex();
        let bytes = bundle.take(HEADS)?;
        let weights = Weights::from_bytes(HEADS, &bytes)?;
        let heads = Heads::load(&info, &weights, &device)?;
        let embedder = Embedder::load(&mut bundle, execution)?;
        if embedder.encoder.width() != info.config.width {
            let message = format!(
                "the heads expect vectors {} wide, the encoder makes {}",
                info.config.width,
                embedder.encoder.width()
            );
            return Err(Error::new(ErrorKind::Shape, message));
        }
        Ok(Self {
            embedder,
            heads,
            info,
            manifest: bundle.manifest,
            bundle: bundle.id,
            backend: Backend::of(execution),
            device,
        })
    }

    /// What is recorded about the heads.
    pub fn info(&self) -> &HeadsInfo {
        &self.info
    }

    /// Where the arithmetic runs.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// SHA-256 of the bundle's manifest.
    pub fn bundle(&self) -> &str {
        &self.bundle
    }

    /// What a page tells about the scorer.
    pub fn summary(&self) -> Summary<'_> {
        let encoder = &self.manifest.encoder;
        Summary {
            bundle: &self.bundle,
            name: &self.manifest.name,
            encoder: &encoder.name,
            quantisation: &encoder.quantisation,
            sizes: self.sizes(),
            backend: self.backend,
            version: env!("CARGO_PKG_VERSION"),
            members: self.info.config.members(),
            support: &self.info.support,
            training: &self.info.training,
            evaluation: &self.info.evaluation,
        }
    }

    fn sizes(&self) -> Sizes {
        let config = &self.manifest.encoder.config;
        let files = self.manifest.files.values();
        Sizes {
            bytes: files.map(|file| file.bytes).sum(),
            layers: config.layers(),
            width: config.hidden_size(),
            vocabulary: config.vocab_size(),
            metrics: self.info.anchors.len(),
            window: self.info.template.max_tokens,
            windows: self.info.template.max_windows,
        }
    }

    /// The anchors laid out in two dimensions; none in a bundle packed without a map.
    pub fn map(&self) -> Option<&[MapPoint]> {
        Some(self.manifest.map.as_slice()).filter(|map| !map.is_empty())
    }

    /// The encoder's own embedding of each text (mean over its first windows, L2-normalised),
    /// `[texts x width]`, fed to it as the heads' template says.
    ///
    /// # Errors
    /// As [`Embedder::embed`]; `Input` when a text cannot be tokenized.
    pub async fn embed(&self, texts: &[String], pause: &impl Pause) -> Result<Vec<f32>> {
        let (tokenizer, template) = (&self.embedder.tokenizer, &self.info.template);
        let passages = texts.iter().map(|text| tokenizer.passage(text, template));
        let passages = passages.collect::<Result<Vec<_>>>()?;
        let passages: Vec<_> = passages.iter().collect();
        self.embedder.embed(&passages, pause).await
    }

    /// Width of an embedding.
    pub fn width(&self) -> usize {
        self.embedder.encoder.width()
    }

    /// Runs a short text through everything, so that kernels are compiled before the first score.
    ///
    /// # Errors
    /// As [`Self::score`].
    pub async fn warm_up(&self) -> Result<()> {
        let task = Task {
            metric: self.info.anchors.first().cloned().unwrap_or_default(),
            user: "?".into(),
            response: "!".into(),
            ..Task::default()
        };
        self.score(&task, &Unpaused).await.map(|_| ())
    }
}
