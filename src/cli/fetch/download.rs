//! One file from the hub: resumed where it was cut, checked before it gets its name.

use std::io::Read;
use std::path::Path;

use indicatif::ProgressBar;
use ureq::Body;
use ureq::http::HeaderMap;

use super::client::{Answer, Client};
use super::name::Model;
use super::part::Part;
use super::plan::Listed;
use super::refusal::{Asked, network};
use super::retry::{Attempt, Patience, Trouble};
use super::url::escaped;
use crate::bundle::FileEntry;
use crate::cli::progress::bytes_bar;
use crate::error::{Error, ErrorKind, Result};

/// Bytes read at a time.
const CHUNK: usize = 256 << 10;

/// Brings files of one commit into one folder.
pub struct Downloads<'a> {
    /// The hub.
    pub client: &'a Client,
    /// The model.
    pub model: &'a Model,
    /// The commit that all files are of.
    pub commit: &'a str,
    /// Where they go.
    pub folder: &'a Path,
}

impl Downloads<'_> {
    /// Brings `file` and gives its size and hash.
    ///
    /// A part that an earlier run left is taken up only where the hash of the whole is known.
    /// Its folder is the commit's, so that it is of the same content.
    ///
    /// # Errors
    /// `Network`; `Hash` where the content is not what the hub, the record or touchstone itself
    /// says; `Io`.
    pub fn bring(&self, file: &Listed) -> Result<FileEntry> {
        let target = self.folder.join(&file.path);
        let mut download = Download {
            of: self,
            part: Part::open(&target, file.sha256.is_some())?,
            bar: bytes_bar(&file.path, file.bytes),
            wanted: file.clone(),
            resumed: false,
        };
        let done = download.run();
        download.bar.finish_and_clear();
        match done {
            Ok(entry) => download.part.finish().map(|()| entry),
            // A wrong file is of no use to the next attempt; a cut one is.
            Err(error) if error.kind() == ErrorKind::Hash => {
                download.part.discard();
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    fn url(&self, file: &str) -> String {
        let (hub, name, commit) = (&self.client.endpoint.url, &self.model.name, self.commit);
        format!("{hub}/{name}/resolve/{commit}/{}", escaped(file, false))
    }
}

struct Download<'a> {
    of: &'a Downloads<'a>,
    part: Part,
    bar: ProgressBar,
    /// What the file must be, as far as it is known by now.
    wanted: Listed,
    /// Whether the part was put together from several answers.
    resumed: bool,
}

impl Download<'_> {
    fn run(&mut self) -> Result<FileEntry> {
        self.resumed = self.part.bytes() > 0;
        if self
            .wanted
            .bytes
            .is_some_and(|bytes| self.part.bytes() > bytes)
        {
            self.part.restart()?;
        }
        self.fill()?;
        match self.check() {
            // What went wrong may lie in the older part: once more, in one go.
            Err(_) if self.resumed => {
                self.part.restart()?;
                self.fill()?;
                self.check()
            }
            checked => checked,
        }
    }

    /// Asks until all bytes are here.
    fn fill(&mut self) -> Result<()> {
        let mut patience = Patience::default();
        let whole = self
            .wanted
            .bytes
            .is_some_and(|bytes| bytes == self.part.bytes());
        if whole && self.part.bytes() > 0 {
            return Ok(());
        }
        let mut furthest = self.part.bytes();
        loop {
            let Err(trouble) = self.attempt() else {
                return Ok(());
            };
            // Bytes that came before and were thrown away are no gain.
            if self.part.bytes() > furthest {
                furthest = self.part.bytes();
                patience.renew();
            }
            let bar = self.bar.clone();
            bar.suspend(|| patience.after(trouble))?;
        }
    }

    fn attempt(&mut self) -> Attempt<()> {
        let url = self.of.url(&self.wanted.path);
        let asked = Asked {
            model: self.of.model,
            file: Some(&self.wanted.path),
        };
        let answer = self.of.client.get(&url, self.part.bytes(), &asked)?;
        self.learn(&answer.hub)?;
        self.place(&answer)?;
        self.copy(answer.body)
    }

    /// Takes over what the hub's headers say about the file; they may not contradict.
    fn learn(&mut self, headers: &HeaderMap) -> Result<()> {
        let header = |name: &str| headers.get(name)?.to_str().ok();
        let path = &self.wanted.path;
        if let Some(commit) = header("x-repo-commit").filter(|commit| *commit != self.of.commit) {
            let expected = self.of.commit;
            return Err(altered(format!(
                "{path}: the hub sent commit {commit}, expected {expected}"
            )));
        }
        let hash = header("x-linked-etag").and_then(sha256_of_etag);
        if let (Some(expected), Some(found)) = (&self.wanted.sha256, &hash)
            && expected != found
        {
            let message = format!("{path}: expected SHA-256 {expected}, the hub offers {found}");
            return Err(altered(message));
        }
        self.wanted.sha256 = self.wanted.sha256.take().or(hash);
        let size = header("x-linked-size").and_then(|size| size.parse().ok());
        self.wanted.bytes = self.wanted.bytes.or(size);
        self.bar.set_length(self.wanted.bytes.unwrap_or_default());
        Ok(())
    }

    /// Brings the part to where the answer begins.
    fn place(&mut self, answer: &Answer) -> Attempt<()> {
        match answer.status.as_u16() {
            206 if first_byte(&answer.headers) == Some(self.part.bytes()) => {
                self.resumed |= self.part.bytes() > 0;
            }
            // The server knows no ranges and sends the whole.
            200 => {
                self.part.restart()?;
                self.check_length(&answer.headers)?;
            }
            status => {
                self.part.restart()?;
                let path = &self.wanted.path;
                let message = format!("{path}: the server sent another range (status {status})");
                return Err(Trouble::Passing(network(message), None));
            }
        }
        self.bar.set_position(self.part.bytes());
        Ok(())
    }

    fn copy(&mut self, body: Body) -> Attempt<()> {
        let (mut reader, mut chunk) = (body.into_reader(), vec![0; CHUNK]);
        loop {
            let count = reader.read(&mut chunk).map_err(|error| self.cut(&error))?;
            if count == 0 {
                break;
            }
            self.part.append(&chunk[..count])?;
            self.bar.inc(count as u64);
            self.check_size()?;
        }
        match self.wanted.bytes {
            Some(bytes) if self.part.bytes() < bytes => Err(self.cut(&"too few bytes came")),
            _ => Ok(()),
        }
    }

    fn cut(&self, why: &dyn std::fmt::Display) -> Trouble {
        let (path, here) = (&self.wanted.path, self.part.bytes());
        let message = format!("{path} was cut after {here} bytes ({why})");
        Trouble::Passing(network(message), None)
    }

    /// Refuses a whole file of another length before it is read.
    fn check_length(&self, headers: &HeaderMap) -> Result<()> {
        let length = headers.get("content-length");
        let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        match (self.wanted.bytes, length) {
            (Some(expected), Some(found)) if expected != found => Err(altered(format!(
                "{}: expected {expected} bytes, the server offers {found}",
                self.wanted.path
            ))),
            _ => Ok(()),
        }
    }

    /// Ends a download that is larger than it may be before it fills the disk.
    fn check_size(&self) -> Result<()> {
        let here = self.part.bytes();
        match self.wanted.bytes {
            Some(bytes) if here > bytes => Err(altered(format!(
                "{}: expected {bytes} bytes, the server sends more",
                self.wanted.path
            ))),
            _ => Ok(()),
        }
    }

    fn check(&self) -> Result<FileEntry> {
        let found = self.part.entry();
        match &self.wanted.sha256 {
            Some(expected) if *expected != found.sha256 => Err(altered(format!(
                "{} has SHA-256 {}, expected {expected}: it was altered on the way, and is not kept",
                self.wanted.path, found.sha256
            ))),
            _ => Ok(found),
        }
    }
}

/// The hash in an ETag of a large file; those of small ones are something else.
fn sha256_of_etag(etag: &str) -> Option<String> {
    let hash = etag.trim_start_matches("W/").trim_matches('"');
    let right = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    right.then(|| hash.to_ascii_lowercase())
}

/// The first byte of `Content-Range: bytes FIRST-LAST/ALL`.
fn first_byte(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get("content-range")?.to_str().ok()?;
    range
        .strip_prefix("bytes ")?
        .split('-')
        .next()?
        .parse()
        .ok()
}

fn altered(message: String) -> Error {
    Error::new(ErrorKind::Hash, message)
}
