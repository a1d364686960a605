//! Which rows are there already, so that none is kept twice.

use std::collections::{HashMap, HashSet};

use super::language::base;
use super::reply::{Item, Reason};
use crate::cli::rows::Row;
use crate::train::twins::{hash, near, words};

/// Nearly the same answers are two rows only if their scores differ by more than this: then one
/// shows what the other lacks.
const APART: f32 = 1.0;

/// Metric and language.
type Cell = (String, String);

/// An answer that new ones are compared with.
#[derive(Clone)]
struct Known {
    answer: String,
    /// None for an example: no score makes a copy of it a new row.
    score: Option<f32>,
}

impl Known {
    fn new(answer: &str, score: Option<f32>) -> Self {
        let answer = words(answer);
        Self { answer, score }
    }

    fn clashes(&self, score: f32) -> bool {
        self.score.is_none_or(|own| (own - score).abs() <= APART)
    }
}

/// The rows of the output and the examples.
#[derive(Default)]
pub struct Seen {
    exact: HashSet<u64>,
    answers: HashMap<Cell, Vec<Known>>,
}

impl Seen {
    /// Adds rows that are there: `examples`, or rows of the output.
    pub fn extend(&mut self, rows: &[Row], examples: bool) {
        for row in rows {
            self.exact
                .insert(identity(&row.metric, &row.user, &row.response));
            let cell = cell(&row.metric, row.language.as_deref().unwrap_or_default());
            let score = row.score.filter(|_| !examples);
            let known = Known::new(&row.response, score);
            self.answers.entry(cell).or_default().push(known);
        }
    }

    /// Whether this very row is there.
    pub fn has(&self, metric: &str, item: &Item) -> bool {
        self.exact
            .contains(&identity(metric, &item.user, &item.response))
    }

    /// Takes the items that are new and refuses the others: the same prompt and answer as a row
    /// that is there, or an answer nearly the same as one of its metric and language, or as one of
    /// `shots`, the examples the model was shown.
    pub fn admit(
        &mut self,
        metric: &str,
        language: &str,
        shots: &[String],
        items: Vec<Item>,
    ) -> Vec<Result<Item, Reason>> {
        let known = self.answers.entry(cell(metric, language)).or_default();
        let copied = shots.iter().map(|shot| Known::new(shot, None));
        let mut pool: Vec<Known> = copied.chain(known.iter().cloned()).collect();
        let old = pool.len();
        let new = items.iter();
        pool.extend(new.map(|item| Known::new(&item.response, Some(item.score))));
        let twins = twins(&pool);
        let mut kept = vec![true; pool.len()];
        let mut admitted = Vec::with_capacity(items.len());
        for (index, item) in (old..).zip(items) {
            let clash = |other: &usize| kept[*other] && pool[*other].clashes(item.score);
            let identity = identity(metric, &item.user, &item.response);
            let same = !self.exact.insert(identity);
            let near = twins.get(&index).into_iter().flatten().any(clash);
            kept[index] = !same && !near;
            admitted.push(match (same, near) {
                (true, _) => Err("the same as another row"),
                (_, true) => Err("nearly the same as another row"),
                _ => Ok(item),
            });
        }
        let new = pool.into_iter().zip(kept).skip(old);
        known.extend(new.filter(|(_, kept)| *kept).map(|(known, _)| known));
        admitted
    }
}

/// The earlier answers that each answer equals or nearly equals.
fn twins(pool: &[Known]) -> HashMap<usize, Vec<usize>> {
    let answers: Vec<String> = pool.iter().map(|known| known.answer.clone()).collect();
    let mut same: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, answer) in answers.iter().enumerate() {
        same.entry(answer).or_default().push(index);
    }
    let mut twins: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut pair = |a: usize, b: usize| twins.entry(a.max(b)).or_default().push(a.min(b));
    for group in same.values() {
        (1..group.len()).for_each(|i| group[..i].iter().for_each(|a| pair(*a, group[i])));
    }
    // Of equal answers `near` pairs the first only.
    for (a, b) in near(&answers) {
        for a in &same[answers[a].as_str()] {
            same[answers[b].as_str()].iter().for_each(|b| pair(*a, *b));
        }
    }
    twins
}

fn cell(metric: &str, language: &str) -> Cell {
    (metric.to_owned(), base(language))
}

fn identity(metric: &str, user: &str, response: &str) -> u64 {
    hash(&[metric, &words(user), &words(response)].join("\0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "You can return the kettle within thirty days with the receipt";

    fn item(user: &str, response: &str, score: f32) -> Item {
        Item {
            system: None,
            user: user.into(),
            response: response.into(),
            score,
            reason: "r".into(),
        }
    }

    fn admit(seen: &mut Seen, shots: &[String], items: &[Item]) -> Vec<Option<Reason>> {
        let admitted = seen.admit("m", "en", shots, items.to_vec());
        admitted.into_iter().map(Result::err).collect()
    }

    #[test]
    fn the_same_row_is_kept_once_whatever_its_spacing_and_score() {
        let mut seen = Seen::default();
        let items = [
            item("Hi", "Yes  indeed", 5.0),
            item("hi ", "yes indeed", 10.0),
        ];
        assert_eq!(
            admit(&mut seen, &[], &items),
            [None, Some("the same as another row")]
        );
        assert!(seen.has("m", &items[1]) && !seen.has("n", &items[1]));
    }

    #[test]
    fn near_copies_are_kept_only_with_other_scores() {
        let mut seen = Seen::default();
        let near = Some("nearly the same as another row");
        let first = item("a", &format!("{LONG}."), 8.0);
        assert_eq!(admit(&mut seen, &[], &[first]), [None]);
        let items = [
            item("b", &format!("{LONG}, sir."), 8.5),
            item("c", &format!("{LONG}, dear."), 2.0),
            item("d", &format!("{LONG}!"), 2.0),
        ];
        assert_eq!(admit(&mut seen, &[], &items), [near, None, near]);
        let other = item(
            "e",
            "Bring it to the counter by the door, please, any day",
            8.0,
        );
        assert_eq!(admit(&mut seen, &[], &[other]), [None]);
    }

    #[test]
    fn copies_of_examples_are_refused_at_any_score() {
        let mut seen = Seen::default();
        let shots = [LONG.to_owned()];
        let near = Some("nearly the same as another row");
        let items = [
            item("a", LONG, 0.0),
            item("b", &format!("{LONG}, ok"), 10.0),
        ];
        assert_eq!(admit(&mut seen, &shots, &items), [near, near]);
        assert_eq!(admit(&mut seen, &[], &[item("c", LONG, 0.0)]), [None]);
    }

    #[test]
    fn rows_read_from_files_count() {
        let text = format!(
            r#"{{"metric": "m", "user": "a", "response": "{LONG}", "score": 8, "language": "en-IN"}}"#
        );
        let path = std::path::Path::new("r.jsonl");
        let options = crate::cli::rows::Options::JUDGED;
        let rows = crate::cli::rows::parse(text.into_bytes(), path, &options).unwrap();
        let near = Some("nearly the same as another row");
        let items = [item("b", LONG, 2.0)];
        let (mut examples, mut output) = (Seen::default(), Seen::default());
        examples.extend(&rows.rows, true);
        output.extend(&rows.rows, false);
        assert_eq!(admit(&mut examples, &[], &items), [near]);
        assert_eq!(admit(&mut output, &[], &items), [None]);
    }
}
