//! The pieces of a unigram tokenizer in a file of their own: as JSON they are most of the download.
//!
//! `pieces.safetensors` holds `pieces` (UTF-8, one behind the other, a line feed between) and
//! `scores` (f32, as sentencepiece keeps them); `tokenizer.json` beside it is the hub's file with an
//! empty vocabulary.

use safetensors::Dtype;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokenizers::{AddedToken, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper};

use super::Inner;
use super::unigram::{Pieces, Unigram};
use crate::bundle::PIECES;
use crate::encoder::tensors;
use crate::error::{Error, ErrorKind, Result};

const TEXTS: &str = "pieces";
const SCORES: &str = "scores";

/// A `tokenizer.json` of the hub in two parts, or none where it is not a unigram one, falls back to
/// bytes or has a piece that holds a line feed.
///
/// # Errors
/// `Format` when the bytes are no JSON.
#[cfg(feature = "cli")]
pub fn split(json: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    use safetensors::tensor::TensorView;

    let mut file: Value = serde_json::from_slice(json).map_err(not_a_tokenizer)?;
    let model = &file["model"];
    if model["type"] != "Unigram" || model["byte_fallback"] == true {
        return Ok(None);
    }
    let vocabulary = file["model"]["vocab"].take();
    let vocabulary: Vec<(String, f64)> =
        serde_json::from_value(vocabulary).map_err(not_a_tokenizer)?;
    if vocabulary.iter().any(|(text, _)| text.contains('\n')) {
        return Ok(None);
    }
    file["model"]["vocab"] = Value::Array(Vec::new());
    let (texts, scores): (Vec<String>, Vec<f64>) = vocabulary.into_iter().unzip();
    let texts = texts.join("\n").into_bytes();
    let scores = scores
        .iter()
        .flat_map(|&score| (score as f32).to_le_bytes());
    let scores: Vec<u8> = scores.collect();
    let malformed = |error| Error::new(ErrorKind::Format, format!("{PIECES}: {error}"));
    let view = |dtype, length, bytes| TensorView::new(dtype, vec![length], bytes);
    let tensors = [
        (
            TEXTS,
            view(Dtype::U8, texts.len(), &texts).map_err(malformed)?,
        ),
        (
            SCORES,
            view(Dtype::F32, scores.len() / 4, &scores).map_err(malformed)?,
        ),
    ];
    let pieces = safetensors::serialize(tensors, None).map_err(malformed)?;
    let rest = serde_json::to_vec(&file).map_err(not_a_tokenizer)?;
    Ok(Some((rest, pieces)))
}

/// A bundle's tokenizer as the one `tokenizer.json` that it was.
///
/// # Errors
/// `Format` when one of the parts is not what it should be.
#[cfg(feature = "train")]
pub fn whole(bundle: &crate::bundle::Bundle) -> Result<Vec<u8>> {
    use crate::bundle::TOKENIZER;

    let json = bundle.peek(TOKENIZER)?;
    if !bundle.manifest.files.contains_key(PIECES) {
        return Ok(json.to_vec());
    }
    let mut file: Value = serde_json::from_slice(json).map_err(not_a_tokenizer)?;
    let (texts, scores) = read(bundle.peek(PIECES)?)?;
    let scores = scores.into_iter().map(f64::from);
    let pieces: Vec<(&str, f64)> = texts.split('\n').zip(scores).collect();
    file["model"]["vocab"] = serde_json::json!(pieces);
    serde_json::to_vec(&file).map_err(not_a_tokenizer)
}

