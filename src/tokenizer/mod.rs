//! Text to token windows: truncation, overlap, and the segment of each token.

mod pieces;
mod unigram;

#[cfg(feature = "cli")]
pub use pieces::split;
#[cfg(feature = "train")]
pub use pieces::whole;

use tokenizers::{
    DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper, TokenizerImpl,
};

use crate::bundle::{Bundle, PIECES, TOKENIZER};
use crate::error::{Error, ErrorKind, Result};
use crate::text::{Layout, SEGMENTS, Segment, Template};
use unigram::Pieces;

/// The library's tokenizer, but for the model of pieces.
type Inner = TokenizerImpl<
    Pieces,
    NormalizerWrapper,
    PreTokenizerWrapper,
    PostProcessorWrapper,
    DecoderWrapper,
>;

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
    inner: Inner,
    /// Special tokens before a text.
    begin: Vec<u32>,
    /// Special tokens behind a text; between joined texts too.
    end: Vec<u32>,
    /// Ids that no text may contain: every special token but the unknown one.
    special: Vec<u32>,
}

impl Tokenizer {
    /// Reads the bytes of a `tokenizer.json`.
    ///
    /// # Errors
    /// `Format` when the bytes are not a tokenizer or it puts no special token before a text.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let malformed = |what: &str| Error::new(ErrorKind::Format, format!("{TOKENIZER} {what}"));
        let inner = Inner::from_bytes(bytes)
            .map_err(|error| malformed(&format!("is not a tokenizer: {error}")))?;
        Self::new(inner)
    }

    /// The tokenizer of `bundle`.
    ///
    /// # Errors
    /// As [`Bundle::peek`] and [`Self::from_bytes`].
    pub fn of(bundle: &Bundle) -> Result<Self> {
        let json = bundle.peek(TOKENIZER)?;
        match bundle.manifest.files.contains_key(PIECES) {
            true => Self::new(pieces::join(json, bundle.peek(PIECES)?)?),
            false => Self::from_bytes(json),
        }
    }

    fn new(mut inner: Inner) -> Result<Self> {
        let malformed = |what: &str| Error::new(ErrorKind::Format, format!("{TOKENIZER} {what}"));
        inner.with_padding(None);
        inner
            .with_truncation(None)
            .map_err(|error| malformed(&error.to_string()))?;
        let special = inner.get_added_tokens_decoder().into_iter();
        let special = special
            .filter(|(_, token)| token.special && !["<unk>", "[UNK]"].contains(&&*token.content))
            .map(|(id, _)| id)
            .collect();
        let mut tokenizer = Self {
            inner,
            begin: Vec::new(),
            end: Vec::new(),
            special,
        };
        (tokenizer.begin, tokenizer.end) = tokenizer.frame()?;
        if tokenizer.begin.is_empty() {
            let message = "puts no token before a text (such as <s>, [CLS] or <bos>), which \
                           encoders are trained with";
            return Err(malformed(message));
        }
        Ok(tokenizer)
    }

    /// What the tokenizer puts before and behind a text.
    fn frame(&self) -> Result<(Vec<u32>, Vec<u32>)> {
        let (framed, plain) = (self.ids("a", true)?, self.ids("a", false)?);
        let at = framed
            .windows(plain.len().max(1))
            .position(|window| window == plain.as_slice());
        let at = at.ok_or_else(|| {
            let message = "tokenizer.json changes a text when it adds special tokens";
            Error::new(ErrorKind::Format, message)
        })?;
        Ok((framed[..at].to_vec(), framed[at + plain.len()..].to_vec()))
    }

    /// Whether the token of that id is a special one or a single character, which other tokens can be
    /// put together from.
    #[cfg(feature = "train")]
    pub fn is_elementary(&self, id: u32) -> bool {
        let added = self.inner.get_added_tokens_decoder().contains_key(&id);
        let token = self.inner.id_to_token(id);
        added || token.is_none_or(|token| token.chars().count() == 1)
    }

    /// Number of token ids, added tokens included.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// Checks that every id has a row in an encoder's table of `rows`.
    ///
    /// # Errors
    /// `Shape` naming both numbers.
    pub fn check_fit(&self, rows: usize) -> Result<()> {
        let ids = self.vocab_size();
        if ids <= rows {
            return Ok(());
        }
        let message = format!(
            "the tokenizer has {ids} ids, the encoder {rows} rows: they do not belong together"
        );
        Err(Error::new(ErrorKind::Shape, message))
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

    /// Ids of `prefix` and of a text behind it. They are tokenized together, as the encoder was
    /// trained: a blank at the prefix's end may belong to the text's first token. Special tokens
    /// written out in the text are dropped, so that an answer cannot inject them.
    fn prefixed(&self, prefix: &str, text: &str) -> Result<(Vec<u32>, Vec<u32>)> {
        let alone = self.ids(prefix, false)?;
        let mut prefix_ids = self.ids(&format!("{prefix}{text}"), false)?;
        let shared = prefix_ids.iter().zip(&alone);
        let shared = shared.take_while(|(found, alone)| found == alone).count();
        let mut ids = prefix_ids.split_off(shared);
        ids.retain(|id| !self.special.contains(id));
        Ok((prefix_ids, ids))
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
        let texts = Segment::ALL.into_iter().zip(texts);
        let texts = texts.filter_map(|(segment, text)| Some((segment, text?)));
        match template.layout {
            Layout::Separate => texts
                .map(|(segment, text)| self.alone(segment, text, template))
                .collect(),
            Layout::Joined => Ok(vec![self.joined(texts, template)?]),
        }
    }

    /// One text as a passage of the response segment: how metrics and free texts are encoded.
    ///
    /// # Errors
    /// As [`Self::passages`].
    pub fn passage(&self, text: &str, template: &Template) -> Result<Passage> {
        self.alone(Segment::Response, text, template)
    }

    fn alone(&self, segment: Segment, text: &str, template: &Template) -> Result<Passage> {
        let (prefix, ids) = self.prefixed(&template.prefix, text)?;
        let segments = vec![Some(segment); ids.len()];
        self.windows(&prefix, &ids, &segments, template)
    }

    /// Texts behind one another, the end token between them.
    fn joined<'a>(
        &self,
        texts: impl Iterator<Item = (Segment, &'a str)>,
        template: &Template,
    ) -> Result<Passage> {
        let (mut ids, mut segments, mut prefix) = (Vec::new(), Vec::new(), None);
        for (segment, text) in texts {
            let before = if prefix.is_none() {
                &*template.prefix
            } else {
                ""
            };
            let (its_prefix, text) = self.prefixed(before, text)?;
            prefix.get_or_insert(its_prefix);
            if !ids.is_empty() {
                ids.extend(&self.end);
                segments.extend(self.end.iter().map(|_| None));
            }
            segments.extend(std::iter::repeat_n(Some(segment), text.len()));
            ids.extend(text);
        }
        self.windows(&prefix.unwrap_or_default(), &ids, &segments, template)
    }

    fn windows(
        &self,
        prefix: &[u32],
        ids: &[u32],
        segments: &[Option<Segment>],
        template: &Template,
    ) -> Result<Passage> {
        let frame = self.begin.len() + prefix.len() + self.end.len();
        let room = template.max_tokens.saturating_sub(frame);
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
            self.window(prefix, &ids[start..end], &segments[start..end])
        });
        Ok(Passage {
            windows: windows.collect(),
            kept,
            of: ids.len(),
        })
    }

    fn window(&self, prefix: &[u32], ids: &[u32], segments: &[Option<Segment>]) -> Window {
        let none = |count: usize| std::iter::repeat_n(None, count);
        let before = none(self.begin.len() + prefix.len());
        let segments = before.chain(segments.iter().copied());
        Window {
            ids: [&self.begin, prefix, ids, &self.end].concat(),
            segments: segments.chain(none(self.end.len())).collect(),
        }
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

    const TINY: &[u8] = include_bytes!("../../tests/fixtures/tiny-bert/tokenizer.json");

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
        assert!(
            tokenizer
                .ids(text, false)
                .unwrap()
                .contains(&tokenizer.end[0])
        );
        let passage = tokenizer
            .passage(text, &template(Layout::Separate))
            .unwrap();
        let ids = &passage.windows[0].ids;
        let inner = &ids[1..ids.len() - 1];
        assert!(inner.iter().all(|id| ![0, 1, 2].contains(id)), "{inner:?}");
    }

    #[test]
    fn a_prefix_is_tokenized_with_its_text() {
        let tokenizer = Tokenizer::from_bytes(TINY).unwrap();
        for text in ["hello", "नमस्ते", "", "1 2"] {
            let passage = tokenizer
                .passage(text, &template(Layout::Separate))
                .unwrap();
            let whole = tokenizer.ids(&format!("query: {text}"), true).unwrap();
            assert_eq!(passage.windows[0].ids, whole, "{text}");
        }
    }

    #[test]
    fn bytes_that_are_no_tokenizer_are_refused() {
        let error = Tokenizer::from_bytes(b"{}").err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Format);
    }
}
