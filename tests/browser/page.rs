//! A served page in a browser, driven by its WebDriver.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use fantoccini::error::CmdError;
use fantoccini::{Client, Locator};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};
use touchstone::cli::serve;

use crate::browser::{Browser, Engine};
use crate::common;

/// One browser at a time: two cores do not carry more.
static ONE: Mutex<()> = Mutex::const_new(());

/// Chromium's flags for WebGPU on the CPU.
pub const WEBGPU: [&str; 3] = [
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--enable-features=Vulkan",
];

pub fn variable(name: &str) -> PathBuf {
    let value = std::env::var_os(name);
    let missing = || panic!("{name} is not set: run the browser tests by `cargo xtask test`");
    value.map_or_else(missing, PathBuf::from)
}

/// A served page in a browser; both end with the value.
pub struct Page {
    /// The WebDriver session.
    pub client: Client,
    /// Where the page is, with a slash at the end.
    pub address: String,
    driver: Child,
    profile: tempfile::TempDir,
    _one: MutexGuard<'static, ()>,
}

impl Page {
    /// Serves `folder` and opens it in Chromium with extra `flags`.
    pub async fn open(folder: &Path, flags: &[&str]) -> Self {
        let router = serve::router(folder, &[], &[]).expect("the page is built");
        Self::open_router(router, flags).await
    }

    /// The same for a page that a server of its own serves.
    pub async fn open_router(router: axum::Router, flags: &[&str]) -> Self {
        let browser = Browser {
            flags,
            ..Browser::default()
        };
        Self::start(&browser, &spawn(router).await).await
    }

    /// The same on a phone's screen of `width` CSS pixels.
    pub async fn open_narrow(folder: &Path, width: u32) -> Self {
        let router = serve::router(folder, &[], &[]).expect("the page is built");
        let browser = Browser {
            width: Some(width),
            ..Browser::default()
        };
        Self::start(&browser, &spawn(router).await).await
    }

    /// Serves `folder` and opens it in Firefox.
    pub async fn open_firefox(folder: &Path) -> Self {
        let router = serve::router(folder, &[], &[]).expect("the page is built");
        let browser = Browser {
            engine: Engine::Firefox,
            ..Browser::default()
        };
        Self::start(&browser, &spawn(router).await).await
    }

