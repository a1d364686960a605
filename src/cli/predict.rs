//! `touchstone predict`: a submission for the challenge, one line for every row of its test file.

use std::path::{Path, PathBuf};

use clap::Args;

use super::args::RunArgs;
use super::rows::{self, Options, Row, Rows};
use super::{model, score};
use crate::error::{Error, ErrorKind, Result};

/// Arguments of `touchstone predict`.
#[derive(Args)]
pub struct PredictArgs {
    /// Test rows: the challenge's JSON list, or CSV, JSON lines (also .gz) or Parquet.
    file: PathBuf,
    /// CSV to write: `ID,score`, IDs from 1 in the order of the rows.
    #[arg(long, short)]
    output: PathBuf,
    /// Write scores with two decimals instead of whole ones.
    #[arg(long)]
    no_round: bool,
    #[command(flatten)]
    run: RunArgs,
}

/// Runs the command.
pub fn run(args: &PredictArgs) -> Result<()> {
    // A missing folder is said before the scoring, not after it.
    check_folder(&args.output)?;
    let found = rows::read(&args.file, &Options::PREDICTING)?;
    let scores = score::score_rows(&model::scorer(&args.run)?, &found.rows);
    let scores = scores
        .into_iter()
        .map(|score| score.map(|score| score.score));
    let lines = in_order(&found, scores.collect());
    let median = median(lines.iter().flatten().copied().collect());
    let median = median.ok_or_else(|| none_scored(&lines))?;
    warn(&lines, &shown(median, !args.no_round));
    super::write(
        &args.output,
        submission(&lines, median, !args.no_round).as_bytes(),
    )?;
    let written = (lines.len(), args.output.display());
    eprintln!("wrote {} predictions to {}", written.0, written.1);
    Ok(())
}

fn check_folder(output: &Path) -> Result<()> {
    let folder = output.parent().filter(|f| !f.as_os_str().is_empty());
    match folder.filter(|folder| !folder.is_dir()) {
        Some(_) => Err(super::io("write", output, &"its folder is not there")),
        None => Ok(()),
    }
}

/// A line's score, or why there is none; the line's ID is its position, from 1.
type Line = std::result::Result<f32, String>;

/// Rows and what was passed over, in the order of the file.
fn in_order(found: &Rows, scores: Vec<Result<f32>>) -> Vec<Line> {
    let number = |row: &Row| row.number;
    let scored = found.rows.iter().map(number).zip(scores);
    let scored = scored.map(|(number, score)| (number, score.map_err(|e| e.to_string())));
    let passed = found.skipped.iter().map(|s| (s.number, Err(s.why.clone())));
    let mut lines: Vec<(usize, Line)> = scored.chain(passed).collect();
    lines.sort_by_key(|(number, _)| *number);
    lines.into_iter().map(|(_, line)| line).collect()
}

fn median(mut scores: Vec<f32>) -> Option<f32> {
    scores.sort_by(f32::total_cmp);
    let (low, high) = (scores.len().checked_sub(1)? / 2, scores.len() / 2);
    Some((scores[low] + scores[high]) / 2.0)
}

fn none_scored(lines: &[Line]) -> Error {
    let why = lines.iter().find_map(|line| line.as_ref().err());
    let message = format!(
        "none of the {} rows could be scored; the first, ID 1: {}",
        lines.len(),
        why.map_or("no reason", String::as_str)
    );
    Error::new(ErrorKind::Data, message)
}

fn warn(lines: &[Line], median: &str) {
    for (index, line) in lines.iter().enumerate() {
        if let Err(why) = line {
            let id = index + 1;
            eprintln!("warning: ID {id}: {why}; it gets {median}, the median of the others");
        }
    }
}

fn submission(lines: &[Line], median: f32, round: bool) -> String {
    let line = |(index, line): (usize, &Line)| {
        let score = *line.as_ref().unwrap_or(&median);
        format!("{},{}\n", index + 1, shown(score, round))
    };
    let body: String = lines.iter().enumerate().map(line).collect();
    format!("ID,score\n{body}")
}

fn shown(score: f32, round: bool) -> String {
    match round {
        true => format!("{}", score.round()),
        false => format!("{score:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_keeps_its_place() {
        let text = r#"[{"metric":"m","user":"u","response":"r"}, 17,
            {"metric":"m","user":"u","response":[]}, {"metric":"m","user":"u","response":"s"}]"#;
        let found = rows::parse(text.into(), Path::new("a.json"), &Options::PREDICTING).unwrap();
        let lines = in_order(&found, vec![Ok(3.4), Ok(8.5)]);
        assert_eq!((&lines[0], &lines[3]), (&Ok(3.4), &Ok(8.5)));
        assert_eq!(lines[1], Err("not an object but a number".into()));
        assert_eq!(lines[2], Err("response is a list, not text".into()));
    }

    #[test]
    fn blank_lines_take_no_id_and_broken_ones_do() {
        let row = r#"{"metric":"m","user":"u","response":"r"}"#;
        let text = format!("{row}\n\n{{oops\n{row}\n");
        let found = rows::parse(text.into(), Path::new("a.jsonl"), &Options::PREDICTING).unwrap();
        let lines = in_order(&found, vec![Ok(1.0), Ok(2.0)]);
        assert_eq!(lines.len(), 3);
        assert!(lines[1].as_ref().unwrap_err().contains("malformed JSON"));
    }

    #[test]
    fn a_line_without_a_score_gets_the_median() {
        let lines = [Ok(2.0), Err("no answer".into()), Ok(9.126), Ok(7.5)];
        let scores = lines.iter().flatten().copied().collect();
        let median = median(scores).unwrap();
        let rounded = submission(&lines, median, true);
        assert_eq!(rounded, "ID,score\n1,2\n2,8\n3,9\n4,8\n");
        let exact = submission(&lines, median, false);
        assert_eq!(exact, "ID,score\n1,2.00\n2,7.50\n3,9.13\n4,7.50\n");
    }

    #[test]
    fn the_median_of_an_even_count_is_between_the_middle_two() {
        assert_eq!(median(vec![9.0, 1.0, 4.0, 3.0]), Some(3.5));
        assert_eq!(median(Vec::new()), None);
    }
}
