//! What a report counts in judged rows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::cli::rows::Row;

/// A judged row and the name of its file.
#[derive(Clone, Copy)]
pub struct Judged<'a> {
    /// The file, without folder and extension.
    pub file: &'a str,
    /// The row.
    pub row: &'a Row,
    /// The judge's score, 0 to 10.
    pub score: f32,
}

/// How a set of scores is spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Number of scores, at least 1.
    pub count: usize,
    /// Their mean, 0 to 10.
    pub mean: f32,
    /// Their standard deviation (of these rows, not an estimate beyond them).
    pub sd: f32,
    /// The commonest score, to two decimals; the lowest of equals.
    pub commonest: f32,
    /// Share of the rows that have it, 0 to 1.
    pub share: f32,
    /// The scores from here to one point above are the most that any such span holds.
    pub span: f32,
    /// Share of the rows in that span.
    pub span_share: f32,
}

impl Spread {
    /// The spread of `scores`; none where there are none.
    pub fn of(scores: impl IntoIterator<Item = f32>) -> Option<Self> {
        let mut scores: Vec<f32> = scores.into_iter().collect();
        scores.sort_by(f32::total_cmp);
        let count = scores.len();
        let n = count as f64;
        let mean = scores.iter().map(|s| f64::from(*s)).sum::<f64>() / n;
        let square = |score: &f32| (f64::from(*score) - mean).powi(2);
        let sd = (scores.iter().map(square).sum::<f64>() / n).sqrt();
        let (commonest, equal) = fullest(&scores, 0.005)?;
        let (span, within) = fullest(&scores, 1.0)?;
        Some(Self {
            count,
            mean: mean as f32,
            sd: sd as f32,
            commonest: (commonest * 100.0).round() / 100.0,
            share: equal as f32 / count as f32,
            span,
            span_share: within as f32 / count as f32,
        })
    }

    /// Whether all scores are the same.
    pub fn equal(&self) -> bool {
        self.share == 1.0
    }

    /// Whether the scores are so alike that little can be learnt from them: over four fifths within
    /// one point, or a standard deviation below 1.
    pub fn lopsided(&self) -> bool {
        self.span_share > 0.8 || self.sd < 1.0
    }
}

/// The lowest start of the span of `width` that holds the most of the sorted scores, and how many.
fn fullest(sorted: &[f32], width: f32) -> Option<(f32, usize)> {
    let held = |start: usize| sorted.partition_point(|s| *s <= sorted[start] + width) - start;
    let spans = (0..sorted.len()).map(|start| (sorted[start], held(start)));
    spans.reduce(|best, next| if next.1 > best.1 { next } else { best })
}

