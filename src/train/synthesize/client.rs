//! One request to the model: sent, and sent again when that can help.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;
use ureq::http::{HeaderMap, StatusCode};

use super::endpoint::{Address, KEY, Key};
use super::pace::{Budget, Pace};
use crate::cli::http::retry_after;
use crate::error::{Error, ErrorKind};
use crate::train::random::Random;
use crate::train::twins::hash;

/// The largest body read, in bytes; a chat completion is a few thousand.
const MAX_BODY: u64 = 8 << 20;
/// The first wait before a retry; it doubles each time.
const BACKOFF: Duration = Duration::from_secs(1);
/// The longest wait before a retry.
const LONGEST: Duration = Duration::from_secs(60);
/// A server that asks for a longer pause than this ends the run.
const PATIENCE: Duration = Duration::from_secs(600);
/// Requests that may fail one after another before the run ends.
const GIVE_UP: usize = 3;
/// Bytes a token has on average, where the server does not count.
const TOKEN_BYTES: u64 = 4;
/// Characters shown of what a server says.
const SHOWN: usize = 300;

/// How requests are sent.
pub struct Options {
    /// Where to.
    pub address: Address,
    /// The key, if the server wants one.
    pub key: Option<Key>,
    /// How long one request may take, all in all.
    pub timeout: Duration,
    /// How often a request is sent again after a failure that may pass.
    pub retries: u32,
}

/// Sends requests for all threads.
pub struct Client<'a> {
    options: Options,
    agent: Agent,
    pace: &'a Pace<'a>,
    budget: &'a Budget,
    /// Cleared when the server refuses `response_format`.
    json_mode: AtomicBool,
    answered: AtomicBool,
    failed_in_a_row: AtomicUsize,
}

/// What became of a request.
#[derive(Debug)]
pub enum Answer {
    /// What the model wrote.
    Text(String),
    /// It failed, retries included; another may do better.
    Failed(Error),
    /// It failed, and so would all others.
    Fatal(Error),
    /// It was not sent, or not again: the budget is used up, or the user wants to stop.
    Stopped,
}

/// Why one attempt failed.
enum Trouble {
    /// May pass; the server may have named a pause.
    Passing(Error, Option<Duration>),
    /// The server knows no `response_format`.
    Format,
    /// Will not pass.
    Lasting(Error),
}

impl<'a> Client<'a> {
    /// A client that keeps to `pace` and `budget`.
    pub fn new(options: Options, pace: &'a Pace<'a>, budget: &'a Budget) -> Self {
        let mut config = Agent::config_builder()
            .timeout_global(Some(options.timeout))
            .http_status_as_error(false)
            // Texts go to the host the user agreed to and to no other.
            .max_redirects(0)
            .user_agent(concat!("touchstone/", env!("CARGO_PKG_VERSION")));
        if options.address.local {
            config = config.proxy(None);
        }
        Self {
            agent: config.build().into(),
            options,
            pace,
            budget,
            json_mode: AtomicBool::new(true),
            answered: AtomicBool::new(false),
            failed_in_a_row: AtomicUsize::new(0),
        }
    }

    /// Asks once, and again after failures that may pass: timeouts, cut connections, 408, 425,
    /// 429 and 5xx. A failure that others would share lets no thread begin another request.
    pub fn ask(&self, body: &Value) -> Answer {
        let answer = self.attempts(body);
        match &answer {
            Answer::Text(_) => {
                self.answered.store(true, Ordering::SeqCst);
                self.failed_in_a_row.store(0, Ordering::SeqCst);
            }
            Answer::Failed(error) => {
                let failed = self.failed_in_a_row.fetch_add(1, Ordering::SeqCst) + 1;
                if failed >= GIVE_UP {
                    self.pace.halt();
                    return Answer::Fatal(error.clone());
                }
            }
            Answer::Fatal(_) => self.pace.halt(),
            Answer::Stopped => {}
        }
        answer
    }

