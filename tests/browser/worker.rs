//! The worker that scores, provoked: `worker/scenarios.js` runs in the page, partly on a scorer
//! that is slow, stuck, wrong or broken on demand.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use touchstone::cli::serve;

use crate::common;
use crate::page::{Page, WEBGPU, copy, tiny_dist};

const SCENARIOS: &str = include_str!("worker/scenarios.js");
const PROVOKE: &str = include_str!("worker/provoke.js");
const FAKE_SCORER: &str = include_str!("worker/fake-scorer.js");
/// The smallest wasm module: its header.
const EMPTY_WASM: &[u8] = b"\0asm\x01\0\0\0";
/// What ten switches may add to the browser's memory, in bytes: less than two workers have.
const GROWTH: u64 = 30_000_000;

/// The page with the scenarios beside it, and a blank one to run them in.
fn provoked_dist() -> tempfile::TempDir {
    let dist = tiny_dist();
    for (name, text) in [
        ("scenarios.js", SCENARIOS),
        ("provoke.js", PROVOKE),
        ("blank.html", "<!doctype html><title>blank</title>"),
    ] {
        fs::write(dist.path().join(name), text).unwrap();
    }
    dist
}

/// The same with the fake scorer in place of all builds, and without a service worker, which
/// would notice that.
fn fake_dist() -> tempfile::TempDir {
    let dist = provoked_dist();
    fs::remove_file(dist.path().join("sw.js")).unwrap();
    for (build, backend) in [("cpu", "cpu"), ("cpu-relaxed", "cpu"), ("webgpu", "webgpu")] {
        let folder = dist.path().join("wasm").join(build);
        fs::create_dir_all(&folder).unwrap();
        let script = FAKE_SCORER.replace("BACKEND", backend);
        fs::write(folder.join("touchstone.js"), script).unwrap();
        fs::write(folder.join("touchstone_bg.wasm"), EMPTY_WASM).unwrap();
    }
    dist
}

/// Opens the blank page.
async fn open(dist: &Path, flags: &[&str]) -> Page {
    let page = Page::open(dist, flags).await;
    leave_for_blank(&page).await;
    page
}

async fn leave_for_blank(page: &Page) {
    let blank = format!("{}blank.html", page.address);
    page.client.goto(&blank).await.unwrap();
}

/// What a scenario returns.
async fn play(page: &Page, call: &str) -> Value {
    let script = format!(
        "const done = arguments[0];
         import('./scenarios.js').then(it => it.{call}).then(done, error => done('failed: ' + error.message))"
    );
    page.client.execute_async(&script, vec![]).await.unwrap()
}

/// Plays one scenario of the fake scorer.
async fn play_fake(call: &str, flags: &[&str]) -> Value {
    let dist = fake_dist();
    let page = open(dist.path(), flags).await;
    let value = play(&page, call).await;
    page.close().await;
    value
}

/// Plays one scenario of the real scorer with the tiny bundle.
async fn play_real(call: &str) -> Value {
    let dist = provoked_dist();
    let page = open(dist.path(), &[]).await;
    let value = play(&page, call).await;
    page.close().await;
    value
}

fn aborted() -> Value {
    json!({ "kind": "AbortError", "retryable": false })
}

fn retry(kind: &str) -> Value {
    json!({ "kind": kind, "retryable": true })
}

