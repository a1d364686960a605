//! Judged rows as numbers: pooled vectors, metric vectors, targets.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::cache::{Cache, Key, key};
use super::interrupt;
use super::metrics::{self, Metrics};
use super::split::Groups;
use super::twins::prompt_key;
use super::vectors::MetricVectors;
use crate::cli::block_on;
use crate::cli::model::cache_folder;
use crate::cli::progress::{bar, batches, over_batches};
use crate::cli::rows::{self, Options, Row};
use crate::encoder::{POOLS, Pool, slot_weights};
use crate::error::{Error, ErrorKind, Result};
use crate::metric::Metric;
use crate::scorer::{Embedder, Unpaused, present};
use crate::surface::surface;
use crate::text::{SEGMENTS, Template};
use crate::tokenizer::{Passage, Tokenizer};

/// Padded tokens encoded at a time.
const BATCH_TOKENS: usize = 2048;

/// The sample is the same in every run, whatever the run's seed.
const SAMPLE_SEED: u64 = 1;

/// Field with the scores of the same answer on further metrics.
const ALSO: &str = "also";

/// `source` of rows the project wrote itself.
pub const AUTHORED: &str = "authored";

/// What the `source` of made rows begins with.
pub const SYNTHETIC: &str = "synthetic:";

/// Where a score comes from; an item keeps it for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A judge outside the project.
    Judged,
    /// The project wrote and scored the answer.
    Authored,
    /// A program or a language model made it.
    Synthetic,
}

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
    /// Who scored it, by its `source`.
    pub fn origin(&self) -> Origin {
        match self.row.source.as_deref() {
            Some(AUTHORED) => Origin::Authored,
            Some(source) if source.starts_with(SYNTHETIC) => Origin::Synthetic,
            _ => Origin::Judged,
        }
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
pub fn read(paths: &[PathBuf], sample: usize, given: Option<&MetricVectors>) -> Result<Rows> {
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
            let number = row.number;
            let place = |e: Error| e.context(format!("{}: row {number}", path.display()));
            for row in under_all_metrics(row).map_err(place)? {
                let metric = match given.filter(|given| given.names.contains(&row.metric)) {
                    Some(_) => Ok(metrics::named(&row.metric)),
                    None => Metric::resolve(&row.metric, row.definition.as_deref()),
                };
                let metric = metric.map_err(place)?;
                all.examples.push(Example { row, file, metric });
            }
        }
    }
    if all.examples.is_empty() {
        return Err(Error::new(ErrorKind::Data, "the files hold no judged rows"));
    }
    Ok(all)
}

/// The row, and once more under each further metric of its field `also` (`{ metric: score }`): the
/// same answer earns different scores on different metrics.
fn under_all_metrics(row: Row) -> Result<Vec<Row>> {
    let also = match row.fields.get(ALSO) {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(also)) => also.clone(),
        Some(other) => {
            let message = format!("`{ALSO}` is {other}, expected an object of metrics and scores");
            return Err(Error::new(ErrorKind::Data, message));
        }
    };
    let mut rows = vec![row];
    for (metric, score) in also {
        let fits = score.as_f64().filter(|score| (0.0..=10.0).contains(score));
        let score = fits.ok_or_else(|| {
            let message = format!("`{ALSO}`: the score of {metric} is {score}, expected 0 to 10");
            Error::new(ErrorKind::Data, message)
        })?;
        rows.push(Row {
            metric,
            definition: None,
            score: Some(score as f32),
            ..rows[0].clone()
        });
    }
    Ok(rows)
}

/// A file's name without folder and extension.
pub fn stem(path: &Path) -> String {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.')
        .map_or(name, |(stem, _)| stem)
        .to_owned()
}

/// At most `sample` rows, whole prompts; authored rows are few and short, and all kept.
fn keep(rows: Vec<Row>, sample: usize) -> Result<Vec<Row>> {
    if sample == 0 || rows.len() <= sample {
        return Ok(rows);
    }
    let prompts: Vec<String> = rows.iter().map(|row| prompt_key(&row.user)).collect();
    let whole = |row: &Row| row.source.as_deref() == Some(AUTHORED);
    let stratum = |row: &Row| if whole(row) { AUTHORED } else { "" }.to_owned();
    let strata: Vec<String> = rows.iter().map(stratum).collect();
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

/// One thing to learn from: a text under a metric with a score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Item {
    /// Number of its row in [`Rows::examples`].
    pub example: usize,
    /// Number of its text.
    pub text: usize,
    /// Number of its metric.
    pub metric: usize,
    /// The score to learn, 0 to 10.
    pub target: f32,
    /// Who says so.
    pub origin: Origin,
}

/// Encoded rows.
pub struct Dataset {
    /// The rows.
    pub rows: Rows,
    /// What is learnt: one item a row, and further ones made from them.
    pub items: Vec<Item>,
    /// `[texts, POOLS, width]`.
    pub pools: Vec<f32>,
    /// `[texts, POOLS]`, 1 where the pool has a token.
    pub present: Vec<f32>,
    /// `[texts, SURFACE]`.
    pub surface: Vec<f32>,
    /// The metrics by number.
    pub metrics: Metrics,
    width: usize,
}

