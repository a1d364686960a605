//! `touchstone report`: a page about judged rows, to be read before training on them.

mod distributions;
mod html;
mod survey;
mod warnings;

use std::path::PathBuf;

use clap::Args;

use super::balance::BalanceArgs;
use super::chart::{bars, escape, excerpt, page};
use super::dataset::stem;
use crate::cli::rows::{self, Options, Rows};
use crate::error::{Error, ErrorKind, Result};
use distributions::{lengths, scores};
use html::{count, folded, list, names_list, number, percent, section};
use survey::{Judged, Spread};
use warnings::{undefined, warning};

/// Metrics in the picture of the means.
const PICTURED: usize = 40;

/// Arguments of `touchstone report`.
#[derive(Args)]
pub struct ReportArgs {
    /// Judged files: CSV, JSON (the challenge's form too), JSON lines (also .gz) or Parquet.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// HTML page to write.
    #[arg(long, short)]
    output: PathBuf,
    #[command(flatten)]
    balance: BalanceArgs,
}

/// Runs the command: rows that cannot be used are counted, not refused.
///
/// # Errors
/// `Input` for options that make no sense, `Data` where no row can be used, `Io`.
pub fn run(args: &ReportArgs) -> Result<()> {
    args.balance.check()?;
    let lenient = Options {
        lenient: true,
        ..Options::JUDGED
    };
    let mut files: Vec<(String, Rows)> = Vec::new();
    for path in &args.files {
        let name = match stem(path) {
            name if files.iter().any(|(other, _)| *other == name) => path.display().to_string(),
            name => name,
        };
        files.push((name, rows::read(path, &lenient)?));
    }
    let html = report(&files, &args.balance)?;
    crate::cli::write(&args.output, html.as_bytes())?;
    crate::cli::print(format!("wrote {}", args.output.display()))
}

fn report(files: &[(String, Rows)], balance: &BalanceArgs) -> Result<String> {
    let rows = judged(files);
    let whole = Spread::of(rows.iter().map(|row| row.score));
    let whole = whole.ok_or_else(|| {
        let why = files.iter().find_map(|(_, rows)| rows.skipped_summary());
        let message = format!("no row can be used; {}", why.unwrap_or_default());
        Error::new(ErrorKind::Data, message)
    })?;
    let metrics = survey::spreads(&rows, |row| &row.row.metric);
    let body = [
        heading(files, &rows, &whole, metrics.len()),
        warning(&rows, &whole, balance),
        undefined(&rows),
        scores(&rows, balance),
        origins(&rows),
        by_metric(&metrics),
        languages(&rows),
        lengths(&rows),
        duplicates(&rows),
        unvaried(&metrics),
        skipped(files),
    ];
    Ok(page("Data report", &body.concat()))
}

fn judged(files: &[(String, Rows)]) -> Vec<Judged<'_>> {
    let of_file = |(file, rows)| {
        let rows: &Rows = rows;
        rows.rows.iter().filter_map(move |row| {
            let score = row.score?;
            Some(Judged { file, row, score })
        })
    };
    let pairs = files.iter().map(|(file, rows)| (file.as_str(), rows));
    pairs.flat_map(of_file).collect()
}

