//! Embeddings on disk, by encoder and passage: encoding is done once.
//!
//! One file per encoder, records of a 16-byte key and the passage's pooled vectors in f32. A
//! record cut short by an interruption is dropped when the file is opened.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::cli::{create_folder, io};
use crate::encoder::POOLS;
use crate::error::Result;
use crate::tokenizer::Passage;

const KEY: usize = 16;

/// Identity of a passage: its tokens and their segments.
pub type Key = [u8; KEY];

/// Pooled vectors by passage, in memory and on disk.
pub struct Cache {
    vectors: HashMap<Key, Vec<f32>>,
    file: File,
    path: std::path::PathBuf,
}

/// The key of a passage.
pub fn key(passage: &Passage) -> Key {
    let mut hash = Sha256::new();
    for window in &passage.windows {
        hash.update((window.ids.len() as u32).to_le_bytes());
        for (id, segment) in window.ids.iter().zip(&window.segments) {
            hash.update(id.to_le_bytes());
            hash.update([segment.map_or(255, |segment| segment as u8)]);
        }
    }
    let mut key = [0; KEY];
    key.copy_from_slice(&hash.finalize()[..KEY]);
    key
}

impl Cache {
    /// Opens the cache of the encoder with this hash, arithmetic and output width, making it where
    /// there is none.
    ///
    /// # Errors
    /// `Io` naming the file.
    pub fn open(
        folder: &Path,
        encoder_sha256: &str,
        arithmetic: &str,
        width: usize,
    ) -> Result<Self> {
        create_folder(folder)?;
        let encoder = &encoder_sha256[..16];
        let path = folder.join(format!("{encoder}-{arithmetic}-{width}.f32"));
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).open(&path);
        let mut file = file.map_err(|error| io("open", &path, &error))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)
            .map_err(|error| io("read", &path, &error))?;
        let record = KEY + POOLS * width * 4;
        let whole = bytes.len() / record * record;
        file.set_len(whole as u64)
            .map_err(|error| io("mend", &path, &error))?;
        let records = bytes[..whole].chunks_exact(record);
        let vectors = records.map(|record| {
            let (key, values) = record.split_at(KEY);
            let values = values.chunks_exact(4);
            let values = values.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            (key.try_into().expect("16 bytes"), values.collect())
        });
        Ok(Self {
            vectors: vectors.collect(),
            file,
            path,
        })
    }

    /// The pooled vectors under `key`, `[POOLS, width]`.
    pub fn get(&self, key: &Key) -> Option<&[f32]> {
        self.vectors.get(key).map(Vec::as_slice)
    }

    /// Adds vectors, on disk first.
    ///
    /// # Errors
    /// `Io` naming the file.
    pub fn insert(&mut self, key: Key, vectors: &[f32]) -> Result<()> {
        let mut record = key.to_vec();
        record.extend(vectors.iter().flat_map(|value| value.to_le_bytes()));
        self.file
            .write_all(&record)
            .map_err(|error| io("write", &self.path, &error))?;
        self.vectors.insert(key, vectors.to_vec());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_cut_short_is_dropped_and_the_rest_kept() {
        let folder = tempfile::tempdir().unwrap();
        let sha = "0123456789abcdef";
        let values = [1.5; POOLS * 2];
        {
            let mut cache = Cache::open(folder.path(), sha, "f32", 2).unwrap();
            cache.insert([1; 16], &values).unwrap();
            cache.insert([2; 16], &values).unwrap();
        }
        let path = folder.path().join(format!("{sha}-f32-2.f32"));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        let mut cache = Cache::open(folder.path(), sha, "f32", 2).unwrap();
        assert_eq!(cache.get(&[1; 16]), Some(values.as_slice()));
        assert_eq!(cache.get(&[2; 16]), None);
        cache.insert([2; 16], &values).unwrap();
        let cache = Cache::open(folder.path(), sha, "f32", 2).unwrap();
        assert_eq!(cache.get(&[2; 16]), Some(values.as_slice()));
    }
}
