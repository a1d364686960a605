//! Low-rank adapters on an encoder's last layers (LoRA, Hu et al. 2021), for tuning.
//!
//! An adapted matrix acts as `W + alpha / rank * A B`, with `W` frozen and A and B trained. The
//! forward pass is the one of inference: only adapted layers take part in autodiff, the layers
//! before them run as ever.

use burn::module::{LoraAdapter, Module, Param, Reparameterizer};
use burn::nn::Linear;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Gradients, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::config::Stack;
use super::post_norm::PostNorm;
use super::{Encoder, Layers};
use crate::error::{Error, ErrorKind, Result};

/// Which matrices of a layer are adapted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Products {
    /// Query, key and value (one product here, which shares one A) and the attention's output.
    Attention,
    /// Those and the feed-forward's two.
    All,
}

/// Where adapters go and how large they are.
#[derive(Clone, Copy, Debug)]
pub struct Adapters {
    /// Columns of A, rows of B.
    pub rank: usize,
    /// The product of A and B counts `alpha / rank`.
    pub alpha: f64,
    /// How many layers, from the last; 0 for all.
    pub layers: usize,
    /// Which matrices of them.
    pub products: Products,
}

/// A trained matrix or vector, as checkpoints have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// The checkpoint's name, as in [`expected_shapes`](super::expected_shapes).
    pub name: String,
    /// `[outputs, inputs]`, or `[outputs]`.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Vec<f32>,
}

impl Encoder {
    /// Puts fresh adapters on the last layers. B is zero, so that nothing changes yet; A is drawn
    /// from `normal` (mean 0, deviation 1) over the root of its rows, which keeps the size of what
    /// it projects. From here on pooled vectors carry gradients to A and B, and to nothing else.
    ///
    /// # Errors
    /// `Unsupported` for an architecture that is not BERT's or its kin. The encoder must have been
    /// loaded to run as [`Execution::Padded`](super::Execution::Padded): fused layers are refused too.
    pub fn adapt(&mut self, adapters: &Adapters, mut normal: impl FnMut() -> f32) -> Result<()> {
        let Layers::PostNorm(stack) = &mut self.layers else {
            let message = "only BERT, DistilBERT and XLM-RoBERTa encoders can be tuned; train \
                           heads on this one without --tune-encoder";
            return Err(Error::new(ErrorKind::Unsupported, message));
        };
        let layers = &mut stack.layers;
        let count = match adapters.layers {
            0 => layers.len(),
            count => count.min(layers.len()),
        };
        let first = layers.len() - count;
        for layer in &mut layers[first..] {
            let attach = Attach {
                adapters,
                normal: &mut normal,
            };
            *layer = layer.clone().apply_reparameterization(attach).train();
        }
        Ok(())
    }

    /// One step of `optimizer` on what is trained, at learning rate `rate`.
    pub fn step(&mut self, optimizer: &mut ModuleOptimizer, rate: f64, gradients: &mut Gradients) {
        if let Layers::PostNorm(stack) = &mut self.layers {
            let gradients = GradientsParams::from_module(gradients, &**stack);
            **stack = optimizer.step(rate, PostNorm::clone(stack), gradients);
        }
    }

    /// The adapted matrices with their adapters added.
    ///
    /// # Errors
    /// `Device` when the backend cannot be read.
    pub fn merged(&self) -> Result<Vec<Matrix>> {
        let mut matrices = Vec::new();
        let (Layers::PostNorm(stack), Stack::PostNorm(plan)) = (&self.layers, self.config.stack())
        else {
            return Ok(matrices);
        };
        for (index, layer) in stack.layers.iter().enumerate() {
            let linears = [&layer.qkv, &layer.output, &layer.up, &layer.down];
            for (names, linear) in plan.products(index).into_iter().zip(linears) {
                if linear.weight.adapter().is_some() {
                    matrices.extend(split(&names, linear)?);
                }
            }
        }
        Ok(matrices)
    }
}

/// The products that stand side by side in `linear`, each by itself.
pub(super) fn split(names: &[String], linear: &Linear) -> Result<Vec<Matrix>> {
    let weight = linear.weight.val().transpose();
    let [outputs, inputs] = weight.dims();
    let values = read(weight)?;
    let matrices = names
        .iter()
        .zip(values.chunks_exact(values.len() / names.len()));
    let matrices = matrices.map(|(name, values)| Matrix {
        name: format!("{name}.weight"),
        shape: vec![outputs / names.len(), inputs],
        values: values.to_vec(),
    });
    Ok(matrices.collect())
}

/// The values of a parameter.
pub(super) fn read<const D: usize>(parameter: Tensor<D>) -> Result<Vec<f32>> {
    let values = parameter.inner().into_data().try_into_vec::<f32>();
    values.map_err(|error| {
        let message = format!("trained values cannot be read: {error:?}");
        Error::new(ErrorKind::Device, message)
    })
}

