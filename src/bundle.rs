//! What is packed, versioned and hashed: the folder a page, the command line or a widget loads.

use std::collections::BTreeMap;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::encoder::{Encoder, EncoderConfig, Execution, Pipeline, Weights};
use crate::error::{Error, ErrorKind, Result};
use crate::heads::HeadsInfo;
use crate::text::Task;

/// Name of the manifest in a bundle's folder.
pub const MANIFEST: &str = "bundle.json";
/// Name of the encoder's weights.
pub const ENCODER: &str = "encoder.safetensors";
/// Name of the tokenizer.
pub const TOKENIZER: &str = "tokenizer.json";
/// Name of the tokenizer's pieces, where they are not in [`TOKENIZER`].
pub const PIECES: &str = "pieces.safetensors";
/// Name of the heads' weights.
pub const HEADS: &str = "heads.safetensors";

const FORMAT: &str = "touchstone-bundle";
/// The format version this code reads and writes.
pub const VERSION: u32 = 1;

/// Size and hash of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

/// A licence of something inside the bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Licence {
    /// What is licensed: the weights, a data set.
    pub of: String,
    /// SPDX expression.
    pub licence: String,
    /// Where it comes from.
    pub source: String,
}

/// Where the encoder came from and how it is run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncoderInfo {
    /// Name on the model hub.
    pub name: String,
    /// What the weights were made from.
    pub source: String,
    /// How the matrices are stored.
    pub quantisation: String,
    /// The architecture.
    pub config: EncoderConfig,
    /// What comes behind the transformer, and the prompts.
    #[serde(default)]
    pub pipeline: Pipeline,
}

impl EncoderInfo {
    /// The encoder with these weights, see [`Encoder::load`].
    ///
    /// # Errors
    /// As [`Encoder::load`].
    pub fn load(
        &self,
        weights: &Weights,
        execution: &Execution,
        device: &Device,
    ) -> Result<Encoder> {
        Encoder::load(&self.config, &self.pipeline, weights, execution, device)
    }

    /// The longest window it is meant for, in tokens.
    pub fn max_tokens(&self) -> usize {
        let most = self.config.max_tokens();
        self.pipeline
            .max_tokens
            .map_or(most, |meant| meant.min(most))
    }

    /// What texts are given before heads are trained on them: the encoder's default prompt, and
    /// for the e5 family, whose files name none, the one its model card asks for.
    ///
    /// # Errors
    /// `Input` when the default prompt is not among the prompts.
    pub fn prefix(&self) -> Result<&str> {
        let is_e5 = self
            .name
            .rsplit('/')
            .next()
            .is_some_and(|name| name.contains("e5-"));
        match self.pipeline.prompt(None)? {
            "" if is_e5 => Ok("query: "),
            prompt => Ok(prompt),
        }
    }

    /// Width of the encoder's vectors.
    pub fn width(&self) -> usize {
        self.pipeline.output_width(self.config.hidden_size())
    }
}

/// `bundle.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always `touchstone-bundle`.
    pub format: String,
    /// [`VERSION`] of the writer.
    pub version: u32,
    /// Name shown to users and written into receipts.
    pub name: String,
    /// Every file beside the manifest.
    pub files: BTreeMap<String, FileEntry>,
    /// The encoder.
    pub encoder: EncoderInfo,
    /// The heads, absent in an encoder-only bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heads: Option<HeadsInfo>,
    /// Licences of weights and data.
    #[serde(default)]
    pub licences: Vec<Licence>,
    /// The heads' anchors laid out in two dimensions; empty in bundles packed before there were maps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub map: Vec<MapPoint>,
    /// Texts with the scores the packing machine gave them; empty in older bundles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub golden: Vec<Golden>,
}

/// A metric's place on the map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapPoint {
    /// Name of the anchor.
    pub metric: String,
    /// The family it belongs to, the part of its name before the slash.
    pub parent: Option<String>,
    /// -1 to 1.
    pub x: f32,
    /// -1 to 1.
    pub y: f32,
}

/// A text by which a device is checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Golden {
    /// What is scored.
    pub task: Task,
    /// Its score.
    pub score: f32,
    /// Similarities of the text to some anchors, by name.
    pub anchors: BTreeMap<String, f32>,
}

impl Manifest {
    /// A manifest of this format without files.
    pub fn new(name: &str, encoder: EncoderInfo) -> Self {
        Self {
            format: FORMAT.into(),
            version: VERSION,
            name: name.into(),
            files: BTreeMap::new(),
            encoder,
            heads: None,
            licences: Vec::new(),
            map: Vec::new(),
            golden: Vec::new(),
        }
    }

