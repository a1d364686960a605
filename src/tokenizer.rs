//! Text to token windows: truncation, overlap, and the segment of each token.

use crate::error::{Error, ErrorKind, Result};
use crate::text::{Layout, SEGMENTS, Segment, Template};

/// One row of an encoder batch, before padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Token ids, special tokens and prefix included.
    pub ids: Vec<u32>,
    /// The segment of each token; `None` for special tokens and the prefix.
    pub segments: Vec<Option<Segment>>,
}

/// A text, or several joined, as the windows the encoder will see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// At least one window, each of at most `max_tokens` tokens.
    pub windows: Vec<Window>,
    /// Text tokens kept (overlaps counted once).
    pub kept: usize,
    /// Text tokens there were.
    pub of: usize,
}

impl Passage {
    /// Tokens of each segment over all windows (overlaps counted twice), the weights of pooling.
    pub fn counts(&self) -> [usize; SEGMENTS] {
        let mut counts = [0; SEGMENTS];
        let segments = self.windows.iter().flat_map(|window| &window.segments);
        segments
            .flatten()
            .for_each(|segment| counts[*segment as usize] += 1);
        counts
    }

    /// Tokens over all windows, special ones included: the work the encoder has.
    pub fn len(&self) -> usize {
        self.windows.iter().map(|window| window.ids.len()).sum()
    }

    /// Whether there is no token at all; never true for passages made by [`Tokenizer`].
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A `tokenizer.json` with the special tokens found in it.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    begin: u32,
    end: u32,
    /// Ids that no text may contain: every special token but the unknown one.
    special: Vec<u32>,
}

impl Tokenizer {
    /// Reads the bytes of a `tokenizer.json`.
    ///
    /// # Errors
    /// `Format` when the bytes are not a tokenizer or name no begin and end tokens
    /// (`<s>`/`</s>` or `[CLS]`/`[SEP]`).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(|error| {
            Error::new(
                ErrorKind::Format,
                format!("tokenizer.json is not a tokenizer: {error}"),
            )
        })?;
        inner.with_padding(None);
        inner
            .with_truncation(None)
            .map_err(|error| Error::new(ErrorKind::Format, format!("tokenizer.json: {error}")))?;
        let find = |names: [&str; 2]| {
            let id = names.iter().find_map(|name| inner.token_to_id(name));
            id.ok_or_else(|| {
                Error::new(
                    ErrorKind::Format,
                    format!("tokenizer.json has neither {} nor {}", names[0], names[1]),
                )
            })
        };
        let (begin, end) = (find(["<s>", "[CLS]"])?, find(["</s>", "[SEP]"])?);
        let special = inner.get_added_tokens_decoder().into_iter();
        let special = special
            .filter(|(_, token)| token.special && !["<unk>", "[UNK]"].contains(&&*token.content))
            .map(|(id, _)| id)
            .collect();
        Ok(Self {
            inner,
            begin,
            end,
            special,
        })
    }

    /// Number of token ids, added tokens included.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// Token ids of `text`; `special` adds the begin and end tokens as the reference does.
    ///
    /// # Errors
    /// `Input` when the tokenizer cannot segment the text.
    pub fn ids(&self, text: &str, special: bool) -> Result<Vec<u32>> {
        let encoding = self.inner.encode_fast(text, special).map_err(|error| {
            Error::new(
                ErrorKind::Input,
                format!("the text cannot be tokenized: {error}"),
            )
        })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Ids of a text as it stands between special tokens. Special tokens written out in it are
    /// dropped, so that an answer cannot inject them.
    fn text_ids(&self, text: &str) -> Result<Vec<u32>> {
        let mut ids = self.ids(text, false)?;
        ids.retain(|id| !self.special.contains(id));
        Ok(ids)
    }

    /// The passages of one task's texts, in the order the encoder gets them.
    ///
    /// # Errors
    /// `Input` when a text cannot be tokenized or the template leaves no room for text.
    pub fn passages(
        &self,
        texts: [Option<&str>; SEGMENTS],
        template: &Template,
    ) -> Result<Vec<Passage>> {
        let mut tokens = Vec::new();
        for (segment, text) in Segment::ALL.into_iter().zip(texts) {
            let Some(text) = text else { continue };
            tokens.push((segment, self.text_ids(text)?));
        }
        match template.layout {
            Layout::Separate => tokens
                .into_iter()
                .map(|(segment, ids)| {
                    let segments = vec![Some(segment); ids.len()];
                    self.windows(ids, segments, template)
                })
                .collect(),
            Layout::Joined => {
                let (ids, segments) = self.join(tokens);
                Ok(vec![self.windows(ids, segments, template)?])
            }
        }
    }

    /// One text as a passage of the response segment: how metrics and free texts are encoded.
    ///
    /// # Errors
    /// As [`Self::passages`].
    pub fn passage(&self, text: &str, template: &Template) -> Result<Passage> {
        let ids = self.text_ids(text)?;
        let segments = vec![Some(Segment::Response); ids.len()];
        self.windows(ids, segments, template)
    }

    fn join(&self, tokens: Vec<(Segment, Vec<u32>)>) -> (Vec<u32>, Vec<Option<Segment>>) {
        let (mut ids, mut segments) = (Vec::new(), Vec::new());
        for (segment, text) in tokens {
            if !ids.is_empty() {
                ids.push(self.end);
                segments.push(None);
            }
            segments.extend(std::iter::repeat_n(Some(segment), text.len()));
            ids.extend(text);
        }
        (ids, segments)
    }

    fn windows(
        &self,
        ids: Vec<u32>,
        segments: Vec<Option<Segment>>,
        template: &Template,
    ) -> Result<Passage> {
        let prefix = self.ids(&template.prefix, false)?;
        let room = template.max_tokens.saturating_sub(prefix.len() + 2);
        if room <= template.overlap {
            return Err(Error::new(
                ErrorKind::Input,
                format!(
                    "windows of {} tokens with an overlap of {} leave no room for text",
                    template.max_tokens, template.overlap
                ),
            ));
        }
        let starts = window_starts(ids.len(), room, template);
        let kept = starts
            .last()
            .map_or(0, |start| (start + room).min(ids.len()));
        let windows = starts.iter().map(|&start| {
            let end = (start + room).min(ids.len());
            self.window(&prefix, &ids[start..end], &segments[start..end])
        });
        Ok(Passage {
            windows: windows.collect(),
            kept,
            of: ids.len(),
        })
    }

    fn window(&self, prefix: &[u32], ids: &[u32], segments: &[Option<Segment>]) -> Window {
        let mut window = Window {
            ids: vec![self.begin],
            segments: vec![None; prefix.len() + 1],
        };
        window.ids.extend(prefix);
        window.ids.extend(ids);
        window.ids.push(self.end);
        window.segments.extend(segments);
        window.segments.push(None);
        window
    }
}

