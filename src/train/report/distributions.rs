//! Histograms of scores and lengths.

use super::html::{count, grid, number, section};
use super::survey::{self, Judged};
use crate::cli::rows::Row;
use crate::train::balance::{BINS, BalanceArgs, LossWeights, Resample, bin};
use crate::train::chart::histogram;

/// The distribution of the scores as they are, as drawn, and as they weigh in the loss.
pub fn scores(rows: &[Judged<'_>], balance: &BalanceArgs) -> String {
    let scores: Vec<f32> = rows.iter().map(|row| row.score).collect();
    let ones = vec![1.0; scores.len()];
    let draws = balance.draws(&survey::groups(rows), &scores);
    let weights = balance.weights(&scores);
    let weighed: Vec<f32> = draws.iter().zip(&weights).map(|(d, w)| d * w).collect();
    let mut views = vec![
        ("As in the files", "% of rows", &ones),
        ("As drawn in training", "% of draws", &draws),
    ];
    if balance.loss_weights != LossWeights::Off {
        views.push(("As weighed in the loss", "% of weight", &weighed));
    }
    let bins: Vec<Vec<(String, f32)>> =
        views.iter().map(|(_, _, of)| shares(&scores, of)).collect();
    let top = bins
        .iter()
        .flatten()
        .map(|(_, share)| *share)
        .fold(0.0, f32::max);
    let charts = views.iter().zip(&bins).enumerate();
    let charts = charts.map(|(colour, ((title, y_label, of), bins))| {
        let (mean, sd) = moments(&scores, of);
        let title = format!("{title}: mean {mean:.2}, sd {sd:.2}");
        histogram(&title, ["score, whole points", y_label], bins, top, colour)
    });
    let most = draws.iter().copied().fold(1.0, f32::max);
    let note = match balance.resample {
        Resample::Off => "Resampling is off: every row is drawn once in an epoch.".to_owned(),
        Resample::Metric => format!(
            "Within each metric, rows of rare scores are drawn more often: here a row up to {most:.1} times \
             (at most {}). A metric whose rows all have one score cannot be balanced.",
            number(balance.resample_cap)
        ),
    };
    section(
        "Scores before and after balancing",
        &format!("{}<p class=\"muted\">{note}</p>", grid(charts)),
    )
}

/// Per cent of the rows in each whole point, a row counting as often as `times` says.
fn shares(scores: &[f32], times: &[f32]) -> Vec<(String, f32)> {
    let mut bins = [0.0; BINS];
    for (score, times) in scores.iter().zip(times) {
        bins[bin(*score)] += times;
    }
    let total: f32 = bins.iter().sum();
    let share = |(score, rows): (usize, &f32)| (score.to_string(), 100.0 * rows / total);
    bins.iter().enumerate().map(share).collect()
}

fn moments(scores: &[f32], times: &[f32]) -> (f32, f32) {
    let total: f32 = times.iter().sum();
    let mean_of = |of: &dyn Fn(f32) -> f32| {
        scores
            .iter()
            .zip(times)
            .map(|(s, t)| of(*s) * t)
            .sum::<f32>()
            / total
    };
    let mean = mean_of(&|score| score);
    (mean, mean_of(&|score| (score - mean).powi(2)).sqrt())
}

/// How long prompts and answers are.
pub fn lengths(rows: &[Judged<'_>]) -> String {
    let chart = |title: &str, text: fn(&Row) -> &str| {
        let mut lengths: Vec<usize> = rows
            .iter()
            .map(|row| text(row.row).chars().count())
            .collect();
        lengths.sort_unstable();
        let (median, most) = (lengths[lengths.len() / 2], lengths[lengths.len() - 1]);
        let title = format!("{title}: median {}, longest {}", count(median), count(most));
        histogram(
            &title,
            ["characters, from", "% of rows"],
            &length_bins(&lengths),
            0.0,
            2,
        )
    };
    let charts = [
        chart("Prompts", |row| &row.user),
        chart("Answers", |row| &row.response),
    ];
    section("Lengths", &grid(charts))
}

/// Per cent of the sorted `lengths` in bins that widen as texts do.
fn length_bins(lengths: &[usize]) -> Vec<(String, f32)> {
    const EDGES: [(usize, &str); 10] = [
        (0, "0"),
        (50, "50"),
        (100, "100"),
        (200, "200"),
        (500, "500"),
        (1000, "1k"),
        (2000, "2k"),
        (5000, "5k"),
        (10_000, "10k"),
        (20_000, "20k"),
    ];
    let below = |edge: usize| lengths.partition_point(|length| *length < edge);
    let bin = |(index, (edge, label)): (usize, &(usize, &str))| {
        let end = EDGES
            .get(index + 1)
            .map_or(lengths.len(), |next| below(next.0));
        let share = 100.0 * (end - below(*edge)) as f32 / lengths.len() as f32;
        ((*label).to_owned(), share)
    };
    EDGES.iter().enumerate().map(bin).collect()
}
