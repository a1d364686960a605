//! Tuning the encoder on judged rows: `touchstone train --tune-encoder`.
//!
//! Low-rank adapters on the last layers learn together with a linear head to predict the scores.
//! The head begins as the ridge regression on the frozen vectors, so that the first gradients
//! already say something (linear probing, then tuning: Kumar et al. 2022). Then the adapters are
//! added to their matrices and an encoder is written that runs exactly as fast as the one before.

mod check;
mod fit;
mod texts;
mod write;

use std::path::Path;

use burn::tensor::Device;
use clap::Args;
use serde::{Deserialize, Serialize};

use super::cache::Cache;
use super::random::Random;
use super::ridge::Ridge;
use crate::bundle::{Bundle, ENCODER, EncoderInfo, Licence, sha256};
use crate::cli::args::precision;
use crate::encoder::{Adapters, Encoder, Execution, Matrix, Precision, Products, Weights};
use crate::error::{Error, ErrorKind, Result};
use crate::scorer::Embedder;
use crate::text::{Task, Template};
use crate::tokenizer::Tokenizer;
pub use check::Check;
use fit::Fit;
use texts::{FEATURES, Texts};

/// The sample of rows is the same in every run, whatever the run's seed.
const SAMPLE_SEED: u64 = 1;

/// Arguments of the tuning, also the record of it.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub struct TuneArgs {
    /// Tune the encoder before the heads are trained, and write it to OUTPUT/encoder. Slow on a
    /// CPU, and heads of other encoders do not fit the result.
    #[arg(long)]
    pub tune_encoder: bool,
    /// Rank of the adapters.
    #[arg(long, default_value_t = 8)]
    pub tune_rank: usize,
    /// Weight of the adapters, times their rank.
    #[arg(long, default_value_t = 16.0)]
    pub tune_alpha: f64,
    /// Layers that are tuned, from the last; 0 for all.
    #[arg(long, default_value_t = 4)]
    pub tune_layers: usize,
    /// Matrices of a layer that are tuned: those of the attention, or all.
    #[arg(long, default_value = "attention", value_parser = products)]
    pub tune_products: Products,
    /// Passes over the rows.
    #[arg(long, default_value_t = 2)]
    pub tune_epochs: usize,
    /// Rows of one step.
    #[arg(long, default_value_t = 8)]
    pub tune_batch: usize,
    /// Peak learning rate; it rises over the first tenth and falls to zero along a cosine.
    #[arg(long, default_value_t = 5e-4)]
    pub tune_learning_rate: f64,
    /// Rows that are tuned on, a fixed sample; 0 takes all.
    #[arg(long, default_value_t = 2000)]
    pub tune_rows: usize,
    /// Tokens read of each text while tuning.
    #[arg(long, default_value_t = 128)]
    pub tune_tokens: usize,
    /// How the tuned matrices are stored; the others stay as they are.
    #[arg(long, default_value = "q8", value_parser = precision)]
    pub tune_precision: Precision,
}

fn products(text: &str) -> std::result::Result<Products, String> {
    match text {
        "attention" => Ok(Products::Attention),
        "all" => Ok(Products::All),
        _ => Err("expected attention or all".into()),
    }
}

impl TuneArgs {
    /// Refuses options that cannot work.
    ///
    /// # Errors
    /// `Input` naming the options.
    pub fn check(&self) -> Result<()> {
        let counts = [self.tune_rank, self.tune_epochs, self.tune_batch];
        let sizes = [self.tune_alpha, self.tune_learning_rate];
        let positive = |size: &f64| *size > 0.0 && size.is_finite();
        if !counts.contains(&0) && sizes.iter().all(positive) {
            return Ok(());
        }
        let message = "--tune-rank, --tune-epochs, --tune-batch, --tune-alpha and \
                       --tune-learning-rate must be above 0";
        Err(Error::new(ErrorKind::Input, message))
    }

    fn adapters(&self) -> Adapters {
        Adapters {
            rank: self.tune_rank,
            alpha: self.tune_alpha,
            layers: self.tune_layers,
            products: self.tune_products,
        }
    }
}

/// A scored answer, as tuning needs it.
#[derive(Clone, Debug)]
pub struct TuneRow {
    /// The answer and what it answers.
    pub task: Task,
    /// The metric's text, see [`Metric::text`](crate::metric::Metric::text).
    pub metric: String,
    /// 0 to 10.
    pub score: f32,
    /// Number of its file: results are per file.
    pub file: usize,
    /// Number that rows share which must not part (see [`Groups`](super::split::Groups)).
    pub group: usize,
    /// Whether it is in the fold that the check holds out.
    pub held_out: bool,
    /// Whether a judge outside the project scored it: the check looks at no other row.
    pub judged: bool,
}

