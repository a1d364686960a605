//! Gemma 3 text (Gemma Team 2025) as an encoder, as in the hub's `Gemma3TextModel` with
//! `use_bidirectional_attention`: EmbeddingGemma (Schechter Vera et al. 2025).

use burn::module::Module;
use burn::nn::{Linear, RmsNorm};
use burn::tensor::activation::gelu_approximate;
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::Step;
use super::config::{senseless, unsupported};
use super::embedding::TableLayout;
#[cfg(feature = "gpu")]
use super::gpu;
use super::parts::Parts;
use super::weights::Weights;
use crate::error::Result;

const WORDS: &str = "embed_tokens.weight";
const LAST_NORM: &str = "norm";
/// Gemma 3's rhythm where the config does not spell it out: every sixth layer sees everything.
const PATTERN: usize = 6;

/// Configuration of a Gemma 3 text encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "HubGemma")]
pub struct GemmaConfig {
    /// Width of a token's vector.
    pub hidden_size: usize,
    /// Number of transformer layers.
    pub num_hidden_layers: usize,
    /// Query heads of each layer.
    pub num_attention_heads: usize,
    /// Key and value heads of each layer; divides the query heads.
    pub num_key_value_heads: usize,
    /// Width of one head, which `hidden_size` does not determine.
    pub head_dim: usize,
    /// Width of the feed-forward's inner layer.
    pub intermediate_size: usize,
    /// Rows of the vocabulary table.
    pub vocab_size: usize,
    /// The longest window.
    pub max_position_embeddings: usize,
    /// Added to the mean square in every RMSNorm.
    pub rms_norm_eps: f64,
    /// Attention logits are divided by its root.
    pub query_pre_attn_scalar: f64,
    /// Tokens in a local layer's window, both sides together.
    pub sliding_window: usize,
    /// `sliding_attention` or `full_attention` for each layer.
    pub layer_types: Vec<String>,
    /// Base of the full layers' rotary positions.
    pub rope_theta: f64,
    /// Base of the local layers' rotary positions.
    pub rope_local_base_freq: f64,
    /// Activation of the feed-forward; `gelu_pytorch_tanh` is supported.
    pub hidden_activation: String,
    /// Whether tokens see those behind them; only encoders, which do, are supported.
    pub use_bidirectional_attention: bool,
    /// What else the hub's file asks for that is not implemented, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsupported: Option<String>,
}

/// The hub's file, of before and after the names of rotary positions changed.
#[derive(Deserialize)]
struct HubGemma {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: usize,
    head_dim: usize,
    intermediate_size: usize,
    vocab_size: usize,
    max_position_embeddings: usize,
    rms_norm_eps: f64,
    query_pre_attn_scalar: f64,
    sliding_window: usize,
    layer_types: Option<Vec<String>>,
    rope_theta: Option<f64>,
    rope_local_base_freq: Option<f64>,
    rope_parameters: Option<HubRopes>,
    rope_scaling: Option<serde_json::Value>,
    hidden_activation: String,
    #[serde(default)]
    use_bidirectional_attention: bool,
    #[serde(default)]
    attention_bias: bool,
    attn_logit_softcapping: Option<f64>,
    unsupported: Option<String>,
}

#[derive(Deserialize)]
struct HubRopes {
    full_attention: HubRope,
    sliding_attention: HubRope,
}

#[derive(Deserialize)]
struct HubRope {
    rope_theta: f64,
    rope_type: String,
}

impl HubGemma {
    /// What the file asks for that the layers here do not do.
    fn unsupported(&self) -> Option<String> {
        let ropes = self.rope_parameters.iter();
        let mut ropes = ropes.flat_map(|ropes| [&ropes.full_attention, &ropes.sliding_attention]);
        let reasons = [
            (self.rope_scaling.is_some(), "scaled rotary positions"),
            (
                ropes.any(|rope| rope.rope_type != "default"),
                "scaled rotary positions",
            ),
            (self.attention_bias, "biases in attention"),
            (
                self.attn_logit_softcapping.is_some(),
                "capped attention logits",
            ),
        ];
        let mut found = reasons.iter().filter(|(there, _)| *there);
        let found = found.next().map(|(_, what)| (*what).to_owned());
        self.unsupported.clone().or(found)
    }
}

