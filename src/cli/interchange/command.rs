//! `touchstone import`: judgements made in another tool, as rows to train on and to evaluate with.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::super::label_studio;
use super::super::output::Unfinished;
use super::{Scale, argilla};
use crate::error::{Error, ErrorKind, Result};

/// Tools whose exports are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Tool {
    /// Argilla 2: JSON of `dataset.records(with_responses=True).to_list(flatten=True)`.
    Argilla,
    /// Label Studio: an export in the form JSON. Its rows are added to those that OUTPUT has.
    LabelStudio,
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
    /// linearly to 0-10. Scores of Label Studio are taken as they are.
    #[arg(long, value_name = "WORST-BEST", allow_hyphen_values = true)]
    #[arg(required_if_eq("from", "argilla"))]
    scale: Option<Scale>,
    /// The question, or Label Studio's control, whose answers are the scores; needed where the
    /// export has several.
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
    match (args.from, args.scale) {
        (Tool::Argilla, Some(scale)) => run_argilla(args, scale),
        (Tool::LabelStudio, None) => run_label_studio(args),
        (Tool::Argilla, None) => Err(Error::new(ErrorKind::Input, "--scale is missing")),
        (Tool::LabelStudio, Some(_)) => {
            let message =
                "--scale: scores of Label Studio go from 0 to 10 and are taken as they are";
            Err(Error::new(ErrorKind::Input, message))
        }
    }
}

fn run_label_studio(args: &ImportArgs) -> Result<()> {
    let open = label_studio::Open {
        control: args.question.clone(),
        metric: args.metric.clone(),
        definition: args.definition.clone(),
        system: args.system.clone(),
        prompt: args.prompt.clone(),
        response: args.response.clone(),
    };
    let done = label_studio::import_file(&args.file, open, &args.output)?;
    let (counts, output) = (done.counts, args.output.display());
    eprintln!(
        "{output}: {} rows added, {} changed; {} annotations left out (skipped, without a score, \
         or copies of predictions)",
        counts.added, counts.changed, done.unjudged
    );
    Ok(())
}

fn run_argilla(args: &ImportArgs, scale: Scale) -> Result<()> {
    let options = argilla::Options {
        question: args.question.clone(),
        scale,
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
    let written = found.rows.len();
    eprintln!("judged rows in {}: {written}", args.output.display());
    if found.unjudged + found.left_out > 0 {
        eprintln!(
            "left out: {} records without a submitted answer, {} answers that were discarded, drafts or empty",
            found.unjudged, found.left_out
        );
    }
    Ok(())
}
