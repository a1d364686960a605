//! Linear layers of all members at once, and where their values come from.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

use crate::encoder::Weights;
use crate::error::Result;

/// A linear layer of every member: weight `[members, inputs, outputs]`, bias `[members, 1, outputs]`.
#[derive(Module, Debug)]
pub struct Stacked {
    weight: Param<Tensor<3>>,
    bias: Param<Tensor<3>>,
}

/// Name and shape of a layer, and how it starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Name, with dots.
    pub name: String,
    /// `[members, inputs, outputs]`.
    pub shape: [usize; 3],
    /// Whether all weights start at zero: a path that starts silent.
    pub silent: bool,
}

impl Layer {
    /// A layer with random weights at the start.
    pub fn new(name: impl Into<String>, shape: [usize; 3]) -> Self {
        Self {
            name: name.into(),
            shape,
            silent: false,
        }
    }

    /// The same, silent at the start.
    pub fn silent(self) -> Self {
        Self {
            silent: true,
            ..self
        }
    }

    /// Its stored tensors with their shapes.
    pub fn expected_shapes(&self) -> [(String, Vec<usize>); 2] {
        let [members, inputs, outputs] = self.shape;
        [
            (
                format!("{}.weight", self.name),
                vec![members, inputs, outputs],
            ),
            (format!("{}.bias", self.name), vec![members, 1, outputs]),
        ]
    }
}

/// Where layers come from: a file, or fresh random numbers.
pub trait Layers {
    /// The layer described.
    ///
    /// # Errors
    /// `Format` when a stored tensor is missing.
    fn layer(&mut self, layer: &Layer) -> Result<Stacked>;

    /// Where the layers are put.
    fn device(&self) -> &Device;
}

/// Layers read from a heads file, under a prefix.
pub struct StoredLayers<'a> {
    /// The file.
    pub weights: &'a Weights<'a>,
    /// Put before every name.
    pub prefix: String,
    /// Where the layers are put.
    pub device: &'a Device,
}

impl Layers for StoredLayers<'_> {
    fn layer(&mut self, layer: &Layer) -> Result<Stacked> {
        let [members, _, outputs] = layer.shape;
        let values = |part: &str| {
            let name = format!("{}{}.{part}", self.prefix, layer.name);
            self.weights.f32(&name)
        };
        let weight = TensorData::new(values("weight")?, layer.shape);
        let bias = TensorData::new(values("bias")?, [members, 1, outputs]);
        Ok(Stacked::new(weight, bias, self.device))
    }

    fn device(&self) -> &Device {
        self.device
    }
}

impl Stacked {
    /// A layer of these values.
    pub fn new(weight: TensorData, bias: TensorData, device: &Device) -> Self {
        let parameter = |data| Param::from_tensor(Tensor::from_data(data, device));
        Self {
            weight: parameter(weight),
            bias: parameter(bias),
        }
    }

    /// `[members or 1, rows, inputs]` to `[members, rows, outputs]`.
    pub fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        input.matmul(self.weight.val()) + self.bias.val()
    }

    /// Weight and bias under the layer's name.
    pub fn tensors(&self, name: &str) -> [(String, Tensor<3>); 2] {
        [
            (format!("{name}.weight"), self.weight.val()),
            (format!("{name}.bias"), self.bias.val()),
        ]
    }
}

/// `[members, 1, widest]`: 1 in the columns that a member of that size uses, else 0.
pub fn columns(sizes: &[usize], device: &Device) -> Tensor<3> {
    let widest = sizes.iter().copied().max().unwrap_or(0);
    let of = |&size: &usize| (0..widest).map(move |column| f32::from(u8::from(column < size)));
    let values: Vec<f32> = sizes.iter().flat_map(of).collect();
    Tensor::from_data(TensorData::new(values, [sizes.len(), 1, widest]), device)
}

/// One value a member, `[members, 1, 1]`.
pub fn per_member(values: Vec<f32>, device: &Device) -> Tensor<3> {
    let shape = [values.len(), 1, 1];
    Tensor::from_data(TensorData::new(values, shape), device)
}
