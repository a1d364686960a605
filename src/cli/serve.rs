//! A small static server for the built page: this machine only, unless told otherwise.

use std::future::Future;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::handler::HandlerWithoutStateExt;
use axum::http::uri::Authority;
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, Uri, Version, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate, SizeAbove};
use tower_http::services::ServeDir;

use super::embedders::Embedders;
use super::hosted;
use super::label_studio::{self, LabelStudioArgs};
use crate::error::{Error, ErrorKind, Result};

/// What the page may load and run; who may embed it is appended.
const CONTENT_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
     style-src 'self'; img-src 'self' data:; connect-src 'self'; worker-src 'self'; \
     base-uri 'none'; form-action 'none'; object-src 'none'";
/// Types worth compressing; the weights, `application/octet-stream`, are not among them.
const COMPRESSED: [&str; 5] = [
    "text/",
    "application/json",
    "application/wasm",
    "application/javascript",
    "image/svg+xml",
];
/// Answers below this many bytes are sent as they are.
const COMPRESSED_ABOVE: u16 = 256;
/// Fast enough for a tokenizer of 17 MB, and a tenth smaller than the fastest level.
const COMPRESSION: i32 = 4;
/// How long running downloads may go on after Ctrl-C.
const GRACE: Duration = Duration::from_secs(3);

const NOT_FOUND: (StatusCode, &str) = (StatusCode::NOT_FOUND, "404: there is no such file here\n");
const FOREIGN_HOST: (StatusCode, &str) = (
    StatusCode::MISDIRECTED_REQUEST,
    "421: this server answers only to localhost, 127.0.0.1 and [::1]; open it under one of these\n",
);

/// Arguments of `touchstone serve`.
#[derive(clap::Args, Clone, Debug)]
pub struct ServeArgs {
    /// Folder to serve: the built page.
    #[arg(default_value = "dist", value_name = "DIR")]
    pub folder: PathBuf,
    /// Address to listen on; anything but a loopback address opens the page to the network.
    #[arg(long, default_value = "127.0.0.1")]
    pub host: String,
    /// Port to listen on; 0 takes any free one.
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// Further bundle that the page offers, beside its own model; repeatable. Served under `models/`
    /// with the folder's name, and listed in `bundles.json`.
    #[arg(long = "bundle", value_name = "DIR")]
    pub bundles: Vec<PathBuf>,
    /// Origin whose pages may embed the scorer (`scheme://host:port`, the port optional; `self` for
    /// this page's own, `null` for files); repeatable, nobody by default. Makes `embed.json`.
    #[arg(long = "embed-origin", value_name = "ORIGIN")]
    pub embed_origins: Vec<String>,
    /// What is told Label Studio.
    #[command(flatten)]
    pub label_studio: LabelStudioArgs,
}

/// Serves the folder until Ctrl-C or SIGTERM; prints the address once it listens.
///
/// # Errors
/// `Io` when the folder holds no page or the address cannot be had, `Input` for a bad origin.
pub fn run(args: &ServeArgs) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new().map_err(failed)?;
    runtime.block_on(serve(args))
}

/// The server's answers as given on a loopback address, for tests and for embedding; `bundles` are
/// offered beside the page's own model.
///
/// # Errors
/// `Io` when the folder is missing or has no `index.html`, `Input` naming a bad origin or a bundle
/// that cannot be served.
pub fn router(folder: &Path, bundles: &[PathBuf], embed_origins: &[String]) -> Result<Router> {
    let embedders = Embedders::new(embed_origins)?;
    let local = files(folder, bundles, &embedders)?.layer(from_fn(refuse_foreign_hosts));
    with_headers(local, embedders)
}

/// All that is asked for: the page, a backend of Label Studio, or both.
fn site(args: &ServeArgs, embedders: &Embedders) -> Result<Router> {
    let page = || files(&args.folder, &args.bundles, embedders);
    match label_studio::routes(&args.label_studio, &args.folder, &args.bundles)? {
        None => page(),
        Some(backend) if has_page(&args.folder) => Ok(page()?.merge(backend)),
        Some(backend) => Ok(backend.fallback_service(NOT_FOUND.into_service())),
    }
}

