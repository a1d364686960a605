//! Which prompts ask the same question, so that no fold is tested on what another was taught.
//!
//! Three kinds, none of which needs a list: the same words once a dialogue is unwrapped
//! ([`prompt_key`]), nearly the same words ([`near`]), and translations ([`translated`]). A pair
//! joined by mistake only moves rows to one fold together; a pair missed leaks.

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};

/// Characters in a shingle. Twelve letters or digits in a row are a word or two.
const SHINGLE: usize = 12;
/// A shingle that more prompts than this share is a phrase of the trade, not of the question.
const COMMON: usize = 20;
/// Share of the smaller prompt's uncommon shingles that near twins have in common. At 0.6 the
/// pairs found in public judged data are re-spellings, extensions and filled-in templates.
const NEAR: f64 = 0.6;
/// Fewer shared shingles than this prove nothing.
const FEW: usize = 8;
/// A first question shorter than this ("Hello!") does not name a dialogue.
const SHORT: usize = 16;

/// The centred cosine from which [`translated`] pairs are twins, for multilingual-e5-small with
/// the prefix `query: `. Measured on MT-bench questions in English (among 600 other prompts) and
/// their Japanese adaptations (51, among 124 others): 37 of 51 were found before the first wrong
/// pair, at 0.437; at 0.40 it was 38 and four wrong ones, at 0.35 it was 43 and ten wrong ones.
/// With whole dialogues embedded in place of their questions, 36 and four at 0.40.
pub const TWIN_COSINE: f32 = 0.40;

/// What a prompt asks first: of a dialogue written as `User: ... Assistant: ...` the first
/// question only, since the earlier answers in it differ from row to row; else the whole prompt.
/// This, not the dialogue, is what to embed for [`translated`].
pub fn question(prompt: &str) -> String {
    match first_question(prompt).map(|text| text.trim().to_owned()) {
        Some(question) if question.chars().count() >= SHORT => question,
        _ => prompt.to_owned(),
    }
}

/// The [`question`] of a prompt as a grouping key: lower case, single spaces.
pub fn prompt_key(prompt: &str) -> String {
    words(&question(prompt))
}

/// A text in lower case with single spaces.
pub(super) fn words(text: &str) -> String {
    text.to_lowercase()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// The lines from the first `User:` to the next speaker, if an assistant speaks in the text.
fn first_question(prompt: &str) -> Option<String> {
    let answered = prompt
        .lines()
        .any(|line| spoken(line, &["assistant:"]).is_some());
    let mut lines = prompt
        .lines()
        .skip_while(|line| spoken(line, USERS).is_none())
        .filter(|_| answered);
    let first = spoken(lines.next()?, USERS)?.to_owned();
    let more = lines.take_while(|line| {
        spoken(line, USERS).is_none() && spoken(line, &["assistant:"]).is_none()
    });
    Some(more.fold(first, |text, line| text + "\n" + line))
}

const USERS: &[&str] = &["user:", "human:"];

/// What follows one of the `speakers` at the start of a line.
fn spoken<'a>(line: &'a str, speakers: &[&str]) -> Option<&'a str> {
    let line = line.trim_start();
    let starts = |s: &&&str| {
        line.get(..s.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(s))
    };
    speakers.iter().find(starts).map(|s| &line[s.len()..])
}

/// Pairs of `keys` that say nearly the same: they share 60 % of the smaller one's uncommon
/// 12-character shingles. Equal keys are not paired. The order is fixed.
pub fn near(keys: &[String]) -> Vec<(usize, usize)> {
    let first: BTreeMap<&str, usize> = keys
        .iter()
        .enumerate()
        .rev()
        .map(|(i, k)| (k.as_str(), i))
        .collect();
    let owners: Vec<(usize, Vec<u64>)> = first.iter().map(|(key, &i)| (i, shingles(key))).collect();
    let mut holders: HashMap<u64, Vec<usize>> = HashMap::new();
    for (owner, (_, shingles)) in owners.iter().enumerate() {
        shingles
            .iter()
            .for_each(|s| holders.entry(*s).or_default().push(owner));
    }
    holders.retain(|_, owners| owners.len() <= COMMON);
    let uncommon = |owner: usize| {
        owners[owner]
            .1
            .iter()
            .filter(|s| holders.contains_key(s))
            .count()
    };
    let twins = shared(&holders)
        .into_iter()
        .filter(|&((a, b), n)| n >= FEW && n as f64 >= NEAR * uncommon(a).min(uncommon(b)) as f64);
    let mut pairs: Vec<_> = twins
        .map(|((a, b), _)| (owners[a].0, owners[b].0))
        .collect();
    pairs.sort_unstable();
    pairs
}