impl From<HubGemma> for GemmaConfig {
    fn from(hub: HubGemma) -> Self {
        let ropes = hub.rope_parameters.as_ref();
        let full = ropes.map(|ropes| ropes.full_attention.rope_theta);
        let local = ropes.map(|ropes| ropes.sliding_attention.rope_theta);
        let kind = |layer: usize| match (layer + 1).is_multiple_of(PATTERN) {
            true => "full_attention".to_owned(),
            false => "sliding_attention".to_owned(),
        };
        Self {
            unsupported: hub.unsupported(),
            hidden_size: hub.hidden_size,
            num_hidden_layers: hub.num_hidden_layers,
            num_attention_heads: hub.num_attention_heads,
            num_key_value_heads: hub.num_key_value_heads,
            head_dim: hub.head_dim,
            intermediate_size: hub.intermediate_size,
            vocab_size: hub.vocab_size,
            max_position_embeddings: hub.max_position_embeddings,
            rms_norm_eps: hub.rms_norm_eps,
            query_pre_attn_scalar: hub.query_pre_attn_scalar,
            sliding_window: hub.sliding_window,
            layer_types: hub
                .layer_types
                .unwrap_or_else(|| (0..hub.num_hidden_layers.min(1024)).map(kind).collect()),
            rope_theta: full.or(hub.rope_theta).unwrap_or(1e6),
            rope_local_base_freq: local.or(hub.rope_local_base_freq).unwrap_or(1e4),
            hidden_activation: hub.hidden_activation,
            use_bidirectional_attention: hub.use_bidirectional_attention,
        }
    }
}

impl GemmaConfig {
    pub(super) fn check_variant(&self) -> Result<()> {
        let known = |kind: &String| ["full_attention", "sliding_attention"].contains(&&**kind);
        let found = if !self.use_bidirectional_attention {
            "a Gemma 3 that reads one way, a language model".to_owned()
        } else if self.hidden_activation != "gelu_pytorch_tanh" {
            format!("a Gemma 3 with activation `{}`", self.hidden_activation)
        } else if let Some(kind) = self.layer_types.iter().find(|kind| !known(kind)) {
            format!("a Gemma 3 with a layer of type `{kind}`")
        } else if let Some(what) = &self.unsupported {
            format!("a Gemma 3 with {what}")
        } else {
            return Ok(());
        };
        Err(unsupported(&found))
    }

    pub(super) fn check_sizes(&self) -> Result<()> {
        let (heads, shared) = (self.num_attention_heads, self.num_key_value_heads);
        let divides = shared > 0 && heads > 0 && heads.is_multiple_of(shared);
        let fits = divides
            && self.intermediate_size > 0
            && self.head_dim > 0
            && self.head_dim.is_multiple_of(2)
            && self.layer_types.len() == self.num_hidden_layers
            && self.num_hidden_layers <= 1024
            && self.query_pre_attn_scalar > 0.0
            && self.rms_norm_eps > 0.0;
        if fits {
            return Ok(());
        }
        Err(senseless(&format!("{self:?}")))
    }

    pub(super) fn table(&self) -> TableLayout {
        TableLayout {
            words: WORDS,
            vocab: self.vocab_size,
            width: self.hidden_size,
            scale: (self.hidden_size as f32).sqrt(),
            positions: None,
            types: 0,
            max_tokens: self.max_position_embeddings,
        }
    }

