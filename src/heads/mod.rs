//! The small networks on top of the frozen encoder, and what is recorded about them.

mod calibration;
mod ensemble;
mod inputs;
mod joint;
mod projection;
mod stacked;

pub use calibration::{Calibrated, Calibration, Curve, Doubt, Raw, scaled_residual};
pub use ensemble::{EnsembleConfig, Group, GroupConfig, Said};
pub use inputs::{HeadInputs, Moments, Standard};
pub use joint::{JointConfig, JointHeads, JointMember};
pub use projection::{Output, ProjectionConfig, ProjectionHeads, ProjectionMember, ordinal_loss};
pub use stacked::{Layer, Layers, Stacked};

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::encoder::{Pool, Weights};
use crate::error::{Error, ErrorKind, Result};
use crate::text::Template;

/// Name of the tensor of training prompts' hashes in the heads' file.
pub const TRAINING_PROMPTS: &str = "training_prompts";

/// Hash of a user prompt, by which a bundle knows what it was trained on: the first eight bytes of
/// the SHA-256 of its words, lower-case, single spaces between them.
pub fn prompt_hash(prompt: &str) -> u64 {
    let words: Vec<String> = prompt.split_whitespace().map(str::to_lowercase).collect();
    let digest = Sha256::digest(words.join(" "));
    u64::from_le_bytes(digest[..8].try_into().expect("a digest has 32 bytes"))
}

/// Drops features in training; at work it hands them through.
pub type Drop<'a> = dyn FnMut(Tensor<3>) -> Tensor<3> + 'a;

/// The [`Drop`] that drops nothing.
pub fn keep_all(features: Tensor<3>) -> Tensor<3> {
    features
}

/// Which vector stands for the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// Mean over the answer's tokens.
    #[default]
    Segments,
    /// Mean over the tokens of all texts.
    Mean,
    /// The answer's first token.
    First,
}

impl Pooling {
    /// Pools of system prompt, prompt and answer, of each member.
    fn slots(members: &[Self]) -> [Vec<Pool>; 3] {
        let answer = members.iter().map(|pooling| match pooling {
            Self::Segments => Pool::Response,
            Self::Mean => Pool::All,
            Self::First => Pool::First,
        });
        let all = |pool| vec![pool; members.len()];
        [all(Pool::System), all(Pool::User), answer.collect()]
    }
}

/// What metrics are known by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnchorKind {
    /// The encoder's embedding of their titles and definitions: metrics in own words work too.
    #[default]
    Text,
    /// Vectors given at training time: only the metrics that came with one can be scored.
    Given,
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
    pub config: EnsembleConfig,
    /// What metrics are known by.
    pub anchor_kind: AnchorKind,
    /// Metric names in the order of the anchors.
    pub anchors: Vec<String>,
    /// For each metric of the catalogue, the scripts its training answers were written in.
    pub support: BTreeMap<String, BTreeMap<Support, Vec<String>>>,
    /// How raw scores become what is shown; none where the run held no rows out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
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
    config: EnsembleConfig,
    groups: Vec<Group>,
    standard: Standard,
    /// `[metrics, metric width]`.
    anchors: Vec<f32>,
    landmarks: Landmarks,
}

/// What texts are compared with to find the nearest metrics.
enum Landmarks {
    /// The anchors' points in each joint group's space, `[members, metrics, size]`.
    Joint(Vec<Option<Tensor<3>>>),
    /// Without a joint group: the anchors around their mean, L2-normalised, `[width, metrics]`.
    Encoder(Box<Tensor<2>>),
}

/// What the heads say of one task.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Scores of every member, 0 to 10.
    pub members: Vec<f32>,
    /// Their mean with what is known about its doubt.
    pub raw: Raw,
    /// Similarity of the text to each anchor, -1 to 1.
    pub similarities: Vec<f32>,
}

