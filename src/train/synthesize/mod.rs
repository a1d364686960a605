//! Examples from a language model: `touchstone synthesize`.
//!
//! For each metric and language an OpenAI-compatible server is asked for answers that deserve
//! given scores. This is the one command that sends texts to another machine. What comes back is
//! checked, and every row keeps the source `synthetic:llm/<model>`.

mod client;
mod endpoint;
mod language;
mod pace;
mod plan;
mod prompt;
mod reply;
mod seen;
mod store;
#[cfg(test)]
mod tests;
mod work;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Args;

use super::interrupt;
use crate::cli::rows::{self, Row};
use crate::error::{Error, ErrorKind, Result};
use client::{Client, estimate};
use endpoint::{Address, KEY, Key};
use language::Language;
use pace::{Budget, Clock, Pace, SystemClock};
use plan::{Request, Wanted};
use work::{Tally, Work, bodies};

/// Stands for the model in a dry run that names none.
const NO_MODEL: &str = "no model named";

/// Arguments of `touchstone synthesize`.
#[derive(Args, Clone, Debug)]
pub struct SynthesizeArgs {
    /// Scored rows that show the model what is wanted: CSV, JSON or JSON lines, also .gz. Up to
    /// --shots of them are SENT with each request.
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    examples: Vec<PathBuf>,
    /// JSON lines to write or to go on with; the model's replies are kept beside it in OUT.replies.
    #[arg(long, short, value_name = "OUT")]
    output: PathBuf,
    /// Metrics: names of the catalogue or of metrics that an example describes, or `all`.
    #[arg(long, value_delimiter = ',', value_name = "NAME,...")]
    metrics: Vec<String>,
    /// Metrics of your own, all those in this file: CSV, JSON or JSON lines with metric_name and
    /// metric_description.
    #[arg(long, value_name = "FILE")]
    own: Option<PathBuf>,
    /// Languages of the prompts, each for every metric.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "en,hi,bn,ta",
        value_name = "CODE,..."
    )]
    languages: Vec<String>,
    /// Scores that the items should deserve, in turn.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "0,2,5,8,10",
        value_name = "SCORE,..."
    )]
    scores: Vec<f32>,
    /// Items wanted of each metric in each language; raise it later to ask for more.
    #[arg(long, default_value_t = 5)]
    items: usize,
    /// Items of one request.
    #[arg(long, default_value_t = 5)]
    per_request: usize,
    /// Examples shown in one request.
    #[arg(long, default_value_t = 4)]
    shots: usize,
    /// Address of an OpenAI-compatible server, such as https://host/v1.
    #[arg(long, env = "TOUCHSTONE_LLM_URL")]
    url: Option<String>,
    /// The model's name, as the server has it.
    #[arg(long, env = "TOUCHSTONE_LLM_MODEL")]
    model: Option<String>,
    /// File with the server's key; else the environment variable TOUCHSTONE_LLM_KEY holds it.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Do not ask for JSON by `response_format`, which some servers refuse.
    #[arg(long)]
    no_json_mode: bool,
    /// Fields to add to every request, as JSON: '{"temperature": 0.8, "max_tokens": 4000}'.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    extra: String,
    /// Seconds that one request may take.
    #[arg(long, default_value_t = 60.0, value_name = "SECONDS")]
    timeout: f64,
    /// How often a request is repeated after a timeout, a lost connection, 429 or 5xx.
    #[arg(long, default_value_t = 4)]
    retries: u32,
    /// Requests begun a minute, at most.
    #[arg(long, default_value_t = 60.0, value_name = "NUMBER")]
    requests_per_minute: f64,
    /// Requests on their way at the same time.
    #[arg(long, default_value_t = 2)]
    concurrency: usize,
    /// Stop after so many requests of this run, repeated ones included.
    #[arg(long, value_name = "NUMBER")]
    max_requests: Option<usize>,
    /// Begin no further request once this run has used so many tokens, as the server counts them
    /// (estimated where it does not). Those on their way are still received.
    #[arg(long, value_name = "NUMBER")]
    max_tokens: Option<u64>,
    /// Seed of the choice of examples and subjects; another one asks everything anew.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Send without asking first.
    #[arg(long, short)]
    yes: bool,
    /// Print the first prompt and the number of requests; send nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Runs the command.
