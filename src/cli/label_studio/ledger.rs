//! The file of training rows that annotations become: one row for each annotation, whatever
//! happened to it before.
//!
//! New rows are appended; changed and withdrawn ones make a new file that takes the old one's
//! place. Either is on the disk before the caller is told. Lines from elsewhere stay as they are.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Map, Value};

use super::row::{Judged, Key, Origin};
use crate::cli::{forms, io};
use crate::error::{Error, ErrorKind, Result};

/// What happened to an annotation.
#[derive(Clone, Debug)]
pub enum Change {
    /// It says this now.
    Put(Box<Judged>),
    /// It says nothing any more.
    Remove(Key),
}

/// How many rows a call added, changed and removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Of annotations that had no row.
    pub added: usize,
    /// Of annotations that had another one.
    pub changed: usize,
    /// Of annotations that say nothing any more.
    pub removed: usize,
}

/// The file and what is known of it.
pub struct Ledger {
    path: PathBuf,
    table: Table,
    seen: Option<Seen>,
}

/// The lines of a file, removed ones as none, and where each annotation's stands.
#[derive(Clone, Default)]
struct Table {
    lines: Vec<Option<Line>>,
    index: HashMap<Key, usize>,
}

#[derive(Clone)]
struct Line {
    text: Arc<str>,
    origin: Option<Arc<Origin>>,
}

/// By what a file changed by somebody else is noticed.
#[derive(Clone, Copy, PartialEq)]
struct Seen {
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Ledger {
    /// Opens the file; where there is none, the first row starts it. A last line that a crash
    /// cut short is taken off: nobody was told that it was written.
    ///
    /// # Errors
    /// `Io`; `Data` for a line that is no JSON object, with its number.
    pub fn open(path: &Path) -> Result<Self> {
        let mut ledger = Self {
            path: path.to_owned(),
            table: Table::default(),
            seen: None,
        };
        ledger.load()?;
        Ok(ledger)
    }

    /// How many rows the file holds.
    pub fn rows(&self) -> usize {
        self.table.lines.iter().flatten().count()
    }

    /// Takes changes into the file, in their order; on the disk when this returns. What is older
    /// than the row of its annotation is passed over.
    ///
    /// # Errors
    /// `Io`, `Data` for an annotation of another Label Studio, and as [`Self::open`] where
    /// somebody else changed the file. It is then as it was.
    pub fn apply(&mut self, changes: Vec<Change>) -> Result<Counts> {
        if self.seen != seen(&self.path) {
            self.load()?;
        }
        let mut next = self.table.clone();
        let mut counts = Counts::default();
        for change in changes {
            next.take(change, &mut counts)
                .map_err(|error| error.context(self.path.display()))?;
        }
        if counts.changed + counts.removed > 0 {
            next = Table::from_iter(next.lines.into_iter().flatten());
            self.replace(&next.text(0))?;
        } else if counts.added > 0 {
            self.append(&next.text(self.table.lines.len()))?;
        }
        self.table = next;
        self.seen = seen(&self.path);
        Ok(counts)
    }

    fn load(&mut self) -> Result<()> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(io("read", &self.path, &error)),
        };
        let whole = self.mend(&bytes)?;
        self.table = read(&bytes[..whole]).map_err(|error| error.context(self.path.display()))?;
        self.seen = seen(&self.path);
        Ok(())
    }

    /// Ends the last line, or takes it off where it is cut short; the number of bytes that hold.
    fn mend(&self, bytes: &[u8]) -> Result<usize> {
        if bytes.is_empty() || bytes.ends_with(b"\n") {
            return Ok(bytes.len());
        }
        let start = bytes.iter().rposition(|byte| *byte == b'\n');
        let start = start.map_or(0, |at| at + 1);
        let failed = |error| io("mend", &self.path, &error);
        let file = OpenOptions::new().append(true).open(&self.path);
        let mut file = file.map_err(failed)?;
        if serde_json::from_slice::<Map<String, Value>>(&bytes[start..]).is_ok() {
            file.write_all(b"\n").map_err(failed)?;
            return Ok(bytes.len());
        }
        eprintln!(
            "{}: the last line was cut short and is taken off; import an export to have its row",
            self.path.display()
        );
        file.set_len(start as u64).map_err(failed)?;
        Ok(start)
    }

    fn append(&self, text: &str) -> Result<()> {
        let failed = |error| io("write", &self.path, &error);
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path);
        let mut file = file.map_err(failed)?;
        let before = file.metadata().map_err(failed)?.len();
        let written = file.write_all(text.as_bytes());
        written.and_then(|()| file.sync_all()).map_err(|error| {
            // Half a line is no row. Should this fail too, the next start takes it off.
            let _ = file.set_len(before);
            failed(error)
        })
    }

    fn replace(&self, text: &str) -> Result<()> {
        let mut part = self.path.as_os_str().to_owned();
        part.push(format!(".{}.part", std::process::id()));
        let part = PathBuf::from(part);
        let write = || {
            let mut file = File::create(&part)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&part, &self.path)
        };
        write().map_err(|error| {
            let _ = std::fs::remove_file(&part);
            io("write", &self.path, &error)
        })?;
        // A new name lasts once its folder is on the disk; not every system lets one open it.
        let folder = self
            .path
            .parent()
            .filter(|path| !path.as_os_str().is_empty());
        if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

