//! The layers on a graphics card, through WebGPU in the browser and Vulkan, Metal or DirectX natively.
//!
//! Kernels of our own (the `.wgsl` files beside this one) for a pass without padding: the tokens of
//! all windows stand one below the other, and attention knows where a window begins. Weights stay in
//! the blocks they are stored in. Norms are computed by the products around them, so that a layer of
//! BERT takes five dispatches.

mod device;
mod program;
mod workspace;

pub use device::Gpu;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Mutex;

use burn::tensor::{Device, Tensor};
use wgpu::{BufferUsages, ComputePipeline};

use super::SentencePooling;
use super::config::{EncoderConfig, Stack};
use super::embedding::{EmbeddingTable, unstack};
use super::pooling::{self, POOLS};
use super::weights::Weights;
use crate::error::{Error, ErrorKind, Result};
use crate::tokenizer::{Passage, Window};
use program::Rows;
use program::Scratch;
pub(super) use program::{Around, Heads, Norm, Program};
use workspace::Workspace;

/// An encoder's layers on a device.
pub(super) struct Layers {
    gpu: Gpu,
    program: Program,
    pipelines: Vec<ComputePipeline>,
    data: Vec<wgpu::Buffer>,
    /// Bound where a kernel looks at nothing.
    nothing: wgpu::Buffer,
    /// Those no pass is using.
    workspaces: Mutex<Vec<Workspace>>,
}

/// A batch on its way through the layers.
pub(super) struct Run<'a> {
    layers: &'a Layers,
    workspace: Option<Workspace>,
    done: usize,
    /// The tokens of each window.
    windows: Vec<Range<usize>>,
    tokens: usize,
}

impl Layers {
    /// Puts the layers on `gpu`.
    ///
    /// # Errors
    /// As [`Weights::f32`]; `Unsupported` when sizes are not multiples of four.
    pub(super) fn load(config: &EncoderConfig, weights: &Weights, gpu: &Gpu) -> Result<Self> {
        let mut program = program(config, weights, gpu.is_half())?;
        let mut compiled = HashMap::new();
        let dispatches = program.dispatches.iter();
        let pipelines = dispatches.map(|dispatch| {
            let pipeline = compiled
                .entry(dispatch.kernel.as_str())
                .or_insert_with(|| gpu.compile(&dispatch.kernel, dispatch.operands.len() as u32));
            pipeline.clone()
        });
        let pipelines = pipelines.collect();
        let data = std::mem::take(&mut program.data);
        let data = data.into_iter().map(|bytes| gpu.upload(&bytes)).collect();
        Ok(Self {
            nothing: gpu.upload(&[0; 16]),
            gpu: gpu.clone(),
            program,
            pipelines,
            data,
            workspaces: Mutex::default(),
        })
    }

    /// See [`super::Encoder::arithmetic`].
    pub(super) fn arithmetic(&self) -> &'static str {
        if self.program.half { "f16" } else { "f32" }
    }

    /// Uploads the embeddings of `windows`; no layer has run yet.
    pub(super) fn start(&self, table: &EmbeddingTable, windows: &[&Window]) -> Result<Run<'_>> {
        let (rows, ranges) = table.stack(windows)?;
        let tokens = rows.len() / table.width();
        let workspace = self.workspace(tokens);
        let spans = ranges.iter();
        let spans = spans.flat_map(|range| range.clone().map(|_| [range.start, range.end]));
        let spans: Vec<u32> = spans.flatten().map(|token| token as u32).collect();
        self.gpu.write(workspace.first(), &rows);
        self.gpu.write(&workspace.windows, &spans);
        self.gpu.write(&workspace.batch, &[tokens as u32, 0]);
        Ok(Run {
            layers: self,
            workspace: Some(workspace),
            done: 0,
            windows: ranges,
            tokens,
        })
    }

    /// Room for a pass over so many tokens, one that an earlier pass left if there is.
    fn workspace(&self, tokens: usize) -> Workspace {
        let mut free = self.workspaces.lock().expect("no pass panics meanwhile");
        let fits = |workspace: &Workspace| workspace.tokens >= tokens;
        if let Some(place) = free.iter().position(fits) {
            return free.swap_remove(place);
        }
        // One of a size is enough; smaller ones are not needed again soon.
        free.clear();
        drop(free);
        Workspace::new(self, tokens.max(64).next_power_of_two())
    }
}

