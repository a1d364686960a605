//! The companion as a backend of Label Studio, guarded by a password.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common;

pub const USER: &str = "label-studio";
pub const PASSWORD: &str = "open sesame";
/// What the two are as a header.
pub const CREDENTIALS: &str = "Basic bGFiZWwtc3R1ZGlvOm9wZW4gc2VzYW1l";

pub struct Companion {
    pub address: String,
    child: Child,
    folder: tempfile::TempDir,
}

impl Companion {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_touchstone"));
        command
            .args([
                "serve",
                "nowhere",
                "--port",
                "0",
                "--label-studio",
                "--bundle",
            ])
            .arg(common::real_model())
            .args(["--label-studio-user", USER])
            .env("TOUCHSTONE_LABEL_STUDIO_PASSWORD", PASSWORD)
            .current_dir(folder.path())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let address = line
            .split_whitespace()
            .last()
            .expect("the address is announced");
        let address = address.trim_end_matches('/').to_owned();
        Self {
            address,
            child,
            folder,
        }
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("label-studio-rows.jsonl")
    }

    pub fn rows(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.file()).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The row of a task's one annotation, once there is one that `fits`.
    pub async fn row_of(&self, task: u64, fits: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let mut rows: Vec<Value> = self.rows();
            rows.retain(|row| row["label_studio"]["task"] == task);
            assert!(rows.len() < 2, "one row an annotation: {rows:?}");
            match rows.pop() {
                Some(row) if fits(&row) => return row,
                found => assert!(Instant::now() < end, "no such row; found {found:?}"),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
