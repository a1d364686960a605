//! The files of a run: the rows kept and the replies paid for, both as JSON lines that survive
//! being interrupted.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cli::rows::{self, Options, Row};
use crate::cli::{create_folder, io};
use crate::error::{Error, ErrorKind, Result};
use crate::train::dataset::SYNTHETIC;

/// A file of JSON lines that only grows.
struct Lines {
    file: File,
    path: PathBuf,
}

impl Lines {
    /// Opens or makes the file and returns its bytes.
    fn open(path: &Path) -> Result<(Self, Vec<u8>)> {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        folder.map_or(Ok(()), create_folder)?;
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).open(path);
        let mut file = file.map_err(|error| io("open", path, &error))?;
        let mut bytes = Vec::new();
        let read = file.read_to_end(&mut bytes);
        read.map_err(|error| io("read", path, &error))?;
        let path = path.to_owned();
        Ok((Self { file, path }, bytes))
    }

    /// Brings the file to the end of a line: adds a missing line end, or cuts off a last line that
    /// is not whole.
    fn mend(&mut self, tail: &Tail) -> Result<()> {
        match tail {
            Tail::Ended => Ok(()),
            Tail::Unended => self.write(b"\n"),
            Tail::Cut(whole) => {
                let path = self.path.display();
                eprintln!("{path}: the last line was cut short and is taken off");
                let cut = self.file.set_len(*whole as u64);
                cut.map_err(|error| io("mend", &self.path, &error))
            }
        }
    }

    /// Adds one line in one write, so that an interruption leaves it whole or last.
    fn append(&mut self, line: &impl Serialize) -> Result<()> {
        let line = serde_json::to_string(line);
        let mut line = line.map_err(|error| io("write", &self.path, &error))?;
        line.push('\n');
        self.write(line.as_bytes())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all(bytes);
        written.map_err(|error| io("write", &self.path, &error))
    }
}

/// How a file of JSON lines ends.
enum Tail {
    /// With a whole line, or it is empty.
    Ended,
    /// With a whole line that lacks its end.
    Unended,
    /// With part of a line, after so many bytes of whole ones.
    Cut(usize),
}

impl Tail {
    /// Only what begins as our lines do, with `start`, may be cut off; other ends are taken for
    /// whole, and reading the lines will tell.
    fn of(bytes: &[u8], start: &str) -> Self {
        let end = bytes.iter().rposition(|byte| *byte == b'\n');
        let whole = end.map_or(0, |end| end + 1);
        let last = &bytes[whole..];
        let ours = last.iter().zip(start.as_bytes()).all(|(a, b)| a == b);
        match serde_json::from_slice::<serde_json::Value>(last) {
            _ if last.is_empty() => Self::Ended,
            Err(_) if ours => Self::Cut(whole),
            _ => Self::Unended,
        }
    }

    /// The bytes of whole lines.
    fn trim<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Cut(whole) => &bytes[..*whole],
            _ => bytes,
        }
    }
}

/// A row as it is written; `score` is the model's own.
#[derive(Debug, Serialize)]
pub struct Record<'a> {
    /// `synthetic:llm/<model>`.
    pub source: &'a str,
    /// The metric's name.
    pub metric_name: &'a str,
    /// The metric's definition, as it was sent.
    pub metric_description: &'a str,
    /// The system prompt.
    pub system_prompt: Option<&'a str>,
    /// The user's prompt.
    pub user_prompt: &'a str,
    /// The answer.
    pub response: &'a str,
    /// The language asked for.
    pub language: &'a str,
    /// 0-10.
    pub score: f32,
    /// Why, in the model's words.
    pub reason: &'a str,
}

/// The file of rows.
pub struct Output(Lines);

