//! From the ensemble's mean to a calibrated score with an interval, and when to say "not sure".
//!
//! Per kind of row a monotone map (isotonic regression) and a quantile of scaled residuals
//! (conformal prediction, Lei et al. 2018: residuals over an estimate of their size), both found on
//! held-out rows by training.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Support;

/// Calibration of one kind of row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Points `[raw, calibrated]` of a monotone map, straight between them and flat beyond; none
    /// leaves the score as it is.
    pub knots: Vec<[f32; 2]>,
    /// Half-width of the interval for a deviation of 1, in points.
    pub reach: f32,
    /// Rows it was found on.
    pub rows: usize,
}

/// What turns a raw score into what is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Share of judged scores that the intervals are made to hold.
    pub coverage: f32,
    /// Of metrics with enough judged rows, by name.
    pub judged: BTreeMap<String, Curve>,
    /// Of metrics that only the project's own answers cover.
    pub synthetic: Curve,
    /// Of everything else, metrics in the user's own words among it.
    pub text: Curve,
    /// An interval wider than this many points is as good as none.
    pub widest: f32,
    /// A text farther from the training data than this is unlike it; see
    /// [`HeadInputs::novelty`](super::HeadInputs::novelty).
    pub farthest: f32,
    /// A well-scoring text whose cosine to its metric in the joint space is below this has little to
    /// do with it.
    pub least_relevant: f32,
}

/// Why a score should be read as "not sure".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// No example of this metric and script was in the training data.
    NoExamples,
    /// The interval is so wide that it says little.
    WideInterval,
    /// The text is unlike the training data.
    FarText,
    /// The text has little to do with the metric.
    UnrelatedMetric,
}

/// What the ensemble says of one task.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Raw {
    /// Mean of the members' clamped scores.
    pub score: f32,
    /// Estimated deviation of a judge's score from it, in points.
    pub deviation: f32,
    /// See [`Calibration::farthest`].
    pub novelty: f32,
    /// See [`Calibration::least_relevant`]; none without a joint space.
    pub relevance: Option<f32>,
}

/// A calibrated score.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibrated {
    /// 0 to 10.
    pub score: f32,
    /// Where a judge's score lies with the calibration's coverage.
    pub interval: [f32; 2],
    /// The share of judged scores inside such intervals; none where nothing is claimed.
    pub coverage: Option<f32>,
    /// Reasons to read the score as "not sure"; none is the rule.
    pub doubts: Vec<Doubt>,
}

/// Smallest deviation taken, so that members that agree by chance do not promise a point.
const LEAST_DEVIATION: f32 = 0.25;

impl Curve {
    /// The monotone map.
    pub fn map(&self, raw: f32) -> f32 {
        let after = self.knots.iter().position(|[x, _]| *x >= raw);
        match (after, self.knots.last()) {
            (Some(0), _) => self.knots[0][1],
            (Some(next), _) => between(self.knots[next - 1], self.knots[next], raw),
            (None, Some([_, y])) => *y,
            (None, None) => raw,
        }
    }

    /// The interval around a calibrated score, inside the scale.
    pub fn interval(&self, score: f32, deviation: f32) -> [f32; 2] {
        let half = self.reach * deviation.max(LEAST_DEVIATION);
        [(score - half).max(0.0), (score + half).min(10.0)]
    }
}

fn between([x0, y0]: [f32; 2], [x1, y1]: [f32; 2], x: f32) -> f32 {
    y0 + (y1 - y0) * ((x - x0) / (x1 - x0).max(1e-6)).clamp(0.0, 1.0)
}

/// The residual of a row for a deviation of 1, what [`Curve::reach`] is a quantile of.
pub fn scaled_residual(target: f32, score: f32, deviation: f32) -> f32 {
    (target - score).abs() / deviation.max(LEAST_DEVIATION)
}

impl Calibration {
    /// The curve for a score of `metric` with this support.
    pub fn curve(&self, metric: &str, support: Support) -> &Curve {
        match support {
            Support::Judged => self.judged.get(metric).unwrap_or(&self.text),
            Support::Synthetic => &self.synthetic,
            Support::Text => &self.text,
        }
    }

