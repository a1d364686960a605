//! Finding and loading bundles on this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::args::{BundleArgs, RunArgs};
use crate::bundle::{Bundle, ENCODER, HEADS, MANIFEST, Manifest, PIECES, TOKENIZER};
use crate::error::{Error, ErrorKind, Result};
use crate::scorer::Scorer;

/// Environment variable that names another cache folder.
const CACHE: &str = "TOUCHSTONE_CACHE";

/// Folder for downloads and embeddings.
///
/// # Errors
/// `Io` when the system names no cache folder.
pub fn cache_folder() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os(CACHE) {
        return Ok(folder.into());
    }
    let folder = dirs::cache_dir().map(|folder| folder.join("touchstone"));
    folder.ok_or_else(|| {
        let message = format!("the system names no cache folder; set {CACHE} to one");
        Error::new(ErrorKind::Io, message)
    })
}

/// Where the default checkpoint is kept.
///
/// # Errors
/// As [`cache_folder`].
pub fn checkpoint_folder() -> Result<PathBuf> {
    Ok(cache_folder()?.join("multilingual-e5-small"))
}

/// Opens the bundle named, or the default one.
///
/// # Errors
/// `Io`, and as [`Bundle::from_bytes`].
pub fn open(args: &BundleArgs) -> Result<Bundle> {
    match &args.bundle {
        Some(folder) => read_bundle(folder),
        None => built_in(),
    }
}

/// The default model, which is part of this program.
///
/// # Errors
/// As [`Bundle::from_bytes`].
pub fn built_in() -> Result<Bundle> {
    macro_rules! file {
        ($name:literal) => {
            include_bytes!(concat!("../../models/default/", $name)).as_slice()
        };
    }
    let files = [
        (ENCODER, file!("encoder.safetensors")),
        (HEADS, file!("heads.safetensors")),
        (PIECES, file!("pieces.safetensors")),
        (TOKENIZER, file!("tokenizer.json")),
    ];
    let files = files.map(|(name, bytes)| (name.to_owned(), bytes.to_vec()));
    Bundle::from_bytes(file!("bundle.json"), files.into())
}

/// Reads every file a bundle's manifest names.
///
/// # Errors
/// `Io` when a file is missing, and as [`Manifest::from_json`].
pub fn read_bundle(folder: &Path) -> Result<Bundle> {
    let named = |error: Error| error.context(folder.display());
    let json = super::read(&folder.join(MANIFEST))?;
    let manifest = Manifest::from_json(&json).map_err(named)?;
    let mut files = BTreeMap::new();
    for name in manifest.files.keys() {
        let plain = Path::new(name)
            .file_name()
            .is_some_and(|plain| plain == name.as_str());
        if !plain {
            let message = format!("{MANIFEST} names the file `{name}`, expected a plain file name");
            return Err(named(Error::new(ErrorKind::Format, message)));
        }
        files.insert(name.clone(), super::read(&folder.join(name))?);
    }
    Bundle::from_bytes(&json, files).map_err(named)
}

/// A scorer on this machine.
///
/// # Errors
/// As [`open`] and [`Scorer::load`].
pub fn scorer(args: &RunArgs) -> Result<Scorer> {
    load(open(&args.bundle)?, args)
}

/// The same of a bundle that is open.
///
/// # Errors
/// As [`Scorer::load`].
pub fn load(bundle: Bundle, args: &RunArgs) -> Result<Scorer> {
    Scorer::load(bundle, &args.execution()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_model_is_whole() {
        let bundle = built_in().unwrap();
        bundle.verify_all().unwrap();
        let files = bundle.manifest.files.values().map(|file| file.bytes);
        let manifest = include_bytes!("../../models/default/bundle.json").len() as u64;
        let bytes = files.sum::<u64>() + manifest;
        assert!(bytes < 30_000_000, "{bytes}");
        bundle.heads_info().unwrap();
    }
}
