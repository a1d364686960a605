//! What can be counted in a task's texts without a model: lengths, repetition, scripts, overlap.
//!
//! An embedding is nearly blind to these, and judges are not. Every feature is a share or a
//! logarithm, defined for any script, and zero where there is nothing to count.

use std::collections::{HashMap, HashSet};

use unicode_script::{Script, UnicodeScript};
use unicode_segmentation::UnicodeSegmentation;

use crate::text::Task;

/// Number of surface features of a task.
pub const SURFACE: usize = 24;

/// Words of a text that are looked at; a longer text is long, and its start says the rest.
const WORDS: usize = 2000;

/// The surface features of `task`, `[SURFACE]`.
pub fn surface(task: &Task) -> [f32; SURFACE] {
    let answer = Counts::of(&task.response);
    let prompt = Counts::of(&task.user);
    let system = task.system.as_deref().unwrap_or_default();
    let ratio = ln(answer.characters) - ln(prompt.characters);
    [
        ln(answer.characters),
        ln(prompt.characters),
        ln(system.chars().count()),
        ratio.clamp(-5.0, 5.0),
        answer.same_script(&prompt),
        answer.script_share(Script::Latin),
        prompt.script_share(Script::Latin),
        share(answer.distinct_words(), answer.words.len()),
        answer.distinct_words() as f32 / (answer.words.len() as f32).sqrt().max(1.0) / 10.0,
        answer.repeated_pairs(),
        ln(answer.words.len()) - ln(answer.sentences),
        ln(answer.sentences),
        share(answer.digits, answer.characters),
        share(answer.punctuation, answer.characters),
        share(answer.questions, answer.sentences),
        share(answer.exclamations, answer.sentences),
        share(answer.capitals, answer.letters),
        share(answer.lines, answer.sentences),
        f32::from(u8::from(answer.ends_whole)),
        answer.shared_words(&prompt),
        prompt.shared_words(&answer),
        answer.shared_numbers(&prompt),
        f32::from(u8::from(!answer.numbers.is_empty())),
        answer.mean_word_length(),
    ]
}

/// What one text holds.
struct Counts<'a> {
    characters: usize,
    letters: usize,
    capitals: usize,
    digits: usize,
    punctuation: usize,
    questions: usize,
    exclamations: usize,
    /// Sentences ended by a mark or a line break, at least 1 where there is a word.
    sentences: usize,
    lines: usize,
    ends_whole: bool,
    scripts: HashMap<Script, usize>,
    words: Vec<&'a str>,
    numbers: HashSet<&'a str>,
}

impl<'a> Counts<'a> {
    fn of(text: &'a str) -> Self {
        let words: Vec<&str> = text.unicode_words().take(WORDS).collect();
        let has_digit = |word: &&&str| word.chars().any(char::is_numeric);
        let numbers = words.iter().filter(has_digit).copied().collect();
        let ends = |letter: char| is_end(letter) || matches!(letter, ')' | '"' | '”' | '`' | '*');
        let mut counts = Self {
            characters: 0,
            letters: 0,
            capitals: 0,
            digits: 0,
            punctuation: 0,
            questions: 0,
            exclamations: 0,
            sentences: 0,
            lines: 0,
            ends_whole: text.trim_end().ends_with(ends),
            scripts: HashMap::new(),
            words,
            numbers,
        };
        let mut open = false;
        text.chars()
            .for_each(|letter| counts.add(letter, &mut open));
        counts.sentences += usize::from(open);
        counts
    }

    /// Counts one character; `open` tells whether a sentence has begun.
    fn add(&mut self, letter: char, open: &mut bool) {
        self.characters += 1;
        self.digits += usize::from(letter.is_numeric());
        self.questions += usize::from(matches!(letter, '?' | '？' | '؟'));
        self.exclamations += usize::from(matches!(letter, '!' | '！'));
        self.lines += usize::from(letter == '\n');
        if letter.is_alphabetic() {
            self.letters += 1;
            self.capitals += usize::from(letter.is_uppercase());
            *self.scripts.entry(letter.script()).or_default() += 1;
        }
        let blank = letter.is_alphanumeric() || letter.is_whitespace();
        // Vowel signs and other marks are parts of letters.
        self.punctuation += usize::from(!blank && letter.script() == Script::Common);
        if *open && (is_end(letter) || letter == '\n') {
            self.sentences += 1;
            *open = false;
        }
        *open |= letter.is_alphanumeric();
    }

