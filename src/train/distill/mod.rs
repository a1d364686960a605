//! `touchstone distill`: a smaller encoder that learns from a larger one on text without labels.
//!
//! The smaller one begins with some of the larger one's layers and learns all their parameters. Two
//! losses: one less the cosine of its vector to the larger one's (Reimers and Gurevych 2020), and the
//! squared difference of each layer's states to those of the layer it began as, relative to their
//! size (Jiao et al. 2020, TinyBERT).

mod fit;
mod vocabulary;

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clap::Args;

use super::random::Random;
use crate::bundle::{Bundle, ENCODER, EncoderInfo, Manifest};
use crate::cli::args::{BundleArgs, precision};
use crate::cli::pack::{serialize, tokenizer_files, write_bundle};
use crate::cli::{forms, model, print};
use crate::encoder::{Execution, Precision, Weights, spread_layers};
use crate::error::{Error, ErrorKind, Result};
use crate::text::{Layout, Template};
use crate::tokenizer::{Passage, Tokenizer};
use fit::Fit;
use vocabulary::Trimmed;

/// One text in so many is kept for measuring, at most [`MOST_HELD_OUT`] of them.
const HELD_OUT: usize = 20;
const MOST_HELD_OUT: usize = 500;

/// Arguments of `touchstone distill`.
#[derive(Args, Clone, Debug)]
pub struct DistillArgs {
    /// Text files, one text a line, also .gz: as many languages and kinds of text as the encoder is
    /// meant for.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Bundle folder to write; it holds the encoder only.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    bundle: BundleArgs,
    /// Layers of the smaller encoder.
    #[arg(long, default_value_t = 6)]
    layers: usize,
    /// Tokens kept, those that the texts use most beside all single characters; all when left out.
    #[arg(long, value_name = "N")]
    tokens: Option<usize>,
    /// Passes over the texts.
    #[arg(long, default_value_t = 1)]
    epochs: usize,
    /// Texts of one step.
    #[arg(long, default_value_t = 16)]
    batch: usize,
    /// Tokens read of each text while it is learnt from.
    #[arg(long, default_value_t = 64)]
    max_tokens: usize,
    /// Peak learning rate; it rises over the first tenth and falls to zero along a cosine.
    #[arg(long, default_value_t = 2e-4)]
    learning_rate: f64,
    /// How the trained matrices are stored.
    #[arg(long, default_value = "q4", value_parser = precision)]
    precision: Precision,
    /// Seed of every random choice.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// A text as both encoders read it.
pub struct Pair {
    /// In the tokens of the larger one.
    pub teacher: Passage,
    /// In the tokens that are kept.
    pub student: Passage,
    /// Those by their numbers in the larger one; none where all tokens are kept, so that both read
    /// the same.
    pub mapped: Option<Passage>,
}

/// Runs the command.
///
/// # Errors
/// `Input` for options that make no sense, `Data` without texts or when the loss is no longer a
/// number, and what reading and writing fail with.
pub fn run(args: &DistillArgs) -> Result<()> {
    args.check()?;
    let bundle = model::open(&args.bundle)?;
    let texts = args.texts()?;
    let tokenizer = Tokenizer::of(&bundle)?;
    let info = &bundle.manifest.encoder;
    let trimmed = args
        .tokens
        .map(|tokens| Trimmed::new(&bundle, &tokenizer, &texts, tokens));
    let trimmed = trimmed.transpose()?;
    let encoder = bundle.peek(ENCODER)?;
    let weights = Weights::from_bytes(ENCODER, encoder)?;
    let device = Device::flex();
    let load = || info.load(&weights, &Execution::Padded, &device);
    let pairs = args.pairs(info, &texts, &tokenizer, trimmed.as_ref())?;
    let (student_weights, student_info) = match &trimmed {
        Some(trimmed) => (trimmed.encoder.as_slice(), trimmed.info(info)),
        None => (encoder, info.clone()),
    };
    let student_weights = Weights::from_bytes(ENCODER, student_weights)?;
    let mut student = student_info.load(&student_weights, &Execution::Padded, &device)?;
    let layers = spread_layers(&info.config, args.layers)?;
    student.keep_layers(&layers)?;
    let held_out = (pairs.len() / HELD_OUT).clamp(1, MOST_HELD_OUT);
    let (measured, learnt) = pairs.split_at(held_out);
    let fit = Fit::new(load()?, student, &layers, args);
    let before = fit.cosine(measured)?;
    let (student, after, seconds) = fit.run(learnt, measured, &mut Random::new(args.seed))?;
    let mut info = student_info.clone();
    info.config = student.config().clone();
    info.source = format!(
        "{}; {} of {} layers, distilled on {} texts",
        student_info.source,
        args.layers,
        bundle.manifest.encoder.config.layers(),
        learnt.len(),
    );
    let tensors = fit::stored(&student_weights, &student, args.precision)?;
    let files = [
        vec![(ENCODER, serialize(&tensors)?)],
        match &trimmed {
            Some(trimmed) => tokenizer_files(trimmed.json.clone())?,
            None => bundle.tokenizer()?,
        },
    ];
    write(&bundle, info, &files.concat(), &args.output)?;
    print(format!(
        "mean cosine to {} on {} texts held out: {before:.4} with its layers as they were, \
         {after:.4} after {} texts in {:.1} min\nwrote {}; heads have to be trained on it",
        bundle.manifest.name,
        measured.len(),
        learnt.len() * args.epochs,
        seconds / 60.0,
        args.output.display()
    ))
}

fn write(
    bundle: &Bundle,
    info: EncoderInfo,
    files: &[(&str, Vec<u8>)],
    output: &Path,
) -> Result<()> {
    let mut manifest = Manifest::new(&format!("{}-distilled", bundle.manifest.name), info);
    manifest.licences.clone_from(&bundle.manifest.licences);
    write_bundle(&mut manifest, files, output)
}

impl DistillArgs {
    fn check(&self) -> Result<()> {
        let counts = [self.epochs, self.batch, self.max_tokens];
        if !counts.contains(&0) && self.learning_rate > 0.0 && self.learning_rate.is_finite() {
            return Ok(());
        }
        let message = "--epochs, --batch, --max-tokens and --learning-rate must be above 0";
        Err(Error::new(ErrorKind::Input, message))
    }

