//! Items as tensors: standardisation, draws, metric dropout, weights.

use burn::tensor::{Device, Tensor, TensorData};

use super::FitArgs;
use super::dataset::{Dataset, Origin};
use super::random::Random;
use crate::encoder::POOLS;
use crate::heads::{GroupConfig, HeadInputs, Moments, Standard};
use crate::surface::SURFACE;

/// Most items that a validation looks at.
const VALIDATION: usize = 2000;

/// Everything standardised once, so that a step only copies rows.
pub struct Prepared {
    /// The moments it was standardised by.
    pub standard: Standard,
    /// `[texts, POOLS, width]`.
    pools: Vec<f32>,
    /// `[texts, SURFACE]`.
    surface: Vec<f32>,
    /// `[metrics, metric width]`.
    metrics: Vec<f32>,
    /// Of each metric, `[wordings, metric width]`.
    wordings: Vec<Vec<f32>>,
}

impl Prepared {
    /// Standardises all of `data` by the moments of the items `train`.
    pub fn new(data: &Dataset, train: &[usize]) -> Self {
        let (standard, device) = (standardise(data, train), Device::flex());
        let (width, texts) = (data.width(), data.present.len() / POOLS);
        let (mut pools, mut surface) = (Vec::new(), Vec::new());
        for first in (0..texts).step_by(1024) {
            let count = 1024.min(texts - first);
            let part = |table: &[f32], size: usize| table[first * size..][..count * size].to_vec();
            let values = TensorData::new(part(&data.pools, POOLS * width), [count, POOLS, width]);
            let inputs = standard.apply(
                Tensor::from_data(values, &device),
                &part(&data.present, POOLS),
                &part(&data.surface, SURFACE),
                Tensor::zeros([count, data.metrics.width()], &device),
            );
            pools.extend(numbers(inputs.pools));
            surface.extend(numbers(inputs.surface));
        }
        let standardised = |vectors: &[f32]| {
            let shape = [vectors.len() / data.metrics.width(), data.metrics.width()];
            let vectors = Tensor::<2>::from_data(TensorData::new(vectors.to_vec(), shape), &device);
            numbers(standard.metrics(vectors))
        };
        let metrics = 0..data.metrics.len();
        Self {
            metrics: metrics
                .clone()
                .flat_map(|m| standardised(data.metrics.vector(m)))
                .collect(),
            wordings: metrics
                .map(|m| match data.metrics.wordings(m) {
                    [] => Vec::new(),
                    wordings => standardised(wordings),
                })
                .collect(),
            pools,
            surface,
            standard,
        }
    }

    fn metric(&self, index: usize, width: usize) -> &[f32] {
        &self.metrics[index * width..][..width]
    }

    /// Inputs of `items` under the standardised metrics' vectors given, `[items, metric width]`.
    fn inputs(
        &self,
        data: &Dataset,
        items: &[usize],
        metrics: Vec<f32>,
        device: &Device,
    ) -> HeadInputs {
        let texts: Vec<usize> = items.iter().map(|&item| data.items[item].text).collect();
        let size = POOLS * data.width();
        let pools = TensorData::new(
            gather(&self.pools, size, &texts),
            [items.len(), POOLS, data.width()],
        );
        let surface = TensorData::new(
            gather(&self.surface, SURFACE, &texts),
            [items.len(), SURFACE],
        );
        let metrics = TensorData::new(metrics, [items.len(), data.metrics.width()]);
        HeadInputs {
            pools: Tensor::from_data(pools, device),
            surface: Tensor::from_data(surface, device),
            metric: Tensor::from_data(metrics, device),
        }
    }
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .into_data()
        .try_into_vec::<f32>()
        .expect("inputs are f32")
}

/// Some items ready for the members.
pub struct Batch {
    /// Standardised inputs.
    pub inputs: HeadInputs,
    /// Scores to learn, `[1, items, 1]`.
    pub targets: Tensor<3>,
    /// The same as numbers.
    pub scores: Vec<f32>,
    /// Weight of each item for each member, `[members, items, 1]`.
    pub weights: Tensor<3>,
    /// `[items, items]`: whether the metric of the second may stand as a contrast to the first's
    /// (the diagonal is the item's own metric); row-major.
    pub contrasts: Vec<bool>,
}

impl Batch {
    /// Items as they are, each weighing 1.
    pub fn plain(data: &Dataset, items: &[usize], prepared: &Prepared, device: &Device) -> Self {
        let width = data.metrics.width();
        let mut metrics = Vec::with_capacity(items.len() * width);
        for &item in items {
            metrics.extend_from_slice(prepared.metric(data.items[item].metric, width));
        }
        let targets = data.targets(items);
        Self {
            inputs: prepared.inputs(data, items, metrics, device),
            weights: Tensor::ones([1, items.len(), 1], device),
            targets: column(targets.clone(), 1, device),
            scores: targets,
            contrasts: Vec::new(),
        }
    }