/// The dispatches of `config`; `half` allows products of numbers of 16 bits.
fn program(config: &EncoderConfig, weights: &Weights, half: bool) -> Result<Program> {
    let (sizes, build): (Vec<usize>, _) = match config.stack() {
        Stack::PostNorm(plan) => (
            vec![plan.width / plan.heads, plan.inner],
            plan.program(weights, half),
        ),
        Stack::Gemma(config) => (
            vec![
                config.hidden_size,
                config.intermediate_size,
                config.head_dim,
            ],
            config.program(weights),
        ),
    };
    if let Some(size) = sizes.iter().find(|size| !size.is_multiple_of(4)) {
        let message = format!(
            "the encoder has a part {size} wide; the graphics card takes multiples of 4. \
             Choose the CPU"
        );
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    build
}

impl Run<'_> {
    /// Hands the next layer to the device; false when every layer has been.
    pub(super) fn step(&mut self) -> bool {
        let (first, all) = (self.done, &self.layers.program.dispatches);
        // The last one pools, for which the passages are needed.
        let rest = &all[first..all.len() - 1];
        let Some(end) = rest.iter().position(|dispatch| dispatch.ends_step) else {
            return false;
        };
        self.done = first + end + 1;
        self.submit(first..self.done, 0);
        true
    }

    /// Hidden states, `[windows, longest, width]` on `device`, padding rows zero.
    ///
    /// # Errors
    /// `Device` when the device fails.
    pub(super) async fn hidden(mut self, device: &Device) -> Result<Tensor<3>> {
        while self.step() {}
        let width = self.layers.program.width;
        let workspace = self.workspace.as_ref().expect("a run keeps its workspace");
        let hidden = workspace.scratch(self.layers.program.hidden);
        let length = self.tokens * width;
        let values = self
            .layers
            .gpu
            .read(hidden, &workspace.read, length)
            .await?;
        Ok(unstack(&values, &self.windows, width, device))
    }

    /// The pools of `passages`, whose windows the run was started with: `[passages x POOLS x width]`.
    ///
    /// # Errors
    /// `Device` when the device fails.
    pub(super) async fn pools(
        mut self,
        passages: &[&Passage],
        pooling: SentencePooling,
    ) -> Result<Vec<f32>> {
        while self.step() {}
        let (gpu, width) = (&self.layers.gpu, self.layers.program.width);
        let workspace = self.workspace.as_ref().expect("a run keeps its workspace");
        let mut first = 0;
        let ranges = passages.iter().flat_map(|passage| {
            let range = [first, first + passage.len()];
            first = range[1];
            range
        });
        let ranges: Vec<u32> = ranges.map(|token| token as u32).collect();
        gpu.write(&workspace.passages, &ranges);
        gpu.write(&workspace.shares, &self.shares(passages, pooling));
        let counts = [self.tokens as u32, passages.len() as u32];
        gpu.write(&workspace.batch, &counts);
        let last = self.layers.program.dispatches.len();
        self.submit(self.done..last, passages.len());
        let length = passages.len() * POOLS * width;
        gpu.read(&workspace.pools, &workspace.read, length).await
    }

    /// Weight of each token in each pool, `[POOLS, tokens]`.
    fn shares(&self, passages: &[&Passage], pooling: SentencePooling) -> Vec<f32> {
        let longest = self.windows.iter().map(ExactSizeIterator::len).max();
        let longest = longest.unwrap_or(0);
        let padded = pooling::token_weights(passages, longest, pooling);
        let mut shares = vec![0.0; POOLS * self.tokens];
        for (window, range) in self.windows.iter().enumerate() {
            for pool in 0..POOLS {
                let from = (window * POOLS + pool) * longest;
                shares[pool * self.tokens..][range.clone()]
                    .copy_from_slice(&padded[from..from + range.len()]);
            }
        }
        shares
    }

    fn submit(&self, dispatches: Range<usize>, passages: usize) {
        let (layers, workspace) = (self.layers, &self.workspace);
        let workspace = workspace.as_ref().expect("a run keeps its workspace");
        layers.gpu.submit(|pass| {
            for index in dispatches {
                let dispatch = &layers.program.dispatches[index];
                let rows = match dispatch.rows {
                    Rows::Tokens(each) => self.tokens.div_ceil(each),
                    Rows::Passages => passages,
                };
                pass.set_pipeline(&layers.pipelines[index]);
                pass.set_bind_group(0, &workspace.groups[index], &[]);
                pass.dispatch_workgroups(dispatch.columns as u32, rows as u32, 1);
            }
        });
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        let free = self.layers.workspaces.lock();
        if let (Ok(mut free), Some(workspace)) = (free, self.workspace.take()) {
            free.push(workspace);
        }
    }
}

/// Buffers that kernels read and write, and that the CPU fills or empties.
const SCRATCH: BufferUsages = BufferUsages::STORAGE
    .union(BufferUsages::COPY_SRC)
    .union(BufferUsages::COPY_DST);

#[cfg(test)]
mod tests {
    use super::*;

    /// Dispatches bound small texts: 62 for the default encoder's 12 layers.
    #[test]
    fn a_layer_takes_five_dispatches() {
        let bytes = include_bytes!("../../../tests/fixtures/tiny-bert/model.safetensors");
        let config = include_bytes!("../../../tests/fixtures/tiny-bert/config.json");
        let config = EncoderConfig::from_json(config).unwrap();
        let weights = Weights::from_bytes("model.safetensors", bytes).unwrap();
        let program = program(&config, &weights, false).unwrap();
        assert_eq!(program.dispatches.len(), 5 * config.layers() + 2);
    }
}