/// The spread of the scores of each value of `key`, the largest first.
pub fn spreads<'a>(
    rows: &[Judged<'a>],
    key: impl Fn(&Judged<'a>) -> &'a str,
) -> Vec<(&'a str, Spread)> {
    let mut scores: BTreeMap<&str, Vec<f32>> = BTreeMap::new();
    for row in rows {
        scores.entry(key(row)).or_default().push(row.score);
    }
    let mut spreads: Vec<(&str, Spread)> = scores
        .into_iter()
        .filter_map(|(name, scores)| Some((name, Spread::of(scores)?)))
        .collect();
    // The sort is stable: equals stay in the order of their names.
    spreads.sort_by_key(|(_, spread)| std::cmp::Reverse(spread.count));
    spreads
}

/// Number of the metric of each row, for balancing within metrics.
pub fn groups(rows: &[Judged<'_>]) -> Vec<usize> {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    rows.iter()
        .map(|row| {
            let next = numbers.len();
            *numbers.entry(row.row.metric.as_str()).or_insert(next)
        })
        .collect()
}

/// Rows with the same metric, definition, prompts and answer, as sets of two and more row indices
/// in order of appearance.
pub fn duplicates(rows: &[Judged<'_>]) -> Vec<Vec<usize>> {
    let mut sets: HashMap<_, Vec<usize>> = HashMap::new();
    for (index, Judged { row, .. }) in rows.iter().enumerate() {
        let task = (
            &row.metric,
            &row.definition,
            &row.system,
            &row.user,
            &row.response,
        );
        sets.entry(task).or_default().push(index);
    }
    let mut sets: Vec<Vec<usize>> = sets.into_values().filter(|set| set.len() > 1).collect();
    sets.sort();
    sets
}

/// Whether the rows of a set have different scores.
pub fn conflicting(rows: &[Judged<'_>], set: &[usize]) -> bool {
    set.iter()
        .any(|&index| rows[index].score != rows[set[0]].score)
}

/// Names of metrics that are not in the catalogue and come without a definition: training refuses
/// their rows.
pub fn undefined<'a>(rows: &[Judged<'a>]) -> BTreeSet<&'a str> {
    rows.iter()
        .map(|judged| judged.row)
        .filter(|row| {
            crate::metric::find(&row.metric).is_none()
                && row
                    .definition
                    .as_deref()
                    .is_none_or(|d| d.trim().is_empty())
        })
        .map(|row| row.metric.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::cli::rows::{Options, Rows, parse};

    fn read(text: &str) -> Rows {
        let text = format!("metric,prompt,answer,score\n{text}");
        parse(text.into_bytes(), Path::new("a.csv"), &Options::JUDGED).unwrap()
    }

    fn judged(rows: &Rows) -> Vec<Judged<'_>> {
        let judged = |row| Judged {
            file: "a",
            row,
            score: row.score.unwrap(),
        };
        rows.rows.iter().map(judged).collect()
    }

    #[test]
    fn the_spread_has_mean_deviation_and_commonest_score() {
        let spread = Spread::of([2.0, 4.0, 9.0, 9.0]).unwrap();
        assert_eq!((spread.count, spread.mean, spread.commonest), (4, 6.0, 9.0));
        assert!((spread.sd - 9.5f32.sqrt()).abs() < 1e-6, "{}", spread.sd);
        assert_eq!((spread.share, spread.span_share), (0.5, 0.5));
        assert!(!spread.lopsided() && !spread.equal());
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn lopsided_is_over_four_fifths_in_a_point_or_a_small_deviation() {
        let scores =
            |high: usize| (0..100).map(move |i| if i < high { 9.0 + (i % 2) as f32 } else { 0.0 });
        let spread = Spread::of(scores(81)).unwrap();
        assert_eq!((spread.span, spread.span_share), (9.0, 0.81));
        assert!(spread.lopsided() && !Spread::of(scores(80)).unwrap().lopsided());
        let even = Spread::of((0..100).map(|i| 5.0 + (i % 30) as f32 / 10.0)).unwrap();
        assert!(even.span_share < 0.5 && even.lopsided());
        assert!(Spread::of([7.5; 3]).unwrap().equal());
    }

    #[test]
    fn the_largest_set_comes_first() {
        let rows = read("b,u,r,1\na,u,r,2\nc,v,r,3\nc,u,r,4\n");
        let rows = judged(&rows);
        let names: Vec<&str> = spreads(&rows, |row| &row.row.metric)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["c", "a", "b"]);
        assert_eq!(groups(&rows), [0, 1, 2, 2]);
    }

    #[test]
    fn duplicates_agree_or_conflict() {
        let rows = read("m,u,r,1\nm,u,s,1\nm,u,r,7\nm,u,s,1\nn,u,r,1\n");
        let rows = judged(&rows);
        let sets = duplicates(&rows);
        assert_eq!(sets, [[0, 2], [1, 3]]);
        assert!(conflicting(&rows, &sets[0]) && !conflicting(&rows, &sets[1]));
    }

    #[test]
    fn a_metric_without_catalogue_entry_and_definition_is_told() {
        let rows = read("fairness,u,r,1\nnosuch,u,r,1\n");
        assert_eq!(
            undefined(&judged(&rows)).into_iter().collect::<Vec<_>>(),
            ["nosuch"]
        );
    }
}
