//! What the integration tests share: fixtures, the real model, a tiny bundle made on the spot.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The committed fixtures.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// A committed JSON fixture.
pub fn json(name: &str) -> serde_json::Value {
    let bytes = std::fs::read(fixture(name)).expect("the fixture is committed");
    serde_json::from_slice(&bytes).expect("the fixture is JSON")
}

/// Downloads and embeddings of the tests, apart from the user's own.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

/// The companion, run with `args`.
pub fn touchstone(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_touchstone"));
    command.env("TOUCHSTONE_CACHE", cache());
    command.args(args).output().expect("the companion starts")
}

/// The companion's standard output; fails the test with its message otherwise.
pub fn stdout(args: &[&str]) -> String {
    let output = touchstone(args);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "touchstone {args:?}: {message}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The companion's message where it must fail with exit code 1.
pub fn failure(args: &[&str]) -> String {
    let output = touchstone(args);
    assert_eq!(
        output.status.code(),
        Some(1),
        "touchstone {args:?} should fail"
    );
    String::from_utf8(output.stderr).expect("UTF-8")
}

/// The default model.
pub fn real_model() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/models/default"))
}

/// The checkpoint that the default model's encoder was made from: what TOUCHSTONE_CHECKPOINT names,
/// or the companion's own, which it fetches on first use.
pub fn checkpoint() -> &'static Path {
    static CHECKPOINT: OnceLock<PathBuf> = OnceLock::new();
    CHECKPOINT.get_or_init(|| {
        if let Some(folder) = std::env::var_os("TOUCHSTONE_CHECKPOINT") {
            return folder.into();
        }
        stdout(&["fetch"]);
        cache().join("multilingual-e5-small")
    })
}

/// An encoder-only bundle of [`checkpoint`] with its whole vocabulary.
pub fn whole_encoder() -> &'static Path {
    static BUNDLE: OnceLock<PathBuf> = OnceLock::new();
    BUNDLE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        let (from, to) = (checkpoint().to_str(), folder.to_str());
        let paths = (from.expect("a UTF-8 path"), to.expect("a UTF-8 path"));
        stdout(&["pack", paths.0, "--output", paths.1]);
        folder
    })
}

/// A whole bundle small enough for any test: the tiny BERT with heads trained for a moment on
/// authored rows.
pub fn tiny_bundle() -> &'static Path {
    static BUNDLE: OnceLock<PathBuf> = OnceLock::new();
    BUNDLE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        build_bundle("tiny-bert", &folder);
        folder.join("bundle")
    })
}

/// Packs a committed checkpoint, trains heads on it and packs both; the bundle is `folder/bundle`.
pub fn build_bundle(checkpoint: &str, folder: &Path) {
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let checkpoint = fixture(checkpoint).to_string_lossy().into_owned();
    let rows = tiny_rows(folder).to_string_lossy().into_owned();
    let (encoder, heads, bundle) = (path("encoder"), path("heads"), path("bundle"));
    stdout(&[
        "pack",
        &checkpoint,
        "--precision",
        "f32",
        "--output",
        &encoder,
    ]);
    let train = [
        "train", &rows, "--bundle", &encoder, "--output", &heads, "--epochs", "3",
    ];
    let small = [
        "--folds",
        "3",
        "--projections",
        "4,2",
        "--ordinals",
        "3",
        "--joints",
        "4,2",
        "--hidden",
        "4",
        "--max-tokens",
        "64",
    ];
    stdout(&[train.as_slice(), &small].concat());
    stdout(&[
        "pack",
        &checkpoint,
        "--precision",
        "f32",
        "--heads",
        &heads,
        "--output",
        &bundle,
    ]);
}

/// The first authored rows as a judged file.
pub fn tiny_rows(folder: &Path) -> PathBuf {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/authored.jsonl");
    let all = std::fs::read_to_string(all).expect("the authored rows are committed");
    let rows: Vec<&str> = all.lines().take(96).collect();
    let file = folder.join("tiny.jsonl");
    std::fs::write(&file, rows.join("\n")).expect("a writable folder");
    file
}