    fn distinct_words(&self) -> usize {
        self.words.iter().collect::<HashSet<_>>().len()
    }

    /// Share of neighbouring word pairs that stood there before.
    fn repeated_pairs(&self) -> f32 {
        let pairs: Vec<&[&str]> = self.words.windows(2).collect();
        let distinct = pairs.iter().collect::<HashSet<_>>().len();
        share(pairs.len() - distinct, pairs.len())
    }

    fn script_share(&self, script: Script) -> f32 {
        let count = self.scripts.get(&script).copied().unwrap_or_default();
        share(count, self.letters)
    }

    /// Share of the letters that are of the other text's commonest script.
    fn same_script(&self, other: &Self) -> f32 {
        let most = other.scripts.iter();
        let most = most.max_by_key(|(script, count)| (**count, script.full_name()));
        most.map_or(0.0, |(script, _)| self.script_share(*script))
    }

    /// Share of the words that the other text has too.
    fn shared_words(&self, other: &Self) -> f32 {
        let known: HashSet<&&str> = other.words.iter().collect();
        let shared = self.words.iter().filter(|word| known.contains(word));
        share(shared.count(), self.words.len())
    }

    /// Share of the numbers that the other text has too.
    fn shared_numbers(&self, other: &Self) -> f32 {
        let shared = self.numbers.intersection(&other.numbers).count();
        share(shared, self.numbers.len())
    }

    /// Characters a word, in tens.
    fn mean_word_length(&self) -> f32 {
        let letters: usize = self.words.iter().map(|word| word.chars().count()).sum();
        share(letters, self.words.len()) / 10.0
    }
}

/// Whether a character ends a sentence, in Latin, Indic, CJK or Arabic script.
fn is_end(letter: char) -> bool {
    matches!(
        letter,
        '.' | '!' | '?' | '।' | '॥' | '。' | '！' | '？' | '؟' | '۔' | '…'
    )
}

fn ln(count: usize) -> f32 {
    (1.0 + count as f32).ln()
}

fn share(part: usize, whole: usize) -> f32 {
    part as f32 / whole.max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(user: &str, response: &str) -> [f32; SURFACE] {
        surface(&Task {
            user: user.into(),
            response: response.into(),
            ..Task::default()
        })
    }

    #[test]
    fn every_feature_is_finite_and_small_for_any_text() {
        let long = "na ".repeat(300_000);
        for text in ["", " ", "\u{301}", "?", "नमस्ते। आप कैसे हैं?", "今日は。", &long]
        {
            for feature in of(text, text) {
                assert!(
                    feature.is_finite() && feature.abs() < 20.0,
                    "{feature} of {text:.9}"
                );
            }
        }
    }

    #[test]
    fn repetition_script_and_overlap_are_seen() {
        let (plain, repeated) = (
            of("why", "one two three four"),
            of("why", "one two one two"),
        );
        assert_eq!((plain[9], repeated[9]), (0.0, 1.0 / 3.0));
        assert!(plain[7] > repeated[7]);
        assert_eq!(of("नमस्ते", "नमस्ते जी")[4], 1.0);
        assert_eq!(of("नमस्ते", "hello")[4], 0.0);
        assert_eq!(of("boil 3 eggs", "boil 3 or 4")[19], 0.5);
        assert_eq!(of("boil 3 eggs", "boil 3 or 4")[21], 0.5);
    }

    #[test]
    fn sentences_end_at_marks_of_any_script() {
        let features = of("", "एक। दो। तीन।");
        assert_eq!(features[11], (4.0_f32).ln());
        assert_eq!(features[18], 1.0);
        assert_eq!(of("", "cut off in the")[18], 0.0);
    }
}