    fn attempts(&self, body: &Value) -> Answer {
        let mut random = Random::new(hash(&body.to_string()));
        let mut failures = 0;
        loop {
            if !self.pace.turn() || !self.budget.take() {
                return Answer::Stopped;
            }
            let (error, pause) = match self.send(body) {
                Ok(text) => return Answer::Text(text),
                Err(Trouble::Lasting(error)) => return Answer::Fatal(error),
                Err(Trouble::Format) => continue,
                Err(Trouble::Passing(error, pause)) => (error, pause),
            };
            if let Some(pause) = pause {
                self.pace.hold(pause);
            }
            failures += 1;
            if failures > self.options.retries {
                return Answer::Failed(error);
            }
            if pause.is_none() && !self.pace.sleep(backoff(failures, &mut random)) {
                return Answer::Stopped;
            }
        }
    }

    fn send(&self, body: &Value) -> Result<String, Trouble> {
        let mut body = body.clone();
        let formatted = body.get("response_format").is_some() && self.json_mode();
        if let (false, Some(fields)) = (formatted, body.as_object_mut()) {
            fields.shift_remove("response_format");
        }
        let body = body.to_string();
        let prompt = body.len() as u64 / TOKEN_BYTES;
        let (status, headers, text) = self.post(&body).map_err(|error| {
            // It may well have been worked on, and billed.
            self.budget.spend(prompt);
            self.trouble(&error)
        })?;
        if status.is_success() {
            return self.completion(&text, prompt);
        }
        let refused = matches!(status.as_u16(), 400 | 422) && text.contains("response_format");
        if refused && formatted {
            self.json_mode.store(false, Ordering::Relaxed);
            return Err(Trouble::Format);
        }
        if status == 400 && text.contains("content_filter") {
            // The server's filter dislikes this prompt and always will: an answer without text.
            return Ok(String::new());
        }
        Err(self.refusal(status, &headers, &text))
    }

    fn json_mode(&self) -> bool {
        self.json_mode.load(Ordering::Relaxed)
    }

    fn post(&self, body: &str) -> Result<(StatusCode, HeaderMap, String), ureq::Error> {
        let mut request = self.agent.post(&self.options.address.url);
        request = request.header("content-type", "application/json");
        if let Some(key) = &self.options.key {
            request = request.header("authorization", key.header());
        }
        let (parts, body) = request.send(body)?.into_parts();
        let body = body.into_with_config().limit(MAX_BODY).lossy_utf8(true);
        let text = body.read_to_string()?;
        let text = match &self.options.key {
            Some(key) => key.hidden_in(&text),
            None => text,
        };
        Ok((parts.status, parts.headers, text))
    }

    /// The model's text in a chat completion; its tokens are counted.
    fn completion(&self, text: &str, prompt: u64) -> Result<String, Trouble> {
        let json: Value = serde_json::from_str(text).unwrap_or_default();
        let counted = json["usage"]["total_tokens"].as_u64();
        self.budget
            .spend(counted.unwrap_or(prompt + text.len() as u64 / TOKEN_BYTES));
        match &json["choices"][0]["message"] {
            // A refusal or an empty answer has null here.
            Value::Object(message) => {
                let content = message.get("content").and_then(Value::as_str);
                Ok(content.unwrap_or_default().to_owned())
            }
            _ => {
                let said = said(text);
                let message = format!("{} sent no chat completion: {said}", self.host());
                Err(Trouble::Passing(network(message), None))
            }
        }
    }

    fn host(&self) -> &str {
        &self.options.address.host
    }

