//! Rows as passages, and a linear model's features from the passages' pooled vectors.

use std::collections::HashMap;

use burn::tensor::{Device, Tensor, TensorData};

use super::TuneRow;
use crate::encoder::{POOLS, Pool, slot_weights};
use crate::error::{Error, ErrorKind, Result};
use crate::scorer::Embedder;
use crate::text::{Layout, Segment, Template};
use crate::tokenizer::{Passage, Tokenizer};
use crate::train::cache::{Cache, key};
use crate::train::dataset::encode_missing;

/// Vectors side by side in a row's features: prompt, answer, prompt x answer, answer x metric.
pub const FEATURES: usize = 4;

/// The vectors that features are made of: prompt, answer and metric.
const VECTORS: usize = 3;

/// Rows whose features are formed at a time.
const CHUNK: usize = 64;

/// Tokenized rows.
pub struct Texts {
    /// Passages of each row.
    texts: Vec<Vec<Passage>>,
    /// Every metric once.
    metrics: Vec<Passage>,
    /// Place in `metrics` of each row's.
    metric_of: Vec<usize>,
}

impl Texts {
    /// Tokenizes `rows`.
    ///
    /// # Errors
    /// As [`Tokenizer::passages`].
    pub fn new(rows: &[&TuneRow], tokenizer: &Tokenizer, template: &Template) -> Result<Self> {
        let mut texts = Self {
            texts: Vec::with_capacity(rows.len()),
            metrics: Vec::new(),
            metric_of: Vec::with_capacity(rows.len()),
        };
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        for row in rows {
            let mut segments = row.task.segments();
            if template.layout == Layout::Separate {
                // Encoded apart, the system prompt touches no feature.
                segments[Segment::System as usize] = None;
            }
            texts.texts.push(tokenizer.passages(segments, template)?);
            let number = *numbers.entry(&row.metric).or_insert(texts.metrics.len());
            if number == texts.metrics.len() {
                let passage = tokenizer.passage(&row.metric, template)?;
                texts.metrics.push(passage);
            }
            texts.metric_of.push(number);
        }
        Ok(texts)
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Features of every row, `[rows, FEATURES x width]`, encoded once through the cache.
    ///
    /// # Errors
    /// What encoder and cache fail with; `Input` when interrupted.
    pub fn features(&self, embedder: &Embedder, cache: &mut Cache) -> Result<Vec<f32>> {
        let all: Vec<&Passage> = self.texts.iter().flatten().chain(&self.metrics).collect();
        encode_missing(&all, embedder, cache)?;
        let rows: Vec<usize> = (0..self.len()).collect();
        let mut features = Vec::new();
        for rows in rows.chunks(CHUNK) {
            let batch = Batch::new(self, rows);
            let pools = batch.cached(cache, embedder.encoder.width());
            let places: Vec<usize> = (0..batch.passages.len()).collect();
            let values = batch.features(pools, &places).into_data();
            features.extend(
                values.try_into_vec::<f32>().map_err(|error| {
                    Error::new(ErrorKind::Device, format!("features: {error:?}"))
                })?,
            );
        }
        Ok(features)
    }
}

/// The passages of some rows and how the rows' vectors come from their pools.
pub struct Batch<'a> {
    /// The passages, each metric once.
    pub passages: Vec<&'a Passage>,
    parts: Vec<Part>,
    rows: usize,
}

/// A pool of a passage that counts towards a vector.
struct Part {
    /// Prompts' vectors first, then answers', then metrics'.
    vector: usize,
    passage: usize,
    pool: usize,
    weight: f32,
}

impl<'a> Batch<'a> {
    /// The batch of `rows`, numbers of rows of `texts`.
    pub fn new(texts: &'a Texts, rows: &[usize]) -> Self {
        let mut batch = Self {
            passages: Vec::new(),
            parts: Vec::new(),
            rows: rows.len(),
        };
        let mut metrics: HashMap<usize, usize> = HashMap::new();
        for (index, &row) in rows.iter().enumerate() {
            batch.push_texts(index, &texts.texts[row]);
            let metric = texts.metric_of[row];
            let passage = *metrics.entry(metric).or_insert(batch.passages.len());
            if passage == batch.passages.len() {
                batch.passages.push(&texts.metrics[metric]);
            }
            batch.parts.push(Part {
                vector: 2 * rows.len() + index,
                passage,
                pool: Pool::All as usize,
                weight: 1.0,
            });
        }
        batch
    }

    fn push_texts(&mut self, index: usize, passages: &'a [Passage]) {
        let (first, weights) = (self.passages.len(), slot_weights(passages));
        for (vector, pool) in [Pool::User, Pool::Response].into_iter().enumerate() {
            for passage in 0..passages.len() {
                self.parts.push(Part {
                    vector: vector * self.rows + index,
                    passage: first + passage,
                    pool: pool as usize,
                    weight: weights[pool as usize * passages.len() + passage],
                });
            }
        }
        self.passages.extend(passages);
    }

    /// Features `[rows, FEATURES x width]` from `pools` `[passages x POOLS, width]`, in which
    /// passage p stands at `places[p]`.
    pub fn features(&self, pools: Tensor<2>, places: &[usize]) -> Tensor<2> {
        let weights = self.weights(places, &pools.device().inner());
        let vectors = weights.matmul(pools);
        let vector = |index: usize| vectors.clone().narrow(0, index * self.rows, self.rows);
        let (user, response, metric) = (vector(0), vector(1), normalise(vector(2)));
        let products = [user.clone() * response.clone(), response.clone() * metric];
        let [first, second] = products;
        Tensor::cat(vec![user, response, first, second], 1)
    }

    /// `[VECTORS x rows, passages x POOLS]`.
    fn weights(&self, places: &[usize], device: &Device) -> Tensor<2> {
        let columns = self.passages.len() * POOLS;
        let mut weights = vec![0.0; VECTORS * self.rows * columns];
        for part in &self.parts {
            let column = places[part.passage] * POOLS + part.pool;
            weights[part.vector * columns + column] += part.weight;
        }
        let shape = [VECTORS * self.rows, columns];
        Tensor::from_data(TensorData::new(weights, shape), device)
    }

    fn cached(&self, cache: &Cache, width: usize) -> Tensor<2> {
        let vectors = |passage: &&Passage| cache.get(&key(passage)).expect("encoded before");
        let values: Vec<f32> = self.passages.iter().flat_map(vectors).copied().collect();
        let shape = [self.passages.len() * POOLS, width];
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }
}

/// Rows of length 1, `[rows, width]`.
fn normalise(vectors: Tensor<2>) -> Tensor<2> {
    let norm = vectors.clone().square().sum_dim(1).sqrt().add_scalar(1e-12);
    vectors / norm
}
