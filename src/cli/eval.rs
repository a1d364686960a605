//! `touchstone eval`: predictions beside the judge's scores.

use std::collections::HashSet;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::args::RunArgs;
use super::rows::{self, Options, Row};
use super::{model, pairs, score};
use crate::bundle::{Bundle, HEADS};
use crate::error::{Error, ErrorKind, Result};
use crate::evaluate::{Case, Evaluation};
use crate::heads::{TRAINING_PROMPTS, prompt_hash};
use crate::scorer::Scorer;

/// Arguments of `touchstone eval`.
#[derive(Args)]
pub struct EvalArgs {
    /// CSV, JSON, JSON lines (also .gz) or Parquet with scores.
    file: PathBuf,
    /// The file holds pairs (JSON lines with metric_name, user_prompt, good, bad): how often does
    /// the better answer score higher?
    #[arg(long)]
    pairs: bool,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    run: RunArgs,
}

/// Runs the command.
pub fn run(args: &EvalArgs) -> Result<()> {
    if args.pairs {
        let bundle = model::open(&args.run.bundle)?;
        let scorer = model::load(bundle, &args.run)?;
        return pairs::run(&args.file, &scorer, args.json);
    }
    let found = rows::read(&args.file, &Options::JUDGED)?;
    if let Some(summary) = found.skipped_summary() {
        eprintln!("{summary}");
    }
    let mut bundle = model::open(&args.run.bundle)?;
    let seen = training_prompts(&mut bundle)?;
    let scorer = model::load(bundle, &args.run)?;
    let judged = judge(&scorer, &found.rows)?;
    let (seen, unseen): (Vec<_>, Vec<_>) = judged
        .iter()
        .partition(|(row, _)| seen.contains(&prompt_hash(&row.user)));
    let unseen = evaluation(&unseen)?;
    let seen = evaluation(&seen)?;
    if args.json {
        let all = evaluation(&judged.iter().collect::<Vec<_>>())?;
        let whole = json!({ "unseen": unseen, "seen": seen, "all": all });
        return super::print(format!("{whole:#}"));
    }
    print("prompts not word for word in the training data", unseen)?;
    print("prompts SEEN in training: no evidence of quality", seen)
}

/// Scored rows; those that fail end the evaluation, since a figure over the rest would flatter.
fn judge<'a>(scorer: &Scorer, rows: &'a [Row]) -> Result<Vec<(&'a Row, Case)>> {
    let scores = score::score_rows(scorer, rows);
    let pairs = rows.iter().zip(scores);
    let cases = pairs.map(|(row, score)| {
        let score = score.map_err(|error| error.context(format!("row {}", row.number)))?;
        let case = Case {
            predicted: score.score,
            target: row.score.unwrap_or(f32::NAN),
            interval: score.interval,
        };
        Ok((row, case))
    });
    cases.collect()
}

fn evaluation(judged: &[&(&Row, Case)]) -> Result<Option<Evaluation>> {
    if judged.is_empty() {
        return Ok(None);
    }
    let cases: Vec<Case> = judged.iter().map(|(_, case)| *case).collect();
    let label = |field: fn(&Row) -> Option<&str>| -> Vec<&str> {
        judged
            .iter()
            .map(|(row, _)| field(row).unwrap_or("-"))
            .collect()
    };
    let sources = label(|row| row.source.as_deref());
    let languages = label(|row| row.language.as_deref());
    Evaluation::new(&cases, &sources, &languages).map(Some)
}

fn print(title: &str, evaluation: Option<Evaluation>) -> Result<()> {
    super::print(match evaluation {
        Some(evaluation) => evaluation.table(title).to_string(),
        None => format!("{title}: no rows\n"),
    })
}

/// Hashes of the prompts the heads were trained on.
fn training_prompts(bundle: &mut Bundle) -> Result<HashSet<u64>> {
    let bytes = bundle.peek(HEADS)?;
    let tensors = safetensors::SafeTensors::deserialize(bytes)
        .map_err(|error| Error::new(ErrorKind::Format, format!("{HEADS}: {error}")))?;
    let view = tensors.tensor(TRAINING_PROMPTS).ok();
    let view = view
        .filter(|view| view.dtype() == safetensors::Dtype::U64)
        .ok_or_else(|| {
            let message = format!("{HEADS} does not say which prompts it was trained on");
            Error::new(ErrorKind::Format, message)
        })?;
    let hashes = view.data().chunks_exact(8);
    Ok(hashes
        .map(|bytes| u64::from_le_bytes(bytes.try_into().expect("8 bytes")))
        .collect())
}
