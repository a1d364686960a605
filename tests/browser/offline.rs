//! The page without a network, and its updates: a server that can be stopped, in a sub-folder.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use axum::Router;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use touchstone::cli::serve;

use crate::page::{Page, tiny_dist, variable};

const READY: &str = "document.querySelector('#offline-state').dataset.state === 'ready'";
const OFFER: &str = "document.querySelector('#use-update') !== null";

/// The page in `/sub/` of a server that the test can stop.
struct Site {
    dist: tempfile::TempDir,
    address: SocketAddr,
    /// Of its own: with it end the connections that the browser keeps open.
    server: Option<Runtime>,
}

impl Site {
    fn new() -> Self {
        let dist = tiny_dist();
        list_files(dist.path());
        let page = serve::router(dist.path(), &[], &[]).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let server = Runtime::new().unwrap();
        server.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let router = Router::new().nest_service("/sub", page);
            axum::serve(listener, router).await.unwrap();
        });
        Self {
            dist,
            address,
            server: Some(server),
        }
    }

    /// Ends the server and every connection to it.
    fn stop(&mut self) {
        let server = self.server.take().expect("the server runs");
        server.shutdown_background();
    }

    fn url(&self) -> String {
        format!("http://{}/sub/", self.address)
    }

    /// Changes the style sheet; the list of files is made anew.
    fn publish(&self, rule: &str) {
        self.append("style.css", rule);
        list_files(self.dist.path());
    }

    fn append(&self, name: &str, text: &str) {
        let path = self.dist.path().join(name);
        let before = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{before}\n{text}\n")).unwrap();
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // A runtime cannot wait for its end inside another.
        if let Some(server) = self.server.take() {
            server.shutdown_background();
        }
    }
}

/// What the build does last.
fn list_files(dist: &Path) {
    let status = Command::new(variable("TOUCHSTONE_XTASK"))
        .arg("list-files")
        .arg(dist)
        .status()
        .unwrap();
    assert!(status.success(), "xtask list-files");
}

/// Opens the page anew, as a visit does.
async fn visit(page: &Page, site: &Site) {
    page.client.goto("about:blank").await.unwrap();
    page.client.goto(&site.url()).await.unwrap();
    page.ready().await;
}

/// The first visit, until everything is kept.
async fn first_visit(site: &Site) -> Page {
    let page = Page::open(site.dist.path(), &[]).await;
    visit(&page, site).await;
    page.wait("all is kept for use without a network", 60, READY)
        .await;
    page
}

async fn marker(page: &Page) -> Value {
    let script =
        "return getComputedStyle(document.documentElement).getPropertyValue('--marker').trim()";
    page.run(script).await
}

async fn score(page: &Page) -> f64 {
    page.choose_metric("fairness").await;
    page.fill("#user", "Who should get the flat?").await;
    page.fill("#response", "Whoever applied first.").await;
    page.score().await["score"].as_f64().unwrap()
}

#[tokio::test]
async fn after_one_visit_the_page_scores_without_a_network() {
    let mut site = Site::new();
    let page = first_visit(&site).await;
    let online = score(&page).await;
    site.stop();
    visit(&page, &site).await;
    page.wait("the page knows that all is kept", 60, READY)
        .await;
    assert_eq!(score(&page).await, online);
    page.close().await;
}

#[tokio::test]
async fn only_the_wasm_build_in_use_is_kept() {
    let site = Site::new();
    let page = first_visit(&site).await;
    let kept = "const done = arguments[0];
        caches.keys().then(names => names.find(name => name.startsWith('touchstone-page /sub/')))
            .then(name => caches.open(name)).then(cache => cache.keys())
            .then(keys => done(keys.map(({ url }) => url).filter(url => url.endsWith('.wasm')).map(url => url.split('/sub/')[1])))";
    let kept = page.client.execute_async(kept, vec![]).await.unwrap();
    assert_eq!(kept, json!(["wasm/cpu/touchstone_bg.wasm"]));
    page.close().await;
}

