//! The transformer of BERT and its kin: attention and feed-forward, a LayerNorm after each.

use burn::module::Module;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::activation::gelu;
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Device, Tensor};

use super::Step;
use super::config::{check_heads, senseless};
use super::embedding::NORM;
#[cfg(feature = "gpu")]
use super::gpu;
use super::parts::Parts;
use super::weights::Weights;
use crate::error::Result;

/// What an architecture calls the tensors of a layer.
pub(super) struct Names {
    /// Stands before a layer's number.
    pub layer: &'static str,
    pub query: &'static str,
    pub key: &'static str,
    pub value: &'static str,
    pub output: &'static str,
    pub attention_norm: &'static str,
    pub up: &'static str,
    pub down: &'static str,
    pub output_norm: &'static str,
}

/// Sizes of the layers, and where their tensors are.
pub(super) struct Plan {
    pub names: &'static Names,
    pub layers: usize,
    pub width: usize,
    pub heads: usize,
    pub inner: usize,
    /// Added to the variance in every LayerNorm.
    pub epsilon: f64,
}

impl Plan {
    pub(super) fn check(&self) -> Result<()> {
        if self.inner == 0 || self.layers > 1024 {
            let sizes = format!("{} layers, {} wide inside", self.layers, self.inner);
            return Err(senseless(&sizes));
        }
        check_heads(self.width, self.heads)
    }

    /// Name and shape of every tensor of the layers.
    pub(super) fn expected_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let (width, inner, names) = (self.width, self.inner, self.names);
        let mut shapes = Vec::new();
        let mut add = |name: String, rows: usize, columns: Option<usize>| {
            let weight = columns.map_or(vec![rows], |columns| vec![rows, columns]);
            shapes.push((format!("{name}.weight"), weight));
            shapes.push((format!("{name}.bias"), vec![rows]));
        };
        add(NORM.into(), width, None);
        for layer in 0..self.layers {
            let name = |part: &str| self.part(layer, part);
            for part in [names.query, names.key, names.value, names.output] {
                add(name(part), width, Some(width));
            }
            add(name(names.attention_norm), width, None);
            add(name(names.up), inner, Some(width));
            add(name(names.down), width, Some(inner));
            add(name(names.output_norm), width, None);
        }
        shapes
    }

    /// The checkpoint's names of a layer's products, in the order query, key and value; attention
    /// output; up; down. Those of one product stand side by side in it.
    pub(super) fn products(&self, layer: usize) -> [Vec<String>; 4] {
        let names = self.names;
        [
            vec![names.query, names.key, names.value],
            vec![names.output],
            vec![names.up],
            vec![names.down],
        ]
        .map(|parts| parts.iter().map(|part| self.part(layer, part)).collect())
    }

    /// The checkpoint's names of a layer's norms, behind the attention and behind the feed-forward.
    pub(super) fn norms(&self, layer: usize) -> [String; 2] {
        [self.names.attention_norm, self.names.output_norm].map(|norm| self.part(layer, norm))
    }

    fn part(&self, layer: usize, part: &str) -> String {
        format!("{}.{layer}.{part}", self.names.layer)
    }

    /// The layers as a graphics card runs them. A norm is computed by whoever needs it: the product
    /// that reads it and the one that adds to it. `half` allows products of f16: what they multiply is
    /// normalised, averaged or behind a GELU, far from f16's bounds.
    #[cfg(feature = "gpu")]
    pub(super) fn program(&self, weights: &Weights, half: bool) -> Result<gpu::Program> {
        use gpu::{Around, Heads, Program};

        let load = |name: &str| gpu::Norm::load(name, self.epsilon, weights);
        let mut program = Program {
            half,
            ..Program::default()
        };
        let widths = [
            self.width,
            3 * self.width,
            self.width,
            self.width,
            self.inner,
        ];
        let [hidden, qkv, context, attended, inner] = widths.map(|width| program.scratch(width));
        let head = self.width / self.heads;
        let heads = Heads {
            heads: self.heads,
            shared: self.heads,
            head,
            scale: (head as f64).sqrt().recip(),
            reach: None,
        };
        let plain = Around {
            bias: true,
            ..Around::NOTHING
        };
        let mut before = load(NORM)?;
        for layer in 0..self.layers {
            let [qkv_names, output_names, up_names, down_names] = self.products(layer);
            let [attention_norm, output_norm] = self.norms(layer);
            let attention_norm = load(&attention_norm)?;
            let norm = Some(&before);
            let around = Around { norm, ..plain };
            program.product(weights, &qkv_names, [hidden, qkv], around)?;
            program.attend(&heads, [qkv, context]);
            let residual = Some((hidden, Some(&before)));
            let around = Around { residual, ..plain };
            program.product(weights, &output_names, [context, attended], around)?;
            let around = Around {
                norm: Some(&attention_norm),
                gelu: true,
                ..plain
            };
            program.product(weights, &up_names, [attended, inner], around)?;
            let residual = Some((attended, Some(&attention_norm)));
            let around = Around { residual, ..plain };
            program.product(weights, &down_names, [inner, hidden], around)?;
            program.end_step();
            before = load(&output_norm)?;
        }
        program.normalise(&before, [hidden, attended], None);
        program.end_step();
        program.pool(attended);
        Ok(program)
    }

    fn layer(&self, index: usize, parts: &Parts) -> Result<Layer> {
        let [qkv, output, up, down] = self.products(index).map(|names| parts.linear(&names, true));
        let [attention_norm, output_norm] =
            (self.norms(index)).map(|name| parts.layer_norm(&name, self.epsilon));
        Ok(Layer {
            qkv: qkv?,
            output: output?,
            attention_norm: attention_norm?,
            up: up?,
            down: down?,
            output_norm: output_norm?,
            heads: self.heads,
        })
    }
}

