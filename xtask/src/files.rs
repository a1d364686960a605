//! `files.json`: every file of the page with its SHA-256, for the service worker.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::place;

const LIST: &str = "files.json";
const SERVICE_WORKER: &str = "sw.js";
/// Start of the line of the service worker that carries the version.
const STAMP: &str = "const VERSION = \"";

/// Writes `PAGE/files.json`, and its hash as the version into `PAGE/sw.js`: any change of the page
/// is then a new service worker. To be called when everything else is there.
pub fn list(page: &Path) -> Result<()> {
    let mut entries = Vec::new();
    for file in place::files_below(page) {
        let path = relative(page, &file)?;
        if is_listed(&path) {
            entries.push(entry(&path, &read(&file)?));
        }
    }
    let files = entries.join(",\n    ");
    let version = hash(files.as_bytes());
    stamp(&page.join(SERVICE_WORKER), &version)?;
    let list = format!("{{\n  \"version\": \"{version}\",\n  \"files\": [\n    {files}\n  ]\n}}\n");
    write(&page.join(LIST), &list)
}

/// The path with slashes, as it stands in an address.
fn relative(page: &Path, file: &Path) -> Result<String> {
    let path = file.strip_prefix(page).unwrap_or(file);
    let path = path.to_string_lossy().replace('\\', "/");
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if !path.chars().all(plain) {
        bail!("{path} has a name that does not stand in an address as it is: rename it");
    }
    Ok(path)
}

/// Models are kept and checked by their own manifests; the service worker names the list, so it
/// cannot be in it. Who hosts decides about the bundles and the embedding pages, at any time.
/// Packed copies and half-built files are never asked for by name.
fn is_listed(path: &str) -> bool {
    let apart = [
        LIST,
        SERVICE_WORKER,
        "bundles.json",
        "embed.json",
        "embed.html",
    ];
    let folders = ["model/", "models/"];
    !(apart.contains(&path)
        || folders.iter().any(|folder| path.starts_with(folder))
        || path.starts_with('.')
        || path.contains(".partial/")
        || path.ends_with(".gz")
        || path.ends_with(".br"))
}

fn entry(path: &str, bytes: &[u8]) -> String {
    let (size, sha256) = (bytes.len(), hash(bytes));
    format!("{{ \"path\": \"{path}\", \"bytes\": {size}, \"sha256\": \"{sha256}\" }}")
}

fn hash(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Replaces the version in the service worker, whichever it has.
fn stamp(file: &Path, version: &str) -> Result<()> {
    let text = String::from_utf8(read(file)?).context("sw.js is not UTF-8")?;
    let Some((before, rest)) = text.split_once(STAMP) else {
        bail!("{} has no line `{STAMP}...`", file.display());
    };
    let after = rest.split_once('"').map_or("", |(_, after)| after);
    write(file, &format!("{before}{STAMP}{version}\"{after}"))
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page with a model, in a folder of its own.
    fn page(name: &str) -> std::path::PathBuf {
        let page = std::env::temp_dir().join(format!("xtask-files-{name}-{}", std::process::id()));
        place::remove_tree(&page).unwrap();
        fs::create_dir_all(page.join("wasm/cpu")).unwrap();
        fs::create_dir_all(page.join("model")).unwrap();
        for file in [
            "index.html",
            "page.js",
            "wasm/cpu/a_bg.wasm",
            "model/bundle.json",
            "page.js.gz",
        ] {
            fs::write(page.join(file), "abc").unwrap();
        }
        let worker = place::root().join("web").join(SERVICE_WORKER);
        fs::copy(worker, page.join(SERVICE_WORKER)).unwrap();
        page
    }

    fn version(page: &Path) -> String {
        let worker = fs::read_to_string(page.join(SERVICE_WORKER)).unwrap();
        let (_, rest) = worker.split_once(STAMP).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }

    #[test]
    fn files_are_listed_with_their_hashes_and_models_are_not() {
        let page = page("list");
        list(&page).unwrap();
        let text = fs::read_to_string(page.join(LIST)).unwrap();
        // FIPS 180-2, the example of one block.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for path in ["index.html", "page.js", "wasm/cpu/a_bg.wasm"] {
            let entry = format!("{{ \"path\": \"{path}\", \"bytes\": 3, \"sha256\": \"{abc}\" }}");
            assert!(text.contains(&entry), "{text}");
        }
        for path in ["model/", "sw.js", "files.json", ".gz"] {
            assert!(!text.contains(path), "{path} is in {text}");
        }
        assert!(text.contains(&version(&page)), "one version in both");
        place::remove_tree(&page).unwrap();
    }

    #[test]
    fn the_version_follows_the_files_and_nothing_else() {
        let page = page("version");
        list(&page).unwrap();
        let first = version(&page);
        list(&page).unwrap();
        assert_eq!(version(&page), first, "listing twice changes nothing");
        fs::write(page.join("page.js"), "abd").unwrap();
        list(&page).unwrap();
        assert_ne!(version(&page), first);
        place::remove_tree(&page).unwrap();
    }
}
