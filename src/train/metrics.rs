//! The metrics of a run by number: names, parents, vectors, and further wordings of each.

use std::collections::HashMap;

use super::cache::{Cache, key};
use super::dataset::Rows;
use super::vectors::MetricVectors;
use crate::encoder::Pool;
use crate::error::{Error, ErrorKind, Result};
use crate::metric::{self, Metric};
use crate::text::Template;
use crate::tokenizer::{Passage, Tokenizer};

/// The metrics of a run: those that become anchors first, then the rows' own.
pub struct Metrics {
    metrics: Vec<Metric>,
    /// How many become anchors.
    anchors: usize,
    /// `[metrics, width]`; unit vectors where they come from the encoder.
    vectors: Vec<f32>,
    /// Of each metric, further vectors `[wordings, width]`, of parts of its text.
    wordings: Vec<Vec<f32>>,
    width: usize,
    given: bool,
}

impl Metrics {
    /// The metrics of `rows` and each row's metric by number. The anchors are the catalogue or the
    /// metrics that were `given` vectors.
    ///
    /// # Errors
    /// `Data` when vectors were given but not for a row's metric.
    pub fn of(rows: &Rows, given: Option<&MetricVectors>) -> Result<(Self, Vec<usize>)> {
        let mut metrics: Vec<Metric> = match given {
            Some(given) => given.names.iter().map(|name| named(name)).collect(),
            None => metric::catalogue().to_vec(),
        };
        let anchors = metrics.len();
        let identity = |metric: &Metric| match given {
            Some(_) => metric.name.clone(),
            None => metric.text(),
        };
        let numbers = metrics.iter().map(identity).zip(0..);
        let mut numbers: HashMap<String, usize> = numbers.collect();
        let mut of = Vec::with_capacity(rows.examples.len());
        for example in &rows.examples {
            let known = numbers.get(&identity(&example.metric)).copied();
            let number = match (known, given) {
                (Some(number), _) => number,
                (None, Some(given)) => return Err(without_vector(&example.metric.name, given)),
                (None, None) => {
                    metrics.push(example.metric.clone());
                    numbers.insert(identity(&example.metric), metrics.len() - 1);
                    metrics.len() - 1
                }
            };
            of.push(number);
        }
        let (width, vectors) = given.map_or((0, Vec::new()), |g| (g.width, g.values.clone()));
        let found = Self {
            wordings: vec![Vec::new(); metrics.len()],
            metrics,
            anchors,
            vectors,
            width,
            given: given.is_some(),
        };
        Ok((found, of))
    }

    /// What has to be encoded: each metric's text, definition and, for the catalogue, title, one
    /// after another; nothing where vectors were given.
    ///
    /// # Errors
    /// As [`Tokenizer::passage`].
    pub fn passages(&self, tokenizer: &Tokenizer, template: &Template) -> Result<Vec<Passage>> {
        if self.given {
            return Ok(Vec::new());
        }
        let texts = self.metrics.iter().flat_map(texts);
        texts
            .map(|text| tokenizer.passage(&text, template))
            .collect()
    }

    /// The same with the vectors of [`Self::passages`], each `width` wide.
    pub fn embedded(mut self, passages: &[Passage], width: usize, cache: &Cache) -> Self {
        if self.given {
            return self;
        }
        let mut vectors = passages.iter().map(|passage| {
            let pools = cache.get(&key(passage)).expect("encoded before");
            unit(&pools[Pool::All as usize * width..][..width])
        });
        self.width = width;
        for (metric, wordings) in self.metrics.iter().zip(&mut self.wordings) {
            self.vectors
                .extend(vectors.next().expect("one vector a text"));
            let others = texts(metric).len() - 1;
            *wordings = vectors.by_ref().take(others).flatten().collect();
        }
        self
    }

    /// Number of metrics.
    pub fn len(&self) -> usize {
        self.metrics.len()
    }

    /// Width of a metric's vector.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Whether vectors were given instead of texts.
    pub fn given(&self) -> bool {
        self.given
    }

    /// Metric number `index`.
    pub fn get(&self, index: usize) -> &Metric {
        &self.metrics[index]
    }

    /// Its vector.
    pub fn vector(&self, index: usize) -> &[f32] {
        &self.vectors[index * self.width..][..self.width]
    }

    /// Vectors of parts of its text, `[wordings, width]`; may be none.
    pub fn wordings(&self, index: usize) -> &[f32] {
        &self.wordings[index]
    }

    /// Names of the anchors.
    pub fn anchor_names(&self) -> Vec<String> {
        let anchors = self.metrics[..self.anchors].iter();
        anchors.map(|metric| metric.name.clone()).collect()
    }

    /// Vectors of the anchors, `[anchors, width]`.
    pub fn anchor_vectors(&self) -> &[f32] {
        &self.vectors[..self.anchors * self.width]
    }

    /// Unit vectors of all metrics around their mean, `[metrics, width]`: their cosines tell how
    /// near two metrics are.
    pub fn directions(&self) -> Vec<f32> {
        crate::heads::directions(&self.vectors, self.width)
    }

    /// Whether two metrics are one, or of one parent: no such pair is a contrast.
    pub fn related(&self, a: usize, b: usize) -> bool {
        a == b || self.family(a) == self.family(b)
    }

    /// The parent's name, or that of a metric without one.
    pub fn family(&self, index: usize) -> &str {
        let metric = &self.metrics[index];
        metric.parent.as_deref().unwrap_or(&metric.name)
    }
}

/// The texts of a metric whose vectors may stand for it, the whole first.
fn texts(metric: &Metric) -> Vec<String> {
    let mut texts = vec![metric.text(), metric.definition.clone()];
    // The name of a rubric says too little to stand alone.
    texts.extend(metric::find(&metric.name).map(|metric| metric.title.clone()));
    texts
}

/// The catalogue's metric of that name, or a bare one.
pub fn named(name: &str) -> Metric {
    metric::find(name).cloned().unwrap_or_else(|| Metric {
        name: name.into(),
        parent: name.split_once('/').map(|(parent, _)| parent.into()),
        title: name.into(),
        definition: String::new(),
    })
}

fn unit(vector: &[f32]) -> Vec<f32> {
    let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    vector.iter().map(|value| value / norm.max(1e-12)).collect()
}

fn without_vector(name: &str, given: &MetricVectors) -> Error {
    let message = format!(
        "a row's metric is `{name}`, which is not among the {} metrics with a vector: the names \
         file and the rows do not belong together",
        given.names.len()
    );
    Error::new(ErrorKind::Data, message)
}
