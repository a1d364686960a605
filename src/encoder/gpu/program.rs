//! What a pass consists of, before there is a device: kernels, their data and how they follow.

use std::fmt::Write;

use crate::encoder::POOLS;
use crate::encoder::quant::{BLOCK, Precision, Quantised};
use crate::encoder::weights::Weights;
use crate::error::Result;

/// Rows and columns of a tile of `product.wgsl`.
const TILE: [usize; 2] = [32, 64];
/// Queries of a workgroup of `attention.wgsl`.
const QUERIES: usize = 32;
/// Threads of a workgroup of `rotate.wgsl` and `pool.wgsl`.
const THREADS: usize = 64;
/// Quads of keys, and as many of values, that fit the 16 KiB every device has for a workgroup.
const KEY_QUADS: usize = 512;

/// The dispatches of a pass in order, with their data.
#[derive(Default)]
pub(in crate::encoder) struct Program {
    pub dispatches: Vec<Dispatch>,
    /// Numbers a token of each buffer that is not kept between passes.
    pub scratch: Vec<usize>,
    /// Bytes of each buffer that is uploaded once.
    pub data: Vec<Vec<u8>>,
    /// Where the hidden states are at the end.
    pub hidden: Scratch,
    /// Their width.
    pub width: usize,
    /// Whether what products multiply is rounded to f16; their sums are f32 all the same.
    pub half: bool,
}

/// A kernel with what it works on.
pub(in crate::encoder) struct Dispatch {
    /// WGSL.
    pub kernel: String,
    pub operands: Vec<Operand>,
    /// Workgroups along x.
    pub columns: usize,
    /// What its workgroups along y divide.
    pub rows: Rows,
    /// Whether a caller may pause behind it.
    pub ends_step: bool,
}

#[derive(Clone, Copy)]
pub(in crate::encoder) enum Rows {
    /// So many tokens a workgroup.
    Tokens(usize),
    /// A passage a workgroup.
    Passages,
}

/// A buffer of a kernel, in the order of its bindings: [`Operand::Batch`] first, last the one that it
/// writes.
#[derive(Clone, Copy)]
pub(in crate::encoder) enum Operand {
    /// How many tokens and passages there are.
    Batch,
    /// The window of each token.
    Windows,
    /// Weights of the tokens in the pools.
    Shares,
    /// The tokens of each passage.
    Passages,
    /// What is read back.
    Pools,
    Scratch(Scratch),
    Data(usize),
    /// One that the kernel does not look at.
    Nothing,
}

/// A buffer that is not kept between passes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::encoder) struct Scratch(pub usize);

/// A LayerNorm or an RMSNorm.
pub(in crate::encoder) struct Norm {
    pub gain: Vec<f32>,
    /// Empty for an RMSNorm, which has no mean either.
    pub shift: Vec<f32>,
    pub epsilon: f64,
}

/// What becomes of a product's input before, and of its output after.
#[derive(Clone, Copy)]
pub(in crate::encoder) struct Around<'a> {
    /// Norm of the input.
    pub norm: Option<&'a Norm>,
    /// Whether the input is a gate and what it gates, side by side.
    pub gated: bool,
    /// Whether the checkpoint has a bias.
    pub bias: bool,
    /// Whether the output goes through GELU.
    pub gelu: bool,
    /// What is added to the output, normalised or not.
    pub residual: Option<(Scratch, Option<&'a Norm>)>,
}

impl Around<'_> {
    pub(in crate::encoder) const NOTHING: Self = Self {
        norm: None,
        gated: false,
        bias: false,
        gelu: false,
        residual: None,
    };
}

/// Sizes of an attention.
pub(in crate::encoder) struct Heads {
    pub heads: usize,
    /// Heads of keys and values.
    pub shared: usize,
    /// Width of one head.
    pub head: usize,
    pub scale: f64,
    /// The farthest key a query sees.
    pub reach: Option<usize>,
}

impl Program {
    /// A buffer with `width` numbers a token.
    pub(in crate::encoder) fn scratch(&mut self, width: usize) -> Scratch {
        self.scratch.push(width);
        Scratch(self.scratch.len() - 1)
    }

