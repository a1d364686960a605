//! What a sentence encoder does behind its transformer: which vector stands for a text, dense
//! layers, a shortened output. With the names of the `sentence-transformers` library.

use std::collections::BTreeMap;

use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::parts::Parts;
use super::weights::Weights;
use crate::error::{Error, ErrorKind, Result};

/// The steps from token vectors to a text's vector, and the prompts texts are given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    /// Which vector stands for a whole text.
    #[serde(default)]
    pub pooling: SentencePooling,
    /// Layers behind the pooling, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dense: Vec<DenseConfig>,
    /// Leading components kept of the result (Matryoshka representations, Kusupati et al. 2022);
    /// all when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
    /// The longest window it is meant for, in tokens; the transformer's own when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<usize>,
    /// What the encoder was trained to see before a text, by the name of its use.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub prompts: BTreeMap<String, String>,
    /// Name of the prompt that a text gets where none is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_prompt: Option<String>,
}

/// Which vector stands for a whole text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SentencePooling {
    /// The mean over all tokens.
    #[default]
    Mean,
    /// The first token.
    Cls,
}

/// A dense layer behind the pooling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DenseConfig {
    /// Width of what it reads.
    pub in_features: usize,
    /// Width of what it gives.
    pub out_features: usize,
    /// Whether it adds a bias.
    pub bias: bool,
    /// What is done to its result.
    pub activation: Activation,
}

/// Activation of a dense layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// Nothing.
    Identity,
    /// The hyperbolic tangent.
    Tanh,
}

impl Pipeline {
    /// The prompt of that name, or the default one.
    ///
    /// # Errors
    /// `Input` naming the prompts there are.
    pub fn prompt(&self, name: Option<&str>) -> Result<&str> {
        let Some(name) = name.or(self.default_prompt.as_deref()) else {
            return Ok("");
        };
        self.prompts.get(name).map(String::as_str).ok_or_else(|| {
            let names: Vec<&str> = self.prompts.keys().map(String::as_str).collect();
            let known = match names.as_slice() {
                [] => "it has none".to_owned(),
                names => format!("it has {}", names.join(", ")),
            };
            let message = format!("the encoder has no prompt named `{name}`; {known}");
            Error::new(ErrorKind::Input, message)
        })
    }

    /// Checks that the layers fit an encoder whose token vectors are `hidden` wide.
    ///
    /// # Errors
    /// `Shape` naming what does not fit.
    pub fn validate(&self, hidden: usize) -> Result<()> {
        let mut width = hidden;
        for (index, dense) in self.dense.iter().enumerate() {
            if dense.in_features != width || dense.out_features == 0 {
                let message = format!(
                    "dense layer {index} reads vectors {} wide and gives {}; it gets {width}",
                    dense.in_features, dense.out_features
                );
                return Err(Error::new(ErrorKind::Shape, message));
            }
            width = dense.out_features;
        }
        match self.width {
            Some(kept) if kept == 0 || kept > width => {
                let message = format!("{kept} components cannot be kept of {width}");
                Err(Error::new(ErrorKind::Shape, message))
            }
            _ => Ok(()),
        }
    }

    /// Width of a text's vector where token vectors are `hidden` wide.
    pub fn output_width(&self, hidden: usize) -> usize {
        let whole = self.dense.last().map_or(hidden, |last| last.out_features);
        self.width.unwrap_or(whole)
    }

    /// Name and shape of the dense layers' tensors in a bundle.
    pub fn expected_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let layers = self.dense.iter().enumerate();
        layers
            .flat_map(|(index, dense)| {
                let (inputs, outputs) = (dense.in_features, dense.out_features);
                let name = dense_name(index);
                let weight = (format!("{name}.weight"), vec![outputs, inputs]);
                let bias = (format!("{name}.bias"), vec![outputs]);
                [weight].into_iter().chain(dense.bias.then_some(bias))
            })
            .collect()
    }
}

/// A dense layer's name in a bundle.
pub fn dense_name(index: usize) -> String {
    format!("dense.{index}")
}

/// The loaded dense layers and the shortening.
pub(super) struct Readout {
    layers: Vec<(Linear, Activation)>,
    width: usize,
}

impl Readout {
    pub(super) fn load(
        pipeline: &Pipeline,
        hidden: usize,
        weights: &Weights,
        device: &Device,
    ) -> Result<Self> {
        let parts = Parts { weights, device };
        let layers = pipeline.dense.iter().enumerate();
        let layers = layers.map(|(index, dense)| {
            let linear = parts.linear(&[dense_name(index)], dense.bias)?;
            Ok((linear, dense.activation))
        });
        Ok(Self {
            layers: layers.collect::<Result<_>>()?,
            width: pipeline.output_width(hidden),
        })
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// `pooled` `[passages, pools, hidden]` to `[passages, pools, width]`. `present` is a function
    /// that makes `[passages, pools, 1]`: 1 where a pool has a token, whose vector would else be a
    /// layer's bias instead of 0.
    pub(super) fn forward(
        &self,
        pooled: Tensor<3>,
        present: impl FnOnce() -> Tensor<3>,
    ) -> Tensor<3> {
        let [_, _, hidden] = pooled.dims();
        if self.layers.is_empty() && self.width == hidden {
            return pooled;
        }
        let apply = |vectors: Tensor<3>, (linear, activation): &(Linear, Activation)| {
            let vectors = linear.forward(vectors);
            match activation {
                Activation::Identity => vectors,
                Activation::Tanh => vectors.tanh(),
            }
        };
        let vectors = self.layers.iter().fold(pooled, apply);
        let vectors = vectors.narrow(2, 0, self.width);
        if self.layers.iter().any(|(linear, _)| linear.bias.is_some()) {
            return vectors * present();
        }
        vectors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dense(in_features: usize, out_features: usize) -> DenseConfig {
        DenseConfig {
            in_features,
            out_features,
            bias: false,
            activation: Activation::Identity,
        }
    }

    #[test]
    fn layers_that_do_not_fit_are_named() {
        let mut pipeline = Pipeline {
            dense: vec![dense(8, 32), dense(16, 8)],
            ..Pipeline::default()
        };
        let error = pipeline.validate(8).unwrap_err();
        assert!(error.to_string().contains("dense layer 1"), "{error}");
        pipeline.dense[1] = dense(32, 8);
        pipeline.validate(8).unwrap();
        pipeline.width = Some(9);
        let error = pipeline.validate(8).unwrap_err();
        assert!(error.to_string().contains("9 components"), "{error}");
    }

    #[test]
    fn an_unknown_prompt_is_answered_with_the_known_ones() {
        let mut pipeline = Pipeline::default();
        assert_eq!(pipeline.prompt(None).unwrap(), "");
        assert!(pipeline.prompt(Some("query")).is_err());
        pipeline.prompts = [("query".into(), "query: ".into())].into();
        assert_eq!(pipeline.prompt(Some("query")).unwrap(), "query: ");
        let error = pipeline.prompt(Some("quarry")).unwrap_err();
        assert!(error.to_string().contains("it has query"), "{error}");
    }
}
