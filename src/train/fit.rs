//! The training loop: one group of members on some of the items.

use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData};

use super::batch::{Batch, Feeder, Prepared};
use super::dataset::Dataset;
use super::loss;
use super::random::Random;
use super::{FitArgs, interrupt, jobs};
use crate::cli::progress::bar;
use crate::error::{Error, ErrorKind, Result};
use crate::heads::{EnsembleConfig, Group, GroupConfig, Heads, Layer, Layers, Stacked, Standard};

/// Training and validation error by epoch, both RMSE in points of the 0-10 scale.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Curve {
    /// Kind of the group.
    pub group: String,
    /// Over the items trained on, weighted as in the loss.
    pub train: Vec<f32>,
    /// Over each member's own bag, which it did not see; empty without bags.
    pub validation: Vec<f32>,
    /// The epoch whose weights were kept, from 1.
    pub kept: usize,
}

/// Trained members with the standardisation they were trained under.
pub struct Fitted {
    /// Shapes.
    pub config: EnsembleConfig,
    /// The members, without gradients.
    pub groups: Vec<Group>,
    /// Means and scales of the training items.
    pub standard: Standard,
    /// One curve a group.
    pub curves: Vec<Curve>,
}

impl Fitted {
    /// The heads as the scorer has them.
    ///
    /// # Errors
    /// As [`Heads::new`].
    pub fn heads(&self, data: &Dataset) -> Result<Heads> {
        let anchors = data.metrics.anchor_vectors().to_vec();
        let (config, groups) = (self.config.clone(), self.groups.clone());
        Heads::new(
            config,
            groups,
            self.standard.clone(),
            anchors,
            &Device::flex(),
        )
    }
}

/// Fits an ensemble on each of the lists of items in `trains`; groups of all of them share the
/// cores. `bags` holds the bag of every item. The same arguments give the same members.
///
/// # Errors
/// `Data` when a loss is no longer a number.
pub fn fit_all(
    data: &Dataset,
    trains: &[Vec<usize>],
    bags: &[usize],
    config: &EnsembleConfig,
    args: &FitArgs,
    label: &str,
) -> Result<Vec<Fitted>> {
    let prepared = trains.iter().map(|train| Prepared::new(data, train));
    let prepared: Vec<Prepared> = prepared.collect();
    let count = config.groups.len();
    let bar = bar(label, (trains.len() * count * args.epochs) as u64, "epochs");
    let trained = jobs::run(trains.len() * count, |job| {
        let (run, group) = (job / count, job % count);
        let fit = Fit {
            data,
            prepared: &prepared[run],
            bags,
            config,
            group: &config.groups[group],
            args,
            seed: args.seed.wrapping_add(1000 * group as u64),
        };
        fit.run(&trains[run], &|| bar.inc(1))
    });
    bar.finish_and_clear();
    let mut trained = trained.into_iter().collect::<Result<Vec<_>>>()?.into_iter();
    let fitted = prepared.into_iter().map(|prepared| {
        let (groups, curves) = trained.by_ref().take(count).unzip();
        Fitted {
            config: config.clone(),
            groups,
            standard: prepared.standard,
            curves,
        }
    });
    Ok(fitted.collect())
}

/// One group's training.
struct Fit<'a> {
    data: &'a Dataset,
    prepared: &'a Prepared,
    bags: &'a [usize],
    config: &'a EnsembleConfig,
    group: &'a GroupConfig,
    args: &'a FitArgs,
    seed: u64,
}

