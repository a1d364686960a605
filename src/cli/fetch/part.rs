//! A file on its way: `NAME.part`, hashed as it grows, renamed when it is whole.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind as Cause, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::bundle::FileEntry;
use crate::cli::{create_folder, io};
use crate::error::Result;

use super::record::hex;

/// Bytes that are here of a file.
pub struct Part {
    path: PathBuf,
    target: PathBuf,
    file: File,
    hasher: Sha256,
    bytes: u64,
}

impl Part {
    /// The part of `target` that is here, or an empty one; folders are made. Without `keep` what
    /// is here is thrown away.
    ///
    /// # Errors
    /// `Io` naming the file and what to do.
    pub fn open(target: &Path, keep: bool) -> Result<Self> {
        target.parent().map_or(Ok(()), create_folder)?;
        let mut path = target.as_os_str().to_owned();
        path.push(".part");
        let path = PathBuf::from(path);
        let mut options = OpenOptions::new();
        let options = options.create(true).append(true).read(true);
        let file = options.open(&path).map_err(|error| failed(&path, &error))?;
        let mut part = Self {
            path,
            target: target.to_owned(),
            file,
            hasher: Sha256::new(),
            bytes: 0,
        };
        match keep {
            true => part.reread()?,
            false => part.restart()?,
        }
        Ok(part)
    }

    /// Bytes that are here.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Size and hash of what is here.
    pub fn entry(&self) -> FileEntry {
        FileEntry {
            bytes: self.bytes,
            sha256: hex(self.hasher.clone()),
        }
    }

    /// Adds `chunk`.
    ///
    /// # Errors
    /// `Io`, for a full disk saying what to do.
    pub fn append(&mut self, chunk: &[u8]) -> Result<()> {
        let written = self.file.write_all(chunk);
        written.map_err(|error| failed(&self.path, &error))?;
        self.hasher.update(chunk);
        self.bytes += chunk.len() as u64;
        Ok(())
    }

    /// Throws away what is here.
    ///
    /// # Errors
    /// `Io`.
    pub fn restart(&mut self) -> Result<()> {
        (self.hasher, self.bytes) = (Sha256::new(), 0);
        self.file
            .set_len(0)
            .or_else(|error| match self.file.metadata() {
                // What cannot be cut, such as a device, holds nothing to throw away.
                Ok(metadata) if metadata.len() == 0 => Ok(()),
                _ => Err(failed(&self.path, &error)),
            })
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// `Io`.
    pub fn finish(self) -> Result<()> {
        let synced = self.file.sync_all();
        synced.map_err(|error| failed(&self.path, &error))?;
        std::fs::rename(&self.path, &self.target).map_err(|error| failed(&self.target, &error))
    }

    /// Removes what is here.
    pub fn discard(self) {
        // Nothing rests on it: what stays is checked again next time.
        let _ = std::fs::remove_file(&self.path);
    }

    fn reread(&mut self) -> Result<()> {
        let mut reread = || {
            let file = File::open(&self.path)?;
            // No further than its length: a device has no end.
            let length = file.metadata()?.len();
            std::io::copy(&mut file.take(length), &mut self.hasher)
        };
        self.bytes = reread().map_err(|error| failed(&self.path, &error))?;
        Ok(())
    }
}

/// What a file that cannot be written means for the user.
pub fn failed(path: &Path, error: &std::io::Error) -> crate::error::Error {
    let advice = match error.kind() {
        Cause::StorageFull | Cause::QuotaExceeded => {
            "; make room (what is here already is kept) or set TOUCHSTONE_CACHE to a folder on \
             another disk, and run this again"
        }
        Cause::PermissionDenied | Cause::ReadOnlyFilesystem => {
            "; set TOUCHSTONE_CACHE to a folder you may write to"
        }
        _ => "",
    };
    io("write", path, &format!("{error}{advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::sha256;

    #[test]
    fn a_part_goes_on_where_it_ended() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a/b");
        Part::open(&target, true).unwrap().append(b"one ").unwrap();
        let mut part = Part::open(&target, true).unwrap();
        assert_eq!(part.bytes(), 4);
        part.append(b"two").unwrap();
        assert_eq!(part.entry().sha256, sha256(b"one two"));
        part.finish().unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"one two");
    }

    #[test]
    fn a_part_that_is_not_kept_starts_empty() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a");
        Part::open(&target, true).unwrap().append(b"old").unwrap();
        let mut part = Part::open(&target, false).unwrap();
        part.append(b"new").unwrap();
        assert_eq!(part.entry().sha256, sha256(b"new"));
        part.finish().unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"new");
    }

    #[test]
    fn a_full_disk_and_a_missing_permission_say_what_to_do() {
        let text = |kind: Cause| failed(Path::new("x"), &kind.into()).to_string();
        assert!(text(Cause::StorageFull).contains("make room"));
        assert!(text(Cause::PermissionDenied).contains("TOUCHSTONE_CACHE"));
        assert!(!text(Cause::NotFound).contains("TOUCHSTONE_CACHE"));
    }
}