#[tokio::test]
async fn a_bad_row_of_a_batch_fails_alone() {
    let rows = play_fake("badRowsFailAlone()", &[]).await;
    assert_eq!(rows, json!([5, "input", "input", "input", 5]));
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused_by_kind() {
    let expected = json!({
        "before": "not-loaded", "part": "protocol", "definition": "input", "long": "input",
        "many": "protocol", "elsewhere": "protocol",
    });
    assert_eq!(play_fake("misuse()", &[]).await, expected);
}

#[tokio::test]
async fn a_cancelled_call_rejects_at_once_and_the_next_one_runs() {
    let expected = json!({ "long": aborted(), "waiting": "scored", "diary": [] });
    assert_eq!(play_fake("cancelled()", &[]).await, expected);
}

#[tokio::test]
async fn a_worker_that_does_not_stop_is_replaced() {
    let expected = json!({
        "hung": aborted(), "waiting": retry("worker"), "after": "scored",
        "diary": ["lost worker", "back on cpu"],
    });
    assert_eq!(play_fake("stuck()", &[]).await, expected);
}

#[tokio::test]
async fn a_panic_and_exhausted_memory_are_told_apart_and_recovered_from() {
    let played = play_fake("panicked()", &[]).await;
    let message = played["message"].as_str().unwrap();
    assert!(
        message.contains("src/fake.rs") && message.contains("boom"),
        "{message}"
    );
    assert_eq!(played["memory"], retry("memory"));
    assert_eq!([&played["after"], &played["again"]], ["scored", "scored"]);
    let diary = json!(["lost panic", "back on cpu", "lost memory", "back on cpu"]);
    assert_eq!(played["diary"], diary);
}

#[tokio::test]
async fn a_trap_without_words_is_memory_only_where_there_is_none_left() {
    let call = "traps('unreachable', 'bounds', 'deep', 'allocation', 'full')";
    let played = play_fake(call, &[]).await;
    let ends = ["trap", "trap", "trap", "memory", "memory"];
    let expected: Vec<&str> = ends.iter().flat_map(|kind| [kind, "scored"]).collect();
    assert_eq!(played["kinds"], json!(expected), "{played}");
    let message = played["message"].as_str().unwrap();
    assert!(
        message.contains("memory access out of bounds") && message.contains("no reason"),
        "{message}"
    );
    assert_eq!(played["lost"], 6, "each is a loss, and recovered from");
}

#[tokio::test]
async fn a_killed_worker_is_noticed_and_replaced() {
    let expected = json!({
        "long": retry("worker"), "after": "scored", "workers": 2,
        "diary": ["lost worker", "back on cpu"],
    });
    assert_eq!(play_fake("terminated()", &[]).await, expected);
}

#[tokio::test]
async fn a_scorer_that_always_dies_is_given_up_until_it_is_loaded_again() {
    let expected = json!({
        "retryable": [true, true, false],
        "after": { "kind": "not-loaded", "retryable": false }, "again": "scored",
    });
    assert_eq!(play_fake("givenUp()", &[]).await, expected);
}

#[tokio::test]
async fn a_lost_graphics_device_is_recovered_from() {
    let expected = json!({
        "backend": "webgpu", "long": retry("device"), "after": "scored",
        "diary": ["lost device", "back on webgpu"],
    });
    assert_eq!(play_fake("deviceLost()", &WEBGPU).await, expected);
}

#[tokio::test]
async fn a_graphics_device_lost_twice_in_a_row_gives_way_to_the_cpu() {
    let expected = json!({
        "diary": ["lost device", "back on webgpu", "lost device", "back on cpu"],
        "backend": "cpu",
    });
    assert_eq!(play_fake("deviceLostTwice()", &WEBGPU).await, expected);
}

/// The faster of two backends is kept and remembered; the other's worker is ended.
async fn contest(call: &str, winner: &str) {
    let played = play_fake(call, &WEBGPU).await;
    assert_eq!(played["backend"], winner, "{played}");
    assert_eq!(played["key"], format!("worker.reason.measured-{winner}"));
    let reason = played["reason"].as_str().unwrap();
    assert!(reason.matches(" ms").count() == 2, "both numbers: {reason}");
    assert_eq!([&played["measured"], &played["again"]], [winner, winner]);
    assert_eq!(played["held"], 1, "one worker is left");
    assert_eq!(played["workers"], 3, "two to measure, then one: {played}");
    assert_eq!([&played["same"], &played["check"]], [true, true]);
}

#[tokio::test]
async fn webgpu_runs_where_it_is_measured_to_be_faster() {
    contest("contest(1, 50)", "webgpu").await;
}

#[tokio::test]
async fn the_cpu_runs_where_it_is_measured_to_be_faster() {
    contest("contest(50, 1)", "cpu").await;
}

#[tokio::test]
async fn the_users_choice_outdoes_the_measurement() {
    let expected =
        json!({ "backend": "cpu", "key": "worker.reason.cpu-by-hand", "measured": null });
    assert_eq!(play_fake("byHand()", &WEBGPU).await, expected);
}

#[tokio::test]
async fn a_backend_with_wrong_scores_gives_way_or_nothing_is_scored() {
    let played = play_fake("wrongScores()", &WEBGPU).await;
    assert_eq!(
        [&played["backend"], &played["notice"]],
        ["cpu", "worker.reason.failed-check"]
    );
    assert_eq!(played["passed"], true);
    let reason = played["reason"].as_str().unwrap();
    assert!(reason.contains("expected 5.00, found 8.00"), "{reason}");
    assert_eq!(played["refused"]["kind"], "check");
    let message = played["refused"]["message"].as_str().unwrap();
    assert!(message.contains("expected 5.00, found 8.00"), "{message}");
}

#[tokio::test]
async fn a_backend_that_does_not_start_gives_way_and_says_why() {
    let played = play_fake("brokenBuild()", &WEBGPU).await;
    assert_eq!(
        [&played["backend"], &played["key"]],
        ["cpu", "worker.reason.not-started"]
    );
    assert!(
        played["reason"].as_str().unwrap().contains("no shader"),
        "{played}"
    );
}

#[tokio::test]
async fn a_graphics_adapter_that_never_answers_is_not_waited_for() {
    for (what, key) in [("adapter", "probe-failed"), ("device", "no-device")] {
        let played = play_fake(&format!("hanging('{what}')"), &WEBGPU).await;
        assert_eq!(
            [&played["backend"], &played["key"]],
            ["cpu", format!("worker.reason.{key}").as_str()]
        );
        assert!(
            played["reason"].as_str().unwrap().contains("2 seconds"),
            "{played}"
        );
    }
}

#[tokio::test]
async fn a_download_that_was_stopped_goes_on_where_it_stopped() {
    let dist = fake_dist();
    let bytes: Vec<u8> = (0..20 << 20).map(|i: u32| (i % 251) as u8).collect();
    let model = dist.path().join("model");
    let manifest = json!({ "files": { "encoder.safetensors": {
        "bytes": bytes.len(), "sha256": "0".repeat(64),
    } } });
    fs::write(model.join("encoder.safetensors"), bytes).unwrap();
    fs::write(model.join("bundle.json"), manifest.to_string()).unwrap();
    let page = open(dist.path(), &[]).await;
    let played = play(&page, "resumed()").await;
    page.close().await;
    let expected = json!({
        "labels": ["Reading", "Downloading"], "ranges": [[], ["bytes=8388608-"]], "same": true,
    });
    assert_eq!(played, expected);
}

#[tokio::test]
async fn every_reason_of_the_worker_stands_in_the_message_file() {
    assert_eq!(play_fake("reasonsInWords()", &[]).await, json!([]));
}

#[tokio::test]
async fn lists_of_bundles_that_lead_elsewhere_or_are_none_are_refused() {
    assert_eq!(play_fake("badLists()", &[]).await, json!([]));
}

#[tokio::test]
async fn every_call_of_the_real_scorer_answers_and_agrees() {
    let played = play_real("allCalls()").await;
    assert_eq!(
        [&played["backend"], &played["timed"]],
        [&json!("cpu"), &json!(true)],
        "{played}"
    );
    let score = &played["score"];
    assert_eq!(played["rows"], json!([score, "input", "metric", score]));
    assert_eq!([&played["profiled"], &played["whole"]], [score, score]);
    assert_eq!(played["own"], "mine");
    assert_eq!(
        played["parts"],
        json!(["Put it in boiling water.", "Wait."])
    );
    assert_eq!(played["changes"], json!([true, true]));
    assert_eq!(played["anchors"], 10);
    assert_ne!(
        played["check"], false,
        "golden texts, where the bundle has some"
    );
}

#[tokio::test]
async fn a_real_batch_stops_between_two_layers() {
    let expected = json!({ "batch": "AbortError", "same": true, "diary": [] });
    assert_eq!(play_real("realCancel()").await, expected);
}

#[tokio::test]
async fn real_wasm_without_memory_says_so_and_comes_back() {
    let expected = json!({
        "error": retry("memory"), "same": true, "diary": ["lost memory", "back on cpu"],
    });
    assert_eq!(play_real("realBreak('memory')").await, expected);
}

#[tokio::test]
async fn a_trap_in_real_wasm_gives_no_score_and_the_scorer_comes_back() {
    let played = play_real("realBreak('heap')").await;
    let kind = played["error"]["kind"].as_str().unwrap_or_default();
    assert!(["panic", "memory", "trap"].contains(&kind), "{played}");
    assert_eq!(
        [&played["error"]["retryable"], &played["same"]],
        [true, true]
    );
}

#[tokio::test]
async fn ten_switches_of_the_bundle_do_not_grow_and_leave_one_worker() {
    let dist = provoked_dist();
    let bundles = tempfile::tempdir().unwrap();
    let other = bundles.path().join("other");
    copy(common::tiny_bundle(), &other);
    let router = serve::router(dist.path(), &[other], &[]).unwrap();
    let page = Page::open_router(router, &[]).await;
    leave_for_blank(&page).await;
    let listed = "return fetch('bundles.json').then(it => it.json()).then(it => it.bundles.map(it => it.path))";
    assert_eq!(page.run(listed).await, json!(["model/", "models/other/"]));

    let (own, other) = ("'model/'", "'models/other/'");
    assert_eq!(play(&page, &format!("switchTo({own}, {other})")).await, 1);
    let before = page.renderer_memory();
    let five = vec![format!("{own}, {other}"); 5].join(", ");
    assert_eq!(
        play(&page, &format!("switchTo({five})")).await,
        1,
        "the old workers are gone"
    );
    let after = page.renderer_memory();
    page.close().await;
    let growth = after.saturating_sub(before);
    assert!(
        growth < GROWTH,
        "{before} bytes after two switches, {after} after twelve"
    );
}
