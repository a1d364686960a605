//! Gradient descent over shuffled batches, for what trains an encoder.

use super::interrupt;
use super::random::Random;
use crate::cli::progress::bar;
use crate::error::{Error, ErrorKind, Result};

/// Share of the latest step in the loss shown.
const LATEST: f32 = 0.05;

/// How long and how far the descent goes.
pub struct Descent<'a> {
    /// What it is called, beside its progress bar.
    pub label: &'a str,
    /// Rows of a step.
    pub batch: usize,
    /// Passes over all rows.
    pub epochs: usize,
    /// The largest learning rate.
    pub rate: f64,
    /// The option that sets it.
    pub rate_option: &'static str,
    /// What Ctrl-C leaves.
    pub kept: &'static str,
}

impl Descent<'_> {
    /// Gives `step` the rows of every step and its learning rate; it learns from them and returns their
    /// loss before. Returns all losses.
    ///
    /// # Errors
    /// `Data` when a loss is no number, `Input` when interrupted, and those of `step`.
    pub fn run(
        &self,
        rows: usize,
        random: &mut Random,
        mut step: impl FnMut(&[usize], f64) -> Result<f32>,
    ) -> Result<Vec<f32>> {
        let mut order: Vec<usize> = (0..rows).collect();
        let steps = rows.div_ceil(self.batch) * self.epochs;
        // The label is part of the bar's template, in which {msg} stands for the message.
        let bar = bar(
            &format!("{}, loss {{msg}}", self.label),
            steps as u64,
            "steps",
        );
        let (mut losses, mut shown) = (Vec::with_capacity(steps), None);
        for _ in 0..self.epochs {
            random.shuffle(&mut order);
            for rows in order.chunks(self.batch) {
                interrupt::check(self.kept)?;
                let loss = step(rows, learning_rate(self.rate, losses.len(), steps))?;
                if !loss.is_finite() {
                    let (label, option) = (self.label, self.rate_option);
                    let message = format!("{label} diverged (loss {loss}): try a lower {option}");
                    return Err(Error::new(ErrorKind::Data, message));
                }
                losses.push(loss);
                let mean = shown.map_or(loss, |mean| mean + LATEST * (loss - mean));
                shown = Some(mean);
                bar.set_message(format!("{mean:.4}"));
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        Ok(losses)
    }
}

/// Rises to `peak` over the first tenth of the steps, then a cosine to zero.
fn learning_rate(peak: f64, step: usize, steps: usize) -> f64 {
    let done = (step as f64 + 0.5) / steps as f64;
    let warm_up = (done / 0.1).min(1.0);
    peak * warm_up * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
}
