//! Whether this device computes what the bundle was packed with.

use serde::{Deserialize, Serialize};

use super::Scorer;
use super::pause::Pause;
use super::score::Prepared;
use crate::bundle::Golden;
use crate::error::Result;
use crate::heads::Verdict;

/// How far a score or a similarity may be from the stored one.
pub const TOLERANCE: f32 = 0.02;

/// The outcome of scoring a bundle's golden texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelfTest {
    /// Whether every score and similarity is within [`TOLERANCE`]; none for a bundle packed without
    /// golden texts.
    pub passed: Option<bool>,
    /// The largest difference; none as above.
    pub worst: Option<f32>,
    /// The score of each golden text.
    pub cases: Vec<Case>,
}

/// One golden text.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// The score stored in the bundle.
    pub expected: f32,
    /// The score found here.
    pub found: f32,
}

impl Scorer {
    /// Scores the golden texts of the bundle and compares with what is stored.
    ///
    /// # Errors
    /// As [`Self::score`].
    pub async fn check(&self, pause: &impl Pause) -> Result<SelfTest> {
        let golden = &self.manifest.golden;
        let tasks = golden.iter().map(|golden| self.prepare(&golden.task));
        let tasks = tasks.collect::<Result<Vec<Prepared>>>()?;
        let verdicts = self
            .verdicts(&tasks.iter().collect::<Vec<_>>(), pause)
            .await?;
        let (mut cases, mut worst) = (Vec::new(), None);
        for ((golden, task), verdict) in golden.iter().zip(&tasks).zip(verdicts) {
            let verdict = verdict?;
            let found = self.report(task, &verdict).score;
            let apart = self
                .apart(golden, &verdict)
                .max((found - golden.score).abs());
            worst = Some(apart.max(worst.unwrap_or(0.0)));
            cases.push(Case {
                expected: golden.score,
                found,
            });
        }
        Ok(SelfTest {
            passed: worst.map(|worst| worst <= TOLERANCE),
            worst,
            cases,
        })
    }

    /// The largest difference from the stored similarities.
    fn apart(&self, golden: &Golden, verdict: &Verdict) -> f32 {
        let anchors = self.info.anchors.iter().zip(&verdict.similarities);
        let apart = anchors.filter_map(|(name, found)| {
            let expected = golden.anchors.get(name)?;
            Some((expected - found).abs())
        });
        apart.fold(0.0, f32::max)
    }
}