/// Freezes every parameter of a layer and gives the chosen matrices an adapter.
///
/// Burn's own `Lora` draws A from the backend's generator, which all threads of a process share.
struct Attach<'a, N> {
    adapters: &'a Adapters,
    normal: &'a mut N,
}

impl<N: FnMut() -> f32> Attach<'_, N> {
    fn covers(&self, path: &str) -> bool {
        let attention = ["qkv.weight", "output.weight"].contains(&path);
        let feed_forward = ["up.weight", "down.weight"].contains(&path);
        attention || feed_forward && self.adapters.products == Products::All
    }
}

impl<N: FnMut() -> f32> Reparameterizer for Attach<'_, N> {
    type Reparam = LoraAdapter;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<LoraAdapter>) {
        let base = param.set_require_grad(false);
        if !self.covers(path) {
            return (base, None);
        }
        let (dims, device, rank) = (base.dims(), base.device(), self.adapters.rank);
        let (inputs, outputs) = (dims[0], dims[1]);
        let size = (inputs as f32).sqrt();
        let a = (0..inputs * rank).map(|_| (self.normal)() / size).collect();
        let a = Tensor::from_data(TensorData::new::<f32, _>(a, [inputs, rank]), &device);
        let adapter = LoraAdapter {
            a: Param::from_tensor(a),
            b: Param::from_tensor(Tensor::zeros([rank, outputs], &device)),
            scale: self.adapters.alpha / rank as f64,
        };
        (base, Some(adapter))
    }
}

#[cfg(test)]
mod tests {
    use burn::module::{ModuleMapper, ModuleVisitor};
    use burn::optim::SgdConfig;
    use burn::tensor::Device;

    use super::super::post_norm::Layer;
    use super::super::{EncoderConfig, Execution, Pipeline, Weights};
    use super::*;
    use crate::tokenizer::{Passage, Window};

    fn config() -> EncoderConfig {
        let config = include_bytes!("../../tests/fixtures/tiny-bert/config.json");
        EncoderConfig::from_json(config).unwrap()
    }

    fn encoder() -> Encoder {
        let bytes = include_bytes!("../../tests/fixtures/tiny-bert/model.safetensors");
        let weights = Weights::from_bytes("tiny", bytes).unwrap();
        let pipeline = Pipeline::default();
        Encoder::load(
            &config(),
            &pipeline,
            &weights,
            &Execution::Padded,
            &Device::flex(),
        )
        .unwrap()
    }

    fn stack(encoder: &Encoder) -> &PostNorm {
        match &encoder.layers {
            Layers::PostNorm(stack) => stack,
            _ => panic!("a BERT, as tensors"),
        }
    }

    fn adapted(layers: usize, products: Products) -> Encoder {
        let mut encoder = encoder();
        let adapters = Adapters {
            rank: 2,
            alpha: 4.0,
            layers,
            products,
        };
        let mut noise = Noise(1);
        encoder.adapt(&adapters, || noise.next()).unwrap();
        encoder
    }

    /// Passages of unlike length, so that there is padding.
    fn passages() -> Vec<Passage> {
        let passage = |length: u32| Passage {
            windows: vec![Window {
                ids: (0..length).map(|id| 3 + 7 * id).collect(),
                segments: vec![Some(crate::text::Segment::Response); length as usize],
            }],
            kept: length as usize,
            of: length as usize,
        };
        vec![passage(9), passage(4)]
    }

    fn pooled(encoder: &Encoder) -> Tensor<3> {
        let passages = passages();
        let passages: Vec<&Passage> = passages.iter().collect();
        crate::cli::block_on(encoder.pool(&passages)).unwrap()
    }

    fn values(encoder: &Encoder) -> Vec<f32> {
        pooled(encoder).into_data().try_into_vec().unwrap()
    }

    /// Some function of all pools.
    fn loss(encoder: &Encoder) -> Tensor<1> {
        pooled(encoder).tanh().powf_scalar(3.0).sum()
    }

    /// Numbers without order, -1 to 1.
    struct Noise(u32);

    impl Noise {
        fn next(&mut self) -> f32 {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (self.0 >> 8) as f32 / (1 << 23) as f32 - 1.0
        }

        fn like<const D: usize>(&mut self, tensor: &Tensor<D>) -> Tensor<D> {
            let values = (0..tensor.shape().num_elements()).map(|_| self.next());
            let values = TensorData::new(values.collect::<Vec<f32>>(), tensor.shape());
            Tensor::from_data(values, &Device::flex())
        }
    }

