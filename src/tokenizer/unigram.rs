//! The unigram model over pieces that lie one behind the other in one text.
//!
//! The library's own makes a map of every node of a trie and a string of every piece, which is two
//! thirds of the time in which a bundle loads. This one sorts the pieces, no more.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};
use tokenizers::models::TrainerWrapper;
use tokenizers::models::unigram::UnigramTrainer;
use tokenizers::{Model, ModelWrapper, Token};

/// How much less likely than the least likely piece a character is that no piece holds.
const UNKNOWN_PENALTY: f64 = 10.0;

/// The most probable way to put a text together from pieces, each with a log probability.
#[derive(Debug)]
pub(super) struct Unigram {
    /// The pieces by id, one behind the other.
    texts: String,
    /// Where each piece ends in `texts`; a line feed is between it and the next.
    ends: Vec<u32>,
    scores: Vec<f32>,
    /// Ids in the order of their pieces' bytes.
    sorted: Vec<u32>,
    unknown: Option<u32>,
    unknown_score: f64,
}

/// The best way to a place in a text.
#[derive(Clone, Copy)]
struct Step {
    score: f64,
    start: usize,
    id: u32,
}

impl Unigram {
    /// A model of pieces with a line feed between them; `unknown` is the piece that stands for what no
    /// other holds. None unless there is a score for each piece and `unknown` is one of them.
    pub(super) fn new(texts: String, scores: Vec<f32>, unknown: Option<u32>) -> Option<Self> {
        let ends = texts.match_indices('\n').map(|(at, _)| at as u32);
        let ends: Vec<u32> = ends.chain([texts.len() as u32]).collect();
        let known = unknown.is_none_or(|id| (id as usize) < ends.len());
        if ends.len() != scores.len() || !known {
            return None;
        }
        let least = scores.iter().copied().fold(f32::INFINITY, f32::min);
        let mut model = Self {
            sorted: (0..ends.len() as u32).collect(),
            unknown_score: f64::from(least) - UNKNOWN_PENALTY,
            texts,
            ends,
            scores,
            unknown,
        };
        let mut sorted = std::mem::take(&mut model.sorted);
        sorted.sort_unstable_by_key(|&id| (model.piece(id), id));
        model.sorted = sorted;
        Some(model)
    }

    /// The piece of an id that there is.
    fn piece(&self, id: u32) -> &str {
        let id = id as usize;
        let start = id
            .checked_sub(1)
            .map_or(0, |before| self.ends[before] as usize + 1);
        &self.texts[start..self.ends[id] as usize]
    }

    /// Gives `found` the length and the id of every piece that `text` begins with, shortest first.
    fn prefixes(&self, text: &[u8], mut found: impl FnMut(usize, u32)) {
        let mut range = &self.sorted[..];
        for (depth, &byte) in text.iter().enumerate() {
            // All in the range begin with what was read so far; the one that is it comes first.
            let at = |id: &u32| self.piece(*id).as_bytes().get(depth).copied();
            let first = range.partition_point(|id| at(id) < Some(byte));
            range = &range[first..];
            range = &range[..range.partition_point(|id| at(id) == Some(byte))];
            let whole = range.partition_point(|id| self.piece(*id).len() == depth + 1);
            if let Some(&id) = range[..whole].last() {
                found(depth + 1, id);
            }
            if whole == range.len() {
                return;
            }
        }
    }

    /// The pieces of the most probable way through `text` and where they are; characters that no piece
    /// holds are one piece where they follow each other.
    fn best(&self, text: &str) -> Option<Vec<(u32, Range<usize>)>> {
        let mut best = vec![None::<Step>; text.len() + 1];
        best[0] = Some(Step {
            score: 0.0,
            start: 0,
            id: 0,
        });
        for (start, character) in text.char_indices() {
            // Every character is at least unknown, so there is a way to every one.
            let so_far = best[start]?.score;
            let mut reach = |length: usize, id: u32, score: f64| {
                let end = &mut best[start + length];
                let score = so_far + score;
                if end.is_none_or(|end| score > end.score) {
                    *end = Some(Step { score, start, id });
                }
            };
            let mut is_single = false;
            self.prefixes(&text.as_bytes()[start..], |length, id| {
                is_single |= length == character.len_utf8();
                reach(length, id, f64::from(self.scores[id as usize]));
            });
            if !is_single {
                reach(character.len_utf8(), self.unknown?, self.unknown_score);
            }
        }
        let (mut pieces, mut end) = (Vec::<(u32, Range<usize>)>::new(), text.len());
        while end > 0 {
            let Step { start, id, .. } = best[end]?;
            match pieces.last_mut() {
                Some((last, range)) if *last == id && Some(id) == self.unknown => {
                    range.start = start;
                }
                _ => pieces.push((id, start..end)),
            }
            end = start;
        }
        pieces.reverse();
        Some(pieces)
    }

    fn id(&self, piece: &str) -> Option<u32> {
        let end = self.sorted.partition_point(|&id| self.piece(id) <= piece);
        let id = *self.sorted[..end].last()?;
        (self.piece(id) == piece).then_some(id)
    }
}

