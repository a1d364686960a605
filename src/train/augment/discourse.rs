//! Damage to what is said: repeated, mixed up, replaced, cut off, or with phrases put in.

use super::damage::{Case, Damage};
use super::text::{Sentence, choose, glue, mark, sentences, words};

/// Copies of each sentence at a dial of 1.
const COPIES: usize = 2;
/// Fewer sentences have no order to speak of.
const ORDERED: usize = 4;
/// Share of the words that is cut off at a dial of 1.
const CUT: f32 = 0.9;
/// Shorter answers are not cut.
const CUTTABLE: usize = 6;
/// Phrases go into the first sentences, where an encoder that reads a short window sees them.
const NOTICED: usize = 10;
/// Words of a sentence that is quoted.
const QUOTED: usize = 25;

/// Says sentences again, once or twice, somewhere after they were first said.
pub fn repeat(case: &Case) -> Option<Damage> {
    let found = sentences(case.text);
    let places = found.len() * COPIES;
    let (chosen, dial) = choose(places, places, case.dial, &mut case.random(0))?;
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); found.len()];
    for place in chosen {
        let said = place % found.len();
        let at = said + case.random(place + 1).below(found.len() - said);
        after[at].push(said);
    }
    let mut out = String::with_capacity(case.text.len() * 2);
    for (sentence, copies) in found.iter().zip(after) {
        out.push_str(sentence.head);
        out.push_str(sentence.body);
        copies
            .iter()
            .for_each(|&said| glue(&mut out, found[said].body));
        out.push_str(sentence.tail);
    }
    Damage::new(out, dial)
}

/// Moves sentences, with their numbers, to each other's places.
pub fn sentence_order(case: &Case) -> Option<Damage> {
    let found = sentences(case.text);
    if found.len() < ORDERED {
        return None;
    }
    let least = case.dial.max(2.0 / found.len() as f32);
    let (places, dial) = choose(found.len(), found.len(), least, &mut case.random(0))?;
    // The order of choice is random: each chosen place takes the sentence of the next one.
    let mut order: Vec<usize> = (0..found.len()).collect();
    for (index, &place) in places.iter().enumerate() {
        order[place] = places[(index + 1) % places.len()];
    }
    let mut out = String::with_capacity(case.text.len());
    for (place, &said) in order.iter().enumerate() {
        out.push_str(found[said].head);
        out.push_str(found[said].body);
        out.push_str(found[place].tail);
        if found[place].tail.is_empty() && place + 1 < order.len() {
            glue(&mut out, "");
        }
    }
    Damage::new(out, dial)
}

/// Replaces the end by the answer to another prompt.
pub fn splice(case: &Case) -> Option<Damage> {
    let donor = case.pool.other_answer(case.good, &mut case.random(0))?;
    continued(case, donor)
}

/// Replaces the end by an answer in another language.
pub fn wrong_language(case: &Case) -> Option<Damage> {
    let donor = case.pool.foreign_answer(case.good, &mut case.random(0))?;
    continued(case, donor)
}

/// The first sentences, followed by as many of the donor's as were taken away.
fn continued(case: &Case, donor: &str) -> Option<Damage> {
    let found = sentences(case.text);
    let (kept, dial) = kept(found.len(), case.dial)?;
    if kept == 0 {
        return Damage::new(donor.to_owned(), dial);
    }
    let mut out = start(&found[..kept]);
    for sentence in sentences(donor).into_iter().take(found.len() - kept) {
        glue(&mut out, sentence.head.trim_start());
        out.push_str(sentence.body);
        out.push_str(sentence.tail);
    }
    out.truncate(out.trim_end().len());
    Damage::new(out, dial)
}

/// How many of `count` sentences stay, and the dial that is.
fn kept(count: usize, dial: f32) -> Option<(usize, f32)> {
    let lost = ((dial * count as f32).round() as usize).clamp(1, count.max(1));
    (count > 0).then(|| (count - lost, lost as f32 / count as f32))
}

