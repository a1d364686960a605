//! Where a metric lies among the anchors.

use burn::tensor::{Tensor, TensorData};

use super::Scorer;
use super::embedder::{embedding, read};
use super::output::Nearest;
use super::pause::Pause;
use super::prepared::Vector;
use crate::error::Result;
use crate::metric::Metric;

impl Scorer {
    /// The anchors nearest to `metric`, best first, without itself. A name the heads have an anchor
    /// of is that anchor; any other is known by its definition.
    ///
    /// # Errors
    /// `Metric` when a metric of one's own has no definition, `Device` when the backend fails, and
    /// what `pause` ends with.
    pub async fn locate(&self, metric: &Metric, pause: &impl Pause) -> Result<Vec<Nearest>> {
        let definition = Some(metric.definition.as_str());
        let target = self.target(&metric.name, || Metric::resolve(&metric.name, definition))?;
        let vector = match &target.vector {
            Vector::Anchor(index) => self.heads.anchor(*index).to_vec(),
            Vector::Own(passage) => {
                let pooled = self.embedder.pool(&[passage], pause).await?;
                embedding(&pooled, self.embedder.encoder.width())
            }
        };
        let mut similarities = self.likeness(&vector).await?;
        if let Vector::Anchor(index) = target.vector {
            similarities[index] = f32::NEG_INFINITY;
        }
        let mut nearest = self.nearest(&similarities);
        nearest.retain(|anchor| anchor.metric != target.name);
        Ok(nearest)
    }

    /// Cosines of every anchor to every anchor, `[metrics x metrics]`, see [`crate::heads::Heads::likeness`].
    ///
    /// # Errors
    /// `Device` when the backend fails.
    pub async fn anchor_likeness(&self) -> Result<Vec<f32>> {
        self.likeness(self.heads.anchors()).await
    }

    async fn likeness(&self, vectors: &[f32]) -> Result<Vec<f32>> {
        let width = self.info.config.metric_width;
        let vectors = TensorData::new(vectors.to_vec(), [vectors.len() / width, width]);
        let vectors = Tensor::<2>::from_data(vectors, &self.device);
        read(self.heads.likeness(vectors)).await
    }
}