impl Table {
    fn take(&mut self, change: Change, counts: &mut Counts) -> Result<()> {
        match change {
            Change::Put(row) => self.put(&row, counts),
            Change::Remove(key) => {
                if let Some(at) = self.index.remove(&key) {
                    self.lines[at] = None;
                    counts.removed += 1;
                }
                Ok(())
            }
        }
    }

    fn put(&mut self, row: &Judged, counts: &mut Counts) -> Result<()> {
        let line = Line::new(row)?;
        let key = row.origin.key();
        let Some(old) = self.index.get(&key).map(|at| &mut self.lines[*at]) else {
            self.index.insert(key, self.lines.len());
            self.lines.push(Some(line));
            counts.added += 1;
            return Ok(());
        };
        if let Some(Line {
            text,
            origin: Some(origin),
        }) = old.as_ref()
        {
            origin.ensure_same_server(&row.origin)?;
            if origin.updated > row.origin.updated || *text == line.text {
                return Ok(());
            }
        }
        *old = Some(line);
        counts.changed += 1;
        Ok(())
    }

    /// The lines from the `start`-th on.
    fn text(&self, start: usize) -> String {
        let lines = self.lines[start..].iter().flatten();
        lines.flat_map(|line| [&*line.text, "\n"]).collect()
    }
}

impl FromIterator<Line> for Table {
    fn from_iter<T: IntoIterator<Item = Line>>(lines: T) -> Self {
        let mut table = Self::default();
        for line in lines {
            let key = line.origin.as_ref().map(|origin| origin.key());
            // Files put together by hand may hold an annotation twice: the later line counts.
            let older = key.and_then(|key| table.index.insert(key, table.lines.len()));
            if let Some(older) = older {
                table.lines[older] = None;
            }
            table.lines.push(Some(line));
        }
        table
    }
}

impl Line {
    fn new(row: &Judged) -> Result<Self> {
        let text = serde_json::to_string(row)
            .map_err(|error| Error::new(ErrorKind::Format, error.to_string()))?;
        Ok(Self {
            text: text.into(),
            origin: Some(Arc::new(row.origin.clone())),
        })
    }

    fn read(text: &str, number: usize) -> Result<Self> {
        let wrong = |found: &str| {
            let message = format!("line {number}: {found}; expected a row, one JSON object");
            Error::new(ErrorKind::Data, message)
        };
        let value: Value = serde_json::from_str(text).map_err(|e| wrong(&e.to_string()))?;
        let row = value.as_object();
        let row = row.ok_or_else(|| wrong(forms::type_name(&value)))?;
        Ok(Self {
            text: text.into(),
            origin: Origin::of(row).map(Arc::new),
        })
    }
}

fn read(bytes: &[u8]) -> Result<Table> {
    let text = forms::text(bytes.to_vec())?;
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(at, line)| Line::read(line, at + 1))
        .collect()
}

