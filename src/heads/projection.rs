//! Projection heads on frozen embeddings (the recipe's approach 1), all members at once.
//!
//! Each member projects the pooled segments and the metric into a small space, forms interaction
//! features there and regresses the score with a small MLP; a linear path from the vectors and
//! their products carries what a plain ridge regression would find. Members are stacked along the first
//! axis, so the whole ensemble is a handful of batched products; members of a smaller projection
//! size leave the remaining columns at zero.

use burn::module::{Initializer, Module, Param};
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::activation::gelu;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::encoder::{Pool, Weights};
use crate::error::{Error, ErrorKind, Result};

/// Interaction features, each as wide as the projection.
const FEATURES: usize = 8;

/// Inputs of the linear path, each as wide as the encoder's vectors.
const DIRECT: usize = 4;

/// Pools that are projected, in the order of their weights; the metric comes last.
const PROJECTED: [Pool; 3] = [Pool::System, Pool::User, Pool::Response];

/// Shapes of the stacked members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProjectionConfig {
    /// Width of the encoder's vectors.
    pub width: usize,
    /// Width of the MLP's inner layer.
    pub hidden: usize,
    /// Projection size of each member; its length is the number of members.
    pub projections: Vec<usize>,
    /// Share of features dropped in training.
    pub dropout: f64,
}

/// Standardised inputs of the members.
#[derive(Clone)]
pub struct HeadInputs {
    /// Pooled vectors, `[tasks, POOLS, width]`; zero where a pool has no token.
    pub pools: Tensor<3>,
    /// The metric's vector, `[tasks, width]`.
    pub metric: Tensor<2>,
}

impl HeadInputs {
    /// One pool of every task, `[tasks, width]`.
    pub fn pool(&self, pool: Pool) -> Tensor<2> {
        let [tasks, _, width] = self.pools.dims();
        self.pools
            .clone()
            .narrow(1, pool as usize, 1)
            .reshape([tasks, width])
    }
}

/// A linear layer of every member: weight `[members, inputs, outputs]`, bias `[members, 1, outputs]`.
#[derive(Module, Debug)]
pub struct Stacked {
    weight: Param<Tensor<3>>,
    bias: Param<Tensor<3>>,
}

impl Stacked {
    fn new(members: usize, inputs: usize, outputs: usize, device: &Device) -> Self {
        let initializer = Initializer::XavierNormal { gain: 1.0 };
        let shape = [members, inputs, outputs];
        Self {
            weight: initializer.init_with(shape, Some(inputs), Some(outputs), device),
            bias: Initializer::Zeros.init([members, 1, outputs], device),
        }
    }

    /// The same with all weights zero: a path that starts silent.
    fn zeros(members: usize, inputs: usize, outputs: usize, device: &Device) -> Self {
        Self {
            weight: Initializer::Zeros.init([members, inputs, outputs], device),
            bias: Initializer::Zeros.init([members, 1, outputs], device),
        }
    }

    fn load(name: &str, shape: [usize; 3], weights: &Weights, device: &Device) -> Result<Self> {
        let [members, _, outputs] = shape;
        let tensor = |part: &str, shape: [usize; 3]| -> Result<Param<Tensor<3>>> {
            let values = weights.f32(&format!("{name}.{part}"))?;
            let values = TensorData::new(values, shape);
            Ok(Param::from_tensor(Tensor::from_data(values, device)))
        };
        Ok(Self {
            weight: tensor("weight", shape)?,
            bias: tensor("bias", [members, 1, outputs])?,
        })
    }

    /// `[members or 1, rows, inputs]` to `[members, rows, outputs]`.
    fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        input.matmul(self.weight.val()) + self.bias.val()
    }
}

/// The stacked members.
#[derive(Module, Debug)]
pub struct ProjectionHeads {
    /// Projections of system, user, response and metric.
    inputs: Vec<Stacked>,
    /// Second layer of the metric's projection.
    metric: Stacked,
    hidden: Stacked,
    output: Stacked,
    /// The linear path.
    direct: Stacked,
    /// `[members, 1, projection]`: 1 in the columns a member uses.
    columns: Tensor<3>,
    dropout: Dropout,
}

impl ProjectionConfig {
    /// Checks that members of these shapes can be built.
    ///
    /// # Errors
    /// `Format` when a size is 0 or absurd, or the dropout is not a share below 1.
    pub fn validate(&self) -> Result<()> {
        let mut sizes = self.projections.iter().chain([&self.width, &self.hidden]);
        let fits = sizes.all(|size| (1..=1 << 16).contains(size));
        if fits && !self.projections.is_empty() && (0.0..1.0).contains(&self.dropout) {
            return Ok(());
        }
        let message = format!("the heads' sizes make no sense: {self:?}");
        Err(Error::new(ErrorKind::Format, message))
    }

    /// Largest projection size, the stored width of every member.
    fn projection(&self) -> usize {
        self.projections.iter().copied().max().unwrap_or(0)
    }

