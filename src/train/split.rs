//! Splits that keep a question whole: grouped folds, and a fixed sample for everyday runs.
//!
//! Rows of one prompt, and of prompts that are [twins](super::twins), never part.

use std::collections::{BTreeMap, HashMap};

use super::twins::hash;
use crate::error::{Error, ErrorKind, Result};

/// Which rows belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    /// The group of each row, numbered from 0 in order of appearance.
    pub of: Vec<usize>,
    /// A name of each group that does not depend on the order of the rows: its smallest key.
    names: Vec<String>,
}

impl Groups {
    /// Joins rows of equal `keys` (see [`prompt_key`](super::twins::prompt_key)) and the `twins`,
    /// pairs of row numbers.
    ///
    /// # Errors
    /// `Input` if a twin names a row that is not there.
    pub fn new(keys: &[String], twins: &[(usize, usize)]) -> Result<Self> {
        let n = keys.len();
        if let Some(pair) = twins.iter().find(|(a, b)| *a >= n || *b >= n) {
            return Err(Error::new(
                ErrorKind::Input,
                format!("twins {pair:?} of only {n} rows"),
            ));
        }
        let mut parents: Vec<usize> = (0..n).collect();
        let mut first: HashMap<&str, usize> = HashMap::new();
        for (i, key) in keys.iter().enumerate() {
            join(&mut parents, *first.entry(key).or_insert(i), i);
        }
        twins.iter().for_each(|&(a, b)| join(&mut parents, a, b));
        Ok(Self::from_roots(
            keys,
            &(0..n).map(|i| root(&mut parents, i)).collect::<Vec<_>>(),
        ))
    }

    fn from_roots(keys: &[String], roots: &[usize]) -> Self {
        let mut numbers: HashMap<usize, usize> = HashMap::new();
        let mut names: Vec<String> = Vec::new();
        let mut of = Vec::with_capacity(keys.len());
        for (key, root) in keys.iter().zip(roots) {
            let group = *numbers.entry(*root).or_insert(names.len());
            match names.get_mut(group) {
                None => names.push(key.clone()),
                Some(name) if key < name => name.clone_from(key),
                Some(_) => {}
            }
            of.push(group);
        }
        Self { of, names }
    }

    /// Number of groups.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// The fold (`0..k`) of each row: groups stay whole and every stratum is spread evenly.
    ///
    /// The largest groups go first, each into the fold where its strata (one a row, such as the
    /// file it is from) have the smallest share of their rows so far; `seed` orders equal sizes.
    /// The same rows in another order get the same folds.
    ///
    /// # Errors
    /// `Input` if `k` is below 2 or above the number of groups, or there is not one stratum a row.
    pub fn folds(&self, strata: &[String], k: usize, seed: u64) -> Result<Vec<usize>> {
        self.one_each(strata.len(), "strata")?;
        let groups = self.len();
        if k < 2 || k > groups {
            let message =
                format!("{k} folds of {groups} different prompts; 2 to {groups} are possible");
            return Err(Error::new(ErrorKind::Input, message));
        }
        let counts = self.counts(strata);
        let mut totals: BTreeMap<&str, f64> = BTreeMap::new();
        strata
            .iter()
            .for_each(|s| *totals.entry(s).or_default() += 1.0);
        let mut loads: Vec<BTreeMap<&str, f64>> = vec![BTreeMap::new(); k];
        let mut fold_of = vec![0; groups];
        for group in self.largest_first(&counts, seed) {
            let share = |fold: &BTreeMap<&str, f64>| filled(fold, &counts[group], &totals);
            let order = (0..k).min_by(|&a, &b| {
                share(&loads[a])
                    .total_cmp(&share(&loads[b]))
                    .then(a.cmp(&b))
            });
            fold_of[group] = order.unwrap_or(0);
            counts[group]
                .iter()
                .for_each(|(s, n)| *loads[fold_of[group]].entry(s).or_default() += n);
        }
        Ok(self.of.iter().map(|&group| fold_of[group]).collect())
    }

    /// A fixed sample: numbers of rows, in order, that keep each stratum within its cap and its
    /// scores' distribution about as it was. Strata without a cap are taken whole.
    ///
    /// Of a stratum above its cap the groups are put in order of their mean score there, equal
    /// ones by hash, and groups at even steps are taken, so that every range of scores is thinned
    /// alike; groups are taken whole within the stratum, and where they are so uneven that the cap
    /// is passed, those taken that come last by hash are dropped again.
    ///
    /// # Errors
    /// `Input` if there is not one stratum and one score a row.
    pub fn sample(
        &self,
        strata: &[String],
        scores: &[f32],
        caps: &BTreeMap<String, usize>,
        seed: u64,
    ) -> Result<Vec<usize>> {
        self.one_each(strata.len(), "strata")?;
        self.one_each(scores.len(), "scores")?;
        let mut parts: BTreeMap<&str, BTreeMap<usize, Vec<usize>>> = BTreeMap::new();
        for (row, stratum) in strata.iter().enumerate() {
            parts
                .entry(stratum)
                .or_default()
                .entry(self.of[row])
                .or_default()
                .push(row);
        }
        let mut rows: Vec<usize> = Vec::new();
        for (stratum, groups) in parts {
            let cap = caps.get(stratum).copied().unwrap_or(usize::MAX);
            rows.extend(self.thinned(groups, scores, cap, seed));
        }
        rows.sort_unstable();
        Ok(rows)
    }

