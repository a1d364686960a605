//! Tuned matrices into an encoder's file, and that into a bundle.

use std::path::Path;

use crate::bundle::{Bundle, ENCODER, EncoderInfo, Licence, Manifest};
use crate::cli::import::Stored;
use crate::cli::pack::{serialize, write_bundle};
use crate::encoder::{Matrix, Precision};
use crate::error::Result;

/// The weights of `bundle`'s encoder with `matrices` at `precision` in place of its own; every
/// other tensor is kept bit for bit.
///
/// # Errors
/// `Format` when the encoder's file is not what it should be.
pub fn merge(bundle: &Bundle, matrices: &[Matrix], precision: Precision) -> Result<Vec<u8>> {
    let replaced = |name: &str| matrices.iter().any(|matrix| stores(name, &matrix.name));
    let mut tensors = Stored::of_file(bundle.peek(ENCODER)?)?;
    tensors.retain(|tensor| !replaced(&tensor.name));
    for Matrix {
        name,
        shape,
        values,
    } in matrices
    {
        tensors.extend(Stored::matrix(name, shape, values, precision));
    }
    serialize(&tensors)
}

/// Whether the tensor `stored` holds `name` or a part of its quantised form.
fn stores(stored: &str, name: &str) -> bool {
    let rest = stored.strip_prefix(name);
    rest.is_some_and(|rest| ["", ".q4", ".q8", ".scale"].contains(&rest))
}

/// Writes a bundle of `encoder` (see [`merge`]), described by `info`, and the tokenizer of `bundle`
/// to `output`. `licences` are those of the rows tuned on.
///
/// # Errors
/// `Io` naming the file.
pub fn write(
    bundle: &Bundle,
    info: EncoderInfo,
    encoder: Vec<u8>,
    licences: &[Licence],
    output: &Path,
) -> Result<Manifest> {
    let mut manifest = Manifest::new(&info.name.clone(), info);
    manifest.licences = [bundle.manifest.licences.as_slice(), licences].concat();
    let files = [vec![(ENCODER, encoder)], bundle.tokenizer()?].concat();
    write_bundle(&mut manifest, &files, output)?;
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use burn::optim::SgdConfig;
    use burn::tensor::Device;
    use safetensors::SafeTensors;

    use super::super::tests::{bundle, template};
    use super::*;
    use crate::cli::block_on;
    use crate::encoder::{Adapters, Encoder, Execution, Products, Weights};
    use crate::tokenizer::Tokenizer;

    fn load(bundle: &Bundle, bytes: &[u8]) -> Encoder {
        let weights = Weights::from_bytes(ENCODER, bytes).unwrap();
        let info = &bundle.manifest.encoder;
        info.load(&weights, &Execution::Padded, &Device::flex())
            .unwrap()
    }

    fn vectors(bundle: &Bundle, encoder: &Encoder) -> Vec<f32> {
        let tokenizer = Tokenizer::of(bundle).unwrap();
        let texts = ["good morning to all of you", "नमस्ते"];
        let passages = texts.map(|text| tokenizer.passage(text, &template()).unwrap());
        let pooled = block_on(encoder.pool(&passages.each_ref())).unwrap();
        pooled.into_data().try_into_vec().unwrap()
    }

    /// The tiny encoder with adapters that have learnt something.
    fn adapted(bundle: &Bundle) -> Encoder {
        let mut encoder = load(bundle, bundle.peek(ENCODER).unwrap());
        let adapters = Adapters {
            rank: 3,
            alpha: 6.0,
            layers: 0,
            products: Products::All,
        };
        let mut number = 0.0;
        let adapt = encoder.adapt(&adapters, || {
            number += 1.0;
            f32::sin(number)
        });
        adapt.unwrap();
        let tokenizer = Tokenizer::of(bundle).unwrap();
        let passage = tokenizer.passage("hello", &template()).unwrap();
        let mut optimizer = SgdConfig::new().init();
        for _ in 0..3 {
            let loss = block_on(encoder.pool(&[&passage])).unwrap().abs().sum();
            let mut gradients = loss.backward();
            encoder.step(&mut optimizer, 0.01, &mut gradients);
        }
        encoder
    }

    /// Length of the difference over the length of `b`.
    fn distance(a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len());
        let length = |values: &mut dyn Iterator<Item = f32>| -> f32 {
            values.map(|value| value * value).sum::<f32>().sqrt()
        };
        length(&mut a.iter().zip(b).map(|(a, b)| a - b)) / length(&mut b.iter().copied())
    }

    #[test]
    fn merged_weights_give_the_vectors_of_the_adapters() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = bundle(folder.path());
        let plain = vectors(&bundle, &load(&bundle, bundle.peek(ENCODER).unwrap()));
        let encoder = adapted(&bundle);
        let expected = vectors(&bundle, &encoder);
        let changed = distance(&plain, &expected);
        assert!(changed > 0.2, "the adapters do something: {changed}");
        // 8 bits keep a weight to a 254th of the largest in its block; so narrow an encoder has few
        // weights over which that averages out.
        for (precision, tolerance) in [(Precision::F32, 1e-5), (Precision::Q8, 2e-2)] {
            let bytes = merge(&bundle, &encoder.merged().unwrap(), precision).unwrap();
            let found = distance(&vectors(&bundle, &load(&bundle, &bytes)), &expected);
            assert!(found < tolerance, "{precision:?}: {found} of {changed}");
        }
    }

    #[test]
    fn what_was_not_tuned_stays_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = bundle(folder.path());
        let name = "encoder.layer.1.attention.self.value.weight";
        let matrix = Matrix {
            name: name.into(),
            shape: vec![32, 32],
            values: vec![0.5; 32 * 32],
        };
        let bytes = merge(&bundle, &[matrix], Precision::Q8).unwrap();
        let new = SafeTensors::deserialize(&bytes).unwrap();
        let old = SafeTensors::deserialize(bundle.peek(ENCODER).unwrap()).unwrap();
        assert_eq!(new.len(), old.len() + 1, "codes and scales for one matrix");
        for (old_name, view) in old.tensors() {
            if old_name != name {
                assert_eq!(new.tensor(&old_name).unwrap(), view);
            }
        }
        let values = Weights::from_bytes(ENCODER, &bytes)
            .unwrap()
            .f32(name)
            .unwrap();
        assert!(values.iter().all(|value| (value - 0.5).abs() < 1e-3));
    }

    #[test]
    fn parts_of_a_quantised_matrix_belong_to_it() {
        let name = "encoder.layer.1.output.dense.weight";
        for stored in ["", ".q4", ".q8", ".scale"] {
            assert!(stores(&format!("{name}{stored}"), name));
        }
        assert!(!stores("encoder.layer.1.output.dense.bias", name));
        assert!(!stores(&format!("encoder.layer.1.attention.{name}"), name));
    }
}
