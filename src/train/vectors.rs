//! Ready-made metric vectors, as the challenge publishes them: a JSON list of names beside a NumPy
//! array with one vector a name.

use std::collections::HashSet;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

const MAGIC: &[u8] = b"\x93NUMPY";

/// One vector for each named metric.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricVectors {
    /// The metrics' names, all different.
    pub names: Vec<String>,
    /// Length of a vector.
    pub width: usize,
    /// The vectors, `[names, width]`, as they stand in the file (not normalised).
    pub values: Vec<f32>,
}

impl MetricVectors {
    /// Reads a list of names and the array that belongs to it.
    ///
    /// # Errors
    /// `Io` if a file cannot be read, else as [`Self::parse`]; the message names the file.
    pub fn read(names: &Path, array: &Path) -> Result<Self> {
        let list = crate::cli::read(names)?;
        let bytes = crate::cli::read(array)?;
        let list = parse_names(&list).map_err(|error| error.context(names.display()))?;
        Self::parse(list, &bytes).map_err(|error| error.context(array.display()))
    }

    /// Puts `names` and the bytes of a NumPy file together.
    ///
    /// # Errors
    /// `Data` when a name stands twice, a vector is all zero or holds NaN or infinity (which);
    /// `Shape` when there is not one vector a name; `Format` for another type, order or number of
    /// dimensions than little-endian f32 or f64, C order, `[names, width]`, or a truncated file.
    pub fn parse(names: Vec<String>, npy: &[u8]) -> Result<Self> {
        check_names(&names)?;
        let (rows, width, values) = parse_npy(npy)?;
        if rows != names.len() {
            let message = format!("{} names but {rows} vectors", names.len());
            return Err(Error::new(ErrorKind::Shape, message));
        }
        let vectors = Self {
            names,
            width,
            values,
        };
        vectors.check_values()?;
        Ok(vectors)
    }

    /// The vector of the metric `name`, if there is one.
    pub fn get(&self, name: &str) -> Option<&[f32]> {
        let index = self.names.iter().position(|known| known == name)?;
        Some(self.row(index))
    }

    fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.width..][..self.width]
    }

    fn check_values(&self) -> Result<()> {
        for (index, name) in self.names.iter().enumerate() {
            let row = self.row(index);
            if let Some((column, value)) = row.iter().enumerate().find(|(_, v)| !v.is_finite()) {
                let message = format!("the vector of `{name}` holds {value} in column {column}");
                return Err(Error::new(ErrorKind::Data, message));
            }
            if row.iter().all(|value| *value == 0.0) {
                let message = format!("the vector of `{name}` is all zero: it has no direction");
                return Err(Error::new(ErrorKind::Data, message));
            }
        }
        Ok(())
    }
}

fn parse_names(json: &[u8]) -> Result<Vec<String>> {
    serde_json::from_slice(json).map_err(|error| {
        let message = format!("expected a JSON list of metric names: {error}");
        Error::new(ErrorKind::Format, message)
    })
}

fn check_names(names: &[String]) -> Result<()> {
    let mut seen = HashSet::new();
    match names.iter().find(|name| !seen.insert(name.as_str())) {
        Some(name) => Err(Error::new(
            ErrorKind::Data,
            format!("the metric `{name}` stands twice in the list of names"),
        )),
        None => Ok(()),
    }
}

/// Rows, columns and values of a NumPy file.
fn parse_npy(bytes: &[u8]) -> Result<(usize, usize, Vec<f32>)> {
    let (header, body) = split_header(bytes)?;
    let order = entry(header, "fortran_order")?;
    if !order.starts_with("False") {
        return Err(format_error(
            "expected C order, found Fortran order; save it with numpy.ascontiguousarray",
        ));
    }
    let (rows, width) = shape(header)?;
    let kind = entry(header, "descr")?;
    let size = if kind.starts_with("'<f4'") { 4 } else { 8 };
    if size == 8 && !kind.starts_with("'<f8'") {
        let found = kind.split(',').next().unwrap_or(kind);
        let message = format!("expected little-endian f32 or f64 ('<f4', '<f8'), found {found}");
        return Err(format_error(message));
    }
    let expected = rows.checked_mul(width).and_then(|n| n.checked_mul(size));
    if expected != Some(body.len()) {
        let message = format!(
            "{rows} x {width} numbers of {size} bytes do not fill the {} bytes there are: \
             the file is cut short or damaged",
            body.len()
        );
        return Err(format_error(message));
    }
    Ok((rows, width, numbers(body, size)))
}

fn numbers(body: &[u8], size: usize) -> Vec<f32> {
    let number = |bytes: &[u8]| match *bytes {
        [a, b, c, d] => f32::from_le_bytes([a, b, c, d]),
        [a, b, c, d, e, f, g, h] => f64::from_le_bytes([a, b, c, d, e, f, g, h]) as f32,
        _ => f32::NAN,
    };
    body.chunks_exact(size).map(number).collect()
}

/// The header, a Python dictionary, and the bytes after it. Format versions 1 to 3.
fn split_header(bytes: &[u8]) -> Result<(&str, &[u8])> {
    if !bytes.starts_with(MAGIC) {
        return Err(format_error("not a NumPy array file (.npy)"));
    }
    let cut = || format_error("the file is cut short within its header");
    let (start, length) = match bytes.get(MAGIC.len()..).ok_or_else(cut)? {
        [1, _, a, b, ..] => (10, usize::from(u16::from_le_bytes([*a, *b]))),
        [2 | 3, _, a, b, c, d, ..] => (12, u32::from_le_bytes([*a, *b, *c, *d]) as usize),
        _ => return Err(cut()),
    };
    let rest = &bytes[start..];
    let (header, body) = rest.split_at_checked(length).ok_or_else(cut)?;
    let header = std::str::from_utf8(header).map_err(|_| format_error("unreadable header"))?;
    Ok((header, body))
}

