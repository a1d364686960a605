//! A text cut into the parts that an explanation drops one by one.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

/// Parts a text is cut into at most; neighbouring sentences of a longer one are taken together.
pub const MAX_PARTS: usize = 64;

/// Characters of a sentence from which it is cut at a word's end: lists, tables, Thai.
const LONGEST: usize = 300;

/// Byte ranges of the parts of `text`, in order, without gaps; at most [`MAX_PARTS`], none of them
/// blank. Sentences end by the Unicode rules (UAX #29), which know danda and ideographic stops.
pub fn parts(text: &str) -> Vec<Range<usize>> {
    let mut sentences: Vec<Range<usize>> = Vec::new();
    for (start, sentence) in text.split_sentence_bound_indices() {
        let end = start + sentence.len();
        match sentences.last_mut() {
            Some(last) if clings(&text[last.clone()], sentence) => last.end = end,
            _ => sentences.push(start..end),
        }
    }
    let pieces = sentences.into_iter().flat_map(|range| cut(text, range));
    group(pieces.collect(), text.len())
}

/// Whether `next` is no sentence of its own after `last`: blank, without a letter or digit, or
/// begun by a list's number or a short abbreviation.
fn clings(last: &str, next: &str) -> bool {
    let empty = |text: &str| !text.chars().any(char::is_alphanumeric);
    let opening = last.trim();
    let short = opening.ends_with('.') && opening.chars().count() <= 3;
    empty(next) || empty(last) || short && !last.ends_with(['\n', '\r'])
}

/// `range` in pieces of at most [`LONGEST`] characters, cut after a space where there is one.
fn cut(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let (mut pieces, mut start, mut length) = (Vec::new(), range.start, 0);
    let (mut space, mut since_space) = (None, 0);
    for (offset, word) in text[range.clone()].split_word_bound_indices() {
        let (at, size) = (range.start + offset, word.chars().count());
        if length > 0 && length + size > LONGEST {
            let end = space.unwrap_or(at);
            pieces.push(start..end);
            length = if space.is_some() { since_space } else { 0 };
            (start, space, since_space) = (end, None, 0);
        }
        length += size;
        since_space += size;
        if word.trim().is_empty() {
            (space, since_space) = (Some(at + word.len()), 0);
        }
    }
    pieces.push(start..range.end);
    pieces
}

/// Neighbours taken together so that at most [`MAX_PARTS`] of about the same length are left.
fn group(pieces: Vec<Range<usize>>, length: usize) -> Vec<Range<usize>> {
    let few = pieces.len() <= MAX_PARTS;
    let bin = |range: &Range<usize>| (range.start + range.end) / 2 * MAX_PARTS / length.max(1);
    let mut groups: Vec<(usize, Range<usize>)> = Vec::new();
    for piece in pieces {
        let bin = if few { groups.len() } else { bin(&piece) };
        match groups.last_mut() {
            Some((last, range)) if *last == bin && !few => range.end = piece.end,
            _ => groups.push((bin, piece)),
        }
    }
    groups.into_iter().map(|(_, range)| range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_up(text: &str) -> Vec<&str> {
        let parts = parts(text);
        let whole: String = parts.iter().map(|range| &text[range.clone()]).collect();
        assert_eq!(whole, text, "nothing is lost");
        parts.into_iter().map(|range| text[range].trim()).collect()
    }

    #[test]
    fn sentences_end_in_every_script() {
        assert_eq!(cut_up("One. Two! Three?"), ["One.", "Two!", "Three?"]);
        assert_eq!(
            cut_up("यह पहला है। यह दूसरा है।"),
            ["यह पहला है।", "यह दूसरा है।"]
        );
        assert_eq!(
            cut_up("一つ目です。二つ目です！"),
            ["一つ目です。", "二つ目です！"]
        );
        assert_eq!(
            cut_up("هل هذا سؤال؟ نعم، هو سؤال."),
            ["هل هذا سؤال؟", "نعم، هو سؤال."]
        );
    }

    #[test]
    fn lines_are_parts_and_list_numbers_stay_with_theirs() {
        let text = "Do this:\n1. Wash it.\n2. Dry it.\n\nDr. Rao agrees.";
        let expected = ["Do this:", "1. Wash it.", "2. Dry it.", "Dr. Rao agrees."];
        assert_eq!(cut_up(text), expected);
    }

    #[test]
    fn nothing_blank_is_a_part() {
        assert_eq!(cut_up("  \n One.\n\n\n"), ["One."]);
        assert_eq!(cut_up("... !!!").len(), 1);
        assert!(cut_up("").is_empty());
    }

    #[test]
    fn long_texts_without_an_end_are_cut_at_words() {
        let text = "word ".repeat(200);
        let parts = cut_up(&text);
        assert_eq!(parts.len(), 4);
        assert!(
            parts
                .iter()
                .all(|part| part.len() <= 300 && part.ends_with("word"))
        );
        let thai = "ภาษาไทยไม่มีช่องว่างระหว่างคำ".repeat(40);
        assert!(cut_up(&thai).len() >= 4);
    }

    #[test]
    fn at_most_64_parts_of_like_length() {
        let text = "A sentence. ".repeat(1000);
        let parts = cut_up(&text);
        assert!(
            parts.len() <= MAX_PARTS && parts.len() > 60,
            "{}",
            parts.len()
        );
        let longest = parts.iter().map(|part| part.len()).max();
        assert!(longest < Some(3 * text.len() / MAX_PARTS));
    }
}
