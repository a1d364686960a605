//! What tuning brings: ridge regression on frozen and on tuned vectors, on rows held out of both.

use std::collections::BTreeMap;

use serde::Serialize;

use super::TuneRow;
use crate::error::Result;
use crate::evaluate::{Fit, Table};
use crate::train::ridge::Ridge;

/// Most rows a ridge is fitted on: its cost grows with the rows, its error hardly falls.
const RIDGE_ROWS: usize = 2000;

/// Agreement with the judges on the fold held out, by file.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Check {
    /// Ridge on the vectors of the encoder as it was.
    pub frozen: BTreeMap<String, Fit>,
    /// Ridge on those of the encoder tuned on the other folds.
    pub tuned: BTreeMap<String, Fit>,
}

impl Check {
    /// Fits on the rows not held out and compares on those that are, each file by itself;
    /// `frozen` and `tuned` are features of all `rows`, one after another. A file that ridge
    /// regression cannot be fitted on (too few prompts) is left out and named.
    ///
    /// # Errors
    /// `Input` when a prediction is no number.
    pub(super) fn new(
        files: &[String],
        rows: &[&TuneRow],
        frozen: &[f32],
        tuned: &[f32],
    ) -> Result<Self> {
        let mut check = Self::default();
        for (file, name) in files.iter().enumerate() {
            let of_file = (0..rows.len()).filter(|&row| rows[row].file == file);
            let (held, others): (Vec<usize>, Vec<usize>) =
                of_file.partition(|&row| rows[row].held_out);
            if held.is_empty() {
                continue;
            }
            let both = ridge(rows, &others, frozen)
                .and_then(|first| Ok((first, ridge(rows, &others, tuned)?)));
            match both {
                Ok((first, second)) => {
                    check
                        .frozen
                        .insert(name.clone(), fit(&first, rows, &held, frozen)?);
                    check
                        .tuned
                        .insert(name.clone(), fit(&second, rows, &held, tuned)?);
                }
                Err(error) => eprintln!("{name} is left out of the check: {error}"),
            }
        }
        Ok(check)
    }

    /// The comparison as a table.
    pub fn table(&self) -> Table {
        let mut table = Table::new("one fold held out, ridge on");
        for (name, frozen) in &self.frozen {
            table.push(&format!("{name}, frozen"), frozen);
            table.push(&format!("{name}, tuned"), &self.tuned[name]);
        }
        table
    }
}

fn ridge(rows: &[&TuneRow], others: &[usize], features: &[f32]) -> Result<Ridge> {
    let width = features.len() / rows.len();
    let step = others.len().div_ceil(RIDGE_ROWS).max(1);
    let taken: Vec<usize> = others.iter().copied().step_by(step).collect();
    let x: Vec<f32> = taken
        .iter()
        .flat_map(|&row| &features[row * width..][..width])
        .copied()
        .collect();
    let y: Vec<f32> = taken.iter().map(|&row| rows[row].score).collect();
    let groups: Vec<usize> = taken.iter().map(|&row| rows[row].group).collect();
    Ridge::fit(&x, width, &y, &groups)
}

fn fit(ridge: &Ridge, rows: &[&TuneRow], held: &[usize], features: &[f32]) -> Result<Fit> {
    let width = features.len() / rows.len();
    let mut predicted = Vec::with_capacity(held.len());
    for &row in held {
        predicted.extend(ridge.predict(&features[row * width..][..width])?);
    }
    predicted
        .iter_mut()
        .for_each(|score| *score = score.clamp(0.0, 10.0));
    let targets: Vec<f32> = held.iter().map(|&row| rows[row].score).collect();
    Fit::new(&predicted, &targets)
}
