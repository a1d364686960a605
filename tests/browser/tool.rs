//! A page of another origin that embeds the scorer, as annotation tools do.

use std::path::Path;

use axum::Router;
use axum::http::header;
use axum::routing::get;
use tokio::net::TcpListener;
use touchstone::cli::serve;

use crate::browser::Browser;
use crate::page::{Page, spawn};

/// The host that the examples name.
const HOST: &str = "https://touchstone.example.org";

/// Opens the files of a tool, name and text, at its `index.html`. They stand on one origin and the
/// built page in `dist` on another, which lets the tool's embed it; what the examples name as the
/// host becomes the second one.
pub async fn open(dist: &Path, files: &[(&'static str, &str)]) -> Page {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let page = format!("{origin}/index.html");
    let scorer = serve::router(dist, &[], &[origin]).expect("the page is built");
    let router = router(files, spawn(scorer).await.trim_end_matches('/'));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Page::start(&Browser::default(), &page).await
}

fn router(files: &[(&'static str, &str)], host: &str) -> Router {
    files.iter().fold(Router::new(), |router, (name, text)| {
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
