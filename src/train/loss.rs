//! What the members of a group are to make small.

use burn::tensor::activation::{log_softmax, softplus};
use burn::tensor::{Device, Tensor, TensorData};

use super::FitArgs;
use super::batch::Batch;
use super::fit::number;
use super::random::Random;
use crate::heads::{Drop, Group, GroupConfig, JointConfig, Output, ordinal_loss};

/// Cosine from which an answer that scores low is pushed from its metric's anchor.
const MARGIN: f64 = 0.1;

/// The loss over the batch, summed over members, and the weighted mean squared error in points
/// (mean over members) for the curve.
pub fn of(
    group: &Group,
    config: &GroupConfig,
    batch: &Batch,
    args: &FitArgs,
    random: &mut Random,
) -> (Tensor<1>, f32) {
    let rates = config.members().into_iter().map(|(_, _, dropout)| dropout);
    let rates: Vec<f32> = rates.collect();
    let mut drop = |features: Tensor<3>| dropped(features, &rates, random);
    let device = batch.targets.device();
    match (group, config) {
        (Group::Projection(heads), GroupConfig::Projection(config)) => {
            let outputs = heads.forward(&batch.inputs, &mut drop);
            let squares = squares(config.output.scores(outputs.clone()), batch);
            let loss = match config.output {
                Output::Value => squares.clone(),
                Output::Ordinal => {
                    ordinal_loss(outputs, &batch.scores, &device) * batch.weights.clone()
                }
            };
            (per_row(loss), error(squares))
        }
        (Group::Joint(heads), GroupConfig::Joint(config)) => {
            let texts = heads.text_points(&batch.inputs, &mut drop);
            let metrics = heads.metric_points(batch.inputs.metric.clone());
            let contrast = contrastive(
                texts.clone(),
                metrics.clone(),
                batch,
                config,
                args.temperature,
            );
            let drop: &mut Drop = &mut drop;
            let squares = squares(heads.scores(texts, metrics, drop), batch);
            (per_row(squares.clone() + contrast), error(squares))
        }
        _ => unreachable!("a group is built from its own configuration"),
    }
}

/// Weighted squared errors, `[members, items, 1]`.
fn squares(scores: Tensor<3>, batch: &Batch) -> Tensor<3> {
    (scores - batch.targets.clone()).square() * batch.weights.clone()
}

/// The sum over members of the mean over items.
fn per_row(loss: Tensor<3>) -> Tensor<1> {
    let items = loss.dims()[1];
    loss.sum().div_scalar(items as f32)
}

fn error(squares: Tensor<3>) -> f32 {
    number(squares.detach().mean())
}

/// The contrastive loss of each item, `[members, items, 1]`, by each member's weight.
///
/// An answer that scores high is drawn to its metric's anchor among the anchors of the batch
/// (InfoNCE, van den Oord et al. 2018; no contrast shares the metric or its parent), the more the
/// higher above 5; one that scores low is pushed from it, the more the lower below 5.
fn contrastive(
    texts: Tensor<3>,
    metrics: Tensor<3>,
    batch: &Batch,
    config: &JointConfig,
    temperature: f64,
) -> Tensor<3> {
    let device = texts.device();
    let own = (texts.clone() * metrics.clone()).sum_dim(2);
    let cosines = texts.matmul(metrics.swap_dims(1, 2));
    let logits = cosines.div_scalar(temperature) + masked(&batch.contrasts, &device);
    let items = logits.dims()[1];
    let diagonal = Tensor::<2>::eye(items, &device).unsqueeze::<3>();
    let drawn = (log_softmax(logits, 2) * diagonal).sum_dim(2).neg();
    let pushed = softplus(own.sub_scalar(MARGIN).div_scalar(temperature), 1.0);
    let high = batch
        .targets
        .clone()
        .sub_scalar(5.0)
        .div_scalar(5.0)
        .clamp(-1.0, 1.0);
    let loss = drawn * high.clone().clamp_min(0.0) + pushed * high.neg().clamp_min(0.0);
    let weights = config
        .members
        .iter()
        .map(|member| member.contrast)
        .collect();
    loss * batch.weights.clone() * members(weights, &device)
}