///
/// # Errors
/// `Input` for options that make no sense, without consent and when interrupted; `Metric` and
/// `Data` for what is in the files; `Network` when the server fails or refuses; `Io`.
pub fn run(args: &SynthesizeArgs) -> Result<()> {
    let key = std::env::var(KEY).ok();
    run_with(args, key, &SystemClock, interrupt::watch()).map(|_| ())
}

/// As [`run`], with what it takes from its surroundings.
fn run_with(
    args: &SynthesizeArgs,
    key: Option<String>,
    clock: &dyn Clock,
    interrupted: &AtomicBool,
) -> Result<Tally> {
    args.check()?;
    let examples = args.read_examples()?;
    let wanted = args.wanted(&examples)?;
    let requests = wanted.requests(&examples);
    if args.dry_run {
        return dry_run(&requests).map(|()| Tally::default());
    }
    let options = client::Options {
        address: args.address()?,
        key: Key::find(args.key_file.as_deref(), key)?,
        timeout: Duration::from_secs_f64(args.timeout),
        retries: args.retries,
    };
    let mut work = Work::open(&args.output, &wanted.model, &examples)?;
    let open = work.replay(&requests)?;
    let budget = Budget::new(args.max_requests, args.max_tokens);
    if !open.is_empty() {
        args.agree(&options.address, &wanted.model, &open)?;
        let pace = Pace::new(args.requests_per_minute, clock, interrupted);
        let client = Client::new(options, &pace, &budget);
        work.ask(&open, args.concurrency, &client, &pace, &budget)?;
    }
    summarise(args, &work.tally, &budget);
    let left = requests.len() - work.tally.replayed - work.tally.asked;
    finish(work.tally, left, &budget)
}

impl SynthesizeArgs {
    /// Refuses options that cannot work before anything is read.
    fn check(&self) -> Result<()> {
        let within = |score: &f32| (0.0..=10.0).contains(score);
        let minutes = self.requests_per_minute.is_finite() && self.requests_per_minute >= 0.01;
        // A day is more than any server keeps a connection.
        let rules = [
            (
                self.scores.iter().all(within),
                "--scores must be numbers from 0 to 10",
            ),
            (
                !self.languages.iter().any(|code| code.trim().is_empty()),
                "--languages holds an empty code",
            ),
            (self.items > 0, "--items must be above 0"),
            (
                (1..=50).contains(&self.per_request),
                "--per-request must be 1 to 50",
            ),
            (
                (1..=64).contains(&self.concurrency),
                "--concurrency must be 1 to 64",
            ),
            (minutes, "--requests-per-minute must be at least 0.01"),
            (
                (0.001..=86_400.0).contains(&self.timeout),
                "--timeout must be above 0 and at most 86400 seconds",
            ),
        ];
        match rules.into_iter().find(|(kept, _)| !kept) {
            Some((_, message)) => Err(input(message)),
            None => Ok(()),
        }
    }

    fn read_examples(&self) -> Result<Vec<Row>> {
        let mut examples = Vec::new();
        for path in &self.examples {
            let found = rows::read(path, &rows::Options::JUDGED)?;
            if let Some(summary) = found.skipped_summary() {
                eprintln!("{}: {summary}", path.display());
            }
            examples.extend(found.rows);
        }
        Ok(examples)
    }

