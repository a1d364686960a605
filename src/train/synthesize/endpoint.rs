//! Where requests go and with what key; nothing here prints the key.

use std::path::Path;

use serde_json::{Map, Value, json};
use ureq::http::Uri;
use ureq::http::uri::Scheme;

use super::prompt::Messages;
use crate::cli::http::is_local;
use crate::cli::read;
use crate::error::{Error, ErrorKind, Result};

/// Environment variable that holds the key.
pub const KEY: &str = "TOUCHSTONE_LLM_KEY";

/// Fields of a request that are not the user's to set.
const OURS: [&str; 5] = ["model", "messages", "response_format", "stream", "n"];

/// The key to an endpoint. Without `Debug` and `Display`, so that no message can hold it.
pub struct Key(String);

impl Key {
    /// The key in `file`, else that of the environment, `variable`; none where both are missing.
    ///
    /// # Errors
    /// `Io` for the file, `Input` for a key that is no line of visible ASCII.
    pub fn find(file: Option<&Path>, variable: Option<String>) -> Result<Option<Self>> {
        let text = match file {
            Some(path) => Some(String::from_utf8_lossy(&read(path)?).into_owned()),
            None => variable,
        };
        let key = text.map(|text| text.trim().to_owned());
        let key = key.filter(|key| !key.is_empty());
        if key.is_none() && file.is_some() {
            return Err(input("the file of --key-file is empty"));
        }
        match key {
            Some(key) if !key.bytes().all(|byte| byte.is_ascii_graphic()) => Err(input(
                "the key holds spaces or other characters that no key has: it should be one line",
            )),
            key => Ok(key.map(Self)),
        }
    }

    /// The header that shows the key to the server.
    pub fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// `text` with the key taken out, should the server repeat it.
    pub fn hidden_in(&self, text: &str) -> String {
        text.replace(&self.0, "[key]")
    }
}

/// An OpenAI-compatible server's address.
#[derive(Clone, Debug)]
pub struct Address {
    /// `{url}/chat/completions`.
    pub url: String,
    /// Host and port, for people.
    pub host: String,
    /// Whether it is this machine.
    pub local: bool,
}

impl Address {
    /// Reads an address such as `https://host/v1`.
    ///
    /// # Errors
    /// `Input` where it is no address, holds a password or a query, or would send the texts
    /// unencrypted to another machine.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            input(format!(
                "--url: {why}; expected one such as https://host/v1"
            ))
        };
        let uri: Uri = text
            .trim()
            .parse()
            .map_err(|_| wrong("this is no address"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(wrong("the address lacks https:// or its host"));
        };
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(wrong("the address may hold no user, password or query"));
        }
        let local = is_local(authority.host());
        match scheme {
            scheme if *scheme == Scheme::HTTPS => {}
            scheme if *scheme == Scheme::HTTP && local => {}
            scheme if *scheme == Scheme::HTTP => {
                return Err(wrong(
                    "http:// is for this machine only, others need https://",
                ));
            }
            _ => return Err(wrong("the address is neither https:// nor http://")),
        }
        let path = uri.path().trim_end_matches('/');
        let path = path.strip_suffix("/chat/completions").unwrap_or(path);
        Ok(Self {
            url: format!("{scheme}://{authority}{path}/chat/completions"),
            host: authority.to_string(),
            local,
        })
    }
}

/// Reads the fields the user wants added to every request.
///
/// # Errors
/// `Input` where the text is no JSON object or sets a field that is ours.
pub fn extra(text: &str) -> Result<Map<String, Value>> {
    let wrong = |why: String| input(format!("--extra: {why}; expected {{\"temperature\": 0.8}}"));
    let fields: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    match OURS.into_iter().find(|field| fields.contains_key(*field)) {
        Some(field) => Err(wrong(format!("`{field}` cannot be set"))),
        None => Ok(fields),
    }
}

/// The body of a request.
pub fn body(
    model: &str,
    messages: &Messages,
    json_mode: bool,
    extra: &Map<String, Value>,
) -> Value {
    let mut body = json!({
        "model": model,
        "messages": [
            {"role": "system", "content": messages.system},
            {"role": "user", "content": messages.user},
        ],
    });
    if json_mode {
        body["response_format"] = json!({"type": "json_object"});
    }
    for (name, value) in extra {
        body[name] = value.clone();
    }
    body
}

fn input(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Input, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> String {
        Address::parse(url).unwrap_err().to_string()
    }

    #[test]
    fn an_address_leads_to_chat_completions() {
        for url in [
            "https://h.example:8443/v1",
            " https://h.example:8443/v1/chat/completions/",
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!(address.url, "https://h.example:8443/v1/chat/completions");
            assert_eq!(
                (address.host.as_str(), address.local),
                ("h.example:8443", false)
            );
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for url in [
            "http://localhost:1/v1",
            "http://127.0.0.1:1",
            "http://[::1]:1/v1",
        ] {
            assert!(Address::parse(url).unwrap().local, "{url}");
        }
        assert!(refusal("http://h.example/v1").contains("this machine only"));
        assert!(refusal("http://localhost.example/v1").contains("this machine only"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        assert!(refusal("h.example/v1").contains("expected one such as"));
        assert!(refusal("ftp://h.example").contains("neither"));
        assert!(refusal("").contains("no address"));
        let secret = refusal("https://me:secret@h.example/v1");
        assert!(
            secret.contains("password") && !secret.contains("secret"),
            "{secret}"
        );
    }

    #[test]
    fn the_key_comes_from_the_file_or_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "sk-file\n").unwrap();
        let found = |file, variable: Option<&str>| {
            let key = Key::find(file, variable.map(str::to_owned))?;
            Ok::<_, Error>(key.map(|key| key.header()))
        };
        assert_eq!(
            found(Some(&file), Some("sk-env")).unwrap().unwrap(),
            "Bearer sk-file"
        );
        assert_eq!(
            found(None, Some("sk-env")).unwrap().unwrap(),
            "Bearer sk-env"
        );
        assert_eq!(found(None, Some(" ")).unwrap(), None);
        let broken = found(None, Some("sk-one\nsk-two")).unwrap_err().to_string();
        assert!(!broken.contains("sk-"), "{broken}");
        std::fs::write(&file, "\n").unwrap();
        assert!(found(Some(&file), None).is_err());
    }

    #[test]
    fn extra_fields_join_the_body_but_not_over_ours() {
        let messages = Messages {
            system: "s".into(),
            user: "u".into(),
        };
        let body = body(
            "m",
            &messages,
            true,
            &extra(r#"{"temperature": 0.5}"#).unwrap(),
        );
        assert_eq!(body["temperature"], 0.5);
        assert_eq!(body["response_format"]["type"], "json_object");
        assert!(extra(r#"{"stream": true}"#).is_err() && extra("[]").is_err());
    }
}
