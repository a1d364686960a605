//! Pre-scores as Label Studio's predictions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::fields::Fields;
use super::labelling::Control;
use crate::bundle::sha256;
use crate::cli::score::score_tasks;
use crate::error::{Error, ErrorKind, Result};
use crate::heads::Doubt;
use crate::scorer::{Pause, Score, Scorer};

/// Control that gets the interval, where the labelling configuration has one of the name.
const INTERVAL: &str = "interval";
/// Control that gets doubts, what was cut off, and errors.
const NOTE: &str = "note";
/// Control that gets the nearest metrics.
const ANCHORS: &str = "anchors";
/// How many of them.
const NEAREST: usize = 5;

/// When to stop scoring: at a deadline, or when nobody waits any more.
#[derive(Clone)]
pub struct Stop {
    deadline: Instant,
    limit: Duration,
    gone: Arc<AtomicBool>,
}

/// Calls the work off when dropped, as the server drops what it does for a client that hung up.
pub struct Waiting(Arc<AtomicBool>);

impl Stop {
    /// Stops `limit` from now, or when the second value is dropped.
    pub fn after(limit: Duration) -> (Self, Waiting) {
        let gone = Arc::new(AtomicBool::new(false));
        let stop = Self {
            deadline: Instant::now() + limit,
            limit,
            gone: gone.clone(),
        };
        (stop, Waiting(gone))
    }