    fn thinned(
        &self,
        groups: BTreeMap<usize, Vec<usize>>,
        scores: &[f32],
        cap: usize,
        seed: u64,
    ) -> Vec<usize> {
        let rows: usize = groups.values().map(Vec::len).sum();
        if rows <= cap {
            return groups.into_values().flatten().collect();
        }
        let mean =
            |rows: &[usize]| rows.iter().map(|&i| scores[i]).sum::<f32>() / rows.len() as f32;
        let mut order: Vec<(f32, u64, Vec<usize>)> = groups
            .into_iter()
            .map(|(g, rows)| (mean(&rows), self.hash(g, seed), rows))
            .collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let count = (order.len() as f64 * cap as f64 / rows as f64).round();
        let step = order.len() as f64 / count;
        // The middle of each step stands for the step.
        let mut kept: Vec<_> = (0..count as usize)
            .map(|i| std::mem::take(&mut order[((i as f64 + 0.5) * step) as usize]))
            .collect();
        kept.sort_by_key(|group| group.1);
        let mut room = cap;
        kept.retain(|(_, _, rows)| {
            rows.len() <= room && {
                room -= rows.len();
                true
            }
        });
        kept.into_iter().flat_map(|(_, _, rows)| rows).collect()
    }

    fn one_each(&self, found: usize, what: &str) -> Result<()> {
        let rows = self.of.len();
        if found == rows {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Input,
            format!("{found} {what} for {rows} rows"),
        ))
    }

    fn counts<'a>(&self, strata: &'a [String]) -> Vec<BTreeMap<&'a str, f64>> {
        let mut counts = vec![BTreeMap::new(); self.len()];
        for (group, stratum) in self.of.iter().zip(strata) {
            *counts[*group].entry(stratum.as_str()).or_default() += 1.0;
        }
        counts
    }

    fn largest_first(&self, counts: &[BTreeMap<&str, f64>], seed: u64) -> Vec<usize> {
        let mut order: Vec<(f64, u64, usize)> = counts
            .iter()
            .enumerate()
            .map(|(g, c)| (c.values().sum(), self.hash(g, seed), g))
            .collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        order.into_iter().map(|(_, _, group)| group).collect()
    }

    fn hash(&self, group: usize, seed: u64) -> u64 {
        hash(&format!("{seed} {}", self.names[group]))
    }
}

/// The fold of each row, for rows that are to be grouped by `keys` and `twins`; see
/// [`Groups::folds`].
///
/// # Errors
/// As [`Groups::new`] and [`Groups::folds`].
#[cfg(test)]
pub fn folds(
    keys: &[String],
    twins: &[(usize, usize)],
    strata: &[String],
    k: usize,
    seed: u64,
) -> Result<Vec<usize>> {
    Groups::new(keys, twins)?.folds(strata, k, seed)
}

/// How full a fold already is of a group's strata, weighted by the group's rows in each.
fn filled(
    load: &BTreeMap<&str, f64>,
    group: &BTreeMap<&str, f64>,
    totals: &BTreeMap<&str, f64>,
) -> f64 {
    group
        .iter()
        .map(|(stratum, n)| n * load.get(stratum).unwrap_or(&0.0) / totals[stratum])
        .sum()
}

fn root(parents: &mut [usize], mut i: usize) -> usize {
    while parents[i] != i {
        parents[i] = parents[parents[i]];
        i = parents[i];
    }
    i
}

