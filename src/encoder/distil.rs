//! A smaller encoder with some of a larger one's layers, and what it takes to train it.

use burn::module::Module;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::{Tensor, TensorData};

use super::adapt::{Matrix, read, split};
use super::config::Stack;
use super::{Encoder, EncoderConfig, Layers};
use crate::error::{Error, ErrorKind, Result};
use crate::tokenizer::Passage;

/// What a pass leaves behind: every layer's states and the pools.
pub struct Trace {
    /// Behind the norm of the embeddings and behind each layer, `[windows, longest, width]`.
    pub states: Vec<Tensor<3>>,
    /// `[passages, POOLS, width]`.
    pub pools: Tensor<3>,
    /// 1 for tokens, 0 for padding, `[windows, longest, 1]`.
    pub tokens: Tensor<3>,
}

impl Encoder {
    /// Keeps `layers` of this encoder, by their numbers, and makes all their parameters trainable.
    ///
    /// # Errors
    /// `Unsupported` for an architecture that is not BERT's or its kin. The encoder must have been
    /// loaded to run as [`Execution::Padded`](super::Execution::Padded).
    pub fn keep_layers(&mut self, layers: &[usize]) -> Result<()> {
        let Layers::PostNorm(stack) = &mut self.layers else {
            let message = "only BERT, DistilBERT and XLM-RoBERTa encoders can be distilled";
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        let kept = layers.iter().map(|&layer| stack.layers[layer].clone());
        stack.layers = kept.collect();
        **stack = (**stack).clone().train();
        self.config.set_layers(layers.len());
        Ok(())
    }

    /// Runs `passages` and keeps what every layer made of them.
    ///
    /// # Errors
    /// As [`Encoder::hidden`] and [`Self::keep_layers`].
    pub fn trace(&self, passages: &[&Passage]) -> Result<Trace> {
        let windows = passages.iter().flat_map(|passage| &passage.windows);
        let windows: Vec<_> = windows.collect();
        let (mut hidden, bias) = self.input(&windows)?;
        let Layers::PostNorm(stack) = &self.layers else {
            let message = "only BERT, DistilBERT and XLM-RoBERTa encoders can be traced";
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        let mut states = Vec::new();
        for step in stack.steps(bias) {
            hidden = step(hidden);
            states.push(hidden.clone());
        }
        let [rows, length, _] = hidden.dims();
        let tokens = windows.iter().flat_map(|window| {
            (0..length).map(|place| f32::from(u8::from(place < window.ids.len())))
        });
        let tokens = TensorData::new(tokens.collect::<Vec<_>>(), [rows, length, 1]);
        Ok(Trace {
            states,
            tokens: Tensor::from_data(tokens, &self.device),
            pools: self.read_out(passages, hidden),
        })
    }

    /// Every tensor of the layers and of the norm before them, as checkpoints have them.
    ///
    /// # Errors
    /// `Device` when the backend cannot be read.
    pub fn layer_tensors(&self) -> Result<Vec<Matrix>> {
        let (Layers::PostNorm(stack), Stack::PostNorm(plan)) = (&self.layers, self.config.stack())
        else {
            return Ok(Vec::new());
        };
        let mut tensors = norm(super::embedding::NORM, &stack.norm)?;
        for (index, layer) in stack.layers.iter().enumerate() {
            let linears = [&layer.qkv, &layer.output, &layer.up, &layer.down];
            for (names, linear) in plan.products(index).into_iter().zip(linears) {
                tensors.extend(split(&names, linear)?);
                tensors.extend(biases(&names, linear)?);
            }
            let norms = [&layer.attention_norm, &layer.output_norm];
            for (name, layer_norm) in plan.norms(index).iter().zip(norms) {
                tensors.extend(norm(name, layer_norm)?);
            }
        }
        Ok(tensors)
    }
}

fn norm(name: &str, norm: &LayerNorm) -> Result<Vec<Matrix>> {
    let mut tensors = vec![vector(format!("{name}.weight"), norm.gamma.val())?];
    if let Some(beta) = &norm.beta {
        tensors.push(vector(format!("{name}.bias"), beta.val())?);
    }
    Ok(tensors)
}

fn biases(names: &[String], linear: &Linear) -> Result<Vec<Matrix>> {
    let Some(bias) = &linear.bias else {
        return Ok(Vec::new());
    };
    let parts = bias.val().chunk(names.len(), 0);
    let parts = names.iter().zip(parts);
    parts
        .map(|(name, part)| vector(format!("{name}.bias"), part))
        .collect()
}

fn vector(name: String, values: Tensor<1>) -> Result<Matrix> {
    Ok(Matrix {
        name,
        shape: values.dims().to_vec(),
        values: read(values)?,
    })
}

/// Numbers of the `count` layers of `all` that a smaller encoder begins with: spread evenly, the last
/// one among them.
///
/// # Errors
/// `Input` unless `count` is from 1 to `all`.
pub fn spread_layers(config: &EncoderConfig, count: usize) -> Result<Vec<usize>> {
    let all = config.layers();
    if count == 0 || count > all {
        let message = format!("an encoder of {count} layers cannot be made from one of {all}");
        return Err(Error::new(ErrorKind::Input, message));
    }
    Ok((1..=count).map(|layer| layer * all / count - 1).collect())
}
