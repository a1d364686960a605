//! The buffers of a pass.

use wgpu::{BindGroup, Buffer, BufferUsages};

use super::program::Operand;
use super::{Layers, POOLS, SCRATCH, Scratch};

/// Buffers for so many tokens, bound to the kernels of some layers.
pub(super) struct Workspace {
    pub tokens: usize,
    /// Numbers of tokens and passages.
    pub batch: Buffer,
    /// The window of each token.
    pub windows: Buffer,
    /// Weight of each token in each pool.
    pub shares: Buffer,
    /// The tokens of each passage.
    pub passages: Buffer,
    /// What is read back.
    pub pools: Buffer,
    /// What the CPU reads of.
    pub read: Buffer,
    scratch: Vec<Buffer>,
    /// One a dispatch.
    pub groups: Vec<BindGroup>,
}

impl Workspace {
    pub(super) fn new(layers: &Layers, tokens: usize) -> Self {
        let (gpu, program) = (&layers.gpu, &layers.program);
        let words = |each: usize| gpu.buffer(tokens * each * size_of::<f32>(), SCRATCH);
        // Every passage has a token.
        let pools = POOLS * program.width;
        let read = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
        let mut workspace = Self {
            tokens,
            batch: gpu.buffer(16, BufferUsages::UNIFORM | BufferUsages::COPY_DST),
            windows: words(2),
            shares: words(POOLS),
            passages: words(2),
            pools: words(pools),
            read: gpu.buffer(tokens * pools * size_of::<f32>(), read),
            scratch: program.scratch.iter().map(|&width| words(width)).collect(),
            groups: Vec::new(),
        };
        let dispatches = program.dispatches.iter().zip(&layers.pipelines);
        let groups = dispatches.map(|(dispatch, pipeline)| {
            let operands = dispatch.operands.iter();
            let buffers = operands.map(|&operand| workspace.buffer(operand, layers));
            gpu.bind(pipeline, &buffers.collect::<Vec<_>>())
        });
        workspace.groups = groups.collect();
        workspace
    }

    /// Where the embeddings go.
    pub(super) fn first(&self) -> &Buffer {
        &self.scratch[0]
    }

    pub(super) fn scratch(&self, scratch: Scratch) -> &Buffer {
        &self.scratch[scratch.0]
    }

    fn buffer<'a>(&'a self, operand: Operand, layers: &'a Layers) -> &'a Buffer {
        match operand {
            Operand::Batch => &self.batch,
            Operand::Windows => &self.windows,
            Operand::Shares => &self.shares,
            Operand::Passages => &self.passages,
            Operand::Pools => &self.pools,
            Operand::Scratch(scratch) => self.scratch(scratch),
            Operand::Data(index) => &layers.data[index],
            Operand::Nothing => &layers.nothing,
        }
    }
}