async fn serve(args: &ServeArgs) -> Result<()> {
    let listener = bind(&args.host, args.port).await?;
    let address = listener.local_addr().map_err(failed)?;
    let embedders = Embedders::new(&args.embed_origins)?;
    let mut site = site(args, &embedders)?;
    if address.ip().to_canonical().is_loopback() {
        site = site.layer(from_fn(refuse_foreign_hosts));
    } else {
        eprintln!(
            "warning: --host {} lets everybody on the network open this page",
            args.host
        );
    }
    let router = with_headers(site, embedders)?;
    let (stop, last_call) = (stop_signal()?, stop_signal()?);
    announce(&args.folder, address)?;
    tokio::select! {
        served = axum::serve(listener, router).with_graceful_shutdown(stop) => served.map_err(failed),
        () = async { last_call.await; tokio::time::sleep(GRACE).await } => Ok(()),
    }
}

async fn bind(host: &str, port: u16) -> Result<TcpListener> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    TcpListener::bind((bare, port)).await.map_err(|error| {
        let advice = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "the port is in use; choose another with --port, or --port 0 for any free one"
            }
            std::io::ErrorKind::PermissionDenied => {
                "not permitted; choose a port above 1023 with --port"
            }
            _ => "choose an address of this machine with --host",
        };
        Error::new(
            ErrorKind::Io,
            format!("cannot listen on {host} port {port}: {advice} ({error})"),
        )
    })
}

/// Says where the page is; flushed, since whoever started this may wait for the line.
fn announce(folder: &Path, address: SocketAddr) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "serving {} on http://{address}/", folder.display())
        .and_then(|()| out.flush())
        .map_err(failed)
}

/// Ready at the first Ctrl-C or SIGTERM after this call.
#[cfg(unix)]
fn stop_signal() -> Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => (),
            _ = terminate.recv() => (),
        }
    })
}

#[cfg(not(unix))]
fn stop_signal() -> Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c().map_err(failed)?;
    Ok(async move { interrupt.recv().await.map_or((), |()| ()) })
}

fn failed(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("the server failed: {error}"))
}

/// The folder's files, precompressed where a `.br` or `.gz` stands beside them.
fn files(folder: &Path, bundles: &[PathBuf], embedders: &Embedders) -> Result<Router> {
    if !has_page(folder) {
        let message = format!(
            "there is no index.html in {}; build the page with `cargo xtask build`, \
             or name the folder that holds it",
            folder.display()
        );
        return Err(Error::new(ErrorKind::Io, message));
    }
    let files = ServeDir::new(folder)
        .precompressed_br()
        .precompressed_gzip();
    let compression = CompressionLayer::new()
        .quality(CompressionLevel::Precise(COMPRESSION))
        .compress_when(SizeAbove::new(COMPRESSED_ABOVE).and(is_compressible));
    Ok(hosted::routes(folder, bundles)?
        .merge(embedders.routes()?)
        .fallback_service(files.not_found_service(NOT_FOUND.into_service()))
        .layer(compression)
        .layer(from_fn(screen)))
}

fn has_page(folder: &Path) -> bool {
    folder.join("index.html").is_file()
}

fn is_compressible(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| COMPRESSED.iter().any(|start| kind.starts_with(start)))
}

/// Refuses hidden files and keeps ranges apart from compression.
async fn screen(mut request: Request, next: Next) -> Response {
    if is_hidden(request.uri()) {
        return NOT_FOUND.into_response();
    }
    let headers = request.headers_mut();
    // Ranges count bytes of the plain file, so a precompressed one must not be picked. Whether
    // an `If-Range` still holds is not known here: the whole file is always a right answer.
    if headers.contains_key(header::IF_RANGE) {
        headers.remove(header::RANGE);
    }
    if headers.contains_key(header::RANGE) {
        headers.remove(header::ACCEPT_ENCODING);
    }
    next.run(request).await
}