    /// `[members, items, 1]`: 1 where an item is in the member's own bag.
    pub fn held_by(
        &self,
        bags: &[usize],
        items: &[usize],
        members: usize,
        device: &Device,
    ) -> Tensor<3> {
        let held = |member| {
            items
                .iter()
                .map(move |&item| f32::from(u8::from(in_bag(bags[item], member, members))))
        };
        column((0..members).flat_map(held).collect(), members, device)
    }
}

/// Whether a bag is one that member number `member` of `members` does not see. Every member
/// leaves out one of [`BAGS`] bags, and those of a group different ones as far as they go.
fn in_bag(bag: usize, member: usize, members: usize) -> bool {
    bag < BAGS && bag == member * BAGS / members.max(1) % BAGS
}

/// Parts of the prompts for bagging; one part is out of sight of each member.
pub const BAGS: usize = 8;

/// The bag number of items that every member sees.
pub const NO_BAG: usize = BAGS;

/// Feeds one group's training.
pub struct Feeder<'a> {
    data: &'a Dataset,
    items: &'a [usize],
    bags: &'a [usize],
    prepared: &'a Prepared,
    args: &'a FitArgs,
    /// Expected draws of each of `items` in an epoch.
    draws: Vec<f32>,
    /// Loss weight of every item of the data.
    weights: Vec<f32>,
}

impl<'a> Feeder<'a> {
    /// Over `items` of `data`.
    pub fn new(
        data: &'a Dataset,
        items: &'a [usize],
        bags: &'a [usize],
        prepared: &'a Prepared,
        args: &'a FitArgs,
    ) -> Self {
        let metrics: Vec<usize> = items.iter().map(|&item| data.items[item].metric).collect();
        let scores = data.targets(items);
        let mut weights = vec![0.0; data.len()];
        let of_score = args.balance.weights(&scores);
        let of_file = file_weights(data, items);
        for ((&item, score), file) in items.iter().zip(of_score).zip(of_file) {
            weights[item] = score * file;
        }
        Self {
            data,
            items,
            bags,
            prepared,
            args,
            draws: args.balance.draws(&metrics, &scores),
            weights,
        }
    }

    /// Rows of an epoch on average.
    pub fn rows_an_epoch(&self) -> usize {
        self.draws.iter().sum::<f32>().round().max(1.0) as usize
    }

    /// The items of an epoch in random order: each as often as it is to be drawn, the fraction
    /// left to chance.
    pub fn draw(&self, random: &mut Random) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.items.len());
        for (&item, &draws) in self.items.iter().zip(&self.draws) {
            let times = draws.floor() + f32::from(u8::from(random.uniform() < draws.fract()));
            order.extend(std::iter::repeat_n(item, times as usize));
        }
        random.shuffle(&mut order);
        order
    }

    /// Items to validate on: those of the training items that are in a bag and are no made rows,
    /// thinned evenly.
    pub fn validation(&self) -> Vec<usize> {
        let fits = |item: &&usize| {
            self.bags[**item] < BAGS && self.data.items[**item].origin != Origin::Synthetic
        };
        let all: Vec<usize> = self.items.iter().filter(fits).copied().collect();
        let step = all.len().div_ceil(VALIDATION).max(1);
        all.into_iter().step_by(step).collect()
    }

    /// A training batch of `items`.
    pub fn batch(
        &self,
        items: &[usize],
        group: &GroupConfig,
        random: &mut Random,
        device: &Device,
    ) -> Batch {
        let members = group.members().len();
        let targets = self.data.targets(items);
        let metrics = self.metrics(items, random);
        let weights = (0..members).flat_map(|member| {
            items.iter().map(move |&item| {
                let seen = !in_bag(self.bags[item], member, members);
                self.weights[item] * f32::from(u8::from(seen))
            })
        });
        Batch {
            inputs: self.prepared.inputs(self.data, items, metrics, device),
            weights: column(weights.collect(), members, device),
            targets: column(targets.clone(), 1, device),
            scores: targets,
            contrasts: match group {
                GroupConfig::Joint(_) => self.contrasts(items),
                GroupConfig::Projection(_) => Vec::new(),
            },
        }
    }

    /// The metrics' vectors of `items`. Of a share of them another wording stands in, or nothing
    /// (the mean of all), so that no metric is known by heart.
    fn metrics(&self, items: &[usize], random: &mut Random) -> Vec<f32> {
        let width = self.data.metrics.width();
        let (nothing, mut vectors) = (vec![0.0; width], Vec::with_capacity(items.len() * width));
        for &item in items {
            let metric = self.data.items[item].metric;
            let wordings = &self.prepared.wordings[metric];
            let chance = random.uniform() / self.args.metric_dropout.max(1e-9);
            vectors.extend_from_slice(match wordings.len() / width {
                _ if chance >= 1.0 => self.prepared.metric(metric, width),
                0 => &nothing,
                _ if chance < 0.2 => &nothing,
                count => &wordings[random.below(count) * width..][..width],
            });
        }
        vectors
    }

    fn contrasts(&self, items: &[usize]) -> Vec<bool> {
        let metric = |index: usize| self.data.items[items[index]].metric;
        let pairs = (0..items.len()).flat_map(|a| (0..items.len()).map(move |b| (a, b)));
        pairs
            .map(|(a, b)| a == b || !self.data.metrics.related(metric(a), metric(b)))
            .collect()
    }
}

