//! The file forms people keep rows in: CSV, a JSON list, JSON lines, each also gzipped, and Parquet.
//!
//! This file turns bytes into named fields; [`rows`](super::rows) says what the fields mean.

use std::cell::Cell;
use std::io::Read;
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::parquet;
use crate::error::{Error, ErrorKind, Result};

/// How a file writes its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Comma-separated values with the column names in the first record.
    Csv,
    /// One JSON list of objects, the challenge's form.
    JsonList,
    /// One JSON object a line.
    JsonLines,
    /// Apache Parquet with flat columns.
    Parquet,
}

/// One element of a file before anybody asked what it means.
#[derive(Clone, Debug)]
pub struct Element {
    /// 1-based: the data row of a CSV or Parquet file, the element of a JSON list, the line of
    /// JSON lines.
    pub number: usize,
    /// 1-based line where the element starts; none in a JSON list and in Parquet.
    pub line: Option<usize>,
    /// An object where the element is a row; the reason where it could not be read.
    pub value: std::result::Result<Value, String>,
}

impl Element {
    /// The element's place in words: `row 3 (line 5)`, `row 3`, or `line 5` in JSON lines.
    pub fn place(&self, form: Form) -> String {
        match (form, self.line) {
            (Form::JsonLines, _) => format!("line {}", self.number),
            (_, Some(line)) => format!("row {} (line {line})", self.number),
            (_, None) => format!("row {}", self.number),
        }
    }
}

/// A file's elements and the names of its fields.
#[derive(Clone, Debug)]
pub struct Elements {
    /// The field names: a CSV file's header as written, else every key in order of appearance.
    pub header: Vec<String>,
    /// The elements in file order.
    pub elements: Vec<Element>,
}

/// The form and the elements of a file's bytes; `path` only helps to tell its form.
///
/// # Errors
/// As [`text`] and [`split`]; for Parquet, `Data` when it is cut short, damaged or packed by an
/// unknown codec, or has a column that cannot be read (which).
pub fn read(bytes: Vec<u8>, path: &Path) -> Result<(Form, Elements)> {
    let bytes = unpacked(bytes)?;
    if bytes.starts_with(parquet::MAGIC) {
        return Ok((Form::Parquet, parquet::elements(bytes)?));
    }
    let text = decoded(bytes)?;
    let form = detect(path, &text);
    Ok((form, split(&text, form)?))
}

/// The text of `bytes`: unpacked if they are gzip, without a byte order mark.
///
/// # Errors
/// `Data` for a damaged gzip stream and for bytes that are not UTF-8 (offset and line).
pub fn text(bytes: Vec<u8>) -> Result<String> {
    decoded(unpacked(bytes)?)
}

fn unpacked(bytes: Vec<u8>) -> Result<Vec<u8>> {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return gunzip(&bytes);
    }
    Ok(bytes)
}

fn decoded(bytes: Vec<u8>) -> Result<String> {
    let text = String::from_utf8(bytes)
        .map_err(|e| not_utf8(e.as_bytes(), e.utf8_error().valid_up_to()))?;
    Ok(text
        .strip_prefix('\u{feff}')
        .map(str::to_owned)
        .unwrap_or(text))
}

fn gunzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes)
        .read_to_end(&mut out)
        .map_err(|e| {
            Error::new(
                ErrorKind::Data,
                format!("gzip data is damaged or cut short: {e}"),
            )
        })?;
    Ok(out)
}

fn not_utf8(bytes: &[u8], offset: usize) -> Error {
    let line = 1 + bytes[..offset].iter().filter(|b| **b == b'\n').count();
    let hint = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "; it looks like UTF-16",
        _ => "",
    };
    let found = bytes[offset];
    Error::new(
        ErrorKind::Data,
        format!(
            "not UTF-8: byte {found:#04x} at offset {offset}, line {line}{hint}; save the file as UTF-8"
        ),
    )
}

