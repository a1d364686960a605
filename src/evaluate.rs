//! How well scores agree with a judge's: error, correlation and coverage, whole and per group.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// One prediction beside its target, both 0-10.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Case {
    /// The predicted score.
    pub predicted: f32,
    /// The judge's score.
    pub target: f32,
    /// The predicted interval `[low, high]`, where one was claimed.
    pub interval: Option<[f32; 2]>,
}

/// Agreement of predictions with targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// Number of cases.
    pub n: usize,
    /// Root of the mean squared error.
    pub rmse: f64,
    /// Mean absolute error.
    pub mae: f64,
    /// `1 - MSE / variance` of the targets; none where the targets are all equal.
    pub r2: Option<f64>,
    /// Pearson's correlation; none where either side is constant.
    pub pearson: Option<f64>,
    /// Spearman's rank correlation with average ranks for ties; none where either side is constant.
    pub spearman: Option<f64>,
    /// RMSE of the best constant, which is the targets' standard deviation around their own mean.
    pub constant_rmse: f64,
    /// Share of the targets inside their interval, over the cases that claim one; none without any.
    pub coverage: Option<f64>,
}

impl Fit {
    /// The fit of `predictions` to `targets`, without intervals.
    ///
    /// # Errors
    /// `Input` if the lengths differ, nothing is given, or a value is not finite.
    pub fn new(predictions: &[f32], targets: &[f32]) -> Result<Self> {
        let (n, m) = (predictions.len(), targets.len());
        if n != m {
            return Err(Error::new(
                ErrorKind::Input,
                format!("{n} predictions for {m} targets"),
            ));
        }
        let pairs = predictions.iter().zip(targets);
        let cases: Vec<Case> = pairs
            .map(|(&predicted, &target)| Case {
                predicted,
                target,
                interval: None,
            })
            .collect();
        Self::of(&cases)
    }

    /// The fit of `cases`.
    ///
    /// # Errors
    /// `Input` if there are none or a value is not finite.
    pub fn of(cases: &[Case]) -> Result<Self> {
        check(cases)?;
        let predicted: Vec<f64> = cases.iter().map(|c| f64::from(c.predicted)).collect();
        let target: Vec<f64> = cases.iter().map(|c| f64::from(c.target)).collect();
        let errors = || predicted.iter().zip(&target).map(|(p, t)| p - t);
        let (mse, variance) = (mean(errors().map(|e| e * e)), variance(&target));
        Ok(Self {
            n: cases.len(),
            rmse: mse.sqrt(),
            mae: mean(errors().map(f64::abs)),
            r2: (variance > 0.0).then(|| 1.0 - mse / variance),
            pearson: correlation(&predicted, &target),
            spearman: correlation(&ranks(&predicted), &ranks(&target)),
            constant_rmse: variance.sqrt(),
            coverage: coverage(cases),
        })
    }
}

/// The fit of every group of cases with the same label.
///
/// # Errors
/// `Input` as in [`Fit::of`], or if there is not one label a case.
pub fn by_group(cases: &[Case], labels: &[&str]) -> Result<BTreeMap<String, Fit>> {
    let (n, m) = (cases.len(), labels.len());
    if n != m {
        return Err(Error::new(
            ErrorKind::Input,
            format!("{m} labels for {n} cases"),
        ));
    }
    let mut groups: BTreeMap<&str, Vec<Case>> = BTreeMap::new();
    for (case, label) in cases.iter().zip(labels) {
        groups.entry(label).or_default().push(*case);
    }
    groups
        .into_iter()
        .map(|(label, cases)| Ok((label.to_owned(), Fit::of(&cases)?)))
        .collect()
}

/// An evaluation, whole and in parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// All cases.
    pub whole: Fit,
    /// Per `source`.
    pub by_source: BTreeMap<String, Fit>,
    /// Per `language`.
    pub by_language: BTreeMap<String, Fit>,
}

impl Evaluation {
    /// Evaluates `cases`, whose sources and languages stand in the same order.
    ///
    /// # Errors
    /// As [`by_group`].
    pub fn new(cases: &[Case], sources: &[&str], languages: &[&str]) -> Result<Self> {
        Ok(Self {
            whole: Fit::of(cases)?,
            by_source: by_group(cases, sources)?,
            by_language: by_group(cases, languages)?,
        })
    }

