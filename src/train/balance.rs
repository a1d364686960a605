//! Against lopsided labels: rows of rare scores are drawn more often, or weigh more in the loss.

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// Score bins: the whole points 0 to 10.
pub const BINS: usize = 11;

/// Rows added in thought to every score bin of a metric, so that a handful of rows says little
/// about which scores are rare there.
const SMOOTHING: f64 = 2.0;

/// Whether rows of rare scores are drawn more often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resample {
    /// Every row is drawn once an epoch.
    Off,
    /// Within each metric, rows of rare scores are drawn more often.
    Metric,
}

/// What a row weighs in the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossWeights {
    /// Every row weighs the same.
    Off,
    /// Rows that score below --weight-threshold weigh --weight-factor times as much.
    Threshold,
    /// A row weighs the inverse square root of how frequent its whole-point score is.
    Rare,
}

/// Options against lopsided labels, also their record.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub struct BalanceArgs {
    /// Draw rows of rare scores more often, within each metric.
    #[arg(long, value_enum, default_value = "metric")]
    pub resample: Resample,
    /// No row is drawn more than this many times as often as without resampling.
    #[arg(long, value_name = "F", default_value_t = 8.0)]
    pub resample_cap: f32,
    /// What a row weighs in the loss.
    #[arg(long, value_enum, default_value = "off")]
    pub loss_weights: LossWeights,
    /// Scores below this one weigh more, with --loss-weights threshold.
    #[arg(long, value_name = "SCORE", default_value_t = 8.0)]
    pub weight_threshold: f32,
    /// How many times as much they weigh.
    #[arg(long, value_name = "F", default_value_t = 4.0)]
    pub weight_factor: f32,
}

impl BalanceArgs {
    /// Refuses options that make no sense.
    ///
    /// # Errors
    /// `Input` naming the option, its value and what is possible.
    pub fn check(&self) -> Result<()> {
        let wrong = |option: &str, possible: &str, found: f32| {
            let message = format!("{option} must be {possible}, found {found}");
            Err(Error::new(ErrorKind::Input, message))
        };
        if !(self.resample_cap >= 1.0 && self.resample_cap.is_finite()) {
            return wrong("--resample-cap", "1 or more", self.resample_cap);
        }
        if !(0.0..=10.0).contains(&self.weight_threshold) {
            let found = self.weight_threshold;
            return wrong("--weight-threshold", "a score from 0 to 10", found);
        }
        if !(self.weight_factor > 0.0 && self.weight_factor.is_finite()) {
            return wrong("--weight-factor", "above 0", self.weight_factor);
        }
        Ok(())
    }

    /// How often each row is expected to be drawn in one epoch; the mean is 1, over all rows and
    /// within each metric. `groups` holds the metric of each row, `scores` its score.
    pub fn draws(&self, groups: &[usize], scores: &[f32]) -> Vec<f32> {
        let mut draws = vec![1.0; scores.len()];
        if self.resample == Resample::Off {
            return draws;
        }
        let mut rows_of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (row, &group) in groups.iter().enumerate().take(scores.len()) {
            rows_of.entry(group).or_default().push(row);
        }
        for rows in rows_of.values() {
            let scores: Vec<f32> = rows.iter().map(|&row| scores[row]).collect();
            for (&row, expected) in rows.iter().zip(self.group_draws(&scores)) {
                draws[row] = expected;
            }
        }
        draws
    }

    /// Draws of the rows of one metric: every bin would get the same share but for the smoothing
    /// and the cap.
    fn group_draws(&self, scores: &[f32]) -> Vec<f32> {
        let counts = counts(scores);
        let wanted: Vec<f64> = scores
            .iter()
            .map(|score| 1.0 / (counts[bin(*score)] as f64 + SMOOTHING))
            .collect();
        capped(&wanted, f64::from(self.resample_cap))
    }

    /// What each row weighs in the loss; the mean is 1.
    pub fn weights(&self, scores: &[f32]) -> Vec<f32> {
        let counts = counts(scores);
        let low = |score: f32| score < self.weight_threshold;
        let wanted = scores.iter().map(|&score| match self.loss_weights {
            LossWeights::Off => 1.0,
            LossWeights::Threshold if low(score) => f64::from(self.weight_factor),
            LossWeights::Threshold => 1.0,
            LossWeights::Rare => (counts[bin(score)] as f64).sqrt().recip(),
        });
        capped(&wanted.collect::<Vec<f64>>(), f64::INFINITY)
    }
}

/// The score's bin: the nearest whole point, halves upwards.
pub fn bin(score: f32) -> usize {
    (score.round().max(0.0) as usize).min(BINS - 1)
}

fn counts(scores: &[f32]) -> [usize; BINS] {
    let mut counts = [0; BINS];
    scores.iter().for_each(|score| counts[bin(*score)] += 1);
    counts
}