    /// Name and shape of every tensor of the layers.
    pub(super) fn expected_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let (width, inner, head) = (self.hidden_size, self.intermediate_size, self.head_dim);
        let (queries, keys) = (
            self.num_attention_heads * head,
            self.num_key_value_heads * head,
        );
        let of_layer = [
            ("input_layernorm", vec![width]),
            ("self_attn.q_proj", vec![queries, width]),
            ("self_attn.k_proj", vec![keys, width]),
            ("self_attn.v_proj", vec![keys, width]),
            ("self_attn.o_proj", vec![width, queries]),
            ("self_attn.q_norm", vec![head]),
            ("self_attn.k_norm", vec![head]),
            ("post_attention_layernorm", vec![width]),
            ("pre_feedforward_layernorm", vec![width]),
            ("mlp.gate_proj", vec![inner, width]),
            ("mlp.up_proj", vec![inner, width]),
            ("mlp.down_proj", vec![width, inner]),
            ("post_feedforward_layernorm", vec![width]),
        ];
        let layers = (0..self.num_hidden_layers).flat_map(|layer| {
            let named = |(part, shape): &(&str, Vec<usize>)| (weight(layer, part), shape.clone());
            of_layer.iter().map(named).collect::<Vec<_>>()
        });
        layers
            .chain([(format!("{LAST_NORM}.weight"), vec![width])])
            .collect()
    }

    fn layer(&self, index: usize, parts: &Parts) -> Result<Layer> {
        let linear = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| part(index, name)).collect();
            parts.linear(&names, false)
        };
        let norm = |name| parts.gemma_norm(&part(index, name), self.rms_norm_eps);
        Ok(Layer {
            input_norm: norm("input_layernorm")?,
            qkv: linear(&["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"])?,
            query_norm: norm("self_attn.q_norm")?,
            key_norm: norm("self_attn.k_norm")?,
            output: linear(&["self_attn.o_proj"])?,
            attention_norm: norm("post_attention_layernorm")?,
            feed_norm: norm("pre_feedforward_layernorm")?,
            gate_up: linear(&["mlp.gate_proj", "mlp.up_proj"])?,
            down: linear(&["mlp.down_proj"])?,
            output_norm: norm("post_feedforward_layernorm")?,
            heads: self.num_attention_heads,
            shared_heads: self.num_key_value_heads,
            head: self.head_dim,
            scale: self.query_pre_attn_scalar.powf(-0.5),
            local: self.layer_types[index] == "sliding_attention",
        })
    }
}

