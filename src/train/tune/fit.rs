//! The loop that tunes.

use burn::grad_clipping::GradientClippingConfig;
use burn::module::Param;
use burn::nn::Linear;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};

use super::texts::{Batch, Texts};
use super::{TuneArgs, Tuned};
use crate::cli::block_on;
use crate::cli::progress::batches;
use crate::encoder::{Encoder, POOLS};
use crate::error::Result;
use crate::tokenizer::Passage;
use crate::train::descent::Descent;
use crate::train::random::Random;
use crate::train::ridge::Ridge;

/// Padded tokens encoded at a time: passages of like length go together.
const GROUP_TOKENS: usize = 1024;

/// An adapted encoder and its head, while they learn.
pub struct Fit<'a> {
    encoder: Encoder,
    head: Linear,
    optimizer: ModuleOptimizer,
    args: &'a TuneArgs,
    device: Device,
}

impl<'a> Fit<'a> {
    /// Begins with `ridge` as the head.
    pub fn new(encoder: Encoder, ridge: &Ridge, args: &'a TuneArgs, device: &Device) -> Self {
        let device = device.clone().autodiff();
        let clipping = GradientClippingConfig::Norm(1.0);
        let optimizer = AdamWConfig::new().with_grad_clipping(Some(clipping));
        Self {
            encoder,
            head: head(ridge, &device),
            optimizer: optimizer.init(),
            args,
            device,
        }
    }

    /// Runs all steps over `texts` with scores `targets`.
    ///
    /// # Errors
    /// `Data` when the loss is no longer a number, `Input` when interrupted.
    pub fn run(
        mut self,
        texts: &Texts,
        targets: &[f32],
        random: &mut Random,
        label: &str,
    ) -> Result<Tuned> {
        let descent = Descent {
            label,
            batch: self.args.tune_batch,
            epochs: self.args.tune_epochs,
            rate: self.args.tune_learning_rate,
            rate_option: "--tune-learning-rate",
            kept: "nothing of the tuning is kept",
        };
        let losses = descent.run(texts.len(), random, |rows, rate| {
            self.step(texts, targets, rows, rate)
        })?;
        Ok(Tuned {
            matrices: self.encoder.merged()?,
            losses,
            rows: texts.len(),
        })
    }

    /// Learns from `rows` and returns their mean squared error before.
    fn step(&mut self, texts: &Texts, targets: &[f32], rows: &[usize], rate: f64) -> Result<f32> {
        let loss = self.loss(texts, targets, rows)?;
        let value: f32 = loss.clone().into_scalar();
        let mut gradients = loss.backward();
        self.encoder.step(&mut self.optimizer, rate, &mut gradients);
        let gradients = GradientsParams::from_module(&mut gradients, &self.head);
        self.head = self.optimizer.step(rate, self.head.clone(), gradients);
        Ok(value)
    }

    /// Mean squared error of `rows`, in points squared.
    fn loss(&self, texts: &Texts, targets: &[f32], rows: &[usize]) -> Result<Tensor<1>> {
        let batch = Batch::new(texts, rows);
        let (pools, places) = pools(&self.encoder, &batch.passages)?;
        let scores = self.head.forward(batch.features(pools, &places));
        let targets: Vec<f32> = rows.iter().map(|&row| targets[row]).collect();
        let targets = TensorData::new(targets, [rows.len(), 1]);
        let targets = Tensor::<2>::from_data(targets, &self.device);
        Ok((scores - targets).square().mean())
    }
}

/// Pools of `passages`, `[passages x POOLS, width]`, and the place of each passage in them.
fn pools(encoder: &Encoder, passages: &[&Passage]) -> Result<(Tensor<2>, Vec<usize>)> {
    let costs: Vec<usize> = passages.iter().map(|passage| passage.len()).collect();
    let groups = batches(&costs, GROUP_TOKENS);
    let mut pools = Vec::with_capacity(groups.len());
    for group in &groups {
        let group: Vec<&Passage> = group.iter().map(|&index| passages[index]).collect();
        let rows = group.len() * POOLS;
        pools.push(block_on(encoder.pool(&group))?.reshape([rows, encoder.width()]));
    }
    let mut places = vec![0; passages.len()];
    for (place, passage) in groups.into_iter().flatten().enumerate() {
        places[passage] = place;
    }
    Ok((Tensor::cat(pools, 0), places))
}

fn head(ridge: &Ridge, device: &Device) -> Linear {
    let (weights, intercept) = ridge.parameters();
    let weights: Vec<f32> = weights.iter().map(|weight| *weight as f32).collect();
    let rows = weights.len();
    let weight = Tensor::from_data(TensorData::new(weights, [rows, 1]), device);
    let bias = Tensor::from_data(TensorData::new(vec![intercept as f32], [1]), device);
    Linear {
        weight: Param::from_tensor(weight),
        bias: Some(Param::from_tensor(bias)),
    }
}