    /// Until when.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// # Errors
    /// `Cancelled` past the deadline or when nobody waits.
    pub fn check(&self) -> Result<()> {
        if self.gone.load(Ordering::Relaxed) {
            return Err(Error::new(ErrorKind::Cancelled, "nobody waits for it"));
        }
        if Instant::now() < self.deadline {
            return Ok(());
        }
        let seconds = self.limit.as_secs();
        let message = format!(
            "there was no time for it within {seconds} s; ask again, or for fewer tasks at a time"
        );
        Err(Error::new(ErrorKind::Cancelled, message))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Pause for Stop {
    async fn pause(&self) -> Result<()> {
        self.check()
    }
}

/// Version under which predictions are kept. Label Studio asks again for tasks that have none of
/// the version that `/setup` named, so it changes with the model and with the project's settings.
pub fn version(scorer: &Scorer, fields: &Fields) -> String {
    let settings = sha256(fields.fingerprint().as_bytes());
    format!("{}-{}", model_version(scorer), &settings[..6])
}

/// Release and bundle, whatever a project's settings.
pub fn model_version(scorer: &Scorer) -> String {
    let (bundle, release) = (scorer.bundle(), env!("CARGO_PKG_VERSION"));
    format!("touchstone-{release}-{}", &bundle[..8])
}

/// The prediction of each task, in their order. One that cannot be scored says why, and is kept
/// under another version, so that Label Studio asks for it again.
pub fn predictions(scorer: &Scorer, fields: &Fields, tasks: &[Value], stop: &Stop) -> Vec<Value> {
    let version = version(scorer, fields);
    let asked: Vec<_> = tasks
        .iter()
        .map(|task| fields.task(&task["data"]))
        .collect();
    let good: Vec<_> = asked.iter().flatten().cloned().collect();
    let mut scores = score_tasks(scorer, &good, stop, &ProgressBar::hidden()).into_iter();
    let none = || Err(Error::new(ErrorKind::Device, "no score was made"));
    let scores = asked.into_iter().map(|asked| match asked {
        Ok(_) => scores.next().unwrap_or_else(none),
        Err(error) => Err(error),
    });
    tasks
        .iter()
        .zip(scores)
        .map(|(task, score)| match score {
            Ok(score) => prediction(fields, task, &score, &version),
            Err(error) => failed(fields, task, &error, &version),
        })
        .collect()
}

/// A task's score as a prediction.
pub fn prediction(fields: &Fields, task: &Value, score: &Score, version: &str) -> Value {
    let control = fields.score();
    let (kind, value) = control.region(score.score);
    let mut result = vec![region(control, task, kind, &value)];
    let texts = [
        (INTERVAL, interval(score)),
        (NOTE, note(score)),
        (ANCHORS, anchors(score)),
    ];
    for (name, text) in texts {
        result.extend(text.and_then(|text| shown(fields, task, name, &text)));
    }
    json!({ "result": result, "score": certainty(score), "model_version": version })
}

fn failed(fields: &Fields, task: &Value, error: &Error, version: &str) -> Value {
    let note = shown(fields, task, NOTE, &format!("Not scored: {error}"));
    json!({
        "result": Vec::from_iter(note),
        "score": null,
        "model_version": format!("{version}-not-scored"),
        "error": { "kind": error.kind().as_str(), "message": error.to_string() },
    })
}

fn shown(fields: &Fields, task: &Value, name: &str, text: &str) -> Option<Value> {
    let control = fields.labelling().text_area(name)?;
    Some(region(
        control,
        task,
        "textarea",
        &json!({ "text": [text] }),
    ))
}

/// One control's part of a prediction; its `id` is the same whenever the task is scored.
fn region(control: &Control, task: &Value, kind: &str, value: &Value) -> Value {
    let id = sha256(format!("{} {}", task["id"], control.name).as_bytes());
    json!({
        "id": &id[..10],
        "from_name": control.name,
        "to_name": control.to_name,
        "type": kind,
        "value": value,
    })
}

/// How sure the score is, 0 to 1, by which Label Studio can sort: what the interval leaves of the
/// scale, and 0 for "not sure".
fn certainty(score: &Score) -> Option<f64> {
    let [low, high] = score.interval?;
    let left = 1.0 - f64::from(high - low) / 10.0;
    let certainty = if score.abstain {
        0.0
    } else {
        left.clamp(0.0, 1.0)
    };
    Some((certainty * 1000.0).round() / 1000.0)
}

fn interval(score: &Score) -> Option<String> {
    let [low, high] = score.interval?;
    let claim = match score.coverage {
        Some(share) => format!("made to hold {:.0} % of judges' scores", share * 100.0),
        None => "a guide, nothing is claimed".to_owned(),
    };
    Some(format!("{low:.1} to {high:.1} ({claim})"))
}

fn note(score: &Score) -> Option<String> {
    let mut parts = Vec::new();
    if score.abstain {
        parts.push("Not sure.".to_owned());
    }
    parts.extend(score.doubts.iter().map(|doubt| reason(*doubt).to_owned()));
    if let Some(truncated) = score.truncated {
        let (kept, of) = (truncated.kept, truncated.of);
        parts.push(format!("Only {kept} of {of} tokens were read."));
    }
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn reason(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::NoExamples => {
            "No judged example of this metric and script was seen in training: the score rests on \
             the metric's wording alone."
        }
        Doubt::WideInterval => "The interval is so wide that the score says little.",
        Doubt::FarText => "Prompt or answer is unlike the texts the model was trained on.",
        Doubt::UnrelatedMetric => "The conversation seems to have little to do with this metric.",
    }
}

fn anchors(score: &Score) -> Option<String> {
    let nearest = score.anchors.iter().take(NEAREST);
    let nearest: Vec<String> = nearest
        .map(|near| format!("{} {:.2}", near.metric, near.similarity))
        .collect();
    (!nearest.is_empty()).then(|| nearest.join(" · "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::block_on;

    #[test]
    fn work_stops_at_its_deadline_and_when_nobody_waits() {
        let (stop, waiting) = Stop::after(Duration::from_secs(3600));
        assert!(block_on(stop.pause()).is_ok());
        drop(waiting);
        assert_eq!(stop.check().unwrap_err().kind(), ErrorKind::Cancelled);
        let (stop, _waiting) = Stop::after(Duration::ZERO);
        assert!(
            stop.check()
                .unwrap_err()
                .to_string()
                .contains("fewer tasks")
        );
    }
}