#[cfg(feature = "gpu")]
impl GemmaConfig {
    /// The layers as a graphics card runs them.
    pub(super) fn program(&self, weights: &Weights) -> Result<gpu::Program> {
        use gpu::{Around, Program};

        let mut program = Program::default();
        let (heads, shared, head) = (
            self.num_attention_heads,
            self.num_key_value_heads,
            self.head_dim,
        );
        let width = self.hidden_size;
        let [hidden, qkv, context, gathered, fed, inner] = [
            width,
            (heads + 2 * shared) * head,
            heads * head,
            width,
            width,
            2 * self.intermediate_size,
        ]
        .map(|width| program.scratch(width));
        let [full, local] = [self.rope_theta, self.rope_local_base_freq]
            .map(|theta| program.floats(&angles(self.max_position_embeddings, head, theta)));
        for layer in 0..self.num_hidden_layers {
            let load = |name: &str| self.gpu_norm(&part(layer, name), weights);
            let names = |names: &[&str]| -> Vec<String> {
                names.iter().map(|name| part(layer, name)).collect()
            };
            let local_layer = self.layer_types[layer] == "sliding_attention";
            let around = gpu::Heads {
                heads,
                shared,
                head,
                scale: self.query_pre_attn_scalar.powf(-0.5),
                reach: local_layer.then_some(self.sliding_window / 2),
            };
            let (input_norm, feed_norm) =
                (load("input_layernorm")?, load("pre_feedforward_layernorm")?);
            let normed = |norm| Around {
                norm: Some(norm),
                ..Around::NOTHING
            };
            let qkv_names = names(&["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]);
            program.product(weights, &qkv_names, [hidden, qkv], normed(&input_norm))?;
            let norms = [load("self_attn.q_norm")?, load("self_attn.k_norm")?];
            let angles = if local_layer { local } else { full };
            program.rotate(&around, [&norms[0], &norms[1]], angles, qkv);
            program.attend(&around, [qkv, context]);
            let output = names(&["self_attn.o_proj"]);
            program.product(weights, &output, [context, gathered], Around::NOTHING)?;
            let norm = load("post_attention_layernorm")?;
            program.normalise(&norm, [gathered, fed], Some(hidden));
            let gate_up = names(&["mlp.gate_proj", "mlp.up_proj"]);
            program.product(weights, &gate_up, [fed, inner], normed(&feed_norm))?;
            let gated = Around {
                gated: true,
                ..Around::NOTHING
            };
            program.product(
                weights,
                &names(&["mlp.down_proj"]),
                [inner, gathered],
                gated,
            )?;
            let norm = load("post_feedforward_layernorm")?;
            program.normalise(&norm, [gathered, hidden], Some(fed));
            program.end_step();
        }
        program.normalise(&self.gpu_norm(LAST_NORM, weights)?, [hidden, fed], None);
        program.end_step();
        program.pool(fed);
        Ok(program)
    }

    /// RMSNorm whose stored gain is one less than the gain.
    fn gpu_norm(&self, name: &str, weights: &Weights) -> Result<gpu::Norm> {
        let gain = weights.f32(&format!("{name}.weight"))?;
        Ok(gpu::Norm {
            gain: gain.into_iter().map(|gain| gain + 1.0).collect(),
            shift: Vec::new(),
            epsilon: self.rms_norm_eps,
        })
    }
}

/// Cosine and sine of each position's angles, `[positions, head / 2, 2]`.
#[cfg(feature = "gpu")]
fn angles(positions: usize, head: usize, theta: f64) -> Vec<f32> {
    let places =
        (0..positions).flat_map(|position| (0..head / 2).map(move |place| (position, place)));
    let pairs = places.flat_map(|(position, place)| {
        let angle = angle(position, place, head, theta);
        [angle.cos() as f32, angle.sin() as f32]
    });
    pairs.collect()
}

/// By how much a pair of components is turned at a position.
fn angle(position: usize, place: usize, head: usize, theta: f64) -> f64 {
    position as f64 * theta.powf(-2.0 * place as f64 / head as f64)
}

fn part(layer: usize, part: &str) -> String {
    format!("layers.{layer}.{part}")
}

fn weight(layer: usize, name: &str) -> String {
    format!("{}.weight", part(layer, name))
}

/// The layers and the last norm.
#[derive(Module, Debug)]
pub(super) struct Gemma {
    layers: Vec<Layer>,
    norm: RmsNorm,
    head: usize,
    window: usize,
    theta: f64,
    local_theta: f64,
}

#[derive(Module, Debug)]
struct Layer {
    input_norm: RmsNorm,
    /// Query, key and value in one product.
    qkv: Linear,
    query_norm: RmsNorm,
    key_norm: RmsNorm,
    output: Linear,
    attention_norm: RmsNorm,
    feed_norm: RmsNorm,
    /// The feed-forward's gate and what it gates in one product.
    gate_up: Linear,
    down: Linear,
    output_norm: RmsNorm,
    heads: usize,
    shared_heads: usize,
    head: usize,
    scale: f64,
    /// Whether it sees its neighbourhood only.
    local: bool,
}

/// What the layers of one kind need to know of a batch.
#[derive(Clone)]
struct Surroundings {
    /// `[batch, 1, length or 1, length]`: 0 for what a token sees, a large negative number else.
    bias: Tensor<4>,
    /// Cosines and sines of the rotary positions, each `[1, 1, length, head]`.
    rotation: [Tensor<4>; 2],
}

impl Gemma {
    pub(super) fn load(config: &GemmaConfig, weights: &Weights, device: &Device) -> Result<Self> {
        let parts = Parts { weights, device };
        Ok(Self {
            layers: (0..config.num_hidden_layers)
                .map(|index| config.layer(index, &parts))
                .collect::<Result<_>>()?,
            norm: parts.gemma_norm(LAST_NORM, config.rms_norm_eps)?,
            head: config.head_dim,
            window: config.sliding_window,
            theta: config.rope_theta,
            local_theta: config.rope_local_base_freq,
        })
    }

    /// What is done to scaled embeddings `[batch, length, width]`, step by step. `bias`
    /// `[batch, 1, 1, length]`: 0 for tokens, a large negative number for padding.
    pub(super) fn steps(&self, bias: Tensor<4>) -> Vec<Step<'_>> {
        let ([_, _, _, length], device) = (bias.dims(), bias.device());
        let full = Surroundings {
            bias: bias.clone(),
            rotation: rotation(length, self.head, self.theta, &device),
        };
        let local = Surroundings {
            bias: bias + neighbourhood(length, self.window, &device),
            rotation: rotation(length, self.head, self.local_theta, &device),
        };
        let mut steps: Vec<Step> = Vec::new();
        for layer in &self.layers {
            let around = if layer.local { &local } else { &full }.clone();
            steps.push(Box::new(move |hidden| layer.forward(hidden, &around)));
        }
        steps.push(Box::new(|hidden| self.norm.forward(hidden)));
        steps
    }
}

impl Layer {
    fn forward(&self, hidden: Tensor<3>, around: &Surroundings) -> Tensor<3> {
        let attended = self.attend(self.input_norm.forward(hidden.clone()), around);
        let hidden = hidden + self.attention_norm.forward(attended);
        let fed = self.feed(self.feed_norm.forward(hidden.clone()));
        hidden + self.output_norm.forward(fed)
    }