fn join(parents: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(parents, a), root(parents, b));
    parents[a.max(b)] = a.min(b);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings<T: ToString>(items: impl IntoIterator<Item = T>) -> Vec<String> {
        items.into_iter().map(|x| x.to_string()).collect()
    }

    /// 300 rows: prompt `p0` has 30, the others few; two files.
    fn rows() -> (Vec<String>, Vec<String>) {
        let prompt = |i: usize| if i < 30 { 0 } else { 1 + i * 7 % 83 };
        let keys = strings((0..300).map(|i| format!("p{}", prompt(i))));
        let strata = strings((0..300).map(|i| if prompt(i) % 3 == 0 { "a" } else { "b" }));
        (keys, strata)
    }

    #[test]
    fn equal_keys_and_twins_share_a_group() {
        let keys = strings(["q", "r", "q", "s", "t"]);
        let groups = Groups::new(&keys, &[(3, 4), (4, 1)]).unwrap();
        assert_eq!(
            (groups.of.as_slice(), groups.len()),
            (&[0, 1, 0, 1, 1][..], 2)
        );
        assert!(Groups::new(&keys, &[(0, 5)]).is_err());
    }

    #[test]
    fn no_group_is_split_and_folds_are_even_in_every_stratum() {
        let (keys, strata) = rows();
        let twins = [(40, 41), (41, 200)];
        let folds = folds(&keys, &twins, &strata, 5, 7).unwrap();
        let groups = Groups::new(&keys, &twins).unwrap();
        let mut seen: HashMap<usize, usize> = HashMap::new();
        for (group, fold) in groups.of.iter().zip(&folds) {
            assert_eq!(seen.entry(*group).or_insert(*fold), fold);
        }
        for stratum in ["a", "b"] {
            let rows = |f| {
                (0..300)
                    .filter(|&i| folds[i] == f && strata[i] == stratum)
                    .count()
            };
            let counts: Vec<usize> = (0..5).map(rows).collect();
            let total: usize = counts.iter().sum();
            assert!(
                counts.iter().all(|n| n.abs_diff(total / 5) <= 7),
                "{stratum}: {counts:?}"
            );
        }
    }

    #[test]
    fn folds_hang_on_the_seed_and_not_on_the_order_of_rows() {
        let (keys, strata) = rows();
        let one = folds(&keys, &[], &strata, 4, 1).unwrap();
        assert_eq!(one, folds(&keys, &[], &strata, 4, 1).unwrap());
        assert_ne!(one, folds(&keys, &[], &strata, 4, 2).unwrap());
        let back = |v: &[String]| v.iter().rev().cloned().collect::<Vec<_>>();
        let mut reversed = folds(&back(&keys), &[], &back(&strata), 4, 1).unwrap();
        reversed.reverse();
        assert_eq!(one, reversed);
    }

    #[test]
    fn impossible_folds_are_refused() {
        let keys = strings(["q", "q", "r"]);
        let strata = strings(["a"; 3]);
        let message = folds(&keys, &[], &strata, 3, 0).unwrap_err().to_string();
        assert!(
            message.contains("3 folds of 2 different prompts"),
            "{message}"
        );
        assert!(folds(&keys, &[], &strata, 1, 0).is_err());
        assert!(folds(&keys, &[], &strata[..2], 2, 0).is_err());
    }

    #[test]
    fn a_sample_keeps_caps_groups_and_the_distribution_of_scores() {
        let keys = strings((0..4000).map(|i| i / 2));
        let strata = strings((0..4000).map(|i| if i < 3000 { "big" } else { "small" }));
        let scores: Vec<f32> = (0..4000)
            .map(|i| if i / 2 % 10 == 0 { 0.0 } else { 9.0 })
            .collect();
        let groups = Groups::new(&keys, &[]).unwrap();
        let caps = BTreeMap::from([("big".to_owned(), 300)]);
        let rows = groups.sample(&strata, &scores, &caps, 3).unwrap();
        let big: Vec<usize> = rows.iter().copied().filter(|&i| i < 3000).collect();
        assert_eq!(
            rows.len() - big.len(),
            1000,
            "a stratum without a cap is taken whole"
        );
        assert!((280..=300).contains(&big.len()), "{}", big.len());
        assert!(
            big.chunks(2)
                .all(|pair| pair.len() == 2 && pair[0] / 2 == pair[1] / 2)
        );
        let low = big.iter().filter(|&&i| scores[i] == 0.0).count() as f64 / big.len() as f64;
        assert!((low - 0.1).abs() < 0.02, "{low}");
        assert_eq!(rows, groups.sample(&strata, &scores, &caps, 3).unwrap());
        assert_ne!(rows, groups.sample(&strata, &scores, &caps, 4).unwrap());
    }

    #[test]
    fn a_sample_never_passes_its_cap() {
        let keys = strings((0..500).map(|i| if i < 200 { 0 } else { i }));
        let strata = strings(["a"; 500]);
        let groups = Groups::new(&keys, &[]).unwrap();
        for cap in [0, 1, 7, 100, 250, 499, 500] {
            let caps = BTreeMap::from([("a".to_owned(), cap)]);
            let rows = groups.sample(&strata, &[5.0; 500], &caps, 0).unwrap();
            assert!(rows.len() <= cap, "{} of {cap}", rows.len());
        }
        assert!(
            groups
                .sample(&strata, &[5.0; 2], &BTreeMap::new(), 0)
                .is_err()
        );
    }
}
