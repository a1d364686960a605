//! What the members see: standardised vectors and surface features.

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::encoder::{POOLS, Pool, Weights};
use crate::error::Result;
use crate::surface::SURFACE;

/// Standardised inputs of the members.
#[derive(Clone)]
pub struct HeadInputs {
    /// Pooled vectors, `[tasks, POOLS, width]`; zero where a pool has no token.
    pub pools: Tensor<3>,
    /// Surface features, `[tasks, SURFACE]`.
    pub surface: Tensor<2>,
    /// The metric's vector, `[tasks, metric width]`.
    pub metric: Tensor<2>,
}

impl HeadInputs {
    /// Of each member the pool that it uses, `[members, tasks, width]`.
    pub fn slot(&self, pools: &[Pool]) -> Tensor<3> {
        let indices: Vec<i32> = pools.iter().map(|pool| *pool as i32).collect();
        let indices = TensorData::new(indices, [pools.len()]);
        let indices = Tensor::<1, Int>::from_data(indices, &self.pools.device());
        self.pools.clone().select(1, indices).swap_dims(0, 1)
    }

    /// Surface features, `[1, tasks, SURFACE]`.
    pub fn surface(&self) -> Tensor<3> {
        self.surface.clone().unsqueeze()
    }

    /// Metric vectors, `[1, tasks, metric width]`.
    pub fn metric(&self) -> Tensor<3> {
        self.metric.clone().unsqueeze()
    }

    /// How far each task lies from the training data, `[tasks, 1]`: the mean square of its
    /// standardised vectors of prompt and answer, about 1 for a text like those.
    pub fn novelty(&self) -> Tensor<2> {
        let [tasks, _, width] = self.pools.dims();
        let both = self.pools.clone().narrow(1, Pool::User as usize, 2);
        both.reshape([tasks, 2 * width]).square().mean_dim(1)
    }
}

/// A table of means and one of inverse deviations of one kind of input.
#[derive(Clone, Debug)]
pub struct Moments {
    /// `[rows, width]`.
    pub mean: Vec<f32>,
    /// `[rows, width]`: one over the standard deviation, 0 for a constant feature.
    pub scale: Vec<f32>,
    /// Values of a row.
    pub width: usize,
}

impl Moments {
    fn load(name: &str, weights: &Weights, width: usize) -> Result<Self> {
        Ok(Self {
            mean: weights.f32(&format!("{name}.mean"))?,
            scale: weights.f32(&format!("{name}.scale"))?,
            width,
        })
    }

    /// Number of rows of the tables.
    pub fn rows(&self) -> usize {
        self.mean.len() / self.width
    }

    /// `values` `[n, rows, width]`, standardised.
    fn apply(&self, values: Tensor<3>) -> Tensor<3> {
        let device = values.device();
        let table = |values: &[f32]| {
            let data = TensorData::new(values.to_vec(), [1, self.rows(), self.width]);
            Tensor::<3>::from_data(data, &device)
        };
        (values - table(&self.mean)) * table(&self.scale)
    }
}

/// Means and scales of the training data, by which inputs are standardised.
///
/// A pool without a token becomes zero, the mean, rather than an outlier.
#[derive(Clone, Debug)]
pub struct Standard {
    /// Of the pools, one row each.
    pub pools: Moments,
    /// Of the surface features.
    pub surface: Moments,
    /// Of the metrics' vectors.
    pub metric: Moments,
}

impl Standard {
    /// Names and shapes of the stored tables.
    pub fn expected_shapes(width: usize, metric_width: usize) -> Vec<(String, Vec<usize>)> {
        let tables = [
            ("pools", POOLS, width),
            ("surface", 1, SURFACE),
            ("metric", 1, metric_width),
        ];
        let shapes = tables.into_iter().flat_map(|(name, rows, width)| {
            ["mean", "scale"].map(|part| (format!("standard.{name}.{part}"), vec![rows, width]))
        });
        shapes.collect()
    }

    /// Reads the tables.
    ///
    /// # Errors
    /// `Format` when one is missing.
    pub fn load(weights: &Weights, width: usize, metric_width: usize) -> Result<Self> {
        Ok(Self {
            pools: Moments::load("standard.pools", weights, width)?,
            surface: Moments::load("standard.surface", weights, SURFACE)?,
            metric: Moments::load("standard.metric", weights, metric_width)?,
        })
    }

    /// The tables under the names they are stored by, with their shapes.
    pub fn tables(&self) -> Vec<(String, [usize; 2], &[f32])> {
        let kinds = [
            ("pools", &self.pools),
            ("surface", &self.surface),
            ("metric", &self.metric),
        ];
        let tables = kinds.into_iter().flat_map(|(name, moments)| {
            let shape = [moments.rows(), moments.width];
            [("mean", &moments.mean), ("scale", &moments.scale)]
                .map(|(part, values)| (format!("standard.{name}.{part}"), shape, values.as_slice()))
        });
        tables.collect()
    }

    /// Standardised inputs from `pools` `[tasks, POOLS, width]`, `present` (`[tasks, POOLS]`, 1
    /// where the pool has a token, else 0), `surface` (`[tasks, SURFACE]`) and `metric`
    /// `[tasks, metric width]`.
    pub fn apply(
        &self,
        pools: Tensor<3>,
        present: &[f32],
        surface: &[f32],
        metric: Tensor<2>,
    ) -> HeadInputs {
        let device = metric.device();
        let tasks = metric.dims()[0];
        let present = tensor(present, [tasks, POOLS, 1], &device);
        let surface = tensor(surface, [tasks, 1, SURFACE], &device);
        // Three deviations are far enough: an odd text must not throw the score off the scale.
        let surface = self.surface.apply(surface).clamp(-3.0, 3.0);
        HeadInputs {
            pools: self.pools.apply(pools) * present,
            surface: surface.reshape([tasks, SURFACE]),
            metric: self.metrics(metric),
        }
    }

    /// Standardised metric vectors, `[n, metric width]`.
    pub fn metrics(&self, metric: Tensor<2>) -> Tensor<2> {
        let shape = metric.dims();
        let [n, width] = shape;
        self.metric
            .apply(metric.reshape([n, 1, width]))
            .reshape(shape)
    }
}

fn tensor(values: &[f32], shape: [usize; 3], device: &Device) -> Tensor<3> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}
