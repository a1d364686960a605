//! `touchstone score`: one answer to standard output, or a file to a file.

use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::ProgressBar;

use super::args::RunArgs;
use super::interchange::Format;
use super::output::{Unfinished, Writer};
use super::progress::{bar, batches, over_batches};
use super::rows::{self, Options, Row, Rows};
use super::{block_on, model};
use crate::error::{Error, ErrorKind, Result};
use crate::metric::Metric;
use crate::scorer::{BATCH_TOKENS, Pause, Score, Scorer, Unpaused};
use crate::text::{Segment, Task};

/// Arguments of `touchstone score`.
#[derive(Args)]
pub struct ScoreArgs {
    /// CSV, JSON, JSON lines (also .gz) or Parquet to score; without, the answer comes from the options.
    #[arg(requires = "output", conflicts_with_all = ["metric", "user", "response", "system", "definition"])]
    file: Option<PathBuf>,
    /// Where the scored file goes: CSV or JSON lines, by its name or else as FILE is.
    #[arg(long, short, requires = "file")]
    output: Option<PathBuf>,
    /// Write what another tool reads instead.
    #[arg(long, value_enum, requires = "file")]
    format: Option<Format>,
    /// Name of a metric, or of your own with --definition.
    #[arg(long, required_unless_present_any = ["file", "profile"])]
    metric: Option<String>,
    /// What your own metric measures; say what a 10 and a 0 look like.
    #[arg(long)]
    definition: Option<String>,
    /// System prompt.
    #[arg(long)]
    system: Option<String>,
    /// User prompt.
    #[arg(long, required_unless_present = "file")]
    user: Option<String>,
    /// The answer to score.
    #[arg(long, required_unless_present = "file")]
    response: Option<String>,
    /// Print what each sentence of a text does to the score: of the response (the default), user or system prompt.
    #[arg(long, value_name = "TEXT", num_args = 0..=1, require_equals = true, default_missing_value = "response")]
    #[arg(conflicts_with_all = ["file", "profile"])]
    explain: Option<Segment>,
    /// Print the scores on every metric, and on your own if one is given with --definition.
    #[arg(long, conflicts_with = "file")]
    profile: bool,
    #[command(flatten)]
    run: RunArgs,
}

/// Runs the command.
pub fn run(args: &ScoreArgs) -> Result<()> {
    match (&args.file, &args.output) {
        (Some(file), Some(output)) => score_file(args, file, output),
        _ => score_one(args),
    }
}

fn score_one(args: &ScoreArgs) -> Result<()> {
    let task = Task {
        metric: args.metric.clone().unwrap_or_default(),
        definition: args.definition.clone(),
        system: args.system.clone(),
        user: args.user.clone().unwrap_or_default(),
        response: args.response.clone().unwrap_or_default(),
    };
    // What is wrong with the task is said before any model is set up; a bundle of one's own may
    // know other metrics.
    task.validate()?;
    if args.run.bundle.bundle.is_none() && args.metric.is_some() {
        Metric::of_task(&task)?;
    }
    let scorer = model::scorer(&args.run)?;
    match args.explain {
        Some(part) => print_json(&block_on(scorer.explain(&task, part, &Unpaused))?),
        None if args.profile => {
            let own = own_metric(&task)?;
            print_json(&block_on(scorer.profile(&task, &own, &Unpaused))?)
        }
        None => print_json(&block_on(scorer.score(&task, &Unpaused))?),
    }
}

/// The metric in one's own words that comes with `task`, if there is one.
fn own_metric(task: &Task) -> Result<Vec<Metric>> {
    match task.definition {
        Some(_) => Ok(vec![Metric::of_task(task)?]),
        None => Ok(Vec::new()),
    }
}

fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let json = serde_json::to_string_pretty(value)
        .map_err(|error| Error::new(ErrorKind::Format, error.to_string()))?;
    super::print(json)
}

/// The file that Scores go to.
enum Target {
    Rows(Writer),
    Tool(Format, Unfinished),
}

impl Target {
    fn create(format: Option<Format>, output: &Path, found: &Rows) -> Result<Self> {
        match format {
            None => Writer::create(output, found.form, &found.header).map(Self::Rows),
            Some(format) => {
                format.check(&found.rows)?;
                Ok(Self::Tool(format, Unfinished::create(output)?))
            }
        }
    }

