//! The small networks on top of the frozen encoder, and what is recorded about them.

mod projection;

pub use projection::{HeadInputs, ProjectionConfig, ProjectionHeads};

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::encoder::{POOLS, Weights};
use crate::error::{Error, ErrorKind, Result};
use crate::text::Template;

/// Where the metric's vector stands in the table of means and scales, after the pools.
pub const METRIC_ROW: usize = POOLS;

/// Name of the tensor of training prompts' hashes in the heads' file.
pub const TRAINING_PROMPTS: &str = "training_prompts";

/// Hash of a user prompt, by which a bundle knows what it was trained on: the first eight bytes of
/// the SHA-256 of its words, lower-case, single spaces between them.
pub fn prompt_hash(prompt: &str) -> u64 {
    let words: Vec<String> = prompt.split_whitespace().map(str::to_lowercase).collect();
    let digest = Sha256::digest(words.join(" "));
    u64::from_le_bytes(digest[..8].try_into().expect("a digest has 32 bytes"))
}

/// What kind of examples a score rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Support {
    /// Judged answers of this metric and script were in the training data.
    Judged,
    /// Only authored or generated answers of this metric and script were.
    Synthetic,
    /// Neither: the score rests on the metric's text alone.
    Text,
}

/// The heads' part of a bundle's manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadsInfo {
    /// SHA-256 of the encoder the heads were trained on; they mean nothing on another.
    pub encoder_sha256: String,
    /// How texts were fed to the encoder.
    pub template: Template,
    /// Shapes of the ensemble.
    pub config: ProjectionConfig,
    /// Metric names in the order of the anchors.
    pub anchors: Vec<String>,
    /// For each metric of the catalogue, the scripts its training answers were written in.
    pub support: BTreeMap<String, BTreeMap<Support, Vec<String>>>,
    /// The run that made the heads: arguments, data, versions.
    pub training: serde_json::Value,
    /// Its out-of-fold evaluation.
    pub evaluation: serde_json::Value,
}

impl HeadsInfo {
    /// Checks that the heads belong to the encoder with this hash.
    ///
    /// # Errors
    /// `Format` naming both hashes when they do not.
    pub fn check_encoder(&self, sha256: &str) -> Result<()> {
        if self.encoder_sha256 == sha256 {
            return Ok(());
        }
        let message = format!(
            "the heads were trained on the encoder with SHA-256 {}, the bundle holds {sha256}: \
             train heads for this encoder or pack the one they belong to",
            self.encoder_sha256
        );
        Err(Error::new(ErrorKind::Format, message))
    }

    /// What a score of `metric` for an answer in `script` rests on.
    pub fn support(&self, metric: &str, script: &str) -> Support {
        let kinds = self.support.get(metric).into_iter().flatten();
        kinds
            .filter(|(_, scripts)| scripts.iter().any(|known| known == script))
            .map(|(support, _)| *support)
            .min()
            .unwrap_or(Support::Text)
    }
}

/// The ensemble with its standardisation and the catalogue's anchors, ready to score.
pub struct Heads {
    members: ProjectionHeads,
    standard: Standard,
    /// `[metrics, width]`, L2-normalised embeddings of the metrics' texts.
    anchors: Vec<f32>,
    /// The anchors around their mean, L2-normalised and transposed: `[width, metrics]`.
    anchor_directions: Tensor<2>,
    width: usize,
}

impl Heads {
    /// Reads the tensors `info` describes.
    ///
    /// # Errors
    /// `Format` when tensors are missing, `Shape` when one does not fit `info`.
    pub fn load(info: &HeadsInfo, weights: &Weights, device: &Device) -> Result<Self> {
        info.config.validate()?;
        let (metrics, width) = (info.anchors.len(), info.config.width);
        if metrics == 0 {
            return Err(Error::new(ErrorKind::Format, "the heads have no anchors"));
        }
        let mut expected = info.config.expected_shapes();
        expected.push(("anchors".into(), vec![metrics, width]));
        expected.extend(Standard::expected_shapes(width));
        weights.require(&expected)?;
        let anchors = weights.f32("anchors")?;
        let directions = TensorData::new(directions(&anchors, width), [metrics, width]);
        Ok(Self {
            members: ProjectionHeads::load(&info.config, weights, device)?,
            standard: Standard::load(weights, width)?,
            anchor_directions: Tensor::<2>::from_data(directions, device).transpose(),
            anchors,
            width,
        })
    }

