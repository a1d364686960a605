//! A Label Studio of its own, on this machine and for one test.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::page::variable;

pub const USER: &str = "annotator@example.org";
pub const PASSWORD: &str = "for-one-test-only";
const TOKEN: &str = "0123456789abcdef0123456789abcdef01234567";

/// A running server; it and its data end with the value.
pub struct Studio {
    /// Where it is, without a slash at the end.
    pub address: String,
    child: Child,
    _data: tempfile::TempDir,
}

impl Studio {
    /// Starts one with an empty database. Label Studio sends nothing to this machine's own
    /// addresses unless told that it may.
    pub async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let port = free_port();
        let log = std::fs::File::create(log_file()).unwrap();
        let mut command = Command::new(variable("TOUCHSTONE_LABEL_STUDIO"));
        command
            .args([
                "start",
                "--no-browser",
                "--internal-host",
                "127.0.0.1",
                "--port",
            ])
            .arg(port.to_string())
            .env("LABEL_STUDIO_BASE_DATA_DIR", data.path())
            .env("LABEL_STUDIO_USERNAME", USER)
            .env("LABEL_STUDIO_PASSWORD", PASSWORD)
            .env("LABEL_STUDIO_USER_TOKEN", TOKEN)
            .env("LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN", "true")
            .env("ML_BLOCK_LOCAL_IP", "false")
            .env("SSRF_PROTECTION_ENABLED", "false")
            .env("COLLECT_ANALYTICS", "false")
            .env("LATEST_VERSION_CHECK", "false")
            .env("SENTRY_DSN", "")
            .env("FRONTEND_SENTRY_DSN", "")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let studio = Self {
            address: format!("http://127.0.0.1:{port}"),
            child: command.spawn().expect("Label Studio starts"),
            _data: data,
        };
        studio.wait_until_up().await;
        studio
    }

    async fn wait_until_up(&self) {
        let end = Instant::now() + Duration::from_secs(600);
        while ureq::get(format!("{}/health", self.address))
            .call()
            .is_err()
        {
            assert!(
                Instant::now() < end,
                "Label Studio is not up; see {}",
                log_file().display()
            );
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Asks the API; what comes back, whatever the status.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.address))
            .header("authorization", format!("Token {TOKEN}"))
            .header("content-type", "application/json")
            .body(body.to_string())
            .unwrap();
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent = ureq::Agent::new_with_config(config.build());
        let mut response = agent.run(request).expect("Label Studio answers");
        let text = response.body_mut().read_to_string().unwrap();
        let value = serde_json::from_str(&text).unwrap_or(Value::Null);
        (response.status().as_u16(), value)
    }

    /// The same for what must go well.
    pub fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, value) = self.ask(method, path, body);
        assert!(
            (200..300).contains(&status),
            "{method} {path}: {status} {value}"
        );
        value
    }

    pub fn get(&self, path: &str) -> Value {
        self.call("GET", path, &json!({}))
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_file() -> std::path::PathBuf {
    let folder = variable("TOUCHSTONE_ARTEFACTS");
    std::fs::create_dir_all(&folder).unwrap();
    folder.join("label-studio.log")
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
