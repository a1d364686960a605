//! Training heads on judged rows: `touchstone train`.

pub mod augment;
pub mod balance;
mod batch;
mod bootstrap;
mod cache;
mod calibrate;
mod challenge;
pub mod chart;
mod checks;
pub mod compare;
mod dataset;
mod descent;
pub mod distill;
mod evaluation;
mod fit;
mod interrupt;
mod jobs;
mod loss;
mod members;
mod metrics;
mod mismatch;
mod out_of_fold;
mod random;
mod record;
pub mod report;
mod ridge;
mod ridge_baseline;
mod run_report;
mod split;
pub mod synthesize;
mod tune;
mod twins;
pub mod vectors;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::bundle::EncoderInfo;
use crate::cli::args::BundleArgs;
use crate::cli::model;
use crate::encoder::Execution;
use crate::error::{Error, ErrorKind, Result};
use crate::scorer::Embedder;
use crate::text::{Layout, Template};
use balance::BalanceArgs;
use dataset::Dataset;
use members::MemberArgs;
use mismatch::Recipe;
use out_of_fold::{Division, OutOfFold};
use tune::{TuneArgs, TuneRow, Tuner};
use vectors::MetricVectors;

/// Arguments of `touchstone train`, also the record of the run.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub struct TrainArgs {
    /// Judged files: CSV, JSON (the challenge's form too), JSON lines (also .gz) or Parquet. Results are
    /// per file: keep rows of your own making (source `authored`) in a file apart.
    #[arg(required = true)]
    #[serde(skip)]
    pub files: Vec<PathBuf>,
    /// Bundle whose encoder is used; the default encoder when left out.
    #[command(flatten)]
    #[serde(skip)]
    pub bundle: BundleArgs,
    /// Folder for the trained heads (heads.json, heads.safetensors).
    #[arg(long, short)]
    #[serde(skip)]
    pub output: Option<PathBuf>,
    /// Rows kept of each file, a fixed sample of whole prompts stratified by score; 0 keeps all.
    /// Rows of source `authored` are always kept.
    /// The default encodes in about 20 minutes on 2 cores; the result is cached.
    #[arg(long, default_value_t = 1500)]
    pub sample: usize,
    /// Tokens of one window; longer texts take several windows.
    #[arg(long, default_value_t = 256)]
    pub max_tokens: usize,
    /// Windows kept of one text.
    #[arg(long, default_value_t = 2)]
    pub max_windows: usize,
    /// Put before every text; when left out, what the encoder was trained with (`query: ` for the
    /// default one).
    #[arg(long)]
    pub prefix: Option<String>,
    /// Encode the texts apart, or joined in one pass.
    #[arg(long, default_value = "separate", value_parser = layout)]
    pub layout: Layout,
    /// Names of metrics that come with vectors of their own (a JSON list); see --metric-vectors.
    #[arg(long, requires = "metric_vectors", value_name = "JSON")]
    #[serde(skip)]
    pub metric_names: Option<PathBuf>,
    /// Vectors of those metrics (.npy, f32, one row a name), which then stand for the metrics in
    /// place of their texts.
    #[arg(long, requires = "metric_names", value_name = "NPY")]
    #[serde(skip)]
    pub metric_vectors: Option<PathBuf>,
    /// What to learn besides the rows: nothing, or the challenge's way.
    #[arg(long, value_enum, default_value = "default")]
    pub recipe: Recipe,
    /// Instead of training, run a protocol like the challenge's: what each part of the recipe is
    /// worth on a shifted, balanced test of prompts held out.
    #[arg(long, conflicts_with = "output")]
    #[serde(skip)]
    pub challenge: bool,
    /// The ensemble's members.
    #[command(flatten)]
    #[serde(flatten)]
    pub members: MemberArgs,
    /// The training loop.
    #[command(flatten)]
    #[serde(flatten)]
    pub fit: FitArgs,
    /// Tuning of the encoder.
    #[command(flatten)]
    #[serde(flatten)]
    pub tune: TuneArgs,
    /// Folds of the evaluation, grouped by prompt; 0 trains without evaluating.
    #[arg(long, default_value_t = 5)]
    pub folds: usize,
    /// What no fold shares with another: prompts, or families of metrics too, which measures
    /// metrics never seen.
    #[arg(long, value_enum, default_value = "prompt")]
    pub fold_by: FoldBy,
}

