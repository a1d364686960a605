//! Where fetched checkpoints are kept: `hub/<org>--<name>/<commit>/` in the cache folder, and
//! beside the commits `refs/<revision>`, which remember what commit a revision meant.

use std::path::{Path, PathBuf};

use super::name::Model;
use super::record::Record;
use super::{DEFAULT_MODEL, is_commit, packages};
use crate::cli::model::{cache_folder, checkpoint_folder};
use crate::cli::{create_folder, read, write};
use crate::error::{Error, ErrorKind, Result};

/// A checkpoint in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// `org/name` on the hub.
    pub name: String,
    /// The commit; none for the default encoder out of the Python packages.
    pub commit: Option<String>,
    /// Bytes of all files.
    pub bytes: u64,
    /// Its folder, as `touchstone pack` takes it.
    pub folder: PathBuf,
}

/// The folder of one model in the cache.
pub struct Shelf(PathBuf);

impl Shelf {
    /// Where `model` is kept; nothing is made yet.
    ///
    /// # Errors
    /// As [`cache_folder`].
    pub fn of(model: &Model) -> Result<Self> {
        Ok(Self(hub_folder()?.join(model.name.replace('/', "--"))))
    }

    /// The folder of a commit.
    pub fn folder(&self, commit: &str) -> PathBuf {
        self.0.join(commit)
    }

    /// The commit that the model's revision is, or meant when it was last fetched.
    ///
    /// # Errors
    /// `Io`, and `Format` where the note is no commit.
    pub fn commit(&self, model: &Model) -> Result<Option<String>> {
        let path = self.reference(&model.revision);
        if model.commit().is_some() || !path.exists() {
            return Ok(model.commit().map(str::to_owned));
        }
        let commit = String::from_utf8_lossy(&read(&path)?).trim().to_owned();
        if is_commit(&commit) {
            return Ok(Some(commit));
        }
        let message = format!(
            "{} holds `{commit}`, expected a commit of 40 hexadecimal digits; delete it and fetch \
             again",
            path.display()
        );
        Err(Error::new(ErrorKind::Format, message))
    }

    /// Remembers what commit the model's revision means.
    ///
    /// # Errors
    /// `Io`.
    pub fn remember(&self, model: &Model, commit: &str) -> Result<()> {
        if model.commit().is_some() {
            return Ok(());
        }
        create_folder(&self.0.join("refs"))?;
        write(&self.reference(&model.revision), commit.as_bytes())
    }

    /// The folder of the model with its record, where it is here whole.
    ///
    /// # Errors
    /// As [`Shelf::commit`] and [`Record::find`].
    pub fn find(&self, model: &Model) -> Result<Option<(PathBuf, Record)>> {
        let Some(commit) = self.commit(model)? else {
            return Ok(None);
        };
        let folder = self.folder(&commit);
        let record = Record::find(&folder)?;
        Ok(record.map(|record| (folder, record)))
    }

    fn reference(&self, revision: &str) -> PathBuf {
        // A revision such as refs/pr/1 stays one file; it holds no `%` of its own.
        self.0.join("refs").join(revision.replace('/', "%2F"))
    }
}

fn hub_folder() -> Result<PathBuf> {
    Ok(cache_folder()?.join("hub"))
}

/// All checkpoints in the cache that are there whole, by name.
///
/// # Errors
/// `Io`, and `Format` for a record that cannot be read.
pub fn fetched() -> Result<Vec<Cached>> {
    let mut found = Vec::new();
    for shelf in folders(&hub_folder()?) {
        for folder in folders(&shelf) {
            found.extend(Record::find(&folder)?.map(|record| Cached {
                bytes: record.bytes(),
                name: record.name,
                commit: Some(record.commit),
                folder,
            }));
        }
    }
    found.extend(packaged()?);
    found.sort_by(|a, b| (&a.name, &a.commit).cmp(&(&b.name, &b.commit)));
    Ok(found)
}

/// The default encoder out of the Python packages, where it is here.
///
/// # Errors
/// As [`checkpoint_folder`].
pub fn packaged() -> Result<Option<Cached>> {
    let folder = checkpoint_folder()?;
    Ok(packages::is_there(&folder).then(|| Cached {
        name: DEFAULT_MODEL.to_owned(),
        commit: None,
        bytes: packages::bytes(&folder),
        folder,
    }))
}

/// Folders in `path`; none where it is missing.
fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.filter(|path| path.is_dir()).collect()
}
