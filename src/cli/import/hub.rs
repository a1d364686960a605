//! Checkpoint folders as the model hub has them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::sentence_transformers::{Modules, read_json};
use super::{Checkpoint, Stored};
use crate::cli::read as read_file;
use crate::encoder::{EncoderConfig, Pipeline, Precision, Weights, dense_name, expected_shapes};
use crate::error::{Error, ErrorKind, Result};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Whether `folder` is laid out so.
pub(super) fn is_checkpoint(folder: &Path) -> bool {
    folder.join(CONFIG).exists() || folder.join(super::sentence_transformers::MODULES).exists()
}

/// Reads the transformer and what stands behind it.
///
/// # Errors
/// As [`super::read_checkpoint`].
pub(super) fn read(folder: &Path, precision: Precision) -> Result<Checkpoint> {
    let modules = Modules::read(folder)?;
    let transformer = modules.transformer(folder);
    let config = EncoderConfig::from_json(&read_file(&transformer.join(CONFIG))?)
        .map_err(|error| error.context(transformer.display()))?;
    modules.pipeline.validate(config.hidden_size())?;
    let mut tensors = read_transformer(&transformer, &config, precision)?;
    for (index, dense) in modules.dense.iter().enumerate() {
        tensors.extend(read_dense(
            &folder.join(dense),
            &modules.pipeline,
            index,
            precision,
        )?);
    }
    let quantisation = match precision {
        Precision::F32 => "none, f32",
        Precision::Q4 => "q4: 4 bits a weight, one f16 scale for each 32 weights of a row",
        Precision::Q8 => "q8: one signed byte a weight, one f16 scale for each 32 weights of a row",
    };
    Ok(Checkpoint {
        config,
        pipeline: modules.pipeline,
        tensors,
        source: "model hub checkpoint (safetensors)".into(),
        quantisation: quantisation.into(),
    })
}

fn read_transformer(
    folder: &Path,
    config: &EncoderConfig,
    precision: Precision,
) -> Result<Vec<Stored>> {
    let files = weight_files(folder)?
        .into_iter()
        .map(|path| Ok((file_name(&path), read_file(&path)?)))
        .collect::<Result<Vec<_>>>()?;
    let shards: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
        .collect();
    let expected = expected_shapes(config);
    let weights = Weights::from_shards(&shards)?.rooted_at(&expected[0].0);
    weights.require(&expected)?;
    let mut tensors = Vec::new();
    for (name, shape) in expected {
        let values = weights.f32(&name)?;
        tensors.extend(Stored::matrix(&name, &shape, &values, precision));
    }
    Ok(tensors)
}

/// A dense module's tensors under the names they have in a bundle.
fn read_dense(
    folder: &Path,
    pipeline: &Pipeline,
    index: usize,
    precision: Precision,
) -> Result<Vec<Stored>> {
    let bytes = read_file(&folder.join(WEIGHTS))?;
    let file = format!("{}/{WEIGHTS}", file_name(folder));
    let weights = Weights::from_bytes(&file, &bytes)?;
    let ours = dense_name(index);
    let expected = pipeline.expected_shapes().into_iter();
    let expected = expected.filter_map(|(name, shape)| {
        let part = name.strip_prefix(&ours)?.strip_prefix('.')?.to_owned();
        Some((name, format!("linear.{part}"), shape))
    });
    let expected: Vec<(String, String, Vec<usize>)> = expected.collect();
    let theirs = expected.iter();
    let theirs = theirs.map(|(_, theirs, shape)| (theirs.clone(), shape.clone()));
    weights.require(&theirs.collect::<Vec<_>>())?;
    let mut tensors = Vec::new();
    for (ours, theirs, shape) in expected {
        let values = weights.f32(&theirs)?;
        tensors.extend(Stored::matrix(&ours, &shape, &values, precision));
    }
    Ok(tensors)
}

/// The files that hold the weights: one, or the shards an index names.
fn weight_files(folder: &Path) -> Result<Vec<PathBuf>> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: std::collections::BTreeMap<String, String>,
    }
    let (whole, index) = (folder.join(WEIGHTS), folder.join(INDEX));
    if whole.exists() || !index.exists() {
        return Ok(vec![whole]);
    }
    let Index { weight_map } = read_json(&index)?;
    let names: BTreeSet<String> = weight_map.into_values().collect();
    names
        .into_iter()
        .map(|name| match Path::new(&name).file_name() {
            Some(plain) if plain == name.as_str() => Ok(folder.join(name)),
            _ => {
                let message =
                    format!("{INDEX} names the file `{name}`, expected a plain file name");
                Err(Error::new(ErrorKind::Format, message))
            }
        })
        .collect()
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}