fn heading(
    files: &[(String, Rows)],
    rows: &[Judged<'_>],
    whole: &Spread,
    metrics: usize,
) -> String {
    let names: Vec<String> = files.iter().map(|(name, _)| escape(name)).collect();
    let prompts: std::collections::HashSet<&str> =
        rows.iter().map(|row| row.row.user.as_str()).collect();
    let facts = [
        ("rows", count(rows.len())),
        ("metrics", count(metrics)),
        ("different prompts", count(prompts.len())),
        ("mean score", format!("{:.2}", whole.mean)),
        ("standard deviation", format!("{:.2}", whole.sd)),
    ];
    let facts = facts.map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>"));
    format!(
        "<header><h1>Data report</h1><p class=\"muted\">Judged rows of {}, as training would read them. \
         Scores go from 0 to 10. Made by touchstone {}.</p></header>\n<dl class=\"facts\">{}</dl>\n",
        names.join(", "),
        env!("CARGO_PKG_VERSION"),
        facts.concat()
    )
}

fn origins(rows: &[Judged<'_>]) -> String {
    let files = survey::spreads(rows, |row| row.file);
    let sources = survey::spreads(rows, |row| row.row.source.as_deref().unwrap_or("not named"));
    let mut body = String::new();
    if files.len() > 1 {
        body += &table("file", &files);
    }
    if sources.len() > 1 || sources[0].0 != "not named" {
        body += &table("source", &sources);
    }
    match body.is_empty() {
        true => body,
        false => section("Where the rows come from", &body),
    }
}

fn by_metric(metrics: &[(&str, Spread)]) -> String {
    let common = &metrics[..metrics.len().min(PICTURED)];
    let mut means: Vec<(String, f32)> = common
        .iter()
        .map(|(name, spread)| ((*name).to_owned(), spread.mean))
        .collect();
    means.sort_by(|a, b| a.1.total_cmp(&b.1));
    let label = match common.len() < metrics.len() {
        true => format!("the {PICTURED} metrics with most rows, 0 to 10"),
        false => "0 to 10".to_owned(),
    };
    let picture = bars("Mean scores, lowest first", &label, &means, 10.0);
    let body = format!(
        "{}<details><summary>Picture of the means</summary>{picture}</details>",
        table("metric", metrics)
    );
    section("Metrics", &body)
}

fn languages(rows: &[Judged<'_>]) -> String {
    let languages = survey::spreads(rows, |row| {
        row.row.language.as_deref().unwrap_or("not named")
    });
    section("Languages", &table("language", &languages))
}

fn duplicates(rows: &[Judged<'_>]) -> String {
    let sets = survey::duplicates(rows);
    if sets.is_empty() {
        return section(
            "Duplicates",
            "<p>No two rows have the same metric, prompts and answer.</p>",
        );
    }
    let further: usize = sets.iter().map(|set| set.len() - 1).sum();
    let conflicts: Vec<&Vec<usize>> = sets
        .iter()
        .filter(|set| survey::conflicting(rows, set))
        .collect();
    let told = format!(
        "<p>Rows that repeat another row's metric, prompts and answer: {} (of {} different ones). Sets with \
         different scores: {}.</p>",
        count(further),
        count(sets.len()),
        count(conflicts.len())
    );
    let lines: Vec<String> = conflicts.iter().map(|set| conflict(rows, set)).collect();
    let header = "<th>metric</th><th class=\"text\">prompt</th><th class=\"text\">scores</th>";
    let listed = match lines.is_empty() {
        true => String::new(),
        false => folded(header, &lines, "rows with different scores"),
    };
    section("Duplicates", &format!("{told}{listed}"))
}

fn conflict(rows: &[Judged<'_>], set: &[usize]) -> String {
    let row = rows[set[0]].row;
    let scores: Vec<String> = set
        .iter()
        .take(8)
        .map(|&index| &rows[index])
        .map(|judged| {
            let (score, file) = (number(judged.score), escape(judged.file));
            format!("<strong>{score}</strong> ({file} {})", judged.row.number)
        })
        .collect();
    format!(
        "<tr><td dir=\"auto\">{}</td><td class=\"text\" dir=\"auto\">{}</td><td class=\"text\">{}</td></tr>",
        escape(&excerpt(&row.metric, 80)),
        escape(&excerpt(&row.user, 120)),
        scores.join(", ")
    )
}

/// Metrics whose rows say nothing about what makes their score.
fn unvaried(metrics: &[(&str, Spread)]) -> String {
    let names = |wanted: fn(&Spread) -> bool| -> Vec<&str> {
        let found = metrics.iter().filter(|(_, spread)| wanted(spread));
        found.map(|(name, _)| *name).collect()
    };
    let part = |told: &str, names: Vec<&str>| match names.is_empty() {
        true => format!("<p>No metric {told}.</p>"),
        false => format!(
            "<details><summary>{} of {} metrics: {told}</summary>{}</details>",
            count(names.len()),
            count(metrics.len()),
            names_list(&names)
        ),
    };
    let single = part("has one row only", names(|spread| spread.count == 1));
    let equal = part(
        "has several rows with one and the same score",
        names(|spread| spread.count > 1 && spread.equal()),
    );
    section("Metrics without variation", &format!("{single}{equal}"))
}

fn skipped(files: &[(String, Rows)]) -> String {
    let summaries = files.iter().filter_map(|(name, rows)| {
        let summary = rows.skipped_summary()?;
        Some(format!(
            "<strong>{}</strong>: {}",
            escape(name),
            escape(&summary)
        ))
    });
    let items: Vec<String> = summaries.collect();
    let body = match items.is_empty() {
        true => "<p>None: every row could be read.</p>".to_owned(),
        false => list(items),
    };
    section("Rows left out", &body)
}

/// A table of spreads under the column title `what`, the rows beyond the first folded away.
fn table(what: &str, spreads: &[(&str, Spread)]) -> String {
    let header = format!(
        "<th>{what}</th><th>rows</th><th>mean</th><th>sd</th><th>commonest</th><th>its share</th>"
    );
    let row = |(name, spread): &(&str, Spread)| {
        format!(
            "<tr><td dir=\"auto\">{}</td><td>{}</td><td>{:.2}</td><td>{:.2}</td><td>{}</td><td>{}</td></tr>",
            escape(&excerpt(name, 160)),
            count(spread.count),
            spread.mean,
            spread.sd,
            number(spread.commonest),
            percent(spread.share)
        )
    };
    let rows: Vec<String> = spreads.iter().map(row).collect();
    folded(&header, &rows, &format!("{what}s"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        balance: BalanceArgs,
    }

    const LENIENT: Options = Options {
        lenient: true,
        ..Options::JUDGED
    };

    fn file(name: &str, lines: &str) -> (String, Rows) {
        let text = format!("metric,prompt,answer,score\n{lines}");
        let rows = rows::parse(text.into_bytes(), Path::new("a.csv"), &LENIENT).unwrap();
        (name.to_owned(), rows)
    }

    fn html(files: &[(String, Rows)], options: &[&str]) -> String {
        let balance = Line::parse_from([&["test"], options].concat()).balance;
        report(files, &balance).unwrap()
    }

    fn scored(scores: impl Iterator<Item = usize>) -> String {
        scores
            .enumerate()
            .map(|(i, score)| format!("fairness,p{i},r,{score}\n"))
            .collect()
    }

    #[test]
    fn scores_that_hardly_differ_are_warned_of() {
        let lopsided = file("many", &scored((0..20).map(|i| if i < 18 { 9 } else { 0 })));
        let even = file("even", &scored((0..11).cycle().take(100)));
        let page = html(std::slice::from_ref(&lopsided), &[]);
        assert!(page.contains("Warning: the scores hardly differ"));
        assert!(page.contains("All rows</strong>: 90 % of 20 rows lie from 9 to 10"));
        assert!(page.contains("--resample metric"));
        let page = html(&[lopsided, even], &[]);
        assert!(page.contains("<strong>many</strong>") && !page.contains("<strong>All rows"));
        let even = file("even", &scored((0..11).cycle().take(100)));
        assert!(!html(&[even], &[]).contains("class=\"warning\""));
    }

    #[test]
    fn equal_scores_are_not_sent_to_balancing() {
        let page = html(&[file("same", &scored([7; 5].into_iter()))], &[]);
        assert!(page.contains("all 5 rows have the score 7"));
        assert!(!page.contains("--resample metric"));
        assert!(page.contains("several rows with one and the same score"));
    }

    #[test]
    fn balancing_is_shown_beside_the_files_scores() {
        let rows = [file(
            "a",
            &scored((0..20).map(|i| if i < 18 { 9 } else { 0 })),
        )];
        let charts = |options: &[&str]| html(&rows, options).matches("<svg").count();
        assert_eq!(charts(&[]), 5);
        assert_eq!(charts(&["--loss-weights", "rare"]), 6);
        assert!(html(&rows, &[]).contains("As in the files: mean 8.10, sd 2.70"));
        assert!(!html(&rows, &[]).contains("As drawn in training: mean 8.10"));
        assert!(html(&rows, &["--resample", "off"]).contains("As drawn in training: mean 8.10"));
    }

    #[test]
    fn duplicates_with_different_scores_are_listed_with_their_places() {
        let page = html(
            &[file(
                "a",
                "fairness,<p>,r,1\nfairness,<p>,r,9\nfairness,q,r,9\n",
            )],
            &[],
        );
        assert!(page.contains("answer: 1 (of 1") && page.contains("different scores: 1."));
        assert!(page.contains("<strong>1</strong> (a 1), <strong>9</strong> (a 2)"));
        assert!(page.contains("&lt;p&gt;") && !page.contains("<p>,"));
    }

    #[test]
    fn rows_left_out_and_metrics_without_definition_are_told() {
        let page = html(
            &[file(
                "a",
                "nosuch,p,r,1\nfairness,p,r,high\nfairness,p,,3\n",
            )],
            &[],
        );
        assert!(page.contains("skipped 2 of 3") && page.contains("no answer (no. 3)"));
        assert!(page.contains("metrics without a definition") && page.contains("nosuch"));
    }

    #[test]
    fn a_file_without_a_usable_row_is_an_error() {
        let balance = Line::parse_from(["test"]).balance;
        let error = report(&[file("a", "fairness,p,r,11\n")], &balance).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("no row can be used; skipped 1 of 1"),
            "{error}"
        );
    }
}
