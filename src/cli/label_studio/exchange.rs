//! Requests as JSON and answers that Label Studio can show.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::ext::ReasonPhrase;
use serde_json::{Value, json};

use crate::error::{Error, ErrorKind};

/// The largest request read, in bytes: some 30,000 tasks of ordinary length.
const MAX_BYTES: usize = 64 << 20;
/// The longest reason phrase sent, in bytes.
const MAX_REASON: usize = 400;

/// A request that is not carried out, and why.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    /// With `message` for the user.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::Io | ErrorKind::Device => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorKind::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for Refusal {
    /// The message goes into the body and into the status line: of an answer that failed, Label
    /// Studio shows its user only the latter.
    fn into_response(self) -> Response {
        eprintln!(
            "label studio: {} {}",
            self.status.as_u16(),
            printable(&self.message)
        );
        let reason = reason(&self.message);
        let mut response = (self.status, answer(&json!({ "error": self.message }))).into_response();
        if let Ok(reason) = ReasonPhrase::try_from(reason.into_bytes()) {
            response.extensions_mut().insert(reason);
        }
        response
    }
}

/// An answer as JSON.
pub fn answer(value: &Value) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "application/json")],
        value.to_string(),
    )
}

/// The JSON object of a request.
///
/// Other types than JSON are refused: a foreign page in this machine's browser could send those
/// without asking first.
///
/// # Errors
/// 415, 413 or 400, in words.
pub async fn read(request: Request) -> Result<Value, Refusal> {
    let (head, body) = request.into_parts();
    if !is_json(&head.headers) {
        let message = "expected a body of type application/json";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    if declared(&head.headers).is_some_and(|bytes| bytes > MAX_BYTES) {
        return Err(too_large());
    }
    let bytes = whole(body).await?;
    let value = serde_json::from_slice(&mended(&bytes)).map_err(|error| {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            format!("the body is not JSON: {error}"),
        )
    })?;
    match value {
        Value::Object(_) => Ok(value),
        other => {
            let found = crate::cli::forms::type_name(&other);
            let message = format!("the body is {found}, expected an object");
            Err(Refusal::new(StatusCode::BAD_REQUEST, message))
        }
    }
}

async fn whole(body: Body) -> Result<Vec<u8>, Refusal> {
    let bytes = axum::body::to_bytes(body, MAX_BYTES).await;
    bytes.map(Into::into).map_err(|_| too_large())
}

fn too_large() -> Refusal {
    let limit = MAX_BYTES >> 20;
    let message = format!(
        "the body is larger than {limit} MiB or was cut short; select fewer tasks at a time"
    );
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message)
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

fn declared(headers: &HeaderMap) -> Option<usize> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

/// JSON whose escaped lone surrogates are replacement characters. Python and JavaScript write such
/// halves of a character where a text was cut in the wrong place; they are no Unicode.
fn mended(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        let (before, escape) = rest.split_at(at);
        out.extend_from_slice(before);
        let taken = match (
            surrogate(escape),
            surrogate(escape.get(6..).unwrap_or_default()),
        ) {
            (Some(Half::High), Some(Half::Low)) => &escape[..12],
            (Some(_), _) => {
                out.extend_from_slice(b"\\ufffd");
                rest = &escape[6..];
                continue;
            }
            (None, _) => &escape[..escape.len().min(2)],
        };
        out.extend_from_slice(taken);
        rest = &escape[taken.len()..];
    }
    out.extend_from_slice(rest);
    out
}

enum Half {
    High,
    Low,
}

/// Which half of a character the escape at the start of `json` is.
fn surrogate(json: &[u8]) -> Option<Half> {
    let digits = std::str::from_utf8(json.strip_prefix(b"\\u")?.get(..4)?).ok()?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xd800..=0xdbff => Some(Half::High),
        0xdc00..=0xdfff => Some(Half::Low),
        _ => None,
    }
}

/// A message for a terminal: what it quotes may hold control characters.
fn printable(message: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    message.chars().map(plain).collect()
}

/// A message for a status line, which is ASCII and which Label Studio's page takes for HTML.
fn reason(message: &str) -> String {
    let plain = |c: char| match c {
        '<' | '>' | '&' => ' ',
        ' '..='~' => c,
        c if c.is_control() => ' ',
        _ => '?',
    };
    message.chars().take(MAX_REASON).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str) -> Value {
        serde_json::from_slice(&mended(json.as_bytes())).unwrap()
    }

    #[test]
    fn lone_surrogates_are_replaced_and_nothing_else_changes() {
        for (json, text) in [
            (r#""a\ud800b""#, "a\u{fffd}b"),
            (r#""a\udc00""#, "a\u{fffd}"),
            (r#""\ud83d\ude00""#, "😀"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\\ud800""#, "\\ud800"),
            (r#""\\\ud800""#, "\\\u{fffd}"),
            (r#""\ud800\n""#, "\u{fffd}\n"),
            (r#""नमस्ते \u0928""#, "नमस्ते न"),
        ] {
            assert_eq!(parsed(json), text, "{json}");
        }
        for broken in ["\"\\", "\"\\u", "\"\\ud8", "\\ud800\\"] {
            let mended = mended(broken.as_bytes());
            assert!(
                serde_json::from_slice::<Value>(&mended).is_err(),
                "{broken}"
            );
        }
    }

    #[test]
    fn a_status_line_carries_no_markup_and_no_line_breaks() {
        let found = reason("no <img src=x> & \r\nX: y नमस्ते");
        assert!(found.starts_with("no  img src=x      X: y ??"), "{found}");
        assert!(reason(&"x".repeat(10_000)).len() <= MAX_REASON);
    }

    #[test]
    fn only_json_passes_for_json() {
        let is = |kind: &str| {
            is_json(&HeaderMap::from_iter([(
                header::CONTENT_TYPE,
                kind.parse().unwrap(),
            )]))
        };
        assert!(is("application/json") && is("Application/JSON; charset=utf-8"));
        assert!(!is("text/plain") && !is("application/jsonp") && !is_json(&HeaderMap::new()));
    }
}