    fn write(self, rows: &[Row], scores: &[Result<Score>], source: &Path) -> Result<()> {
        match self {
            Self::Rows(mut writer) => {
                for (row, score) in rows.iter().zip(scores) {
                    writer.write(row, score.as_ref())?;
                }
                writer.finish()
            }
            Self::Tool(format, mut file) => {
                file.write(&format.text(rows, scores, source)?)?;
                file.finish()
            }
        }
    }
}

fn score_file(args: &ScoreArgs, file: &Path, output: &Path) -> Result<()> {
    let found = rows::read(file, &Options::SCORING)?;
    if let Some(summary) = found.skipped_summary() {
        eprintln!("{summary}");
    }
    // What the rows lack for a tool's form, or the folder for the file, is said before the scoring.
    let target = Target::create(args.format, output, &found)?;
    let scorer = model::scorer(&args.run)?;
    let scores = score_rows(&scorer, &found.rows);
    let failed = scores.iter().filter(|score| score.is_err()).count();
    target.write(&found.rows, &scores, file)?;
    eprintln!(
        "scored {} rows into {}",
        scores.len() - failed,
        output.display()
    );
    if failed == 0 {
        return Ok(());
    }
    let first = found.rows.iter().zip(&scores).find_map(|(row, score)| {
        let error = score.as_ref().err()?;
        Some(format!("row {}: {error}", row.number))
    });
    let message = format!(
        "{failed} of {} rows could not be scored ({}); the first, {}",
        scores.len(),
        args.format
            .map_or("see predicted_error", |_| "they are left out"),
        first.unwrap_or_default()
    );
    Err(Error::new(ErrorKind::Data, message))
}

/// Scores rows with a progress bar; in the order of the rows.
pub(super) fn score_rows(scorer: &Scorer, rows: &[Row]) -> Vec<Result<Score>> {
    let tasks: Vec<Task> = rows.iter().map(Row::task).collect();
    let bar = bar("scoring", tasks.len() as u64, "rows");
    let scores = score_tasks(scorer, &tasks, &Unpaused, &bar);
    bar.finish_and_clear();
    scores
}

/// Scores tasks in batches of like length over all cores; in the order of the tasks. Those that
/// `pause` keeps from being scored have its error.
pub(super) fn score_tasks(
    scorer: &Scorer,
    tasks: &[Task],
    pause: &(impl Pause + Sync),
    bar: &ProgressBar,
) -> Vec<Result<Score>> {
    let tokens = |task| {
        block_on(pause.pause())?;
        scorer.tokens(task)
    };
    let tokens: Vec<Result<usize>> = tasks.iter().map(tokens).collect();
    let good: Vec<usize> = (0..tasks.len())
        .filter(|&index| tokens[index].is_ok())
        .collect();
    let costs: Vec<usize> = good
        .iter()
        .filter_map(|&i| tokens[i].as_ref().ok().copied())
        .collect();
    bar.inc((tasks.len() - good.len()) as u64);
    let mut scores: Vec<Result<Score>> = tokens
        .into_iter()
        .map(|tokens| Err(tokens.err().unwrap_or_else(not_scored)))
        .collect();
    let batches: Vec<Vec<usize>> = batches(&costs, BATCH_TOKENS)
        .into_iter()
        .map(|batch| batch.into_iter().map(|index| good[index]).collect())
        .collect();
    let work = |batch: &[usize]| {
        let tasks: Vec<Task> = batch.iter().map(|&index| tasks[index].clone()).collect();
        block_on(scorer.score_batch(&tasks, pause))
    };
    let done = |batch: &[usize], found: Result<Vec<Result<Score>>>| {
        match found {
            Ok(found) => batch
                .iter()
                .zip(found)
                .for_each(|(&i, score)| scores[i] = score),
            Err(error) => batch.iter().for_each(|&i| scores[i] = Err(error.clone())),
        }
        bar.inc(batch.len() as u64);
        Ok::<(), Error>(())
    };
    // `done` never fails: a batch's error is its rows' error.
    let _ = over_batches(&batches, work, done);
    scores
}

fn not_scored() -> Error {
    Error::new(ErrorKind::Device, "the row was not reached")
}