/// The positive values `wanted`, scaled to a mean of 1 with none above `cap` (1 or more): what the
/// cap takes from some goes to the others.
fn capped(wanted: &[f64], cap: f64) -> Vec<f32> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*b].total_cmp(&wanted[*a]));
    let mut left = wanted.len() as f64;
    let mut sum: f64 = wanted.iter().sum();
    let mut result = vec![1.0; wanted.len()];
    for row in order {
        let value = (wanted[row] / sum * left).min(cap);
        result[row] = value as f32;
        left -= value;
        sum -= wanted[row];
    }
    result
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        balance: BalanceArgs,
    }

    fn options(args: &[&str]) -> BalanceArgs {
        Line::parse_from([&["test"], args].concat()).balance
    }

    fn mean(values: &[f32]) -> f32 {
        values.iter().sum::<f32>() / values.len() as f32
    }

    /// As the challenge's: most rows at 9 and 10, few below.
    fn lopsided() -> Vec<f32> {
        let runs = [
            (9.0, 60),
            (10.0, 30),
            (8.0, 5),
            (7.0, 3),
            (3.0, 1),
            (0.0, 1),
        ];
        let rows = runs.iter().flat_map(|&(score, n)| vec![score; n]);
        rows.collect()
    }

    fn share(scores: &[f32], draws: &[f32], wanted: impl Fn(f32) -> bool) -> f32 {
        let rows = scores
            .iter()
            .zip(draws)
            .filter(|(score, _)| wanted(**score));
        rows.map(|(_, draws)| draws).sum::<f32>() / draws.iter().sum::<f32>()
    }

    #[test]
    fn lopsided_scores_get_flatter_and_stay_in_order() {
        let scores = lopsided();
        let draws = options(&[]).draws(&[0; 100], &scores);
        let high = share(&scores, &draws, |score| score >= 9.0);
        assert!((0.3..0.6).contains(&high), "{high}");
        assert!((mean(&draws) - 1.0).abs() < 1e-5);
        assert!(draws[0] < draws[60] && draws[60] < draws[90] && draws[90] < draws[99]);
    }

    #[test]
    fn the_cap_holds_and_the_rest_takes_what_it_leaves() {
        let scores = [vec![9.0; 400], vec![1.0]].concat();
        for cap in ["8", "2.5", "1"] {
            let draws = options(&["--resample-cap", cap]).draws(&[0; 401], &scores);
            let expected: f32 = cap.parse().unwrap();
            assert!((draws[400] - expected).abs() < 1e-4, "{}", draws[400]);
            assert!((mean(&draws) - 1.0).abs() < 1e-4);
        }
    }

    #[test]
    fn equal_scores_and_single_rows_are_drawn_once() {
        let scores = [9.0, 9.0, 9.0, 2.0];
        let draws = options(&[]).draws(&[5, 5, 5, 7], &scores);
        draws.iter().for_each(|n| assert!((n - 1.0).abs() < 1e-6));
        assert!(options(&[]).draws(&[], &[]).is_empty());
    }

    #[test]
    fn a_handful_of_rows_is_changed_only_a_little() {
        let draws = options(&[]).draws(&[0; 5], &[9.0, 9.0, 9.0, 9.0, 0.0]);
        assert!((1.2..2.0).contains(&draws[4]), "{draws:?}");
    }

    #[test]
    fn each_metric_keeps_its_share() {
        let scores = [lopsided(), vec![0.0, 10.0]].concat();
        let groups = [vec![0; 100], vec![1; 2]].concat();
        let draws = options(&[]).draws(&groups, &scores);
        assert!((mean(&draws[..100]) - 1.0).abs() < 1e-5);
        assert_eq!(draws[100..], [1.0, 1.0]);
    }

    #[test]
    fn off_is_all_ones() {
        let (options, scores) = (options(&["--resample", "off"]), lopsided());
        assert_eq!(options.draws(&[0; 100], &scores), vec![1.0; 100]);
        let weights = options.weights(&scores);
        weights.iter().for_each(|w| assert!((w - 1.0).abs() < 1e-6));
    }

    #[test]
    fn low_scores_weigh_the_factor_more() {
        let options = options(&["--loss-weights", "threshold", "--weight-factor", "3"]);
        let weights = options.weights(&[7.9, 8.0, 10.0, 2.0]);
        assert!((mean(&weights) - 1.0).abs() < 1e-6);
        assert!((weights[0] / weights[1] - 3.0).abs() < 1e-5);
        assert_eq!((weights[0], weights[1]), (weights[3], weights[2]));
    }

    #[test]
    fn rare_scores_weigh_by_the_square_root() {
        let scores = lopsided();
        let weights = options(&["--loss-weights", "rare"]).weights(&scores);
        assert!((mean(&weights) - 1.0).abs() < 1e-5);
        assert!((weights[99] / weights[0] - 60f32.sqrt()).abs() < 1e-3);
    }

    #[test]
    fn options_that_make_no_sense_are_refused_by_name() {
        for (option, bad) in [
            ("--resample-cap", "0.5"),
            ("--resample-cap", "NaN"),
            ("--weight-threshold", "11"),
            ("--weight-factor", "0"),
            ("--weight-factor", "inf"),
        ] {
            let error = options(&[option, bad]).check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Input);
            assert!(error.to_string().starts_with(option), "{error}");
        }
        assert!(options(&[]).check().is_ok());
    }
}