#[tokio::test]
async fn a_new_version_is_offered_and_not_forced() {
    let site = Site::new();
    let page = first_visit(&site).await;
    site.publish(":root { --marker: new }");
    visit(&page, &site).await;
    page.wait("the new version is offered", 60, OFFER).await;
    assert_eq!(
        marker(&page).await,
        "",
        "the old version goes on until asked"
    );
    page.click("#use-update").await;
    let new =
        "getComputedStyle(document.documentElement).getPropertyValue('--marker').trim() === 'new'";
    page.wait("the new version is in use", 60, new).await;
    page.ready().await;
    assert_eq!(page.run(&format!("return {OFFER}")).await, false);
    page.close().await;
}

#[tokio::test]
async fn a_new_version_waits_for_other_tabs() {
    let site = Site::new();
    let page = first_visit(&site).await;
    let first = page.client.window().await.unwrap();
    let second = page.client.new_window(true).await.unwrap();
    page.client.switch_to_window(second.handle).await.unwrap();
    visit(&page, &site).await;
    page.client.switch_to_window(first).await.unwrap();
    site.publish(":root { --marker: new }");
    visit(&page, &site).await;
    page.wait("the new version is offered", 60, OFFER).await;
    page.click("#use-update").await;
    let told = "/other tab/.test(document.querySelector('#update p').textContent)";
    page.wait("the other tab is named", 60, told).await;
    assert_eq!(marker(&page).await, "");
    page.close().await;
}

#[tokio::test]
async fn a_host_whose_files_do_not_fit_together_changes_nothing() {
    let mut site = Site::new();
    let page = first_visit(&site).await;
    site.publish(":root { --marker: new }");
    site.append("page.js", "// after the list was made");
    let failed = "const done = arguments[0];
        navigator.serviceWorker.getRegistration().then(it => it.update()).then(it => {
            if (!it.installing) return done('no update was found');
            it.installing.addEventListener('statechange', ({ target }) => target.state === 'installing' || done(target.state));
        }, done)";
    let state = page.client.execute_async(failed, vec![]).await.unwrap();
    assert_eq!(state, "redundant", "the half new version is thrown away");
    visit(&page, &site).await;
    assert_eq!(marker(&page).await, "");
    site.stop();
    visit(&page, &site).await;
    page.close().await;
}

#[tokio::test]
async fn the_page_can_be_installed() {
    let site = Site::new();
    let page = first_visit(&site).await;
    let manifest = "const done = arguments[0];
        const { href } = document.querySelector('link[rel=manifest]');
        fetch(href).then(async answer => done({ type: answer.headers.get('content-type'), manifest: await answer.json() }))";
    let answer = page.client.execute_async(manifest, vec![]).await.unwrap();
    assert_eq!(answer["type"], "application/manifest+json");
    let manifest = &answer["manifest"];
    assert_eq!([&manifest["start_url"], &manifest["scope"]], ["./", "./"]);
    assert_eq!(
        [&manifest["display"], &manifest["icons"][0]["sizes"]],
        ["standalone", "any"]
    );
    // Each picture is there, of the size that the manifest says.
    let sizes = "const done = arguments[0];
        const { href } = document.querySelector('link[rel=manifest]');
        const sizeOf = async (address) => {
            const { width, height } = await createImageBitmap(await (await fetch(new URL(address, href))).blob());
            return `${width}x${height}`;
        };
        (async () => {
            const { icons } = await (await fetch(href)).json();
            const apple = document.querySelector('link[rel=apple-touch-icon]').href;
            const drawn = icons.filter(({ type }) => type === 'image/png');
            const found = await Promise.all(drawn.map(({ src }) => sizeOf(src)));
            return [drawn.map(({ sizes }) => sizes), found, await sizeOf(apple), icons.map(({ purpose }) => purpose)];
        })().then(done, (error) => done(String(error)))";
    let found = page.client.execute_async(sizes, vec![]).await.unwrap();
    assert_eq!(found[0], json!(["192x192", "512x512", "512x512"]));
    assert_eq!([&found[0], &found[2]], [&found[1], &json!("180x180")]);
    assert!(found[3].as_array().unwrap().contains(&json!("maskable")));
    page.close().await;
}
