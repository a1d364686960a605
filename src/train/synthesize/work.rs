//! Asking everything that is not answered yet, and keeping what comes of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::client::{Answer, Client};
use super::pace::{Budget, Pace};
use super::plan::Request;
use super::reply::{Item, Reason};
use super::seen::Seen;
use super::store::{Output, Record, Replies};
use crate::cli::rows::Row;
use crate::error::{Error, Result};
use crate::train::dataset::SYNTHETIC;

/// How often the main thread looks whether the user wants to stop.
const LOOK: Duration = Duration::from_millis(200);

/// What came of a run.
#[derive(Debug, Default)]
pub struct Tally {
    /// Rows written.
    pub kept: usize,
    /// Rows of earlier replies that the output held already.
    pub present: usize,
    /// Requests answered in this run.
    pub asked: usize,
    /// Requests answered in an earlier one.
    pub replayed: usize,
    /// Requests that failed, retries included.
    pub failed: usize,
    /// Items, and replies without any, that were not used, by reason.
    pub dropped: BTreeMap<Reason, usize>,
    /// The latest failure.
    pub failure: Option<Error>,
    /// What ended the run early.
    pub fatal: Option<Error>,
}

impl Tally {
    /// Items not used.
    pub fn dropped(&self) -> usize {
        self.dropped.values().sum()
    }
}

/// The files of a run and its count.
pub struct Work {
    output: Output,
    replies: Replies,
    seen: Seen,
    source: String,
    /// What came of it so far.
    pub tally: Tally,
}

impl Work {
    /// Opens the output and the replies beside it; `examples` count as rows that are there.
    ///
    /// # Errors
    /// As [`Output::open`] and [`Replies::open`].
    pub fn open(path: &Path, model: &str, examples: &[Row]) -> Result<Self> {
        let (output, rows) = Output::open(path)?;
        let mut seen = Seen::default();
        seen.extend(examples, true);
        seen.extend(&rows, false);
        Ok(Self {
            output,
            replies: Replies::open(path)?,
            seen,
            source: format!("{SYNTHETIC}llm/{model}"),
            tally: Tally::default(),
        })
    }

    /// Uses the replies to earlier requests; returns the requests that have none.
    ///
    /// # Errors
    /// `Io` when a row cannot be written.
    pub fn replay<'r>(&mut self, requests: &'r [Request]) -> Result<Vec<&'r Request>> {
        let mut open = Vec::new();
        for request in requests {
            match self.replies.get(&request.id).map(str::to_owned) {
                Some(reply) => {
                    self.tally.replayed += 1;
                    self.keep(request, &reply, true)?;
                }
                None => open.push(request),
            }
        }
        Ok(open)
    }

    /// Asks `requests` on `threads` threads; ends early at the budget, on Ctrl-C, and on failures
    /// that all requests would share ([`Tally::fatal`]). Replies on their way are waited for.
    ///
    /// # Errors
    /// `Io` when something cannot be written.
    pub fn ask(
        &mut self,
        requests: &[&Request],
        threads: usize,
        client: &Client,
        pace: &Pace,
        budget: &Budget,
    ) -> Result<()> {
        let bar = bar(requests.len());
        let next = AtomicUsize::new(0);
        let answers = std::thread::scope(|scope| {
            let (sender, answers) = mpsc::channel();
            for _ in 0..threads.min(requests.len()) {
                let (sender, next) = (sender.clone(), &next);
                scope.spawn(move || {
                    while let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let answer = client.ask(&request.body);
                        let stopped = matches!(answer, Answer::Stopped);
                        // A closed channel means that nothing can be written any more.
                        if sender.send((*request, answer)).is_err() || stopped {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let collected = self.collect(&answers, pace, budget, &bar);
            pace.halt();
            collected
        });
        bar.finish_and_clear();
        answers
    }

    fn collect(
        &mut self,
        answers: &Receiver<(&Request, Answer)>,
        pace: &Pace,
        budget: &Budget,
        bar: &ProgressBar,
    ) -> Result<()> {
        let mut told = false;
        loop {
            match answers.recv_timeout(LOOK) {
                Ok((request, answer)) => self.answered(request, answer)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if pace.interrupted() && !std::mem::replace(&mut told, true) {
                bar.suspend(|| eprintln!("stopping once the replies on their way are here ..."));
            }
            let (tally, used) = (&self.tally, budget.used());
            bar.set_position((tally.asked + tally.failed) as u64);
            let (kept, dropped) = (tally.kept, tally.dropped());
            bar.set_message(format!(
                "{kept} rows kept, {dropped} dropped, {used} tokens"
            ));
        }
    }

    fn answered(&mut self, request: &Request, answer: Answer) -> Result<()> {
        match answer {
            Answer::Text(reply) => {
                self.tally.asked += 1;
                // The reply first: it is paid for, and rows can be made of it again.
                self.replies.insert(&request.id, &self.source, &reply)?;
                self.keep(request, &reply, false)?;
            }
            Answer::Failed(error) => {
                self.tally.failed += 1;
                self.tally.failure = Some(error);
            }
            Answer::Fatal(error) => {
                self.tally.fatal.get_or_insert(error);
            }
            Answer::Stopped => {}
        }
        Ok(())
    }

    /// Writes the good and new items of a reply.
    fn keep(&mut self, request: &Request, reply: &str, replayed: bool) -> Result<()> {
        let metric = &request.metric;
        let mut good = Vec::new();
        for item in request.demand().items(reply) {
            match item {
                Ok(item) if replayed && self.seen.has(&metric.name, &item) => {
                    self.tally.present += 1
                }
                Ok(item) => good.push(item),
                Err(reason) => self.drop(reason),
            }
        }
        let code = &request.language.code;
        for item in self.seen.admit(&metric.name, code, &request.shots, good) {
            match item {
                Ok(item) => self.write(request, &item)?,
                Err(reason) => self.drop(reason),
            }
        }
        Ok(())
    }

    fn drop(&mut self, reason: Reason) {
        *self.tally.dropped.entry(reason).or_default() += 1;
    }

    fn write(&mut self, request: &Request, item: &Item) -> Result<()> {
        self.output.append(&Record {
            source: &self.source,
            metric_name: &request.metric.name,
            metric_description: &request.metric.definition,
            system_prompt: item.system.as_deref(),
            user_prompt: &item.user,
            response: &item.response,
            language: &request.language.code,
            score: item.score,
            reason: &item.reason,
        })?;
        self.tally.kept += 1;
        Ok(())
    }
}

/// The bodies of requests, for estimates.
pub fn bodies<'a>(requests: &'a [&'a Request]) -> impl Iterator<Item = &'a Value> {
    requests.iter().map(|request| &request.body)
}

fn bar(requests: usize) -> ProgressBar {
    let template = "asking {wide_bar} {pos}/{len} requests, {msg}, {eta} left";
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(requests as u64).with_style(style)
}