/// What a tuned encoder is made with.
pub struct Tuner<'a> {
    /// The encoder to begin with; its files must still be in.
    pub bundle: &'a Bundle,
    /// How texts will be fed to the tuned encoder.
    pub template: &'a Template,
    /// The options.
    pub args: &'a TuneArgs,
    /// Seed of the adapters and of the order of rows.
    pub seed: u64,
    /// Where the arithmetic runs, without autodiff.
    pub device: &'a Device,
    /// Folder of cached embeddings.
    pub cache: &'a Path,
}

/// What came out of a tuning.
pub struct Tuned {
    /// The tuned matrices.
    pub matrices: Vec<Matrix>,
    /// Mean squared error of each step, in points squared.
    pub losses: Vec<f32>,
    /// Rows tuned on.
    pub rows: usize,
}

impl Tuned {
    /// Mean loss over the first and over the last tenth of the steps.
    pub fn ends(&self) -> [f32; 2] {
        let count = self.losses.len().div_ceil(10);
        let (first, last) = (
            &self.losses[..count],
            &self.losses[self.losses.len() - count..],
        );
        [first, last].map(|part| part.iter().sum::<f32>() / count as f32)
    }
}

impl Tuner<'_> {
    /// Checks on the rows held out, if there are any, what tuning on the others brings and prints
    /// it; then tunes on all rows and writes the encoder as a bundle to `output`. `files` are the
    /// files' names, `licences` those of the rows.
    ///
    /// # Errors
    /// As [`Self::tune`]; `Io` when the bundle cannot be written.
    pub fn run(
        &self,
        files: &[String],
        rows: &[TuneRow],
        licences: &[Licence],
        output: &Path,
    ) -> Result<Option<Check>> {
        self.args.check()?;
        let check = match rows.iter().any(|row| row.held_out) {
            true => Some(self.check(files, rows)?),
            false => None,
        };
        if let Some(check) = &check {
            crate::cli::print(check.table())?;
        }
        let tuned = self.tune(&rows.iter().collect::<Vec<_>>(), "tuning on all rows")?;
        let encoder = write::merge(self.bundle, &tuned.matrices, self.args.tune_precision)?;
        write::write(self.bundle, self.info(&tuned), encoder, licences, output)?;
        let [first, last] = tuned.ends();
        eprintln!(
            "squared error while tuning: {first:.2}, at the end {last:.2}; wrote the tuned encoder to {}",
            output.display()
        );
        Ok(check)
    }

    /// Tunes on `rows`, or on a fixed sample of them; the same rows, options and seed give the
    /// same matrices.
    ///
    /// # Errors
    /// `Data` when the rows are too few or the loss is no longer a number, `Input` when
    /// interrupted, and what tokenizer and encoder fail with.
    pub fn tune(&self, rows: &[&TuneRow], label: &str) -> Result<Tuned> {
        let rows = self.sample(rows);
        let mut embedder = self.embedder(self.bundle.peek(ENCODER)?)?;
        let texts = Texts::new(&rows, &embedder.tokenizer, &self.short_template())?;
        let width = embedder.encoder.width();
        let features = texts.features(
            &embedder,
            &mut self.cache(self.source(), &embedder.encoder)?,
        )?;
        let targets: Vec<f32> = rows.iter().map(|row| row.score).collect();
        let groups: Vec<usize> = rows.iter().map(|row| row.group).collect();
        let ridge = Ridge::fit(&features, FEATURES * width, &targets, &groups)?;
        let mut random = Random::new(self.seed);
        embedder
            .encoder
            .adapt(&self.args.adapters(), || random.normal())?;
        Fit::new(embedder.encoder, &ridge, self.args, self.device).run(
            &texts,
            &targets,
            &mut random,
            label,
        )
    }

    /// Tunes without the rows held out and compares on them.
    fn check(&self, files: &[String], rows: &[TuneRow]) -> Result<Check> {
        let others: Vec<&TuneRow> = rows.iter().filter(|row| !row.held_out).collect();
        let tuned = self.tune(&others, "tuning without one fold")?;
        let judged: Vec<&TuneRow> = rows.iter().filter(|row| row.judged).collect();
        let frozen = self.features(&judged, self.bundle.peek(ENCODER)?)?;
        let encoder = write::merge(self.bundle, &tuned.matrices, self.args.tune_precision)?;
        let tuned = self.features(&judged, &encoder)?;
        Check::new(files, &judged, &frozen, &tuned)
    }

    /// Features of `rows` as heads would see them, by the weights in `encoder`.
    fn features(&self, rows: &[&TuneRow], encoder: &[u8]) -> Result<Vec<f32>> {
        let embedder = self.embedder(encoder)?;
        let texts = Texts::new(rows, &embedder.tokenizer, self.template)?;
        let mut cache = self.cache(&sha256(encoder), &embedder.encoder)?;
        texts.features(&embedder, &mut cache)
    }

    fn embedder(&self, encoder: &[u8]) -> Result<Embedder> {
        let info = &self.bundle.manifest.encoder;
        let weights = Weights::from_bytes(ENCODER, encoder)?;
        Ok(Embedder {
            tokenizer: Tokenizer::of(self.bundle)?,
            encoder: info.load(&weights, &Execution::Padded, self.device)?,
        })
    }

    fn cache(&self, encoder_sha256: &str, encoder: &Encoder) -> Result<Cache> {
        let (arithmetic, width) = (encoder.arithmetic(), encoder.width());
        Cache::open(self.cache, encoder_sha256, arithmetic, width)
    }

    /// SHA-256 of the encoder tuned from.
    fn source(&self) -> &str {
        &self.bundle.manifest.files[ENCODER].sha256
    }

    fn sample<'r>(&self, rows: &[&'r TuneRow]) -> Vec<&'r TuneRow> {
        let mut rows = rows.to_vec();
        if self.args.tune_rows > 0 {
            Random::new(SAMPLE_SEED).shuffle(&mut rows);
            rows.truncate(self.args.tune_rows);
        }
        rows
    }

    /// The template with one short window, for speed.
    fn short_template(&self) -> Template {
        let max_tokens = self.args.tune_tokens.min(self.template.max_tokens);
        Template {
            max_tokens,
            max_windows: 1,
            overlap: 0,
            ..self.template.clone()
        }
    }

    /// What the manifest says about the tuned encoder.
    fn info(&self, tuned: &Tuned) -> EncoderInfo {
        let old = &self.bundle.manifest.encoder;
        let options = serde_json::to_string(self.args).unwrap_or_default();
        let stored = match self.args.tune_precision {
            Precision::F32 => "f32",
            _ => "8 bits in such blocks",
        };
        EncoderInfo {
            // The name is that of published weights, which these no longer are.
            name: format!("{}, tuned", old.name),
            source: format!(
                "{}; tuned from the encoder with SHA-256 {} by low-rank adapters on {} rows, \
                 seed {}, options {options}",
                old.source,
                self.source(),
                tuned.rows,
                self.seed,
            ),
            quantisation: format!("{}; tuned matrices in {stored}", old.quantisation),
            config: old.config.clone(),
            pipeline: old.pipeline.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{model, pack};
    use crate::text::Layout;

    fn plain() -> pack::PackOptions<'static> {
        pack::PackOptions {
            precision: Precision::F32,
            ..pack::PackOptions::default()
        }
    }

    /// An encoder-only bundle of the tiny BERT.
    pub(super) fn bundle(folder: &Path) -> Bundle {
        let checkpoint = Path::new("tests/fixtures/tiny-bert");
        pack::pack(checkpoint, &plain(), folder).unwrap();
        model::read_bundle(folder).unwrap()
    }

    pub(super) fn template() -> Template {
        Template {
            prefix: "query: ".into(),
            layout: Layout::Separate,
            max_tokens: 64,
            max_windows: 1,
            overlap: 8,
        }
    }

    fn args() -> TuneArgs {
        TuneArgs {
            tune_encoder: true,
            tune_rank: 4,
            tune_alpha: 8.0,
            tune_layers: 1,
            tune_products: Products::Attention,
            tune_epochs: 6,
            tune_batch: 8,
            tune_learning_rate: 5e-3,
            tune_rows: 0,
            tune_tokens: 32,
            tune_precision: Precision::Q8,
        }
    }

    /// Answers that deserve a high score if they come early in the week, in a few wordings.
    fn rows() -> Vec<TuneRow> {
        let days = [
            "Monday",
            "Tuesday",
            "Wednesday",
            "Thursday",
            "Friday",
            "Saturday",
        ];
        let row = |index: usize| TuneRow {
            task: Task {
                metric: "promptness".into(),
                user: format!("When will parcel {} come?", index / 6),
                response: format!("It comes on {} at {} o'clock.", days[index % 6], index % 11),
                ..Task::default()
            },
            metric: ["Promptness. 10: soon.", "Haste. 10: early in the week."][index % 2].into(),
            score: 10.0 - 2.0 * (index % 6) as f32,
            file: 0,
            group: index / 6,
            held_out: index >= 42,
            judged: true,
        };
        (0..54).map(row).collect()
    }

    fn with_tuner<T>(args: &TuneArgs, test: impl FnOnce(&Tuner, &Path) -> T) -> T {
        let folder = tempfile::tempdir().unwrap();
        let tuner = Tuner {
            bundle: &bundle(&folder.path().join("encoder")),
            template: &template(),
            args,
            seed: 7,
            device: &Device::flex(),
            cache: &folder.path().join("cache"),
        };
        test(&tuner, folder.path())
    }

    fn tune(args: &TuneArgs) -> Tuned {
        let rows = rows();
        let rows: Vec<&TuneRow> = rows.iter().collect();
        with_tuner(args, |tuner, _| tuner.tune(&rows, "tuning").unwrap())
    }

    #[test]
    fn the_error_falls_below_that_of_the_frozen_encoder() {
        let tuned = tune(&args());
        let [first, last] = tuned.ends();
        assert!(last < 0.7 * first, "{first} {last}");
        let names: Vec<&str> = tuned
            .matrices
            .iter()
            .map(|matrix| matrix.name.as_str())
            .collect();
        assert!(
            names
                .iter()
                .all(|name| name.starts_with("encoder.layer.1.attention."))
        );
        assert_eq!(names.len(), 4);
    }

    #[test]
    fn the_same_seed_gives_the_same_matrices_and_another_seed_others() {
        let mut short = args();
        short.tune_epochs = 1;
        let (first, second) = (tune(&short), tune(&short));
        assert_eq!(first.matrices, second.matrices);
        let rows = rows();
        let rows: Vec<&TuneRow> = rows.iter().collect();
        let other = with_tuner(&short, |tuner, _| {
            Tuner { seed: 8, ..*tuner }.tune(&rows, "tuning").unwrap()
        });
        assert_ne!(first.matrices, other.matrices);
    }

    #[test]
    fn a_run_checks_on_the_fold_held_out_and_writes_another_encoder() {
        let licence = Licence {
            of: "training rows".into(),
            licence: "MIT".into(),
            source: "here".into(),
        };
        with_tuner(&args(), |tuner, folder| {
            let (files, output) = (["week".to_owned()], folder.join("tuned"));
            let licences = std::slice::from_ref(&licence);
            let check = tuner
                .run(&files, &rows(), licences, &output)
                .unwrap()
                .unwrap();
            assert_eq!((check.frozen["week"].n, check.tuned["week"].n), (12, 12));
            assert_ne!(check.frozen["week"].rmse, check.tuned["week"].rmse);
            let mut written = model::read_bundle(&output).unwrap();
            let manifest = &written.manifest;
            assert_ne!(manifest.files[ENCODER].sha256, tuner.source());
            assert!(manifest.encoder.source.contains(tuner.source()));
            assert!(manifest.encoder.source.contains("\"tune_rank\":4"));
            assert!(manifest.licences.contains(&licence));
            assert!(Embedder::load(&mut written, &Execution::Fused).is_ok());
            let packed = pack::pack(&output, &plain(), &folder.join("packed"));
            assert_eq!(packed.unwrap(), written.manifest);
        });
    }

    #[test]
    fn no_fold_held_out_is_no_check() {
        let mut rows = rows();
        rows.iter_mut().for_each(|row| row.held_out = false);
        let mut short = args();
        (short.tune_epochs, short.tune_rows) = (1, 30);
        with_tuner(&short, |tuner, folder| {
            let check = tuner.run(&["week".into()], &rows, &[], &folder.join("tuned"));
            assert!(check.unwrap().is_none());
            let tuned = tuner
                .tune(&rows.iter().collect::<Vec<_>>(), "tuning")
                .unwrap();
            assert_eq!((tuned.rows, tuned.losses.len()), (30, 4));
        });
    }

    #[test]
    fn options_and_rows_that_cannot_work_are_refused() {
        for change in [
            |args: &mut TuneArgs| args.tune_rank = 0,
            |args: &mut TuneArgs| args.tune_batch = 0,
            |args: &mut TuneArgs| args.tune_alpha = -1.0,
            |args: &mut TuneArgs| args.tune_learning_rate = f64::NAN,
        ] {
            let mut args = args();
            change(&mut args);
            assert_eq!(args.check().unwrap_err().kind(), ErrorKind::Input);
        }
        let rows = rows();
        let few: Vec<&TuneRow> = rows[..6].iter().collect();
        let error = with_tuner(&args(), |tuner, _| {
            tuner.tune(&few, "tuning").err().unwrap()
        });
        assert_eq!(error.kind(), ErrorKind::Data);
        let mut wild = args();
        wild.tune_learning_rate = 1e30;
        let all: Vec<&TuneRow> = rows.iter().collect();
        let error = with_tuner(&wild, |tuner, _| tuner.tune(&all, "tuning").err().unwrap());
        assert!(
            error.to_string().contains("--tune-learning-rate"),
            "{error}"
        );
    }
}