/// Arguments of the training loop.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub struct FitArgs {
    /// How rows are drawn and weighed.
    #[command(flatten)]
    #[serde(flatten)]
    pub balance: BalanceArgs,
    /// Share of rows whose metric's vector is replaced in a step, by another wording of the metric
    /// or by none.
    #[arg(long, default_value_t = 0.2)]
    pub metric_dropout: f32,
    /// Temperature of the contrastive loss.
    #[arg(long, default_value_t = 0.1)]
    pub temperature: f64,
    /// Every member sees all prompts; else each leaves an eighth of them out, by which the
    /// training is validated and stopped.
    #[arg(long)]
    pub no_bags: bool,
    /// Epochs without a better validation after which a group of members stops; 0 never stops.
    #[arg(long, default_value_t = 5)]
    pub patience: usize,
    /// Passes over the training rows, at most.
    #[arg(long, default_value_t = 9)]
    pub epochs: usize,
    /// Rows of one step.
    #[arg(long, default_value_t = 128)]
    pub batch: usize,
    /// Peak learning rate; it falls to zero along a cosine.
    #[arg(long, default_value_t = 5e-3)]
    pub learning_rate: f64,
    /// AdamW's weight decay.
    #[arg(long, default_value_t = 0.5)]
    pub weight_decay: f64,
    /// Seed of every random choice.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// What folds keep apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FoldBy {
    /// Prompts, with near copies and translations.
    Prompt,
    /// Prompts and families of metrics.
    Metric,
}

fn layout(text: &str) -> std::result::Result<Layout, String> {
    match text {
        "separate" => Ok(Layout::Separate),
        "joined" => Ok(Layout::Joined),
        _ => Err("expected separate or joined".into()),
    }
}

impl TrainArgs {
    /// How texts are fed to `encoder`; windows are no longer than it takes.
    fn template(&self, encoder: &EncoderInfo) -> Result<Template> {
        let max_tokens = self.max_tokens.min(encoder.max_tokens());
        Ok(Template {
            prefix: match &self.prefix {
                Some(prefix) => prefix.clone(),
                None => encoder.prefix()?.into(),
            },
            layout: self.layout,
            max_tokens,
            max_windows: self.max_windows,
            overlap: 32.min(max_tokens / 8),
        })
    }

    /// Refuses options that cannot work before anything is encoded.
    fn check(&self) -> Result<()> {
        self.members.config(1, 1)?;
        self.fit.balance.check()?;
        if self.fit.batch == 0 || self.fit.epochs == 0 || self.folds == 1 {
            let message = "--batch and --epochs must be above 0, and --folds 0 or at least 2";
            return Err(Error::new(ErrorKind::Input, message));
        }
        if self.tune.tune_encoder && self.output.is_none() {
            let message = "--tune-encoder writes an encoder: name a folder with --output";
            return Err(Error::new(ErrorKind::Input, message));
        }
        self.tune.check()?;
        let share = (0.0..1.0).contains(&self.fit.metric_dropout);
        if share && self.fit.temperature > 0.0 && self.fit.learning_rate > 0.0 {
            return Ok(());
        }
        let message = "--metric-dropout must be 0 or more and below 1, --temperature and \
                       --learning-rate above 0";
        Err(Error::new(ErrorKind::Input, message))
    }

    /// The metrics' given vectors, if there are any.
    fn given(&self) -> Result<Option<MetricVectors>> {
        match (&self.metric_names, &self.metric_vectors) {
            (Some(names), Some(vectors)) => MetricVectors::read(names, vectors).map(Some),
            _ => Ok(None),
        }
    }
}

