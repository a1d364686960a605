//! Scores of tasks, each on its own metric.

use super::Scorer;
use super::output::{Nearest, Receipt, Score};
use super::pause::Pause;
use super::prepared::{Target, Text, tokens, truncated};
use crate::error::{Error, ErrorKind, Result};
use crate::heads::{Calibrated, Doubt, Raw, Support, Verdict};
use crate::metric::Metric;
use crate::text::Task;
use crate::tokenizer::Passage;

/// Anchors reported as the nearest.
const NEAREST: usize = 10;

/// A task after tokenization.
pub(super) struct Prepared {
    pub text: Text,
    pub target: Target,
}

impl Prepared {
    fn passages(&self) -> impl Iterator<Item = &Passage> {
        self.text.passages.iter().chain(self.target.own())
    }
}

impl Scorer {
    /// Tokens that scoring `task` costs, the unit of token budgets.
    ///
    /// # Errors
    /// As [`Self::score`], but nothing is encoded.
    pub fn tokens(&self, task: &Task) -> Result<usize> {
        Ok(tokens(self.prepare(task)?.passages()))
    }

    /// Scores one task.
    ///
    /// # Errors
    /// `Input` for an empty answer or a text that is too long, `Metric` for an unknown metric,
    /// `Device` when the backend fails or returns numbers that are not finite, and what `pause`
    /// ends with.
    pub async fn score(&self, task: &Task, pause: &impl Pause) -> Result<Score> {
        let tasks = std::slice::from_ref(task);
        let scores = self.score_batch(tasks, pause).await?;
        let none = || Err(Error::new(ErrorKind::Device, "no score was made"));
        scores.into_iter().next().unwrap_or_else(none)
    }

    /// Scores several tasks, in their order. A task that fails has its own error, as
    /// [`Self::score`] says, and does not disturb the others; a score does not depend on its batch.
    ///
    /// # Errors
    /// Of the whole call: `Device` when the backend fails, and what `pause` ends with.
    pub async fn score_batch(
        &self,
        tasks: &[Task],
        pause: &impl Pause,
    ) -> Result<Vec<Result<Score>>> {
        let mut prepared = Vec::with_capacity(tasks.len());
        for task in tasks {
            prepared.push(self.prepare(task));
            pause.pause().await?;
        }
        let good: Vec<&Prepared> = prepared.iter().flatten().collect();
        let mut verdicts = self.verdicts(&good, pause).await?.into_iter();
        let scores = prepared.iter().map(|task| match task {
            Ok(task) => match verdicts.next() {
                Some(verdict) => verdict.map(|verdict| self.report(task, &verdict)),
                None => Err(Error::new(ErrorKind::Device, "no score was made")),
            },
            Err(error) => Err(error.clone()),
        });
        Ok(scores.collect())
    }

    /// What the heads say of each task, see [`Self::judge`].
    pub(super) async fn verdicts(
        &self,
        tasks: &[&Prepared],
        pause: &impl Pause,
    ) -> Result<Vec<Result<Verdict>>> {
        let texts: Vec<&Text> = tasks.iter().map(|task| &task.text).collect();
        let targets: Vec<&Target> = tasks.iter().map(|task| &task.target).collect();
        let rows: Vec<(usize, usize)> = (0..tasks.len()).map(|row| (row, row)).collect();
        self.judge(&texts, &targets, &rows, pause).await
    }

    pub(super) fn prepare(&self, task: &Task) -> Result<Prepared> {
        Ok(Prepared {
            text: self.text(task)?,
            target: self.target(&task.metric, || Metric::of_task(task))?,
        })
    }

    pub(super) fn text(&self, task: &Task) -> Result<Text> {
        Text::new(task, &self.embedder.tokenizer, &self.info.template)
    }

    pub(super) fn target(
        &self,
        name: &str,
        metric: impl FnOnce() -> Result<Metric>,
    ) -> Result<Target> {
        Target::new(name, metric, &self.info, &self.embedder.tokenizer)
    }

    pub(super) fn report(&self, task: &Prepared, verdict: &Verdict) -> Score {
        let (support, calibrated) = self.conclude(&task.text, &task.target, verdict.raw);
        Score {
            score: calibrated.score,
            rounded: calibrated.score.round() as u8,
            interval: self.interval(&calibrated),
            coverage: calibrated.coverage,
            support,
            abstain: !calibrated.doubts.is_empty(),
            doubts: calibrated.doubts,
            members: verdict.members.clone(),
            anchors: self.nearest(&verdict.similarities),
            truncated: truncated(task.passages()),
            receipt: self.receipt(tokens(task.passages())),
        }
    }

    /// What a raw score rests on, and what is made of it.
    pub(super) fn conclude(&self, text: &Text, target: &Target, raw: Raw) -> (Support, Calibrated) {
        let support = self.info.support(&target.name, text.script);
        (support, self.calibrate(raw, &target.name, support))
    }

    /// The calibrated score; heads without a calibration only doubt what they have no example of.
    fn calibrate(&self, raw: Raw, metric: &str, support: Support) -> Calibrated {
        match &self.info.calibration {
            Some(calibration) => calibration.apply(raw, metric, support),
            None => Calibrated {
                score: raw.score,
                interval: [0.0, 10.0],
                coverage: None,
                doubts: match support {
                    Support::Text => vec![Doubt::NoExamples],
                    Support::Judged | Support::Synthetic => Vec::new(),
                },
            },
        }
    }

    /// The interval, where the heads were calibrated.
    pub(super) fn interval(&self, calibrated: &Calibrated) -> Option<[f32; 2]> {
        (self.info.calibration.as_ref()).map(|_| calibrated.interval)
    }

    pub(super) fn receipt(&self, tokens: usize) -> Receipt {
        Receipt {
            bundle: self.bundle.clone(),
            backend: self.backend,
            dtype: self.embedder.encoder.arithmetic().into(),
            version: env!("CARGO_PKG_VERSION").into(),
            tokens,
        }
    }

    /// The anchors most similar, best first.
    pub(super) fn nearest(&self, similarities: &[f32]) -> Vec<Nearest> {
        let mut order: Vec<usize> = (0..similarities.len()).collect();
        order.sort_by(|&a, &b| similarities[b].total_cmp(&similarities[a]));
        let nearest = order.into_iter().take(NEAREST).map(|index| Nearest {
            metric: self.info.anchors[index].clone(),
            similarity: similarities[index],
        });
        nearest.collect()
    }
}
