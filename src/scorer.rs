//! The one scorer behind the page, the widget, the command line and the evaluation.

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use unicode_script::{Script, UnicodeScript};

use crate::bundle::{Bundle, ENCODER, HEADS, TOKENIZER};
use crate::encoder::{Encoder, POOLS, Pool, Weights, slot_weights};
use crate::error::{Error, ErrorKind, Result};
use crate::heads::{AnchorKind, Calibrated, Doubt, Heads, HeadsInfo, Raw, Support, Verdict};
use crate::metric::{self, Metric};
use crate::surface::{SURFACE, surface};
use crate::text::{SEGMENTS, Segment, Task, Template};
use crate::tokenizer::{Passage, Tokenizer};

/// Anchors reported with a score.
const NEAREST: usize = 10;

/// Where the arithmetic runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// burn flex, native or in wasm.
    Cpu,
    /// The browser's WebGPU.
    WebGpu,
    /// A native GPU.
    Gpu,
}

/// A metric near the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nearest {
    /// Name in the catalogue.
    pub metric: String,
    /// Cosine of the text's point to the anchor, in the heads' joint space (mean over its members)
    /// or, where they have none, of the encoder's vectors around their means; -1 to 1.
    pub similarity: f32,
}

/// Tokens kept of a text that was too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truncated {
    /// Tokens the score rests on.
    pub kept: usize,
    /// Tokens there were.
    pub of: usize,
}

/// What a score was made with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// SHA-256 of the bundle's manifest.
    pub bundle: String,
    /// Where it ran.
    pub backend: Backend,
    /// Type of the arithmetic.
    pub dtype: String,
    /// Version of touchstone.
    pub version: String,
    /// Tokens the encoder saw.
    pub tokens: usize,
}

/// The one output; 10 is always the desired behaviour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Mean of the members, calibrated where held-out rows allow it; 0 to 10.
    pub score: f32,
    /// The nearest whole score.
    pub rounded: u8,
    /// Where a judge's score is expected, where the heads were calibrated.
    pub interval: Option<[f32; 2]>,
    /// Share of judged scores inside such intervals on unseen prompts of the training data's kind;
    /// none where nothing can be claimed (support is not `judged`).
    pub coverage: Option<f32>,
    /// What kind of examples the score rests on.
    pub support: Support,
    /// Whether the score should be read as "not sure".
    pub abstain: bool,
    /// Why, where it should.
    pub doubts: Vec<Doubt>,
    /// Score of each ensemble member.
    pub members: Vec<f32>,
    /// The nearest metric anchors, best first.
    pub anchors: Vec<Nearest>,
    /// Set when something was cut off.
    pub truncated: Option<Truncated>,
    /// What the score was made with.
    pub receipt: Receipt,
}

/// What a page tells about a scorer.
#[derive(Serialize)]
pub struct Summary<'a> {
    bundle: &'a str,
    backend: Backend,
    version: &'static str,
    members: usize,
    training: &'a serde_json::Value,
    evaluation: &'a serde_json::Value,
}

/// Tokenizer and encoder: texts to vectors.
pub struct Embedder {
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// The encoder.
    pub encoder: Encoder,
}

impl Embedder {
    /// Takes tokenizer and encoder out of `bundle`; `buckets` as in [`Encoder::load`].
    ///
    /// # Errors
    /// As [`Bundle::take`], [`Tokenizer::from_bytes`] and [`Encoder::load`]; `Shape` when the
    /// tokenizer has more ids than the encoder has rows.
    pub fn load(bundle: &mut Bundle, buckets: bool, device: &Device) -> Result<Self> {
        let tokenizer = Tokenizer::from_bytes(&bundle.take(TOKENIZER)?)?;
        let info = bundle.manifest.encoder.clone();
        tokenizer.check_fit(info.config.vocab_size())?;
        let bytes = bundle.take(ENCODER)?;
        let weights = Weights::from_bytes(ENCODER, &bytes)?;
        let encoder = info.load(&weights, buckets, device)?;
        Ok(Self { tokenizer, encoder })
    }

    /// Pooled vectors of `passages`, `[passages x POOLS x width]`, read back to the CPU.
    ///
    /// # Errors
    /// As [`Encoder::pool`]; `Device` when the backend fails.
    pub async fn pool(&self, passages: &[&Passage]) -> Result<Vec<f32>> {
        read(self.encoder.pool(passages)?).await
    }

