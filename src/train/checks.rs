//! What a run should know of its rows before it learns from them.

use std::collections::BTreeMap;

use super::dataset::{Dataset, Origin};
use crate::error::{Error, ErrorKind, Result};

/// Refuses rows that nothing can be learnt from; says on standard error what is odd about others.
///
/// # Errors
/// `Data` when all scores are equal.
pub fn check(data: &Dataset) -> Result<()> {
    let targets: Vec<f32> = data.items.iter().map(|item| item.target).collect();
    if targets.iter().all(|target| *target == targets[0]) {
        let (count, score) = (targets.len(), targets[0]);
        let message = format!(
            "all {count} scores are {score}: there is nothing to learn. Rows of other scores are \
             needed, such as data/authored.jsonl"
        );
        return Err(Error::new(ErrorKind::Data, message));
    }
    remarks(data)
        .iter()
        .for_each(|remark| eprintln!("note: {remark}"));
    Ok(())
}

/// What is odd, one line each.
fn remarks(data: &Dataset) -> Vec<String> {
    let mut remarks = Vec::new();
    let mut rows: BTreeMap<usize, usize> = BTreeMap::new();
    data.items
        .iter()
        .for_each(|item| *rows.entry(item.metric).or_default() += 1);
    let single = rows.values().filter(|count| **count == 1).count();
    if single > 0 {
        remarks.push(format!(
            "{single} of {} metrics have one row only: little can be learnt about them",
            rows.len()
        ));
    }
    let without =
        (0..data.metrics.anchor_names().len()).filter(|metric| !rows.contains_key(metric));
    let without = without.count();
    if without > 0 {
        remarks.push(format!(
            "{without} metrics have no row: their scores will rest on their wording or vector alone"
        ));
    }
    let contradictory = contradictory(data);
    if contradictory > 0 {
        remarks.push(format!(
            "{contradictory} times the same answer has different scores on one metric: the mean is \
             learnt"
        ));
    }
    let judged = data
        .items
        .iter()
        .filter(|item| item.origin == Origin::Judged)
        .count();
    if judged == 0 {
        remarks
            .push("no row was scored by a judge outside the project: nothing is validated".into());
    }
    remarks
}

/// Pairs of text and metric with more than one score.
fn contradictory(data: &Dataset) -> usize {
    let mut scores: BTreeMap<(usize, usize), Vec<f32>> = BTreeMap::new();
    for item in &data.items {
        scores
            .entry((item.text, item.metric))
            .or_default()
            .push(item.target);
    }
    let differ = |scores: &&Vec<f32>| scores.iter().any(|score| *score != scores[0]);
    scores.values().filter(differ).count()
}
