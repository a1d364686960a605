//! Calibration on held-out rows: isotonic regression, cross-conformal intervals, limits of doubt.
//!
//! Residuals are taken from predictions by heads that saw neither the row's prompt nor, for the
//! monotone map, the row's fold (cross-conformal prediction, Vovk 2015).

use std::collections::BTreeMap;

use super::dataset::{Dataset, Origin};
use super::out_of_fold::OutOfFold;
use crate::heads::{Calibration, Curve, Raw, scaled_residual};

/// Share of judged scores that an interval is to hold.
pub const COVERAGE: f32 = 0.9;
/// A metric with fewer judged rows gets no curve of its own.
const ENOUGH: usize = 200;
/// Knots kept of a monotone map.
const KNOTS: usize = 32;
/// An interval of more points says too little: nine tenths of the scale.
const WIDEST: f32 = 9.0;
/// Share of the training texts that are to count as unlike the training data.
const FAR: f32 = 0.005;
/// Share of the training answers that are to count as unrelated to their metric.
const UNRELATED: f32 = 0.01;

/// A held-out row.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// Its fold.
    pub fold: usize,
    /// What the ensemble said.
    pub raw: Raw,
    /// The judge's score.
    pub target: f32,
}

/// The calibration of an ensemble from its held-out predictions; none where nothing was held out.
pub fn calibrate(data: &Dataset, held: &OutOfFold) -> Option<Calibration> {
    let mut judged: BTreeMap<String, Vec<Held>> = BTreeMap::new();
    let (mut synthetic, mut text) = (Vec::new(), Vec::new());
    for (item, row) in held.rows(data) {
        match data.items[item].origin {
            Origin::Judged => {
                let name = data.metrics.get(data.items[item].metric).name.clone();
                judged.entry(name).or_default().push(row);
            }
            Origin::Authored => synthetic.push(row),
            Origin::Synthetic => {}
        }
    }
    let known = |name: &str| crate::metric::find(name).is_some();
    let (judged, few): (BTreeMap<_, _>, BTreeMap<_, _>) =
        (judged.into_iter()).partition(|(name, rows)| known(name) && rows.len() >= ENOUGH);
    text.extend(few.into_values().flatten());
    let all = held.rows(data).map(|(_, row)| row.raw);
    let related = held.rows(data).filter(|(_, row)| row.target >= 5.0);
    let relevance: Vec<f32> = related.filter_map(|(_, row)| row.raw.relevance).collect();
    let novelty: Vec<f32> = all.map(|raw| raw.novelty).collect();
    if novelty.is_empty() {
        return None;
    }
    Some(Calibration {
        coverage: COVERAGE,
        judged: judged
            .into_iter()
            .map(|(name, rows)| (name, curve(&rows, true)))
            .collect(),
        synthetic: curve(&synthetic, false),
        text: curve(&text, false),
        widest: WIDEST,
        farthest: quantile(novelty, 1.0 - FAR),
        least_relevant: if relevance.is_empty() {
            -1.0
        } else {
            quantile(relevance, UNRELATED)
        },
    })
}

/// The curve of `rows`. The monotone map is left out where the scores are not `mapped`: a map
/// learnt on other metrics would bend the score without knowing better.
pub fn curve(rows: &[Held], mapped: bool) -> Curve {
    if rows.is_empty() {
        return Curve {
            reach: 10.0,
            ..Curve::default()
        };
    }
    let folds = rows
        .iter()
        .map(|row| row.fold)
        .max()
        .map_or(0, |fold| fold + 1);
    let mut residuals = Vec::with_capacity(rows.len());
    for fold in 0..folds {
        let others = rows.iter().filter(|row| row.fold != fold);
        let knots = if mapped { isotonic(others) } else { Vec::new() };
        let curve = Curve {
            knots,
            ..Curve::default()
        };
        let own = rows.iter().filter(|row| row.fold == fold);
        residuals.extend(
            own.map(|row| scaled_residual(row.target, curve.map(row.raw.score), row.raw.deviation)),
        );
    }
    Curve {
        knots: if mapped {
            isotonic(rows.iter())
        } else {
            Vec::new()
        },
        rows: rows.len(),
        reach: conformal_quantile(residuals, COVERAGE),
    }
}

/// What the calibration by the other folds says of each row, in order: score and interval.
pub fn cross(rows: &[Held], mapped: bool) -> Vec<(f32, [f32; 2])> {
    let folds = rows
        .iter()
        .map(|row| row.fold)
        .max()
        .map_or(0, |fold| fold + 1);
    let curves = (0..folds).map(|fold| {
        let others: Vec<Held> = rows
            .iter()
            .filter(|row| row.fold != fold)
            .copied()
            .collect();
        curve(&others, mapped)
    });
    let curves: Vec<Curve> = curves.collect();
    let of = |row: &Held| {
        let curve = &curves[row.fold];
        let score = curve.map(row.raw.score).clamp(0.0, 10.0);
        (score, curve.interval(score, row.raw.deviation))
    };
    rows.iter().map(of).collect()
}

