//! Who may embed the page: one list for every header and file that says so.

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::routing::get;
use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};

/// The page's own origin.
const OWN: &str = "self";
/// What browsers call the origin of pages without one, such as files.
const NONE: &str = "null";

/// `embed.json`, which `embed.js` reads.
#[derive(Serialize)]
struct List<'a> {
    origins: &'a [String],
}

/// Origins whose pages may embed the page and load its scripts.
#[derive(Clone, Debug)]
pub struct Embedders(Vec<String>);

impl Embedders {
    /// Checks the values of `--embed-origin`.
    ///
    /// # Errors
    /// `Input` naming the first that is no origin.
    pub fn new(origins: &[String]) -> Result<Self> {
        match origins.iter().find(|origin| !is_embedder(origin)) {
            None => Ok(Self(origins.to_vec())),
            Some(wrong) => {
                let message = format!(
                    "--embed-origin {wrong:?} is no origin: expected scheme://host or \
                     scheme://host:port as browsers write it (lower case, no path, no wildcard, no \
                     port that the scheme has anyway), self or null"
                );
                Err(Error::new(ErrorKind::Input, message))
            }
        }
    }

    /// The end of a content security policy that says who may frame the page. A policy cannot name
    /// pages without an origin, so where they are let in, `embed.js` alone tells who is.
    pub fn frame_ancestors(&self) -> String {
        if self.0.iter().any(|origin| origin == NONE) {
            return String::new();
        }
        let quoted = |origin: &String| match origin.as_str() {
            OWN => "'self'".to_owned(),
            other => other.to_owned(),
        };
        let list = match self.0.as_slice() {
            [] => "'none'".to_owned(),
            origins => origins.iter().map(quoted).collect::<Vec<_>>().join(" "),
        };
        format!("; frame-ancestors {list}")
    }

    /// `Cross-Origin-Resource-Policy`: whether other origins may load the page's files at all.
    pub fn resource_policy(&self) -> HeaderValue {
        let others = self.0.iter().any(|origin| origin != OWN);
        HeaderValue::from_static(if others {
            "cross-origin"
        } else {
            "same-origin"
        })
    }

    /// `Access-Control-Allow-Origin` for a request from one of them: module scripts, such as the
    /// element's, come across origins only with it.
    pub fn allowed(&self, request: &HeaderMap) -> Option<HeaderValue> {
        let origin = request.get(header::ORIGIN)?;
        let mut others = self.0.iter().filter(|it| *it != OWN);
        let listed = others.any(|it| it.as_bytes() == origin.as_bytes());
        listed.then(|| origin.clone())
    }

    /// `/embed.json`; none where nobody is listed, so that one written by hand is served.
    pub fn routes(&self) -> Result<Router> {
        if self.0.is_empty() {
            return Ok(Router::new());
        }
        let list = serde_json::to_string_pretty(&List { origins: &self.0 })
            .map_err(|error| Error::new(ErrorKind::Io, format!("embed.json: {error}")))?;
        let answer = || async { ([(header::CONTENT_TYPE, "application/json")], list) };
        Ok(Router::new().route("/embed.json", get(answer)))
    }
}

fn is_embedder(text: &str) -> bool {
    text == OWN || text == NONE || is_origin(text)
}

/// The `scheme://host[:port]` that browsers send and that CSP's host-source (w3.org/TR/CSP3) can
/// say, which has neither user names nor IPv6 addresses; nothing in it can end a directive or a
/// header.
fn is_origin(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let (host, port) = rest
        .split_once(':')
        .map_or((rest, None), |(host, port)| (host, Some(port)));
    is_scheme(scheme)
        && host.split('.').all(is_label)
        && port.is_none_or(|port| is_port(port) && !is_default(scheme, port))
}

fn is_scheme(scheme: &str) -> bool {
    let rest = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
    scheme.starts_with(|first: char| first.is_ascii_lowercase()) && scheme.chars().all(rest)
}

fn is_label(label: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    !label.is_empty() && label.chars().all(plain)
}

fn is_port(port: &str) -> bool {
    port.chars().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

/// Browsers leave such a port out of an origin, so it would never be equal to one.
fn is_default(scheme: &str, port: &str) -> bool {
    matches!((scheme, port), ("http", "80") | ("https", "443"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedders(origins: &[&str]) -> Result<Embedders> {
        let origins: Vec<String> = origins.iter().map(|&origin| origin.to_owned()).collect();
        Embedders::new(&origins)
    }

    fn from(origin: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static(origin))])
    }

    #[test]
    fn nobody_is_the_default() {
        let nobody = embedders(&[]).unwrap();
        assert_eq!(nobody.frame_ancestors(), "; frame-ancestors 'none'");
        assert_eq!(nobody.resource_policy(), "same-origin");
        assert_eq!(nobody.allowed(&from("https://a.example")), None);
    }

    #[test]
    fn one_list_gives_every_header() {
        let some = embedders(&["self", "https://a.example:8443"]).unwrap();
        let policy = some.frame_ancestors();
        assert_eq!(policy, "; frame-ancestors 'self' https://a.example:8443");
        assert_eq!(some.resource_policy(), "cross-origin");
        let listed = from("https://a.example:8443");
        assert_eq!(some.allowed(&listed).as_ref(), listed.get(header::ORIGIN));
        for other in ["https://a.example", "https://b.example", "null", "self"] {
            assert_eq!(some.allowed(&from(other)), None, "{other}");
        }
    }

    #[test]
    fn the_own_origin_alone_opens_nothing_to_others() {
        let own = embedders(&["self"]).unwrap();
        assert_eq!(own.frame_ancestors(), "; frame-ancestors 'self'");
        assert_eq!(own.resource_policy(), "same-origin");
    }

    #[test]
    fn pages_without_an_origin_cannot_stand_in_a_policy() {
        let files = embedders(&["null", "https://a.example"]).unwrap();
        assert_eq!(files.frame_ancestors(), "");
        assert!(files.allowed(&from("null")).is_some());
    }

    #[test]
    fn anything_but_an_origin_is_refused_by_name() {
        for wrong in [
            "*",
            "a.example",
            "'self'",
            "https://",
            "https://*.a.example",
            "https://a.example/",
            "https://A.example",
            "https://a.example:443",
            "https://a.example:70000",
            "https://a.example:",
            "https://me@a.example",
            "https://a.example; script-src *",
            "https://a.example\r\nX: y",
        ] {
            let error = embedders(&[wrong]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Input);
            assert!(error.to_string().contains(&format!("{wrong:?}")), "{error}");
        }
    }
}