/// `[1, items, items]`: 0 where a contrast counts, far below where it does not.
fn masked(contrasts: &[bool], device: &Device) -> Tensor<3> {
    let items = contrasts.len().isqrt();
    let values = contrasts
        .iter()
        .map(|counts| if *counts { 0.0_f32 } else { -1e9 });
    let data = TensorData::new(values.collect::<Vec<_>>(), [1, items, items]);
    Tensor::from_data(data, device)
}

fn members(values: Vec<f32>, device: &Device) -> Tensor<3> {
    let shape = [values.len(), 1, 1];
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Features with each member's share of them set to zero and the rest scaled up.
fn dropped(features: Tensor<3>, rates: &[f32], random: &mut Random) -> Tensor<3> {
    let [_, items, width] = features.dims();
    let mut mask = Vec::with_capacity(rates.len() * items * width);
    for rate in rates {
        let (keep, scale) = (65_536.0 * (1.0 - rate), 1.0 / (1.0 - rate));
        let mut left = items * width;
        while left > 0 {
            let bits = random.next();
            let draws = (0..left.min(4)).map(|draw| (bits >> (16 * draw)) as u16);
            mask.extend(draws.map(|draw| if f32::from(draw) < keep { scale } else { 0.0 }));
            left -= left.min(4);
        }
    }
    let mask = TensorData::new(mask, [rates.len(), items, width]);
    features.clone() * Tensor::from_data(mask, &features.device())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heads::{HeadInputs, JointMember, Pooling};

    /// The contrastive loss of two items with texts at `points` on a circle and metrics at the
    /// right and at the left, both of score `target`.
    fn contrast(points: [[f32; 2]; 2], target: f32, contrasts: [bool; 4]) -> f32 {
        let device = Device::flex();
        let tensor = |points: [[f32; 2]; 2]| {
            Tensor::<3>::from_data(TensorData::new(points.concat(), [1, 2, 2]), &device)
        };
        let batch = Batch {
            inputs: HeadInputs {
                pools: Tensor::zeros([2, 1, 1], &device),
                surface: Tensor::zeros([2, 1], &device),
                metric: Tensor::zeros([2, 1], &device),
            },
            targets: Tensor::full([1, 2, 1], target, &device),
            scores: vec![target; 2],
            weights: Tensor::ones([1, 2, 1], &device),
            contrasts: contrasts.into(),
        };
        let member = JointMember {
            size: 2,
            pooling: Pooling::Segments,
            system: false,
            dropout: 0.0,
            contrast: 1.0,
        };
        let config = JointConfig {
            hidden: 1,
            members: vec![member],
        };
        let metrics = tensor([[1.0, 0.0], [-1.0, 0.0]]);
        number(contrastive(tensor(points), metrics, &batch, &config, 0.1).sum())
    }

    const OWN: [[f32; 2]; 2] = [[1.0, 0.0], [-1.0, 0.0]];
    const OTHERS: [[f32; 2]; 2] = [[-1.0, 0.0], [1.0, 0.0]];

    #[test]
    fn good_answers_are_drawn_to_their_metric_and_bad_ones_pushed_from_it() {
        let loss = |points, target| contrast(points, target, [true; 4]);
        assert!(loss(OWN, 10.0) + 1.0 < loss(OTHERS, 10.0));
        assert!(loss(OTHERS, 0.0) + 1.0 < loss(OWN, 0.0));
        assert_eq!(loss(OWN, 5.0), 0.0);
    }

    #[test]
    fn related_metrics_are_no_contrast() {
        let alone = contrast(OTHERS, 10.0, [true, false, false, true]);
        assert!(alone.abs() < 1e-5, "{alone}");
    }

    #[test]
    fn each_member_drops_its_own_share_and_keeps_the_mean() {
        let device = Device::flex();
        let ones = Tensor::<3>::ones([1, 50, 40], &device);
        let dropped = dropped(ones, &[0.0, 0.5], &mut Random::new(1));
        let values = dropped.into_data().try_into_vec::<f32>().unwrap();
        let (none, half) = values.split_at(2000);
        assert!(none.iter().all(|value| *value == 1.0));
        assert!(half.iter().all(|value| *value == 0.0 || *value == 2.0));
        let mean = half.iter().sum::<f32>() / 2000.0;
        assert!((mean - 1.0).abs() < 0.1, "{mean}");
    }
}