impl Fit<'_> {
    fn run(&self, train: &[usize], tick: &dyn Fn()) -> Result<(Group, Curve)> {
        let device = Device::flex().autodiff();
        let mut random = Random::new(self.seed);
        let mut fresh = Fresh {
            random: &mut random,
            device: &device,
        };
        let mut group = self.config.build(self.group, &mut fresh)?;
        let decay = self.args.weight_decay as f32;
        let mut optimizer = AdamWConfig::new().with_weight_decay(decay).init();
        let feeder = Feeder::new(self.data, train, self.bags, self.prepared, self.args);
        let per_epoch = feeder.rows_an_epoch().div_ceil(self.args.batch);
        let steps = (per_epoch * self.args.epochs) as f64;
        let mut best = Best::new(group.clone(), self.group.name());
        let mut step = 0;
        for epoch in 0..self.args.epochs {
            interrupt::check("nothing is written; the vectors are cached")?;
            let order = feeder.draw(&mut random);
            let mut errors = Mean::default();
            for rows in order.chunks(self.args.batch) {
                let batch = feeder.batch(rows, self.group, &mut random, &device);
                let (loss, error) = loss::of(&group, self.group, &batch, self.args, &mut random);
                errors.add(error, rows.len());
                let gradients = GradientsParams::from_grads(loss.backward(), &group);
                let rate = learning_rate(self.args, step as f64 / steps);
                group = optimizer.step(rate, group, gradients);
                step += 1;
            }
            let validation = feeder.validation();
            let held = self.held_out_error(&group, &validation)?;
            tick();
            best.see(epoch, &group, errors.root()?, held);
            if best.is_stale(self.args.patience) {
                (epoch + 1..self.args.epochs).for_each(|_| tick());
                break;
            }
        }
        Ok((best.group.valid(), best.curve))
    }

    /// RMSE of each member over the items of its own bag, together; none without such items.
    fn held_out_error(&self, group: &Group, items: &[usize]) -> Result<Option<f32>> {
        if items.is_empty() {
            return Ok(None);
        }
        let device = Device::flex();
        let group = group.valid();
        let mut errors = Mean::default();
        for rows in items.chunks(1024) {
            let batch = Batch::plain(self.data, rows, self.prepared, &device);
            let scores = group.say(self.group, &batch.inputs).scores.clamp(0.0, 10.0);
            let held = batch.held_by(self.bags, rows, scores.dims()[0], &device);
            let squares = (scores - batch.targets).square() * held.clone();
            let (sum, count) = (number(squares.sum()), number(held.sum()));
            errors.add_sum(sum, count);
        }
        Ok(errors.root().ok())
    }
}

/// The best weights so far.
struct Best {
    group: Group,
    curve: Curve,
    error: f32,
}

impl Best {
    fn new(group: Group, name: &str) -> Self {
        Self {
            group,
            curve: Curve {
                group: name.into(),
                ..Curve::default()
            },
            error: f32::INFINITY,
        }
    }

    /// Takes note of an epoch; without validation the last one is the best.
    fn see(&mut self, epoch: usize, group: &Group, train: f32, held: Option<f32>) {
        self.curve.train.push(train);
        self.curve.validation.extend(held);
        if held.is_none_or(|held| held < self.error) {
            self.error = held.unwrap_or(self.error);
            self.group = group.clone();
            self.curve.kept = epoch + 1;
        }
    }

    fn is_stale(&self, patience: usize) -> bool {
        patience > 0 && self.curve.train.len() >= self.curve.kept + patience
    }
}

/// A running mean of squares.
#[derive(Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, mean: f32, rows: usize) {
        self.add_sum(mean * rows as f32, rows as f32);
    }

    fn add_sum(&mut self, sum: f32, count: f32) {
        self.sum += f64::from(sum);
        self.count += f64::from(count);
    }

    /// The root of the mean.
    fn root(&self) -> Result<f32> {
        let root = (self.sum / self.count).sqrt() as f32;
        if root.is_finite() {
            return Ok(root);
        }
        let message = format!("training diverged (error {root}): try a lower --learning-rate");
        Err(Error::new(ErrorKind::Data, message))
    }
}

/// Linear warm-up over the first twentieth, then a cosine to zero; `done` is 0 to 1.
fn learning_rate(args: &FitArgs, done: f64) -> f64 {
    let warm_up = ((done + 1e-3) / 0.05).min(1.0);
    args.learning_rate * warm_up * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
}

/// Layers of fresh random numbers: Xavier normal (Glorot and Bengio 2010).
struct Fresh<'a> {
    random: &'a mut Random,
    device: &'a Device,
}

impl Layers for Fresh<'_> {
    fn layer(&mut self, layer: &Layer) -> Result<Stacked> {
        let [members, inputs, outputs] = layer.shape;
        let deviation = (2.0 / (inputs + outputs) as f32).sqrt();
        let count = members * inputs * outputs;
        let weights: Vec<f32> = if layer.silent {
            vec![0.0; count]
        } else {
            (0..count)
                .map(|_| deviation * self.random.normal())
                .collect()
        };
        let bias = TensorData::zeros::<f32, _>([members, 1, outputs]);
        Ok(Stacked::new(
            TensorData::new(weights, layer.shape),
            bias,
            self.device,
        ))
    }

    fn device(&self) -> &Device {
        self.device
    }
}

/// The value of a tensor of one element.
pub fn number(tensor: Tensor<1>) -> f32 {
    tensor.into_scalar()
}
