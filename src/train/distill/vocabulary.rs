//! The tokens that texts use most.

use crate::bundle::{Bundle, ENCODER, EncoderInfo};
use crate::cli::import::{Checkpoint, Stored};
use crate::cli::pack::serialize;
use crate::cli::vocabulary::Vocabulary;
use crate::encoder::EncoderConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::tokenizer::{Passage, Tokenizer, whole};

/// An encoder with fewer tokens.
pub struct Trimmed {
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// That as a `tokenizer.json`.
    pub json: Vec<u8>,
    /// Its weights' file.
    pub encoder: Vec<u8>,
    config: EncoderConfig,
    source: String,
    /// The number that each token had.
    kept: Vec<u32>,
}

impl Trimmed {
    /// Keeps `tokens` of `bundle`'s: special ones, single characters, and of the rest those that
    /// `texts` use most.
    ///
    /// # Errors
    /// `Input` when the characters alone are more, and as [`Vocabulary::trim`].
    pub fn new(
        bundle: &Bundle,
        tokenizer: &Tokenizer,
        texts: &[String],
        tokens: usize,
    ) -> Result<Self> {
        let mut counts = vec![0_u64; tokenizer.vocab_size()];
        for text in texts {
            for id in tokenizer.ids(text, true)? {
                counts[id as usize] += 1;
            }
        }
        let (mut kept, mut rest): (Vec<u32>, Vec<u32>) =
            (0..counts.len() as u32).partition(|&id| tokenizer.is_elementary(id));
        let Some(room) = tokens.checked_sub(kept.len()) else {
            let message = format!(
                "--tokens {tokens}: the single characters and special tokens alone are {}",
                kept.len()
            );
            return Err(Error::new(ErrorKind::Input, message));
        };
        rest.sort_by_key(|&id| std::cmp::Reverse(counts[id as usize]));
        kept.extend(rest.into_iter().take(room));
        kept.sort_unstable();
        let info = &bundle.manifest.encoder;
        let mut checkpoint = Checkpoint {
            config: info.config.clone(),
            pipeline: info.pipeline.clone(),
            tensors: Stored::of_file(bundle.peek(ENCODER)?)?,
            source: info.source.clone(),
            quantisation: info.quantisation.clone(),
        };
        let json = Vocabulary::new(kept.clone()).trim(&whole(bundle)?, &mut checkpoint)?;
        Ok(Self {
            tokenizer: Tokenizer::from_bytes(&json)?,
            json,
            encoder: serialize(&checkpoint.tensors)?,
            config: checkpoint.config,
            source: checkpoint.source,
            kept,
        })
    }

    /// `info` with fewer tokens.
    pub fn info(&self, info: &EncoderInfo) -> EncoderInfo {
        EncoderInfo {
            config: self.config.clone(),
            source: self.source.clone(),
            ..info.clone()
        }
    }

    /// `passage` in the numbers that its tokens had.
    pub fn mapped(&self, passage: &Passage) -> Passage {
        let mut mapped = passage.clone();
        let ids = mapped.windows.iter_mut().flat_map(|window| &mut window.ids);
        ids.for_each(|id| *id = self.kept[*id as usize]);
        mapped
    }
}
