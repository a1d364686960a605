//! The layers of BERT and its kin on the CPU: packed weights, fused steps, no padding.
//!
//! The tokens of all windows stand one below the other, `[tokens, width]`, and only attention knows
//! where a window begins. A layer runs in two phases: attention, in parallel over windows and heads;
//! then all the rest of a block of tokens while it is in the cache, down to the queries, keys and values
//! of the next layer. Products and functions are rten's, which picks the kernels for the CPU at
//! hand; where the CPU has whole-number instructions for it, products with quantised weights and
//! attention are [`super::blockwise`]'s.

use std::cell::Cell;
use std::ops::Range;

use burn::tensor::{Device, Tensor};
use rayon::prelude::*;
use rten_gemm::{BiasVector, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_simd::{SimdOp, SimdUnaryOp};
use rten_tensor::NdTensorView;
use rten_vecmath::{Normalize, NormalizeOptions, Softmax, Sum, SumSquareSub};

use super::blockwise::{self, BlockwiseMatrix, Kernel};
use super::embedding::{EmbeddingTable, NORM, unstack};
use super::gelu::Gelu;
use super::post_norm::Plan;
use super::quant::{Precision, Quantised};
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
    static ROWS: Cell<blockwise::Rows> = Cell::default();
}

/// The fused layers.
pub(super) struct Fused {
    norm: Norm,
    layers: Vec<Layer>,
    width: usize,
    heads: usize,
    inner: usize,
    /// For attention in whole numbers; ARM is as fast in f32.
    #[cfg(not(target_arch = "aarch64"))]
    kernel: Option<Kernel>,
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
    /// With how they are stored.
    Blockwise(BlockwiseMatrix<i8>, Precision),
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
    /// `[tokens, 3 width]`, of the layer that runs next.
    qkv: Vec<f32>,
    /// What attention gathers in the layer that runs, window by window `[heads, tokens, size]`.
    context: Vec<f32>,
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
        let layers: Vec<Layer> = (0..plan.layers).map(layer).collect::<Result<_>>()?;
        Ok(Self {
            norm: norm(NORM)?,
            width: plan.width,
            heads: plan.heads,
            inner: plan.inner,
            // Attention is as exact as the products around it.
            #[cfg(not(target_arch = "aarch64"))]
            kernel: kernel.filter(|_| {
                blockwise::attends(plan.width / plan.heads)
                    && layers.iter().all(|layer| layer.qkv.is_blockwise())
            }),
            layers,
        })
    }

    /// See [`super::Encoder::arithmetic`].
    pub(super) fn arithmetic(&self) -> &'static str {
        let Some(Weight::Blockwise(_, precision)) =
            self.layers.first().map(|layer| &layer.qkv.weight)
        else {
            return "f32";
        };
        match (precision, blockwise::IN_PLANES) {
            (Precision::Q4, false) => "q4-i16",
            (Precision::Q4, true) => "q4-i14",
            (_, false) => "q8-i16",
            (_, true) => "q8-i14",
        }
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
            context: vec![0.0; hidden.len()],
            hidden,
            windows,
        })
    }
}

impl Run<'_> {
    /// Runs the next layer; false when every layer has run.
    pub(super) fn step(&mut self) -> bool {
        let [layer, rest @ ..] = &self.fused.layers[self.done..] else {
            return false;
        };
        if self.done == 0 {
            self.begin(layer);
        }
        self.attend();
        self.finish(layer, rest.first());
        self.done += 1;
        true
    }

    /// The hidden states, `[windows, longest, width]`, padding rows zero.
    pub(super) fn hidden(&self) -> Tensor<3> {
        unstack(&self.hidden, &self.windows, self.fused.width, self.device)
    }

    /// Numbers of a block of tokens in the hidden states: enough blocks for all threads.
    fn block(&self) -> usize {
        let width = self.fused.width;
        let tokens = self.hidden.len() / width;
        let block = tokens.div_ceil(rayon::current_num_threads());
        block.clamp(LEAST_TOKENS, BLOCK_TOKENS) * width
    }

    /// The norm of the embeddings, and queries, keys and values of the first layer.
    fn begin(&mut self, layer: &Layer) {
        let (norm, block) = (&self.fused.norm, self.block());
        let hidden = self.hidden.par_chunks_mut(block);
        let qkv = self.qkv.par_chunks_mut(3 * block);
        hidden.zip(qkv).for_each(|(hidden, qkv)| {
            norm.apply(hidden);
            layer.qkv.apply(hidden, qkv, false);
        });
    }

    fn attend(&mut self) {
        let (fused, qkv) = (self.fused, &self.qkv);
        let mut rest = &mut self.context[..];
        let mut heads = Vec::new();
        for window in self.windows.iter().filter(|window| !window.is_empty()) {
            let own = rest.split_off_mut(..window.len() * fused.width);
            let own = own.expect("a window's tokens");
            let own = own.chunks_exact_mut(window.len() * fused.size());
            let own = own.enumerate();
            heads.extend(own.map(|(head, context)| (window, head, context)));
        }
        heads.into_par_iter().for_each(|(window, head, context)| {
            fused.attend(qkv, window, head, context);
        });
    }

    /// What follows attention in `layer`, and queries, keys and values of the `next`.
    fn finish(&mut self, layer: &Layer, next: Option<&Layer>) {
        let (fused, width, block) = (self.fused, self.fused.width, self.block());
        let (context, windows) = (&self.context, &self.windows);
        self.hidden
            .par_chunks_mut(block)
            .zip(self.qkv.par_chunks_mut(3 * block))
            .enumerate()
            .for_each(|(index, (hidden, qkv))| {
                let first = index * block / width;
                let rows = first..first + hidden.len() / width;
                let mut scratch = SCRATCH.take();
                scratch.resize(rows.len() * fused.inner.max(width), 0.0);
                let gathered = &mut scratch[..hidden.len()];
                fused.gather(context, windows, &rows, gathered);
                // Added to the hidden states where they are.
                layer.output.apply(gathered, hidden, true);
                layer.attention_norm.apply(hidden);
                let inner = &mut scratch[..rows.len() * fused.inner];
                layer.up.apply(hidden, inner, false);
                Gelu.map_mut(inner);
                layer.down.apply(inner, hidden, true);
                layer.output_norm.apply(hidden);
                SCRATCH.set(scratch);
                if let Some(next) = next {
                    next.qkv.apply(hidden, qkv, false);
                }
            });
    }
}