impl Dataset {
    /// Encodes every text once, through the cache, with a progress bar. Ctrl-C ends it with what
    /// is encoded kept. Metrics are known by their texts or, where `given`, by those vectors.
    ///
    /// # Errors
    /// `Input` when interrupted, `Data` for a metric without a given vector, and what tokenizer,
    /// encoder and cache fail with.
    pub fn encode(
        rows: Rows,
        embedder: &Embedder,
        template: &Template,
        encoder_sha256: &str,
        given: Option<&MetricVectors>,
    ) -> Result<Self> {
        let (arithmetic, width) = (embedder.encoder.arithmetic(), embedder.encoder.width());
        let folder = cache_folder()?.join("embeddings");
        let mut cache = Cache::open(&folder, encoder_sha256, arithmetic, width)?;
        let texts = Texts::of(&rows, &embedder.tokenizer, template)?;
        let (metrics, metric_of) = Metrics::of(&rows, given)?;
        let wordings = metrics.passages(&embedder.tokenizer, template)?;
        let all: Vec<&Passage> = texts.passages.iter().flatten().chain(&wordings).collect();
        encode_missing(&all, embedder, &mut cache)?;
        let present = texts.passages.iter().flat_map(|passages| present(passages));
        let mut data = Self {
            pools: Vec::with_capacity(texts.passages.len() * POOLS * width),
            present: present.collect(),
            surface: texts.surface,
            items: Vec::with_capacity(rows.examples.len()),
            metrics: metrics.embedded(&wordings, width, &cache),
            rows,
            width,
        };
        texts
            .passages
            .iter()
            .for_each(|passages| data.push_pools(passages, &cache));
        for (example, (text, metric)) in texts.of.into_iter().zip(metric_of).enumerate() {
            let row = &data.rows.examples[example];
            data.items.push(Item {
                example,
                text,
                metric,
                target: row.row.score.unwrap_or(f32::NAN),
                origin: row.origin(),
            });
        }
        Ok(data)
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Width of a vector.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The row an item comes from.
    pub fn example(&self, item: usize) -> &Example {
        &self.rows.examples[self.items[item].example]
    }

    /// One pooled vector of an item.
    pub fn pool(&self, item: usize, pool: Pool) -> &[f32] {
        let text = self.items[item].text;
        &self.pools[(text * POOLS + pool as usize) * self.width..][..self.width]
    }

    /// The metric's vector of an item.
    pub fn metric(&self, item: usize) -> &[f32] {
        self.metrics.vector(self.items[item].metric)
    }

    /// Whether an item is a judged row: those alone are evaluated as such.
    pub fn judged(&self, item: usize) -> bool {
        self.items[item].origin == Origin::Judged
    }

    /// Numbers of the items that `take` takes.
    pub fn items_where(&self, take: impl Fn(usize) -> bool) -> Vec<usize> {
        (0..self.len()).filter(|&item| take(item)).collect()
    }

    /// Targets of `items`.
    pub fn targets(&self, items: &[usize]) -> Vec<f32> {
        items.iter().map(|&item| self.items[item].target).collect()
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
}

/// The different texts of all rows.
struct Texts {
    /// Number of each row's text.
    of: Vec<usize>,
    passages: Vec<Vec<Passage>>,
    /// `[texts, SURFACE]`.
    surface: Vec<f32>,
}

impl Texts {
    fn of(rows: &Rows, tokenizer: &Tokenizer, template: &Template) -> Result<Self> {
        let mut texts = Self {
            of: Vec::with_capacity(rows.examples.len()),
            passages: Vec::new(),
            surface: Vec::new(),
        };
        let mut numbers: HashMap<[Option<String>; SEGMENTS], usize> = HashMap::new();
        for example in &rows.examples {
            let task = example.row.task();
            let segments = task.segments().map(|text| text.map(str::to_owned));
            let next = numbers.len();
            let number = *numbers.entry(segments).or_insert(next);
            if number == next {
                texts
                    .passages
                    .push(tokenizer.passages(task.segments(), template)?);
                texts.surface.extend(surface(&task));
            }
            texts.of.push(number);
        }
        Ok(texts)
    }
}

/// Encodes those of `all` that the cache lacks; Ctrl-C ends it with what is encoded kept.
///
/// # Errors
/// `Input` when interrupted, and what encoder and cache fail with.
pub fn encode_missing(all: &[&Passage], embedder: &Embedder, cache: &mut Cache) -> Result<()> {
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
    interrupt::watch();
    let mut missing: Vec<(Key, &Passage)> = missing.into_iter().collect();
    missing.sort_by_key(|(key, _)| *key);
    let costs: Vec<usize> = missing.iter().map(|(_, passage)| passage.len()).collect();
    let bar = bar("encoding", costs.iter().sum::<usize>() as u64, "tokens");
    let size = POOLS * embedder.encoder.width();
    let work = |batch: &[usize]| {
        let passages: Vec<&Passage> = batch.iter().map(|&index| missing[index].1).collect();
        block_on(embedder.pool(&passages, &Unpaused))
    };
    over_batches(&batches(&costs, BATCH_TOKENS), work, |batch, vectors| {
        for (&index, vector) in batch.iter().zip(vectors?.chunks_exact(size)) {
            cache.insert(missing[index].0, vector)?;
        }
        bar.inc(batch.iter().map(|&index| costs[index]).sum::<usize>() as u64);
        interrupt::check("what is encoded so far is kept for the next run")
    })?;
    bar.finish();
    Ok(())
}