/// `values` as `[members, items, 1]`.
fn column(values: Vec<f32>, members: usize, device: &Device) -> Tensor<3> {
    let items = values.len() / members;
    Tensor::from_data(TensorData::new(values, [members, items, 1]), device)
}

fn gather(table: &[f32], size: usize, texts: &[usize]) -> Vec<f32> {
    let mut rows = Vec::with_capacity(texts.len() * size);
    for &text in texts {
        rows.extend_from_slice(&table[text * size..][..size]);
    }
    rows
}

/// Pools, presence and surface features of `items`, as [`Heads::forward`] takes them.
///
/// [`Heads::forward`]: crate::heads::Heads::forward
pub fn features(data: &Dataset, items: &[usize]) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let texts: Vec<usize> = items.iter().map(|&item| data.items[item].text).collect();
    (
        gather(&data.pools, POOLS * data.width(), &texts),
        gather(&data.present, POOLS, &texts),
        gather(&data.surface, SURFACE, &texts),
    )
}

/// Means and inverse deviations of the items' inputs; pools count where they are present.
fn standardise(data: &Dataset, items: &[usize]) -> Standard {
    let width = data.width();
    let mut texts: Vec<usize> = items.iter().map(|&item| data.items[item].text).collect();
    texts.sort_unstable();
    texts.dedup();
    let pools = (0..POOLS).map(|pool| {
        let there = texts
            .iter()
            .filter(|&&text| data.present[text * POOLS + pool] > 0.0);
        let vectors = there.map(|&text| &data.pools[(text * POOLS + pool) * width..][..width]);
        moments(&vectors.collect::<Vec<_>>(), width)
    });
    let surface = texts
        .iter()
        .map(|&text| &data.surface[text * SURFACE..][..SURFACE]);
    let mut metrics: Vec<usize> = items.iter().map(|&item| data.items[item].metric).collect();
    metrics.sort_unstable();
    metrics.dedup();
    let metrics = metrics.iter().map(|&metric| data.metrics.vector(metric));
    Standard {
        pools: joined(pools.collect()),
        surface: moments(&surface.collect::<Vec<_>>(), SURFACE),
        metric: moments(&metrics.collect::<Vec<_>>(), data.metrics.width()),
    }
}

fn joined(rows: Vec<Moments>) -> Moments {
    Moments {
        width: rows[0].width,
        mean: rows.iter().flat_map(|row| row.mean.clone()).collect(),
        scale: rows.iter().flat_map(|row| row.scale.clone()).collect(),
    }
}

/// Mean and inverse deviation of each column, summed in f64.
fn moments(vectors: &[&[f32]], width: usize) -> Moments {
    let count = vectors.len().max(1) as f64;
    let (mut sum, mut squares) = (vec![0.0; width], vec![0.0; width]);
    for vector in vectors {
        for (column, value) in vector.iter().map(|value| f64::from(*value)).enumerate() {
            sum[column] += value;
            squares[column] += value * value;
        }
    }
    let mean: Vec<f64> = sum.iter().map(|sum| sum / count).collect();
    let deviations = squares.iter().zip(&mean);
    let deviations =
        deviations.map(|(square, mean)| (square / count - mean * mean).max(0.0).sqrt());
    // A constant feature says nothing and must not explode on the first value it did not have.
    let scale = deviations.map(|d| if d < 1e-3 { 0.0 } else { (1.0 / d) as f32 });
    Moments {
        scale: scale.collect(),
        mean: mean.iter().map(|value| *value as f32).collect(),
        width,
    }
}

/// A file of n items weighs as the square root of n: large files do not drown small ones. The
/// weights' mean is 1.
fn file_weights(data: &Dataset, items: &[usize]) -> Vec<f32> {
    let file = |item: &usize| data.example(*item).file;
    let mut counts = vec![0.0_f32; data.rows.files.len()];
    items.iter().for_each(|item| counts[file(item)] += 1.0);
    let total: f32 = counts.iter().map(|count| count.sqrt()).sum();
    let scale = items.len() as f32 / total;
    items
        .iter()
        .map(|item| scale / counts[file(item)].sqrt())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_leaves_out_one_bag_and_each_another() {
        for members in [1, 2, 4, 8] {
            let left_out = |member| -> Vec<usize> {
                (0..=NO_BAG)
                    .filter(|&bag| in_bag(bag, member, members))
                    .collect()
            };
            let mut bags: Vec<usize> = (0..members).flat_map(left_out).collect();
            assert_eq!(bags.len(), members);
            bags.dedup();
            assert_eq!(bags.len(), members);
            assert!(bags.iter().all(|&bag| bag < BAGS));
        }
    }

    #[test]
    fn moments_leave_constant_features_silent() {
        let moments = moments(&[&[1.0, 5.0], &[3.0, 5.0]], 2);
        assert_eq!(
            (moments.mean, moments.scale),
            (vec![2.0, 5.0], vec![1.0, 0.0])
        );
    }
}