impl Output {
    /// Opens or makes the file; returns the rows in it.
    ///
    /// # Errors
    /// `Io`; `Data` where the file holds something else than synthetic rows.
    pub fn open(path: &Path) -> Result<(Self, Vec<Row>)> {
        let (mut lines, bytes) = Lines::open(path)?;
        let tail = Tail::of(&bytes, r#"{"source":"synthetic:"#);
        let rows = rows_in(tail.trim(&bytes)).map_err(|error| {
            let error = error.context(path.display());
            Error::new(error.kind(), format!("{error}; name another --output"))
        })?;
        // Nothing is changed in a file that is not ours.
        lines.mend(&tail)?;
        Ok((Self(lines), rows))
    }

    /// Adds a row.
    ///
    /// # Errors
    /// `Io` naming the file.
    pub fn append(&mut self, record: &Record) -> Result<()> {
        self.0.append(record)
    }
}

/// The rows of an output, all of them synthetic.
fn rows_in(bytes: &[u8]) -> Result<Vec<Row>> {
    if bytes.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let rows = rows::parse(bytes.to_vec(), Path::new("rows.jsonl"), &Options::JUDGED)?.rows;
    let foreign = |row: &&Row| {
        let source = row.source.as_deref();
        !source.is_some_and(|source| source.starts_with(SYNTHETIC))
    };
    match rows.iter().find(foreign) {
        None => Ok(rows),
        Some(row) => {
            let source = row.source.as_deref().unwrap_or("missing");
            let message = format!("line {} is not synthetic (source {source})", row.number);
            Err(Error::new(ErrorKind::Data, message))
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    request: String,
    source: String,
    reply: String,
}

/// The replies paid for, by the hash of their request.
pub struct Replies {
    lines: Lines,
    known: HashMap<String, String>,
}

impl Replies {
    /// Opens or makes the file of replies beside the output: `OUT.replies`.
    ///
    /// # Errors
    /// `Io` naming the file.
    pub fn open(output: &Path) -> Result<Self> {
        let mut path = output.as_os_str().to_owned();
        path.push(".replies");
        let (mut lines, bytes) = Lines::open(Path::new(&path))?;
        lines.mend(&Tail::of(&bytes, r#"{"request":"#))?;
        let stored = bytes.split(|byte| *byte == b'\n');
        // A damaged line costs asking once more, no more.
        let stored = stored.filter_map(|line| serde_json::from_slice::<Stored>(line).ok());
        let known = stored
            .map(|stored| (stored.request, stored.reply))
            .collect();
        Ok(Self { lines, known })
    }

    /// The reply to the request with this hash, if it was asked before.
    pub fn get(&self, request: &str) -> Option<&str> {
        self.known.get(request).map(String::as_str)
    }

    /// Keeps the reply of `source`, under which its rows go too.
    ///
    /// # Errors
    /// `Io` naming the file.
    pub fn insert(&mut self, request: &str, source: &str, reply: &str) -> Result<()> {
        let stored = Stored {
            request: request.to_owned(),
            source: source.to_owned(),
            reply: reply.to_owned(),
        };
        self.lines.append(&stored)?;
        self.known.insert(stored.request, stored.reply);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(response: &str) -> Record<'_> {
        Record {
            source: "synthetic:llm/m",
            metric_name: "fairness",
            metric_description: "d",
            system_prompt: None,
            user_prompt: "u",
            response,
            language: "en",
            score: 8.0,
            reason: "r",
        }
    }

    #[test]
    fn rows_are_appended_and_a_cut_line_is_mended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/out.jsonl");
        let (mut output, rows) = Output::open(&path).unwrap();
        assert!(rows.is_empty());
        output.append(&record("one")).unwrap();
        output.append(&record("दो")).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        // The cut falls inside a character of the second row.
        let cut = bytes.len() - bytes.iter().rev().position(|b| *b == 0xe0).unwrap() + 1;
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let (mut output, rows) = Output::open(&path).unwrap();
        assert_eq!(rows.len(), 1);
        output.append(&record("three")).unwrap();
        let (_, rows) = Output::open(&path).unwrap();
        let responses: Vec<&str> = rows.iter().map(|row| row.response.as_str()).collect();
        assert_eq!(responses, ["one", "three"]);
    }

    #[test]
    fn a_whole_last_line_only_gets_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        let line = serde_json::to_string(&record("one")).unwrap();
        std::fs::write(&path, line).unwrap();
        let (mut output, rows) = Output::open(&path).unwrap();
        assert_eq!(rows.len(), 1);
        output.append(&record("two")).unwrap();
        assert_eq!(Output::open(&path).unwrap().1.len(), 2);
    }

    #[test]
    fn a_file_of_judged_rows_is_not_appended_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("judged.jsonl");
        let line =
            r#"{"metric": "m", "user": "u", "response": "r", "score": 1, "source": "judge"}"#;
        std::fs::write(&path, format!("{line}\n")).unwrap();
        let error = Output::open(&path).err().unwrap().to_string();
        assert!(
            error.contains("line 1 is not synthetic (source judge)"),
            "{error}"
        );
        for text in ["no rows", "a,b\n1,\"x", "{\"source\":\"judge\", \"us"] {
            std::fs::write(&path, text).unwrap();
            assert!(Output::open(&path).is_err(), "{text}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn replies_are_found_again_whatever_lies_between() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out.jsonl");
        let mut replies = Replies::open(&output).unwrap();
        replies.insert("a", "m", "first").unwrap();
        replies.insert("b", "m", "second\nline").unwrap();
        let path = folder.path().join("out.jsonl.replies");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{{broken\n{text}{{\"request\": \"c")).unwrap();
        let replies = Replies::open(&output).unwrap();
        assert_eq!(replies.get("a"), Some("first"));
        assert_eq!(replies.get("b"), Some("second\nline"));
        assert_eq!(replies.get("c"), None);
    }
}
