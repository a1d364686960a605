//! The out-of-fold evaluation: per file, every kind and member beside a constant and a ridge.

use std::collections::BTreeMap;

use serde::Serialize;

use super::bootstrap::{self, Estimate};
use super::calibrate::{self, Held};
use super::dataset::{Dataset, Origin};
use super::fit::Curve;
use super::jobs;
use super::out_of_fold::{Division, OutOfFold};
use super::ridge_baseline;
use crate::error::{Error, Result};
use crate::evaluate::{Case, Fit, Table};
use crate::heads::{Calibration, EnsembleConfig, Verdict};

/// A metric with fewer rows gets no rank correlation.
const RANKED: usize = 10;

/// Mean and standard deviation over folds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
}

/// How one way of predicting did on one file.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// `constant`, `ridge`, a kind of member, `ensemble` or `calibrated`.
    pub name: String,
    /// Over all rows.
    pub fit: Fit,
    /// R2 by fold.
    pub r2: Option<Spread>,
    /// Spearman by fold.
    pub spearman: Option<Spread>,
    /// Mean of Spearman within each metric of at least ten rows, weighted by rows.
    pub within_metric: Option<f64>,
}

/// Intervals on one file, calibrated on its other folds.
#[derive(Clone, Debug, Serialize)]
pub struct Intervals {
    /// Share of scores inside, with a prompt-bootstrap interval.
    pub coverage: Estimate,
    /// The share promised.
    pub nominal: f64,
    /// Mean width in points.
    pub width: f64,
    /// Share of rows read as "not sure" (a wide interval, a far text, an unrelated metric).
    pub abstained: f64,
}

/// One file's results.
#[derive(Clone, Debug, Serialize)]
pub struct FileReport {
    /// Its name.
    pub file: String,
    /// Whether judges outside the project scored it.
    pub judged: bool,
    /// Rows.
    pub rows: usize,
    /// The ways of predicting.
    pub lines: Vec<Line>,
    /// Every member, in order.
    pub members: Vec<Fit>,
    /// Mean squared error of the ridge less that of the calibrated ensemble; above zero is better.
    pub over_ridge: Option<Estimate>,
    /// The same against the best member, chosen after the fact.
    pub over_best_member: Option<Estimate>,
    /// Deviation of R2 between members of one kind and size.
    pub seed_deviation: Option<f64>,
    /// Intervals.
    pub intervals: Option<Intervals>,
}

/// Out-of-fold results.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// By file.
    pub files: Vec<FileReport>,
    /// Share of well-scoring answers with a catalogue metric whose metric is among the ten nearest
    /// anchors, of 145.
    pub own_metric_nearest: Option<f64>,
    /// Learning curves: one list a fold.
    pub curves: Vec<Vec<Curve>>,
    /// All of it as text.
    pub table: String,
}

/// Evaluates held-out predictions.
///
/// # Errors
/// `Input` for a file without rows.
pub fn evaluate(
    data: &Dataset,
    division: &Division,
    held: &OutOfFold,
    config: &EnsembleConfig,
    calibration: Option<&Calibration>,
) -> Result<Report> {
    let files: Vec<usize> = (0..data.rows.files.len()).collect();
    let reports = jobs::run(files.len(), |file| {
        let of_file = |item| data.example(item).file == file && held.verdicts[item].is_some();
        let items = data.items_where(of_file);
        if items.is_empty() {
            return Ok(None);
        }
        File {
            data,
            division,
            held,
            config,
            calibration,
            items,
        }
        .report(&data.rows.files[file])
        .map(Some)
    });
    let files = reports.into_iter().collect::<Result<Vec<_>>>()?;
    let mut report = Report {
        files: files.into_iter().flatten().collect(),
        own_metric_nearest: own_metric_nearest(data, held),
        curves: held.curves.clone(),
        table: String::new(),
    };
    report.table = table(&report);
    Ok(report)
}

/// One file under evaluation.
struct File<'a> {
    data: &'a Dataset,
    division: &'a Division,
    held: &'a OutOfFold,
    config: &'a EnsembleConfig,
    calibration: Option<&'a Calibration>,
    items: Vec<usize>,
}

