//! Requests to the hub: redirects followed with care, and what an answer means.

use std::cell::Cell;
use std::time::Duration;

use ureq::http::header::{AUTHORIZATION, LOCATION, RANGE};
use ureq::http::uri::{PathAndQuery, Uri};
use ureq::http::{HeaderMap, Response, StatusCode};
use ureq::{Agent, Body};

use super::endpoint::{Endpoint, Token};
use super::refusal::{Asked, network, refusal};
use super::retry::{Attempt, Trouble};
use crate::error::{Error, ErrorKind, Result};

/// How often one request may be sent elsewhere.
const MAX_REDIRECTS: usize = 5;
/// How long a server may keep silent, in seconds; the hub's own variable changes it.
const SILENCE: u64 = 60;
const SILENCE_VARIABLE: &str = "HF_HUB_DOWNLOAD_TIMEOUT";
/// The largest text of an error that is read, in bytes.
const MAX_ERROR: u64 = 64 << 10;

/// Sends requests to one hub.
pub struct Client {
    /// The hub.
    pub endpoint: Endpoint,
    token: Option<Token>,
    agent: Agent,
    silence: u64,
    answered: Cell<bool>,
}

/// An answer with content: 200, 206 or 416.
pub struct Answer {
    /// Of the last server.
    pub status: StatusCode,
    /// Headers of the hub itself, before it referred to another server.
    pub hub: HeaderMap,
    /// Headers of the last server.
    pub headers: HeaderMap,
    /// The content, not read yet.
    pub body: Body,
}

impl Client {
    /// A client of the hub that the environment names, with its token and proxy.
    ///
    /// # Errors
    /// `Input` for an address, token or time that is none, `Io` for the token's file.
    pub fn from_env() -> Result<Self> {
        let endpoint = Endpoint::from_env()?;
        let token = Token::find()?.filter(|_| {
            if !endpoint.is_private() {
                eprintln!(
                    "the token is not sent to {}: http:// is not encrypted",
                    endpoint.url
                );
            }
            endpoint.is_private()
        });
        let silence = silence()?;
        Ok(Self {
            agent: agent(&endpoint, Duration::from_secs(silence)),
            endpoint,
            token,
            silence,
            answered: Cell::new(false),
        })
    }

    /// Gets `url`, from byte `from` on, over all redirects.
    ///
    /// # Errors
    /// What went wrong in words that name `asked`, and whether it may pass.
    pub fn get(&self, url: &str, from: u64, asked: &Asked) -> Attempt<Answer> {
        let mut uri: Uri = url
            .parse()
            .map_err(|_| Trouble::Lasting(network(format!("{url} is no address"))))?;
        let mut hub = None;
        for _ in 0..=MAX_REDIRECTS {
            let (parts, body) = self.send(&uri, from)?.into_parts();
            let hub_headers = hub.get_or_insert_with(|| parts.headers.clone());
            if let (true, Some(place)) = (parts.status.is_redirection(), location(&parts.headers)) {
                uri = self.redirected(&uri, &place)?;
                continue;
            }
            let content = [200, 206, 416].contains(&parts.status.as_u16());
            if !content {
                return Err(self.refused(asked, parts.status, &parts.headers, body));
            }
            return Ok(Answer {
                status: parts.status,
                hub: std::mem::take(hub_headers),
                headers: parts.headers,
                body,
            });
        }
        let message = format!("{url} was referred elsewhere more than {MAX_REDIRECTS} times");
        Err(Trouble::Lasting(network(message)))
    }

