//! What a visitor downloads: file sizes, raw and as a server sends them.

use std::fs::{self, File};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::place;
use crate::wasm::WasmFile;

/// Bytes after gzip that a shipped wasm file may have.
pub const RELEASE_BUDGET: u64 = 1_500_000;
/// The same for development builds, which no one ships and which go without LTO: it catches a
/// trainer or a second backend slipping in.
pub const DEVELOPMENT_BUDGET: u64 = 2_000_000;

/// Prints every file of a folder with its sizes.
pub fn print(folder: &Path) -> Result<()> {
    println!("\n        bytes       gzip  file");
    for file in place::files_below(folder) {
        let raw = fs::metadata(&file)?.len();
        let zipped = match is_text_or_code(&file) {
            true => grouped(gzip_size(&file)?),
            false => "-".to_string(),
        };
        let name = file.strip_prefix(folder).unwrap_or(&file).display();
        println!("  {:>11} {zipped:>10}  {name}", grouped(raw));
    }
    Ok(())
}

/// Fails when a wasm file of the page is over its budget or not there.
pub fn check(page: &Path, budget: u64) -> Result<()> {
    println!();
    for file in WasmFile::ALL {
        let size = gzip_size(&wasm_file(page, file))?;
        let (title, size, most) = (file.title(), grouped(size), grouped(budget));
        println!("  {title} wasm: {size} bytes after gzip, budget {most}");
    }
    for file in WasmFile::ALL {
        let size = gzip_size(&wasm_file(page, file))?;
        if size > budget {
            bail!(
                "the {} wasm is {} bytes over its gzip budget of {}: look for a new dependency or \
                 feature in the wasm build (`cargo tree --target wasm32-unknown-unknown \
                 --no-default-features --features {}`)",
                file.title(),
                grouped(size - budget),
                grouped(budget),
                file.features()
            );
        }
    }
    Ok(())
}

fn wasm_file(page: &Path, file: WasmFile) -> PathBuf {
    page.join("wasm")
        .join(file.folder())
        .join("touchstone_bg.wasm")
}

/// Weights do not compress, and take long to try.
fn is_text_or_code(file: &Path) -> bool {
    const KINDS: [&str; 6] = ["wasm", "js", "css", "html", "json", "svg"];
    file.extension()
        .and_then(|kind| kind.to_str())
        .is_some_and(|kind| KINDS.contains(&kind))
}

/// Bytes of a file as a server sends it.
pub fn gzip_size(file: &Path) -> Result<u64> {
    let source = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    let mut zip = GzEncoder::new(Counter(0), Compression::best());
    io::copy(&mut BufReader::new(source), &mut zip)
        .with_context(|| format!("cannot read {}", file.display()))?;
    Ok(zip.finish()?.0)
}

/// Counts bytes and forgets them.
struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// 1234567 as `1 234 567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let head = digits.len() % 3;
    let mut groups: Vec<&str> = Vec::new();
    if head > 0 {
        groups.push(&digits[..head]);
    }
    groups.extend(
        (head..digits.len())
            .step_by(3)
            .map(|at| &digits[at..at + 3]),
    );
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(123), "123");
        assert_eq!(grouped(1_234_567), "1 234 567");
    }

    #[test]
    fn a_missing_wasm_file_is_named() {
        let error = check(Path::new("no-such-page"), RELEASE_BUDGET);
        assert!(error.is_err_and(|e| e.to_string().contains("touchstone_bg.wasm")));
    }
}
