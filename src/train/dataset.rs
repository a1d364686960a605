//! Judged rows as numbers: pooled vectors, metric vectors, targets.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::cache::{Cache, Key, key};
use super::split::Groups;
use super::twins::prompt_key;
use crate::cli::block_on;
use crate::cli::model::cache_folder;
use crate::cli::progress::{bar, batches, over_batches};
use crate::cli::rows::{self, Options, Row};
use crate::encoder::{POOLS, Pool, slot_weights};
use crate::error::{Error, ErrorKind, Result};
use crate::metric::{self, Metric};
use crate::scorer::{Embedder, anchor_passages, present};
use crate::text::Template;
use crate::tokenizer::Passage;

/// Padded tokens encoded at a time.
const BATCH_TOKENS: usize = 2048;

/// The sample is the same in every run, whatever the run's seed.
const SAMPLE_SEED: u64 = 1;

/// `source` of rows the project wrote itself.
pub const AUTHORED: &str = "authored";

/// A row and the file it came from.
pub struct Example {
    /// The row.
    pub row: Row,
    /// Number of its file in [`Rows::files`].
    pub file: usize,
    /// Its metric.
    pub metric: Metric,
}

impl Example {
    /// Whether a judge outside the project scored it.
    pub fn judged(&self) -> bool {
        self.row.source.as_deref() != Some(AUTHORED)
    }
}

/// Rows of all files.
pub struct Rows {
    /// Names of the files, without folder and extension.
    pub files: Vec<String>,
    /// SHA-256 of each file's bytes.
    pub hashes: Vec<String>,
    /// The rows.
    pub examples: Vec<Example>,
}

/// Reads judged files; each keeps at most `sample` rows (0: all), whole prompts.
///
/// # Errors
/// `Data` for rows that are not judged answers of a known or described metric.
pub fn read(paths: &[PathBuf], sample: usize) -> Result<Rows> {
    let mut all = Rows {
        files: Vec::new(),
        hashes: Vec::new(),
        examples: Vec::new(),
    };
    for path in paths {
        let found = rows::read(path, &Options::JUDGED)?;
        if let Some(summary) = found.skipped_summary() {
            eprintln!("{}: {summary}", path.display());
        }
        let file = all.files.len();
        let name = stem(path);
        if all.files.contains(&name) {
            let message = format!("two files are called {name}: results are per file, rename one");
            return Err(Error::new(ErrorKind::Input, message));
        }
        all.files.push(name);
        all.hashes
            .push(crate::bundle::sha256(&crate::cli::read(path)?));
        for row in keep(found.rows, sample)? {
            let metric = Metric::resolve(&row.metric, row.definition.as_deref());
            let metric =
                metric.map_err(|e| e.context(format!("{}: row {}", path.display(), row.number)))?;
            all.examples.push(Example { row, file, metric });
        }
    }
    if all.examples.is_empty() {
        return Err(Error::new(ErrorKind::Data, "the files hold no judged rows"));
    }
    Ok(all)
}

fn stem(path: &Path) -> String {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.')
        .map_or(name, |(stem, _)| stem)
        .to_owned()
}

fn keep(rows: Vec<Row>, sample: usize) -> Result<Vec<Row>> {
    if sample == 0 || rows.len() <= sample {
        return Ok(rows);
    }
    let prompts: Vec<String> = rows.iter().map(|row| prompt_key(&row.user)).collect();
    let strata = vec![String::new(); rows.len()];
    let scores: Vec<f32> = rows
        .iter()
        .map(|row| row.score.unwrap_or_default())
        .collect();
    let caps = BTreeMap::from([(String::new(), sample)]);
    let kept = Groups::new(&prompts, &[])?.sample(&strata, &scores, &caps, SAMPLE_SEED)?;
    let mut rows: Vec<Option<Row>> = rows.into_iter().map(Some).collect();
    Ok(kept
        .into_iter()
        .filter_map(|index| rows[index].take())
        .collect())
}

/// Encoded rows.
pub struct Dataset {
    /// The rows.
    pub rows: Rows,
    /// `[rows, POOLS, width]`.
    pub pools: Vec<f32>,
    /// `[rows, POOLS]`, 1 where the pool has a token.
    pub present: Vec<f32>,
    /// `[metrics, width]`, L2-normalised: the catalogue's anchors first, then own metrics.
    pub metrics: Vec<f32>,
    /// Row of `metrics` of each example.
    pub metric_of: Vec<usize>,
    /// Judges' scores, 0 to 10.
    pub targets: Vec<f32>,
    width: usize,
}