/// Isotonic regression by pooling adjacent violators (Barlow et al. 1972), as knots.
fn isotonic<'a>(rows: impl Iterator<Item = &'a Held>) -> Vec<[f32; 2]> {
    let mut points: Vec<(f32, f32)> = rows.map(|row| (row.raw.score, row.target)).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Blocks of mean raw score, mean target and size.
    let mut blocks: Vec<(f64, f64, f64)> = Vec::new();
    for (raw, target) in points {
        blocks.push((f64::from(raw), f64::from(target), 1.0));
        while let [.., a, b] = blocks[..] {
            if a.1 < b.1 {
                break;
            }
            let size = a.2 + b.2;
            let mean = |x: f64, y: f64| (x * a.2 + y * b.2) / size;
            let pooled = (mean(a.0, b.0), mean(a.1, b.1), size);
            blocks.truncate(blocks.len() - 2);
            blocks.push(pooled);
        }
    }
    let step = blocks.len().div_ceil(KNOTS).max(1);
    let kept = blocks.chunks(step).map(|chunk| {
        let size: f64 = chunk.iter().map(|block| block.2).sum();
        let mean = |of: fn(&(f64, f64, f64)) -> f64| {
            chunk.iter().map(|block| of(block) * block.2).sum::<f64>() / size
        };
        [mean(|block| block.0) as f32, mean(|block| block.1) as f32]
    });
    kept.collect()
}

/// The smallest value at or below which at least `share` of one more exchangeable row would lie:
/// number `ceil((n + 1) share)` of n in order, the largest where there are too few.
fn conformal_quantile(mut values: Vec<f32>, share: f32) -> f32 {
    values.sort_by(f32::total_cmp);
    let rank = (f64::from(share) * (values.len() + 1) as f64).ceil() as usize;
    values[rank.clamp(1, values.len()) - 1]
}

fn quantile(mut values: Vec<f32>, share: f32) -> f32 {
    values.sort_by(f32::total_cmp);
    values[((values.len() - 1) as f32 * share).round() as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::random::Random;

    fn rows(count: usize, seed: u64, target: impl Fn(f32, &mut Random) -> f32) -> Vec<Held> {
        let mut random = Random::new(seed);
        let row = |index: usize| {
            let score = 10.0 * random.uniform();
            Held {
                fold: index % 5,
                raw: Raw {
                    score,
                    deviation: 1.0,
                    novelty: 1.0,
                    relevance: None,
                },
                target: target(score, &mut random),
            }
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn the_map_undoes_a_monotone_bend() {
        let bent = rows(1000, 1, |score, _| score * score / 10.0);
        let curve = curve(&bent, true);
        assert!(curve.knots.is_sorted_by(|a, b| a[0] < b[0] && a[1] <= b[1]));
        for raw in [2.0, 5.0, 8.0_f32] {
            let found = curve.map(raw);
            assert!((found - raw * raw / 10.0).abs() < 0.3, "{raw} {found}");
        }
    }

    #[test]
    fn a_map_of_noise_is_flat_and_never_falls() {
        let noise = rows(1000, 2, |_, random| 10.0 * random.uniform());
        let curve = curve(&noise, true);
        assert!((curve.map(1.0) - curve.map(9.0)).abs() < 2.0);
    }

    /// New rows of the same kind lie inside as often as promised, within the noise of 4,000 rows.
    #[test]
    fn intervals_hold_the_promised_share_of_new_rows() {
        let noisy = |score: f32, random: &mut Random| score + random.normal();
        let curve = curve(&rows(1000, 3, noisy), true);
        let new = rows(4000, 4, noisy);
        let inside = new.iter().filter(|row| {
            let half = curve.reach * row.raw.deviation;
            (row.target - curve.map(row.raw.score)).abs() <= half
        });
        let share = inside.count() as f32 / 4000.0;
        assert!((share - COVERAGE).abs() < 0.03, "{share}");
    }

    #[test]
    fn cross_calibration_never_uses_a_rows_own_fold() {
        let mut odd = rows(500, 5, |score, _| score);
        // Fold 0 is told nonsense; what is said of it comes from the others and stays sensible.
        odd.iter_mut()
            .filter(|row| row.fold == 0)
            .for_each(|row| row.target = 0.0);
        let found = cross(&odd, true);
        let of_zero = odd.iter().zip(&found).filter(|(row, _)| row.fold == 0);
        for (row, (score, _)) in of_zero {
            assert!(
                (score - row.raw.score).abs() < 0.7,
                "{} {score}",
                row.raw.score
            );
        }
    }

    #[test]
    fn quantiles_are_on_the_safe_side() {
        let ten: Vec<f32> = (1..=10).map(|x| x as f32).collect();
        assert_eq!(conformal_quantile(ten.clone(), 0.9), 10.0);
        assert_eq!(conformal_quantile(ten, 0.5), 6.0);
        assert_eq!(conformal_quantile(vec![3.0], 0.9), 3.0);
    }
}