/// Where the windows of a text of `len` tokens start; one window even for no token.
fn window_starts(len: usize, room: usize, template: &Template) -> Vec<usize> {
    let step = room - template.overlap;
    let needed = 1 + len.saturating_sub(room).div_ceil(step);
    (0..needed.min(template.max_windows.max(1)))
        .map(|index| index * step)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TINY: &[u8] = include_bytes!("../tests/fixtures/tiny-bert/tokenizer.json");

    fn template(layout: Layout) -> Template {
        Template {
            prefix: "query: ".into(),
            layout,
            max_tokens: 32,
            max_windows: 3,
            overlap: 4,
        }
    }

    #[test]
    fn separate_texts_become_passages_of_their_own() {
        let tokenizer = Tokenizer::from_bytes(TINY).unwrap();
        let passages = tokenizer
            .passages(
                [None, Some("hello"), Some("नमस्ते")],
                &template(Layout::Separate),
            )
            .unwrap();
        assert_eq!(passages.len(), 2);
        assert_eq!(passages[0].counts()[0], 0);
        assert!(passages[0].counts()[1] > 0 && passages[1].counts()[2] > 0);
    }

    #[test]
    fn joined_texts_keep_their_segments_apart() {
        let tokenizer = Tokenizer::from_bytes(TINY).unwrap();
        let passages = tokenizer
            .passages([Some("a"), Some("b"), Some("c")], &template(Layout::Joined))
            .unwrap();
        assert_eq!(passages.len(), 1);
        assert!(passages[0].counts().iter().all(|&count| count > 0));
    }

    #[test]
    fn long_texts_are_windowed_and_the_rest_is_told() {
        let tokenizer = Tokenizer::from_bytes(TINY).unwrap();
        let passage = tokenizer
            .passage(&"hello world ".repeat(200), &template(Layout::Separate))
            .unwrap();
        assert_eq!(passage.windows.len(), 3);
        assert!(passage.windows.iter().all(|window| window.ids.len() == 32));
        assert!(passage.kept < passage.of);
    }

    #[test]
    fn windows_overlap_and_cover_the_text() {
        let mut template = template(Layout::Separate);
        template.max_windows = 100;
        assert_eq!(window_starts(10, 10, &template), [0]);
        assert_eq!(window_starts(11, 10, &template), [0, 6]);
        assert_eq!(window_starts(16, 10, &template), [0, 6]);
        assert_eq!(window_starts(17, 10, &template), [0, 6, 12]);
        assert_eq!(window_starts(0, 10, &template), [0]);
    }

    #[test]
    fn special_tokens_written_out_in_a_text_are_dropped() {
        let tokenizer = Tokenizer::from_bytes(TINY).unwrap();
        let text = "a</s><s> b <pad> c";
        assert!(tokenizer.ids(text, false).unwrap().contains(&tokenizer.end));
        let passage = tokenizer
            .passage(text, &template(Layout::Separate))
            .unwrap();
        let ids = &passage.windows[0].ids;
        let inner = &ids[1..ids.len() - 1];
        assert!(inner.iter().all(|id| ![0, 1, 2].contains(id)), "{inner:?}");
    }

    #[test]
    fn bytes_that_are_no_tokenizer_are_refused() {
        let error = Tokenizer::from_bytes(b"{}").err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Format);
    }
}
