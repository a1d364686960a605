//! Which hub is asked and with what token; nothing here prints the token.

use std::path::PathBuf;

use ureq::http::Uri;

use crate::cli::http::is_local;
use crate::cli::read;
use crate::error::{Error, ErrorKind, Result};

/// Environment variable that names another hub, as the hub's own tools read it.
const ENDPOINT: &str = "HF_ENDPOINT";
const HUB: &str = "https://huggingface.co";
/// Environment variable that holds the token.
pub const TOKEN: &str = "HF_TOKEN";
/// Its older name.
const OLD_TOKEN: &str = "HUGGING_FACE_HUB_TOKEN";

/// The hub's address.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Without a slash at the end.
    pub url: String,
    /// Scheme, host and port.
    pub uri: Uri,
    /// Whether it is this machine.
    pub local: bool,
}

impl Endpoint {
    /// What `HF_ENDPOINT` names, or the public hub.
    ///
    /// # Errors
    /// As [`Endpoint::parse`].
    pub fn from_env() -> Result<Self> {
        let named = std::env::var(ENDPOINT).ok();
        let named = named.filter(|named| !named.trim().is_empty());
        Self::parse(named.as_deref().unwrap_or(HUB))
    }

    /// Reads an address such as `https://host/path`.
    ///
    /// # Errors
    /// `Input` for what is none, or holds a password or a query.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            let message = format!("{ENDPOINT}: {why}; expected an address such as {HUB}");
            Error::new(ErrorKind::Input, message)
        };
        let url = text.trim().trim_end_matches('/');
        let uri: Uri = url.parse().map_err(|_| wrong("this is no address"))?;
        let authority = uri
            .authority()
            .ok_or_else(|| wrong("the host is missing"))?;
        if !matches!(uri.scheme_str(), Some("https" | "http")) {
            return Err(wrong("the address is neither https:// nor http://"));
        }
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(wrong("the address may hold no user, password or query"));
        }
        Ok(Self {
            url: url.to_owned(),
            local: is_local(authority.host()),
            uri,
        })
    }

    /// Whether `uri` leads to this very hub: the token goes nowhere else.
    pub fn is_home(&self, uri: &Uri) -> bool {
        let host = |uri: &Uri| uri.authority().map(|a| a.as_str().to_ascii_lowercase());
        uri.scheme() == self.uri.scheme() && host(uri) == host(&self.uri)
    }

    /// Whether what is sent cannot be read on the way.
    pub fn is_private(&self) -> bool {
        self.local || self.uri.scheme_str() == Some("https")
    }
}

/// A token of the hub. Without `Debug` and `Display`, so that no message can hold it.
pub struct Token(String);

impl Token {
    /// The token of the environment, else the one that the hub's own tools keep in a file.
    ///
    /// # Errors
    /// `Io` for the file, `Input` for a token that is no line of visible ASCII.
    pub fn find() -> Result<Option<Self>> {
        let variable = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
        let text = match variable(TOKEN).or_else(|| variable(OLD_TOKEN)) {
            Some(text) => text,
            None => match token_file().filter(|path| path.is_file()) {
                Some(path) => String::from_utf8_lossy(&read(&path)?).into_owned(),
                None => return Ok(None),
            },
        };
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Option<Self>> {
        let token = text.trim();
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let message = format!(
                "the hub's token ({TOKEN} or its file) holds spaces or other characters that no \
                 token has: it should be one line"
            );
            return Err(Error::new(ErrorKind::Input, message));
        }
        Ok((!token.is_empty()).then(|| Self(token.to_owned())))
    }

    /// The header that shows the token to the hub.
    pub fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// `text` with the token taken out, should a server repeat it.
    pub fn hidden_in(&self, text: &str) -> String {
        text.replace(&self.0, "[token]")
    }
}

/// Where the hub's own tools keep the token.
fn token_file() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let hub = |folder: PathBuf| folder.join("huggingface");
    let cache = || dirs::home_dir().map(|home| home.join(".cache"));
    let home = variable("HF_HOME")
        .or_else(|| variable("XDG_CACHE_HOME").map(hub))
        .or_else(|| cache().map(hub));
    variable("HF_TOKEN_PATH").or_else(|| Some(home?.join("token")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_for_the_hub_alone() {
        let hub = Endpoint::parse("https://hub.example/mirror/").unwrap();
        assert_eq!(hub.url, "https://hub.example/mirror");
        let home = |text: &str| hub.is_home(&text.parse().unwrap());
        assert!(home("https://HUB.example/a/b"));
        for other in [
            "http://hub.example/a",
            "https://hub.example:8443/a",
            "https://hub.example.evil/a",
            "https://cdn.hub.example/a",
        ] {
            assert!(!home(other), "{other}");
        }
    }

    #[test]
    fn an_address_that_is_none_is_refused_without_its_password() {
        for text in ["hub", "ftp://hub", "https://hub/?a", "https://"] {
            assert!(Endpoint::parse(text).is_err(), "{text}");
        }
        let error = Endpoint::parse("https://me:secret@hub")
            .unwrap_err()
            .to_string();
        assert!(!error.contains("secret"), "{error}");
        assert!(!Endpoint::parse("http://hub").unwrap().is_private());
        assert!(Endpoint::parse("http://127.0.0.1:1").unwrap().is_private());
    }

    #[test]
    fn a_broken_token_is_not_repeated() {
        let error = Token::parse("hf_one\nhf_two").err().unwrap().to_string();
        assert!(!error.contains("hf_"), "{error}");
        assert!(Token::parse(" \n").unwrap().is_none());
        let token = Token::parse("hf_one\n").unwrap().unwrap();
        assert_eq!(token.header(), "Bearer hf_one");
        assert_eq!(token.hidden_in("no hf_one here"), "no [token] here");
    }
}