/// Whether a path has a segment that starts with a dot, or starts with `//`, which a redirect to
/// a folder would turn into another host. The three escapes are those that can hide either.
fn is_hidden(uri: &Uri) -> bool {
    let path = uri.path().to_ascii_lowercase();
    let path = path
        .replace("%2e", ".")
        .replace("%2f", "/")
        .replace("%5c", "\\")
        .replace('\\', "/");
    path.starts_with("//") || path.split('/').any(|segment| segment.starts_with('.'))
}

/// Against DNS rebinding: a foreign name that points to this machine is not served.
async fn refuse_foreign_hosts(request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    match host.is_some_and(is_loopback) {
        true => next.run(request).await,
        false => FOREIGN_HOST.into_response(),
    }
}

fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host();
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Puts the security headers on every answer.
fn with_headers(router: Router, embedders: Embedders) -> Result<Router> {
    let fixed = security_headers(&embedders)?;
    Ok(router.layer(from_fn(move |request: Request, next: Next| {
        let mut headers = fixed.clone();
        if let Some(origin) = embedders.allowed(request.headers()) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        async move {
            let mut response = next.run(request).await;
            response.headers_mut().extend(headers);
            response
        }
    })))
}

fn security_headers(embedders: &Embedders) -> Result<HeaderMap> {
    let policy = format!("{CONTENT_POLICY}{}", embedders.frame_ancestors());
    let policy = HeaderValue::from_str(&policy)
        .map_err(|error| Error::new(ErrorKind::Input, format!("--embed-origin: {error}")))?;
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::VARY, "accept-encoding, origin"),
    ];
    let fixed = fixed.map(|(name, value)| (name, HeaderValue::from_static(value)));
    let resources = header::HeaderName::from_static("cross-origin-resource-policy");
    Ok(HeaderMap::from_iter(fixed.into_iter().chain([
        (header::CONTENT_SECURITY_POLICY, policy),
        (resources, embedders.resource_policy()),
    ])))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpStream;

    use super::*;

    /// A page with what matters here, its server on a free port, and the folder above it.
    struct Site {
        address: SocketAddr,
        above: tempfile::TempDir,
    }

    struct Answer {
        head: String,
        body: Vec<u8>,
    }

    impl Site {
        fn new(embed_origins: &[&str]) -> Self {
            let above = tempfile::tempdir().unwrap();
            let folder = above.path().join("dist");
            std::fs::create_dir_all(folder.join("wasm")).unwrap();
            std::fs::write(above.path().join("secret.txt"), "secret").unwrap();
            for (name, bytes) in [
                ("index.html", "<!doctype html>".to_owned()),
                (".env", "secret".to_owned()),
                ("wasm/.env", "secret".to_owned()),
                ("page.js", script()),
                ("page.js.gz", "packed before".to_owned()),
                ("other.js", script()),
                ("catalogue.json", script()),
                ("weights.safetensors", script()),
                ("wasm/some_bg.wasm", script()),
            ] {
                std::fs::write(folder.join(name), bytes).unwrap();
            }
            let origins: Vec<String> = embed_origins.iter().map(|&o| o.to_owned()).collect();
            let address = spawn(router(&folder, &[], &origins).unwrap());
            Self { address, above }
        }

        /// `lines` are the request line without its version, then headers; `Host` is added.
        fn ask(&self, lines: &str) -> Answer {
            self.ask_as("localhost:8080", lines)
        }

        fn ask_as(&self, host: &str, lines: &str) -> Answer {
            let (first, headers) = lines.split_once('\n').unwrap_or((lines, ""));
            // In HTTP/1.0 the body ends with the connection: no chunks to put together.
            let mut request = format!("{first} HTTP/1.0\r\nHost: {host}\r\n");
            headers
                .lines()
                .for_each(|line| request += &format!("{}\r\n", line.trim()));
            let mut stream = TcpStream::connect(self.address).unwrap();
            stream
                .write_all(format!("{request}\r\n").as_bytes())
                .unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).unwrap();
            let end = bytes
                .windows(4)
                .position(|four| four == b"\r\n\r\n")
                .unwrap();
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            Answer {
                head,
                body: bytes[end + 4..].to_vec(),
            }
        }
    }

    impl Answer {
        fn status(&self) -> u16 {
            self.head.split(' ').nth(1).unwrap().parse().unwrap()
        }

        fn header(&self, name: &str) -> Option<&str> {
            let mut headers = self.head.lines().filter_map(|line| line.split_once(": "));
            headers
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value)
        }
    }

    fn spawn(router: Router) -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async move {
                axum::serve(TcpListener::from_std(listener).unwrap(), router)
                    .await
                    .unwrap();
            });
        });
        address
    }

    fn script() -> String {
        (0..500).map(|i| format!("score({i});\n")).collect()
    }

    #[test]
    fn files_have_their_types() {
        let site = Site::new(&[]);
        for (path, expected) in [
            ("/", "text/html"),
            ("/wasm/some_bg.wasm", "application/wasm"),
            ("/other.js", "text/javascript"),
            ("/catalogue.json", "application/json"),
            ("/weights.safetensors", "application/octet-stream"),
        ] {
            let answer = site.ask(&format!("GET {path}"));
            assert_eq!(
                (answer.status(), answer.header("content-type")),
                (200, Some(expected))
            );
        }
    }

    #[test]
    fn every_answer_has_the_security_headers() {
        let site = Site::new(&[]);
        let foreign = site.ask_as("evil.example", "GET /");
        for answer in [
            site.ask("GET /"),
            site.ask("GET /nowhere"),
            site.ask("PUT /"),
            foreign,
        ] {
            let policy = answer.header("content-security-policy").unwrap();
            assert!(
                policy.contains("script-src 'self' 'wasm-unsafe-eval';"),
                "{policy}"
            );
            assert!(policy.ends_with("; frame-ancestors 'none'"), "{policy}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
            assert_eq!(
                answer.header("cross-origin-resource-policy"),
                Some("same-origin")
            );
            assert_eq!(answer.header("cache-control"), Some("no-cache"));
        }
    }

    #[test]
    fn listed_origins_may_embed_the_page_and_load_its_scripts() {
        let site = Site::new(&["self", "https://a.example:8443"]);
        let answer = site.ask("GET /page.js\nOrigin: https://a.example:8443");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.ends_with("; frame-ancestors 'self' https://a.example:8443"),
            "{policy}"
        );
        assert_eq!(
            answer.header("cross-origin-resource-policy"),
            Some("cross-origin")
        );
        let allowed = "access-control-allow-origin";
        assert_eq!(answer.header(allowed), Some("https://a.example:8443"));
        let other = site.ask("GET /page.js\nOrigin: https://b.example");
        assert_eq!(other.header(allowed), None);
        let list: serde_json::Value =
            serde_json::from_slice(&site.ask("GET /embed.json").body).unwrap();
        let expected = serde_json::json!({ "origins": ["self", "https://a.example:8443"] });
        assert_eq!(list, expected);
    }

    #[test]
    fn a_list_written_by_hand_is_served_where_none_is_given() {
        let site = Site::new(&[]);
        assert_eq!(site.ask("GET /embed.json").status(), 404);
        let file = site.above.path().join("dist/embed.json");
        std::fs::write(file, "{}").unwrap();
        assert_eq!(site.ask("GET /embed.json").body, b"{}");
    }

    #[test]
    fn a_range_is_plain_bytes_even_where_compression_is_accepted() {
        let site = Site::new(&[]);
        for path in [
            "/page.js",
            "/other.js",
            "/weights.safetensors",
            "/wasm/some_bg.wasm",
        ] {
            let answer = site.ask(&format!(
                "GET {path}\nRange: bytes=100-4099\nAccept-Encoding: br, gzip"
            ));
            assert_eq!(answer.status(), 206, "{path}");
            assert_eq!(answer.header("content-encoding"), None, "{path}");
            let expected = format!("bytes 100-4099/{}", script().len());
            assert_eq!(answer.header("content-range"), Some(expected.as_str()));
            assert_eq!(answer.body, &script().as_bytes()[100..4100], "{path}");
        }
    }

    #[test]
    fn a_conditional_range_gets_the_whole_file() {
        let request = "GET /weights.safetensors\nRange: bytes=1-2\nIf-Range: \"old\"";
        let answer = Site::new(&[]).ask(request);
        assert_eq!((answer.status(), answer.body.len()), (200, script().len()));
    }

    #[test]
    fn text_json_and_wasm_are_compressed_and_weights_are_not() {
        let site = Site::new(&[]);
        for path in ["/other.js", "/catalogue.json", "/wasm/some_bg.wasm"] {
            let answer = site.ask(&format!("GET {path}\nAccept-Encoding: gzip"));
            assert_eq!(answer.header("content-encoding"), Some("gzip"), "{path}");
            let mut plain = String::new();
            flate2::read::GzDecoder::new(&answer.body[..])
                .read_to_string(&mut plain)
                .unwrap();
            assert_eq!(plain, script());
        }
        let brotli = site.ask("GET /other.js\nAccept-Encoding: gzip, br");
        assert_eq!(brotli.header("content-encoding"), Some("br"));
        let weights = site.ask("GET /weights.safetensors\nAccept-Encoding: gzip, br");
        assert_eq!(weights.header("content-encoding"), None);
        assert_eq!(
            weights.header("content-length"),
            Some(script().len().to_string().as_str())
        );
    }

    #[test]
    fn a_file_packed_before_is_sent_as_it_is() {
        let answer = Site::new(&[]).ask("GET /page.js\nAccept-Encoding: gzip");
        assert_eq!(answer.header("content-encoding"), Some("gzip"));
        assert_eq!(answer.header("content-type"), Some("text/javascript"));
        assert_eq!(answer.body, b"packed before");
    }

    #[test]
    fn nothing_outside_the_folder_and_no_hidden_file_is_served() {
        let site = Site::new(&[]);
        for path in [
            "/nowhere",
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/..%2Fsecret.txt",
            "/wasm/..%5c..%5csecret.txt",
            "//../secret.txt",
            "/.env",
            "/%2Eenv",
            "/wasm/../.env",
            "/wasm%2f.env",
            "//wasm",
            "/%00",
            "/%ff",
        ] {
            let answer = site.ask(&format!("GET {path}"));
            assert_eq!(answer.status(), 404, "{path}");
            assert_eq!(answer.body, NOT_FOUND.1.as_bytes(), "{path}");
        }
    }

    #[test]
    fn only_get_and_head_are_answered() {
        let site = Site::new(&[]);
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            assert_eq!(site.ask(&format!("{method} /")).status(), 405, "{method}");
        }
        let head = site.ask("HEAD /other.js");
        assert_eq!((head.status(), head.body.len()), (200, 0));
    }

    #[test]
    fn foreign_names_for_this_machine_are_refused() {
        let site = Site::new(&[]);
        for host in ["localhost", "LOCALHOST:1", "127.0.0.1:8080", "[::1]:8080"] {
            assert_eq!(site.ask_as(host, "GET /").status(), 200, "{host}");
        }
        for host in [
            "evil.example:8080",
            "localhost.evil.example",
            "192.168.0.2",
            "0.0.0.0",
            "",
        ] {
            let answer = site.ask_as(host, "GET /");
            assert_eq!(answer.status(), 421, "{host}");
            assert_eq!(answer.body, FOREIGN_HOST.1.as_bytes(), "{host}");
        }
    }

    #[test]
    fn a_folder_without_a_page_says_what_to_do() {
        let empty = tempfile::tempdir().unwrap();
        for folder in [empty.path().to_owned(), empty.path().join("missing")] {
            let error = router(&folder, &[], &[]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io);
            assert!(error.to_string().contains("cargo xtask build"), "{error}");
        }
    }

    #[test]
    fn a_port_in_use_says_what_to_do() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let site = Site::new(&[]);
        let folder = site.above.path().join("dist");
        let args = ServeArgs {
            folder,
            host: "127.0.0.1".into(),
            port,
            bundles: Vec::new(),
            embed_origins: Vec::new(),
            label_studio: LabelStudioArgs::default(),
        };
        let error = run(&args).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("--port 0"), "{error}");
    }
}
