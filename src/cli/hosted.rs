//! Bundles that `touchstone serve` offers beside the page's own model.

use std::path::{Path, PathBuf};

use axum::Router;
use axum::http::header;
use axum::routing::get;
use serde::Serialize;
use tower_http::services::ServeDir;

use crate::bundle::{MANIFEST, Manifest};
use crate::error::{Error, ErrorKind, Result};

/// Folder of the page's own model, as the page knows it.
const OWN: &str = "model";

/// `bundles.json`, which the page reads to offer a choice.
#[derive(Serialize)]
struct List {
    bundles: Vec<Entry>,
}

/// One bundle of the list.
#[derive(Serialize)]
struct Entry {
    name: String,
    /// Relative to the page, with a slash at the end.
    path: String,
    /// Of all files.
    bytes: u64,
    about: String,
}

/// A folder under `/models/NAME/`.
struct Hosted {
    name: String,
    folder: PathBuf,
    entry: Entry,
}

/// Routes for the bundles in `folders` and for the list of them, after the model of the page in
/// `page`; none where there are no folders, so that a list written by hand is served.
///
/// # Errors
/// `Input` for a folder whose name cannot stand in an address or comes twice, or without heads; as
/// [`Manifest::from_json`] and `Io` for one that holds no bundle.
pub fn routes(page: &Path, folders: &[PathBuf]) -> Result<Router> {
    if folders.is_empty() {
        return Ok(Router::new());
    }
    let hosted = folders.iter().map(|folder| Hosted::open(folder));
    let hosted = hosted.collect::<Result<Vec<_>>>()?;
    ensure_distinct(&hosted)?;
    let mut router = Router::new();
    for bundle in &hosted {
        let files = ServeDir::new(&bundle.folder)
            .precompressed_br()
            .precompressed_gzip();
        router = router.nest_service(&format!("/models/{}", bundle.name), files);
    }
    let list = list(own_entry(page), hosted)?;
    let answer = || async { ([(header::CONTENT_TYPE, "application/json")], list) };
    Ok(router.route("/bundles.json", get(answer)))
}

impl Hosted {
    fn open(folder: &Path) -> Result<Self> {
        let name = name_of(folder)?;
        let manifest = read_manifest(folder)?;
        ensure_heads(folder, &manifest)?;
        let entry = Entry::new(&name, format!("models/{name}/"), &manifest);
        let folder = folder.to_owned();
        Ok(Self {
            name,
            folder,
            entry,
        })
    }
}

impl Entry {
    fn new(name: &str, path: String, manifest: &Manifest) -> Self {
        let scheme = manifest.encoder.quantisation.split(':').next();
        Self {
            name: name.to_owned(),
            path,
            bytes: manifest.files.values().map(|file| file.bytes).sum(),
            about: format!("{}, {}", manifest.encoder.name, scheme.unwrap_or_default()),
        }
    }
}

/// The folder's own name, which becomes part of an address.
fn name_of(folder: &Path) -> Result<String> {
    let full = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let name = full.file_name().and_then(|name| name.to_str());
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match name {
        Some(name) if name.chars().all(plain) && !name.starts_with('.') => Ok(name.to_owned()),
        _ => {
            let message = format!(
                "--bundle {}: the folder's name becomes part of an address, so it must be made of \
                 letters, digits, `-`, `_` and `.` (not in front); rename the folder",
                folder.display()
            );
            Err(Error::new(ErrorKind::Input, message))
        }
    }
}

fn read_manifest(folder: &Path) -> Result<Manifest> {
    let path = folder.join(MANIFEST);
    let bytes = std::fs::read(&path).map_err(|error| {
        let advice = "name a folder that `touchstone pack` made";
        let folder = folder.display();
        let message = format!("--bundle {folder}: cannot read {MANIFEST} ({error}); {advice}");
        Error::new(ErrorKind::Io, message)
    })?;
    Manifest::from_json(&bytes)
}

/// An encoder alone cannot score, so the page could not load it.
fn ensure_heads(folder: &Path, manifest: &Manifest) -> Result<()> {
    if manifest.heads.is_some() {
        return Ok(());
    }
    let message = format!(
        "--bundle {}: it holds an encoder without heads and cannot score; pack it with `--heads`",
        folder.display()
    );
    Err(Error::new(ErrorKind::Input, message))
}

/// The page's own model, where it has one that can be read.
fn own_entry(page: &Path) -> Option<Entry> {
    let manifest = read_manifest(&page.join(OWN)).ok()?;
    Some(Entry::new(&manifest.name, format!("{OWN}/"), &manifest))
}

fn ensure_distinct(hosted: &[Hosted]) -> Result<()> {
    for (index, bundle) in hosted.iter().enumerate() {
        let twin = hosted[..index].iter().find(|it| it.name == bundle.name);
        if let Some(twin) = twin {
            let message = format!(
                "--bundle {} and --bundle {} have the same name, {}; rename one of the folders",
                twin.folder.display(),
                bundle.folder.display(),
                bundle.name
            );
            return Err(Error::new(ErrorKind::Input, message));
        }
    }
    Ok(())
}

fn list(own: Option<Entry>, hosted: Vec<Hosted>) -> Result<String> {
    let others = hosted.into_iter().map(|bundle| bundle.entry);
    let bundles = own.into_iter().chain(others).collect();
    serde_json::to_string_pretty(&List { bundles })
        .map_err(|error| Error::new(ErrorKind::Io, format!("bundles.json: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(folders: &[PathBuf]) -> Error {
        routes(Path::new("."), folders).expect_err("these folders cannot be served")
    }

    fn folder(above: &Path, name: &str) -> PathBuf {
        let folder = above.join(name);
        std::fs::create_dir(&folder).unwrap();
        let config = include_str!("../../tests/fixtures/tiny-bert/config.json");
        let config: serde_json::Value = serde_json::from_str(config).unwrap();
        let manifest = serde_json::json!({
            "format": "touchstone-bundle", "version": 1, "name": "n", "files": {},
            "encoder": { "name": "e", "source": "s", "quantisation": "q8: ...", "config": config },
        });
        std::fs::write(folder.join(MANIFEST), manifest.to_string()).unwrap();
        folder
    }

    #[test]
    fn a_folder_without_a_bundle_says_what_to_name() {
        let empty = tempfile::tempdir().unwrap();
        let missing = empty.path().join("mine");
        let error = refused(&[missing]);
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("touchstone pack"), "{error}");
    }

    #[test]
    fn a_name_that_cannot_stand_in_an_address_is_refused() {
        let above = tempfile::tempdir().unwrap();
        for name in ["a b", ".hidden", "a%2f", "é"] {
            let error = refused(&[folder(above.path(), name)]);
            assert_eq!(error.kind(), ErrorKind::Input, "{name}");
            assert!(error.to_string().contains("rename the folder"), "{error}");
        }
    }

    #[test]
    fn an_encoder_alone_is_refused() {
        let above = tempfile::tempdir().unwrap();
        let error = refused(&[folder(above.path(), "plain")]);
        assert!(error.to_string().contains("without heads"), "{error}");
    }
}
