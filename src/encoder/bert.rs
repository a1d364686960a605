//! The BERT encoder stack (Devlin et al. 2019, post-LayerNorm), as in the hub's `BertModel`.

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig, Linear};
use burn::tensor::activation::gelu;
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Device, Tensor, TensorData};

use super::config::EncoderConfig;
use super::embedding::{POSITIONS, TYPES, WORDS};
use super::weights::Weights;
use crate::error::Result;

/// LayerNorm of the embeddings and the transformer layers.
#[derive(Module, Debug)]
pub(super) struct Bert {
    norm: LayerNorm,
    pub(super) layers: Vec<Layer>,
}

/// One transformer layer.
#[derive(Module, Debug)]
pub(super) struct Layer {
    /// Query, key and value in one product: `[width, 3 width]`.
    pub(super) qkv: Linear,
    pub(super) output: Linear,
    attention_norm: LayerNorm,
    pub(super) up: Linear,
    pub(super) down: Linear,
    output_norm: LayerNorm,
    heads: usize,
}

/// Name and shape of every tensor an encoder of this configuration has.
pub fn expected_shapes(config: &EncoderConfig) -> Vec<(String, Vec<usize>)> {
    let (width, inner) = (config.hidden_size, config.intermediate_size);
    let mut shapes = vec![
        (WORDS.to_string(), vec![config.vocab_size, width]),
        (
            POSITIONS.to_string(),
            vec![config.max_position_embeddings, width],
        ),
        (TYPES.to_string(), vec![config.type_vocab_size, width]),
    ];
    let mut add = |name: String, rows: usize, columns: Option<usize>| {
        let weight = columns.map_or(vec![rows], |columns| vec![rows, columns]);
        shapes.push((format!("{name}.weight"), weight));
        shapes.push((format!("{name}.bias"), vec![rows]));
    };
    add("embeddings.LayerNorm".into(), width, None);
    for layer in 0..config.num_hidden_layers {
        let name = |part: &str| part_name(layer, part);
        for part in ["self.query", "self.key", "self.value", "output.dense"] {
            add(name(&format!("attention.{part}")), width, Some(width));
        }
        add(name("attention.output.LayerNorm"), width, None);
        add(name("intermediate.dense"), inner, Some(width));
        add(name("output.dense"), width, Some(inner));
        add(name("output.LayerNorm"), width, None);
    }
    shapes
}

/// The checkpoint's names of a layer's products, in the order query, key and value; attention
/// output; up; down. Those of one product stand side by side in it.
pub(super) fn products(layer: usize) -> [Vec<String>; 4] {
    [
        vec![
            "attention.self.query",
            "attention.self.key",
            "attention.self.value",
        ],
        vec!["attention.output.dense"],
        vec!["intermediate.dense"],
        vec!["output.dense"],
    ]
    .map(|parts| parts.iter().map(|part| part_name(layer, part)).collect())
}

fn part_name(layer: usize, part: &str) -> String {
    format!("encoder.layer.{layer}.{part}")
}

impl Bert {
    pub(super) fn load(config: &EncoderConfig, weights: &Weights, device: &Device) -> Result<Self> {
        let loader = Loader {
            config,
            weights,
            device,
        };
        Ok(Self {
            norm: loader.norm("embeddings.LayerNorm")?,
            layers: (0..config.num_hidden_layers)
                .map(|index| loader.layer(index))
                .collect::<Result<_>>()?,
        })
    }

    /// `input` `[batch, length, width]`: summed embeddings; `bias` `[batch, 1, 1, length]`: 0 for
    /// tokens, a large negative number for padding. Returns `[batch, length, width]`.
    pub(super) fn forward(&self, input: Tensor<3>, bias: Tensor<4>) -> Tensor<3> {
        let hidden = self.norm.forward(input);
        self.layers
            .iter()
            .fold(hidden, |hidden, layer| layer.forward(hidden, &bias))
    }
}

impl Layer {
    fn forward(&self, hidden: Tensor<3>, bias: &Tensor<4>) -> Tensor<3> {
        let attended = self.attend(hidden.clone(), bias);
        let hidden = self.attention_norm.forward(hidden + attended);
        let inner = gelu(self.up.forward(hidden.clone()));
        self.output_norm.forward(hidden + self.down.forward(inner))
    }

    fn attend(&self, hidden: Tensor<3>, bias: &Tensor<4>) -> Tensor<3> {
        let [batch, length, width] = hidden.dims();
        let head = width / self.heads;
        let [query, key, value] = self
            .qkv
            .forward(hidden)
            .reshape([batch, length, 3 * self.heads, head])
            .swap_dims(1, 2)
            .split(self.heads, 1)
            .try_into()
            .expect("3 heads-wide parts");
        let bias = bias.clone().expand([batch, self.heads, length, length]);
        let options = AttentionModuleOptions::default();
        let context = attention(query, key, value, None, Some(bias), options);
        self.output
            .forward(context.swap_dims(1, 2).reshape([batch, length, width]))
    }
}

struct Loader<'a> {
    config: &'a EncoderConfig,
    weights: &'a Weights<'a>,
    device: &'a Device,
}

impl Loader<'_> {
    fn layer(&self, index: usize) -> Result<Layer> {
        let [qkv, output, up, down] = products(index).map(|names| self.linear(&names));
        Ok(Layer {
            qkv: qkv?,
            output: output?,
            attention_norm: self.norm(&part_name(index, "attention.output.LayerNorm"))?,
            up: up?,
            down: down?,
            output_norm: self.norm(&part_name(index, "output.LayerNorm"))?,
            heads: self.config.num_attention_heads,
        })
    }

    /// The named products side by side, transposed from the checkpoint's `[out, in]`.
    fn linear(&self, names: &[String]) -> Result<Linear> {
        let (mut columns, mut biases) = (Vec::new(), Vec::new());
        for name in names {
            columns.extend(self.weights.f32(&format!("{name}.weight"))?);
            biases.extend(self.weights.f32(&format!("{name}.bias"))?);
        }
        let (outputs, inputs) = (biases.len(), columns.len() / biases.len());
        let weight = TensorData::new(transpose(&columns, inputs), [inputs, outputs]);
        Ok(Linear {
            weight: Param::from_tensor(Tensor::from_data(weight, self.device)),
            bias: Some(Param::from_tensor(self.vector(biases))),
        })
    }

    fn norm(&self, name: &str) -> Result<LayerNorm> {
        let config = LayerNormConfig::new(self.config.hidden_size);
        let config = config.with_epsilon(self.config.layer_norm_eps);
        let mut norm = config.init(self.device);
        let values = |part: &str| self.weights.f32(&format!("{name}.{part}"));
        norm.gamma = Param::from_tensor(self.vector(values("weight")?));
        norm.beta = Some(Param::from_tensor(self.vector(values("bias")?)));
        Ok(norm)
    }

    fn vector(&self, values: Vec<f32>) -> Tensor<1> {
        let length = values.len();
        Tensor::from_data(TensorData::new(values, [length]), self.device)
    }
}

/// `[rows, columns]` to `[columns, rows]`.
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
