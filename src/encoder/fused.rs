//! The layers of BERT and its kin on the CPU: packed weights, fused steps, no padding.
//!
//! The tokens of all windows stand one below the other, `[tokens, width]`, and only attention knows
//! where a window begins. A layer runs in two phases, each in parallel over blocks of tokens: query,
//! key and value of every token; then all the rest of a block while it is in the cache. Products and
//! functions are rten's, which picks the kernels for the CPU at hand; where the CPU has whole-number
//! instructions for it, products with 4-bit weights are [`super::blockwise`]'s.

use std::cell::Cell;
use std::ops::Range;

use burn::tensor::{Device, Tensor};
use rayon::prelude::*;
use rten_gemm::{BiasVector, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_simd::{SimdOp, SimdUnaryOp};
use rten_tensor::NdTensorView;
use rten_vecmath::{Gelu, Normalize, NormalizeOptions, Softmax, Sum, SumSquareSub};

use super::blockwise::{BlockwiseMatrix, Kernel, RowBlock};
use super::embedding::{EmbeddingTable, NORM, unstack};
use super::post_norm::Plan;
use super::weights::Weights;
use crate::error::Result;
use crate::tokenizer::Window;

/// Most tokens of a block: what the feed-forward needs of them stays in the second-level cache.
const BLOCK_TOKENS: usize = 64;
/// Fewest tokens worth a thread of their own.
const LEAST_TOKENS: usize = 8;

thread_local! {
    /// The kernels for this CPU; one a thread, as they cannot be handed from one to another.
    static GEMM: GemmExecutor = GemmExecutor::default();
    /// Room for a block's intermediate values. Taken, not borrowed: while a product waits for its
    /// own parts, the thread may begin another block.
    static SCRATCH: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
    /// The same for a block's rows in 16 bits.
    static ROWS: Cell<Vec<RowBlock>> = const { Cell::new(Vec::new()) };
}

/// The fused layers.
pub(super) struct Fused {
    norm: Norm,
    layers: Vec<Layer>,
    width: usize,
    heads: usize,
    inner: usize,
}

struct Layer {
    /// Query, key and value side by side: `[width, 3 width]`.
    qkv: Product,
    output: Product,
    attention_norm: Norm,
    up: Product,
    down: Product,
    output_norm: Norm,
}

/// A matrix product with its bias.
struct Product {
    inputs: usize,
    weight: Weight,
    bias: Vec<f32>,
}

enum Weight {
    Plain(PackedBMatrix<f32>),
    Blockwise(BlockwiseMatrix),
}

/// A LayerNorm.
struct Norm {
    gain: Vec<f32>,
    bias: Vec<f32>,
    epsilon: f32,
}

/// Windows on their way through the layers.
pub(super) struct Run<'a> {
    fused: &'a Fused,
    /// Where the hidden states go at the end.
    device: &'a Device,
    /// Layers that have run; before them the norm of the embeddings.
    done: usize,
    /// `[tokens, width]`.
    hidden: Vec<f32>,
    /// `[tokens, 3 width]`, of the layer that runs.
    qkv: Vec<f32>,
    /// The tokens of each window.
    windows: Vec<Range<usize>>,
}

impl Fused {
    pub(super) fn load(plan: &Plan, weights: &Weights) -> Result<Self> {
        let norm = |name: &str| Norm::load(name, plan.epsilon, weights);
        let kernel = Kernel::detect();
        let layer = |index| {
            let product = |names: &[String]| Product::load(names, kernel, weights);
            let [qkv, output, up, down] = plan.products(index);
            let [attention_norm, output_norm] = plan.norms(index);
            Ok(Layer {
                qkv: product(&qkv)?,
                output: product(&output)?,
                attention_norm: norm(&attention_norm)?,
                up: product(&up)?,
                down: product(&down)?,
                output_norm: norm(&output_norm)?,
            })
        };
        Ok(Self {
            norm: norm(NORM)?,
            layers: (0..plan.layers).map(layer).collect::<Result<_>>()?,
            width: plan.width,
            heads: plan.heads,
            inner: plan.inner,
        })
    }

    /// Whether there are products in whole numbers.
    pub(super) fn is_blockwise(&self) -> bool {
        let is_blockwise = |product: &Product| matches!(product.weight, Weight::Blockwise(_));
        (self.layers.iter()).any(|layer| is_blockwise(&layer.qkv))
    }