/// LayerNorm of the embeddings and the transformer layers.
#[derive(Module, Debug)]
pub(super) struct PostNorm {
    pub(super) norm: LayerNorm,
    pub(super) layers: Vec<Layer>,
}

/// One transformer layer.
#[derive(Module, Debug)]
pub(super) struct Layer {
    /// Query, key and value in one product: `[width, 3 width]`.
    pub(super) qkv: Linear,
    pub(super) output: Linear,
    pub(super) attention_norm: LayerNorm,
    pub(super) up: Linear,
    pub(super) down: Linear,
    pub(super) output_norm: LayerNorm,
    heads: usize,
}

impl PostNorm {
    pub(super) fn load(plan: &Plan, weights: &Weights, device: &Device) -> Result<Self> {
        let parts = Parts { weights, device };
        Ok(Self {
            norm: parts.layer_norm(NORM, plan.epsilon)?,
            layers: (0..plan.layers)
                .map(|index| plan.layer(index, &parts))
                .collect::<Result<_>>()?,
        })
    }

    /// What is done to summed embeddings `[batch, length, width]`, step by step. `bias`
    /// `[batch, 1, 1, length]`: 0 for tokens, a large negative number for padding.
    pub(super) fn steps(&self, bias: Tensor<4>) -> Vec<Step<'_>> {
        let mut steps: Vec<Step> = vec![Box::new(|input| self.norm.forward(input))];
        for layer in &self.layers {
            let bias = bias.clone();
            steps.push(Box::new(move |hidden| layer.forward(hidden, bias)));
        }
        steps
    }
}

impl Layer {
    fn forward(&self, hidden: Tensor<3>, bias: Tensor<4>) -> Tensor<3> {
        let attended = self.attend(hidden.clone(), bias);
        let hidden = self.attention_norm.forward(hidden + attended);
        let inner = gelu(self.up.forward(hidden.clone()));
        self.output_norm.forward(hidden + self.down.forward(inner))
    }

    fn attend(&self, hidden: Tensor<3>, bias: Tensor<4>) -> Tensor<3> {
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
        let bias = bias.expand([batch, self.heads, length, length]);
        let options = AttentionModuleOptions::default();
        let context = attention(query, key, value, None, Some(bias), options);
        self.output
            .forward(context.swap_dims(1, 2).reshape([batch, length, width]))
    }
}
