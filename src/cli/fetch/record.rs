//! What was fetched: the record beside a checkpoint, enforced ever after.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::plan::is_safe;
use super::{RECORD, is_commit};
use crate::bundle::FileEntry;
use crate::cli::{io, read, write};
use crate::error::{Error, ErrorKind, Result};

/// Bytes hashed at a time.
const CHUNK: usize = 1 << 20;

/// The content of `fetched.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// `org/name` on the hub.
    pub name: String,
    /// The revision asked for when it was fetched.
    pub revision: String,
    /// The commit that was.
    pub commit: String,
    /// Page of the commit.
    pub source: String,
    /// The licence the model card names, by the hub's identifier.
    pub licence: Option<String>,
    /// How access was granted, where the model is gated: `auto` or `manual`.
    pub gated: Option<String>,
    /// Size and SHA-256 of each file, by its path in the folder with `/`.
    pub files: BTreeMap<String, FileEntry>,
}

impl Record {
    /// The record in `folder`, if there is one.
    ///
    /// # Errors
    /// `Io`, and `Format` for what is no record or names a file outside the folder.
    pub fn find(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(RECORD);
        if !path.exists() {
            return Ok(None);
        }
        let wrong =
            |error: String| Error::new(ErrorKind::Format, format!("{}: {error}", path.display()));
        let record: Self =
            serde_json::from_slice(&read(&path)?).map_err(|error| wrong(error.to_string()))?;
        if let Some(file) = record.files.keys().find(|file| !is_safe(file)) {
            return Err(wrong(format!("`{file}` is no path inside the folder")));
        }
        match is_commit(&record.commit) {
            true => Ok(Some(record)),
            false => Err(wrong(format!("`{}` is no commit", record.commit))),
        }
    }

    /// Writes it into `folder`.
    ///
    /// # Errors
    /// `Io`.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let json = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::new(ErrorKind::Format, format!("{RECORD}: {error}")))?;
        write(&folder.join(RECORD), &json)
    }

    /// Reads every file in `folder` and compares it with the record.
    ///
    /// # Errors
    /// `Hash` naming the first file that differs, with what was expected and found; `Io` where
    /// one is missing.
    pub fn verify(&self, folder: &Path) -> Result<()> {
        self.files
            .iter()
            .try_for_each(|(file, expected)| self.verify_file(&folder.join(file), expected))
    }

    fn verify_file(&self, path: &Path, expected: &FileEntry) -> Result<()> {
        if !path.exists() {
            let message = format!(
                "{} is missing, though {RECORD} names it; `touchstone fetch {}@{}` brings it again",
                path.display(),
                self.name,
                self.commit
            );
            return Err(Error::new(ErrorKind::Io, message));
        }
        let found = hash_file(path)?;
        if found == *expected {
            return Ok(());
        }
        let message = format!(
            "{} was altered since it was fetched: expected SHA-256 {} ({} bytes), found {} ({} \
             bytes). Delete the file, then `touchstone fetch {}@{}` brings the original again",
            path.display(),
            expected.sha256,
            expected.bytes,
            found.sha256,
            found.bytes,
            self.name,
            self.commit
        );
        Err(Error::new(ErrorKind::Hash, message))
    }

    /// Whether every file is there; their content is not looked at.
    pub fn is_whole(&self, folder: &Path) -> bool {
        self.files.keys().all(|file| folder.join(file).exists())
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|entry| entry.bytes).sum()
    }
}

/// Size and SHA-256 of a file, read piece by piece: weights may exceed the memory.
///
/// # Errors
/// `Io` naming the file.
pub fn hash_file(path: &Path) -> Result<FileEntry> {
    let failed = |error| io("read", path, &error);
    let mut file = File::open(path).map_err(failed)?;
    let (mut hasher, mut chunk, mut bytes) = (Sha256::new(), vec![0; CHUNK], 0);
    loop {
        let count = file.read(&mut chunk).map_err(failed)?;
        if count == 0 {
            let sha256 = hex(hasher);
            return Ok(FileEntry { bytes, sha256 });
        }
        hasher.update(&chunk[..count]);
        bytes += count as u64;
    }
}

/// The hash in lower-case hexadecimal.
pub fn hex(hasher: Sha256) -> String {
    format!("{:x}", hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::sha256;

    fn record(folder: &Path) -> Record {
        std::fs::write(folder.join("a"), "right").unwrap();
        let entry = hash_file(&folder.join("a")).unwrap();
        Record {
            name: "org/name".into(),
            revision: "main".into(),
            commit: "a".repeat(40),
            source: String::new(),
            licence: None,
            gated: None,
            files: BTreeMap::from([("a".into(), entry)]),
        }
    }

    #[test]
    fn an_altered_file_is_named_with_both_hashes() {
        let folder = tempfile::tempdir().unwrap();
        let record = record(folder.path());
        record.write(folder.path()).unwrap();
        assert_eq!(Record::find(folder.path()).unwrap().unwrap(), record);
        record.verify(folder.path()).unwrap();
        std::fs::write(folder.path().join("a"), "wrong").unwrap();
        let error = record.verify(folder.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Hash);
        let text = error.to_string();
        assert!(
            text.contains(&sha256(b"right")) && text.contains(&sha256(b"wrong")),
            "{text}"
        );
    }

    #[test]
    fn a_record_that_reaches_outside_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut record = record(folder.path());
        let entry = record.files["a"].clone();
        record.files.insert("../a".into(), entry);
        record.write(folder.path()).unwrap();
        assert_eq!(
            Record::find(folder.path()).unwrap_err().kind(),
            ErrorKind::Format
        );
    }
}