    /// Looks up the embeddings of `windows`; no layer has run yet.
    pub(super) fn start<'a>(
        &'a self,
        table: &EmbeddingTable,
        windows: &[&Window],
        device: &'a Device,
    ) -> Result<Run<'a>> {
        let (hidden, windows) = table.stack(windows)?;
        Ok(Run {
            fused: self,
            device,
            done: 0,
            qkv: vec![0.0; hidden.len() * 3],
            hidden,
            windows,
        })
    }
}

impl Run<'_> {
    /// Runs the next layer; false when every layer has run.
    pub(super) fn step(&mut self) -> bool {
        let Some(layer) = self.fused.layers.get(self.done) else {
            return false;
        };
        if self.done == 0 {
            self.fused.norm.apply(&mut self.hidden);
        }
        self.layer(layer);
        self.done += 1;
        true
    }

    /// The hidden states, `[windows, longest, width]`, padding rows zero.
    pub(super) fn hidden(&self) -> Tensor<3> {
        unstack(&self.hidden, &self.windows, self.fused.width, self.device)
    }

    fn layer(&mut self, layer: &Layer) {
        let width = self.fused.width;
        let tokens = self.hidden.len() / width;
        let block = tokens.div_ceil(rayon::current_num_threads());
        let block = block.clamp(LEAST_TOKENS, BLOCK_TOKENS) * width;
        self.qkv
            .par_chunks_mut(3 * block)
            .zip(self.hidden.par_chunks(block))
            .for_each(|(qkv, hidden)| layer.qkv.apply(hidden, qkv, false));
        let (fused, qkv, windows) = (self.fused, &self.qkv, &self.windows);
        self.hidden
            .par_chunks_mut(block)
            .enumerate()
            .for_each(|(index, hidden)| {
                let first = index * block / width;
                let rows = first..first + hidden.len() / width;
                let mut scratch = SCRATCH.take();
                scratch.resize(rows.len() * fused.inner.max(width), 0.0);
                let context = &mut scratch[..hidden.len()];
                fused.attend(qkv, windows, &rows, context);
                // Added to the hidden states where they are.
                layer.output.apply(context, hidden, true);
                layer.attention_norm.apply(hidden);
                let inner = &mut scratch[..rows.len() * fused.inner];
                layer.up.apply(hidden, inner, false);
                Gelu {}.map_mut(inner);
                layer.down.apply(inner, hidden, true);
                layer.output_norm.apply(hidden);
                SCRATCH.set(scratch);
            });
    }
}

impl Fused {
    /// What the tokens `rows` gather from their own windows, into `context`, `[rows, width]`.
    fn attend(
        &self,
        qkv: &[f32],
        windows: &[Range<usize>],
        rows: &Range<usize>,
        context: &mut [f32],
    ) {
        let width = self.width;
        let mut scratch = (Vec::new(), Vec::new());
        for window in windows {
            let own = rows.start.max(window.start)..rows.end.min(window.end);
            if own.is_empty() {
                continue;
            }
            let context = &mut context[(own.start - rows.start) * width..];
            for head in 0..self.heads {
                self.attend_head(qkv, window, &own, head, context, &mut scratch);
            }
        }
    }

    /// One head of the tokens `own` of `window`, written into its columns of `context`.
    fn attend_head(
        &self,
        qkv: &[f32],
        window: &Range<usize>,
        own: &Range<usize>,
        head: usize,
        context: &mut [f32],
        (logits, gathered): &mut (Vec<f32>, Vec<f32>),
    ) {
        let (stride, size) = (3 * self.width, self.width / self.heads);
        let column = head * size;
        let part = |first: usize, part: usize| &qkv[first * stride + part * self.width + column..];
        let query = matrix(part(own.start, 0), [own.len(), size], [stride, 1]);
        let keys = matrix(part(window.start, 1), [size, window.len()], [1, stride]);
        let values = matrix(part(window.start, 2), [window.len(), size], [stride, 1]);
        logits.resize(own.len() * window.len(), 0.0);
        gathered.resize(own.len() * size, 0.0);
        let scaled = GemmOptions {
            alpha: (size as f32).sqrt().recip(),
            ..GemmOptions::default()
        };
        let unpacked = |a, b| (GemmInputA::Unpacked(a), GemmInputB::Unpacked(b));
        multiply(unpacked(query, keys), logits, scaled);
        for row in logits.chunks_exact_mut(window.len()) {
            Softmax::new_mut(row).dispatch();
        }
        let weights = matrix(logits, [own.len(), window.len()], [window.len(), 1]);
        multiply(unpacked(weights, values), gathered, GemmOptions::default());
        for (row, values) in gathered.chunks_exact(size).enumerate() {
            context[row * self.width + column..][..size].copy_from_slice(values);
        }
    }
}

