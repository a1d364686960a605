//! The browsers of the tests and how their WebDrivers start them.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::page::variable;

/// Which browser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    #[default]
    Chromium,
    Firefox,
}

/// How a browser is started, without a window; Chromium with nothing special by default.
#[derive(Default)]
pub struct Browser<'a> {
    pub engine: Engine,
    /// Chromium's command line flags beside the fixed ones.
    pub flags: &'a [&'a str],
    /// A phone's screen of so many CSS pixels, in Chromium; no window can be that narrow.
    pub width: Option<u32>,
    /// Chromium's preferences, by their dotted names.
    pub preferences: Value,
}

impl Browser<'_> {
    /// Starts the driver, and by it the browser; Chromium keeps its data in `profile`.
    pub async fn start(&self, profile: &Path) -> (Child, Client) {
        let driver = variable(match self.engine {
            Engine::Chromium => "TOUCHSTONE_CHROMEDRIVER",
            Engine::Firefox => "TOUCHSTONE_GECKODRIVER",
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
        let mut capabilities = match self.engine {
            Engine::Chromium => self.chromium(profile),
            Engine::Firefox => json!({
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

    fn chromium(&self, profile: &Path) -> Value {
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
        let flags = FIXED.iter().chain(self.flags).copied();
        let flags: Vec<&str> = flags.chain([profile.as_str()]).collect();
        let mut options = json!({ "binary": variable("TOUCHSTONE_CHROMIUM"), "args": flags });
        if self.preferences.is_object() {
            options["prefs"] = self.preferences.clone();
        }
        if let Some(width) = self.width {
            let metrics = json!({ "width": width, "height": 800, "pixelRatio": 1.0 });
            options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
        }
        json!({ "goog:chromeOptions": options })
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