impl Heads {
    /// Reads the tensors `info` describes.
    ///
    /// # Errors
    /// `Format` when tensors are missing, `Shape` when one does not fit `info`.
    pub fn load(info: &HeadsInfo, weights: &Weights, device: &Device) -> Result<Self> {
        let config = info.config.clone();
        config.validate()?;
        let (metrics, width) = (info.anchors.len(), config.metric_width);
        if metrics == 0 {
            return Err(Error::new(ErrorKind::Format, "the heads have no anchors"));
        }
        let mut expected = config.expected_shapes();
        expected.push(("anchors".into(), vec![metrics, width]));
        expected.extend(Standard::expected_shapes(config.width, width));
        weights.require(&expected)?;
        let groups = config.load(weights, device)?;
        let standard = Standard::load(weights, config.width, width)?;
        Self::new(config, groups, standard, weights.f32("anchors")?, device)
    }

    /// Heads of these parts; `anchors` is `[metrics, metric width]`.
    ///
    /// # Errors
    /// `Format` when texts cannot be compared with the anchors.
    pub fn new(
        config: EnsembleConfig,
        groups: Vec<Group>,
        standard: Standard,
        anchors: Vec<f32>,
        device: &Device,
    ) -> Result<Self> {
        let width = config.metric_width;
        let shape = [anchors.len() / width, width];
        let table =
            |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values, shape), device);
        let joint = |group: &Group| match group {
            Group::Joint(heads) => {
                Some(heads.metric_points(standard.metrics(table(anchors.clone()))))
            }
            Group::Projection(_) => None,
        };
        let points: Vec<_> = groups.iter().map(joint).collect();
        let landmarks = if points.iter().any(Option::is_some) {
            Landmarks::Joint(points)
        } else if width == config.width {
            Landmarks::Encoder(Box::new(table(directions(&anchors, width)).transpose()))
        } else {
            let message = "the heads have metric vectors of their own but no joint space in \
                           which texts could be compared with them: train with a joint group";
            return Err(Error::new(ErrorKind::Format, message));
        };
        Ok(Self {
            config,
            groups,
            standard,
            anchors,
            landmarks,
        })
    }

    /// The anchor of the catalogue's metric number `index`, `[metric width]`.
    pub fn anchor(&self, index: usize) -> &[f32] {
        let width = self.config.metric_width;
        &self.anchors[index * width..][..width]
    }

    /// Every anchor, `[metrics x metric width]`.
    pub fn anchors(&self) -> &[f32] {
        &self.anchors
    }

    /// Cosines of metrics given as vectors `[n, metric width]` to each anchor, `[n, metrics]`: in
    /// the joint space, the mean over its members, or, without one, around the anchors' mean.
    pub fn likeness(&self, vectors: Tensor<2>) -> Tensor<2> {
        let landmarks = match &self.landmarks {
            Landmarks::Joint(landmarks) => landmarks,
            Landmarks::Encoder(directions) => {
                let mean = mean(&self.anchors, self.config.metric_width);
                let mean = TensorData::new(mean, [1, self.config.metric_width]);
                let centred = vectors.clone() - Tensor::from_data(mean, &vectors.device());
                let norm = centred.clone().square().sum_dim(1).sqrt().add_scalar(1e-6);
                return (centred / norm).matmul((**directions).clone());
            }
        };
        let standard = self.standard.metrics(vectors);
        let cosines = self.groups.iter().zip(landmarks);
        let cosines = cosines.filter_map(|(group, anchors)| match (group, anchors) {
            (Group::Joint(heads), Some(anchors)) => {
                let points = heads.metric_points(standard.clone());
                Some(points.matmul(anchors.clone().swap_dims(1, 2)))
            }
            _ => None,
        });
        mean_of_members(cosines.collect())
    }

    /// What the heads say of each task, one row a task for [`Self::verdicts`]: members' scores,
    /// variance, novelty, relevance, similarities to the anchors.
    ///
    /// `pools` `[tasks, POOLS, width]`, `present` the tasks' pools that hold a token
    /// (`[tasks, POOLS]`, 1 or 0), `surface` `[tasks, SURFACE]`, `metric` `[tasks, metric width]`.
    pub fn forward(
        &self,
        pools: Tensor<3>,
        present: &[f32],
        surface: &[f32],
        metric: Tensor<2>,
    ) -> Tensor<2> {
        let inputs = self.standard.apply(pools, present, surface, metric);
        let groups = self.groups.iter().zip(&self.config.groups);
        let said: Vec<Said> = groups
            .map(|(group, config)| group.say(config, &inputs))
            .collect();
        let scores = said.iter().map(|said| said.scores.clone()).collect();
        let tasks = inputs.metric.dims()[0];
        let scores = Tensor::cat(scores, 0).reshape([self.config.members(), tasks]);
        let column = |of: fn(&Said) -> Option<Tensor<3>>| {
            let known = said.iter().filter_map(of).map(|values| values.mean_dim(0));
            let known: Vec<Tensor<2>> = known.map(|mean| mean.reshape([tasks, 1])).collect();
            let count = known.len().max(1) as f32;
            let sum = known.into_iter().reduce(|sum, part| sum + part);
            let zero = || Tensor::zeros([tasks, 1], &inputs.metric.device());
            sum.unwrap_or_else(zero).div_scalar(count)
        };
        let columns = vec![
            scores.transpose().clamp(0.0, 10.0),
            column(|said| said.variance.clone()),
            inputs.novelty(),
            column(|said| said.relevance.clone()),
            self.similarities(&said, &inputs),
        ];
        Tensor::cat(columns, 1)
    }

    /// Cosines of each text to each anchor, `[tasks, metrics]`: the mean over all joint members.
    fn similarities(&self, said: &[Said], inputs: &HeadInputs) -> Tensor<2> {
        let tasks = inputs.metric.dims()[0];
        let landmarks = match &self.landmarks {
            Landmarks::Joint(landmarks) => landmarks,
            Landmarks::Encoder(directions) => {
                let text = inputs
                    .slot(&[Pool::All])
                    .reshape([tasks, self.config.width]);
                let norm = text.clone().square().sum_dim(1).sqrt().add_scalar(1e-6);
                return (text / norm).matmul((**directions).clone());
            }
        };
        let both = landmarks.iter().zip(said);
        let both =
            both.filter_map(|(anchors, said)| Some((anchors.clone()?, said.points.clone()?)));
        let groups = both.map(|(anchors, points)| points.matmul(anchors.swap_dims(1, 2)));
        mean_of_members(groups.collect())
    }

    /// A row of [`Self::forward`], read back, as a verdict.
    pub fn verdict(&self, row: &[f32]) -> Verdict {
        let members = self.config.members();
        let joint = matches!(self.landmarks, Landmarks::Joint(_));
        let (scores, rest) = row.split_at(members);
        let mean = scores.iter().sum::<f32>() / members as f32;
        let spread = scores
            .iter()
            .map(|score| (score - mean).powi(2))
            .sum::<f32>();
        let variance = rest[0].max(0.0) + spread / members as f32;
        Verdict {
            members: scores.to_vec(),
            raw: Raw {
                score: mean,
                deviation: variance.sqrt(),
                novelty: rest[1],
                relevance: joint.then_some(rest[2]),
            },
            similarities: rest[3..].to_vec(),
        }
    }

    /// The rows of [`Self::forward`], read back, as verdicts.
    pub fn verdicts(&self, values: &[f32]) -> Vec<Verdict> {
        let metrics = self.anchors.len() / self.config.metric_width;
        let rows = values.chunks_exact(self.config.members() + 3 + metrics);
        rows.map(|row| self.verdict(row)).collect()
    }
}

/// Mean over the members of all groups: `[members, n, metrics]` each, to `[n, metrics]`.
fn mean_of_members(groups: Vec<Tensor<3>>) -> Tensor<2> {
    let all = Tensor::cat(groups, 0);
    let [_, n, metrics] = all.dims();
    all.mean_dim(0).reshape([n, metrics])
}

/// Mean of the rows of `vectors`, `[width]`.
fn mean(vectors: &[f32], width: usize) -> Vec<f32> {
    let rows = (vectors.len() / width).max(1) as f32;
    let mut mean = vec![0.0; width];
    for row in vectors.chunks_exact(width) {
        mean.iter_mut()
            .zip(row)
            .for_each(|(mean, value)| *mean += value / rows);
    }
    mean
}

/// Rows of `vectors` around their mean, L2-normalised.
pub fn directions(vectors: &[f32], width: usize) -> Vec<f32> {
    let mean = mean(vectors, width);
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
