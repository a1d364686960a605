//! Scored files: every row as it was read, with its prediction beside it.
//!
//! The file is written beside its target under another name and renamed at the end, so that a
//! run that is stopped leaves either the old file or none.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::forms;
use super::rows::{Form, Row};
use crate::error::{Error, ErrorKind, Result};

const PREDICTED: &str = "predicted";
const FAILED: &str = "predicted_error";
const COLUMNS: [&str; 3] = ["predicted_score", "predicted_low", "predicted_high"];

/// Writes scored rows to a file.
///
/// JSON lines keep every field and add `predicted`; a row that could not be scored gets
/// `"predicted": null` and `predicted_error` with its kind and message. CSV keeps the columns and
/// adds `predicted_score, predicted_low, predicted_high`, and `predicted_error` if any row failed
/// (CSV rows are held until [`finish`](Self::finish), since that column is known only then).
/// A target that ends in `.gz` is packed.
pub struct Writer {
    body: Body,
    file: Unfinished,
}

/// A file that is written beside its target and gets its name by [`finish`](Self::finish); dropped
/// before, it leaves the target as it was. A target that ends in `.gz` is packed.
pub struct Unfinished {
    sink: Option<Sink>,
    path: PathBuf,
    target: PathBuf,
}

enum Body {
    Lines,
    Csv(Sheet),
}

struct Sheet {
    /// Each column's title and the key of its cells in [`Row::fields`].
    columns: Vec<(String, String)>,
    /// The cells of each row: its columns, the three predicted ones, the error.
    records: Vec<Vec<String>>,
    failed: bool,
}

enum Sink {
    Plain(BufWriter<File>),
    Packed(Box<GzEncoder<BufWriter<File>>>),
}

impl Writer {
    /// Starts the file `target`. A name ending in `.csv` asks for CSV, one ending in `.json`,
    /// `.jsonl` or `.ndjson` for JSON lines; any other follows `form`, the form of the input
    /// whose `header` this is (JSON lines where that is Parquet).
    ///
    /// # Errors
    /// `Io` if the file cannot be made, `Unsupported` if its name asks for Parquet.
    pub fn create(target: &Path, form: Form, header: &[String]) -> Result<Self> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let (plain, _) = unpacked_name(&name);
        if plain.ends_with(".parquet") {
            let message =
                "scored files are CSV or JSON lines: end the output's name in .csv or .jsonl";
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        let body = if is_csv(&plain, form) {
            Body::Csv(Sheet::new(header))
        } else {
            Body::Lines
        };
        let file = Unfinished::create(target)?;
        Ok(Self { body, file })
    }

    /// Adds a row with its Score, or with the error that took its place.
    ///
    /// # Errors
    /// `Io` if the disk refuses; `Format` if `predicted` holds no finite `score`.
    pub fn write<S: Serialize>(
        &mut self,
        row: &Row,
        predicted: std::result::Result<&S, &Error>,
    ) -> Result<()> {
        match &mut self.body {
            Body::Lines => {
                predicted.map(numbers).ok().transpose()?;
                let line = to_json(&Line {
                    fields: &row.fields,
                    predicted,
                })?;
                self.file.write(&format!("{line}\n"))
            }
            Body::Csv(sheet) => sheet.push(row, predicted),
        }
    }

    /// Writes what is held, closes the file and gives it its name.
    ///
    /// # Errors
    /// `Io` if the disk refuses; the target is then as it was.
    pub fn finish(mut self) -> Result<()> {
        if let (Body::Csv(sheet), Some(sink)) = (&self.body, &mut self.file.sink) {
            let written = sheet.write(sink);
            written.map_err(|e| io("write", &self.file.target, e))?;
        }
        self.file.finish()
    }
}

impl Unfinished {
    /// Starts the file.
    ///
    /// # Errors
    /// `Io` if it cannot be made.
    pub fn create(target: &Path) -> Result<Self> {
        let name = target
            .file_name()
            .ok_or_else(|| io("name the output file", target, "no file name"))?
            .to_string_lossy();
        let path = target.with_file_name(format!(".{name}.{}.part", std::process::id()));
        let file = BufWriter::new(File::create(&path).map_err(|e| io("write", target, e))?);
        let sink = match unpacked_name(&name) {
            (_, true) => {
                let level = flate2::Compression::default();
                Sink::Packed(Box::new(GzEncoder::new(file, level)))
            }
            (_, false) => Sink::Plain(file),
        };
        Ok(Self {
            sink: Some(sink),
            path,
            target: target.to_owned(),
        })
    }

    /// Adds text.
    ///
    /// # Errors
    /// `Io` if the disk refuses.
    pub fn write(&mut self, text: &str) -> Result<()> {
        let Some(sink) = &mut self.sink else {
            return Ok(());
        };
        sink.write_all(text.as_bytes())
            .map_err(|e| io("write", &self.target, e))
    }