    /// What is shown for `raw`.
    pub fn apply(&self, raw: Raw, metric: &str, support: Support) -> Calibrated {
        let curve = self.curve(metric, support);
        let score = curve.map(raw.score).clamp(0.0, 10.0);
        let interval = curve.interval(score, raw.deviation);
        let claimed = support == Support::Judged && self.judged.contains_key(metric);
        Calibrated {
            score,
            interval,
            coverage: claimed.then_some(self.coverage),
            doubts: self.doubts(raw, interval[1] - interval[0], support),
        }
    }

    /// Whether a score whose interval is `width` points wide is doubtful, whatever its support.
    pub fn is_doubtful(&self, raw: Raw, width: f32) -> bool {
        !self.doubts(raw, width, Support::Judged).is_empty()
    }

    fn doubts(&self, raw: Raw, width: f32, support: Support) -> Vec<Doubt> {
        // Training pushes answers that score low away from their metric, so that only a good score
        // far from the metric is odd.
        let good = raw.score >= 5.0;
        let unrelated = raw
            .relevance
            .is_some_and(|cosine| good && cosine < self.least_relevant);
        let doubts = [
            (Doubt::NoExamples, support == Support::Text),
            (Doubt::WideInterval, width > self.widest),
            (Doubt::FarText, raw.novelty > self.farthest),
            (Doubt::UnrelatedMetric, unrelated),
        ];
        let holds = doubts.into_iter().filter(|(_, holds)| *holds);
        holds.map(|(doubt, _)| doubt).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration() -> Calibration {
        let curve = |reach| Curve {
            knots: vec![[2.0, 1.0], [6.0, 9.0]],
            reach,
            rows: 100,
        };
        Calibration {
            coverage: 0.9,
            judged: BTreeMap::from([("jailbreak".into(), curve(2.0))]),
            synthetic: Curve {
                reach: 1.0,
                ..Curve::default()
            },
            text: curve(4.0),
            widest: 8.0,
            farthest: 3.0,
            least_relevant: 0.0,
        }
    }

    fn raw(score: f32) -> Raw {
        Raw {
            score,
            deviation: 1.0,
            novelty: 1.0,
            relevance: Some(0.5),
        }
    }

    #[test]
    fn the_map_is_straight_between_knots_and_flat_beyond() {
        let curve = &calibration().judged["jailbreak"];
        let mapped = [0.0, 2.0, 4.0, 6.0, 10.0].map(|raw| curve.map(raw));
        assert_eq!(mapped, [1.0, 1.0, 5.0, 9.0, 9.0]);
        assert_eq!(Curve::default().map(3.5), 3.5);
    }

    #[test]
    fn only_judged_support_claims_a_coverage() {
        let judged = calibration().apply(raw(4.0), "jailbreak", Support::Judged);
        assert_eq!((judged.score, judged.interval), (5.0, [3.0, 7.0]));
        assert_eq!((judged.coverage, judged.doubts.len()), (Some(0.9), 0));
        let other = calibration().apply(raw(4.0), "fairness", Support::Synthetic);
        assert_eq!((other.score, other.coverage), (4.0, None));
        assert!(other.doubts.is_empty());
    }

    #[test]
    fn every_reason_to_doubt_is_named() {
        let odd = Raw {
            deviation: 2.0,
            novelty: 9.0,
            relevance: Some(-0.5),
            ..raw(6.0)
        };
        let bad = Raw { score: 4.0, ..odd };
        let doubts = calibration().apply(bad, "mine", Support::Text).doubts;
        assert!(!doubts.contains(&Doubt::UnrelatedMetric), "{doubts:?}");
        let doubts = calibration().apply(odd, "mine", Support::Text).doubts;
        let all = [
            Doubt::NoExamples,
            Doubt::WideInterval,
            Doubt::FarText,
            Doubt::UnrelatedMetric,
        ];
        assert_eq!(doubts, all);
    }

    #[test]
    fn an_interval_stays_on_the_scale() {
        assert_eq!(calibration().text.interval(9.0, 1.0), [5.0, 10.0]);
        assert_eq!(calibration().text.interval(0.0, 1e-9), [0.0, 1.0]);
    }
}