/// The sentences as they stand, with their white space.
fn start(found: &[Sentence]) -> String {
    found
        .iter()
        .flat_map(|s| [s.head, s.body, s.tail])
        .collect()
}

/// Cuts the end off, in the middle of a sentence.
pub fn truncate(case: &Case) -> Option<Damage> {
    let words = words(case.text);
    if words.len() < CUTTABLE {
        return None;
    }
    let lost = ((words.len() as f32 * case.dial * CUT).round() as usize).clamp(1, words.len() - 1);
    let end = words[words.len() - lost - 1].end;
    let dial = (lost as f32 / (words.len() as f32 * CUT)).min(1.0);
    Damage::new(case.text[..end].to_owned(), dial)
}

/// Puts phrases in before or after sentences, up to `most` at a dial of 1.
pub fn insert(case: &Case, phrases: &str, most: usize, before: bool) -> Option<Damage> {
    let (language, phrases) = (case.language?, shuffled(case, phrases)?);
    let found = sentences(case.text);
    let full = found.len().min(most);
    let places = found.len().min(NOTICED);
    let (chosen, dial) = choose(places, full, case.dial, &mut case.random(0))?;
    let mut added: Vec<Option<String>> = vec![None; found.len()];
    for (rank, &place) in chosen.iter().take(full).enumerate() {
        let phrase = phrases[rank % phrases.len()];
        let quoted = quoted(found[place].body);
        added[place] = Some(language.fill(phrase, &quoted, &mut case.random(place + 2)));
    }
    let mut out = String::with_capacity(case.text.len() + 1024);
    for (sentence, phrase) in found.iter().zip(added) {
        let phrase = phrase.unwrap_or_default();
        let (first, second) = if before {
            (&*phrase, sentence.body)
        } else {
            (sentence.body, &*phrase)
        };
        out.push_str(sentence.head);
        out.push_str(first);
        if !first.is_empty() && !second.is_empty() {
            glue(&mut out, second);
        } else {
            out.push_str(second);
        }
        out.push_str(sentence.tail);
    }
    Damage::new(out, dial)
}

/// The phrases called `name` in an order of this case's own; none where there are none.
fn shuffled(case: &Case, name: &str) -> Option<Vec<&'static str>> {
    let mut phrases: Vec<&str> = case
        .language?
        .phrases(name)
        .iter()
        .map(String::as_str)
        .collect();
    case.random(1).shuffle(&mut phrases);
    (!phrases.is_empty()).then_some(phrases)
}

/// The start of a sentence without its final punctuation, to be quoted.
fn quoted(body: &str) -> String {
    let words = words(body);
    let cut = words
        .get(QUOTED)
        .map_or(body, |word| body[..word.start].trim_end());
    let bare =
        cut.trim_end_matches(|c: char| !c.is_alphanumeric() && !mark(c) && !")%".contains(c));
    let bare = bare.trim_start_matches('*').replace(['“', '”', '"'], "");
    if cut.len() < body.len() {
        bare + "…"
    } else {
        bare
    }
}

/// Replaces the end by phrases; where all is replaced, by those called `whole`.
pub fn replace_end(case: &Case, phrases: &str, whole: &str, most: usize) -> Option<Damage> {
    let language = case.language?;
    let found = sentences(case.text);
    let (kept, dial) = kept(found.len(), case.dial)?;
    let phrases = shuffled(case, if kept == 0 { whole } else { phrases })?;
    let count = 1 + case.random(2).below(most.min(phrases.len()));
    let mut out = start(&found[..kept]);
    for (index, phrase) in phrases.iter().take(count).enumerate() {
        glue(
            &mut out,
            &language.fill(phrase, "", &mut case.random(index + 3)),
        );
    }
    Damage::new(out, dial)
}