    /// Opens what is served already.
    pub async fn start(browser: &Browser<'_>, address: &str) -> Self {
        let one = ONE.lock().await;
        let profile = tempfile::tempdir().unwrap();
        let (driver, client) = browser.start(profile.path()).await;
        client.goto(address).await.unwrap();
        Self {
            client,
            address: address.to_owned(),
            driver,
            profile,
            _one: one,
        }
    }

    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, vec![]).await.unwrap()
    }

    /// Polls `script` until it returns something true; fails with the page's own words.
    pub async fn wait(&self, what: &str, seconds: u64, script: &str) -> Value {
        let end = Instant::now() + Duration::from_secs(seconds);
        loop {
            let value = self.run(&format!("return {script}")).await;
            if !matches!(value, Value::Null | Value::Bool(false))
                && value != json!("")
                && value != json!(0)
            {
                return value;
            }
            if Instant::now() > end {
                self.screenshot(&format!("failed-{}", what.replace(' ', "-")))
                    .await;
                let shown = self.run("return document.body.innerText").await;
                panic!(
                    "{what}: not within {seconds} s; the page shows:\n{}",
                    shown.as_str().unwrap()
                );
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Runs the body of an async function and answers what it returns; fails with the page's error.
    pub async fn script(&self, body: &str) -> Value {
        let whole = format!(
            "const done = arguments[0];
             (async () => {{ {body} }})().then(value => done({{ value }}), error => done({{ error: String(error.stack ?? error) }}));"
        );
        let outcome = self.client.execute_async(&whole, vec![]).await.unwrap();
        assert_eq!(outcome["error"], Value::Null, "{body}");
        outcome["value"].clone()
    }

    /// Goes to the view of this name.
    pub async fn open_view(&self, name: &str) {
        self.run(&format!("location.hash = '#{name}'")).await;
        let shown =
            format!("document.querySelector('#view-{name}:not([hidden]) > :not(h2)') !== null");
        self.wait("the view is shown", 20, &shown).await;
    }

    /// Sets a file before the view's hidden file input, as the browser's dialog does.
    pub async fn choose_file(&self, selector: &str, path: &Path) {
        let input = self.client.find(Locator::Css(selector)).await.unwrap();
        input.send_keys(path.to_str().unwrap()).await.unwrap();
    }

    /// Waits for the first view to be of use; the model may still be on its way.
    pub async fn stands(&self) {
        let shown = "performance.getEntriesByName('shown').length > 0";
        self.wait("the page stands", 20, shown).await;
    }

    pub async fn ready(&self) {
        self.wait(
            "the model is ready",
            240,
            "document.body.dataset.ready === 'true'",
        )
        .await;
    }

    pub async fn choose_backend(&self, backend: &str) {
        self.stands().await; // the settings hear of a choice from then on
        let script = format!(
            "const s = document.querySelector('#backend'); s.value = '{backend}';
             s.dispatchEvent(new Event('change', {{ bubbles: true }}));"
        );
        self.run(&script).await;
    }

    /// Scrolls the element to the middle, clear of the bar of actions, and clicks it. One that is
    /// drawn anew meanwhile is looked for again, one that is not shown yet is waited for.
    pub async fn click(&self, selector: &str) {
        for _ in 0..50 {
            match self.try_click(selector).await {
                Err(error)
                    if error.is_stale_element_reference()
                        || error.is_element_not_interactable() =>
                {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                done => return done.unwrap(),
            }
        }
        panic!("{selector} is drawn anew again and again, or never shown");
    }

    async fn try_click(&self, selector: &str) -> Result<(), CmdError> {
        let element = self
            .client
            .wait()
            .for_element(Locator::Css(selector))
            .await?;
        let script = "arguments[0].scrollIntoView({ block: 'center', behavior: 'instant' })";
        let argument = serde_json::to_value(&element).unwrap();
        self.client.execute(script, vec![argument]).await?;
        element.click().await
    }

    pub async fn fill(&self, field: &str, text: &str) {
        let field = self.client.find(Locator::Css(field)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Types into the metric chooser and takes the option by keyboard and mouse, as a user does.
    pub async fn choose_metric(&self, name: &str) {
        self.click("#metric").await;
        self.type_metric(name).await;
        self.click(&format!("[role=option][data-metric='{name}']"))
            .await;
        let chosen = "document.querySelector('#metric').dataset.value";
        assert_eq!(self.run(&format!("return {chosen}")).await, name);
    }

    pub async fn type_metric(&self, query: &str) {
        let metric = self.client.find(Locator::Css("#metric")).await.unwrap();
        // Control and A, then the name: clearing would also leave the field, which restores it.
        let keys = format!("\u{e009}a\u{e000}{query}");
        metric.send_keys(&keys).await.unwrap();
    }

    /// Presses Score and returns the receipt's JSON: the whole Score.
    pub async fn score(&self) -> Value {
        self.client
            .find(Locator::Css("#score"))
            .await
            .unwrap()
            .click()
            .await
            .unwrap();
        self.result().await
    }

    pub async fn result(&self) -> Value {
        let done = "document.querySelector('#result').dataset.state === 'done' && document.querySelector('#receipt').textContent";
        let receipt = self.wait("the score is shown", 240, done).await;
        serde_json::from_str(receipt.as_str().unwrap()).expect("the receipt is JSON")
    }

    pub async fn text(&self, selector: &str) -> String {
        let script = format!("return document.querySelector('{selector}').textContent");
        self.run(&script)
            .await
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Memory of the browser's renderers that only they use, in bytes.
    pub fn renderer_memory(&self) -> u64 {
        processes_below(self.driver.id())
            .filter(|process| has_argument(process, "--type=renderer"))
            .map(|process| private_bytes(&process))
            .sum()
    }

    pub async fn screenshot(&self, name: &str) {
        let folder = variable("TOUCHSTONE_ARTEFACTS");
        std::fs::create_dir_all(&folder).unwrap();
        let png = self.client.screenshot().await.unwrap();
        std::fs::write(folder.join(format!("{name}.png")), png).unwrap();
    }

    pub async fn close(mut self) {
        let _ = self.client.clone().close().await;
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        drop(self.profile);
    }
}

/// Serves on a free port; the address ends in a slash.
pub async fn spawn(router: axum::Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

pub fn dist() -> PathBuf {
    variable("TOUCHSTONE_DIST")
}

/// A copy of the page with the tiny bundle as its model.
pub fn tiny_dist() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&dist(), folder.path());
    copy(common::tiny_bundle(), &folder.path().join("model"));
    folder
}

/// Copies a folder, a page's model apart.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (source, name) = {
            let e = entry.unwrap();
            (e.path(), e.file_name())
        };
        if source.is_dir() && name != "model" {
            copy(&source, &to.join(name));
        } else if source.is_file() {
            std::fs::copy(source, to.join(name)).unwrap();
        }
    }
}

/// A list of numbers that the page answered.
pub fn numbers(list: &Value) -> Vec<f64> {
    let list = list.as_array().expect("a list");
    list.iter().map(|n| n.as_f64().expect("a number")).collect()
}

/// Folders in `/proc` of the descendants of a process.
fn processes_below(root: u32) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir("/proc").expect("Linux's list of processes");
    let folders = entries.flatten().map(|entry| entry.path());
    let processes: Vec<_> = folders.filter(|path| parent(path).is_some()).collect();
    let is_below = move |process: &PathBuf| {
        let mut at = Some(process.clone());
        while let Some(path) = at {
            if path.ends_with(root.to_string()) {
                return true;
            }
            at = parent(&path).map(|id| Path::new("/proc").join(id.to_string()));
        }
        false
    };
    processes.into_iter().filter(is_below)
}

/// Id of a process's parent: the second field after the name, which stands in brackets.
fn parent(process: &Path) -> Option<u32> {
    let stat = std::fs::read_to_string(process.join("stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

fn has_argument(process: &Path, argument: &str) -> bool {
    let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line).into_owned();
    line.split(['\0', ' ']).any(|word| word == argument)
}

fn private_bytes(process: &Path) -> u64 {
    let rollup = std::fs::read_to_string(process.join("smaps_rollup")).unwrap_or_default();
    let lines = rollup.lines().filter(|line| line.starts_with("Private_"));
    let kilobytes = lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kilobytes.sum::<u64>() * 1024
}