    /// What to make of a request that got no answer.
    fn trouble(&self, error: &ureq::Error) -> Trouble {
        let (host, answered) = (self.host(), self.answered.load(Ordering::SeqCst));
        let refused = match error {
            ureq::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
            error => matches!(error, ureq::Error::ConnectionFailed),
        };
        let message = match error {
            ureq::Error::Timeout(_) => {
                let seconds = self.options.timeout.as_secs_f32();
                format!("{host} did not answer within {seconds} s (--timeout)")
            }
            ureq::Error::HostNotFound => format!("there is no host {host}, or no network (--url)"),
            _ if refused => format!("no server takes connections at {host} (--url)"),
            error => format!("the connection to {host} failed: {error}"),
        };
        match error {
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::BadUri(_) => {
                Trouble::Lasting(network(message))
            }
            // Before the first answer this is a wrong address, later an outage.
            ureq::Error::HostNotFound if !answered => Trouble::Lasting(network(message)),
            _ if refused && !answered => Trouble::Lasting(network(message)),
            _ => Trouble::Passing(network(message), None),
        }
    }

    /// What to make of an answer other than 2xx.
    fn refusal(&self, status: StatusCode, headers: &HeaderMap, text: &str) -> Trouble {
        let (code, said) = (status.as_u16(), said(text));
        let answered = format!("{} answered {code}", self.host());
        let lasting = |what: &str| {
            Trouble::Lasting(network(format!(
                "{answered}: {what}. The server said: {said}"
            )))
        };
        match code {
            429 if text.contains("insufficient_quota") => lasting("the account has no credit left"),
            408 | 425 | 429 | 500..=599 => {
                let pause = retry_after(headers);
                if pause.is_some_and(|pause| pause > PATIENCE) {
                    let seconds = pause.unwrap_or_default().as_secs();
                    return lasting(&format!(
                        "it wants a pause of {seconds} s; run again after it"
                    ));
                }
                Trouble::Passing(network(format!("{answered}: {said}")), pause)
            }
            300..=399 => {
                let place = headers
                    .get("location")
                    .and_then(|place| place.to_str().ok());
                let place = place.unwrap_or("another address");
                lasting(&format!(
                    "it refers to {}; give the right --url",
                    shortened(place)
                ))
            }
            400 | 422 => lasting("it does not take this request; see --no-json-mode and --extra"),
            401 if self.options.key.is_none() => {
                lasting(&format!("it wants a key; set {KEY} or --key-file"))
            }
            401 => lasting(&format!(
                "it refuses the key; set {KEY} or --key-file to a valid one"
            )),
            403 => lasting(
                "the key may not use this model, or not from here; check --model and the key",
            ),
            404 => lasting(
                "there is no such address or model; check --url (most end in /v1) and --model",
            ),
            _ => lasting("it will not answer such requests; check --url, --model and the account"),
        }
    }
}

/// Exponential, with jitter so that threads do not come back all at once: 1 s times 2, 4, 8 ...,
/// times 0.5 to 1.5 by chance.
fn backoff(failures: u32, random: &mut Random) -> Duration {
    let doubled = BACKOFF.saturating_mul(1 << (failures - 1).min(10));
    doubled.mul_f32(0.5 + random.uniform()).min(LONGEST)
}

/// What a server says about an error, short and safe to print.
fn said(text: &str) -> String {
    let json: Value = serde_json::from_str(text).unwrap_or_default();
    let places = ["/error/message", "/message", "/detail", "/error"];
    let message = places
        .iter()
        .find_map(|place| json.pointer(place)?.as_str());
    shortened(message.unwrap_or(text))
}

fn shortened(text: &str) -> String {
    let shown: String = text.trim().chars().take(SHOWN).collect();
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    match shown.is_empty() {
        true => "nothing".to_owned(),
        false => shown.chars().map(plain).collect(),
    }
}

fn network(message: String) -> Error {
    Error::new(ErrorKind::Network, message)
}

/// Tokens that sending `bodies` takes, roughly.
pub fn estimate<'a>(bodies: impl Iterator<Item = &'a Value>) -> u64 {
    bodies
        .map(|body| body.to_string().len() as u64 / TOKEN_BYTES)
        .sum()
}
