//! A shared space of texts and metrics (the recipe's approach 2), a group of members at once.
//!
//! A text's point comes from prompt and answer, in some members from the system prompt too, and
//! does not depend on the metric; a metric's point is its anchor. A member regresses the score from
//! both points. In training, answers that score high are drawn to their metric's anchor and those
//! that score low are pushed from it, so that nearness means something by itself.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::gelu;
use serde::{Deserialize, Serialize};

use super::inputs::HeadInputs;
use super::stacked::{Layer, Layers, Stacked, columns, per_member};
use super::{Drop, Pooling};
use crate::error::Result;
use crate::surface::SURFACE;

/// Features of the regression, each as wide as the space.
const FEATURES: usize = 4;

/// What makes up a text's point, in the order of the weights.
const TEXTS: [&str; 4] = ["system", "user", "response", "surface"];

/// One member of a joint group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JointMember {
    /// Dimensions of its space.
    pub size: usize,
    /// Which vector stands for the answer.
    pub pooling: Pooling,
    /// Whether the system prompt is part of the text.
    pub system: bool,
    /// Share of features dropped in training.
    pub dropout: f32,
    /// Weight of the contrastive loss beside the regression's.
    pub contrast: f32,
}

/// A group of joint members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JointConfig {
    /// Width of the regression's inner layer.
    pub hidden: usize,
    /// The members; the first is the one that maps are drawn from.
    pub members: Vec<JointMember>,
}

/// The stacked members.
#[derive(Module, Debug)]
pub struct JointHeads {
    texts: Vec<Stacked>,
    text: Stacked,
    metrics: Stacked,
    metric: Stacked,
    hidden: Stacked,
    output: Stacked,
    /// `[members, 1, size]`: 1 in the columns a member uses.
    columns: Tensor<3>,
    /// `[members, 1, 1]`: 1 where the system prompt counts.
    system: Tensor<3>,
    /// `[members, 1, 1]`: square root of the member's size, which brings the coordinates of unit
    /// vectors to about 1.
    spread: Tensor<3>,
    #[module(skip)]
    poolings: Vec<Pooling>,
}

impl JointConfig {
    fn sizes(&self) -> Vec<usize> {
        self.members.iter().map(|member| member.size).collect()
    }

    /// Every layer, for encoder vectors of `width` and metric vectors of `metric_width`.
    pub fn layers(&self, width: usize, metric_width: usize) -> Vec<Layer> {
        let members = self.members.len();
        let size = self.sizes().into_iter().max().unwrap_or(0);
        let texts = TEXTS.into_iter().zip([width, width, width, SURFACE]);
        let mut layers: Vec<Layer> = texts
            .map(|(name, width)| Layer::new(format!("texts.{name}"), [members, width, size]))
            .collect();
        layers.extend([
            Layer::new("text", [members, size, size]),
            Layer::new("metrics", [members, metric_width, size]),
            Layer::new("metric", [members, size, size]),
            Layer::new("hidden", [members, FEATURES * size, self.hidden]),
            Layer::new("output", [members, self.hidden, 1]),
        ]);
        layers
    }

    /// The members with layers from `source`.
    ///
    /// # Errors
    /// As [`Layers::layer`].
    pub fn build(
        &self,
        width: usize,
        metric_width: usize,
        source: &mut dyn Layers,
    ) -> Result<JointHeads> {
        let layers = self.layers(width, metric_width);
        let layers = layers.iter().map(|layer| source.layer(layer));
        let mut layers = layers.collect::<Result<Vec<_>>>()?.into_iter();
        let texts = layers.by_ref().take(TEXTS.len()).collect();
        let mut next = || layers.next().expect("layers() lists every layer");
        let device = source.device();
        let system = self.members.iter().map(|m| f32::from(u8::from(m.system)));
        let spread = self.members.iter().map(|m| (m.size as f32).sqrt());
        Ok(JointHeads {
            texts,
            text: next(),
            metrics: next(),
            metric: next(),
            hidden: next(),
            output: next(),
            columns: columns(&self.sizes(), device),
            system: per_member(system.collect(), device),
            spread: per_member(spread.collect(), device),
            poolings: self.members.iter().map(|member| member.pooling).collect(),
        })
    }
}

impl JointHeads {
    /// Name and value of every stored tensor.
    pub fn tensors(&self) -> Vec<(String, Tensor<3>)> {
        let texts = TEXTS.iter().zip(&self.texts);
        let texts = texts.map(|(name, layer)| (format!("texts.{name}"), layer));
        let rest = [
            ("text", &self.text),
            ("metrics", &self.metrics),
            ("metric", &self.metric),
            ("hidden", &self.hidden),
            ("output", &self.output),
        ];
        let rest = rest.map(|(name, layer)| (name.to_owned(), layer));
        let layers = texts.chain(rest);
        layers
            .flat_map(|(name, layer)| layer.tensors(&name))
            .collect()
    }

    /// Points of the texts, unit vectors `[members, tasks, size]`.
    pub fn text_points(&self, inputs: &HeadInputs, drop: &mut Drop) -> Tensor<3> {
        let slots = Pooling::slots(&self.poolings);
        let [system, user, response] = slots.map(|pools| inputs.slot(&pools));
        let texts = [
            system * self.system.clone(),
            user,
            response,
            inputs.surface(),
        ];
        let layers = self.texts.iter().zip(texts);
        let sum = layers
            .map(|(layer, text)| layer.forward(drop(text)))
            .reduce(|sum, part| sum + part)
            .expect("a text has parts");
        let point = gelu(sum.clone() * self.columns.clone());
        unit((self.text.forward(drop(point)) + sum) * self.columns.clone())
    }

    /// Points of metrics given as standardised vectors `[metrics, metric width]`: unit vectors
    /// `[members, metrics, size]`.
    pub fn metric_points(&self, metrics: Tensor<2>) -> Tensor<3> {
        let sum = self.metrics.forward(metrics.unsqueeze());
        let point = gelu(sum.clone() * self.columns.clone());
        unit((self.metric.forward(point) + sum) * self.columns.clone())
    }

    /// Unclamped scores `[members, tasks, 1]` from the points of texts and of their metrics.
    pub fn scores(&self, texts: Tensor<3>, metrics: Tensor<3>, drop: &mut Drop) -> Tensor<3> {
        let (text, metric) = (texts * self.spread.clone(), metrics * self.spread.clone());
        let features = vec![
            text.clone() * metric.clone(),
            (text.clone() - metric.clone()).square(),
            text,
            metric,
        ];
        let features = drop(Tensor::cat(features, 2));
        let hidden = drop(gelu(self.hidden.forward(features)));
        self.output.forward(hidden).mul_scalar(5.0).add_scalar(5.0)
    }
}

/// Vectors of length 1 along the last axis.
fn unit(vectors: Tensor<3>) -> Tensor<3> {
    let norm = vectors.clone().square().sum_dim(2).add_scalar(1e-12).sqrt();
    vectors / norm
}