    /// Closes the file and gives it its name.
    ///
    /// # Errors
    /// `Io` if the disk refuses; the target is then as it was.
    pub fn finish(mut self) -> Result<()> {
        self.close().map_err(|e| io("write", &self.target, e))?;
        std::fs::rename(&self.path, &self.target).map_err(|e| io("replace", &self.target, e))
    }

    fn close(&mut self) -> std::io::Result<()> {
        let file = match self.sink.take() {
            Some(Sink::Plain(file)) => file,
            Some(Sink::Packed(packed)) => packed.finish()?,
            None => return Ok(()),
        };
        file.into_inner()?.sync_all()
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove; a failure here has nobody to tell.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Packed(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Packed(file) => file.flush(),
        }
    }
}

impl Sheet {
    fn new(header: &[String]) -> Self {
        let ours = |title: &str| COLUMNS.contains(&title) || title == FAILED;
        let columns = header.iter().cloned().zip(forms::keys(header));
        Self {
            columns: columns.filter(|(_, key)| !ours(key)).collect(),
            records: Vec::new(),
            failed: false,
        }
    }

    fn push<S: Serialize>(
        &mut self,
        row: &Row,
        predicted: std::result::Result<&S, &Error>,
    ) -> Result<()> {
        let field = |(title, key): &(String, String)| {
            cell(row.fields.get(key).or_else(|| row.fields.get(title)))
        };
        let mut record: Vec<String> = self.columns.iter().map(field).collect();
        match predicted {
            Ok(score) => record.extend(numbers(score)?),
            Err(_) => record.extend([const { String::new() }; 3]),
        }
        record.push(predicted.err().map(Error::to_string).unwrap_or_default());
        self.failed |= predicted.is_err();
        self.records.push(record);
        Ok(())
    }

    fn write(&self, sink: &mut Sink) -> std::io::Result<()> {
        let width = self.columns.len() + COLUMNS.len() + usize::from(self.failed);
        let titles = self.columns.iter().map(|(title, _)| title.as_str());
        let header: Vec<&str> = titles.chain(COLUMNS).chain([FAILED]).collect();
        let mut csv = csv::Writer::from_writer(sink);
        csv.write_record(&header[..width])?;
        for record in &self.records {
            csv.write_record(&record[..width])?;
        }
        csv.flush()
    }
}

/// A row's fields with the prediction put last, in place of older ones.
struct Line<'a, S> {
    fields: &'a Map<String, Value>,
    predicted: std::result::Result<&'a S, &'a Error>,
}

impl<S: Serialize> Serialize for Line<'_, S> {
    fn serialize<T: Serializer>(&self, to: T) -> std::result::Result<T::Ok, T::Error> {
        let mut map = to.serialize_map(None)?;
        for (key, value) in self
            .fields
            .iter()
            .filter(|(key, _)| *key != PREDICTED && *key != FAILED)
        {
            map.serialize_entry(key, value)?;
        }
        map.serialize_entry(PREDICTED, &self.predicted.ok())?;
        if let Err(error) = self.predicted {
            map.serialize_entry(
                FAILED,
                &json!({ "kind": error.kind().as_str(), "message": error.to_string() }),
            )?;
        }
        map.end()
    }
}

/// The `score` and the bounds of the `interval` as text, empty where there is no interval.
///
/// Read back from JSON, where an f32 has its shortest digits and a NaN has become null.
fn numbers(score: &impl Serialize) -> Result<[String; 3]> {
    let value: Value = serde_json::from_str(&to_json(score)?).map_err(|e| unwritable(&e))?;
    if !value["score"].is_number() {
        return Err(Error::new(
            ErrorKind::Format,
            format!("a Score needs a finite number as `score`, found {value}"),
        ));
    }
    let interval = |i: usize| value.pointer(&format!("/interval/{i}"));
    Ok([
        cell(value.get("score")),
        cell(interval(0)),
        cell(interval(1)),
    ])
}

fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| unwritable(&e))
}

fn unwritable(error: &serde_json::Error) -> Error {
    Error::new(
        ErrorKind::Format,
        format!("cannot write the row as JSON: {error}"),
    )
}

/// A value as a CSV cell: text as it is, anything else as JSON.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn unpacked_name(name: &str) -> (String, bool) {
    let name = name.to_lowercase();
    match name.strip_suffix(".gz") {
        Some(plain) => (plain.to_owned(), true),
        None => (name, false),
    }
}

fn is_csv(name: &str, form: Form) -> bool {
    let json = [".json", ".jsonl", ".ndjson"]
        .into_iter()
        .any(|end| name.ends_with(end));
    name.ends_with(".csv") || (form == Form::Csv && !json)
}

