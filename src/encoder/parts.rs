//! Building blocks of burn from a checkpoint's tensors.

use burn::module::Param;
use burn::nn::{LayerNorm, LayerNormConfig, Linear, RmsNorm, RmsNormConfig};
use burn::tensor::{Device, Tensor, TensorData};

use super::weights::Weights;
use crate::error::Result;

/// Reads modules from `weights` onto `device`.
pub(super) struct Parts<'a> {
    pub weights: &'a Weights<'a>,
    pub device: &'a Device,
}

impl Parts<'_> {
    /// The named products side by side, `[inputs, sum of outputs]`, transposed from the
    /// checkpoint's `[outputs, inputs]`; with their biases if they have any.
    pub(super) fn linear(&self, names: &[String], has_bias: bool) -> Result<Linear> {
        let (columns, biases) = self.weights.stacked(names, has_bias)?;
        let shapes = names.iter().map(|name| format!("{name}.weight"));
        let shapes = shapes.filter_map(|name| self.weights.shape(&name));
        let outputs: usize = shapes.map(|shape| shape[0]).sum();
        let inputs = columns.len() / outputs;
        let weight = TensorData::new(transpose(&columns, inputs), [inputs, outputs]);
        Ok(Linear {
            weight: Param::from_tensor(Tensor::from_data(weight, self.device)),
            bias: has_bias.then(|| Param::from_tensor(self.vector(biases))),
        })
    }

    pub(super) fn layer_norm(&self, name: &str, epsilon: f64) -> Result<LayerNorm> {
        let gamma = self.weights.f32(&format!("{name}.weight"))?;
        let beta = self.weights.f32(&format!("{name}.bias"))?;
        let config = LayerNormConfig::new(gamma.len()).with_epsilon(epsilon);
        let mut norm = config.init(self.device);
        norm.gamma = Param::from_tensor(self.vector(gamma));
        norm.beta = Some(Param::from_tensor(self.vector(beta)));
        Ok(norm)
    }

    /// RMSNorm whose stored gain is one less than the gain, as Gemma keeps it.
    pub(super) fn gemma_norm(&self, name: &str, epsilon: f64) -> Result<RmsNorm> {
        let mut gain = self.weights.f32(&format!("{name}.weight"))?;
        gain.iter_mut().for_each(|gain| *gain += 1.0);
        let config = RmsNormConfig::new(gain.len()).with_epsilon(epsilon);
        let mut norm = config.init(self.device);
        norm.gamma = Param::from_tensor(self.vector(gain));
        Ok(norm)
    }

    fn vector(&self, values: Vec<f32>) -> Tensor<1> {
        let length = values.len();
        Tensor::from_data(TensorData::new(values, [length]), self.device)
    }
}

fn transpose(values: &[f32], columns: usize) -> Vec<f32> {
    let rows = values.len() / columns;
    let mut output = vec![0.0; values.len()];
    for (row, line) in values.chunks_exact(columns).enumerate() {
        for (column, value) in line.iter().enumerate() {
            output[column * rows + row] = *value;
        }
    }
    output
}
