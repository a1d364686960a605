//! The training loop.

use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData};

use super::TrainArgs;
use super::dataset::Dataset;
use crate::cli::progress::bar;
use crate::encoder::POOLS;
use crate::error::{Error, ErrorKind, Result};
use crate::heads::{HeadInputs, METRIC_ROW, ProjectionConfig, ProjectionHeads, Standard};

/// Trained members with the standardisation they were trained under.
pub struct Fitted {
    /// The members, without gradients.
    pub members: ProjectionHeads,
    /// Means and scales of the training rows.
    pub standard: Standard,
}

/// Fits the members on the rows `train`; the same arguments give the same members.
///
/// # Errors
/// `Data` when the loss is no longer a number.
pub fn fit(
    data: &Dataset,
    train: &[usize],
    config: &ProjectionConfig,
    args: &TrainArgs,
    label: &str,
) -> Result<Fitted> {
    let device = Device::flex().autodiff();
    device.seed(args.seed);
    let standard = standardise(data, train);
    let weights = row_weights(data, train);
    let mut members = config.init(&device);
    let mut optimizer = AdamWConfig::new()
        .with_weight_decay(args.weight_decay as f32)
        .init();
    let mut order = train.to_vec();
    let mut random = Random::new(args.seed);
    let steps = train.len().div_ceil(args.batch) * args.epochs;
    let bar = bar(label, steps as u64, "steps");
    for step in 0..steps {
        let at = step % train.len().div_ceil(args.batch) * args.batch;
        if at == 0 {
            random.shuffle(&mut order);
        }
        let rows = &order[at..(at + args.batch).min(order.len())];
        let loss = loss(&members, data, rows, &standard, &weights, &device);
        let gradients = loss.backward();
        if step % 50 == 0 || step + 1 == steps {
            check(&loss)?;
        }
        let gradients = GradientsParams::from_grads(gradients, &members);
        members = optimizer.step(learning_rate(args, step, steps), members, gradients);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(Fitted {
        members: members.valid(),
        standard,
    })
}

/// Weighted mean squared error over rows and members, in points of the 0-10 scale squared.
fn loss(
    members: &ProjectionHeads,
    data: &Dataset,
    rows: &[usize],
    standard: &Standard,
    weights: &[f32],
    device: &Device,
) -> Tensor<1> {
    let column = |values: Vec<f32>| {
        let shape = [1, values.len(), 1];
        Tensor::<3>::from_data(TensorData::new(values, shape), device)
    };
    let targets = column(rows.iter().map(|&row| data.targets[row]).collect());
    let weights = column(rows.iter().map(|&row| weights[row]).collect());
    let scores = members.forward(inputs(data, rows, standard, device));
    ((scores - targets).square() * weights).mean()
}

fn check(loss: &Tensor<1>) -> Result<()> {
    let value: f32 = loss.clone().into_scalar();
    if value.is_finite() {
        return Ok(());
    }
    let message = format!("training diverged (loss {value}): try a lower --learning-rate");
    Err(Error::new(ErrorKind::Data, message))
}

/// Linear warm-up over the first twentieth, then a cosine to zero.
fn learning_rate(args: &TrainArgs, step: usize, steps: usize) -> f64 {
    let done = step as f64 / steps as f64;
    let warm_up = (done / 0.05).min(1.0);
    args.learning_rate * warm_up * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
}

/// Scores of every member for `rows`, `[rows][members]`, clamped to 0-10.
pub fn predict(fitted: &Fitted, data: &Dataset, rows: &[usize]) -> Vec<Vec<f32>> {
    let device = Device::flex();
    let mut scores = Vec::with_capacity(rows.len());
    for chunk in rows.chunks(512) {
        let inputs = inputs(data, chunk, &fitted.standard, &device);
        let values = fitted.members.forward(inputs).clamp(0.0, 10.0);
        let values = values
            .into_data()
            .try_into_vec::<f32>()
            .expect("scores are f32");
        let of_row = |row| {
            values
                .iter()
                .skip(row)
                .step_by(chunk.len())
                .copied()
                .collect()
        };
        scores.extend((0..chunk.len()).map(of_row));
    }
    scores
}

fn inputs(data: &Dataset, rows: &[usize], standard: &Standard, device: &Device) -> HeadInputs {
    let (size, width) = (POOLS * data.width(), data.width());
    let gather = |values: &[f32], size: usize| -> Vec<f32> {
        rows.iter()
            .flat_map(|&row| &values[row * size..(row + 1) * size])
            .copied()
            .collect()
    };
    let pools = TensorData::new(gather(&data.pools, size), [rows.len(), POOLS, width]);
    let metric: Vec<f32> = rows
        .iter()
        .flat_map(|&row| data.metric(row))
        .copied()
        .collect();
    let metric = TensorData::new(metric, [rows.len(), width]);
    standard.apply(
        Tensor::from_data(pools, device),
        &gather(&data.present, POOLS),
        Tensor::from_data(metric, device),
    )
}

/// Means and inverse deviations (0 for a constant feature) of the rows' pools, where present, and
/// metrics.
fn standardise(data: &Dataset, rows: &[usize]) -> Standard {
    let width = data.width();
    let (mut mean, mut scale) = (Vec::new(), Vec::new());
    for input in 0..=METRIC_ROW {
        let vector = |row: usize| match input {
            METRIC_ROW => data.metric(row),
            pool => &data.pools[(row * POOLS + pool) * width..][..width],
        };
        let there = |row: &&usize| input == METRIC_ROW || data.present[*row * POOLS + input] > 0.0;
        let vectors: Vec<&[f32]> = rows.iter().filter(there).map(|&row| vector(row)).collect();
        let (means, deviations) = moments(&vectors, width);
        mean.extend(means.iter().map(|value| *value as f32));
        // A constant feature says nothing and must not explode on the first value it did not have.
        scale.extend(
            deviations
                .iter()
                .map(|&d| if d < 1e-3 { 0.0 } else { (1.0 / d) as f32 }),
        );
    }
    Standard::new(mean, scale, width)
}

fn moments(vectors: &[&[f32]], width: usize) -> (Vec<f64>, Vec<f64>) {
    let count = vectors.len().max(1) as f64;
    let (mut sum, mut squares) = (vec![0.0; width], vec![0.0; width]);
    for vector in vectors {
        for (column, value) in vector.iter().map(|value| f64::from(*value)).enumerate() {
            sum[column] += value;
            squares[column] += value * value;
        }
    }
    let mean: Vec<f64> = sum.iter().map(|sum| sum / count).collect();
    let variance = squares
        .iter()
        .zip(&mean)
        .map(|(squares, mean)| squares / count - mean * mean);
    let deviation = variance.map(|variance| variance.max(0.0).sqrt()).collect();
    (mean, deviation)
}

/// A file of n rows weighs as the square root of n: large files do not drown small ones.
fn row_weights(data: &Dataset, train: &[usize]) -> Vec<f32> {
    let mut counts = vec![0.0_f32; data.rows.files.len()];
    train
        .iter()
        .for_each(|&row| counts[data.rows.examples[row].file] += 1.0);
    let total: f32 = counts.iter().map(|count| count.sqrt()).sum();
    let scale = train.len() as f32 / total;
    let weight = |file: usize| scale / counts[file].max(1.0).sqrt();
    data.rows
        .examples
        .iter()
        .map(|example| weight(example.file))
        .collect()
}

/// SplitMix64 (Steele et al. 2014): small, seeded, the same everywhere.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
    }

    fn shuffle(&mut self, values: &mut [usize]) {
        for last in (1..values.len()).rev() {
            values.swap(last, (self.next() % (last as u64 + 1)) as usize);
        }
    }
}