/// Replaces sentences by phrases; once all phrases are used, sentences are left out.
pub fn fill(case: &Case, phrases: &str) -> Option<Damage> {
    let phrases = shuffled(case, phrases)?;
    let found = sentences(case.text);
    let (chosen, dial) = choose(found.len(), found.len(), case.dial, &mut case.random(0))?;
    let mut replaced: Vec<Option<usize>> = vec![None; found.len()];
    chosen
        .iter()
        .enumerate()
        .for_each(|(rank, &place)| replaced[place] = Some(rank));
    let mut out = String::with_capacity(case.text.len());
    for (sentence, rank) in found.iter().zip(replaced) {
        let body = rank.map_or(sentence.body, |rank| {
            phrases.get(rank).copied().unwrap_or("")
        });
        if !body.is_empty() {
            out.push_str(sentence.head);
            out.push_str(body);
            out.push_str(sentence.tail);
        }
    }
    out.truncate(out.trim_end().len());
    Damage::new(out, dial)
}

#[cfg(test)]
mod tests {
    use super::super::damage::tests::case;
    use super::*;

    const TEXT: &str = "One is here. Two is there.\n1. Three is far.\n2. Four is near.\n";

    #[test]
    fn sentences_are_said_again_and_none_is_lost() {
        let out = repeat(&case(TEXT, "en", 1.0)).unwrap();
        assert_eq!(out.dial, 1.0);
        assert!(
            sentences(TEXT)
                .iter()
                .all(|s| out.text.matches(s.body).count() == 3),
            "{}",
            out.text
        );
    }

    #[test]
    fn order_changes_and_numbers_move_with_their_sentences() {
        let out = sentence_order(&case(TEXT, "en", 1.0)).unwrap().text;
        assert!(out != TEXT && out.contains("1. Three is far.") && out.contains("Two is there."));
        assert!(sentence_order(&case("One. Two. Three.", "en", 1.0)).is_none());
    }

    #[test]
    fn a_cut_leaves_the_beginning() {
        let out = truncate(&case(TEXT, "en", 1.0)).unwrap();
        assert_eq!((out.text.as_str(), out.dial), ("One", 1.0));
        assert!(truncate(&case("Too short to cut.", "en", 1.0)).is_none());
    }

    #[test]
    fn phrases_stand_after_sentences_and_quote_them() {
        let out = insert(
            &case("Water boils at 100 degrees.", "en", 1.0),
            "denials",
            6,
            false,
        )
        .unwrap();
        assert!(
            out.text.starts_with("Water boils at 100 degrees. "),
            "{}",
            out.text
        );
        assert_eq!(
            quoted("**Water** boils, “yes”, at 5%."),
            "Water** boils, yes, at 5%"
        );
        assert_eq!(quoted("இருக்கும்."), "இருக்கும்");
        let long = "word ".repeat(40);
        assert!(quoted(&long).ends_with("word…"));
    }

    #[test]
    fn a_hedge_stands_before_the_sentence_and_after_its_number() {
        let out = insert(&case("1. Three is far.", "en", 1.0), "hedges", 5, true)
            .unwrap()
            .text;
        assert!(
            out.starts_with("1. ") && out.ends_with(": Three is far."),
            "{out}"
        );
    }

    #[test]
    fn at_a_dial_of_one_nothing_of_the_answer_is_left() {
        let out = replace_end(&case(TEXT, "en", 1.0), "stops", "refusals", 1).unwrap();
        assert!(
            !out.text.contains("is") || !out.text.contains("here"),
            "{}",
            out.text
        );
        let half = replace_end(&case(TEXT, "en", 0.5), "stops", "refusals", 1).unwrap();
        assert!(half.text.starts_with("One is here. Two is there.\n") && half.dial == 0.5);
        let filled = fill(&case(TEXT, "ta", 1.0), "fillers").unwrap().text;
        assert!(!filled.contains("is"), "{filled}");
    }

    #[test]
    fn without_templates_nothing_is_put_in() {
        assert!(insert(&case(TEXT, "", 1.0), "insults", 4, false).is_none());
        assert!(fill(&case(TEXT, "", 1.0), "fillers").is_none());
        assert!(repeat(&case(TEXT, "", 1.0)).is_some());
    }
}