impl Dataset {
    /// Encodes every text once, through the cache, with a progress bar. Ctrl-C ends it with what
    /// is encoded kept.
    ///
    /// # Errors
    /// `Input` when interrupted, and what tokenizer, encoder and cache fail with.
    pub fn encode(
        rows: Rows,
        embedder: &Embedder,
        template: &Template,
        encoder_sha256: &str,
    ) -> Result<Self> {
        let width = embedder.encoder.width();
        let mut cache = Cache::open(&cache_folder()?.join("embeddings"), encoder_sha256, width)?;
        let tokenizer = &embedder.tokenizer;
        let mut texts = Vec::with_capacity(rows.examples.len());
        for example in &rows.examples {
            texts.push(tokenizer.passages(example.row.task().segments(), template)?);
        }
        let mut anchors = anchor_passages(tokenizer, template)?;
        let mut numbers: HashMap<String, usize> = (metric::catalogue().iter().enumerate())
            .map(|(index, metric)| (metric.text(), index))
            .collect();
        let mut metric_of = Vec::with_capacity(rows.examples.len());
        for example in &rows.examples {
            let text = example.metric.text();
            let index = match numbers.get(&text) {
                Some(index) => *index,
                None => {
                    anchors.push(tokenizer.passage(&text, template)?);
                    numbers.insert(text, anchors.len() - 1);
                    anchors.len() - 1
                }
            };
            metric_of.push(index);
        }
        let all: Vec<&Passage> = texts.iter().flatten().chain(&anchors).collect();
        encode_missing(&all, embedder, &mut cache)?;
        let mut data = Self {
            pools: Vec::with_capacity(texts.len() * POOLS * width),
            present: texts
                .iter()
                .flat_map(|passages| present(passages))
                .collect(),
            metrics: Vec::with_capacity(anchors.len() * width),
            targets: rows
                .examples
                .iter()
                .map(|e| e.row.score.unwrap_or(f32::NAN))
                .collect(),
            metric_of,
            rows,
            width,
        };
        texts
            .iter()
            .for_each(|passages| data.push_pools(passages, &cache));
        anchors
            .iter()
            .for_each(|passage| data.push_metric(passage, &cache));
        Ok(data)
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Width of a vector.
    pub fn width(&self) -> usize {
        self.width
    }

    /// One pooled vector of a row.
    pub fn pool(&self, row: usize, pool: Pool) -> &[f32] {
        &self.pools[(row * POOLS + pool as usize) * self.width..][..self.width]
    }

    /// The metric's vector of a row.
    pub fn metric(&self, row: usize) -> &[f32] {
        &self.metrics[self.metric_of[row] * self.width..][..self.width]
    }

    /// Name of the file a row came from.
    pub fn file(&self, row: usize) -> &str {
        &self.rows.files[self.rows.examples[row].file]
    }

    /// Prints how many rows each file gave.
    pub fn summarise(&self) {
        for (file, name) in self.rows.files.iter().enumerate() {
            let count = self.rows.examples.iter().filter(|e| e.file == file).count();
            eprintln!("{count:>6} rows of {name}");
        }
    }

    /// The task's pools from its passages', as the scorer forms them on the device.
    fn push_pools(&mut self, passages: &[Passage], cache: &Cache) {
        let weights = slot_weights(passages);
        for pool in 0..POOLS {
            let mut sum = vec![0.0; self.width];
            for (index, passage) in passages.iter().enumerate() {
                let weight = weights[pool * passages.len() + index];
                let vectors = cache.get(&key(passage)).expect("encoded above");
                let vector = &vectors[pool * self.width..][..self.width];
                sum.iter_mut()
                    .zip(vector)
                    .for_each(|(sum, value)| *sum += weight * value);
            }
            self.pools.extend(sum);
        }
    }

    fn push_metric(&mut self, passage: &Passage, cache: &Cache) {
        let vectors = cache.get(&key(passage)).expect("encoded above");
        let vector = &vectors[Pool::All as usize * self.width..][..self.width];
        let norm = vector
            .iter()
            .map(|value| value * value)
            .sum::<f32>()
            .sqrt()
            .max(1e-12);
        self.metrics.extend(vector.iter().map(|value| value / norm));
    }
}

fn encode_missing(all: &[&Passage], embedder: &Embedder, cache: &mut Cache) -> Result<()> {
    let mut missing: HashMap<Key, &Passage> = HashMap::new();
    for passage in all {
        let key = key(passage);
        if cache.get(&key).is_none() {
            missing.insert(key, passage);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let stop = interrupted();
    let mut missing: Vec<(Key, &Passage)> = missing.into_iter().collect();
    missing.sort_by_key(|(key, _)| *key);
    let costs: Vec<usize> = missing.iter().map(|(_, passage)| passage.len()).collect();
    let bar = bar("encoding", costs.iter().sum::<usize>() as u64, "tokens");
    let size = POOLS * embedder.encoder.width();
    let work = |batch: &[usize]| {
        let passages: Vec<&Passage> = batch.iter().map(|&index| missing[index].1).collect();
        block_on(embedder.pool(&passages))
    };
    over_batches(&batches(&costs, BATCH_TOKENS), work, |batch, vectors| {
        for (&index, vector) in batch.iter().zip(vectors?.chunks_exact(size)) {
            cache.insert(missing[index].0, vector)?;
        }
        bar.inc(batch.iter().map(|&index| costs[index]).sum::<usize>() as u64);
        if stop.load(Ordering::Relaxed) {
            let message = "stopped; what is encoded so far is kept for the next run";
            return Err(Error::new(ErrorKind::Input, message));
        }
        Ok(())
    })?;
    bar.finish();
    Ok(())
}

/// Set when the user presses Ctrl-C.
pub(super) fn interrupted() -> &'static AtomicBool {
    static STOP: AtomicBool = AtomicBool::new(false);
    // A second handler in one process is refused; the first one sets the same flag.
    let _ = ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed));
    &STOP
}
