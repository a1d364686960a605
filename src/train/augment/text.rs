//! Words, sentences and edits of a text in any script. Nothing here ever cuts a grapheme cluster.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::train::random::Random;

/// What to put in place of a range of bytes.
pub type Edit = (Range<usize>, String);

/// One sentence with what stands around it; the three parts in order are the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sentence<'a> {
    /// The list marker before it, such as `2. ` or `- `, with the white space around.
    pub head: &'a str,
    /// The sentence with its punctuation.
    pub body: &'a str,
    /// The white space after it.
    pub tail: &'a str,
}

/// The words of `text` (UAX #29) by their byte ranges.
pub fn words(text: &str) -> Vec<Range<usize>> {
    let words = text.unicode_word_indices();
    words.map(|(at, word)| at..at + word.len()).collect()
}

/// The sentences of `text` (UAX #29), whole: list markers stay with their item, abbreviations
/// such as `Dr.` with what follows.
pub fn sentences(text: &str) -> Vec<Sentence<'_>> {
    let mut starts = Vec::new();
    let (mut start, mut lettered) = (0, false);
    for (at, piece) in text.split_sentence_bound_indices() {
        lettered |= piece.chars().any(char::is_alphabetic);
        if lettered && !abbreviated(&text[start..at + piece.len()]) {
            starts.push(start);
            (start, lettered) = (at + piece.len(), false);
        }
    }
    if start < text.len() && (lettered || starts.is_empty()) {
        starts.push(start);
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let pieces = starts.iter().zip(ends).map(|(&from, to)| &text[from..to]);
    pieces
        .filter(|piece| !piece.is_empty())
        .map(sentence)
        .collect()
}

fn sentence(piece: &str) -> Sentence<'_> {
    let (rest, body_end) = (marker(piece), piece.trim_end().len());
    let start = rest.min(body_end);
    Sentence {
        head: &piece[..start],
        body: &piece[start..body_end],
        tail: &piece[body_end..],
    }
}

/// Bytes of the white space, bullets and number with which a list item starts.
fn marker(piece: &str) -> usize {
    let bullet = |c: char| c.is_whitespace() || "-*•#–>".contains(c);
    let rest = piece.trim_start_matches(bullet);
    let after = rest.trim_start_matches(char::is_numeric);
    match after.strip_prefix(['.', ')']) {
        Some(after) if after.starts_with(char::is_whitespace) && !rest.starts_with(after) => {
            piece.len() - after.trim_start_matches(bullet).len()
        }
        _ => piece.len() - rest.len(),
    }
}

/// Whether the piece ends in an abbreviation and not at the end of a sentence.
fn abbreviated(piece: &str) -> bool {
    const TITLES: [&str; 9] = ["Dr", "Mr", "Mrs", "Ms", "Prof", "St", "No", "Jr", "vs"];
    let bare = piece.trim_end();
    let space = &piece[bare.len()..];
    let Some(word) = bare
        .split_whitespace()
        .next_back()
        .and_then(|last| last.strip_suffix('.'))
    else {
        return false;
    };
    let initial = word.chars().count() == 1 && word.starts_with(char::is_uppercase);
    let inside = space.is_empty() || word.contains('.') || initial || TITLES.contains(&word);
    inside && !space.contains('\n')
}

/// `text` with non-overlapping edits made.
pub fn edited(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|(range, _)| (range.start, range.end));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (range, with) in edits {
        out.push_str(&text[at..range.start]);
        out.push_str(&with);
        at = range.end;
    }
    out.push_str(&text[at..]);
    out
}

/// Picks places to damage: `full` of them are what a dial of 1 means, at least one is taken.
/// Returns them in order of choice and the dial reached. The places of a smaller dial are among
/// those of a larger one.
pub fn choose(
    places: usize,
    full: usize,
    dial: f32,
    random: &mut Random,
) -> Option<(Vec<usize>, f32)> {
    let full = full.max(1) as f32;
    let count = ((dial * full).round() as usize).clamp(1, places.max(1));
    let mut order: Vec<usize> = (0..places).collect();
    random.shuffle(&mut order);
    order.truncate(count);
    (!order.is_empty()).then(|| (order, (count as f32 / full).min(1.0)))
}

/// Adds a piece, with a space before it where two sentences would touch.
pub fn glue(out: &mut String, piece: &str) {
    let closed = |c: char| c.is_whitespace() || "。！？".contains(c);
    if !out.is_empty() && !out.ends_with(closed) {
        out.push(' ');
    }
    out.push_str(piece);
}

/// Whether a character only combines with the one before it (a vowel sign, a virama, an accent).
pub fn mark(character: char) -> bool {
    if character.is_ascii() {
        return false;
    }
    let mut pair = String::from("a");
    pair.push(character);
    pair.graphemes(true).count() == 1
}

/// Whether `ending` can be written after `stem`: a vowel sign needs a bare letter before it.
pub fn joins(stem: &str, ending: &str) -> bool {
    let bare = stem
        .chars()
        .next_back()
        .is_some_and(|c| c.is_alphanumeric() && !mark(c));
    bare || !ending.starts_with(mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_keep_markers_abbreviations_and_every_byte() {
        let text = "Try this:\n1. Ask Dr. Rao. Then wait.\n2) **Rest** for 2.5 hours!\n";
        let found = sentences(text);
        let bodies: Vec<&str> = found.iter().map(|s| s.body).collect();
        let wanted = [
            "Try this:",
            "Ask Dr. Rao.",
            "Then wait.",
            "Rest** for 2.5 hours!",
        ];
        assert_eq!(bodies, wanted);
        assert_eq!((found[1].head, found[3].head), ("1. ", "2) **"));
        let whole: String = found
            .iter()
            .map(|s| [s.head, s.body, s.tail].concat())
            .collect();
        assert_eq!(whole, text);
    }

    #[test]
    fn dandas_end_sentences_and_odd_texts_do_no_harm() {
        assert_eq!(sentences("यह सही है। वह नहीं।").len(), 2);
        assert_eq!(sentences("দেখুন। ৩,৮৪,০০০ কি.মি. দূরে।").len(), 2);
        assert!(sentences("").is_empty());
        assert_eq!(sentences("1. 2. 3. ").len(), 1);
        assert_eq!(sentences(" \n").len(), 1);
        let joined: String = sentences("Yes. 42.").iter().map(|s| s.body).collect();
        assert_eq!(joined, "Yes. 42.");
    }

    #[test]
    fn a_smaller_choice_is_part_of_a_larger_one() {
        let pick = |dial| choose(20, 20, dial, &mut Random::new(7)).unwrap();
        let ((few, low), (many, high)) = (pick(0.2), pick(0.8));
        assert_eq!((few.len(), many.len()), (4, 16));
        assert!(few.iter().all(|place| many.contains(place)));
        assert!(low < high);
        assert!(choose(0, 4, 1.0, &mut Random::new(1)).is_none());
        assert_eq!(choose(1, 10, 1.0, &mut Random::new(1)).unwrap().1, 0.1);
    }

    #[test]
    fn marks_are_told_from_letters_in_every_script() {
        assert!("ािীাு்ి\u{301}़".chars().all(mark));
        assert!(!"aकকக1 é。".chars().any(mark));
        assert!(joins("ছেল", "ের") && !joins("ছেলে", "ের") && joins("ছেলে", "কে"));
    }
}