/// How many shingles each pair of owners shares.
fn shared(holders: &HashMap<u64, Vec<usize>>) -> HashMap<(usize, usize), usize> {
    let mut counts = HashMap::new();
    for owners in holders.values() {
        for (i, &a) in owners.iter().enumerate() {
            owners[i + 1..]
                .iter()
                .for_each(|&b| *counts.entry((a, b)).or_default() += 1);
        }
    }
    counts
}

/// The distinct shingles of a text's letters and digits, hashed.
fn shingles(text: &str) -> Vec<u64> {
    let letters: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).collect();
    let mut hashes: Vec<u64> = letters
        .windows(SHINGLE)
        .map(|w| hash(&w.iter().collect::<String>()))
        .collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// The first 64 bits of SHA-256: the same on every machine, which std's hasher does not promise.
pub(super) fn hash(text: &str) -> u64 {
    let digest = Sha256::digest(text.as_bytes());
    digest
        .iter()
        .take(8)
        .fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

/// Pairs of texts in different languages that translate each other: each is the other's nearest
/// in its language, by the cosine of `vectors` (`[n, width]`, one row a text, rows of the same
/// text may repeat) after each language's own mean is taken off, and that cosine is at least
/// `cosine`. Taking the mean off matters: raw cosines put unrelated questions above true twins.
///
/// Costs `width` multiplications a pair of texts in different languages. A language with fewer
/// than three texts has no mean worth taking off and is left out.
///
/// # Errors
/// `Shape` if `vectors` is not one row of `width` a language; `Data` if a value is not finite.
pub fn translated(
    vectors: &[f32],
    width: usize,
    languages: &[String],
    cosine: f32,
) -> Result<Vec<(usize, usize)>> {
    let sides = sides(vectors, width, languages)?;
    let mut pairs = Vec::new();
    for (i, a) in sides.iter().enumerate() {
        for b in &sides[i + 1..] {
            pairs.extend(mutual(a, b, width, cosine));
        }
    }
    pairs.sort_unstable();
    Ok(pairs)
}

/// The texts of one language: their numbers and their centred unit vectors.
struct Side {
    rows: Vec<usize>,
    vectors: Vec<f32>,
}

fn sides(vectors: &[f32], width: usize, languages: &[String]) -> Result<Vec<Side>> {
    let (found, expected) = (vectors.len(), width * languages.len());
    if width == 0 || found != expected {
        return Err(Error::new(
            ErrorKind::Shape,
            format!("{found} values, expected {expected} ({width} a text)"),
        ));
    }
    if let Some(i) = vectors.iter().position(|x| !x.is_finite()) {
        return Err(Error::new(
            ErrorKind::Data,
            format!("the vector of text {} is not finite", i / width + 1),
        ));
    }
    let mut by_language: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, language) in languages.iter().enumerate() {
        by_language.entry(language).or_default().push(i);
    }
    Ok(by_language
        .into_values()
        .filter(|rows| rows.len() > 2)
        .map(|rows| centred(vectors, width, rows))
        .collect())
}

fn centred(vectors: &[f32], width: usize, rows: Vec<usize>) -> Side {
    let row = |i: usize| &vectors[i * width..(i + 1) * width];
    let mut mean = vec![0.0f32; width];
    for &i in &rows {
        mean.iter_mut()
            .zip(row(i))
            .for_each(|(m, x)| *m += x / rows.len() as f32);
    }
    let mut out = Vec::with_capacity(rows.len() * width);
    for &i in &rows {
        let moved: Vec<f32> = row(i).iter().zip(&mean).map(|(x, m)| x - m).collect();
        let norm = dot(&moved, &moved).sqrt().max(f32::MIN_POSITIVE);
        out.extend(moved.iter().map(|x| x / norm));
    }
    Side { rows, vectors: out }
}

fn mutual(a: &Side, b: &Side, width: usize, cosine: f32) -> Vec<(usize, usize)> {
    let mut best_of_a = vec![(f32::MIN, 0); a.rows.len()];
    let mut best_of_b = vec![(f32::MIN, 0); b.rows.len()];
    for (i, x) in a.vectors.chunks_exact(width).enumerate() {
        for (j, y) in b.vectors.chunks_exact(width).enumerate() {
            let similarity = dot(x, y);
            if similarity > best_of_a[i].0 {
                best_of_a[i] = (similarity, j);
            }
            if similarity > best_of_b[j].0 {
                best_of_b[j] = (similarity, i);
            }
        }
    }
    let twins = best_of_a
        .iter()
        .enumerate()
        .filter(|(i, (s, j))| *s >= cosine && best_of_b[*j].1 == *i);
    twins
        .map(|(i, (_, j))| (a.rows[i].min(b.rows[*j]), a.rows[i].max(b.rows[*j])))
        .collect()
}

