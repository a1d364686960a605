//! Checkpoint and heads into a bundle folder.

use std::path::Path;

use safetensors::tensor::TensorView;

use super::import::{Stored, read_checkpoint};
use super::survey::survey;
use super::vocabulary::Vocabulary;
use crate::bundle::{
    Bundle, ENCODER, EncoderInfo, FileEntry, HEADS, Licence, MANIFEST, Manifest, PIECES, TOKENIZER,
    sha256,
};
use crate::encoder::{EncoderConfig, Pipeline, Precision};
use crate::error::{Error, ErrorKind, Result};
use crate::heads::HeadsInfo;
use crate::tokenizer::{Tokenizer, split};

/// Name of the heads' record beside their weights.
pub const HEADS_RECORD: &str = "heads.json";

/// Trained heads as they are kept apart from an encoder: the record and the weights.
pub struct HeadsFiles {
    /// Bytes of [`HEADS_RECORD`].
    pub record: Vec<u8>,
    /// Bytes of [`HEADS`].
    pub weights: Vec<u8>,
}

impl HeadsFiles {
    /// Heads that `touchstone train` wrote into `folder`.
    ///
    /// # Errors
    /// `Io` when a file cannot be read.
    pub fn read(folder: &Path) -> Result<Self> {
        Ok(Self {
            record: super::read(&folder.join(HEADS_RECORD))?,
            weights: super::read(&folder.join(HEADS))?,
        })
    }

    /// The parsed record.
    ///
    /// # Errors
    /// `Format` when it is not one.
    pub fn info(&self) -> Result<HeadsInfo> {
        serde_json::from_slice(&self.record)
            .map_err(|error| Error::new(ErrorKind::Format, format!("{HEADS_RECORD}: {error}")))
    }
}

/// What goes into a bundle and how it is stored.
#[derive(Clone, Copy, Default)]
pub struct PackOptions<'a> {
    /// Heads to pack with the encoder.
    pub heads: Option<&'a HeadsFiles>,
    /// How matrices of f32 and f16 checkpoints are stored.
    pub precision: Precision,
    /// Leading components kept of the encoder's vectors; all when none.
    pub width: Option<usize>,
    /// Tokens kept of the encoder's; all when none.
    pub vocabulary: Option<&'a Vocabulary>,
}

/// Writes the bundle of the checkpoint folder `checkpoint` to `output`.
/// A bundle may stand in for the checkpoint, see [`repack`].
///
/// # Errors
/// As [`read_checkpoint`]; what scoring the golden texts fails with; `Format` when the heads belong to another encoder; `Io`.
pub fn pack(checkpoint: &Path, options: &PackOptions, output: &Path) -> Result<Manifest> {
    if checkpoint.join(MANIFEST).exists() {
        return repack(super::model::read_bundle(checkpoint)?, options, output);
    }
    let mut tokenizer = super::read(&checkpoint.join(TOKENIZER))?;
    let mut encoder = read_checkpoint(checkpoint, options.precision)?;
    if let Some(vocabulary) = options.vocabulary {
        tokenizer = vocabulary.trim(&tokenizer, &mut encoder)?;
    }
    shorten(&mut encoder.pipeline, &encoder.config, options.width)?;
    Tokenizer::from_bytes(&tokenizer)?.check_fit(encoder.config.vocab_size())?;
    let info = EncoderInfo {
        name: model_name(checkpoint),
        source: encoder.source,
        quantisation: encoder.quantisation,
        config: encoder.config,
        pipeline: encoder.pipeline,
    };
    let mut manifest = Manifest::new(&info.name.clone(), info);
    manifest.licences = super::fetch::licences(checkpoint, &manifest.encoder.name)?;
    let mut files = vec![(ENCODER, serialize(&encoder.tensors)?)];
    files.extend(tokenizer_files(tokenizer)?);
    assemble(manifest, files, options.heads, output)
}

/// A `tokenizer.json` as a bundle stores it.
///
/// # Errors
/// As [`split`].
pub fn tokenizer_files(json: Vec<u8>) -> Result<Vec<(&'static str, Vec<u8>)>> {
    Ok(match split(&json)? {
        Some((json, pieces)) => vec![(TOKENIZER, json), (PIECES, pieces)],
        None => vec![(TOKENIZER, json)],
    })
}

/// Keeps the first `width` components of the encoder's vectors.
fn shorten(pipeline: &mut Pipeline, config: &EncoderConfig, width: Option<usize>) -> Result<()> {
    pipeline.width = width.or(pipeline.width);
    pipeline.validate(config.hidden_size())
}

