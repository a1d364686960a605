//! One task on every metric.

use serde::{Deserialize, Serialize};

use super::Scorer;
use super::output::{Receipt, Truncated};
use super::pause::Pause;
use super::prepared::{Target, Text, tokens, truncated};
use crate::error::Result;
use crate::heads::{Doubt, Support, Verdict};
use crate::metric::Metric;
use crate::text::Task;
use crate::tokenizer::Passage;

/// A task's scores on every metric of the bundle, then on own ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// In the order of the bundle's anchors, then of the own metrics.
    pub scores: Vec<ProfileScore>,
    /// Set when something was cut off.
    pub truncated: Option<Truncated>,
    /// What the scores were made with.
    pub receipt: Receipt,
}

/// The score on one metric; fields as in [`super::Score`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProfileScore {
    /// Name of the metric.
    pub metric: String,
    /// 0 to 10, 10 is the desired behaviour.
    pub score: f32,
    /// The nearest whole score.
    pub rounded: u8,
    /// Where a judge's score is expected.
    pub interval: Option<[f32; 2]>,
    /// Share of judges' scores such intervals are made to hold.
    pub coverage: Option<f32>,
    /// What kind of examples the score rests on.
    pub support: Support,
    /// Whether it should be read as "not sure".
    pub abstain: bool,
    /// Why, where it should.
    pub doubts: Vec<Doubt>,
}

impl Scorer {
    /// Scores the texts of `task` on every metric of the bundle and on `own`; the task's own metric
    /// plays no part. The texts are encoded once, together with those of the own metrics.
    ///
    /// # Errors
    /// As [`Self::score`].
    pub async fn profile(
        &self,
        task: &Task,
        own: &[Metric],
        pause: &impl Pause,
    ) -> Result<Profile> {
        let text = self.text(task)?;
        let targets = self.targets(own)?;
        let all: Vec<&Target> = targets.iter().collect();
        let rows: Vec<(usize, usize)> = (0..all.len()).map(|metric| (0, metric)).collect();
        let verdicts = self.judge(&[&text], &all, &rows, pause).await?;
        let scores = targets.iter().zip(verdicts);
        let scores =
            scores.map(|(target, verdict)| Ok(self.profile_score(&text, target, &verdict?)));
        let scores = scores.collect::<Result<_>>()?;
        let passages = || -> Vec<&Passage> {
            let own = targets.iter().filter_map(Target::own);
            text.passages.iter().chain(own).collect()
        };
        Ok(Profile {
            scores,
            truncated: truncated(passages().into_iter()),
            receipt: self.receipt(tokens(passages().into_iter())),
        })
    }

    fn targets(&self, own: &[Metric]) -> Result<Vec<Target>> {
        let anchors = self.info.anchors.iter();
        let anchors = anchors.map(|name| self.target(name, || Metric::resolve(name, None)));
        let own = own.iter().map(|metric| {
            let definition = Some(metric.definition.as_str());
            self.target(&metric.name, || Metric::resolve(&metric.name, definition))
        });
        anchors.chain(own).collect()
    }

    fn profile_score(&self, text: &Text, target: &Target, verdict: &Verdict) -> ProfileScore {
        let (support, calibrated) = self.conclude(text, target, verdict.raw);
        ProfileScore {
            metric: target.name.clone(),
            score: calibrated.score,
            rounded: calibrated.score.round() as u8,
            interval: self.interval(&calibrated),
            coverage: calibrated.coverage,
            support,
            abstain: !calibrated.doubts.is_empty(),
            doubts: calibrated.doubts,
        }
    }
}