fn io(what: &str, path: &Path, error: impl std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Io,
        format!("cannot {what} {}: {error}", path.display()),
    )
}

#[cfg(test)]
mod tests {
    use super::super::rows::{Options, Rows, parse};
    use super::*;

    #[derive(Serialize)]
    struct Score {
        score: f32,
        interval: Option<[f32; 2]>,
    }

    const SCORE: Score = Score {
        score: 8.3,
        interval: Some([7.1, 9.0]),
    };
    const CSV: &str = "note,metric,user,response,predicted_low\r\n\"a, \"\"b\"\"\",m,\"u\nv\",r,old\r\n,m,u,,old\r\n";
    const JSON: &str =
        "{\"zeta\":[1],\"metric\":\"m\",\"user\":\"u\",\"response\":\"r\",\"predicted\":1}\n";

    fn rows(name: &str, text: &str) -> Rows {
        parse(text.as_bytes().to_vec(), Path::new(name), &Options::SCORING).unwrap()
    }

    /// Writes the first row scored and the others failed; gives back the file's text.
    fn written(rows: &Rows, name: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join(name);
        let error = Error::new(ErrorKind::Input, "the answer is empty");
        let mut writer = Writer::create(&target, rows.form, &rows.header).unwrap();
        for (i, row) in rows.rows.iter().enumerate() {
            writer
                .write(row, if i == 0 { Ok(&SCORE) } else { Err(&error) })
                .unwrap();
        }
        assert!(
            !target.exists(),
            "nothing has the target's name before the end"
        );
        writer.finish().unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        forms::text(std::fs::read(&target).unwrap()).unwrap()
    }

    #[test]
    fn csv_keeps_its_columns_and_tells_the_failed_row() {
        let expected = "note,metric,user,response,predicted_score,predicted_low,predicted_high,predicted_error\n\
            \"a, \"\"b\"\"\",m,\"u\nv\",r,8.3,7.1,9.0,\n,m,u,,,,,the answer is empty\n";
        assert_eq!(written(&rows("a.csv", CSV), "out"), expected);
    }

    #[test]
    fn csv_has_no_error_column_where_nothing_failed() {
        let found = written(
            &rows("a.csv", "metric,user,response\nm,u,r\n"),
            "out.csv.gz",
        );
        assert_eq!(
            found,
            "metric,user,response,predicted_score,predicted_low,predicted_high\nm,u,r,8.3,7.1,9.0\n"
        );
    }

    #[test]
    fn json_lines_keep_every_field_and_replace_an_old_prediction() {
        let found = written(&rows("a.jsonl", &JSON.repeat(2)), "out.jsonl");
        let lines: Vec<Value> = found
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        assert_eq!(lines[0]["zeta"], json!([1]));
        assert_eq!(found.matches("\"predicted\"").count(), 2);
        assert!(
            found.contains("\"predicted\":{\"score\":8.3,\"interval\":[7.1,9.0]}}\n"),
            "{found}"
        );
        assert_eq!(lines[1]["predicted"], Value::Null);
        assert_eq!(
            lines[1]["predicted_error"],
            json!({ "kind": "input", "message": "the answer is empty" })
        );
    }

    #[test]
    fn json_rows_become_csv_when_the_name_asks() {
        let found = written(&rows("a.jsonl", JSON), "out.csv");
        assert!(
            found.contains("[1]") && found.contains("predicted_score"),
            "{found}"
        );
    }

    #[test]
    fn parquet_rows_become_json_lines_and_parquet_is_not_written() {
        let mut rows = rows("a.jsonl", JSON);
        rows.form = Form::Parquet;
        assert!(written(&rows, "out").starts_with("{\"zeta\":[1]"));
        let error = Writer::create(Path::new("out.parquet"), rows.form, &rows.header);
        assert_eq!(error.err().unwrap().kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn a_run_that_stops_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.jsonl");
        std::fs::write(&target, "old").unwrap();
        let rows = rows("a.jsonl", JSON);
        let mut writer = Writer::create(&target, rows.form, &rows.header).unwrap();
        writer.write(&rows.rows[0], Ok(&SCORE)).unwrap();
        drop(writer);
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_score_that_is_no_number_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let rows = rows("a.jsonl", JSON);
        for name in ["out.jsonl", "out.csv"] {
            let mut writer =
                Writer::create(&folder.path().join(name), rows.form, &rows.header).unwrap();
            let broken = Score {
                score: f32::NAN,
                interval: None,
            };
            assert_eq!(
                writer.write(&rows.rows[0], Ok(&broken)).unwrap_err().kind(),
                ErrorKind::Format
            );
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_named_at_once() {
        let error = Writer::create(Path::new("no/folder/out.csv"), Form::Csv, &[])
            .err()
            .unwrap();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("no/folder/out.csv"));
    }
}