    fn send(&self, uri: &Uri, from: u64) -> Attempt<Response<Body>> {
        let mut request = self.agent.get(uri);
        if let Some(token) = self.token.as_ref().filter(|_| self.endpoint.is_home(uri)) {
            request = request.header(AUTHORIZATION, token.header());
        }
        if from > 0 {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        let response = request.call().map_err(|error| self.trouble(uri, &error))?;
        self.answered.set(true);
        Ok(response)
    }

    /// Where an answer from `uri` refers to.
    fn redirected(&self, uri: &Uri, place: &str) -> Attempt<Uri> {
        let refuse = |why: &str| {
            let host = uri.host().unwrap_or_default();
            Trouble::Lasting(network(format!("{host} refers to {why}")))
        };
        let next = match place.starts_with('/') && !place.starts_with("//") {
            true => beside(uri, place),
            false => place.parse().ok(),
        };
        let next = next.filter(|next: &Uri| next.host().is_some());
        let next = next.ok_or_else(|| refuse("something that is no address"))?;
        match next.scheme_str() {
            Some("https") => Ok(next),
            Some("http") if self.endpoint.uri.scheme_str() == Some("http") => Ok(next),
            _ => Err(refuse("an address that is not encrypted (https://)")),
        }
    }

    fn refused(
        &self,
        asked: &Asked,
        status: StatusCode,
        headers: &HeaderMap,
        body: Body,
    ) -> Trouble {
        let body = body.into_with_config().limit(MAX_ERROR).lossy_utf8(true);
        let text = body.read_to_string().unwrap_or_default();
        let text = match &self.token {
            Some(token) => token.hidden_in(&text),
            None => text,
        };
        let known = self.token.is_some();
        refusal(&self.endpoint, known, asked, status, headers, &text)
    }

    /// What to make of a request that got no answer.
    fn trouble(&self, uri: &Uri, error: &ureq::Error) -> Trouble {
        use std::io::ErrorKind::ConnectionRefused;
        let host = uri
            .authority()
            .map_or("the hub", |authority| authority.as_str());
        let refused = matches!(error, ureq::Error::Io(error) if error.kind() == ConnectionRefused);
        let advice = "; --offline uses what is in the cache, HF_ENDPOINT names another hub";
        let message = match error {
            ureq::Error::Timeout(_) => format!(
                "{host} kept silent for {} s ({SILENCE_VARIABLE} changes that)",
                self.silence
            ),
            ureq::Error::HostNotFound => format!("there is no host {host}, or no network{advice}"),
            _ if refused => format!("no server takes connections at {host}{advice}"),
            error => format!("the connection to {host} failed: {error}"),
        };
        match error {
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::InvalidProxyUrl => {
                Trouble::Lasting(network(message))
            }
            // Before the first answer there is no such hub, later this is an outage.
            ureq::Error::HostNotFound if !self.answered.get() => Trouble::Lasting(network(message)),
            _ if refused && !self.answered.get() => Trouble::Lasting(network(message)),
            _ => Trouble::Passing(network(message), None),
        }
    }
}

fn agent(endpoint: &Endpoint, silence: Duration) -> Agent {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        // Followed here, so that the hub's own headers are seen and the token stays with it.
        .max_redirects(0)
        .timeout_connect(Some(silence))
        .timeout_recv_response(Some(silence))
        .timeout_per_read(Some(silence))
        .user_agent(concat!("touchstone/", env!("CARGO_PKG_VERSION")));
    if endpoint.local {
        config = config.proxy(None);
    }
    config.build().into()
}

fn silence() -> Result<u64> {
    let Ok(text) = std::env::var(SILENCE_VARIABLE) else {
        return Ok(SILENCE);
    };
    let seconds = text.trim().parse().ok().filter(|seconds| *seconds > 0);
    seconds.ok_or_else(|| {
        let message = format!("{SILENCE_VARIABLE} is `{text}`, expected whole seconds from 1");
        Error::new(ErrorKind::Input, message)
    })
}

fn location(headers: &HeaderMap) -> Option<String> {
    Some(headers.get(LOCATION)?.to_str().ok()?.to_owned())
}

/// The address of `path` on the server of `uri`.
fn beside(uri: &Uri, path: &str) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path.parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}