    /// The encoder's own embedding of each passage (its own pooling, L2-normalised),
    /// `[passages x width]`.
    ///
    /// # Errors
    /// As [`Self::pool`].
    pub async fn embed(&self, passages: &[&Passage]) -> Result<Vec<f32>> {
        let pooled = self.encoder.pool(passages)?;
        read(normalise(all_pool(pooled))).await
    }
}

/// An encoder with heads.
pub struct Scorer {
    embedder: Embedder,
    heads: Heads,
    info: HeadsInfo,
    bundle: String,
    backend: Backend,
}

impl Scorer {
    /// Loads a whole bundle onto `device`.
    ///
    /// # Errors
    /// As [`Embedder::load`], [`Bundle::heads_info`] and [`Heads::load`].
    pub fn load(mut bundle: Bundle, backend: Backend, device: &Device) -> Result<Self> {
        let info = bundle.heads_info()?.clone();
        let bytes = bundle.take(HEADS)?;
        let weights = Weights::from_bytes(HEADS, &bytes)?;
        let heads = Heads::load(&info, &weights, device)?;
        let embedder = Embedder::load(&mut bundle, backend != Backend::Cpu, device)?;
        if embedder.encoder.width() != info.config.width {
            let message = format!(
                "the heads expect vectors {} wide, the encoder makes {}",
                info.config.width,
                embedder.encoder.width()
            );
            return Err(Error::new(ErrorKind::Shape, message));
        }
        Ok(Self {
            embedder,
            heads,
            info,
            bundle: bundle.id,
            backend,
        })
    }

    /// What is recorded about the heads.
    pub fn info(&self) -> &HeadsInfo {
        &self.info
    }

    /// Where the arithmetic runs.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// SHA-256 of the bundle's manifest.
    pub fn bundle(&self) -> &str {
        &self.bundle
    }

