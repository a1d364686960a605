//! Projection heads on frozen embeddings (the recipe's approach 1), a group of members at once.
//!
//! Each member projects the segments' vectors, the surface features and the metric into a small
//! space, forms interaction features there and regresses the score with a small MLP; a linear path
//! from the vectors and their products carries what a plain ridge regression would find. Members
//! are stacked along the first axis, so the group is a handful of batched products; members of a
//! smaller projection size leave the remaining columns at zero.

use burn::module::Module;
use burn::tensor::activation::{gelu, log_sigmoid};
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::inputs::HeadInputs;
use super::stacked::{Layer, Layers, Stacked, columns};
use super::{Drop, Pooling};
use crate::error::Result;
use crate::surface::SURFACE;

/// Interaction features, each as wide as the projection.
const FEATURES: usize = 10;

/// What is projected, in the order of the weights.
const INPUTS: [&str; 5] = ["system", "user", "response", "surface", "metric"];

/// Thresholds of an ordinal output: 0 to 9 for scores of 0 to 10.
pub const THRESHOLDS: usize = 10;

/// What a member's last layer says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// The score itself.
    #[default]
    Value,
    /// Conditional ordinal regression (CORN; Shi, Cao and Raschka 2021): one logit a threshold k,
    /// the chance of a score above k given one above k - 1. Ranks cannot cross, and the chances
    /// give a variance beside the score.
    Ordinal,
}

/// One member of a projection group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProjectionMember {
    /// Size of the space it projects into.
    pub size: usize,
    /// Which vector stands for the answer.
    pub pooling: Pooling,
    /// Share of features dropped in training.
    pub dropout: f32,
}

/// A group of projection members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProjectionConfig {
    /// What the last layer says.
    pub output: Output,
    /// Width of the MLP's inner layer.
    pub hidden: usize,
    /// The members.
    pub members: Vec<ProjectionMember>,
}

/// The stacked members.
#[derive(Module, Debug)]
pub struct ProjectionHeads {
    inputs: Vec<Stacked>,
    /// Second layer of the metric's projection.
    metric: Stacked,
    hidden: Stacked,
    output: Stacked,
    /// The linear path.
    direct: Stacked,
    /// `[members, 1, projection]`: 1 in the columns a member uses.
    columns: Tensor<3>,
    #[module(skip)]
    poolings: Vec<Pooling>,
}

impl ProjectionConfig {
    /// The last layer's outputs of a member.
    fn outputs(&self) -> usize {
        match self.output {
            Output::Value => 1,
            Output::Ordinal => THRESHOLDS,
        }
    }

    fn sizes(&self) -> Vec<usize> {
        self.members.iter().map(|member| member.size).collect()
    }