/// Runs the command: encode (cached), evaluate out of fold, fit on everything, write the heads.
///
/// # Errors
/// `Data` for bad rows, `Input` for options that make no sense, and what encoding fails with.
pub fn run(args: &TrainArgs) -> Result<()> {
    args.check()?;
    let given = args.given()?;
    let mut bundle = model::open(&args.bundle)?;
    let embedder = Embedder::load(&mut bundle, &Execution::Fused)?;
    // Loading has proved that the entry is there.
    let mut encoder_sha256 = bundle.manifest.files[crate::bundle::ENCODER].sha256.clone();
    let rows = dataset::read(&args.files, args.sample, given.as_ref())?;
    let template = args.template(&bundle.manifest.encoder)?;
    let mut data = Dataset::encode(rows, &embedder, &template, &encoder_sha256, given.as_ref())?;
    data.summarise();
    checks::check(&data)?;
    if args.tune.tune_encoder {
        (data, encoder_sha256) = tune_encoder(args, data, given.as_ref())?;
    }
    mismatch::extend(&mut data, args.recipe, args.fit.seed);
    let config = args.members.config(data.width(), data.metrics.width())?;
    let mut division = Division::new(&data, args)?;
    if args.challenge {
        return crate::cli::print(challenge::run(&mut data, &mut division, args)?);
    }
    let (report, calibration) = match args.folds {
        0 => (evaluation::Report::default(), None),
        _ => {
            let held = OutOfFold::new(&data, &division, &config, args)?;
            let calibration = calibrate::calibrate(&data, &held);
            let report =
                evaluation::evaluate(&data, &division, &held, &config, calibration.as_ref())?;
            (report, calibration)
        }
    };
    crate::cli::print(&report.table)?;
    let Some(output) = &args.output else {
        eprintln!("no --output: the heads are not fitted or written");
        return Ok(());
    };
    let everything = vec![(0..data.len()).collect()];
    let label = "fitting on all rows";
    let fitted = fit::fit_all(
        &data,
        &everything,
        &division.bags,
        &config,
        &args.fit,
        label,
    )?;
    let run = record::Run {
        data: &data,
        fitted: &fitted[0],
        args,
        template: &template,
        encoder_sha256: &encoder_sha256,
        report: &report,
        calibration,
    };
    run.write(output)?;
    eprintln!("wrote the heads to {}", output.display());
    Ok(())
}

/// Tunes the encoder on the rows of `data`, writes it to OUTPUT/encoder and encodes the rows anew;
/// returns them with the new encoder's SHA-256.
fn tune_encoder(
    args: &TrainArgs,
    data: Dataset,
    given: Option<&MetricVectors>,
) -> Result<(Dataset, String)> {
    let output = args.output.clone().unwrap_or_default().join("encoder");
    let device = burn::tensor::Device::flex();
    let bundle = model::open(&args.bundle)?;
    let template = args.template(&bundle.manifest.encoder)?;
    let tuner = Tuner {
        bundle: &bundle,
        template: &template,
        args: &args.tune,
        seed: args.fit.seed,
        device: &device,
        cache: &model::cache_folder()?.join("embeddings"),
    };
    let rows = tune_rows(&data, &Division::new(&data, args)?);
    tuner.run(&data.rows.files, &rows, &record::licences(&data), &output)?;
    eprintln!(
        "what is out of fold from here on is so for the heads alone: the encoder was tuned on \
         every row, and figures on these rows flatter it"
    );
    let mut bundle = model::read_bundle(&output)?;
    let embedder = Embedder::load(&mut bundle, &Execution::Fused)?;
    let sha256 = bundle.manifest.files[crate::bundle::ENCODER].sha256.clone();
    let data = Dataset::encode(data.rows, &embedder, &template, &sha256, given)?;
    Ok((data, sha256))
}

/// The rows as tuning takes them; the last fold is held out for its check.
fn tune_rows(data: &Dataset, division: &Division) -> Vec<TuneRow> {
    let row = |(item, example): (usize, &dataset::Example)| TuneRow {
        task: example.row.task(),
        metric: example.metric.text(),
        score: data.items[item].target,
        file: example.file,
        group: division.groups[item],
        held_out: division.count > 0 && division.folds[item] == division.count - 1,
        judged: data.judged(item),
    };
    data.rows.examples.iter().enumerate().map(row).collect()
}
