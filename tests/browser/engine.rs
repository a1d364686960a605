//! The browsers of the tests and how their WebDrivers start them.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::page::variable;

/// A browser, without a window.
pub enum Engine<'a> {
    /// Chromium with extra `flags`, on a phone's screen of `width` CSS pixels where one is given.
    Chromium {
        flags: Vec<&'a str>,
        width: Option<u32>,
    },
    /// Firefox as it comes.
    Firefox,
}

impl Engine<'_> {
    /// Starts the driver, and by it the browser; Chromium keeps its data in `profile`.
    pub async fn start(&self, profile: &Path) -> (Child, Client) {
        let driver = variable(match self {
            Self::Chromium { .. } => "TOUCHSTONE_CHROMEDRIVER",
            Self::Firefox => "TOUCHSTONE_GECKODRIVER",
        });
        let port = free_port();
        let running = Command::new(&driver)
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let running = running.unwrap_or_else(|error| panic!("{}: {error}", driver.display()));
        (running, self.connect(port, profile).await)
    }

    async fn connect(&self, port: u16, profile: &Path) -> Client {
        let mut capabilities = match self {
            Self::Chromium { flags, width } => chromium(flags, *width, profile),
            Self::Firefox => json!({
                "moz:firefoxOptions": { "binary": variable("TOUCHSTONE_FIREFOX"), "args": ["-headless"] },
            }),
        };
        capabilities["timeouts"] = json!({ "script": 300_000, "pageLoad": 60_000 });
        let Value::Object(capabilities) = capabilities else {
            unreachable!("an object literal")
        };
        let address = format!("http://127.0.0.1:{port}");
        let mut refusal = None;
        for _ in 0..100 {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            builder.capabilities(capabilities.clone());
            match builder.connect(&address).await {
                Ok(client) => return client,
                Err(error) => refusal = Some(error),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("the browser does not start by its driver on port {port}: {refusal:?}");
    }
}

fn chromium(flags: &[&str], width: Option<u32>, profile: &Path) -> Value {
    const FIXED: [&str; 7] = [
        "--headless=new",
        "--no-sandbox",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--window-size=1280,1100",
    ];
    let profile = format!("--user-data-dir={}", profile.display());
    let flags = FIXED.iter().chain(flags).copied();
    let flags: Vec<&str> = flags.chain([profile.as_str()]).collect();
    let mut options = json!({ "binary": variable("TOUCHSTONE_CHROMIUM"), "args": flags });
    if let Some(width) = width {
        let metrics = json!({ "width": width, "height": 800, "pixelRatio": 1.0 });
        options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
    }
    json!({ "goog:chromeOptions": options })
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