    /// Reads the bytes of a `bundle.json`.
    ///
    /// # Errors
    /// `Format` when the bytes are not a manifest, `Version` when another version wrote it.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
        }
        let malformed = |error: serde_json::Error| {
            Error::new(
                ErrorKind::Format,
                format!("{MANIFEST} is not a bundle manifest: {error}"),
            )
        };
        let head: Head = serde_json::from_slice(bytes).map_err(malformed)?;
        if head.format != FORMAT {
            let message = format!(
                "{MANIFEST}: the format is `{}`, expected `{FORMAT}`",
                head.format
            );
            return Err(Error::new(ErrorKind::Format, message));
        }
        if head.version != VERSION {
            let message = format!(
                "{MANIFEST} is of format version {}; this build reads version {VERSION}. \
                 Pack the bundle again with this version of touchstone",
                head.version
            );
            return Err(Error::new(ErrorKind::Version, message));
        }
        serde_json::from_slice(bytes).map_err(malformed)
    }

    /// Checks a file's length and what `sha256` says of it against the entry of `name`.
    ///
    /// # Errors
    /// `Format` when the manifest does not name the file, `Hash` when it is altered or cut short.
    fn verify(&self, name: &str, bytes: usize, sha256: impl FnOnce() -> String) -> Result<()> {
        let entry = self.files.get(name).ok_or_else(|| {
            Error::new(
                ErrorKind::Format,
                format!("{MANIFEST} names no file {name}"),
            )
        })?;
        if entry.bytes != bytes as u64 {
            let message = format!(
                "{name} is {bytes} bytes long, expected {}: the file is cut short or not the one packed",
                entry.bytes
            );
            return Err(Error::new(ErrorKind::Hash, message));
        }
        let found = sha256();
        if found != entry.sha256 {
            let message = format!(
                "{name} has SHA-256 {found}, expected {}: the file was altered",
                entry.sha256
            );
            return Err(Error::new(ErrorKind::Hash, message));
        }
        Ok(())
    }
}

/// A manifest with its files; every byte is verified when it is taken out.
pub struct Bundle {
    /// The manifest.
    pub manifest: Manifest,
    /// SHA-256 of the manifest's bytes, which names the whole bundle.
    pub id: String,
    files: BTreeMap<String, Vec<u8>>,
    /// SHA-256 of those files whose sum was taken elsewhere.
    sums: BTreeMap<String, String>,
}

impl Bundle {
    /// A bundle from the bytes of its manifest and of its files.
    ///
    /// # Errors
    /// As [`Manifest::from_json`].
    pub fn from_bytes(manifest: &[u8], files: BTreeMap<String, Vec<u8>>) -> Result<Self> {
        Ok(Self {
            manifest: Manifest::from_json(manifest)?,
            id: sha256(manifest),
            files,
            sums: BTreeMap::new(),
        })
    }

    /// The same with the SHA-256 of some of the files, which the caller has taken of these very bytes:
    /// browsers do that several times faster than this code.
    #[cfg(feature = "web")]
    pub fn with_sums(self, sums: BTreeMap<String, String>) -> Self {
        Self { sums, ..self }
    }

    fn verify(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let sum = || match self.sums.get(name) {
            Some(sum) => sum.clone(),
            None => sha256(bytes),
        };
        self.manifest.verify(name, bytes.len(), sum)
    }

    /// Looks at a file, verified.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn peek(&self, name: &str) -> Result<&[u8]> {
        let bytes = self.files.get(name).ok_or_else(|| missing(name))?;
        self.verify(name, bytes)?;
        Ok(bytes)
    }

    /// Names and bytes of the tokenizer's files, verified.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn tokenizer(&self) -> Result<Vec<(&'static str, Vec<u8>)>> {
        let names = [TOKENIZER, PIECES].into_iter();
        let names = names.filter(|name| self.manifest.files.contains_key(*name));
        names
            .map(|name| Ok((name, self.peek(name)?.to_vec())))
            .collect()
    }

    /// Verifies every file the manifest names.
    ///
    /// # Errors
    /// As [`Self::take`], for the first file that is wrong.
    pub fn verify_all(&self) -> Result<()> {
        self.manifest
            .files
            .keys()
            .try_for_each(|name| self.peek(name).map(|_| ()))
    }

    /// Takes a file out, verified; its memory is freed when the caller drops it.
    ///
    /// # Errors
    /// `Format` when the file is not there, `Hash` when it is altered or cut short.
    pub fn take(&mut self, name: &str) -> Result<Vec<u8>> {
        let bytes = self.files.remove(name).ok_or_else(|| missing(name))?;
        self.verify(name, &bytes)?;
        Ok(bytes)
    }

    /// The heads' part of the manifest.
    ///
    /// # Errors
    /// `Format` when the bundle holds only an encoder, or heads made for another encoder.
    pub fn heads_info(&self) -> Result<&HeadsInfo> {
        let heads = self.manifest.heads.as_ref().ok_or_else(|| {
            let message = "the bundle holds an encoder but no heads: it cannot score";
            Error::new(ErrorKind::Format, message)
        })?;
        let entry = self.manifest.files.get(ENCODER);
        let encoder = entry.map(|entry| entry.sha256.as_str()).unwrap_or("none");
        heads.check_encoder(encoder)?;
        Ok(heads)
    }
}

fn missing(name: &str) -> Error {
    Error::new(
        ErrorKind::Format,
        format!("the bundle lacks the file {name}"),
    )
}

/// SHA-256 of `bytes` in lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Bytes as lower-case hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