/// The form of a text file, from its first character and, where that is not enough, its name.
pub fn detect(path: &Path, text: &str) -> Form {
    let name = path.to_string_lossy().to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let lines = name.ends_with(".jsonl") || name.ends_with(".ndjson");
    match text.trim_start().as_bytes().first() {
        _ if name.ends_with(".csv") => Form::Csv,
        _ if name.ends_with(".parquet") => Form::Parquet,
        Some(b'[') if !lines => Form::JsonList,
        Some(b'{') => Form::JsonLines,
        _ if lines => Form::JsonLines,
        _ if name.ends_with(".json") => Form::JsonList,
        _ => Form::Csv,
    }
}

/// Splits `text` into elements. Blank lines are no elements.
///
/// # Errors
/// `Data` for an empty file, a malformed list, an unequal CSV record, an unclosed CSV quote, or
/// text that calls itself Parquet. A malformed line of JSON lines becomes an element with its reason.
pub fn split(text: &str, form: Form) -> Result<Elements> {
    if text.trim().is_empty() {
        return Err(Error::new(ErrorKind::Data, "the file is empty"));
    }
    match form {
        Form::Csv => csv_elements(text),
        Form::JsonList => Ok(with_keys(list_elements(text)?)),
        Form::JsonLines => Ok(with_keys(line_elements(text))),
        Form::Parquet => Err(Error::new(
            ErrorKind::Data,
            "the name says Parquet, but the file does not begin with PAR1; save it again",
        )),
    }
}

/// The keys under which [`Element::value`] holds a CSV header's columns: trimmed, and numbered
/// (`name#2`) where a name stands twice, so that no cell is lost.
pub fn keys(header: &[String]) -> Vec<String> {
    let mut keys: Vec<String> = Vec::with_capacity(header.len());
    for title in header {
        let name = title.trim();
        let numbered = (2..).map(|i| format!("{name}#{i}"));
        let free = std::iter::once(name.to_owned())
            .chain(numbered)
            .find(|k| !keys.contains(k));
        keys.extend(free);
    }
    keys
}

fn csv_elements(text: &str) -> Result<Elements> {
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let mut lines = Lines {
        text,
        at: 0,
        line: 1,
    };
    let header: Vec<String> = reader
        .headers()
        .map_err(malformed_csv)?
        .iter()
        .map(str::to_owned)
        .collect();
    let keys = keys(&header);
    let mut elements = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| uneven(e, &mut lines))?;
        let line = record.position().map(|p| lines.of(p.byte()));
        elements.push(csv_element(&record, &keys, elements.len() + 1, line));
    }
    closed_quotes(text, &elements)?;
    Ok(Elements { header, elements })
}

/// Line numbers of ever later byte offsets. The csv reader's own are taken before it skips
/// blank lines and the second half of CR LF.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line of the record that the reader starts looking for at `byte`.
    fn of(&mut self, byte: u64) -> usize {
        let bytes = self.text.as_bytes();
        let byte = (byte as usize).min(bytes.len());
        let gap = bytes[byte..]
            .iter()
            .take_while(|b| matches!(b, b'\r' | b'\n'))
            .count();
        let end = byte + gap;
        self.line += bytes[self.at..end].iter().filter(|b| **b == b'\n').count();
        self.at = end;
        self.line
    }
}

fn csv_element(
    record: &csv::StringRecord,
    keys: &[String],
    number: usize,
    line: Option<usize>,
) -> Element {
    let cells = record.iter().map(|cell| Value::String(cell.to_owned()));
    let fields: Map<String, Value> = keys.iter().cloned().zip(cells).collect();
    let blank = record.iter().all(|cell| cell.trim().is_empty());
    Element {
        number,
        line,
        value: if blank {
            Err("every cell is empty".to_owned())
        } else {
            Ok(Value::Object(fields))
        },
    }
}

/// The csv reader lets an unclosed quote swallow the rest of the file; rows would vanish silently.
fn closed_quotes(text: &str, elements: &[Element]) -> Result<()> {
    let odd = text.bytes().filter(|b| *b == b'"').count() % 2 == 1;
    let last = elements.last().filter(|_| odd);
    let Some(Element {
        number,
        line: Some(line),
        value: Ok(Value::Object(fields)),
    }) = last
    else {
        return Ok(());
    };
    let swallows = |v: &Value| v.as_str().is_some_and(|cell| cell.contains('\n'));
    if !fields.values().any(swallows) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Data,
        format!("row {number} (line {line}): a quote is opened and never closed"),
    ))
}