    fn feed(&self, hidden: Tensor<3>) -> Tensor<3> {
        let [gate, up] = (self.gate_up.forward(hidden).chunk(2, 2).try_into()).expect("two halves");
        self.down.forward(gelu_approximate(gate) * up)
    }

    fn attend(&self, hidden: Tensor<3>, around: &Surroundings) -> Tensor<3> {
        let [batch, length, _] = hidden.dims();
        let heads = self.heads + 2 * self.shared_heads;
        let sizes = vec![self.heads, self.shared_heads, self.shared_heads];
        let qkv = self.qkv.forward(hidden);
        let qkv = qkv
            .reshape([batch, length, heads, self.head])
            .swap_dims(1, 2);
        let [query, key, value] = (qkv.split_with_sizes(sizes, 1).try_into()).expect("3 parts");
        let query = rotate(self.query_norm.forward(query), &around.rotation);
        let key = rotate(self.key_norm.forward(key), &around.rotation);
        let bias = around.bias.clone();
        let bias = bias.expand([batch, self.heads, length, length]);
        let options = AttentionModuleOptions {
            scale: Some(self.scale),
            ..AttentionModuleOptions::default()
        };
        let (key, value) = (self.share(key), self.share(value));
        let context = attention(query, key, value, None, Some(bias), options);
        let context = context.swap_dims(1, 2);
        self.output
            .forward(context.reshape([batch, length, self.heads * self.head]))
    }

    /// Each key or value head for the query heads that share it.
    fn share(&self, heads: Tensor<4>) -> Tensor<4> {
        let [batch, shared, length, head] = heads.dims();
        let each = self.heads / shared;
        let heads = heads.reshape([batch, shared, 1, length, head]);
        let heads = heads.expand([batch, shared, each, length, head]);
        heads.reshape([batch, self.heads, length, head])
    }
}

/// Rotary positions (Su et al. 2021), the two halves of a head turned against each other.
fn rotate(heads: Tensor<4>, [cosines, sines]: &[Tensor<4>; 2]) -> Tensor<4> {
    let [first, second] = (heads.clone().chunk(2, 3).try_into()).expect("two halves");
    let turned = Tensor::cat(vec![-second, first], 3);
    heads * cosines.clone() + turned * sines.clone()
}

/// Cosines and sines of the angles, each `[1, 1, length, head]`.
fn rotation(length: usize, head: usize, theta: f64, device: &Device) -> [Tensor<4>; 2] {
    let angle = |index| angle(index / head, index % head % (head / 2), head, theta);
    [f64::cos, f64::sin].map(|of: fn(f64) -> f64| {
        let values = (0..length * head).map(|index| of(angle(index)) as f32);
        let values = TensorData::new(values.collect::<Vec<_>>(), [1, 1, length, head]);
        Tensor::from_data(values, device)
    })
}

/// `[1, 1, length, length]`: 0 where the distance of two tokens is at most half of `window`, the
/// reference's rule for attention both ways; a large negative number elsewhere.
fn neighbourhood(length: usize, window: usize, device: &Device) -> Tensor<4> {
    let near = |index: usize| (index / length).abs_diff(index % length) <= window / 2;
    let values = (0..length * length).map(|index| if near(index) { 0.0 } else { -1e9 });
    let values = TensorData::new(values.collect::<Vec<f32>>(), [1, 1, length, length]);
    Tensor::from_data(values, device)
}