/// The tokenizer that [`split`] took apart.
///
/// # Errors
/// `Format` when one of the parts is not what it should be.
pub(super) fn join(json: &[u8], pieces: &[u8]) -> Result<Inner> {
    #[derive(Deserialize)]
    struct Parts {
        model: Model,
        normalizer: Value,
        pre_tokenizer: Value,
        post_processor: Value,
        added_tokens: Vec<AddedToken>,
    }
    #[derive(Deserialize)]
    struct Model {
        unk_id: Option<u32>,
        #[serde(default)]
        byte_fallback: bool,
    }
    let parts: Parts = serde_json::from_slice(json).map_err(not_a_tokenizer)?;
    let malformed = |what: String| Error::new(ErrorKind::Format, format!("{PIECES} {what}"));
    if parts.model.byte_fallback {
        let what = "belongs to a tokenizer that falls back to bytes, which is no longer taken \
                    apart: pack the checkpoint again";
        return Err(malformed(what.into()));
    }
    let (texts, scores) = read(pieces)?;
    let count = scores.len();
    let model = Unigram::new(texts.to_owned(), scores, parts.model.unk_id).ok_or_else(|| {
        malformed(format!(
            "has {} pieces and {count} scores, with the unknown piece {:?}",
            texts.split('\n').count(),
            parts.model.unk_id
        ))
    })?;
    let mut tokenizer = Inner::new(Pieces::Unigram(model));
    let normalizer: Option<NormalizerWrapper> = part(parts.normalizer)?;
    let pre_tokenizer: Option<PreTokenizerWrapper> = part(parts.pre_tokenizer)?;
    let post_processor: Option<PostProcessorWrapper> = part(parts.post_processor)?;
    tokenizer
        .with_normalizer(normalizer)
        .map_err(not_a_tokenizer)?
        .with_pre_tokenizer(pre_tokenizer)
        .with_post_processor(post_processor);
    for token in parts.added_tokens {
        let added = match token.special {
            true => tokenizer.add_special_tokens([token]),
            false => tokenizer.add_tokens([token]),
        };
        added.map_err(not_a_tokenizer)?;
    }
    Ok(tokenizer)
}

fn part<T: DeserializeOwned>(part: Value) -> Result<Option<T>> {
    serde_json::from_value(part).map_err(not_a_tokenizer)
}

/// The pieces, a line feed between them, and their scores.
fn read(bytes: &[u8]) -> Result<(&str, Vec<f32>)> {
    let malformed = |what: String| Error::new(ErrorKind::Format, format!("{PIECES} {what}"));
    let file = tensors(PIECES, bytes)?;
    let tensor = |name, dtype| {
        let tensor = file.tensor(name).ok();
        let tensor = tensor.filter(|tensor| tensor.dtype() == dtype);
        tensor.ok_or_else(|| malformed(format!("lacks `{name}` of type {dtype:?}")))
    };
    let (texts, scores) = (tensor(TEXTS, Dtype::U8)?, tensor(SCORES, Dtype::F32)?);
    let texts = std::str::from_utf8(texts.data())
        .map_err(|error| malformed(format!("holds pieces that are no UTF-8: {error}")))?;
    let (scores, _) = scores.data().as_chunks();
    let scores = scores.iter().map(|&score| f32::from_le_bytes(score));
    Ok((texts, scores.collect()))
}

fn not_a_tokenizer(error: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Format,
        format!("tokenizer.json is not a tokenizer: {error}"),
    )
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;

    const TINY: &[u8] = include_bytes!("../../tests/fixtures/tiny-bert/tokenizer.json");

    #[test]
    fn both_parts_make_the_same_ids() {
        let whole = Inner::from_bytes(TINY).unwrap();
        let (json, pieces) = split(TINY).unwrap().unwrap();
        assert!(json.len() < TINY.len());
        let joined = join(&json, &pieces).unwrap();
        for text in ["hello world", "नमस्ते </s> दुनिया", "", "𒀀 ok", "<mask> a<s>"]
        {
            for special in [true, false] {
                let ids = |tokenizer: &Inner| {
                    tokenizer
                        .encode_fast(text, special)
                        .unwrap()
                        .get_ids()
                        .to_vec()
                };
                assert_eq!(ids(&joined), ids(&whole), "{text}");
            }
        }
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let (json, pieces) = split(TINY).unwrap().unwrap();
        let cut = &pieces[..pieces.len() - 8];
        let error = join(&json, cut).unwrap_err();
        assert!(
            error.to_string().contains("not a whole safetensors"),
            "{error}"
        );
        let bytes = String::from_utf8(json).unwrap();
        let bytes = bytes.replace("\"byte_fallback\":false", "\"byte_fallback\":true");
        let error = join(bytes.as_bytes(), &pieces).unwrap_err();
        assert!(error.to_string().contains("falls back to bytes"), "{error}");
        let error = join(b"{}", &pieces).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format);
    }

    #[test]
    fn other_tokenizers_stay_whole() {
        let bge = include_bytes!("../../tests/fixtures/tiny-bge/tokenizer.json");
        assert!(split(bge).unwrap().is_none());
    }
}