    /// Every layer, for encoder vectors of `width` and metric vectors of `metric_width`.
    pub fn layers(&self, width: usize, metric_width: usize) -> Vec<Layer> {
        let members = self.members.len();
        let size = self.sizes().into_iter().max().unwrap_or(0);
        let widths = [width, width, width, SURFACE, metric_width];
        let inputs = INPUTS.into_iter().zip(widths);
        let mut layers: Vec<Layer> = inputs
            .map(|(name, width)| Layer::new(format!("inputs.{name}"), [members, width, size]))
            .collect();
        let direct = direct_width(width, metric_width);
        layers.extend([
            Layer::new("metric", [members, size, size]),
            Layer::new("hidden", [members, FEATURES * size, self.hidden]),
            Layer::new("output", [members, self.hidden, self.outputs()]),
            Layer::new("direct", [members, direct, self.outputs()]).silent(),
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
    ) -> Result<ProjectionHeads> {
        let layers = self.layers(width, metric_width);
        let layers = layers.iter().map(|layer| source.layer(layer));
        let mut layers = layers.collect::<Result<Vec<_>>>()?.into_iter();
        let inputs = layers.by_ref().take(INPUTS.len()).collect();
        let mut next = || layers.next().expect("layers() lists every layer");
        Ok(ProjectionHeads {
            inputs,
            metric: next(),
            hidden: next(),
            output: next(),
            direct: next(),
            columns: columns(&self.sizes(), source.device()),
            poolings: self.members.iter().map(|member| member.pooling).collect(),
        })
    }
}

/// Inputs of the linear path: the products that a plain ridge regression gets too. Metric vectors
/// of another width have no product with the answer's.
fn direct_width(width: usize, metric_width: usize) -> usize {
    let products = if width == metric_width { 4 } else { 3 };
    products * width + SURFACE
}

impl ProjectionHeads {
    /// Name and value of every stored tensor.
    pub fn tensors(&self) -> Vec<(String, Tensor<3>)> {
        let inputs = INPUTS.iter().zip(&self.inputs);
        let inputs = inputs.map(|(name, layer)| (format!("inputs.{name}"), layer));
        let rest = [
            ("metric", &self.metric),
            ("hidden", &self.hidden),
            ("output", &self.output),
            ("direct", &self.direct),
        ];
        let rest = rest.map(|(name, layer)| (name.to_owned(), layer));
        let layers = inputs.chain(rest);
        layers
            .flat_map(|(name, layer)| layer.tensors(&name))
            .collect()
    }

    /// The last layer's outputs, `[members, tasks, 1 or THRESHOLDS]`.
    pub fn forward(&self, inputs: &HeadInputs, drop: &mut Drop) -> Tensor<3> {
        let slots = Pooling::slots(&self.poolings);
        let [system, user, response] = slots.map(|pools| inputs.slot(&pools));
        let direct = drop(self.direct_inputs(&user, &response, inputs));
        let texts = [system, user, response, inputs.surface(), inputs.metric()];
        let mut projected = self.inputs.iter().zip(texts);
        let mut next = || {
            let (layer, input) = projected.next().expect("one layer an input");
            layer.forward(input) * self.columns.clone()
        };
        let [system, user, response, surface, metric] = [next(), next(), next(), next(), next()];
        let metric = self.metric.forward(gelu(metric)) * self.columns.clone();
        let features = vec![
            response.clone() * metric.clone(),
            user.clone() * metric.clone(),
            surface.clone() * metric.clone(),
            response.clone() * user.clone(),
            system * response.clone(),
            (response.clone() - user.clone()).abs(),
            response,
            user,
            surface,
            metric,
        ];
        let features = drop(Tensor::cat(features, 2));
        let hidden = drop(gelu(self.hidden.forward(features)));
        self.output.forward(hidden) + self.direct.forward(direct)
    }

    fn direct_inputs(
        &self,
        user: &Tensor<3>,
        response: &Tensor<3>,
        inputs: &HeadInputs,
    ) -> Tensor<3> {
        let [members, tasks, width] = user.dims();
        let mut products = vec![
            user.clone(),
            response.clone(),
            user.clone() * response.clone(),
        ];
        if inputs.metric.dims()[1] == width {
            products.push(response.clone() * inputs.metric());
        }
        products.push(inputs.surface().expand([members, tasks, SURFACE]));
        Tensor::cat(products, 2)
    }
}

impl Output {
    /// Unclamped scores `[members, tasks, 1]` from the last layer's outputs.
    pub fn scores(self, outputs: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Value => outputs.mul_scalar(5.0).add_scalar(5.0),
            Self::Ordinal => above(outputs).sum_dim(2),
        }
    }

    /// Variance of the score by the member's own account, `[members, tasks, 1]`, where it has one.
    pub fn variance(self, outputs: Tensor<3>) -> Option<Tensor<3>> {
        match self {
            Self::Value => None,
            Self::Ordinal => Some(ordinal_variance(above(outputs))),
        }
    }
}

/// Chances of a score above each threshold, `[members, tasks, THRESHOLDS]`, from CORN's
/// conditional logits: their running product.
fn above(logits: Tensor<3>) -> Tensor<3> {
    let upper = (0..THRESHOLDS * THRESHOLDS)
        .map(|cell| f32::from(u8::from(cell / THRESHOLDS <= cell % THRESHOLDS)));
    let upper: Vec<f32> = upper.collect();
    let upper = TensorData::new(upper, [1, THRESHOLDS, THRESHOLDS]);
    let upper = Tensor::<3>::from_data(upper, &logits.device());
    log_sigmoid(logits).matmul(upper).exp()
}

/// `E[y^2] - E[y]^2` of a whole-numbered score with these chances: the sum of `(2k + 1) P(y > k)`
/// is `E[y^2]`.
fn ordinal_variance(above: Tensor<3>) -> Tensor<3> {
    let odd: Vec<f32> = (0..THRESHOLDS).map(|k| 2.0 * k as f32 + 1.0).collect();
    let odd = TensorData::new(odd, [1, 1, THRESHOLDS]);
    let odd = Tensor::<3>::from_data(odd, &above.device());
    let mean = above.clone().sum_dim(2);
    (above * odd).sum_dim(2) - mean.square()
}

/// CORN's loss of each row, `[members, tasks, 1]`, for whole or fractional scores.
///
/// A score y is the sum of `t_k = clamp(y - k, 0, 1)`; threshold k learns `t_k / t_{k-1}` on rows
/// above k - 1, weighted by `t_{k-1}`. For whole scores this is the paper's loss.
pub fn ordinal_loss(logits: Tensor<3>, targets: &[f32], device: &Device) -> Tensor<3> {
    let step = |target: f32, k: isize| (target - k as f32).clamp(0.0, 1.0);
    let table = |value: &dyn Fn(f32, isize) -> f32| {
        let of = |&target: &f32| (0..THRESHOLDS as isize).map(move |k| value(target, k));
        let values: Vec<f32> = targets.iter().flat_map(of).collect();
        let data = TensorData::new(values, [1, targets.len(), THRESHOLDS]);
        Tensor::<3>::from_data(data, device)
    };
    let passed = table(&|target, k| step(target, k));
    let failed = table(&|target, k| {
        let before = if k == 0 { 1.0 } else { step(target, k - 1) };
        before - step(target, k)
    });
    let loss = log_sigmoid(logits.clone()) * passed + log_sigmoid(logits.neg()) * failed;
    loss.neg().sum_dim(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[f32]) -> Tensor<3> {
        let data = TensorData::new(values.to_vec(), [1, 1, values.len()]);
        Tensor::from_data(data, &Device::flex())
    }

    fn number(tensor: Tensor<3>) -> f32 {
        tensor.into_data().try_into_vec::<f32>().unwrap()[0]
    }

    /// Sure of scores above 0 to 6, of none above 7: seven, without doubt.
    #[test]
    fn ordinal_logits_give_score_and_variance() {
        let mut logits = [30.0; THRESHOLDS];
        logits[7] = -30.0;
        let (score, variance) = (
            number(Output::Ordinal.scores(row(&logits))),
            number(Output::Ordinal.variance(row(&logits)).unwrap()),
        );
        assert!(
            (score - 7.0).abs() < 1e-4 && variance.abs() < 1e-3,
            "{score} {variance}"
        );
        // Even odds of 0 and 10: mean 5, variance 25.
        let mut logits = [30.0; THRESHOLDS];
        logits[0] = 0.0;
        assert!((number(Output::Ordinal.scores(row(&logits))) - 5.0).abs() < 1e-3);
        let variance = number(Output::Ordinal.variance(row(&logits)).unwrap());
        assert!((variance - 25.0).abs() < 1e-2, "{variance}");
    }

    #[test]
    fn ordinal_loss_is_least_at_the_true_score() {
        let sure_of = |score: usize| {
            let logit = |k| if k < score { 4.0 } else { -4.0 };
            row(&std::array::from_fn::<f32, THRESHOLDS, _>(logit))
        };
        let loss = |score| number(ordinal_loss(sure_of(score), &[6.0], &Device::flex()));
        let best = (0..=10).min_by(|&a, &b| loss(a).total_cmp(&loss(b)));
        assert_eq!(best, Some(6));
    }
}
