//! A page of another origin that embeds the scorer, as annotation tools do.

use std::path::Path;

use axum::Router;
use axum::http::header;
use axum::routing::get;
use touchstone::cli::serve;

use crate::page::Page;

/// The host that the examples name.
const HOST: &str = "https://touchstone.example.org";

/// Opens the files of a tool (name and text, `index.html` first) in a browser. They stand on one
/// origin and the built page in `dist` on another, which the tool's origin may embed; what the
/// examples name as the host becomes the second one.
pub async fn open(dist: &Path, files: &[(&'static str, &str)]) -> Page {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = format!("http://{}", listener.local_addr().unwrap());
    let page = Page::open_router(router(files, &host), &[]).await;
    let origin = page.address.trim_end_matches('/').to_owned();
    let scorer = serve::router(dist, &[], &[origin]).expect("the page is built");
    tokio::spawn(async move { axum::serve(listener, scorer).await });
    page.client
        .goto(&format!("{}index.html", page.address))
        .await
        .unwrap();
    page
}

/// The tool's own files; its address without a name is an empty page, shown until the host is up.
fn router(files: &[(&'static str, &str)], host: &str) -> Router {
    let empty = Router::new().route("/", get(|| async { "" }));
    files.iter().fold(empty, |router, (name, text)| {
        let text = text.replace(HOST, host);
        let kind = media_type(name);
        let answer = move || async move { ([(header::CONTENT_TYPE, kind)], text) };
        router.route(&format!("/{name}"), get(answer))
    })
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "js")) => "text/javascript",
        Some((_, "css")) => "text/css",
        _ => "text/html; charset=utf-8",
    }
}