    /// What a page tells about the scorer.
    pub fn summary(&self) -> Summary<'_> {
        Summary {
            bundle: &self.bundle,
            backend: self.backend,
            version: env!("CARGO_PKG_VERSION"),
            members: self.info.config.members(),
            training: &self.info.training,
            evaluation: &self.info.evaluation,
        }
    }

    /// Runs a short text through everything, so that kernels are compiled before the first score.
    ///
    /// # Errors
    /// As [`Self::score`].
    pub async fn warm_up(&self) -> Result<()> {
        let task = Task {
            metric: self.info.anchors.first().cloned().unwrap_or_default(),
            user: "?".into(),
            response: "!".into(),
            ..Task::default()
        };
        self.score(&task).await.map(|_| ())
    }

    /// Tokens that scoring `task` costs, the unit of token budgets.
    ///
    /// # Errors
    /// As [`Self::score`], but nothing is encoded.
    pub fn tokens(&self, task: &Task) -> Result<usize> {
        Ok(self.prepare(task)?.tokens())
    }

    /// Scores one task.
    ///
    /// # Errors
    /// `Input` for an empty answer or a text that is too long, `Metric` for an unknown metric,
    /// `Device` when the backend fails or returns numbers that are not finite.
    pub async fn score(&self, task: &Task) -> Result<Score> {
        let mut scores = self.score_batch(std::slice::from_ref(task)).await?;
        Ok(scores.remove(0))
    }

    /// Scores several tasks in one pass; a score does not depend on its batch.
    ///
    /// # Errors
    /// As [`Self::score`], for the first task that fails.
    pub async fn score_batch(&self, tasks: &[Task]) -> Result<Vec<Score>> {
        let prepared = tasks.iter().map(|task| self.prepare(task));
        let prepared = prepared.collect::<Result<Vec<_>>>()?;
        if prepared.is_empty() {
            return Ok(Vec::new());
        }
        let values = read(self.forward(&prepared)?).await?;
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            let message = format!(
                "the {:?} backend returned {value} instead of a score",
                self.backend
            );
            return Err(Error::new(ErrorKind::Device, message));
        }
        let verdicts = self.heads.verdicts(&values);
        let rows = prepared.iter().zip(verdicts);
        Ok(rows
            .map(|(task, verdict)| self.report(task, verdict))
            .collect())
    }

    fn prepare<'a>(&self, task: &'a Task) -> Result<Prepared<'a>> {
        task.validate()?;
        let template = &self.info.template;
        let tokenizer = &self.embedder.tokenizer;
        let anchor = (self.info.anchors.iter()).position(|name| *name == task.metric);
        let own = match (anchor, self.info.anchor_kind) {
            (Some(_), _) => None,
            (None, AnchorKind::Text) => {
                Some(tokenizer.passage(&Metric::of_task(task)?.text(), template)?)
            }
            (None, AnchorKind::Given) => return Err(without_vector(&task.metric)),
        };
        let passages = tokenizer.passages(task.segments(), template)?;
        let surface = surface(task);
        if present(&passages)[Segment::Response as usize] == 0.0 {
            let message = "no token of the answer is left to score";
            return Err(Error::new(ErrorKind::Input, message));
        }
        Ok(Prepared {
            task,
            passages,
            surface,
            anchor,
            own,
        })
    }

    /// The heads' rows of each task, see [`Heads::forward`].
    fn forward(&self, tasks: &[Prepared]) -> Result<Tensor<2>> {
        let passages: Vec<&Passage> = tasks.iter().flat_map(Prepared::all_passages).collect();
        let pooled = self.embedder.encoder.pool(&passages)?;
        let pools = self.task_pools(tasks, &pooled);
        let metrics = self.metric_vectors(tasks, pooled);
        let present: Vec<f32> = tasks.iter().flat_map(Prepared::present).collect();
        let surface: Vec<f32> = tasks.iter().flat_map(|task| task.surface).collect();
        Ok(self.heads.forward(pools, &present, &surface, metrics))
    }

    /// Pools of each task from those of its passages, `[tasks, POOLS, width]`.
    fn task_pools(&self, tasks: &[Prepared], pooled: &Tensor<3>) -> Tensor<3> {
        let [count, _, width] = pooled.dims();
        let mut weights = vec![0.0; tasks.len() * POOLS * count * POOLS];
        let mut first = 0;
        for (index, task) in tasks.iter().enumerate() {
            let own = slot_weights(&task.passages);
            for (cell, weight) in own.iter().enumerate() {
                let (pool, passage) = (cell / task.passages.len(), cell % task.passages.len());
                let row = index * POOLS + pool;
                weights[row * count * POOLS + (first + passage) * POOLS + pool] = *weight;
            }
            first += task.all_passages().count();
        }
        let weights = TensorData::new(weights, [tasks.len() * POOLS, count * POOLS]);
        let weights = Tensor::<2>::from_data(weights, &pooled.device());
        let pools = weights.matmul(pooled.clone().reshape([count * POOLS, width]));
        pools.reshape([tasks.len(), POOLS, width])
    }

    /// The metric's vector of each task, `[tasks, width]`: the catalogue's anchor or, for an own
    /// metric, the embedding just made of its text.
    fn metric_vectors(&self, tasks: &[Prepared], pooled: Tensor<3>) -> Tensor<2> {
        let count = pooled.dims()[0];
        let width = self.info.config.metric_width;
        let device = pooled.device();
        let mut known = vec![0.0; tasks.len() * width];
        let mut select = vec![0.0; tasks.len() * count];
        let mut first = 0;
        for (index, task) in tasks.iter().enumerate() {
            match task.anchor {
                Some(anchor) => {
                    known[index * width..][..width].copy_from_slice(self.heads.anchor(anchor));
                }
                None => select[index * count + first + task.passages.len()] = 1.0,
            }
            first += task.all_passages().count();
        }
        let known = Tensor::<2>::from_data(TensorData::new(known, [tasks.len(), width]), &device);
        if tasks.iter().all(|task| task.anchor.is_some()) {
            return known;
        }
        let select = TensorData::new(select, [tasks.len(), count]);
        let own = Tensor::<2>::from_data(select, &device).matmul(all_pool(pooled));
        known + normalise(own)
    }

    fn report(&self, task: &Prepared, verdict: Verdict) -> Score {
        let metric = &task.task.metric;
        let support = self.info.support(metric, script(&task.task.response));
        let calibrated = self.calibrate(verdict.raw, metric, support);
        let interval = self.info.calibration.as_ref().map(|_| calibrated.interval);
        Score {
            score: calibrated.score,
            rounded: calibrated.score.round() as u8,
            interval,
            coverage: calibrated.coverage,
            support,
            abstain: !calibrated.doubts.is_empty(),
            doubts: calibrated.doubts,
            members: verdict.members,
            anchors: self.nearest(&verdict.similarities),
            truncated: task.truncated(),
            receipt: Receipt {
                bundle: self.bundle.clone(),
                backend: self.backend,
                dtype: "f32".into(),
                version: env!("CARGO_PKG_VERSION").into(),
                tokens: task.tokens(),
            },
        }
    }

    /// The calibrated score; heads without a calibration only doubt what they have no example of.
    fn calibrate(&self, raw: Raw, metric: &str, support: Support) -> Calibrated {
        match &self.info.calibration {
            Some(calibration) => calibration.apply(raw, metric, support),
            None => Calibrated {
                score: raw.score,
                interval: [0.0, 10.0],
                coverage: None,
                doubts: match support {
                    Support::Text => vec![Doubt::NoExamples],
                    Support::Judged | Support::Synthetic => Vec::new(),
                },
            },
        }
    }

    fn nearest(&self, similarities: &[f32]) -> Vec<Nearest> {
        let mut order: Vec<usize> = (0..similarities.len()).collect();
        order.sort_by(|&a, &b| similarities[b].total_cmp(&similarities[a]));
        let nearest = order.into_iter().take(NEAREST).map(|index| Nearest {
            metric: self.info.anchors[index].clone(),
            similarity: similarities[index],
        });
        nearest.collect()
    }
}

