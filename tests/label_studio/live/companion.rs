//! The companion as a backend of Label Studio, guarded by a password.

use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{announced, common, rows_in, serve};

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
        let mut command = serve(common::real_model());
        command
            .args(["--label-studio-user", USER])
            .env("TOUCHSTONE_LABEL_STUDIO_PASSWORD", PASSWORD)
            .current_dir(folder.path());
        let (child, address) = announced(command);
        Self {
            address: format!("http://{address}"),
            child,
            folder,
        }
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("label-studio-rows.jsonl")
    }

    pub fn rows(&self) -> Vec<Value> {
        rows_in(&self.file())
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