    /// `output = input x weightsᵀ` of the named products side by side.
    ///
    /// # Errors
    /// As [`Weights::f32`].
    pub(in crate::encoder) fn product(
        &mut self,
        weights: &Weights,
        names: &[String],
        [input, output]: [Scratch; 2],
        around: Around,
    ) -> Result<()> {
        let (precision, [codes, scales], outputs) = self.weights(weights, names)?;
        let stride = self.scratch[input.0];
        let inputs = if around.gated { stride / 2 } else { stride };
        let residual_norm = around.residual.and_then(|(_, norm)| norm);
        let norm = around.norm.or(residual_norm);
        let mut vectors = Vec::new();
        if around.bias {
            vectors = weights.joined(names, "bias")?;
        }
        vectors.extend(norm.iter().flat_map(|norm| norm.vectors()));
        let kernel = Kernel::new(include_str!("product.wgsl"))
            .size("K", inputs)
            .size("N", outputs)
            .size("STRIDE", stride)
            .size("PRECISION", precision)
            .flag("NORM_INPUT", around.norm.is_some())
            .flag("NORM_RESIDUAL", residual_norm.is_some())
            .norm(norm)
            .flag("HAS_BIAS", around.bias)
            .flag("HAS_RESIDUAL", around.residual.is_some())
            .flag("GELU", around.gelu)
            .flag("GATED", around.gated)
            .half(self.half);
        let vectors = self.floats(&vectors);
        let residual = around.residual.map(|(residual, _)| residual);
        self.dispatch(
            kernel,
            vec![
                Operand::Batch,
                Operand::Scratch(input),
                codes,
                scales,
                vectors,
                residual.map_or(Operand::Nothing, Operand::Scratch),
                Operand::Scratch(output),
            ],
            outputs.div_ceil(TILE[1]),
            Rows::Tokens(TILE[0]),
        );
        Ok(())
    }

    /// `context` of `qkv`, which holds query, key and value heads of a token side by side.
    pub(in crate::encoder) fn attend(&mut self, heads: &Heads, [qkv, context]: [Scratch; 2]) {
        let keys = (KEY_QUADS / (heads.head / 4)).clamp(1, 32);
        let kernel = Kernel::new(include_str!("attention.wgsl"))
            .heads(heads)
            .number("SCALE", heads.scale)
            .size("REACH", heads.reach.unwrap_or(1 << 20))
            .size("KEYS", keys);
        self.dispatch(
            kernel,
            vec![
                Operand::Batch,
                Operand::Scratch(qkv),
                Operand::Windows,
                Operand::Scratch(context),
            ],
            heads.heads,
            Rows::Tokens(QUERIES),
        );
    }

    /// Norm and rotary positions of the query and key heads in `qkv`, where they are. `norms` are
    /// those of queries and keys, `angles` cosine and sine by position and half a head's places.
    pub(in crate::encoder) fn rotate(
        &mut self,
        heads: &Heads,
        norms: [&Norm; 2],
        angles: Operand,
        qkv: Scratch,
    ) {
        let kernel = Kernel::new(include_str!("rotate.wgsl"))
            .heads(heads)
            .number("EPSILON", norms[0].epsilon);
        let gains = self.floats(&norms.map(|norm| norm.gain.as_slice()).concat());
        self.dispatch(
            kernel,
            vec![
                Operand::Batch,
                Operand::Windows,
                gains,
                angles,
                Operand::Scratch(qkv),
            ],
            heads.heads + heads.shared,
            Rows::Tokens(THREADS),
        );
    }

    /// `output = residual + norm(input)`.
    pub(in crate::encoder) fn normalise(
        &mut self,
        norm: &Norm,
        [input, output]: [Scratch; 2],
        residual: Option<Scratch>,
    ) {
        let kernel = Kernel::new(include_str!("norm.wgsl"))
            .size("WIDTH", norm.gain.len())
            .norm(Some(norm))
            .flag("HAS_RESIDUAL", residual.is_some());
        let vectors = self.floats(&norm.vectors());
        self.dispatch(
            kernel,
            vec![
                Operand::Batch,
                Operand::Scratch(input),
                vectors,
                residual.map_or(Operand::Nothing, Operand::Scratch),
                Operand::Scratch(output),
            ],
            1,
            Rows::Tokens(1),
        );
    }

    /// The last dispatch: pools of the hidden states in `hidden`.
    pub(in crate::encoder) fn pool(&mut self, hidden: Scratch) {
        self.hidden = hidden;
        self.width = self.scratch[hidden.0];
        let kernel = Kernel::new(include_str!("pool.wgsl"))
            .size("WIDTH", self.width)
            .size("POOLS", POOLS);
        self.dispatch(
            kernel,
            vec![
                Operand::Batch,
                Operand::Scratch(hidden),
                Operand::Shares,
                Operand::Passages,
                Operand::Pools,
            ],
            self.width.div_ceil(THREADS),
            Rows::Passages,
        );
    }

    /// A caller may pause behind what has been added last.
    pub(in crate::encoder) fn end_step(&mut self) {
        if let Some(last) = self.dispatches.last_mut() {
            last.ends_step = true;
        }
    }