    /// Moves every trained parameter by noise of this size.
    struct Nudge(Noise, f32);

    impl ModuleMapper for Nudge {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if !param.is_require_grad() {
                return param;
            }
            param.map(|tensor| {
                let noise = self.0.like(&tensor) * self.1;
                Tensor::from_inner(tensor.inner() + noise).require_grad()
            })
        }
    }

    /// Sums gradient times the noise of [`Nudge`].
    struct Slope<'a>(Noise, &'a Gradients, f64);

    impl ModuleVisitor for Slope<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = param.base().grad(self.1) {
                let slope: f32 = (self.0.like(&gradient) * gradient).sum().into_scalar();
                self.2 += f64::from(slope);
            }
        }
    }

    fn nudged(encoder: &Encoder, size: f32) -> Encoder {
        let mut moved = self::encoder();
        let nudged = stack(encoder).clone().map(&mut Nudge(Noise(5), size));
        moved.layers = Layers::PostNorm(Box::new(nudged));
        moved
    }

    #[test]
    fn fresh_adapters_change_nothing() {
        let (plain, fresh) = (encoder(), adapted(0, Products::All));
        for (layer, plain) in stack(&fresh).layers.iter().zip(&stack(&plain).layers) {
            assert_eq!(bases(layer), bases(plain));
            let effective = layer.qkv.weight.val().into_data();
            assert_eq!(effective, plain.qkv.weight.val().into_data());
        }
        // Not equal to the bit: LayerNorm and attention are other kernels where gradients flow.
        for (a, b) in values(&fresh).iter().zip(values(&plain)) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }

    #[test]
    fn gradients_reach_the_adapters_and_nothing_else() {
        for (layers, products, matrices) in [
            (1, Products::Attention, 2),
            (1, Products::All, 4),
            (0, Products::All, 8),
        ] {
            let mut encoder = adapted(layers, products);
            let before: Vec<_> = stack(&encoder).layers.iter().map(bases).collect();
            let mut gradients = loss(&encoder).backward();
            let found = GradientsParams::from_module(&mut gradients, stack(&encoder));
            assert_eq!(found.len(), 2 * matrices, "A and B of each matrix");
            let mut gradients = loss(&encoder).backward();
            encoder.step(&mut SgdConfig::new().init(), 0.1, &mut gradients);
            let after: Vec<_> = stack(&encoder).layers.iter().map(bases).collect();
            assert_eq!(before, after);
            assert_ne!(values(&encoder), values(&self::encoder()));
        }
    }

    fn bases(layer: &Layer) -> Vec<Vec<f32>> {
        let linears = [&layer.qkv, &layer.output, &layer.up, &layer.down];
        linears
            .map(|linear| linear.weight.base().into_data().try_into_vec().unwrap())
            .to_vec()
    }

    #[test]
    fn layers_before_the_adapted_ones_stay_outside_autodiff() {
        let encoder = adapted(1, Products::Attention);
        let [first, last] = stack(&encoder).layers.as_slice() else {
            panic!("two layers")
        };
        assert!(!first.qkv.weight.val().is_autodiff());
        assert!(last.qkv.weight.val().is_tracked() && !last.up.weight.val().is_tracked());
    }

    /// Through attention, LayerNorm and feed-forward of two layers, by central differences along
    /// a random direction in all of A and B at once.
    #[test]
    fn gradients_are_those_of_finite_differences() {
        for products in [Products::Attention, Products::All] {
            let encoder = nudged(&adapted(0, products), 0.3);
            let gradients = loss(&encoder).backward();
            let mut slope = Slope(Noise(5), &gradients, 0.0);
            stack(&encoder).visit(&mut slope);
            let size = 2e-3;
            let at = |size: f32| -> f32 { loss(&nudged(&encoder, size)).into_scalar() };
            let expected = f64::from(at(size) - at(-size)) / f64::from(2.0 * size);
            let found = slope.2;
            assert!(expected.abs() > 0.1, "{expected}");
            assert!(
                (found - expected).abs() < 0.02 * expected.abs(),
                "{found} {expected}"
            );
        }
    }

    #[test]
    fn merged_matrices_bear_the_checkpoints_names_and_values() {
        let bytes = include_bytes!("../../tests/fixtures/tiny-bert/model.safetensors");
        let weights = Weights::from_bytes("tiny", bytes).unwrap();
        let matrices = adapted(0, Products::All).merged().unwrap();
        assert_eq!(matrices.len(), 2 * 6);
        for Matrix {
            name,
            shape,
            values,
        } in matrices
        {
            assert_eq!(weights.shape(&name).unwrap(), shape);
            let plain = weights.f32(&name).unwrap();
            let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-6;
            assert!(values.iter().zip(&plain).all(near), "{name}");
        }
    }
}