impl File<'_> {
    fn report(&self, name: &str) -> Result<FileReport> {
        let judged = self.items.iter().all(|&item| self.data.judged(item));
        let rows = self.held_rows();
        let calibrated = calibrate::cross(&rows, judged);
        let scores: Vec<f32> = calibrated.iter().map(|(score, _)| *score).collect();
        let mut lines = vec![self.line("constant", &self.constant())?];
        // A ridge that cannot be fitted (too few prompts) is no reason to lose the run.
        let ridge = judged.then(|| ridge_baseline::predict(self.data, &self.items, self.division));
        let ridge = ridge.and_then(|fitted| {
            let failed = |error: &Error| eprintln!("{name}: no ridge baseline: {error}");
            fitted.inspect_err(failed).ok()
        });
        if let Some(ridge) = &ridge {
            lines.push(self.line("ridge", ridge)?);
        }
        for (kind, members) in self.kinds() {
            lines.push(self.line(kind, &self.mean_of(members))?);
        }
        lines.push(self.line("ensemble", &self.mean_of(0..self.config.members()))?);
        lines.push(self.line("calibrated", &scores)?);
        let members = (0..self.config.members())
            .map(|member| self.fit(&self.mean_of(member..member + 1)))
            .collect::<Result<Vec<_>>>()?;
        let best = (0..members.len()).min_by(|&a, &b| members[a].rmse.total_cmp(&members[b].rmse));
        let best = best.map(|best| self.mean_of(best..best + 1));
        Ok(FileReport {
            file: name.into(),
            judged,
            rows: self.items.len(),
            lines,
            seed_deviation: self.seed_deviation(&members),
            members,
            over_ridge: ridge.and_then(|ridge| self.gain(&ridge, &scores)),
            over_best_member: best
                .and_then(|best| self.gain(&best, &self.mean_of(0..self.config.members()))),
            intervals: self.intervals(&rows, &calibrated),
        })
    }

    fn verdict(&self, item: usize) -> &Verdict {
        self.held.verdicts[item]
            .as_ref()
            .expect("items are held out")
    }

    fn held_rows(&self) -> Vec<Held> {
        let row = |&item: &usize| Held {
            fold: self.held.folds[item],
            raw: self.verdict(item).raw,
            target: self.data.items[item].target,
        };
        self.items.iter().map(row).collect()
    }

    /// Kinds of members with their numbers.
    fn kinds(&self) -> Vec<(&'static str, std::ops::Range<usize>)> {
        let mut first = 0;
        let kinds = self.config.groups.iter().map(|group| {
            let members = first..first + group.members().len();
            first = members.end;
            (group.name(), members)
        });
        kinds.collect()
    }

    fn mean_of(&self, members: std::ops::Range<usize>) -> Vec<f32> {
        let count = members.len() as f32;
        let mean = |&item: &usize| {
            self.verdict(item).members[members.clone()]
                .iter()
                .sum::<f32>()
                / count
        };
        self.items.iter().map(mean).collect()
    }

    /// The mean of the other folds' targets.
    fn constant(&self) -> Vec<f32> {
        let mean = |fold| {
            let others = self
                .items
                .iter()
                .filter(|&&item| self.held.folds[item] != fold);
            let others: Vec<f32> = others.map(|&item| self.data.items[item].target).collect();
            others.iter().sum::<f32>() / others.len().max(1) as f32
        };
        let means: Vec<f32> = (0..self.division.count).map(mean).collect();
        self.items
            .iter()
            .map(|&item| means[self.held.folds[item]])
            .collect()
    }

    fn fit(&self, predicted: &[f32]) -> Result<Fit> {
        Fit::new(predicted, &self.data.targets(&self.items))
    }

    fn line(&self, name: &str, predicted: &[f32]) -> Result<Line> {
        let folds = self.parts(predicted, |item| self.held.folds[item]);
        let spread = |of: fn(&Fit) -> Option<f64>| spread(folds.values().filter_map(of));
        let metrics = self.parts(predicted, |item| self.data.items[item].metric);
        let ranked = metrics.values().filter(|fit| fit.n >= RANKED);
        let ranked: Vec<(f64, f64)> = ranked
            .filter_map(|fit| Some((fit.spearman?, fit.n as f64)))
            .collect();
        let weight: f64 = ranked.iter().map(|(_, n)| n).sum();
        let sum: f64 = ranked.iter().map(|(rank, n)| rank * n).sum();
        Ok(Line {
            name: name.into(),
            fit: self.fit(predicted)?,
            r2: spread(|fit| fit.r2),
            spearman: spread(|fit| fit.spearman),
            within_metric: (weight > 0.0).then(|| sum / weight),
        })
    }

    /// The fit of each part of the rows.
    fn parts(&self, predicted: &[f32], part: impl Fn(usize) -> usize) -> BTreeMap<usize, Fit> {
        let mut cases: BTreeMap<usize, Vec<Case>> = BTreeMap::new();
        for (&item, &predicted) in self.items.iter().zip(predicted) {
            cases.entry(part(item)).or_default().push(Case {
                predicted,
                target: self.data.items[item].target,
                interval: None,
            });
        }
        let fits = cases.into_iter();
        fits.filter_map(|(part, cases)| Some((part, Fit::of(&cases).ok()?)))
            .collect()
    }

    /// Squared error of `other` less that of `ours`.
    fn gain(&self, other: &[f32], ours: &[f32]) -> Option<Estimate> {
        let targets = self.data.targets(&self.items);
        let square = |score: f32, target: f32| f64::from(score - target).powi(2);
        let gains = other.iter().zip(ours).zip(&targets);
        let gains: Vec<f64> = gains
            .map(|((other, ours), &t)| square(*other, t) - square(*ours, t))
            .collect();
        bootstrap::mean(&gains, &self.groups())
    }

    fn groups(&self) -> Vec<usize> {
        self.items
            .iter()
            .map(|&item| self.division.groups[item])
            .collect()
    }

    /// Root mean square of R2's deviation among members of one kind, size and pooling.
    fn seed_deviation(&self, members: &[Fit]) -> Option<f64> {
        let shapes = self.config.groups.iter();
        let shapes = shapes.flat_map(|group| {
            group
                .members()
                .into_iter()
                .map(|member| (group.name(), member))
        });
        let mut same: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for ((name, (size, pooling, _)), fit) in shapes.zip(members) {
            let shape = format!("{name} {size} {pooling:?}");
            same.entry(shape).or_default().extend(fit.r2);
        }
        let spreads = same.into_values().filter(|r2| r2.len() > 1);
        let variances = spreads.filter_map(|r2| spread(r2.into_iter()));
        let variances: Vec<f64> = variances.map(|spread| spread.deviation.powi(2)).collect();
        let mean = variances.iter().sum::<f64>() / variances.len() as f64;
        (!variances.is_empty()).then(|| mean.sqrt())
    }

    fn intervals(&self, rows: &[Held], calibrated: &[(f32, [f32; 2])]) -> Option<Intervals> {
        let inside = rows.iter().zip(calibrated).map(|(row, (_, [low, high]))| {
            f64::from(u8::from((*low..=*high).contains(&row.target)))
        });
        let widths = calibrated
            .iter()
            .map(|(_, [low, high])| f64::from(high - low));
        let count = rows.len() as f64;
        let abstained = rows
            .iter()
            .zip(calibrated)
            .filter(|(row, (_, [low, high]))| {
                let calibration = self.calibration;
                calibration.is_some_and(|limits| limits.is_doubtful(row.raw, high - low))
            });
        Some(Intervals {
            coverage: bootstrap::mean(&inside.collect::<Vec<_>>(), &self.groups())?,
            nominal: f64::from(calibrate::COVERAGE),
            width: widths.sum::<f64>() / count,
            abstained: abstained.count() as f64 / count,
        })
    }
}