fn seen(path: &Path) -> Option<Seen> {
    let about = std::fs::metadata(path).ok()?;
    Some(Seen {
        bytes: about.len(),
        modified: about.modified().ok(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        _folder: tempfile::TempDir,
        path: PathBuf,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("rows.jsonl");
            Self {
                _folder: folder,
                path,
            }
        }

        fn open(&self) -> Ledger {
            Ledger::open(&self.path).unwrap()
        }

        fn text(&self) -> String {
            std::fs::read_to_string(&self.path).unwrap()
        }

        fn scores(&self) -> Vec<f64> {
            let score = |line: &str| {
                let row: Value = serde_json::from_str(line).unwrap();
                row["score"].as_f64().unwrap()
            };
            self.text().lines().map(score).collect()
        }
    }

    fn row(annotation: u64, updated: &str, score: f64) -> Judged {
        Judged {
            metric_name: "fairness".into(),
            user_prompt: "Who?".into(),
            response: "You.".into(),
            score,
            origin: Origin {
                project: 1,
                task: 7,
                annotation,
                created: Some("2026-01-01".into()),
                updated: Some(updated.into()),
                ..Origin::default()
            },
            ..Judged::default()
        }
    }

    fn put(annotation: u64, updated: &str, score: f64) -> Change {
        Change::Put(Box::new(row(annotation, updated, score)))
    }

    fn remove(annotation: u64) -> Change {
        Change::Remove(Key {
            project: 1,
            annotation,
        })
    }

    #[test]
    fn an_annotation_has_one_row_whatever_happens_to_it() {
        let place = Place::new();
        let mut ledger = place.open();
        let counts = ledger
            .apply(vec![put(1, "a", 3.0), put(2, "a", 4.0)])
            .unwrap();
        assert_eq!((counts.added, place.scores()), (2, vec![3.0, 4.0]));
        let counts = ledger.apply(vec![put(1, "b", 9.0)]).unwrap();
        assert_eq!((counts.changed, place.scores()), (1, vec![9.0, 4.0]));
        assert_eq!(
            ledger.apply(vec![put(1, "b", 9.0)]).unwrap(),
            Counts::default()
        );
        assert_eq!(
            ledger.apply(vec![put(1, "a", 3.0)]).unwrap(),
            Counts::default()
        );
        assert_eq!(place.scores(), [9.0, 4.0]);
        assert_eq!(ledger.apply(vec![remove(1), remove(1)]).unwrap().removed, 1);
        assert_eq!((place.scores(), ledger.rows()), (vec![4.0], 1));
        ledger
            .apply(vec![put(3, "a", 1.0), put(3, "b", 2.0), remove(2)])
            .unwrap();
        assert_eq!(place.scores(), [2.0]);
        assert_eq!(
            place.open().apply(vec![put(3, "b", 2.0)]).unwrap(),
            Counts::default()
        );
    }

    #[test]
    fn lines_from_elsewhere_stay_as_they_are() {
        let place = Place::new();
        let other = "{\"metric\": \"x\",  \"score\": 5}\n";
        std::fs::write(&place.path, format!("{other}\n{other}")).unwrap();
        let mut ledger = place.open();
        ledger.apply(vec![put(1, "a", 3.0)]).unwrap();
        ledger.apply(vec![put(1, "b", 4.0)]).unwrap();
        assert!(place.text().starts_with(&format!("{other}{other}")));
        assert_eq!(place.scores(), [5.0, 5.0, 4.0]);
    }

    #[test]
    fn a_line_cut_short_is_taken_off_and_a_whole_one_ended() {
        let place = Place::new();
        place.open().apply(vec![put(1, "a", 3.0)]).unwrap();
        let whole = place.text();
        for cut in [3, whole.len() - 5, whole.len() - 2] {
            std::fs::write(&place.path, format!("{whole}{}", &whole[..cut])).unwrap();
            place.open().apply(vec![put(2, "a", 4.0)]).unwrap();
            assert_eq!(place.scores(), [3.0, 4.0], "{cut}");
        }
        std::fs::write(&place.path, whole.trim_end()).unwrap();
        place.open().apply(vec![put(2, "a", 4.0)]).unwrap();
        assert_eq!(place.scores(), [3.0, 4.0]);
    }

    #[test]
    fn a_broken_line_in_the_middle_is_named_and_nothing_is_touched() {
        let place = Place::new();
        let text = "{\"score\": 5}\n{\"score\":\n{\"score\": 6}\n";
        std::fs::write(&place.path, text).unwrap();
        let error = Ledger::open(&place.path).err().unwrap();
        assert!(error.to_string().contains("line 2"), "{error}");
        assert_eq!(place.text(), text);
    }

    #[test]
    fn what_others_do_to_the_file_is_noticed() {
        let place = Place::new();
        let mut ledger = place.open();
        ledger
            .apply(vec![put(1, "a", 3.0), put(2, "a", 4.0)])
            .unwrap();
        let first = place.text().lines().next().unwrap().to_owned();
        std::fs::write(&place.path, format!("{first}\n")).unwrap();
        ledger.apply(vec![put(2, "b", 5.0)]).unwrap();
        assert_eq!(place.scores(), [3.0, 5.0]);
        std::fs::remove_file(&place.path).unwrap();
        ledger.apply(vec![put(2, "b", 5.0)]).unwrap();
        assert_eq!(place.scores(), [5.0]);
    }

    #[test]
    fn an_annotation_that_stands_twice_keeps_its_later_row() {
        let place = Place::new();
        place.open().apply(vec![put(1, "a", 3.0)]).unwrap();
        let first = place.text();
        place.open().apply(vec![put(1, "b", 4.0)]).unwrap();
        std::fs::write(&place.path, first + &place.text()).unwrap();
        let mut ledger = place.open();
        assert_eq!(ledger.rows(), 1);
        ledger.apply(vec![put(1, "c", 5.0)]).unwrap();
        assert_eq!(place.scores(), [5.0]);
    }

    #[test]
    fn an_annotation_of_another_server_overwrites_nothing() {
        let place = Place::new();
        let mut ledger = place.open();
        ledger.apply(vec![put(1, "a", 3.0)]).unwrap();
        let mut other = row(1, "b", 8.0);
        other.origin.created = Some("2025-05-05".into());
        let error = ledger
            .apply(vec![Change::Put(Box::new(other))])
            .unwrap_err();
        assert!(
            error.to_string().contains("another Label Studio"),
            "{error}"
        );
        assert_eq!(place.scores(), [3.0]);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error_and_forgets_nothing() {
        let place = Place::new();
        let missing = place.path.parent().unwrap().join("missing/rows.jsonl");
        let mut ledger = Ledger::open(&missing).unwrap();
        for _ in 0..2 {
            let error = ledger.apply(vec![put(1, "a", 3.0)]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io);
        }
        std::fs::create_dir(missing.parent().unwrap()).unwrap();
        assert_eq!(ledger.apply(vec![put(1, "a", 3.0)]).unwrap().added, 1);
    }
}
