//! Names in addresses.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const PATH: &AsciiSet = &SEGMENT.remove(b'/');

/// `text` as it stands in a path; with `slashes` too, as one segment of it.
pub fn escaped(text: &str, slashes: bool) -> String {
    let set = if slashes { SEGMENT } else { PATH };
    utf8_percent_encode(text, set).to_string()
}
