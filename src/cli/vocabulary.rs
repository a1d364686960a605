//! A smaller vocabulary for an encoder: the tokens that are kept, and their rows of the table.

use std::collections::HashSet;
use std::path::Path;

use serde_json::{Value, json};

use super::import::{Checkpoint, Stored};
use crate::encoder::expected_shapes;
use crate::error::{Error, ErrorKind, Result};

/// Pieces that an error names.
const NAMED: usize = 5;

/// Token ids that are kept, ascending. The n-th becomes id n.
pub struct Vocabulary(Vec<u32>);

impl Vocabulary {
    /// These ids, ascending.
    #[cfg(feature = "train")]
    pub fn new(ids: Vec<u32>) -> Self {
        Self(ids)
    }

    /// Reads a file of ids, one a line.
    ///
    /// # Errors
    /// `Io` when it cannot be read, `Format` naming the line that is no id or out of order.
    pub fn read(path: &Path) -> Result<Self> {
        let text = super::read(path)?;
        Self::parse(&String::from_utf8_lossy(&text)).map_err(|error| error.context(path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let mut ids: Vec<u32> = Vec::new();
        for (line, word) in text.lines().enumerate() {
            let id = word.trim().parse().ok();
            let id = id.filter(|id| ids.last().is_none_or(|last| last < id));
            ids.push(id.ok_or_else(|| {
                let message = format!(
                    "line {} is `{word}`, expected a token id above the one before",
                    line + 1
                );
                Error::new(ErrorKind::Format, message)
            })?);
        }
        Ok(Self(ids))
    }

    /// Takes every other token out of `checkpoint` and returns its `tokenizer.json` without them.
    /// No text becomes unknown by it: each piece that goes can be put together from ones that stay.
    ///
    /// # Errors
    /// `Unsupported` for a tokenizer that is not a unigram one, `Format` where an id is unknown, a
    /// special token is left out or a piece could no longer be written.
    pub fn trim(&self, tokenizer: &[u8], checkpoint: &mut Checkpoint) -> Result<Vec<u8>> {
        let before = checkpoint.config.vocab_size();
        let trimmed = self.trim_tokenizer(tokenizer)?;
        let (table, _) = expected_shapes(&checkpoint.config).swap_remove(0);
        let rows = checkpoint.tensors.iter_mut();
        rows.filter(|tensor| tensor.name.starts_with(&table))
            .try_for_each(|tensor| self.keep_rows(tensor))?;
        checkpoint.config.set_vocab_size(self.0.len());
        checkpoint.source += &format!("; {} of {before} tokens", self.0.len());
        Ok(trimmed)
    }

    fn keep_rows(&self, tensor: &mut Stored) -> Result<()> {
        let row = tensor.bytes.len() / tensor.shape[0].max(1);
        let mut bytes = Vec::with_capacity(self.0.len() * row);
        for &id in &self.0 {
            let kept = tensor.bytes.get(id as usize * row..(id as usize + 1) * row);
            bytes.extend_from_slice(kept.ok_or_else(|| self.unknown(tensor.shape[0]))?);
        }
        tensor.bytes = bytes;
        tensor.shape[0] = self.0.len();
        Ok(())
    }

    fn unknown(&self, ids: usize) -> Error {
        let last = self.0.last().copied().unwrap_or_default();
        let message = format!("the vocabulary keeps id {last}; the encoder has {ids}");
        Error::new(ErrorKind::Format, message)
    }

    fn trim_tokenizer(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let malformed =
            |what: &str| Error::new(ErrorKind::Format, format!("tokenizer.json {what}"));
        let mut file: Value = serde_json::from_slice(bytes)
            .map_err(|error| malformed(&format!("is no JSON: {error}")))?;
        let kind = file["model"]["type"].as_str().unwrap_or("no model");
        if kind != "Unigram" {
            let message = format!("tokenizer.json holds {kind}; only a Unigram can be trimmed");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let pieces = file["model"]["vocab"].take();
        let pieces = pieces
            .as_array()
            .ok_or_else(|| malformed("has no list of pieces"))?;
        let kept = self.0.iter().map(|&id| pieces.get(id as usize).cloned());
        let kept: Option<Vec<Value>> = kept.collect();
        let kept = kept.ok_or_else(|| self.unknown(pieces.len()))?;
        self.renumber(&mut file)?;
        check_cover(pieces, &kept)?;
        file["model"]["vocab"] = kept.into();
        // Neither belongs to the texts; this library cuts and pads by itself.
        file["padding"] = Value::Null;
        file["truncation"] = Value::Null;
        serde_json::to_vec(&file).map_err(|error| malformed(&error.to_string()))
    }

    /// Gives the special tokens their new ids, everywhere they are named by number.
    fn renumber(&self, file: &mut Value) -> Result<()> {
        self.renumber_one(&mut file["model"]["unk_id"])?;
        for token in file["added_tokens"].as_array_mut().into_iter().flatten() {
            self.renumber_one(&mut token["id"])?;
        }
        let behind = &mut file["post_processor"];
        match behind["type"].as_str() {
            Some("TemplateProcessing") => {
                let named = behind["special_tokens"]
                    .as_object_mut()
                    .into_iter()
                    .flatten();
                for id in named
                    .flat_map(|(_, token)| token["ids"].as_array_mut())
                    .flatten()
                {
                    self.renumber_one(id)?;
                }
            }
            Some("RobertaProcessing" | "BertProcessing") => {
                self.renumber_one(&mut behind["sep"][1])?;
                self.renumber_one(&mut behind["cls"][1])?;
            }
            other => {
                let message =
                    format!("cannot give tokens new ids in a post-processor of type {other:?}");
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
        }
        Ok(())
    }

    fn renumber_one(&self, id: &mut Value) -> Result<()> {
        let place = id.as_u64().and_then(|old| {
            let old = u32::try_from(old).ok()?;
            self.0.binary_search(&old).ok()
        });
        *id = json!(place.ok_or_else(|| {
            let message = format!("the vocabulary leaves out the special token {id}");
            Error::new(ErrorKind::Format, message)
        })?);
        Ok(())
    }
}

/// Checks that every piece is a sequence of kept ones.
fn check_cover(pieces: &[Value], kept: &[Value]) -> Result<()> {
    let text = |piece: &Value| piece[0].as_str().unwrap_or_default().to_owned();
    let kept: HashSet<String> = kept.iter().map(text).collect();
    let longest = kept.iter().map(String::len).max().unwrap_or_default();
    let lost: Vec<String> = pieces
        .iter()
        .map(text)
        .filter(|piece| !is_covered(piece, &kept, longest))
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    let names = lost.iter().take(NAMED).map(|piece| format!("`{piece}`"));
    let message = format!(
        "{} pieces could not be written with the tokens that are kept, such as {}: keep their characters",
        lost.len(),
        names.collect::<Vec<_>>().join(", ")
    );
    Err(Error::new(ErrorKind::Format, message))
}

fn is_covered(piece: &str, kept: &HashSet<String>, longest: usize) -> bool {
    let mut reached = vec![false; piece.len() + 1];
    reached[0] = true;
    for start in 0..piece.len() {
        if !reached[start] {
            continue;
        }
        let ends = start + 1..=piece.len().min(start + longest);
        for end in ends.filter(|&end| piece.is_char_boundary(end)) {
            reached[end] |= kept.contains(&piece[start..end]);
        }
    }
    reached[piece.len()]
}
