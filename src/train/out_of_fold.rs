//! Predictions of every row by heads that saw neither its prompt nor a twin of it.

use std::collections::HashSet;

use burn::tensor::{Device, Tensor, TensorData};

use super::batch::{BAGS, NO_BAG, features};
use super::calibrate::Held;
use super::dataset::{Dataset, Origin};
use super::fit::{self, Curve, Fitted};
use super::split::Groups;
use super::{FoldBy, TrainArgs, twins};
use crate::encoder::{POOLS, Pool};
use crate::error::Result;
use crate::heads::{EnsembleConfig, Verdict};

/// How items are divided.
pub struct Division {
    /// Group of each item: its prompt with its twins.
    pub groups: Vec<usize>,
    /// Fold of each item; all 0 without folds.
    pub folds: Vec<usize>,
    /// Number of folds; 0 without.
    pub count: usize,
    /// Bag of each item, a part of the prompts that some members leave out.
    pub bags: Vec<usize>,
}

/// Held-out predictions.
pub struct OutOfFold {
    /// What the heads say of each item; none for made ones.
    pub verdicts: Vec<Option<Verdict>>,
    /// Fold of each item.
    pub folds: Vec<usize>,
    /// Learning curves of each fold.
    pub curves: Vec<Vec<Curve>>,
}

impl Division {
    /// Divides the items of `data` into bags that keep prompts whole, and into folds that keep
    /// prompts or, with `--fold-by metric`, families of metrics whole.
    ///
    /// # Errors
    /// As [`Groups::folds`].
    pub fn new(data: &Dataset, args: &TrainArgs) -> Result<Self> {
        let groups = groups(data)?;
        let examples = &data.rows.examples;
        let files = examples.iter().map(|e| data.rows.files[e.file].clone());
        let files: Vec<String> = files.collect();
        let folds = match (args.folds, args.fold_by) {
            (0, _) => vec![0; examples.len()],
            (count, FoldBy::Prompt) => groups.folds(&files, count, args.fit.seed)?,
            (count, FoldBy::Metric) => {
                let families =
                    (0..examples.len()).map(|row| data.metrics.family(data.items[row].metric));
                let families: Vec<String> = families.map(str::to_owned).collect();
                Groups::new(&families, &[])?.folds(&files, count, args.fit.seed)?
            }
        };
        let bags = if args.fit.no_bags {
            vec![NO_BAG; examples.len()]
        } else {
            let bag = |&group: &usize| group.wrapping_mul(0x9E37_79B9) / 64 % BAGS;
            groups.of.iter().map(bag).collect()
        };
        let of_items = |of: &[usize]| data.items.iter().map(|item| of[item.example]).collect();
        Ok(Self {
            groups: of_items(&groups.of),
            folds: of_items(&folds),
            count: args.folds,
            bags: of_items(&bags),
        })
    }

    /// Items that are neither in the fold nor of a prompt that has an item in it.
    fn outside(&self, fold: usize) -> Vec<usize> {
        let items = 0..self.folds.len();
        let inside = items.clone().filter(|&item| self.folds[item] == fold);
        let prompts: HashSet<usize> = inside.map(|item| self.groups[item]).collect();
        items
            .filter(|&item| !prompts.contains(&self.groups[item]))
            .collect()
    }

    /// Places one more item where the row number `example` is (the first items are the rows).
    pub fn add_like(&mut self, example: usize) {
        self.groups.push(self.groups[example]);
        self.folds.push(self.folds[example]);
        self.bags.push(self.bags[example]);
    }
}

/// Rows that ask the same: equal prompts, nearly equal ones and translated twins together.
fn groups(data: &Dataset) -> Result<Groups> {
    let examples = &data.rows.examples;
    let keys: Vec<String> = (examples.iter())
        .map(|example| twins::prompt_key(&example.row.user))
        .collect();
    let mut pairs = twins::near(&keys);
    pairs.extend(translated(data, &keys)?);
    Groups::new(&keys, &pairs)
}