    /// The anchor of the catalogue's metric number `index`, `[width]`.
    pub fn anchor(&self, index: usize) -> &[f32] {
        &self.anchors[index * self.width..][..self.width]
    }

    /// Scores of every member, `[tasks, members]`, 0 to 10, and similarities of each task's text
    /// to each anchor, `[tasks, metrics]`, -1 to 1.
    ///
    /// `pools` `[tasks, POOLS, width]`, `present` the tasks' pools that hold a token
    /// (`[tasks, POOLS]`, 1 or 0), `metric` `[tasks, width]`, L2-normalised.
    pub fn forward(
        &self,
        pools: Tensor<3>,
        present: &[f32],
        metric: Tensor<2>,
    ) -> (Tensor<2>, Tensor<2>) {
        let tasks = metric.dims()[0];
        let inputs = self.standard.apply(pools, present, metric);
        let text = inputs.pool(crate::encoder::Pool::All);
        let norm = text.clone().square().sum_dim(1).sqrt().add_scalar(1e-6);
        let similarities = (text / norm).matmul(self.anchor_directions.clone());
        let members = self.members.config_members();
        let scores = self.members.forward(inputs).reshape([members, tasks]);
        (scores.transpose().clamp(0.0, 10.0), similarities)
    }
}

/// Means and scales of the training data, by which inputs are standardised.
///
/// A pool without a token becomes zero, the mean, rather than an outlier.
#[derive(Clone, Debug)]
pub struct Standard {
    /// `[POOLS + 1, width]`, the metric's row last.
    pub mean: Vec<f32>,
    /// `[POOLS + 1, width]`, one over the standard deviation.
    pub scale: Vec<f32>,
    width: usize,
}

impl Standard {
    /// From a `[POOLS + 1, width]` table of means and one of inverse deviations.
    pub fn new(mean: Vec<f32>, scale: Vec<f32>, width: usize) -> Self {
        Self { mean, scale, width }
    }

    fn expected_shapes(width: usize) -> [(String, Vec<usize>); 2] {
        ["mean", "scale"].map(|name| (name.to_string(), vec![POOLS + 1, width]))
    }

    fn load(weights: &Weights, width: usize) -> Result<Self> {
        Ok(Self::new(
            weights.f32("mean")?,
            weights.f32("scale")?,
            width,
        ))
    }

    /// Standardised inputs of the members; shapes as in [`Heads::forward`].
    pub fn apply(&self, pools: Tensor<3>, present: &[f32], metric: Tensor<2>) -> HeadInputs {
        let device = metric.device();
        let [tasks, width] = metric.dims();
        let split = METRIC_ROW * self.width;
        let rows = |values: &[f32]| {
            let values = TensorData::new(values.to_vec(), [1, values.len() / width, width]);
            Tensor::<3>::from_data(values, &device)
        };
        let present = TensorData::new(present.to_vec(), [tasks, POOLS, 1]);
        let present = Tensor::<3>::from_data(present, &device);
        let pools = (pools - rows(&self.mean[..split])) * rows(&self.scale[..split]) * present;
        let metric = metric.reshape([tasks, 1, width]) - rows(&self.mean[split..]);
        let metric = metric * rows(&self.scale[split..]);
        HeadInputs {
            pools,
            metric: metric.reshape([tasks, width]),
        }
    }
}

/// Rows of `vectors` around their mean, L2-normalised.
fn directions(vectors: &[f32], width: usize) -> Vec<f32> {
    let rows = (vectors.len() / width).max(1) as f32;
    let mut mean = vec![0.0; width];
    for row in vectors.chunks_exact(width) {
        mean.iter_mut()
            .zip(row)
            .for_each(|(mean, value)| *mean += value / rows);
    }
    let mut centred = vectors.to_vec();
    for row in centred.chunks_exact_mut(width) {
        row.iter_mut()
            .zip(&mean)
            .for_each(|(value, mean)| *value -= mean);
        let norm = row
            .iter()
            .map(|value| value * value)
            .sum::<f32>()
            .sqrt()
            .max(1e-6);
        row.iter_mut().for_each(|value| *value /= norm);
    }
    centred
}