    /// A buffer of these numbers.
    pub(in crate::encoder) fn floats(&mut self, values: &[f32]) -> Operand {
        if values.is_empty() {
            return Operand::Nothing;
        }
        self.bytes(bytemuck::cast_slice(values).to_vec())
    }

    fn bytes(&mut self, mut bytes: Vec<u8>) -> Operand {
        // Buffers are read as vectors of four words.
        bytes.resize(bytes.len().next_multiple_of(16), 0);
        self.data.push(bytes);
        Operand::Data(self.data.len() - 1)
    }

    /// Bits a weight, codes and scales, and the number of outputs. Blocks pass through as they are
    /// stored; products stored in different ways go as f32.
    fn weights(
        &mut self,
        weights: &Weights,
        names: &[String],
    ) -> Result<(usize, [Operand; 2], usize)> {
        let names = names.iter().map(|name| format!("{name}.weight"));
        let names: Vec<String> = names.collect();
        let outputs = names.iter().filter_map(|name| weights.shape(name));
        let outputs = outputs.map(|shape| shape[0]).sum();
        let stored = names.iter().map(|name| weights.quantised(name));
        let stored: Option<Vec<Quantised>> = stored.collect::<Result<_>>()?;
        let stored = stored.filter(|parts| {
            parts
                .iter()
                .all(|part| part.precision == parts[0].precision)
        });
        let Some(parts) = stored else {
            let values = names.iter().map(|name| weights.f32(name));
            let values: Vec<Vec<f32>> = values.collect::<Result<_>>()?;
            return Ok((
                32,
                [self.floats(&values.concat()), Operand::Nothing],
                outputs,
            ));
        };
        let bits = match parts[0].precision {
            Precision::Q4 => 4,
            _ => 8,
        };
        let codes = parts.iter().flat_map(|part| &part.codes).copied().collect();
        let scales = parts.iter().flat_map(|part| &part.scales);
        let scales = scales.flat_map(|scale| scale.to_le_bytes()).collect();
        Ok((bits, [self.bytes(codes), self.bytes(scales)], outputs))
    }

    fn dispatch(&mut self, kernel: Kernel, operands: Vec<Operand>, columns: usize, rows: Rows) {
        self.dispatches.push(Dispatch {
            kernel: kernel.text(),
            operands,
            columns,
            rows,
            ends_step: false,
        });
    }
}

impl Norm {
    /// A LayerNorm.
    ///
    /// # Errors
    /// As [`Weights::f32`].
    pub(in crate::encoder) fn load(name: &str, epsilon: f64, weights: &Weights) -> Result<Self> {
        Ok(Self {
            gain: weights.f32(&format!("{name}.weight"))?,
            shift: weights.f32(&format!("{name}.bias"))?,
            epsilon,
        })
    }

    /// Gain, then shift.
    fn vectors(&self) -> Vec<f32> {
        let mut vectors = self.gain.clone();
        vectors.extend(&self.shift);
        vectors.resize(2 * self.gain.len(), 0.0);
        vectors
    }
}

/// A kernel's text with the constants in front of it.
struct Kernel {
    /// Before everything else.
    directives: &'static str,
    constants: String,
    body: &'static str,
}

impl Kernel {
    fn new(body: &'static str) -> Self {
        Self {
            directives: "",
            constants: String::new(),
            body,
        }
    }

    fn text(self) -> String {
        let Self {
            directives,
            constants,
            body,
        } = self;
        [directives, &constants, include_str!("batch.wgsl"), body].concat()
    }

    /// What `Half` and `Half4` are.
    fn half(mut self, half: bool) -> Self {
        let (directives, number) = if half {
            ("enable f16;\n", "f16")
        } else {
            ("", "f32")
        };
        self.directives = directives;
        self.constants += &format!("alias Half = {number};\nalias Half4 = vec4<{number}>;\n");
        self
    }

    fn constant(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        writeln!(self.constants, "const {name} = {value};")
            .expect("a string takes what is written");
        self
    }

    fn size(self, name: &str, value: usize) -> Self {
        self.constant(name, format_args!("{value}u"))
    }

    fn flag(self, name: &str, value: bool) -> Self {
        self.constant(name, value)
    }

    fn number(self, name: &str, value: f64) -> Self {
        self.constant(name, format_args!("f32({:e})", value as f32))
    }

    fn norm(self, norm: Option<&Norm>) -> Self {
        self.flag("RMS", norm.is_some_and(|norm| norm.shift.is_empty()))
            .number("EPSILON", norm.map_or(0.0, |norm| norm.epsilon))
    }

    fn heads(self, heads: &Heads) -> Self {
        self.size("HEADS", heads.heads)
            .size("SHARED", heads.shared)
            .size("HEAD", heads.head)
    }
}

/// Codes of a block are read as whole words.
const _: () = assert!(BLOCK == 32);