/// Pairs of rows whose prompts translate each other; of equal prompts one row stands for all.
fn translated(data: &Dataset, keys: &[String]) -> Result<Vec<(usize, usize)>> {
    let mut seen = HashSet::new();
    let firsts: Vec<usize> = (0..keys.len())
        .filter(|&row| seen.insert(&keys[row]))
        .collect();
    let language = |row: &usize| data.rows.examples[*row].row.language.clone();
    let languages: Vec<String> = firsts
        .iter()
        .map(|row| language(row).unwrap_or_default())
        .collect();
    // The first items are the rows, in order.
    let vectors = firsts.iter().flat_map(|&row| data.pool(row, Pool::User));
    let vectors: Vec<f32> = vectors.copied().collect();
    let pairs = twins::translated(&vectors, data.width(), &languages, twins::TWIN_COSINE)?;
    Ok(pairs
        .into_iter()
        .map(|(a, b)| (firsts[a], firsts[b]))
        .collect())
}

impl OutOfFold {
    /// Trains on all folds but one and predicts that one, for each.
    ///
    /// # Errors
    /// What fitting fails with.
    pub fn new(
        data: &Dataset,
        division: &Division,
        config: &EnsembleConfig,
        args: &TrainArgs,
    ) -> Result<Self> {
        let of_fold = |fold| data.items_where(|item| division.folds[item] == fold);
        let trains = (0..division.count).map(|fold| division.outside(fold));
        let trains: Vec<Vec<usize>> = trains.collect();
        let label = "out of fold";
        let fitted = fit::fit_all(data, &trains, &division.bags, config, &args.fit, label)?;
        let mut verdicts = vec![None; data.len()];
        for (fold, fitted) in fitted.iter().enumerate() {
            let mut held = of_fold(fold);
            held.retain(|&item| data.items[item].origin != Origin::Synthetic);
            for (item, verdict) in held.iter().zip(predict(fitted, data, &held)?) {
                verdicts[*item] = Some(verdict);
            }
        }
        Ok(Self {
            verdicts,
            folds: division.folds.clone(),
            curves: fitted.into_iter().map(|fitted| fitted.curves).collect(),
        })
    }

    /// The held-out rows with their item numbers.
    pub fn rows<'a>(&'a self, data: &'a Dataset) -> impl Iterator<Item = (usize, Held)> + 'a {
        let verdicts = self.verdicts.iter().enumerate();
        verdicts
            .filter_map(|(item, verdict)| Some((item, self.held(data, item, verdict.as_ref()?))))
    }

    fn held(&self, data: &Dataset, item: usize, verdict: &Verdict) -> Held {
        Held {
            fold: self.folds[item],
            raw: verdict.raw,
            target: data.items[item].target,
        }
    }
}

/// What `fitted` says of `items`, by the code the scorer runs.
///
/// # Errors
/// As [`Fitted::heads`].
pub fn predict(fitted: &Fitted, data: &Dataset, items: &[usize]) -> Result<Vec<Verdict>> {
    let (heads, device) = (fitted.heads(data)?, Device::flex());
    let mut verdicts = Vec::with_capacity(items.len());
    for chunk in items.chunks(512) {
        let (pools, present, surface) = features(data, chunk);
        let pools = TensorData::new(pools, [chunk.len(), POOLS, data.width()]);
        let metrics: Vec<f32> = chunk
            .iter()
            .flat_map(|&item| data.metric(item))
            .copied()
            .collect();
        let metrics = TensorData::new(metrics, [chunk.len(), data.metrics.width()]);
        let values = heads.forward(
            Tensor::from_data(pools, &device),
            &present,
            &surface,
            Tensor::from_data(metrics, &device),
        );
        let values = values
            .into_data()
            .try_into_vec::<f32>()
            .expect("verdicts are f32");
        verdicts.extend(heads.verdicts(&values));
    }
    Ok(verdicts)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By metric, one prompt may stand in several folds: its items then train none of them.
    #[test]
    fn no_prompt_of_a_fold_is_trained_on() {
        let division = Division {
            groups: vec![0, 0, 1, 2],
            folds: vec![0, 1, 1, 2],
            count: 3,
            bags: vec![NO_BAG; 4],
        };
        assert_eq!(division.outside(0), [2, 3]);
        assert_eq!(division.outside(1), [3]);
        assert_eq!(division.outside(2), [0, 1, 2]);
    }
}