fn spread(values: impl Iterator<Item = f64>) -> Option<Spread> {
    let values: Vec<f64> = values.collect();
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / count;
    (!values.is_empty()).then(|| Spread {
        mean,
        deviation: variance.sqrt(),
    })
}

/// Of answers that score 8 or more on a metric that is an anchor, the share whose metric is among
/// the ten nearest.
fn own_metric_nearest(data: &Dataset, held: &OutOfFold) -> Option<f64> {
    let anchors = data.metrics.anchor_names().len();
    let items = data.items_where(|item| {
        let it = &data.items[item];
        held.verdicts[item].is_some()
            && it.origin == Origin::Authored
            && it.metric < anchors
            && it.target >= 8.0
    });
    let near = items.iter().filter(|&&item| {
        let similarities = &held.verdicts[item].as_ref().expect("held out").similarities;
        let own = similarities[data.items[item].metric];
        similarities.iter().filter(|&&other| other > own).count() < 10
    });
    (!items.is_empty()).then(|| near.count() as f64 / items.len() as f64)
}

fn table(report: &Report) -> String {
    let mut table = Table::new("out of fold, grouped by prompt");
    let mut notes = String::new();
    for file in &report.files {
        for (index, line) in file.lines.iter().enumerate() {
            let name = match (index, file.judged) {
                (0, true) => file.file.clone(),
                (0, false) => format!("{} (not judged)", file.file),
                _ => format!("  {}", line.name),
            };
            table.push(&name, &line.fit);
        }
        notes += &note(file);
    }
    let nearest = report.own_metric_nearest.map(|share| {
        format!(
            "own metric among the ten nearest anchors: {:.0} %\n",
            100.0 * share
        )
    });
    format!("{table}{notes}{}", nearest.unwrap_or_default())
}

fn note(file: &FileReport) -> String {
    let shown = |e: &Estimate| format!("{:+.2} [{:+.2}, {:+.2}]", e.mean, e.low, e.high);
    let verdict = |e: &Estimate| {
        if e.is_positive() {
            "above"
        } else {
            "NOT above"
        }
    };
    let gain = |what: &str, other: &str, gain: &Estimate| {
        format!(
            "{what} {} {other} by {} squared points",
            verdict(gain),
            shown(gain)
        )
    };
    let mut notes = Vec::new();
    notes.extend(
        file.over_ridge
            .as_ref()
            .map(|e| gain("calibrated", "its own ridge", e)),
    );
    notes.extend(
        file.over_best_member
            .as_ref()
            .map(|e| gain("ensemble", "its best member", e)),
    );
    notes.extend(file.intervals.as_ref().map(|intervals| {
        format!(
            "intervals hold {:.1} % [{:.1}, {:.1}], {:.1} points wide, {:.0} % not sure",
            100.0 * intervals.coverage.mean,
            100.0 * intervals.coverage.low,
            100.0 * intervals.coverage.high,
            intervals.width,
            100.0 * intervals.abstained
        )
    }));
    format!("{}: {}\n", file.file, notes.join("; "))
}
