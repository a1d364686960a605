//! Training heads on judged rows: `touchstone train`.

mod cache;
mod dataset;
mod fit;
mod random;
mod record;
mod ridge;
mod split;
pub mod synthesize;
mod twins;

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::cli::args::BundleArgs;
use crate::cli::{fetch, model, pack};
use crate::encoder::Precision;
use crate::error::{Error, ErrorKind, Result};
use crate::heads::ProjectionConfig;
use crate::scorer::Embedder;
use crate::text::{Layout, Template};
use dataset::Dataset;

/// Arguments of `touchstone train`, also the record of the run.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub struct TrainArgs {
    /// Judged files: CSV, JSON (the challenge's form too) or JSON lines, also .gz. Results are
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
    /// The default encodes in about 20 minutes on 2 cores; the result is cached.
    #[arg(long, default_value_t = 1500)]
    pub sample: usize,
    /// Tokens of one window; longer texts take several windows.
    #[arg(long, default_value_t = 256)]
    pub max_tokens: usize,
    /// Windows kept of one text.
    #[arg(long, default_value_t = 1)]
    pub max_windows: usize,
    /// Put before every text, as the encoder was trained.
    #[arg(long, default_value = "query: ")]
    pub prefix: String,
    /// Encode the texts apart, or joined in one pass.
    #[arg(long, default_value = "separate", value_parser = layout)]
    pub layout: Layout,
    /// Projection size of each ensemble member.
    #[arg(long, value_delimiter = ',', default_values_t = [32, 32, 48, 48, 64, 64, 64, 64])]
    pub projections: Vec<usize>,
    /// Width of the members' inner layer.
    #[arg(long, default_value_t = 48)]
    pub hidden: usize,
    /// Share of features dropped in training.
    #[arg(long, default_value_t = 0.3)]
    pub dropout: f64,
    /// Passes over the training rows.
    #[arg(long, default_value_t = 26)]
    pub epochs: usize,
    /// Rows of one step.
    #[arg(long, default_value_t = 128)]
    pub batch: usize,
    /// Peak learning rate; it falls to zero along a cosine.
    #[arg(long, default_value_t = 2e-3)]
    pub learning_rate: f64,
    /// AdamW's weight decay.
    #[arg(long, default_value_t = 0.3)]
    pub weight_decay: f64,
    /// Folds of the evaluation, grouped by prompt; 0 trains without evaluating.
    #[arg(long, default_value_t = 5)]
    pub folds: usize,
    /// Seed of every random choice.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

fn layout(text: &str) -> std::result::Result<Layout, String> {
    match text {
        "separate" => Ok(Layout::Separate),
        "joined" => Ok(Layout::Joined),
        _ => Err("expected separate or joined".into()),
    }
}

impl TrainArgs {
    /// How texts are fed to the encoder.
    fn template(&self) -> Template {
        Template {
            prefix: self.prefix.clone(),
            layout: self.layout,
            max_tokens: self.max_tokens,
            max_windows: self.max_windows,
            overlap: 32.min(self.max_tokens / 8),
        }
    }

    /// Refuses options that cannot work before anything is encoded.
    fn check(&self) -> Result<()> {
        self.config(1).validate()?;
        if self.batch == 0 || self.folds == 1 {
            let message = "--batch must be above 0, and --folds 0 or at least 2";
            return Err(Error::new(ErrorKind::Input, message));
        }
        Ok(())
    }

    fn config(&self, width: usize) -> ProjectionConfig {
        ProjectionConfig {
            width,
            hidden: self.hidden,
            projections: self.projections.clone(),
            dropout: self.dropout,
        }
    }
}

/// Runs the command: encode (cached), evaluate out of fold, fit on everything, write the heads.
///
/// # Errors
/// `Data` for bad rows, `Input` for options that make no sense, and what encoding fails with.
pub fn run(args: &TrainArgs) -> Result<()> {
    args.check()?;
    let mut bundle = model::open(&encoder_bundle(args)?)?;
    let embedder = Embedder::load(&mut bundle, false, &burn::tensor::Device::flex())?;
    // Loading has proved that the entry is there.
    let encoder_sha256 = bundle.manifest.files[crate::bundle::ENCODER].sha256.clone();
    let rows = dataset::read(&args.files, args.sample)?;
    let data = Dataset::encode(rows, &embedder, &args.template(), &encoder_sha256)?;
    data.summarise();
    let config = args.config(data.width());
    let evaluation = record::evaluate(&data, &config, args)?;
    crate::cli::print(&evaluation.table)?;
    let Some(output) = &args.output else {
        eprintln!("no --output: the heads are not fitted or written");
        return Ok(());
    };
    let everything: Vec<usize> = (0..data.len()).collect();
    let fitted = fit::fit(&data, &everything, &config, args, "fitting on all rows")?;
    record::write(
        output,
        &data,
        &fitted,
        &config,
        args,
        &encoder_sha256,
        &evaluation,
    )?;
    eprintln!("wrote the heads to {}", output.display());
    Ok(())
}

/// The bundle to take the encoder from; an encoder-only one of the default model is packed on
/// first use.
fn encoder_bundle(args: &TrainArgs) -> Result<BundleArgs> {
    if args.bundle.bundle.is_some() {
        return Ok(args.bundle.clone());
    }
    let folder = model::cache_folder()?.join("encoder");
    if !folder.join(crate::bundle::MANIFEST).exists() {
        let checkpoint = model::checkpoint_folder()?;
        fetch::fetch(fetch::Source::Packages, &checkpoint)?;
        pack::pack(&checkpoint, None, Precision::Q8, &folder)?;
    }
    Ok(BundleArgs {
        bundle: Some(folder),
    })
}