    /// The files' lines in random order, empty ones left out.
    fn texts(&self) -> Result<Vec<String>> {
        let mut texts = Vec::new();
        for file in &self.files {
            let text = forms::text(crate::cli::read(file)?);
            let text = text.map_err(|error| error.context(file.display()))?;
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            texts.extend(lines.map(str::to_owned));
        }
        if texts.len() < 2 {
            let message = format!("{} texts are too few to learn from", texts.len());
            return Err(Error::new(ErrorKind::Data, message));
        }
        Random::new(self.seed).shuffle(&mut texts);
        Ok(texts)
    }

    fn pairs(
        &self,
        info: &EncoderInfo,
        texts: &[String],
        tokenizer: &Tokenizer,
        trimmed: Option<&Trimmed>,
    ) -> Result<Vec<Pair>> {
        let template = Template {
            prefix: info.prefix()?.to_owned(),
            layout: Layout::Separate,
            max_tokens: self.max_tokens.min(info.max_tokens()),
            max_windows: 1,
            overlap: 0,
        };
        let pair = |text: &String| {
            let teacher = tokenizer.passage(text, &template)?;
            let Some(trimmed) = trimmed else {
                return Ok(Pair {
                    student: teacher.clone(),
                    mapped: None,
                    teacher,
                });
            };
            let student = trimmed.tokenizer.passage(text, &template)?;
            Ok(Pair {
                mapped: Some(trimmed.mapped(&student)),
                student,
                teacher,
            })
        };
        texts.iter().map(pair).collect()
    }
}