fn uneven(error: csv::Error, lines: &mut Lines<'_>) -> Error {
    let csv::ErrorKind::UnequalLengths {
        pos: Some(pos),
        expected_len,
        len,
    } = error.kind()
    else {
        return malformed_csv(error);
    };
    let (row, line) = (pos.record(), lines.of(pos.byte()));
    Error::new(
        ErrorKind::Data,
        format!("row {row} (line {line}): {len} cells, expected {expected_len} as in the header"),
    )
}

fn malformed_csv(error: csv::Error) -> Error {
    Error::new(ErrorKind::Data, format!("malformed CSV: {error}"))
}

fn with_keys(elements: Vec<Element>) -> Elements {
    let mut header: Vec<String> = Vec::new();
    let objects = elements
        .iter()
        .filter_map(|e| e.value.as_ref().ok()?.as_object());
    for key in objects.flat_map(Map::keys) {
        if !header.contains(key) {
            header.push(key.clone());
        }
    }
    Elements { header, elements }
}

fn line_elements(text: &str) -> Vec<Element> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(i, line)| Element {
            number: i + 1,
            line: Some(i + 1),
            value: serde_json::from_str(line).map_err(|e| malformed(line, &e)),
        })
        .collect()
}

fn malformed(text: &str, error: &serde_json::Error) -> String {
    let bare =
        |word: &str| text.contains(&format!(": {word}")) || text.contains(&format!(":{word}"));
    if ["NaN", "Infinity", "-Infinity"].into_iter().any(bare) {
        return "malformed JSON: NaN and Infinity are not JSON numbers".to_owned();
    }
    if error.is_eof() {
        return "malformed JSON: cut short (one whole object a line is expected)".to_owned();
    }
    format!("malformed JSON at column {}: {error}", error.column())
}

fn list_elements(text: &str) -> Result<Vec<Element>> {
    let read = Cell::new(0);
    let mut json = serde_json::Deserializer::from_str(text);
    let values = List { read: &read }
        .deserialize(&mut json)
        .and_then(|v| json.end().map(|()| v));
    let values = values.map_err(|e| {
        let (number, line) = (read.get() + 1, e.line());
        let rest = text.lines().nth(line.saturating_sub(1)).unwrap_or("");
        Error::new(
            ErrorKind::Data,
            format!("row {number} (line {line}): {}", malformed(rest, &e)),
        )
    })?;
    let element = |(i, value)| Element {
        number: i + 1,
        line: None,
        value: Ok(value),
    };
    Ok(values.into_iter().enumerate().map(element).collect())
}

/// Reads a list and counts what it has read, so that an error can name the row.
struct List<'a> {
    read: &'a Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = Vec<Value>;

    fn deserialize<D: Deserializer<'de>>(
        self,
        json: D,
    ) -> std::result::Result<Self::Value, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = Vec<Value>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(
        self,
        mut seq: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(std::marker::PhantomData::<Value>)? {
            values.push(value);
            self.read.set(values.len());
        }
        Ok(values)
    }
}

