//! Ridge regression on the frozen vectors and their products, one file by itself, out of fold.

use super::dataset::Dataset;
use super::out_of_fold::Division;
use super::ridge::Ridge;
use crate::encoder::Pool;
use crate::error::Result;

/// Most rows the baseline is fitted on: its cost grows with the rows, its error hardly falls.
const ROWS: usize = 2000;

/// Predictions of `items`, in order, 0 to 10.
///
/// # Errors
/// As [`Ridge::fit`].
pub fn predict(data: &Dataset, items: &[usize], division: &Division) -> Result<Vec<f32>> {
    let width = features(data, items[0]).len();
    let mut predicted = vec![0.0; items.len()];
    // Choosing the penalty is nearly all of the cost. The first fold's choice serves all, which
    // favours the baseline if anything: it has seen some of the rows predicted later.
    let mut penalty = None;
    for fold in 0..division.count {
        let others = items.iter().filter(|&&item| division.folds[item] != fold);
        let others: Vec<usize> = others.copied().collect();
        let step = others.len().div_ceil(ROWS).max(1);
        let others: Vec<usize> = others.into_iter().step_by(step).collect();
        let x: Vec<f32> = others
            .iter()
            .flat_map(|&item| features(data, item))
            .collect();
        let y = data.targets(&others);
        let ridge = match penalty {
            Some(penalty) => Ridge::fit_with(&x, width, &y, penalty)?,
            None => {
                let groups: Vec<usize> = others.iter().map(|&item| division.groups[item]).collect();
                Ridge::fit(&x, width, &y, &groups)?
            }
        };
        penalty = Some(ridge.penalty());
        let held = items
            .iter()
            .enumerate()
            .filter(|(_, item)| division.folds[**item] == fold);
        for (index, &item) in held {
            predicted[index] = ridge.predict(&features(data, item))?[0].clamp(0.0, 10.0);
        }
    }
    Ok(predicted)
}

/// Prompt, answer, prompt x answer and, where the metric's vector has the same width, answer x
/// metric.
fn features(data: &Dataset, item: usize) -> Vec<f32> {
    let (user, response) = (data.pool(item, Pool::User), data.pool(item, Pool::Response));
    let product =
        |a: &[f32], b: &[f32]| -> Vec<f32> { a.iter().zip(b).map(|(a, b)| a * b).collect() };
    let mut features = [user, response, &product(user, response)].concat();
    if data.metrics.width() == data.width() {
        features.extend(product(response, data.metric(item)));
    }
    features
}
