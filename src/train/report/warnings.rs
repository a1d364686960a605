//! Boxes about what makes rows hard to learn from.

use super::html::{count, list, names_list, number, percent};
use super::survey::{self, Judged, Spread};
use crate::train::balance::{BalanceArgs, LossWeights, Resample};
use crate::train::chart::escape;

/// The box about scores that are too alike, over all rows and in single files.
pub fn warning(rows: &[Judged<'_>], whole: &Spread, balance: &BalanceArgs) -> String {
    let files = survey::spreads(rows, |row| row.file);
    let several = files.len() > 1;
    let all = [("All rows", *whole)];
    let sets = all.iter().chain(files.iter().filter(|_| several));
    let alike: Vec<&(&str, Spread)> = sets.filter(|(_, spread)| spread.lopsided()).collect();
    let Some((_, first)) = alike.first() else {
        return String::new();
    };
    let items = list(alike.iter().map(|(name, spread)| finding(name, spread)));
    let advice = if alike.iter().any(|(_, spread)| !spread.equal()) {
        advice(balance)
    } else {
        String::new()
    };
    format!(
        "<section class=\"warning\"><h2>Warning: the scores hardly differ</h2>{items}\
         <p><strong>What it means.</strong> On these rows a model that always answers {:.1} looks good, so a low \
         error here shows little. It learns next to nothing about poor answers, and it will be far off \
         where other scores are due.</p>\
         <p><strong>What helps.</strong> Most of all rows that deserve other scores: answers of weaker models, answers \
         spoiled on purpose, answers put beside a prompt or a metric that they do not belong to. \
         No option can draw scores that are not there.</p>{advice}</section>\n",
        first.mean
    )
}

fn finding(name: &str, spread: &Spread) -> String {
    let (name, rows) = (escape(name), count(spread.count));
    if spread.equal() {
        let score = number(spread.commonest);
        return format!("<strong>{name}</strong>: all {rows} rows have the score {score}.");
    }
    format!(
        "<strong>{name}</strong>: {} of {rows} rows lie from {} to {}; the standard deviation is {:.2}.",
        percent(spread.span_share),
        number(spread.span),
        number((spread.span + 1.0).min(10.0)),
        spread.sd
    )
}

fn advice(balance: &BalanceArgs) -> String {
    let resample = match balance.resample {
        Resample::Metric => "on for this report",
        Resample::Off => "off for this report",
    };
    let weights = match balance.loss_weights {
        LossWeights::Off => "off for this report",
        _ => "on for this report",
    };
    format!(
        "<p>Next to that, balancing: <code>--resample metric</code> ({resample}) draws rows of rare scores more \
         often within each metric, up to <code>--resample-cap</code> times; <code>--loss-weights threshold</code> or \
         <code>rare</code> ({weights}) lets them weigh more in the loss. The charts below show what comes of it.</p>"
    )
}

/// The box about metrics that training would refuse.
pub fn undefined(rows: &[Judged<'_>]) -> String {
    let names: Vec<&str> = survey::undefined(rows).into_iter().collect();
    if names.is_empty() {
        return String::new();
    }
    format!(
        "<section class=\"warning\"><h2>Warning: metrics without a definition</h2>\
         <p>Training refuses rows of these {} metrics: they are not in the catalogue, and their rows have no \
         <code>metric_description</code>.</p>{}</section>\n",
        count(names.len()),
        names_list(&names)
    )
}