/// A task after tokenization.
struct Prepared<'a> {
    task: &'a Task,
    passages: Vec<Passage>,
    surface: [f32; SURFACE],
    anchor: Option<usize>,
    own: Option<Passage>,
}

impl Prepared<'_> {
    /// The task's passages and, last, its own metric's.
    fn all_passages(&self) -> impl Iterator<Item = &Passage> {
        self.passages.iter().chain(&self.own)
    }

    fn tokens(&self) -> usize {
        self.all_passages().map(Passage::len).sum()
    }

    fn present(&self) -> [f32; POOLS] {
        present(&self.passages)
    }

    fn truncated(&self) -> Option<Truncated> {
        let kept = self.all_passages().map(|passage| passage.kept).sum();
        let of = self.all_passages().map(|passage| passage.of).sum();
        (kept < of).then_some(Truncated { kept, of })
    }
}

fn without_vector(metric: &str) -> Error {
    let message = format!(
        "`{metric}` is not among the metrics these heads were given vectors of; metrics in your \
         own words need heads trained on the metrics' texts"
    );
    Error::new(ErrorKind::Metric, message)
}

/// Which pools of a task hold a token: 1 or 0.
pub fn present(passages: &[Passage]) -> [f32; POOLS] {
    let mut present = [1.0; POOLS];
    for (segment, present) in present.iter_mut().enumerate().take(SEGMENTS) {
        let tokens: usize = passages
            .iter()
            .map(|passage| passage.counts()[segment])
            .sum();
        *present = f32::from(u8::from(tokens > 0));
    }
    present
}

/// Name of the script most letters of `text` are written in; `Common` when there is no letter.
pub fn script(text: &str) -> &'static str {
    let mut counts: Vec<(Script, usize)> = Vec::new();
    for letter in text.chars() {
        let script = letter.script();
        if matches!(script, Script::Common | Script::Inherited | Script::Unknown) {
            continue;
        }
        match counts.iter_mut().find(|(known, _)| *known == script) {
            Some((_, count)) => *count += 1,
            None => counts.push((script, 1)),
        }
    }
    let most = counts.iter().max_by_key(|(_, count)| *count);
    most.map_or(Script::Common, |(script, _)| *script)
        .full_name()
}

/// The catalogue's texts as passages, in its order: what anchors are embedded from.
///
/// # Errors
/// As [`Tokenizer::passage`].
pub fn anchor_passages(tokenizer: &Tokenizer, template: &Template) -> Result<Vec<Passage>> {
    let metrics = metric::catalogue().iter();
    metrics
        .map(|metric| tokenizer.passage(&metric.text(), template))
        .collect()
}

fn all_pool(pooled: Tensor<3>) -> Tensor<2> {
    let [count, _, width] = pooled.dims();
    pooled
        .narrow(1, Pool::All as usize, 1)
        .reshape([count, width])
}

/// Rows of length 1, `[rows, width]`.
pub(crate) fn normalise(vectors: Tensor<2>) -> Tensor<2> {
    let norm = vectors.clone().square().sum_dim(1).sqrt().add_scalar(1e-12);
    vectors / norm
}

/// The one awaited read: values of a tensor, row-major.
async fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let failed = |error: String| {
        Error::new(
            ErrorKind::Device,
            format!("the compute device failed: {error}"),
        )
    };
    let data = tensor
        .into_data_async()
        .await
        .map_err(|error| failed(format!("{error:?}")))?;
    data.try_into_vec::<f32>()
        .map_err(|error| failed(format!("{error:?}")))
}

#[cfg(test)]
mod tests {
    use super::script;

    #[test]
    fn the_script_of_most_letters_wins() {
        assert_eq!(script("नमस्ते world, कैसे हैं आप"), "Devanagari");
        assert_eq!(script("hello 123 நன்றி thanks"), "Latin");
        assert_eq!(script("123 !?"), "Common");
    }
}