/// What a JSON value is, in a user's words.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(text: &str) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        out.write_all(text.as_bytes()).unwrap();
        out.finish().unwrap()
    }

    fn message<T>(result: Result<T>) -> String {
        let error = result.err().expect("an error");
        assert_eq!(error.kind(), ErrorKind::Data);
        error.to_string()
    }

    #[test]
    fn the_form_follows_content_then_name() {
        let form = |name: &str, text| detect(Path::new(name), text);
        assert_eq!(form("a.json", " \n[{}]"), Form::JsonList);
        assert_eq!(form("a.json", "{\"a\":1}\n{}"), Form::JsonLines);
        assert_eq!(form("a.jsonl.gz", "{}"), Form::JsonLines);
        assert_eq!(form("a.jsonl", "[1]\n{}"), Form::JsonLines);
        assert_eq!(form("a.JSON", "nonsense"), Form::JsonList);
        assert_eq!(form("a.csv.gz", "[a],b"), Form::Csv);
        assert_eq!(form("a", "a,b\n1,2"), Form::Csv);
        let text = split("a,b", form("a.parquet", "a,b"));
        assert!(message(text).contains("does not begin with PAR1"));
    }

    #[test]
    fn gzip_and_byte_order_mark_are_taken_off() {
        assert_eq!(text(gzip("\u{feff}नमस्ते")).unwrap(), "नमस्ते");
        let mut cut = gzip(&"long text ".repeat(100));
        cut.truncate(cut.len() - 9);
        assert!(message(text(cut)).contains("cut short"));
    }

    #[test]
    fn a_file_that_is_not_utf8_names_offset_and_line() {
        let found = message(text(b"a,b\nok,fine\ncaf\xe9,x\n".to_vec()));
        assert!(found.contains("0xe9 at offset 15, line 3"), "{found}");
        assert!(message(text(b"\xff\xfea\0".to_vec())).contains("UTF-16"));
    }

    #[test]
    fn csv_keeps_quoted_newlines_crlf_and_doubled_names() {
        let found = split("a,b,b\r\n\"1\r\nx\",2,3\r\n\r\n4,5,6\r\n", Form::Csv).unwrap();
        assert_eq!(found.header, ["a", "b", "b"]);
        assert_eq!(keys(&found.header), ["a", "b", "b#2"]);
        let rows: Vec<_> = found
            .elements
            .iter()
            .map(|e| (e.number, e.line, e.value.clone().unwrap()))
            .collect();
        assert_eq!(rows[0].2["a"], "1\r\nx");
        assert_eq!(rows[0].2["b#2"], "3");
        assert_eq!((rows[1].0, rows[1].1), (2, Some(5)));
        assert_eq!(found.elements[1].place(Form::Csv), "row 2 (line 5)");
    }

    #[test]
    fn csv_names_the_record_that_does_not_fit() {
        let found = message(split("a,b\n1,2\n3\n", Form::Csv));
        assert!(
            found.contains("row 2 (line 3): 1 cells, expected 2"),
            "{found}"
        );
        let found = message(split("a,b\n1,2\n3,\"4\n5,6\n7,8\n", Form::Csv));
        assert!(
            found.contains("row 2 (line 3): a quote is opened"),
            "{found}"
        );
        assert!(
            split("a,b\n1,5\" pipe\n", Form::Csv).is_ok(),
            "a lone inch mark is no open quote"
        );
    }

    #[test]
    fn json_lines_ignore_blanks_and_keep_the_reason_of_a_bad_line() {
        let found = split(
            "{\"a\":1}\n\n  \n{\"b\":2,\n{\"s\": NaN}\n{\"c\":3}\n",
            Form::JsonLines,
        )
        .unwrap();
        let numbers: Vec<_> = found.elements.iter().map(|e| e.number).collect();
        assert_eq!(numbers, [1, 4, 5, 6]);
        assert_eq!(found.header, ["a", "c"]);
        assert!(
            found.elements[1]
                .value
                .as_ref()
                .unwrap_err()
                .contains("cut short")
        );
        assert!(
            found.elements[2]
                .value
                .as_ref()
                .unwrap_err()
                .contains("NaN")
        );
    }

    #[test]
    fn a_malformed_list_names_its_row() {
        let found = message(split(
            "[{\"a\":1},\n{\"a\":2},\n{\"score\":NaN}]",
            Form::JsonList,
        ));
        assert!(
            found.contains("row 3 (line 3): malformed JSON: NaN"),
            "{found}"
        );
        assert!(message(split("[{\"a\":1},{\"a\"", Form::JsonList)).contains("row 2 (line 1)"));
        assert!(split("[1] x", Form::JsonList).is_err());
        assert!(message(split(" \n", Form::JsonList)).contains("empty"));
    }
}
