//! A server on this machine that speaks the model hub's protocol, as far as a fetch needs it, and
//! misbehaves on request: an answer may be cut, delayed or altered byte by byte, for which plain
//! sockets serve better than a framework.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Files of a commit by path.
pub type Files = BTreeMap<String, Vec<u8>>;

/// One thing that goes wrong, once.
pub enum Fault {
    /// A status with further header lines instead of an answer.
    Status(u16, &'static str),
    /// The content ends after so many bytes, though more were announced.
    Cut(usize),
    /// The whole is sent though a range was asked for.
    NoRange,
    /// No answer for two seconds.
    Silence,
    /// One byte of the content is another.
    Altered,
    /// The hub names another hash.
    Etag,
}

/// One model.
#[derive(Default)]
pub struct Repository {
    /// Branches and tags.
    pub refs: BTreeMap<String, String>,
    /// Files by commit.
    pub commits: BTreeMap<String, Files>,
    /// `cardData` of the model.
    pub card: Value,
    /// Whom a gated model lets in.
    pub token: Option<&'static str>,
}

/// What the server has, does wrong and was asked.
#[derive(Default)]
pub struct State {
    pub repositories: HashMap<String, Repository>,
    /// By file; those of the model's information under the empty name.
    pub faults: HashMap<String, VecDeque<Fault>>,
    pub log: Vec<Request>,
}

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub path: String,
    pub host: String,
    pub range: Option<usize>,
    pub token: Option<String>,
}

/// The running server.
pub struct Hub {
    pub address: String,
    state: Arc<Mutex<State>>,
}

struct Reply {
    status: u16,
    headers: String,
    body: Vec<u8>,
    announced: usize,
}

impl Hub {
    /// Starts a server without models; it ends with the test.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Self { address, state }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panicked inside")
    }

    /// Makes `files` the commit `letter` x 40 of `name`, and `main` mean it.
    pub fn commit(&self, name: &str, letter: &str, files: Files) -> String {
        let commit = letter.repeat(40);
        let mut state = self.state();
        let repository = state.repositories.entry(name.into()).or_default();
        repository.refs.insert("main".into(), commit.clone());
        repository.commits.insert(commit.clone(), files);
        commit
    }

    /// Lets these things go wrong with `file`, one after another.
    pub fn faults(&self, file: &str, faults: impl IntoIterator<Item = Fault>) {
        self.state()
            .faults
            .entry(file.into())
            .or_default()
            .extend(faults);
    }

    /// What was asked since this was called last.
    pub fn asked(&self) -> Vec<Request> {
        std::mem::take(&mut self.state().log)
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    let (mut method, mut request) = read_request(&mut reader)?;
    if method == "CONNECT" {
        writer.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
        (method, request) = read_request(&mut reader)?;
    }
    assert_eq!(method, "GET");
    let port = writer.local_addr().ok()?.port();
    let reply = answer(&mut *state.lock().ok()?, &request, port);
    let Some(reply) = reply else {
        std::thread::sleep(Duration::from_secs(2));
        return None;
    };
    let head = format!(
        "HTTP/1.1 {} X\r\nConnection: close\r\nContent-Length: {}\r\n{}\r\n",
        reply.status, reply.announced, reply.headers
    );
    writer.write_all(head.as_bytes()).ok()?;
    writer.write_all(&reply.body).ok()
}

fn read_request(reader: &mut impl BufRead) -> Option<(String, Request)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let path = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or("", |slash| &rest[slash..]),
        None => target,
    };
    let mut request = Request {
        path: path.replace("%2F", "/"),
        ..Request::default()
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            return Some((method, request));
        };
        match name.to_ascii_lowercase().as_str() {
            "host" => request.host = value.into(),
            "authorization" => request.token = value.strip_prefix("Bearer ").map(str::to_owned),
            "range" => {
                let first = value
                    .strip_prefix("bytes=")
                    .and_then(|r| r.strip_suffix('-'));
                request.range = first.and_then(|first| first.parse().ok());
            }
            _ => {}
        }
    }
}

/// The answer, or none for silence.
fn answer(state: &mut State, request: &Request, port: u16) -> Option<Reply> {
    state.log.push(request.clone());
    let path = request.path.clone();
    if let Some(rest) = path.strip_prefix("/api/models/") {
        return Some(information(state, rest));
    }
    let content = path
        .strip_prefix("/cdn/")
        .or_else(|| path.strip_prefix("/api/resolve-cache/models/"));
    if let Some(rest) = content {
        return file(state, rest, request);
    }
    Some(resolve(state, &path[1..], request, port))
}