    /// Name and `[members, inputs, outputs]` of every layer.
    fn layers(&self) -> Vec<(String, [usize; 3])> {
        let (members, size) = (self.projections.len(), self.projection());
        let inputs = ["system", "user", "response", "metric"];
        let mut layers: Vec<_> = inputs
            .map(|name| (format!("inputs.{name}"), [members, self.width, size]))
            .into();
        layers.push(("metric".into(), [members, size, size]));
        layers.push(("hidden".into(), [members, FEATURES * size, self.hidden]));
        layers.push(("output".into(), [members, self.hidden, 1]));
        layers.push(("direct".into(), [members, DIRECT * self.width, 1]));
        layers
    }

    /// Every stored tensor with its shape.
    pub fn expected_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let layers = self.layers().into_iter();
        layers
            .flat_map(|(name, [members, inputs, outputs])| {
                [
                    (format!("{name}.weight"), vec![members, inputs, outputs]),
                    (format!("{name}.bias"), vec![members, 1, outputs]),
                ]
            })
            .collect()
    }

    /// Fresh members, from the device's seed.
    pub fn init(&self, device: &Device) -> ProjectionHeads {
        let build = |name: &str, [members, inputs, outputs]: [usize; 3]| {
            let layer = if name == "direct" {
                Stacked::zeros
            } else {
                Stacked::new
            };
            Ok(layer(members, inputs, outputs, device))
        };
        self.build(build, device)
            .expect("building fresh layers cannot fail")
    }

    fn build(
        &self,
        mut layer: impl FnMut(&str, [usize; 3]) -> Result<Stacked>,
        device: &Device,
    ) -> Result<ProjectionHeads> {
        let layers = self.layers().into_iter();
        let mut layers = layers
            .map(|(name, shape)| layer(&name, shape))
            .collect::<Result<Vec<_>>>()?;
        let mut last = || layers.pop().expect("layers() lists every layer");
        let (direct, output, hidden, metric) = (last(), last(), last(), last());
        Ok(ProjectionHeads {
            inputs: layers,
            metric,
            hidden,
            output,
            direct,
            columns: self.columns(device),
            dropout: DropoutConfig::new(self.dropout).init(),
        })
    }

    fn columns(&self, device: &Device) -> Tensor<3> {
        let size = self.projection();
        let columns = self.projections.iter();
        let columns =
            columns.flat_map(|&used| (0..size).map(move |c| f32::from(u8::from(c < used))));
        let columns = TensorData::new(
            columns.collect::<Vec<_>>(),
            [self.projections.len(), 1, size],
        );
        Tensor::from_data(columns, device)
    }
}

/// Inputs of the linear path, `[1, tasks, DIRECT x width]`.
fn products(inputs: &HeadInputs) -> Tensor<3> {
    let (user, response) = (inputs.pool(Pool::User), inputs.pool(Pool::Response));
    let products = vec![
        user.clone() * response.clone(),
        response.clone() * inputs.metric.clone(),
        user,
        response,
    ];
    Tensor::cat(products, 1).unsqueeze()
}

impl ProjectionHeads {
    /// Reads the members `config` describes.
    ///
    /// # Errors
    /// `Format` when a tensor is missing.
    pub fn load(config: &ProjectionConfig, weights: &Weights, device: &Device) -> Result<Self> {
        let layer = |name: &str, shape| Stacked::load(name, shape, weights, device);
        config.build(layer, device)
    }

    /// Number of members.
    pub fn config_members(&self) -> usize {
        self.columns.dims()[0]
    }

    /// Name and value of every stored tensor.
    pub fn tensors(&self) -> Vec<(String, Tensor<3>)> {
        let names = [
            "inputs.system",
            "inputs.user",
            "inputs.response",
            "inputs.metric",
        ];
        let inputs = names.into_iter().zip(&self.inputs);
        let rest = [
            ("metric", &self.metric),
            ("hidden", &self.hidden),
            ("output", &self.output),
            ("direct", &self.direct),
        ];
        inputs
            .chain(rest)
            .flat_map(|(name, layer)| {
                [
                    (format!("{name}.weight"), layer.weight.val()),
                    (format!("{name}.bias"), layer.bias.val()),
                ]
            })
            .collect()
    }

    /// Unclamped scores `[members, tasks, 1]`, 0 to 10 in the training data.
    pub fn forward(&self, inputs: HeadInputs) -> Tensor<3> {
        let direct = self.direct.forward(self.dropout.forward(products(&inputs)));
        let [system, user, response] = PROJECTED.map(|pool| {
            let projected = self.inputs[pool as usize].forward(inputs.pool(pool).unsqueeze());
            projected * self.columns.clone()
        });
        let metric = self.inputs[PROJECTED.len()].forward(inputs.metric.unsqueeze());
        let metric =
            self.metric.forward(gelu(metric * self.columns.clone())) * self.columns.clone();
        let features = vec![
            response.clone() * metric.clone(),
            user.clone() * metric.clone(),
            response.clone() * user.clone(),
            system * response.clone(),
            (response.clone() - user.clone()).abs(),
            response,
            user,
            metric,
        ];
        let features = self.dropout.forward(Tensor::cat(features, 2));
        let hidden = self.dropout.forward(gelu(self.hidden.forward(features)));
        let score = self.output.forward(hidden) + direct;
        score.mul_scalar(5.0).add_scalar(5.0)
    }
}
