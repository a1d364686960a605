//! The native companion: files, downloads and the command line around the library.

pub mod args;
mod embed;
mod embedders;
mod eval;
pub mod fetch;
pub mod forms;
mod hosted;
pub mod http;
pub mod import;
mod inspect;
pub mod interchange;
mod label_studio;
mod map;
pub mod model;
pub mod output;
pub mod pack;
mod pairs;
mod parquet;
mod predict;
pub mod progress;
pub mod rows;
mod score;
pub mod serve;
mod survey;
pub mod vocabulary;

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

/// Reads a whole file.
///
/// # Errors
/// `Io` naming the file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| io("read", path, &error))
}

/// Writes a file beside its name and renames it, so that nothing half-written is found under it.
///
/// # Errors
/// `Io` naming the file.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let part = PathBuf::from(part);
    std::fs::write(&part, bytes).map_err(|error| io("write", &part, &error))?;
    std::fs::rename(&part, path).map_err(|error| io("write", path, &error))
}

/// Makes a folder and those above it.
///
/// # Errors
/// `Io` naming the folder.
pub fn create_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|error| io("make the folder", path, &error))
}

/// An `Io` error that says what could not be done to which file.
pub(crate) fn io(what: &str, path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::new(
        ErrorKind::Io,
        format!("cannot {what} {}: {error}", path.display()),
    )
}

/// Prints one line, or lines, of results. A reader that has seen enough (`| head`) is no failure.
///
/// # Errors
/// `Io` when standard output refuses for another reason.
pub fn print(text: impl std::fmt::Display) -> Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(io("write to", Path::new("standard output"), &error))
        }
        _ => Ok(()),
    }
}

/// Runs a future of the library to its end on this thread.
pub fn block_on<F: Future>(future: F) -> F::Output {
    pollster::block_on(future)
}