impl Product {
    /// The named products side by side, see [`Weights::joined`]; with a `kernel`, 4-bit weights as
    /// they are stored.
    fn load(names: &[String], kernel: Option<Kernel>, weights: &Weights) -> Result<Self> {
        let bias = weights.joined(names, "bias")?;
        if let Some(kernel) = kernel {
            let parts = names.iter();
            let parts = parts.map(|name| weights.quantised(&format!("{name}.weight")));
            let parts: Option<Vec<_>> = parts.collect::<Result<_>>()?;
            if let Some(weight) = parts.and_then(|parts| BlockwiseMatrix::pack(&parts, kernel)) {
                return Ok(Self {
                    inputs: weight.inputs(),
                    weight: Weight::Blockwise(weight),
                    bias,
                });
            }
        }
        let rows = weights.joined(names, "weight")?;
        let inputs = rows.len() / bias.len();
        let transposed = matrix(&rows, [inputs, bias.len()], [1, inputs]);
        Ok(Self {
            inputs,
            weight: Weight::Plain(GEMM.with(|gemm| gemm.prepack_b(transposed))),
            bias,
        })
    }

    /// `output = rows x weight + bias`, added to what `output` holds if `add`.
    fn apply(&self, rows: &[f32], output: &mut [f32], add: bool) {
        match &self.weight {
            Weight::Plain(weight) => self.apply_plain(weight, rows, output, add),
            Weight::Blockwise(weight) => self.apply_blockwise(weight, rows, output, add),
        }
    }

    fn apply_plain(
        &self,
        weight: &PackedBMatrix<f32>,
        rows: &[f32],
        output: &mut [f32],
        add: bool,
    ) {
        let shape = [rows.len() / self.inputs, self.inputs];
        let rows = GemmInputA::Unpacked(matrix(rows, shape, [self.inputs, 1]));
        let options = GemmOptions {
            beta: if add { 1.0 } else { 0.0 },
            bias: Some(BiasVector::Row(&self.bias)),
            ..GemmOptions::default()
        };
        multiply((rows, GemmInputB::Packed(weight)), output, options);
    }

    fn apply_blockwise(
        &self,
        weight: &BlockwiseMatrix,
        rows: &[f32],
        output: &mut [f32],
        add: bool,
    ) {
        let mut blocks = ROWS.take();
        weight.quantise(rows, &mut blocks);
        weight.multiply(&blocks, |row, first, products| {
            let output = &mut output[row * self.bias.len() + first..][..products.len()];
            let biases = &self.bias[first..];
            for ((output, product), bias) in output.iter_mut().zip(products).zip(biases) {
                *output = product + bias + if add { *output } else { 0.0 };
            }
        });
        ROWS.set(blocks);
    }
}

impl Norm {
    fn load(name: &str, epsilon: f64, weights: &Weights) -> Result<Self> {
        Ok(Self {
            gain: weights.f32(&format!("{name}.weight"))?,
            bias: weights.f32(&format!("{name}.bias"))?,
            epsilon: epsilon as f32,
        })
    }

    /// Normalises each of `rows`, `[rows, width]`, in place.
    fn apply(&self, rows: &mut [f32]) {
        let width = self.gain.len() as f32;
        for row in rows.chunks_exact_mut(self.gain.len()) {
            let mean = Sum::new(row).dispatch() / width;
            let variance = SumSquareSub::new(row, mean).dispatch() / width;
            let options = NormalizeOptions {
                pre_scale_bias: mean,
                scale: (variance + self.epsilon).sqrt().recip(),
                element_scale: Some(&self.gain),
                element_bias: Some(&self.bias),
                ..NormalizeOptions::default()
            };
            Normalize::new_mut(row, options).dispatch();
        }
    }
}

/// `output = alpha x a x b + beta x output`, and a bias.
fn multiply(
    (a, b): (GemmInputA<f32>, GemmInputB<f32>),
    output: &mut [f32],
    options: GemmOptions<f32, f32, f32>,
) {
    let done = GEMM.with(|gemm| gemm.gemm(output, a, b, options));
    done.expect("sizes were checked when the weights were read");
}

/// A view of `values`: element (row, column) is at `row x strides[0] + column x strides[1]`.
fn matrix(values: &[f32], shape: [usize; 2], strides: [usize; 2]) -> NdTensorView<'_, f32, 2> {
    NdTensorView::from_slice_with_strides(shape, values, strides)
        .expect("a matrix within its values")
}