    fn wanted(&self, examples: &[Row]) -> Result<Wanted> {
        let model = self.model.as_deref().map(str::trim);
        let model = model.filter(|model| !model.is_empty());
        if model.is_none() && !self.dry_run {
            return Err(input(
                "no model is named: give --model or set TOUCHSTONE_LLM_MODEL",
            ));
        }
        Ok(Wanted {
            metrics: plan::metrics(&self.metrics, self.own.as_deref(), examples)?,
            languages: self.distinct_languages(),
            scores: self.scores.clone(),
            items: self.items,
            per_request: self.per_request,
            shots: self.shots,
            seed: self.seed,
            model: model.unwrap_or(NO_MODEL).to_owned(),
            json_mode: !self.no_json_mode,
            extra: endpoint::extra(&self.extra)?,
        })
    }

    fn distinct_languages(&self) -> Vec<Language> {
        let mut languages: Vec<Language> = Vec::new();
        for language in self.languages.iter().map(|code| Language::of(code)) {
            if !languages.contains(&language) {
                languages.push(language);
            }
        }
        languages
    }

    fn address(&self) -> Result<Address> {
        let missing =
            || input("no server is named: give --url https://host/v1 or set TOUCHSTONE_LLM_URL");
        Address::parse(self.url.as_deref().ok_or_else(missing)?)
    }

    /// Says what leaves the machine, and asks whether it may.
    fn agree(&self, address: &Address, model: &str, open: &[&Request]) -> Result<()> {
        let files: Vec<String> = self
            .examples
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        eprintln!(
            "To be SENT to {} (model {model}): {} requests, each with a metric's definition and the \
             texts of up to {} rows of {}. The prompts alone are about {} tokens; the replies come \
             on top.",
            address.host,
            open.len(),
            self.shots,
            files.join(", "),
            estimate(bodies(open))
        );
        if self.yes || confirmed()? {
            return Ok(());
        }
        Err(input("nothing was sent: add --yes to send"))
    }
}

/// Whether a person at the terminal says yes; false where there is none.
fn confirmed() -> Result<bool> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Ok(false);
    }
    eprint!("Send? [y/N] ");
    let failed = |error| crate::cli::io("read", "the terminal".as_ref(), &error);
    std::io::stderr().flush().map_err(failed)?;
    let mut line = String::new();
    stdin.read_line(&mut line).map_err(failed)?;
    Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn dry_run(requests: &[Request]) -> Result<()> {
    let Some(first) = requests.first() else {
        return Ok(());
    };
    let (system, user) = (&first.messages.system, &first.messages.user);
    crate::cli::print(format!("[system]\n{system}\n\n[user]\n{user}\n"))?;
    let open: Vec<&Request> = requests.iter().collect();
    crate::cli::print(format!(
        "{} requests like this one, about {} tokens of prompts, replies not counted. Nothing was sent.",
        requests.len(),
        estimate(bodies(&open))
    ))
}

fn summarise(args: &SynthesizeArgs, tally: &Tally, budget: &Budget) {
    eprintln!(
        "{}: {} rows written, {} there already; {} requests sent, {} tokens; {} answered earlier",
        args.output.display(),
        tally.kept,
        tally.present,
        budget.sent(),
        budget.used(),
        tally.replayed
    );
    for (reason, count) in &tally.dropped {
        eprintln!("{count:>6} dropped: {reason}");
    }
}

/// Says how to go on where requests are left.
fn finish(tally: Tally, left: usize, budget: &Budget) -> Result<Tally> {
    let again = format!(
        "{left} requests are left. Everything so far is kept: the same command goes on from here"
    );
    match (&tally.fatal, &tally.failure) {
        (Some(error), _) => Err(Error::new(error.kind(), format!("{error}. {again}"))),
        _ if left == 0 => Ok(tally),
        _ if budget.refused() => {
            eprintln!("the budget of this run is used up (--max-requests, --max-tokens). {again}");
            Ok(tally)
        }
        (_, Some(error)) => {
            let message = format!(
                "{} requests failed, the last one: {error}. {again}",
                tally.failed
            );
            Err(Error::new(error.kind(), message))
        }
        _ => Err(input(format!("stopped. {again}"))),
    }
}

fn input(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Input, message)
}