/// What puts a text together from pieces.
#[derive(Debug)]
pub(super) enum Pieces {
    Unigram(Unigram),
    /// One of the library's.
    Other(Box<ModelWrapper>),
}

impl<'de> Deserialize<'de> for Pieces {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::Other(Box::new(ModelWrapper::deserialize(
            deserializer,
        )?)))
    }
}

impl Model for Pieces {
    /// Nothing is trained here; the library asks for a type.
    type Trainer = TrainerWrapper;

    fn tokenize(&self, text: &str) -> tokenizers::Result<Vec<Token>> {
        let model = match self {
            Self::Unigram(model) => model,
            Self::Other(model) => return model.tokenize(text),
        };
        let pieces = model.best(text).ok_or("a character is in no piece")?;
        let token = |(id, range): (u32, Range<usize>)| {
            let offsets = (range.start, range.end);
            Token::new(id, text[range].to_owned(), offsets)
        };
        Ok(pieces.into_iter().map(token).collect())
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        match self {
            Self::Unigram(model) => model.id(token),
            Self::Other(model) => model.token_to_id(token),
        }
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        match self {
            Self::Unigram(model) => {
                let is_known = (id as usize) < model.ends.len();
                is_known.then(|| model.piece(id).to_owned())
            }
            Self::Other(model) => model.id_to_token(id),
        }
    }

    fn get_vocab(&self) -> HashMap<String, u32> {
        match self {
            Self::Unigram(model) => {
                let ids = model.sorted.iter();
                ids.map(|&id| (model.piece(id).to_owned(), id)).collect()
            }
            Self::Other(model) => model.get_vocab(),
        }
    }

    fn get_vocab_size(&self) -> usize {
        match self {
            Self::Unigram(model) => model.ends.len(),
            Self::Other(model) => model.get_vocab_size(),
        }
    }

    fn save(&self, folder: &Path, prefix: Option<&str>) -> tokenizers::Result<Vec<PathBuf>> {
        match self {
            Self::Unigram(_) => Err("pieces are packed with the bundle, not saved alone".into()),
            Self::Other(model) => model.save(folder, prefix),
        }
    }

    fn get_trainer(&self) -> Self::Trainer {
        match self {
            Self::Unigram(_) => UnigramTrainer::default().into(),
            Self::Other(model) => model.get_trainer(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokenizers::models::unigram::Unigram as Reference;

    use super::*;

    fn model(pieces: &[(&str, f32)], unknown: Option<u32>) -> Option<Unigram> {
        let texts: Vec<&str> = pieces.iter().map(|(text, _)| *text).collect();
        let scores = pieces.iter().map(|(_, score)| *score).collect();
        Unigram::new(texts.join("\n"), scores, unknown)
    }

    /// Ids and places are those of the library's model, for random texts over pieces that overlap,
    /// occur twice or are missing.
    #[test]
    fn pieces_are_the_librarys() {
        let pieces = [
            ("<unk>", 0.0),
            ("a", -2.0),
            ("b", -2.5),
            ("ab", -3.0),
            ("abc", -3.5),
            ("", -1.0),
            ("bc", -3.25),
            ("\u{928}", -4.0),
            ("\u{928}\u{93f}", -4.5),
            ("ab", -3.0),
            ("a\u{928}", -2.0),
            ("ba", -4.0),
        ];
        let known = pieces.map(|(text, score)| (text.to_owned(), f64::from(score)));
        let reference = Reference::from(known.to_vec(), Some(0), false).unwrap();
        let model = Pieces::Unigram(model(&pieces, Some(0)).unwrap());
        let letters = ["a", "b", "c", "\u{928}", "\u{93f}", "\u{1f600}", "<unk>"];
        let mut state = 1_u32;
        for _ in 0..2_000 {
            let mut text = String::new();
            for _ in 0..9 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                text += letters[(state >> 16) as usize % letters.len()];
            }
            let expected = reference.tokenize(&text).unwrap();
            assert_eq!(model.tokenize(&text).unwrap(), expected, "{text}");
        }
        assert!(model.tokenize("").unwrap().is_empty());
        assert_eq!(model.token_to_id("ab"), reference.token_to_id("ab"));
        assert_eq!(model.token_to_id("abcd"), None);
        assert_eq!(model.id_to_token(4).as_deref(), Some("abc"));
        assert_eq!(model.id_to_token(12), None);
        assert_eq!(model.get_vocab(), reference.get_vocab());
    }

    #[test]
    fn without_an_unknown_piece_other_characters_are_refused() {
        let model = Pieces::Unigram(model(&[("a", -1.0)], None).unwrap());
        assert_eq!(model.tokenize("aa").unwrap().len(), 2);
        assert!(model.tokenize("ab").is_err());
    }

    #[test]
    fn scores_and_an_unknown_piece_that_do_not_fit_are_refused() {
        assert!(model(&[("a", -1.0)], Some(1)).is_none());
        assert!(Unigram::new("a\nb".into(), vec![0.0], None).is_none());
    }
}