    /// The evaluation as a table under `title`.
    pub fn table(&self, title: &str) -> Table {
        let mut table = Table::new(title);
        table.push("all", &self.whole);
        for (label, fit) in self.by_source.iter().chain(&self.by_language) {
            table.push(label, fit);
        }
        table
    }
}

/// Fits as aligned text, one a line.
#[derive(Clone, Debug)]
pub struct Table {
    lines: Vec<Vec<String>>,
}

impl Table {
    /// A table without lines; `title` heads the column of names.
    pub fn new(title: &str) -> Self {
        let heads = [
            "n", "rmse", "constant", "mae", "r2", "pearson", "spearman", "coverage",
        ];
        Self {
            lines: vec![
                std::iter::once(title)
                    .chain(heads)
                    .map(str::to_owned)
                    .collect(),
            ],
        }
    }

    /// Adds a line.
    pub fn push(&mut self, name: &str, fit: &Fit) {
        let shown = |x: Option<f64>| x.map_or("-".to_owned(), |x| format!("{x:.3}"));
        let numbers = [
            Some(fit.rmse),
            Some(fit.constant_rmse),
            Some(fit.mae),
            fit.r2,
            fit.pearson,
            fit.spearman,
            fit.coverage,
        ];
        let mut line = vec![name.to_owned(), fit.n.to_string()];
        line.extend(numbers.map(shown));
        self.lines.push(line);
    }

