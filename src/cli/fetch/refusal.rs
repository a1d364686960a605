//! What the hub's refusals mean, in words that say what to do.

use std::time::Duration;

use serde_json::Value;
use ureq::http::{HeaderMap, StatusCode};

use super::endpoint::{Endpoint, TOKEN};
use super::name::Model;
use super::retry::Trouble;
use crate::cli::http::retry_after;
use crate::error::{Error, ErrorKind};

/// A server that asks for a longer pause than this ends the fetch.
const PATIENCE: Duration = Duration::from_secs(600);
/// Characters shown of what a server says.
const SHOWN: usize = 300;

/// What was asked for.
pub struct Asked<'a> {
    /// The model.
    pub model: &'a Model,
    /// The file, or none for what the hub knows about the model.
    pub file: Option<&'a str>,
}

/// What to make of an answer without content; `token` says whether one was at hand.
pub fn refusal(
    hub: &Endpoint,
    token: bool,
    asked: &Asked,
    status: StatusCode,
    headers: &HeaderMap,
    body: &str,
) -> Trouble {
    let code = header(headers, "x-error-code").unwrap_or_default();
    let said = said(headers, body);
    if matches!(status.as_u16(), 408 | 425 | 429 | 500..=599) {
        return busy(asked, status, headers, &said);
    }
    let message = match (status.as_u16(), code) {
        (401 | 403, "GatedRepo") => gated(hub, token, asked.model),
        (404, "RevisionNotFound") => no_revision(hub, asked.model),
        (404, "EntryNotFound") => no_file(asked),
        (401, _) if token && code != "RepoNotFound" => format!(
            "the hub refuses the token: set {TOKEN} to a valid one, or remove it where {} is \
             public. The hub said: {said}",
            asked.model.name
        ),
        (401 | 404, "RepoNotFound") | (401, _) => no_repository(hub, token, asked.model),
        (404, _) => match asked.file {
            Some(_) => no_file(asked),
            None => no_repository(hub, token, asked.model),
        },
        (number, _) => format!("{}: the server answered {number}: {said}", what(asked)),
    };
    Trouble::Lasting(network(message))
}

fn busy(asked: &Asked, status: StatusCode, headers: &HeaderMap, said: &str) -> Trouble {
    let number = status.as_u16();
    let message = format!("{}: the server answered {number}: {said}", what(asked));
    match retry_after(headers) {
        Some(pause) if pause > PATIENCE => {
            let seconds = pause.as_secs();
            let message = format!("{message}; it wants a pause of {seconds} s, run again after it");
            Trouble::Lasting(network(message))
        }
        pause => Trouble::Passing(network(message), pause),
    }
}

fn gated(hub: &Endpoint, token: bool, model: &Model) -> String {
    let (url, name) = (&hub.url, &model.name);
    let gated = format!("{name} is gated: its makers want you to accept its licence first.");
    match token {
        false => format!(
            "{gated} 1. Sign in at {url}/{name} and accept it. 2. Make a token that may read at \
             {url}/settings/tokens. 3. Set {TOKEN} to the token and run this again"
        ),
        true => format!(
            "{gated} The account of your token has no access yet: accept the licence at \
             {url}/{name} with that account (some makers grant access by hand, which takes time), \
             and see at {url}/settings/tokens that the token may read gated repositories"
        ),
    }
}

fn no_repository(hub: &Endpoint, token: bool, model: &Model) -> String {
    let private = match token {
        true => "or your token may not see it",
        false => "or it is private: then set HF_TOKEN to a token that may read it",
    };
    let (url, name) = (&hub.url, &model.name);
    format!("{url} has no model `{name}`, {private}")
}

fn no_revision(hub: &Endpoint, model: &Model) -> String {
    let (url, name) = (&hub.url, &model.name);
    format!(
        "{name} has no revision `{}`: expected a branch, tag or commit of {url}/{name}/commits/main",
        model.revision
    )
}

fn no_file(asked: &Asked) -> String {
    format!(
        "{}: the hub lists this file but does not have it",
        what(asked)
    )
}

fn what(asked: &Asked) -> String {
    match asked.file {
        Some(file) => format!("{file} of {}", asked.model),
        None => asked.model.to_string(),
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What a server says about an error, short and safe to print.
fn said(headers: &HeaderMap, body: &str) -> String {
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let message = header(headers, "x-error-message").or_else(|| json["error"].as_str());
    let shown = message.unwrap_or(body).trim().chars().take(SHOWN);
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    match shown.map(plain).collect::<String>() {
        text if text.is_empty() => "nothing".to_owned(),
        text => text,
    }
}

/// A `Network` error.
pub fn network(message: String) -> Error {
    Error::new(ErrorKind::Network, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: &str, token: bool, file: Option<&str>) -> String {
        let model = Model::parse("org/name@v1").unwrap();
        let hub = Endpoint::parse("https://hub.example").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-error-code", code.parse().unwrap());
        let status = StatusCode::from_u16(status).unwrap();
        let asked = Asked {
            model: &model,
            file,
        };
        match refusal(
            &hub,
            token,
            &asked,
            status,
            &headers,
            "{\"error\": \"no\\u001b\"}",
        ) {
            Trouble::Lasting(error) => error.to_string(),
            Trouble::Passing(error, _) => format!("passing: {error}"),
        }
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        let cases = [
            (401, "GatedRepo", false, "Set HF_TOKEN to the token"),
            (
                403,
                "GatedRepo",
                true,
                "accept the licence at https://hub.example/org/name",
            ),
            (401, "", true, "refuses the token"),
            (401, "", false, "no model `org/name`"),
            (401, "RepoNotFound", true, "your token may not see it"),
            (404, "RevisionNotFound", false, "no revision `v1`"),
            (403, "", false, "answered 403: no "),
            (503, "", false, "passing: "),
        ];
        for (status, code, token, expected) in cases {
            let text = refused(status, code, token, None);
            assert!(text.contains(expected), "{status} {code}: {text}");
        }
        assert!(refused(404, "", false, Some("a.json")).starts_with("a.json of org/name@v1"));
    }

    #[test]
    fn a_pause_of_hours_is_not_waited_for() {
        let model = Model::parse("org/name").unwrap();
        let asked = Asked {
            model: &model,
            file: None,
        };
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "7200".parse().unwrap());
        let trouble = busy(&asked, StatusCode::TOO_MANY_REQUESTS, &headers, "slow");
        assert!(matches!(trouble, Trouble::Lasting(error) if error.to_string().contains("7200 s")));
    }
}