/// What stands behind a key of the header.
fn entry<'a>(header: &'a str, key: &str) -> Result<&'a str> {
    let found = header.split_once(&format!("'{key}':"));
    let missing = || format_error(format!("the header has no `{key}`: {header}"));
    Ok(found.ok_or_else(missing)?.1.trim_start())
}

fn shape(header: &str) -> Result<(usize, usize)> {
    let text = entry(header, "shape")?;
    let text = text.split_inclusive(')').next().unwrap_or(text);
    let inner = text.trim_start_matches('(').trim_end_matches(')');
    let sizes = inner.split(',').map(str::trim).filter(|s| !s.is_empty());
    let sizes: Vec<Option<usize>> = sizes.map(|size| size.parse().ok()).collect();
    match sizes[..] {
        [Some(rows), Some(width)] if width > 0 => Ok((rows, width)),
        _ => Err(format_error(format!(
            "expected the shape (names, width), found {text}"
        ))),
    }
}

fn format_error(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Format, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(kind: &str, fortran: &str, shape: &str, body: &[u8]) -> Vec<u8> {
        let header =
            format!("{{'descr': '{kind}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n");
        let length = (header.len() as u16).to_le_bytes();
        [MAGIC, &[1, 0], &length, header.as_bytes(), body].concat()
    }

    fn f32s(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    fn two(values: &[f32]) -> Result<MetricVectors> {
        let names = vec!["fairness".into(), "bias/gender".into()];
        MetricVectors::parse(names, &npy("<f4", "False", "(2, 3)", &f32s(values)))
    }

    fn refused(found: Result<MetricVectors>, kind: ErrorKind, words: &str) {
        let error = found.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }

    fn npy_refused(bytes: &[u8], words: &str) {
        let found = MetricVectors::parse(vec!["a".into()], bytes);
        refused(found, ErrorKind::Format, words);
    }

    #[test]
    fn a_vector_is_found_by_name() {
        let vectors = two(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        assert_eq!(vectors.get("bias/gender"), Some(&[4.0, 5.0, 6.0][..]));
        assert_eq!(vectors.get("bias"), None);
    }

    #[test]
    fn f64_and_version_2_headers_are_read() {
        let body: Vec<u8> = [0.5f64, -2.0]
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        let one = npy("<f8", "False", "(1, 2)", &body);
        let length = &[one[8], one[9], 0, 0];
        let two = [MAGIC, &[2, 0], length, &one[10..]].concat();
        for bytes in [one, two] {
            let vectors = MetricVectors::parse(vec!["a".into()], &bytes).unwrap();
            assert_eq!((vectors.width, &vectors.values[..]), (2, &[0.5, -2.0][..]));
        }
    }

    #[test]
    fn values_without_a_direction_name_their_metric() {
        for bad in [f32::NAN, f32::INFINITY] {
            let found = two(&[1.0, 2.0, 3.0, 4.0, bad, 6.0]);
            refused(found, ErrorKind::Data, "`bias/gender` holds");
        }
        let found = two(&[0.0, 0.0, 0.0, 4.0, 5.0, 6.0]);
        refused(found, ErrorKind::Data, "`fairness` is all zero");
    }

    #[test]
    fn an_f64_too_large_for_f32_is_infinite() {
        let bytes = npy("<f8", "False", "(1, 1)", &1e300f64.to_le_bytes());
        let found = MetricVectors::parse(vec!["a".into()], &bytes);
        refused(found, ErrorKind::Data, "holds inf");
    }

    #[test]
    fn names_and_vectors_belong_together() {
        let bytes = npy("<f4", "False", "(1, 2)", &f32s(&[1.0, 2.0]));
        let names = |names: &[&str]| names.iter().map(|n| n.to_string()).collect();
        let found = MetricVectors::parse(names(&["a", "b"]), &bytes);
        refused(found, ErrorKind::Shape, "2 names but 1 vectors");
        let found = MetricVectors::parse(names(&["a", "a"]), &bytes);
        refused(found, ErrorKind::Data, "`a` stands twice");
        let error = parse_names(b"{\"a\": 1}").unwrap_err();
        assert!(error.to_string().contains("JSON list of metric names"));
    }

    #[test]
    fn other_arrays_are_refused_with_what_they_are() {
        let body = f32s(&[1.0, 2.0]);
        npy_refused(&npy(">f4", "False", "(1, 2)", &body), "found '>f4'");
        npy_refused(&npy("<i8", "False", "(1, 1)", &body), "found '<i8'");
        npy_refused(&npy("<f4", "True", "(1, 2)", &body), "Fortran order");
        npy_refused(&npy("<f4", "False", "(2,)", &body), "found (2,)");
        npy_refused(&npy("<f4", "False", "(1, 0)", &[]), "found (1, 0)");
        npy_refused(&npy("<f4", "False", "(1, 3)", &body), "cut short");
        npy_refused(b"PK\x03\x04", "not a NumPy array");
    }

    #[test]
    fn a_file_cut_anywhere_is_refused() {
        let whole = npy("<f4", "False", "(1, 2)", &f32s(&[1.0, 2.0]));
        for length in 0..whole.len() {
            let found = MetricVectors::parse(vec!["a".into()], &whole[..length]);
            assert_eq!(found.unwrap_err().kind(), ErrorKind::Format, "{length}");
        }
    }

    #[test]
    fn a_shape_beyond_memory_is_refused() {
        let shape = format!("({}, {})", usize::MAX, usize::MAX);
        npy_refused(&npy("<f4", "False", &shape, &[]), "cut short");
    }
}