    fn width(&self, column: usize) -> usize {
        self.lines
            .iter()
            .map(|line| line[column].chars().count())
            .max()
            .unwrap_or(0)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            write!(f, "{:<1$}", line[0], self.width(0))?;
            for (column, cell) in line.iter().enumerate().skip(1) {
                write!(f, "  {cell:>0$}", self.width(column))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn check(cases: &[Case]) -> Result<()> {
    if cases.is_empty() {
        return Err(Error::new(ErrorKind::Input, "nothing to evaluate: no rows"));
    }
    let finite = |c: &Case| {
        let interval = c.interval.unwrap_or_default();
        [c.predicted, c.target, interval[0], interval[1]]
            .iter()
            .all(|x| x.is_finite())
    };
    match cases.iter().position(|c| !finite(c)) {
        None => Ok(()),
        Some(i) => {
            let Case {
                predicted, target, ..
            } = cases[i];
            let message = format!(
                "case {}: prediction {predicted}, target {target}, expected finite numbers",
                i + 1
            );
            Err(Error::new(ErrorKind::Input, message))
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0usize), |(sum, n), x| (sum + x, n + 1));
    sum / n as f64
}

/// Mean squared distance from the mean; exactly zero where all values are equal.
fn variance(values: &[f64]) -> f64 {
    if values.iter().all(|x| *x == values[0]) {
        return 0.0;
    }
    let centre = mean(values.iter().copied());
    mean(values.iter().map(|x| (x - centre).powi(2)))
}

fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let scale = (variance(a) * variance(b)).sqrt();
    let (centre_a, centre_b) = (mean(a.iter().copied()), mean(b.iter().copied()));
    let covariance = mean(
        a.iter()
            .zip(b)
            .map(|(x, y)| (x - centre_a) * (y - centre_b)),
    );
    (scale > 0.0).then(|| (covariance / scale).clamp(-1.0, 1.0))
}

/// Ranks from 1; equal values share the average of their ranks.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    let mut below = 0;
    for tied in order.chunk_by(|&i, &j| values[i] == values[j]) {
        let average = below as f64 + (tied.len() as f64 + 1.0) / 2.0;
        tied.iter().for_each(|&i| ranks[i] = average);
        below += tied.len();
    }
    ranks
}

fn coverage(cases: &[Case]) -> Option<f64> {
    let inside = |c: &Case| {
        c.interval
            .map(|[low, high]| (low..=high).contains(&c.target))
    };
    let inside: Vec<bool> = cases.iter().filter_map(inside).collect();
    (!inside.is_empty()).then(|| mean(inside.iter().map(|&x| f64::from(u8::from(x)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: Option<f64>, expected: f64) {
        let found = found.expect("a number");
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    /// The sums of squares and products are worked out by hand, those of the ranks too.
    #[test]
    fn figures_match_those_by_hand() {
        let fit = Fit::new(&[1.0, 2.0, 2.0, 4.0, 7.0], &[2.0, 1.0, 3.0, 3.0, 10.0]).unwrap();
        assert_eq!(fit.n, 5);
        near(Some(fit.rmse), (13.0f64 / 5.0).sqrt());
        near(Some(fit.mae), 7.0 / 5.0);
        near(fit.r2, 1.0 - 13.0 / 50.8);
        near(fit.pearson, 31.2 / (22.8f64 * 50.8).sqrt());
        near(fit.spearman, 7.25 / 9.5);
        near(Some(fit.constant_rmse), (50.8f64 / 5.0).sqrt());
        assert_eq!(fit.coverage, None);
    }

    #[test]
    fn ties_share_their_average_rank() {
        assert_eq!(ranks(&[5.0, 1.0, 5.0, 0.0, 5.0]), [4.0, 2.0, 4.0, 1.0, 4.0]);
    }

    #[test]
    fn spearman_sees_order_only() {
        let fit = Fit::new(&[0.1, 0.2, 0.3, 9.0], &[1.0, 2.0, 8.0, 10.0]).unwrap();
        near(fit.spearman, 1.0);
        assert!(fit.pearson.unwrap() < 0.9);
    }

    #[test]
    fn a_constant_has_no_correlation_and_no_r2() {
        let fit = Fit::new(&[1.0, 2.0], &[0.1, 0.1]).unwrap();
        assert_eq!(
            (fit.r2, fit.pearson, fit.spearman, fit.constant_rmse),
            (None, None, None, 0.0)
        );
        let fit = Fit::new(&[0.1, 0.1, 0.1], &[1.0, 2.0, 3.0]).unwrap();
        assert_eq!((fit.pearson, fit.spearman), (None, None));
        assert!(fit.r2.unwrap() < 0.0);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let kind = |p: &[f32], t: &[f32]| Fit::new(p, t).unwrap_err();
        assert!(
            kind(&[1.0, f32::NAN], &[1.0, 2.0])
                .to_string()
                .starts_with("case 2: prediction NaN")
        );
        assert_eq!(kind(&[1.0], &[f32::INFINITY]).kind(), ErrorKind::Input);
        assert_eq!(kind(&[], &[]).kind(), ErrorKind::Input);
        assert_eq!(kind(&[1.0], &[]).kind(), ErrorKind::Input);
        let broken = Case {
            predicted: 1.0,
            target: 1.0,
            interval: Some([0.0, f32::NAN]),
        };
        assert!(Fit::of(&[broken]).is_err());
    }

    #[test]
    fn coverage_counts_only_claimed_intervals() {
        let case = |target, interval| Case {
            predicted: 5.0,
            target,
            interval,
        };
        let cases = [
            case(5.0, Some([5.0, 6.0])),
            case(7.0, Some([5.0, 6.0])),
            case(0.0, None),
        ];
        near(Fit::of(&cases).unwrap().coverage, 0.5);
    }

    #[test]
    fn groups_and_table_name_every_part() {
        let case = |predicted, target| Case {
            predicted,
            target,
            interval: None,
        };
        let cases = [case(1.0, 2.0), case(3.0, 3.0), case(4.0, 8.0)];
        let found = Evaluation::new(&cases, &["a", "b", "a"], &["ja", "ja", "ja"]).unwrap();
        assert_eq!(
            (
                found.by_source["a"].n,
                found.by_source["b"].rmse,
                found.by_language["ja"].n
            ),
            (2, 0.0, 3)
        );
        let text = found.table("part").to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5);
        assert!(
            lines[0].starts_with("part") && lines[3].starts_with("b") && lines[3].contains("0.000")
        );
        assert!(lines.iter().all(|l| l.len() == lines[0].len()), "{text}");
        assert!(by_group(&cases, &["a"]).is_err());
    }
}
