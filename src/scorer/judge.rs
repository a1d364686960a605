//! From prepared texts and metrics to what the heads say of them.

use burn::tensor::{Tensor, TensorData};

use super::Scorer;
use super::embedder::{embedding, read};
use super::pause::Pause;
use super::prepared::{Distinct, Target, Text, Vector, present};
use crate::encoder::POOLS;
use crate::error::{Error, ErrorKind, Result};
use crate::heads::Verdict;

/// Rows the heads get at a time.
const HEAD_ROWS: usize = 256;

/// Vectors of every text and metric of one call.
struct Vectors {
    /// `[POOLS x width]` of each text.
    texts: Vec<Vec<f32>>,
    /// `[metric width]` of each metric.
    metrics: Vec<Vec<f32>>,
}

/// Where a metric's vector is found.
enum Source {
    Anchor(usize),
    Passage(usize),
}

impl Scorer {
    /// What the heads say of each row, a text and a metric by their numbers. Every distinct passage
    /// is encoded once, and a verdict does not depend on its batch.
    ///
    /// # Errors
    /// The whole call: `Device` when the backend fails, what `pause` ends with. A single row:
    /// `Device` when its numbers are not finite.
    pub(super) async fn judge(
        &self,
        texts: &[&Text],
        targets: &[&Target],
        rows: &[(usize, usize)],
        pause: &impl Pause,
    ) -> Result<Vec<Result<Verdict>>> {
        let vectors = self.vectors(texts, targets, pause).await?;
        let mut verdicts = Vec::with_capacity(rows.len());
        for rows in rows.chunks(HEAD_ROWS) {
            pause.pause().await?;
            let values = read(self.ask_heads(texts, &vectors, rows)).await?;
            let found = values.chunks_exact(values.len() / rows.len());
            verdicts.extend(found.map(|row| self.verdict(row)));
        }
        Ok(verdicts)
    }

    async fn vectors(
        &self,
        texts: &[&Text],
        targets: &[&Target],
        pause: &impl Pause,
    ) -> Result<Vectors> {
        let mut distinct = Distinct::default();
        let mut numbers = Vec::with_capacity(texts.len());
        for text in texts {
            let passages = text.passages.iter();
            numbers.push(passages.map(|p| distinct.add(p)).collect::<Vec<_>>());
        }
        let mut sources = Vec::with_capacity(targets.len());
        for target in targets {
            sources.push(match &target.vector {
                Vector::Anchor(index) => Source::Anchor(*index),
                Vector::Own(passage) => Source::Passage(distinct.add(passage)),
            });
        }
        let pooled = self.embedder.pool(&distinct.passages, pause).await?;
        let width = self.embedder.encoder.width();
        let pools: Vec<&[f32]> = pooled.chunks_exact(POOLS * width).collect();
        let texts = texts.iter().zip(numbers).map(|(text, numbers)| {
            let passages: Vec<&[f32]> = numbers.into_iter().map(|number| pools[number]).collect();
            text.pools(&passages, width)
        });
        let metrics = sources.into_iter().map(|source| match source {
            Source::Anchor(index) => self.heads.anchor(index).to_vec(),
            Source::Passage(number) => embedding(pools[number], width),
        });
        Ok(Vectors {
            texts: texts.collect(),
            metrics: metrics.collect(),
        })
    }

    /// See [`crate::heads::Heads::forward`].
    fn ask_heads(&self, texts: &[&Text], vectors: &Vectors, rows: &[(usize, usize)]) -> Tensor<2> {
        let (mut pools, mut metrics) = (Vec::new(), Vec::new());
        let (mut held, mut surface) = (Vec::new(), Vec::new());
        for &(text, metric) in rows {
            pools.extend_from_slice(&vectors.texts[text]);
            metrics.extend_from_slice(&vectors.metrics[metric]);
            held.extend(present(&texts[text].passages));
            surface.extend(texts[text].surface);
        }
        let width = self.embedder.encoder.width();
        let pools = TensorData::new(pools, [rows.len(), POOLS, width]);
        let metrics = TensorData::new(metrics, [rows.len(), self.info.config.metric_width]);
        let pools = Tensor::<3>::from_data(pools, &self.device);
        let metrics = Tensor::<2>::from_data(metrics, &self.device);
        self.heads.forward(pools, &held, &surface, metrics)
    }

    fn verdict(&self, row: &[f32]) -> Result<Verdict> {
        if let Some(value) = row.iter().find(|value| !value.is_finite()) {
            let backend = self.backend;
            let message = format!("the {backend:?} backend returned {value} instead of a score");
            return Err(Error::new(ErrorKind::Device, message));
        }
        Ok(self.heads.verdict(row))
    }
}
