//! A forward pass one layer at a time, so that a caller can pause or stop between layers.

use burn::tensor::Tensor;

use super::{Encoder, Step};
use crate::error::Result;
use crate::tokenizer::{Passage, Window};

/// A batch on its way through the encoder; dropping it drops what is not yet done.
pub struct Pass<'a> {
    encoder: &'a Encoder,
    passages: Vec<&'a Passage>,
    /// `[windows, longest, token width]`.
    hidden: Tensor<3>,
    /// What is still to be done.
    steps: std::vec::IntoIter<Step<'a>>,
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
        let (hidden, bias) = self.input(&windows)?;
        Ok(Pass {
            encoder: self,
            passages: passages.to_vec(),
            hidden,
            steps: self.layers.steps(bias).into_iter(),
        })
    }
}

impl Pass<'_> {
    /// Runs the next layer; false when every layer has run.
    pub fn step(&mut self) -> bool {
        let Some(step) = self.steps.next() else {
            return false;
        };
        // Taken out, so that the layer owns it and may write in place.
        let empty = Tensor::empty([0, 0, 0], &self.encoder.device);
        self.hidden = step(std::mem::replace(&mut self.hidden, empty));
        true
    }

    /// Runs the layers that are left and pools: `[passages, POOLS, width]`, see [`Encoder::pool`].
    pub fn finish(mut self) -> Tensor<3> {
        while self.step() {}
        self.encoder.read_out(&self.passages, self.hidden)
    }
}
