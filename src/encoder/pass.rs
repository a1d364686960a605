//! A forward pass one layer at a time, so that a caller can pause or stop between layers.

use burn::tensor::{Device, Tensor};

#[cfg(feature = "cpu")]
use super::fused;
#[cfg(feature = "gpu")]
use super::gpu;
use super::{Encoder, Layers, Step};
use crate::error::Result;
use crate::tokenizer::{Passage, Window};

/// A batch on its way through the encoder; dropping it drops what is not yet done.
pub struct Pass<'a> {
    encoder: &'a Encoder,
    passages: Vec<&'a Passage>,
    run: Run<'a>,
}

/// Windows on their way through the layers.
pub(super) enum Run<'a> {
    Tensors {
        /// `[windows, longest, token width]`.
        hidden: Tensor<3>,
        /// What is still to be done.
        steps: std::vec::IntoIter<Step<'a>>,
    },
    #[cfg(feature = "cpu")]
    Fused(fused::Run<'a>),
    #[cfg(feature = "gpu")]
    Gpu(gpu::Run<'a>),
}

impl Encoder {
    /// Looks up the embeddings of `passages`; no layer has run yet.
    ///
    /// # Errors
    /// As [`Self::hidden`].
    pub fn start<'a>(&'a self, passages: &[&'a Passage]) -> Result<Pass<'a>> {
        let windows: Vec<&Window> = passages
            .iter()
            .flat_map(|passage| &passage.windows)
            .collect();
        Ok(Pass {
            encoder: self,
            passages: passages.to_vec(),
            run: self.run(&windows)?,
        })
    }

    /// The same for windows alone.
    pub(super) fn run(&self, windows: &[&Window]) -> Result<Run<'_>> {
        let (input, steps): (_, Vec<Step>) = match &self.layers {
            Layers::PostNorm(layers) => {
                let (input, bias) = self.input(windows)?;
                (input, layers.steps(bias))
            }
            Layers::Gemma(layers) => {
                let (input, bias) = self.input(windows)?;
                (input, layers.steps(bias))
            }
            #[cfg(feature = "cpu")]
            Layers::Fused(layers) => {
                return Ok(Run::Fused(layers.start(
                    &self.table,
                    windows,
                    &self.device,
                )?));
            }
            #[cfg(feature = "gpu")]
            Layers::Gpu(layers) => return Ok(Run::Gpu(layers.start(&self.table, windows)?)),
        };
        Ok(Run::Tensors {
            hidden: input,
            steps: steps.into_iter(),
        })
    }
}

impl Run<'_> {
    /// Runs the next layer; false when every layer has run.
    pub(super) fn step(&mut self) -> bool {
        match self {
            Self::Tensors { hidden, steps } => {
                let Some(step) = steps.next() else {
                    return false;
                };
                // Taken out, so that the layer owns it and may write in place.
                let empty = Tensor::empty([0, 0, 0], &hidden.device());
                *hidden = step(std::mem::replace(hidden, empty));
                true
            }
            #[cfg(feature = "cpu")]
            Self::Fused(run) => run.step(),
            #[cfg(feature = "gpu")]
            Self::Gpu(run) => run.step(),
        }
    }

    /// Hidden states `[windows, longest, token width]`, padding rows undefined.
    ///
    /// # Errors
    /// `Device` when the graphics card fails.
    #[cfg_attr(not(feature = "gpu"), expect(unused_variables))]
    pub(super) async fn hidden(self, device: &Device) -> Result<Tensor<3>> {
        match self {
            Self::Tensors { hidden, .. } => Ok(hidden),
            #[cfg(feature = "cpu")]
            Self::Fused(run) => Ok(run.hidden()),
            #[cfg(feature = "gpu")]
            Self::Gpu(run) => run.hidden(device).await,
        }
    }
}

impl Pass<'_> {
    /// Runs the next layer; false when every layer has run.
    pub fn step(&mut self) -> bool {
        self.run.step()
    }

    /// Runs the layers that are left and pools: `[passages, POOLS, width]`, see [`Encoder::pool`].
    ///
    /// # Errors
    /// `Device` when the graphics card fails.
    pub async fn finish(mut self) -> Result<Tensor<3>> {
        while self.step() {}
        let encoder = self.encoder;
        #[cfg(feature = "gpu")]
        if let Run::Gpu(run) = self.run {
            let pools = run.pools(&self.passages, encoder.pooling).await?;
            return Ok(encoder.read_out_pools(&self.passages, pools));
        }
        let hidden = self.run.hidden(&encoder.device).await?;
        Ok(encoder.read_out(&self.passages, hidden))
    }
}