impl Fused {
    /// Width of a head.
    fn size(&self) -> usize {
        self.width / self.heads
    }

    /// What the tokens of `window` gather in one head, into `context`, `[tokens, size]`.
    fn attend(&self, qkv: &[f32], window: &Range<usize>, head: usize, context: &mut [f32]) {
        let (stride, size) = (3 * self.width, self.size());
        let part = |part: usize| &qkv[window.start * stride + part * self.width + head * size..];
        #[cfg(not(target_arch = "aarch64"))]
        if let Some(kernel) = self.kernel {
            return blockwise::attend(kernel, part, stride, size, context);
        }
        attend_plain(part, stride, size, context);
    }

    /// The rows `rows`, `[rows, width]`, of what attention gathered.
    fn gather(
        &self,
        context: &[f32],
        windows: &[Range<usize>],
        rows: &Range<usize>,
        output: &mut [f32],
    ) {
        let (width, size) = (self.width, self.size());
        for window in windows.iter().filter(|window| !window.is_empty()) {
            let context = &context[window.start * width..window.end * width];
            let heads = context.chunks_exact(window.len() * size);
            for (head, context) in heads.enumerate() {
                for token in rows.start.max(window.start)..rows.end.min(window.end) {
                    let row = (token - rows.start) * width + head * size;
                    let values = &context[(token - window.start) * size..][..size];
                    output[row..][..size].copy_from_slice(values);
                }
            }
        }
    }
}

/// Attention of one head in f32, for any `size`.
fn attend_plain<'a>(
    part: impl Fn(usize) -> &'a [f32],
    stride: usize,
    size: usize,
    context: &mut [f32],
) {
    let tokens = context.len() / size;
    let keys = matrix(part(1), [size, tokens], [1, stride]);
    let values = matrix(part(2), [tokens, size], [stride, 1]);
    let scaled = GemmOptions {
        alpha: (size as f32).sqrt().recip(),
        ..GemmOptions::default()
    };
    let mut logits = Vec::new();
    for (index, context) in context.chunks_mut(BLOCK_TOKENS * size).enumerate() {
        let own = context.len() / size;
        let queries = &part(0)[index * BLOCK_TOKENS * stride..];
        let queries = matrix(queries, [own, size], [stride, 1]);
        logits.resize(own * tokens, 0.0);
        let product = (GemmInputA::Unpacked(queries), GemmInputB::Unpacked(keys));
        multiply(product, &mut logits, scaled.clone());
        for row in logits.chunks_exact_mut(tokens) {
            Softmax::new_mut(row).dispatch();
        }
        let weights = matrix(&logits, [own, tokens], [tokens, 1]);
        let product = (GemmInputA::Unpacked(weights), GemmInputB::Unpacked(values));
        multiply(product, context, GemmOptions::default());
    }
}

impl Product {
    /// The named products side by side, see [`Weights::joined`]; with a `kernel`, quantised
    /// weights as they are stored.
    fn load(names: &[String], kernel: Option<Kernel>, weights: &Weights) -> Result<Self> {
        let bias = weights.joined(names, "bias")?;
        if let Some(kernel) = kernel {
            let parts = names.iter();
            let parts = parts.map(|name| weights.quantised(&format!("{name}.weight")));
            let parts: Option<Vec<_>> = parts.collect::<Result<_>>()?;
            let pack = |parts: Vec<Quantised>| {
                let weight = BlockwiseMatrix::pack(&parts, kernel)?;
                Some((weight, parts.first()?.precision))
            };
            if let Some((weight, precision)) = parts.and_then(pack) {
                return Ok(Self {
                    inputs: weight.inputs(),
                    weight: Weight::Blockwise(weight, precision),
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

    #[cfg(not(target_arch = "aarch64"))]
    fn is_blockwise(&self) -> bool {
        matches!(self.weight, Weight::Blockwise(..))
    }

    /// `output = rows x weight + bias`, added to what `output` holds if `add`.
    fn apply(&self, rows: &[f32], output: &mut [f32], add: bool) {
        match &self.weight {
            Weight::Plain(weight) => self.apply_plain(weight, rows, output, add),
            Weight::Blockwise(weight, _) => self.apply_blockwise(weight, rows, output, add),
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
        weight: &BlockwiseMatrix<i8>,
        rows: &[f32],
        output: &mut [f32],
        add: bool,
    ) {
        let width = self.bias.len();
        for output in output.chunks_exact_mut(width) {
            if add {
                let biases = output.iter_mut().zip(&self.bias);
                biases.for_each(|(value, bias)| *value += bias);
            } else {
                output.copy_from_slice(&self.bias);
            }
        }
        let mut blocks = ROWS.take();
        weight.quantise(rows, &mut blocks);
        weight.add_products(&blocks, output, width);
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