/// The same of a bundle's encoder as it is.
///
/// # Errors
/// As [`pack`]; `Input` when a vocabulary is given.
pub fn repack(mut bundle: Bundle, options: &PackOptions, output: &Path) -> Result<Manifest> {
    if options.vocabulary.is_some() {
        let message =
            "a bundle's encoder is taken as it is: give the vocabulary with the checkpoint";
        return Err(Error::new(ErrorKind::Input, message));
    }
    let mut manifest = Manifest::new(&bundle.manifest.name, bundle.manifest.encoder.clone());
    manifest.licences.clone_from(&bundle.manifest.licences);
    let EncoderInfo {
        pipeline, config, ..
    } = &mut manifest.encoder;
    shorten(pipeline, config, options.width)?;
    let mut files = vec![(ENCODER, bundle.take(ENCODER)?)];
    files.extend(bundle.tokenizer()?);
    assemble(manifest, files, options.heads, output)
}

/// Adds the heads to `files`, of which the encoder is the first, and writes everything.
fn assemble(
    mut manifest: Manifest,
    mut files: Vec<(&str, Vec<u8>)>,
    heads: Option<&HeadsFiles>,
    output: &Path,
) -> Result<Manifest> {
    if let Some(heads) = heads {
        let info = heads.info()?;
        info.check_encoder(&sha256(&files[0].1))?;
        for licence in data_licences(&info) {
            if !manifest.licences.contains(&licence) {
                manifest.licences.push(licence);
            }
        }
        manifest.heads = Some(info);
        files.push((HEADS, heads.weights.clone()));
        (manifest.map, manifest.golden) = survey(in_memory(&manifest, &files)?)?;
    }
    write_bundle(&mut manifest, &files, output)?;
    Ok(manifest)
}

/// The bundle as it will be written, but for its map and golden texts.
fn in_memory(manifest: &Manifest, files: &[(&str, Vec<u8>)]) -> Result<Bundle> {
    let mut manifest = manifest.clone();
    manifest.files.extend(entries(files));
    let files = files.iter();
    let files = files.map(|(name, bytes)| ((*name).to_owned(), bytes.clone()));
    Bundle::from_bytes(&json(&manifest)?, files.collect())
}

fn entries(files: &[(&str, Vec<u8>)]) -> Vec<(String, FileEntry)> {
    let entry = |bytes: &[u8]| FileEntry {
        bytes: bytes.len() as u64,
        sha256: sha256(bytes),
    };
    let files = files.iter();
    files
        .map(|(name, bytes)| ((*name).to_owned(), entry(bytes)))
        .collect()
}

fn json(manifest: &Manifest) -> Result<Vec<u8>> {
    serde_json::to_vec(manifest)
        .map_err(|error| Error::new(ErrorKind::Format, format!("{MANIFEST}: {error}")))
}

/// The safetensors bytes of `tensors`.
///
/// # Errors
/// `Shape` when a tensor's bytes do not fill its shape.
pub fn serialize(tensors: &[Stored]) -> Result<Vec<u8>> {
    let wrong = |error| Error::new(ErrorKind::Shape, format!("cannot store tensors: {error}"));
    let mut views = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes);
        views.push((tensor.name.as_str(), view.map_err(wrong)?));
    }
    safetensors::serialize(views, None).map_err(wrong)
}

/// Writes `files` and, with their sizes and hashes added, the manifest into the folder `output`.
///
/// # Errors
/// `Io` naming the file.
pub fn write_bundle(
    manifest: &mut Manifest,
    files: &[(&str, Vec<u8>)],
    output: &Path,
) -> Result<()> {
    super::create_folder(output)?;
    for (name, bytes) in files {
        super::write(&output.join(name), bytes)?;
    }
    manifest.files.extend(entries(files));
    super::write(&output.join(MANIFEST), &json(manifest)?)
}

/// The name `touchstone fetch` noted in the folder, or the folder's own.
fn model_name(checkpoint: &Path) -> String {
    let noted = std::fs::read_to_string(checkpoint.join(super::fetch::NAME_FILE));
    let folder = || {
        checkpoint
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    let noted = noted.ok().map(|name| name.trim().to_owned());
    noted.or_else(folder).unwrap_or_else(|| "encoder".into())
}

/// What the heads' record says about the rows they were trained on.
fn data_licences(heads: &HeadsInfo) -> Vec<Licence> {
    let data = heads.training["licences"].clone();
    serde_json::from_value(data).unwrap_or_default()
}
