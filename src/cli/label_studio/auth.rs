//! HTTP basic authentication.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::exchange::Refusal;
use crate::bundle::sha256;
use crate::error::{Error, ErrorKind, Result};

/// Who may ask.
#[derive(Clone)]
pub struct Auth {
    /// SHA-256 of the credentials: comparing hashes tells nothing by its duration.
    expected: String,
}

impl Auth {
    /// Only `user` with `password`.
    ///
    /// # Errors
    /// `Input` for what basic authentication cannot carry everywhere: an empty one, other than
    /// printable ASCII, a colon in the name.
    pub fn new(user: &str, password: &str) -> Result<Self> {
        let plain = |text: &str| !text.is_empty() && text.chars().all(|c| (' '..='~').contains(&c));
        if !plain(user) || !plain(password) || user.contains(':') {
            let message = "--label-studio-user and --label-studio-password: expected printable \
                           ASCII, neither of them empty, and no colon in the name";
            return Err(Error::new(ErrorKind::Input, message));
        }
        let credentials = STANDARD.encode(format!("{user}:{password}"));
        Ok(Self {
            expected: sha256(credentials.as_bytes()),
        })
    }

    /// The answer to a request that may not ask.
    pub fn refuse(&self, headers: &HeaderMap) -> Option<Response> {
        let given = headers.get(header::AUTHORIZATION);
        let given = given.and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.split_once(' '));
        let credentials = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
        let credentials = credentials.map_or("", |(_, credentials)| credentials.trim());
        if sha256(credentials.as_bytes()) == self.expected {
            return None;
        }
        let message = "the user name or the password is missing or wrong; set them in the model's \
                       connection, and for the webhook as a header `Authorization: Basic ...`";
        let mut response = Refusal::new(StatusCode::UNAUTHORIZED, message).into_response();
        let challenge = HeaderValue::from_static("Basic realm=\"touchstone\"");
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
        Some(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(value: Option<&str>) -> bool {
        let auth = Auth::new("Aladdin", "open sesame").unwrap();
        let headers = value.map(|value| (header::AUTHORIZATION, value.parse().unwrap()));
        auth.refuse(&HeaderMap::from_iter(headers)).is_none()
    }

    #[test]
    fn only_the_right_credentials_pass() {
        // The example of RFC 7617.
        assert!(passes(Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")));
        assert!(passes(Some("basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")));
        for wrong in [
            "Basic",
            "Basic QWxhZGRpbg==",
            "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            "",
        ] {
            assert!(!passes(Some(wrong)), "{wrong}");
        }
        assert!(!passes(None));
    }

    #[test]
    fn what_cannot_be_carried_is_refused() {
        for (user, password) in [("", "x"), ("x", ""), ("a:b", "x"), ("é", "x"), ("a", "b\n")] {
            assert!(Auth::new(user, password).is_err(), "{user}:{password}");
        }
    }
}
