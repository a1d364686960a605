//! `touchstone compare-encoders`: the same heads on several encoders, with the same folds.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::TrainArgs;
use super::bootstrap::{self, Estimate};
use super::dataset::{self, Dataset, Rows};
use super::evaluation::{self, FileReport};
use super::out_of_fold::{Division, OutOfFold};
use crate::bundle::{Bundle, ENCODER, MANIFEST};
use crate::cli::pack::PackOptions;
use crate::cli::progress::over_batches;
use crate::cli::{block_on, fetch, model, pack, print};
use crate::encoder::Execution;
use crate::error::{Error, ErrorKind, Result};
use crate::scorer::{BATCH_TOKENS, Embedder, Unpaused, batches};
use crate::text::Template;
use crate::tokenizer::Passage;

/// Answers encoded to measure the speed.
const TIMED: usize = 64;

/// Arguments of `touchstone compare-encoders`.
#[derive(Args)]
pub struct CompareArgs {
    /// A bundle, a checkpoint folder or the NAME of a fetched encoder; once for each. When none is
    /// named, the default encoder and every fetched one.
    #[arg(long = "encoder", value_name = "DIR|NAME")]
    encoders: Vec<PathBuf>,
    /// Print the results as JSON.
    #[arg(long)]
    json: bool,
    /// What is trained on each.
    #[command(flatten)]
    train: TrainArgs,
}

/// One encoder's results.
#[derive(Serialize)]
struct Compared {
    name: String,
    /// Bytes of the encoder's weights as they are stored.
    bytes: u64,
    width: usize,
    layers: usize,
    /// Whole machine, the encoder alone, one run.
    tokens_per_second: f64,
    answers_per_second: f64,
    files: Vec<FileReport>,
    /// By file: mean squared error of the first encoder less this one's; above zero is better.
    over_first: Vec<Option<Estimate>>,
    #[serde(skip)]
    errors: Vec<Option<f64>>,
}

/// Runs the command.
///
/// # Errors
/// `Input` for options that do not belong here, and what packing and training fail with.
pub fn run(args: &CompareArgs) -> Result<()> {
    args.check()?;
    let mut division = None;
    let mut all: Vec<Compared> = Vec::new();
    for named in args.encoders()? {
        let bundle = bundle_of(named.as_deref())?;
        eprintln!("{}", bundle.manifest.name);
        let first = all.first().map(|first| first.errors.as_slice());
        let compared = compare(bundle, &args.train, &mut division, first)?;
        all.push(compared);
    }
    if args.json {
        let json = serde_json::to_string_pretty(&all);
        return print(json.map_err(|e| Error::new(ErrorKind::Format, e.to_string()))?);
    }
    print(table(&all))
}

impl CompareArgs {
    fn check(&self) -> Result<()> {
        let train = &self.train;
        train.check()?;
        let misplaced = train.output.is_some()
            || train.bundle.bundle.is_some()
            || train.challenge
            || train.tune.tune_encoder
            || train.folds == 0;
        if misplaced {
            let message = "compare-encoders writes nothing and takes its encoders by --encoder: \
                           --output, --bundle, --challenge, --tune-encoder and --folds 0 do not \
                           belong to it";
            return Err(Error::new(ErrorKind::Input, message));
        }
        Ok(())
    }

    /// Bundles and checkpoints; none stands for the default model.
    fn encoders(&self) -> Result<Vec<Option<PathBuf>>> {
        if !self.encoders.is_empty() {
            return Ok(self.encoders.iter().cloned().map(Some).collect());
        }
        let fetched = fetch::fetched()?.into_iter();
        let fetched = fetched.filter(|cached| cached.commit.is_some());
        let fetched = fetched.map(|cached| Some(cached.folder));
        Ok(std::iter::once(None).chain(fetched).collect())
    }
}

/// The bundle `named`, or one packed into the cache from the checkpoint `named`.
fn bundle_of(named: Option<&Path>) -> Result<Bundle> {
    let Some(named) = named else {
        return model::built_in();
    };
    if named.join(MANIFEST).exists() {
        return model::read_bundle(named);
    }
    let checkpoint = fetch::checkpoint(named)?;
    let absolute = checkpoint.canonicalize().unwrap_or(checkpoint.clone());
    let id = crate::bundle::sha256(absolute.to_string_lossy().as_bytes());
    let folder = model::cache_folder()?.join("packed").join(&id[..16]);
    pack::pack(&checkpoint, &PackOptions::default(), &folder)?;
    model::read_bundle(&folder)
}