/// Eight running sums, so that the compiler may use vector registers.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    let (x, y) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = x
        .remainder()
        .iter()
        .zip(y.remainder())
        .map(|(p, q)| p * q)
        .sum();
    for (p, q) in x.zip(y) {
        for lane in 0..8 {
            sums[lane] += p[lane] * q[lane];
        }
    }
    rest + sums.iter().sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialogue(answer: &str) -> String {
        format!(
            "Here is a dialogue.\nUser: Compare two  popular\nsmartphones.\n\nAssistant: {answer}\n\nUser: Shorter.\n\nAssistant:"
        )
    }

    #[test]
    fn a_dialogue_is_known_by_its_first_question() {
        let key = prompt_key(&dialogue("Sure."));
        assert_eq!(key, "compare two popular smartphones.");
        assert_eq!(
            question(&dialogue("Sure.")),
            "Compare two  popular\nsmartphones."
        );
        assert_eq!(
            key,
            prompt_key(&dialogue("Here is another answer.\nOf two lines."))
        );
        assert_eq!(key, prompt_key("  Compare two popular\tSMARTPHONES. "));
    }

    #[test]
    fn what_is_no_dialogue_keeps_all_its_words() {
        assert_eq!(
            prompt_key("User: what is a user: field?"),
            "user: what is a user: field?"
        );
        let greeting = "User: Hi\nAssistant: Hello\nUser: Explain tides";
        assert_eq!(
            prompt_key(greeting),
            "user: hi assistant: hello user: explain tides"
        );
        assert_eq!(prompt_key("नमस्ते  दुनिया"), "नमस्ते दुनिया");
    }

    #[test]
    fn near_twins_share_their_uncommon_words() {
        let keys = [
            "please plan a three day school trip to the mountains of nepal",
            "please plan a three day school trip to the mountains of nepal, with a budget",
            "what is the boiling point of water at the top of mount everest",
            "please plan a three day school trip to the mountains of nepal",
        ];
        assert_eq!(near(&keys.map(str::to_owned)), [(0, 1)]);
    }

    #[test]
    fn a_common_instruction_makes_no_twins() {
        let topics = [
            "pigs", "tea", "Rome", "chess", "glass", "wolves", "paper", "salt",
        ];
        let more = |i: usize| {
            format!(
                "translate the following text into english: {} {}",
                topics[i % 8],
                hash(&i.to_string())
            )
        };
        let keys: Vec<String> = (0..COMMON + 1).map(more).collect();
        assert_eq!(near(&keys), []);
    }

    #[test]
    fn translations_are_each_others_nearest_once_centred() {
        // The first component only tells the language and would drown the meaning in the rest.
        let vectors = [
            9.0, 1.0, 0.0, 0.0, 9.0, 0.0, 1.0, 0.0, 9.0, 0.0, 0.0, 1.0, 9.0, -1.0, -1.0,
            -1.0, //
            -9.0, 0.0, 1.1, 0.0, -9.0, 0.9, 0.0, 0.1, -9.0, -1.0, -1.0, -1.2, //
            5.0, 5.0, 5.0, 5.0,
        ];
        let languages = ["en", "en", "en", "en", "ja", "ja", "ja", "xx"].map(str::to_owned);
        // The third text has no translation, and the last stands alone in its language.
        assert_eq!(
            translated(&vectors, 4, &languages, 0.6).unwrap(),
            [(0, 5), (1, 4), (3, 6)]
        );
        assert_eq!(translated(&vectors, 4, &languages, 1.1).unwrap(), []);
    }

    #[test]
    fn vectors_that_do_not_fit_are_refused() {
        let languages = ["en", "ja"].map(str::to_owned);
        assert_eq!(
            translated(&[0.0; 7], 4, &languages, 0.5)
                .unwrap_err()
                .kind(),
            ErrorKind::Shape
        );
        let error = translated(&[0.0, 0.0, f32::NAN, 0.0], 2, &languages, 0.5).unwrap_err();
        assert!(error.to_string().contains("text 2"));
    }

    #[test]
    fn the_dot_product_covers_the_rest() {
        let x: Vec<f32> = (0..11).map(|i| i as f32).collect();
        assert_eq!(dot(&x, &x), 385.0);
    }
}