/// `ORG/NAME/revision/REVISION?blobs=true`
fn information(state: &mut State, rest: &str) -> Reply {
    if let Some(Fault::Status(status, headers)) = fault(state, "", is_status) {
        return refuse(status, headers);
    }
    let Some((name, revision)) = rest.split_once("/revision/") else {
        return refuse(404, "");
    };
    let Some(repository) = state.repositories.get(name) else {
        return refuse(401, "X-Error-Code: RepoNotFound\r\n");
    };
    let revision = revision.trim_end_matches("?blobs=true");
    let commit = repository
        .refs
        .get(revision)
        .map_or(revision, String::as_str);
    let Some(files) = repository.commits.get(commit) else {
        return refuse(404, "X-Error-Code: RevisionNotFound\r\n");
    };
    let siblings = files.iter().map(|(path, bytes)| {
        let mut sibling = json!({"rfilename": path, "size": bytes.len()});
        if is_large(path) {
            sibling["lfs"] = json!({"sha256": sha256(bytes), "size": bytes.len()});
        }
        sibling
    });
    let siblings: Vec<Value> = siblings.collect();
    let gated = repository
        .token
        .map_or(Value::from(false), |_| "auto".into());
    let info = json!({
        "id": name, "sha": commit, "gated": gated, "siblings": siblings, "cardData": repository.card,
    });
    whole(200, String::new(), info.to_string().into_bytes())
}

/// `ORG/NAME/resolve/COMMIT/PATH`: large files are elsewhere, small ones on another path here.
fn resolve(state: &mut State, rest: &str, request: &Request, port: u16) -> Reply {
    let Some((name, place)) = rest.split_once("/resolve/") else {
        return refuse(404, "");
    };
    let (commit, path) = place.split_once('/').unwrap_or_default();
    if let Some(Fault::Status(status, headers)) = fault(state, path, is_status) {
        return refuse(status, headers);
    }
    let wrong = fault(state, path, |fault| matches!(fault, Fault::Etag)).is_some();
    let Some(repository) = state.repositories.get(name) else {
        return refuse(401, "X-Error-Code: RepoNotFound\r\n");
    };
    if let Some(token) = repository
        .token
        .filter(|token| Some(*token) != request.token.as_deref())
    {
        assert!(!token.is_empty());
        let status = if request.token.is_some() { 403 } else { 401 };
        return refuse(status, "X-Error-Code: GatedRepo\r\n");
    }
    let Some(bytes) = repository
        .commits
        .get(commit)
        .and_then(|files| files.get(path))
    else {
        return refuse(404, "X-Error-Code: EntryNotFound\r\n");
    };
    let at = format!("{name}/{commit}/{path}");
    let hash = if wrong { "0".repeat(64) } else { sha256(bytes) };
    let (status, headers) = match is_large(path) {
        true => (
            302,
            format!(
                "Location: http://localhost:{port}/cdn/{at}\r\nX-Linked-Etag: \"{hash}\"\r\n\
                 X-Linked-Size: {}\r\n",
                bytes.len()
            ),
        ),
        false => (
            307,
            format!(
                "Location: /api/resolve-cache/models/{at}\r\nETag: \"{}\"\r\n",
                &hash[..40]
            ),
        ),
    };
    whole(
        status,
        format!("{headers}X-Repo-Commit: {commit}\r\n"),
        Vec::new(),
    )
}

/// `ORG/NAME/COMMIT/PATH`
fn file(state: &mut State, rest: &str, request: &Request) -> Option<Reply> {
    let mut parts = rest.splitn(4, '/');
    let (org, name) = (parts.next()?, parts.next()?);
    let (commit, path) = (parts.next()?, parts.next()?);
    let fault = fault(state, path, |_| true);
    let repository = &state.repositories[&format!("{org}/{name}")];
    let mut bytes = repository.commits[commit][path].clone();
    let mut from = request.range.unwrap_or_default();
    match fault {
        Some(Fault::Silence) => return None,
        Some(Fault::Altered) => bytes[0] ^= 1,
        Some(Fault::NoRange) => from = 0,
        _ => {}
    }
    let (all, body) = (bytes.len(), bytes.split_off(from.min(bytes.len())));
    let headers = format!("Content-Range: bytes {from}-{}/{all}\r\n", all - 1);
    let mut reply = match from {
        0 => whole(200, String::new(), body),
        from if from >= all => whole(416, String::new(), Vec::new()),
        _ => whole(206, headers, body),
    };
    if let Some(Fault::Cut(bytes)) = fault {
        reply.body.truncate(bytes);
    }
    Some(reply)
}

fn fault(state: &mut State, file: &str, wanted: impl Fn(&Fault) -> bool) -> Option<Fault> {
    let faults = state.faults.get_mut(file)?;
    faults.pop_front_if(|fault| wanted(fault))
}

fn is_status(fault: &Fault) -> bool {
    matches!(fault, Fault::Status(..))
}

/// Whether the hub keeps such a file as a large one, with its hash.
fn is_large(path: &str) -> bool {
    [".safetensors", "tokenizer.json", ".bin"]
        .iter()
        .any(|end| path.ends_with(end))
}

fn whole(status: u16, headers: String, body: Vec<u8>) -> Reply {
    let announced = body.len();
    Reply {
        status,
        headers,
        body,
        announced,
    }
}

fn refuse(status: u16, headers: &str) -> Reply {
    whole(
        status,
        headers.to_owned(),
        b"{\"error\": \"refused\"}".to_vec(),
    )
}

pub fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}
