//! The loop that distils.

use std::time::Instant;

use burn::grad_clipping::GradientClippingConfig;
use burn::optim::{AdamWConfig, ModuleOptimizer};
use burn::tensor::Tensor;

use super::{DistillArgs, Pair};
use crate::cli::import::Stored;
use crate::encoder::{Encoder, Pool, Precision, Trace, Weights, expected_shapes};
use crate::error::Result;
use crate::tokenizer::Passage;
use crate::train::descent::Descent;
use crate::train::interrupt;
use crate::train::random::Random;

/// Weight of the cosine's loss beside that of the states: cosines of this kind of encoder lie close
/// together.
const COSINE_WEIGHT: f64 = 10.0;

/// Texts of a step of measuring.
const MEASURED: usize = 16;

/// A larger encoder and the smaller one that learns from it.
pub struct Fit<'a> {
    teacher: Encoder,
    student: Encoder,
    /// The layer of the larger one that each of the smaller one began as.
    layers: &'a [usize],
    optimizer: ModuleOptimizer,
    args: &'a DistillArgs,
}

impl<'a> Fit<'a> {
    /// Begins with `student`.
    pub fn new(
        teacher: Encoder,
        student: Encoder,
        layers: &'a [usize],
        args: &'a DistillArgs,
    ) -> Self {
        let clipping = GradientClippingConfig::Norm(1.0);
        let optimizer = AdamWConfig::new().with_grad_clipping(Some(clipping));
        Self {
            teacher,
            student,
            layers,
            optimizer: optimizer.init(),
            args,
        }
    }

    /// Runs all steps over `learnt`: the smaller encoder, its mean cosine on `measured`, and seconds.
    ///
    /// # Errors
    /// `Data` when the loss is no longer a number, `Input` when interrupted.
    pub fn run(
        mut self,
        learnt: &[Pair],
        measured: &[Pair],
        random: &mut Random,
    ) -> Result<(Encoder, f32, f64)> {
        interrupt::watch();
        let started = Instant::now();
        let descent = Descent {
            label: "distilling",
            batch: self.args.batch,
            epochs: self.args.epochs,
            rate: self.args.learning_rate,
            rate_option: "--learning-rate",
            kept: "nothing of the distilled encoder is kept",
        };
        descent.run(learnt.len(), random, |rows, rate| {
            let pairs: Vec<&Pair> = rows.iter().map(|&row| &learnt[row]).collect();
            self.step(&pairs, rate)
        })?;
        let cosine = self.cosine(measured)?;
        Ok((self.student, cosine, started.elapsed().as_secs_f64()))
    }

    /// Learns from `pairs` and returns their loss before.
    fn step(&mut self, pairs: &[&Pair], rate: f64) -> Result<f32> {
        let loss = self.loss(pairs)?;
        let value: f32 = loss.clone().into_scalar();
        let mut gradients = loss.backward();
        self.student.step(&mut self.optimizer, rate, &mut gradients);
        Ok(value)
    }

    fn loss(&self, pairs: &[&Pair]) -> Result<Tensor<1>> {
        let wanted = trace(&self.teacher, pairs, |pair| &pair.teacher)?;
        let found = trace(&self.student, pairs, |pair| &pair.student)?;
        let cosines = cosines(&found, &wanted);
        let guide = match pairs.iter().any(|pair| pair.mapped.is_some()) {
            true => trace(&self.teacher, pairs, |pair| {
                pair.mapped.as_ref().unwrap_or(&pair.teacher)
            })?,
            false => wanted,
        };
        let mut loss = (cosines.neg() + 1.0).mean() * COSINE_WEIGHT;
        let share = 1.0 / (self.layers.len() + 1) as f64;
        // Behind the norm of the embeddings there is a state, too.
        let layers = std::iter::once(0).chain(self.layers.iter().map(|layer| layer + 1));
        for (state, layer) in found.states.iter().zip(layers) {
            let guide = guide.states[layer].clone() * found.tokens.clone();
            let size = guide.clone().square().sum();
            let difference = state.clone() * found.tokens.clone() - guide;
            loss = loss + difference.square().sum() / size * share;
        }
        Ok(loss)
    }

    /// Mean cosine of the smaller encoder's vectors to the larger one's.
    ///
    /// # Errors
    /// As [`Encoder::trace`].
    pub fn cosine(&self, pairs: &[Pair]) -> Result<f32> {
        let mut sum = 0.0;
        for group in pairs.chunks(MEASURED) {
            let group: Vec<&Pair> = group.iter().collect();
            let wanted = trace(&self.teacher, &group, |pair| &pair.teacher)?;
            let found = trace(&self.student, &group, |pair| &pair.student)?;
            let cosines: f32 = cosines(&found, &wanted).sum().into_scalar();
            sum += cosines;
        }
        Ok(sum / pairs.len() as f32)
    }
}

/// What `encoder` makes of one of the passages of each pair.
fn trace(encoder: &Encoder, pairs: &[&Pair], of: fn(&Pair) -> &Passage) -> Result<Trace> {
    encoder.trace(&pairs.iter().map(|pair| of(pair)).collect::<Vec<_>>())
}

/// The cosine of each pair, `[pairs, 1]`.
fn cosines(found: &Trace, wanted: &Trace) -> Tensor<2> {
    (vectors(found) * vectors(wanted)).sum_dim(1)
}

/// The sentence's vector of each passage, L2-normalised, `[passages, width]`.
fn vectors(trace: &Trace) -> Tensor<2> {
    let [passages, _, width] = trace.pools.dims();
    let all = trace.pools.clone().narrow(1, Pool::All as usize, 1);
    let all = all.reshape([passages, width]);
    let length = all.clone().square().sum_dim(1).sqrt() + 1e-12;
    all / length
}

/// The tensors of the smaller encoder: its layers at `precision`, all else as `weights` have it.
///
/// # Errors
/// As [`Weights::quantised`].
pub fn stored(weights: &Weights, student: &Encoder, precision: Precision) -> Result<Vec<Stored>> {
    let trained = student.layer_tensors()?;
    let mut tensors = Vec::new();
    for tensor in &trained {
        tensors.extend(Stored::matrix(
            &tensor.name,
            &tensor.shape,
            &tensor.values,
            precision,
        ));
    }
    for (name, shape) in expected_shapes(student.config()) {
        if trained.iter().any(|tensor| tensor.name == name) {
            continue;
        }
        match weights.quantised(&name)? {
            Some(matrix) => tensors.extend(Stored::quantised(&name, &[], matrix)),
            None => tensors.push(Stored::plain(&name, &shape, &weights.f32(&name)?)),
        }
    }
    Ok(tensors)
}
