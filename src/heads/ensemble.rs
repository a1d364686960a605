//! The ensemble: groups of members, each group of one kind.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::inputs::HeadInputs;
use super::joint::{JointConfig, JointHeads};
use super::projection::{Output, ProjectionConfig, ProjectionHeads};
use super::stacked::{Layer, Layers, StoredLayers};
use super::{Pooling, keep_all};
use crate::encoder::Weights;
use crate::error::{Error, ErrorKind, Result};

/// Shapes of one group of members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum GroupConfig {
    /// Approach 1: projections of the text's and the metric's frozen vectors.
    Projection(ProjectionConfig),
    /// Approach 2: a shared space in which metrics are anchors.
    Joint(JointConfig),
}

/// Shapes of the whole ensemble.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnsembleConfig {
    /// Width of the encoder's vectors.
    pub width: usize,
    /// Width of the metrics' vectors: the encoder's, or that of vectors given at training time.
    pub metric_width: usize,
    /// The groups; members are numbered through them in order.
    pub groups: Vec<GroupConfig>,
}

/// One group of members.
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "an ensemble has a handful of groups"
)]
pub enum Group {
    /// Approach 1.
    Projection(ProjectionHeads),
    /// Approach 2.
    Joint(JointHeads),
}

impl GroupConfig {
    /// A name for reports: `projection`, `ordinal` or `joint`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Projection(config) if config.output == Output::Ordinal => "ordinal",
            Self::Projection(_) => "projection",
            Self::Joint(_) => "joint",
        }
    }

    /// Size, pooling and dropout of each member.
    pub fn members(&self) -> Vec<(usize, Pooling, f32)> {
        match self {
            Self::Projection(config) => (config.members.iter())
                .map(|m| (m.size, m.pooling, m.dropout))
                .collect(),
            Self::Joint(config) => (config.members.iter())
                .map(|m| (m.size, m.pooling, m.dropout))
                .collect(),
        }
    }

    /// Every layer, for encoder vectors of `width` and metric vectors of `metric_width`.
    pub fn layers(&self, width: usize, metric_width: usize) -> Vec<Layer> {
        match self {
            Self::Projection(config) => config.layers(width, metric_width),
            Self::Joint(config) => config.layers(width, metric_width),
        }
    }

    /// The group's first member alone.
    pub fn first_member(&self) -> Self {
        let mut group = self.clone();
        match &mut group {
            Self::Projection(config) => config.members.truncate(1),
            Self::Joint(config) => config.members.truncate(1),
        }
        group
    }

    fn hidden(&self) -> usize {
        match self {
            Self::Projection(config) => config.hidden,
            Self::Joint(config) => config.hidden,
        }
    }
}

impl EnsembleConfig {
    /// Number of members of all groups.
    pub fn members(&self) -> usize {
        self.groups.iter().map(|group| group.members().len()).sum()
    }

    /// Checks that members of these shapes can be built.
    ///
    /// # Errors
    /// `Format` when there is no member, a size is 0 or absurd, or a dropout is no share below 1.
    pub fn validate(&self) -> Result<()> {
        let members: Vec<_> = self.groups.iter().flat_map(GroupConfig::members).collect();
        let hidden = self.groups.iter().map(GroupConfig::hidden);
        let sizes = members.iter().map(|(size, _, _)| *size);
        let mut sizes = sizes.chain(hidden).chain([self.width, self.metric_width]);
        let fits = sizes.all(|size| (1..=1 << 16).contains(&size));
        let dropouts = members
            .iter()
            .all(|(_, _, dropout)| (0.0..1.0).contains(dropout));
        let whole = self.groups.iter().all(|group| !group.members().is_empty());
        if fits && dropouts && whole && (1..=256).contains(&members.len()) {
            return Ok(());
        }
        let message = format!("the heads' sizes make no sense: {self:?}");
        Err(Error::new(ErrorKind::Format, message))
    }

    /// Every stored tensor of the members with its shape.
    pub fn expected_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let groups = self.groups.iter().enumerate();
        let shapes = groups.flat_map(|(index, group)| {
            let layers = group.layers(self.width, self.metric_width);
            let shapes = layers.into_iter().flat_map(|layer| layer.expected_shapes());
            shapes.map(move |(name, shape)| (format!("{}{name}", prefix(index)), shape))
        });
        shapes.collect()
    }

    /// One group with layers from `source`.
    ///
    /// # Errors
    /// As [`Layers::layer`].
    pub fn build(&self, group: &GroupConfig, source: &mut dyn Layers) -> Result<Group> {
        let (width, metric_width) = (self.width, self.metric_width);
        Ok(match group {
            GroupConfig::Projection(config) => {
                Group::Projection(config.build(width, metric_width, source)?)
            }
            GroupConfig::Joint(config) => {
                Group::Joint(config.build(width, metric_width, source)?)
            }
        })
    }

    /// All groups from a heads file.
    ///
    /// # Errors
    /// `Format` when a tensor is missing.
    pub fn load(&self, weights: &Weights, device: &Device) -> Result<Vec<Group>> {
        let groups = self.groups.iter().enumerate();
        let load = |(index, group)| {
            let prefix = prefix(index);
            let mut source = StoredLayers {
                weights,
                prefix,
                device,
            };
            self.build(group, &mut source)
        };
        groups.map(load).collect()
    }
}

/// What stands before the names of a group's tensors.
fn prefix(group: usize) -> String {
    format!("groups.{group}.")
}

/// What the members of a group say of some tasks.
pub struct Said {
    /// Unclamped scores, `[members, tasks, 1]`.
    pub scores: Tensor<3>,
    /// Variance by the members' own account, `[members, tasks, 1]`, where they give one.
    pub variance: Option<Tensor<3>>,
    /// Points of the texts, `[members, tasks, size]`, where the group has a space.
    pub points: Option<Tensor<3>>,
    /// Cosines of each text to its own metric, `[members, tasks, 1]`, where it has one.
    pub relevance: Option<Tensor<3>>,
}

impl Group {
    /// Scores `inputs`; nothing is dropped.
    pub fn say(&self, config: &GroupConfig, inputs: &HeadInputs) -> Said {
        match (self, config) {
            (Self::Projection(heads), GroupConfig::Projection(config)) => {
                let outputs = heads.forward(inputs, &mut keep_all);
                Said {
                    scores: config.output.scores(outputs.clone()),
                    variance: config.output.variance(outputs),
                    points: None,
                    relevance: None,
                }
            }
            (Self::Joint(heads), _) => {
                let texts = heads.text_points(inputs, &mut keep_all);
                let metrics = heads.metric_points(inputs.metric.clone());
                let relevance = (texts.clone() * metrics.clone()).sum_dim(2);
                Said {
                    scores: heads.scores(texts.clone(), metrics, &mut keep_all),
                    variance: None,
                    points: Some(texts),
                    relevance: Some(relevance),
                }
            }
            (Self::Projection(_), GroupConfig::Joint(_)) => {
                unreachable!("a group is built from its own configuration")
            }
        }
    }

    /// Name and value of every stored tensor of group number `index`.
    pub fn tensors(&self, index: usize) -> Vec<(String, Tensor<3>)> {
        let tensors = match self {
            Self::Projection(heads) => heads.tensors(),
            Self::Joint(heads) => heads.tensors(),
        };
        let named = tensors.into_iter();
        named
            .map(|(name, tensor)| (format!("{}{name}", prefix(index)), tensor))
            .collect()
    }
}