fn compare(
    mut bundle: Bundle,
    args: &TrainArgs,
    division: &mut Option<Division>,
    first: Option<&[Option<f64>]>,
) -> Result<Compared> {
    let info = bundle.manifest.encoder.clone();
    let entry = bundle.manifest.files[ENCODER].clone();
    let embedder = Embedder::load(&mut bundle, &Execution::Fused)?;
    let given = args.given()?;
    let rows = dataset::read(&args.files, args.sample, given.as_ref())?;
    let template = args.template(&info)?;
    let (tokens_per_second, answers_per_second) = speed(&embedder, &rows, &template)?;
    let data = Dataset::encode(rows, &embedder, &template, &entry.sha256, given.as_ref())?;
    let division = match division {
        Some(division) => division,
        // The folds of the first encoder, whose vectors find translated prompts, are everyone's.
        None => division.insert(Division::new(&data, args)?),
    };
    let config = args.members.config(data.width(), data.metrics.width())?;
    let held = OutOfFold::new(&data, division, &config, args)?;
    let report = evaluation::evaluate(&data, division, &held, &config, None)?;
    let errors = squared_errors(&data, &held);
    Ok(Compared {
        name: info.name.clone(),
        bytes: entry.bytes,
        width: info.width(),
        layers: info.config.layers(),
        tokens_per_second,
        answers_per_second,
        over_first: over_first(&data, division, first, &errors),
        files: report.files,
        errors,
    })
}

/// Tokens and answers a second of the whole machine, on the first answers, nothing cached.
fn speed(embedder: &Embedder, rows: &Rows, template: &Template) -> Result<(f64, f64)> {
    let answers = rows.examples.iter().take(TIMED);
    let passages = answers.map(|example| {
        let text = &example.row.response;
        embedder.tokenizer.passage(text, template)
    });
    let passages: Vec<Passage> = passages.collect::<Result<_>>()?;
    let costs: Vec<usize> = passages.iter().map(Passage::len).collect();
    let work = |batch: &[usize]| {
        let batch: Vec<&Passage> = batch.iter().map(|&index| &passages[index]).collect();
        block_on(embedder.pool(&batch, &Unpaused)).map(|_| ())
    };
    let start = Instant::now();
    over_batches(&batches(&costs, BATCH_TOKENS), work, |_, done| done)?;
    let seconds = start.elapsed().as_secs_f64().max(1e-9);
    let tokens = costs.iter().sum::<usize>() as f64;
    Ok((tokens / seconds, passages.len() as f64 / seconds))
}

/// Of each held-out item; none for made ones.
fn squared_errors(data: &Dataset, held: &OutOfFold) -> Vec<Option<f64>> {
    let items = held.verdicts.iter().zip(&data.items);
    items
        .map(|(verdict, item)| {
            let error = verdict.as_ref()?.raw.score - item.target;
            Some(f64::from(error * error))
        })
        .collect()
}

/// By file, how much smaller the squared error is than the first encoder's on the same rows.
fn over_first(
    data: &Dataset,
    division: &Division,
    first: Option<&[Option<f64>]>,
    errors: &[Option<f64>],
) -> Vec<Option<Estimate>> {
    let Some(first) = first else {
        return vec![None; data.rows.files.len()];
    };
    let of_file = |file: usize| {
        let items = (0..errors.len()).filter(|&item| data.example(item).file == file);
        let gains = items.filter_map(|item| Some((first[item]? - errors[item]?, item)));
        let (gains, items): (Vec<f64>, Vec<usize>) = gains.unzip();
        let groups: Vec<usize> = items.iter().map(|&item| division.groups[item]).collect();
        bootstrap::mean(&gains, &groups)
    };
    (0..data.rows.files.len()).map(of_file).collect()
}

fn table(all: &[Compared]) -> String {
    let mut lines = vec![format!(
        "{:<48} {:>8} {:>6} {:>6} {:>9} {:>10}",
        "encoder", "MB", "layers", "width", "tokens/s", "answers/s"
    )];
    for one in all {
        lines.push(format!(
            "{:<48} {:>8.1} {:>6} {:>6} {:>9.0} {:>10.1}",
            one.name,
            one.bytes as f64 / 1e6,
            one.layers,
            one.width,
            one.tokens_per_second,
            one.answers_per_second
        ));
    }
    let files = all.first().map_or(0, |first| first.files.len());
    (0..files).for_each(|file| lines.extend(file_lines(all, file)));
    lines.push(
        "gain: mean squared error of the first encoder less this one's, with its 95 % interval by \
         resampling prompts; above zero is better"
            .into(),
    );
    lines.join("\n")
}

fn file_lines(all: &[Compared], file: usize) -> Vec<String> {
    let number = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.3}"));
    let first = &all[0].files[file];
    let mut lines = vec![format!(
        "\n{:<48} {:>6} {:>8} {:>7} {:>8} {:>9}  {}",
        format!("{} ({} rows)", first.file, first.rows),
        "rmse",
        "constant",
        "r2",
        "ridge r2",
        "spearman",
        "gain"
    )];
    for one in all {
        let file_report = &one.files[file];
        let line = |name: &str| file_report.lines.iter().find(|line| line.name == name);
        let Some(ensemble) = line("ensemble") else {
            continue;
        };
        let gain = one.over_first[file].map_or(String::new(), |gain| {
            format!("{:+.2} [{:+.2}, {:+.2}]", gain.mean, gain.low, gain.high)
        });
        lines.push(format!(
            "{:<48} {:>6.2} {:>8.2} {:>7} {:>8} {:>9}  {gain}",
            one.name,
            ensemble.fit.rmse,
            ensemble.fit.constant_rmse,
            number(ensemble.fit.r2),
            number(line("ridge").and_then(|line| line.fit.r2)),
            number(ensemble.fit.spearman),
        ));
    }
    lines
}
