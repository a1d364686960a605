//! `touchstone import`: judgements made in another tool, as rows to train on and to evaluate with.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::super::output::Unfinished;
use super::{Scale, argilla};
use crate::error::Result;

/// Tools whose exports are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Tool {
    /// Argilla 2: JSON of `dataset.records(with_responses=True).to_list(flatten=True)`.
    Argilla,
}

/// Arguments of `touchstone import`.
#[derive(Args)]
pub struct ImportArgs {
    /// The export (also .gz).
    file: PathBuf,
    /// The tool it comes from.
    #[arg(long, value_enum)]
    from: Tool,
    /// JSON lines to write: rows for `touchstone train`, `eval` and `report`.
    #[arg(long, short)]
    output: PathBuf,
    /// The scale of the judgements, worst to best: 0-10, 1-5, 5-1 where 1 is the best. It is mapped
    /// linearly to 0-10.
    #[arg(long, value_name = "WORST-BEST", allow_hyphen_values = true)]
    scale: Scale,
    /// The question whose answers are the scores; needed where the export has several.
    #[arg(long)]
    question: Option<String>,
    /// The metric of records that name none.
    #[arg(long)]
    metric: Option<String>,
    /// What that metric measures, if it is your own.
    #[arg(long, requires = "metric")]
    definition: Option<String>,
    /// The field that holds the prompt, if it is not user_prompt, user or prompt.
    #[arg(long, value_name = "FIELD")]
    prompt: Option<String>,
    /// The field that holds the answer, if it is not response or answer.
    #[arg(long, value_name = "FIELD")]
    response: Option<String>,
    /// The field that holds the system prompt, if it is not system_prompt or system.
    #[arg(long, value_name = "FIELD")]
    system: Option<String>,
    /// Take answers of which the export does not say whether they were submitted or discarded.
    #[arg(long)]
    accept_unknown_status: bool,
}

/// Runs the command.
pub fn run(args: &ImportArgs) -> Result<()> {
    let Tool::Argilla = args.from;
    let options = argilla::Options {
        question: args.question.clone(),
        scale: args.scale,
        metric: args.metric.clone(),
        definition: args.definition.clone(),
        prompt: args.prompt.clone(),
        response: args.response.clone(),
        system: args.system.clone(),
        accept_unknown_status: args.accept_unknown_status,
    };
    let bytes = super::super::read(&args.file)?;
    let found = argilla::import(bytes, &args.file, &options)
        .map_err(|error| error.context(args.file.display()))?;
    let text: String = found.rows.iter().map(|row| format!("{row}\n")).collect();
    let mut output = Unfinished::create(&args.output)?;
    output.write(&text)?;
    output.finish()?;
    eprintln!(
        "wrote {} judged rows to {}",
        found.rows.len(),
        args.output.display()
    );
    if found.unjudged + found.left_out > 0 {
        eprintln!(
            "left out: {} records without a submitted answer, {} answers that were discarded, drafts or empty",
            found.unjudged, found.left_out
        );
    }
    Ok(())
}
