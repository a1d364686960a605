//! The loop that tunes.

use burn::grad_clipping::GradientClippingConfig;
use burn::module::Param;
use burn::nn::Linear;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};

use super::texts::{Batch, Texts};
use super::{TuneArgs, Tuned};
use crate::cli::block_on;
use crate::cli::progress::{bar, batches};
use crate::encoder::{Encoder, POOLS};
use crate::error::{Error, ErrorKind, Result};
use crate::tokenizer::Passage;
use crate::train::interrupt;
use crate::train::random::Random;
use crate::train::ridge::Ridge;

/// Padded tokens encoded at a time: passages of like length go together.
const GROUP_TOKENS: usize = 1024;

/// Share of the latest step in the loss shown.
pub const LATEST: f32 = 0.05;

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
        let mut order: Vec<usize> = (0..texts.len()).collect();
        let steps = order.len().div_ceil(self.args.tune_batch) * self.args.tune_epochs;
        // The label is part of the bar's template, in which {msg} stands for the message.
        let bar = bar(&format!("{label}, loss {{msg}}"), steps as u64, "steps");
        let (mut losses, mut shown) = (Vec::with_capacity(steps), None);
        for _ in 0..self.args.tune_epochs {
            random.shuffle(&mut order);
            for rows in order.chunks(self.args.tune_batch) {
                let rate = learning_rate(self.args.tune_learning_rate, losses.len(), steps);
                let loss = self.step(texts, targets, rows, rate)?;
                losses.push(loss);
                let mean = shown.map_or(loss, |mean| mean + LATEST * (loss - mean));
                shown = Some(mean);
                bar.set_message(format!("{mean:.2}"));
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        Ok(Tuned {
            matrices: self.encoder.merged()?,
            losses,
            rows: texts.len(),
        })
    }

    /// Learns from `rows` and returns their mean squared error before.
    fn step(&mut self, texts: &Texts, targets: &[f32], rows: &[usize], rate: f64) -> Result<f32> {
        interrupt::check("nothing of the tuning is kept")?;
        let loss = self.loss(texts, targets, rows)?;
        let value: f32 = loss.clone().into_scalar();
        if !value.is_finite() {
            let message =
                format!("tuning diverged (loss {value}): try a lower --tune-learning-rate");
            return Err(Error::new(ErrorKind::Data, message));
        }
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

/// Rises to `peak` over the first tenth of the steps, then a cosine to zero.
pub fn learning_rate(peak: f64, step: usize, steps: usize) -> f64 {
    let done = (step as f64 + 0.5) / steps as f64;
    let warm_up = (done / 0.1).min(1.0);
    peak * warm_up * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
}
