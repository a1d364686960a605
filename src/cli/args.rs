//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::interchange::command as interchange;
use super::serve::ServeArgs;
use super::vocabulary::Vocabulary;
use super::{embed, eval, fetch, inspect, pack, predict, score, serve};
use crate::encoder::{Execution, Precision};
use crate::error::Result;

/// Scores LLM answers on quality and safety metrics, 0 to 10, on this machine alone.
#[derive(Parser)]
#[command(name = "touchstone", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Score one answer, or every row of a CSV, JSON, JSON lines or Parquet file.
    Score(score::ScoreArgs),
    /// Write the challenge's submission (`ID,score`) for the rows of a test file.
    Predict(predict::PredictArgs),
    /// Compare predictions with the scores in a file.
    Eval(eval::EvalArgs),
    /// Make judged rows, to train on, of another tool's export.
    Import(interchange::ImportArgs),
    /// Write the embedding of each line of a text file as a NumPy array.
    Embed(embed::EmbedArgs),
    /// Bring an encoder's checkpoint to this machine: the default one, or any of the model hub.
    Fetch(fetch::FetchArgs),
    /// Turn a checkpoint folder and trained heads into a bundle.
    Pack(PackArgs),
    /// Print what a bundle is made of and how well it did.
    Inspect(inspect::InspectArgs),
    /// Serve a folder (the built page) on this machine.
    Serve(ServeArgs),
    /// Train heads on judged rows.
    #[cfg(feature = "train")]
    Train(Box<crate::train::TrainArgs>),
    /// Train the same heads on several encoders, with the same folds, and compare.
    #[cfg(feature = "train")]
    CompareEncoders(Box<crate::train::compare::CompareArgs>),
    /// Make a smaller encoder that learns from a larger one on text without labels.
    #[cfg(feature = "train")]
    Distill(crate::train::distill::DistillArgs),
    /// Write a page about judged rows, to be read before training on them.
    #[cfg(feature = "train")]
    Report(crate::train::report::ReportArgs),
    /// Damage good answers by a known amount: rows to train on beside judged ones.
    #[cfg(feature = "train")]
    Augment(crate::train::augment::AugmentArgs),
    /// Ask a language model for examples; this sends texts to the server you name.
    #[cfg(feature = "train")]
    Synthesize(Box<crate::train::synthesize::SynthesizeArgs>),
}

/// Which bundle a command uses.
#[derive(Args, Clone, Debug, Default)]
pub struct BundleArgs {
    /// Bundle folder; the default model when left out.
    #[arg(long, value_name = "DIR")]
    pub bundle: Option<PathBuf>,
}

/// Which bundle a command uses, and where it computes.
#[derive(Args, Clone, Debug, Default)]
pub struct RunArgs {
    /// The bundle.
    #[command(flatten)]
    pub bundle: BundleArgs,
    /// Run the encoder on the graphics card (Vulkan, Metal or DirectX).
    #[cfg(feature = "gpu")]
    #[arg(long)]
    pub gpu: bool,
}

impl RunArgs {
    /// That bundle on the CPU.
    pub fn on_the_cpu(bundle: BundleArgs) -> Self {
        Self {
            bundle,
            #[cfg(feature = "gpu")]
            gpu: false,
        }
    }

    /// How the encoder's layers run.
    ///
    /// # Errors
    /// `Device` when a graphics card is wanted and there is none.
    pub fn execution(&self) -> Result<Execution> {
        #[cfg(feature = "gpu")]
        if self.gpu {
            let gpu = super::block_on(crate::encoder::Gpu::request())?;
            eprintln!("running on {}", gpu.name());
            return Ok(Execution::Gpu(gpu));
        }
        Ok(Execution::Fused)
    }
}

/// Arguments of `touchstone pack`.
#[derive(Args)]
struct PackArgs {
    /// Checkpoint folder: config.json, model.safetensors and tokenizer.json as the hub has them,
    /// or the NAME[@REVISION] that `touchstone fetch` brought; or a bundle, whose encoder is taken
    /// as it is. The default model when left out.
    checkpoint: Option<PathBuf>,
    /// Bundle folder to write.
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Folder of trained heads to pack with it; without, the bundle holds the encoder only.
    #[arg(long, value_name = "DIR")]
    heads: Option<PathBuf>,
    /// How matrices of f32 and f16 checkpoints are stored; 4-bit sources stay as they are.
    #[arg(long, default_value = "q8", value_parser = precision)]
    precision: Precision,
    /// Leading components kept of the encoder's vectors, for encoders trained to be shortened
    /// (embeddinggemma-300m: 512, 256, 128); all when left out.
    #[arg(long, value_name = "N")]
    width: Option<usize>,
    /// File of the token ids that are kept, one a line, ascending: a smaller table and tokenizer for
    /// encoders with a unigram tokenizer (multilingual-e5-small, XLM-RoBERTa).
    #[arg(long, value_name = "FILE")]
    vocabulary: Option<PathBuf>,
}

pub(crate) fn precision(text: &str) -> std::result::Result<Precision, String> {
    match text {
        "q4" => Ok(Precision::Q4),
        "q8" => Ok(Precision::Q8),
        "f32" => Ok(Precision::F32),
        _ => Err("expected q4, q8 or f32".into()),
    }
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// Whatever the command fails with, in words for the user.
    pub fn run(self) -> Result<()> {
        match self.command {
            Command::Score(args) => score::run(&args),
            Command::Predict(args) => predict::run(&args),
            Command::Eval(args) => eval::run(&args),
            Command::Import(args) => interchange::run(&args),
            Command::Embed(args) => embed::run(&args),
            Command::Fetch(args) => fetch::run(&args),
            Command::Pack(args) => run_pack(&args),
            Command::Inspect(args) => inspect::run(&args),
            Command::Serve(args) => serve::run(&args),
            #[cfg(feature = "train")]
            Command::Train(args) => crate::train::run(&args),
            #[cfg(feature = "train")]
            Command::CompareEncoders(args) => crate::train::compare::run(&args),
            #[cfg(feature = "train")]
            Command::Distill(args) => crate::train::distill::run(&args),
            #[cfg(feature = "train")]
            Command::Report(args) => crate::train::report::run(&args),
            #[cfg(feature = "train")]
            Command::Augment(args) => crate::train::augment::run(&args),
            #[cfg(feature = "train")]
            Command::Synthesize(args) => crate::train::synthesize::run(&args),
        }
    }
}

fn run_pack(args: &PackArgs) -> Result<()> {
    let heads = args
        .heads
        .as_deref()
        .map(pack::HeadsFiles::read)
        .transpose()?;
    let vocabulary = args.vocabulary.as_deref();
    let vocabulary = vocabulary.map(Vocabulary::read).transpose()?;
    let options = pack::PackOptions {
        heads: heads.as_ref(),
        precision: args.precision,
        width: args.width,
        vocabulary: vocabulary.as_ref(),
    };
    let manifest = match &args.checkpoint {
        Some(named) => pack::pack(&fetch::checkpoint(named)?, &options, &args.output)?,
        None => pack::repack(super::model::built_in()?, &options, &args.output)?,
    };
    for (name, entry) in &manifest.files {
        super::print(format!(
            "{:>12} bytes  {}  {name}",
            entry.bytes,
            &entry.sha256[..16]
        ))?;
    }
    super::print(format!(
        "packed {} into {}",
        manifest.name,
        args.output.display()
    ))
}
