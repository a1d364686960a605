//! Chromium, and once Firefox, drive the built page: type, choose, score, read.
//!
//! `cargo xtask test` builds the page and names it, the browsers and their drivers in the
//! environment; without them these tests say so and fail.

mod access;
mod architectures;
mod argilla;
mod browser;
mod calibration;
#[path = "../common/mod.rs"]
mod common;
mod exchange;
mod file;
mod insight;
mod offline;
mod own;
mod page;
mod prodigy;
mod shell;
mod tool;
mod widget;
mod worker;

use std::path::Path;

use serde_json::{Value, json};
use touchstone::cli::model;
use touchstone::encoder::Execution;
use touchstone::{Score, Scorer, Task};

use page::{Page, WEBGPU, copy, dist, tiny_dist};

/// Largest difference between backends, in points of the 0-10 scale.
const TOLERANCE: f64 = 0.02;

/// The native Score of the same task on the same bundle.
fn native(bundle: &Path, task: &Task) -> Score {
    let bundle = model::read_bundle(bundle).unwrap();
    let scorer = Scorer::load(bundle, &Execution::Fused).unwrap();
    touchstone::cli::block_on(scorer.score(task, &touchstone::scorer::Unpaused)).unwrap()
}

fn task(metric: &str, user: &str, response: &str) -> Task {
    Task {
        metric: metric.into(),
        user: user.into(),
        response: response.into(),
        ..Task::default()
    }
}

/// Fills the page with `task`, scores it and compares with the native score.
async fn score_as_native(page: &Page, bundle: &Path, task: &Task) -> Value {
    page.choose_metric(&task.metric).await;
    page.fill("#user", &task.user).await;
    page.fill("#response", &task.response).await;
    let score = page.score().await;
    let (found, native) = (score["score"].as_f64().unwrap(), native(bundle, task));
    let expected = f64::from(native.score);
    assert!(
        (0.1..9.9).contains(&expected),
        "a score at the end of the scale compares nothing"
    );
    assert!(
        (found - expected).abs() < TOLERANCE,
        "{task:?}: {found}, native {expected}"
    );
    for (found, native) in score["anchors"]
        .as_array()
        .unwrap()
        .iter()
        .zip(&native.anchors)
    {
        let difference = found["similarity"].as_f64().unwrap() - f64::from(native.similarity);
        assert!(difference.abs() < 1e-3, "{found}, native {native:?}");
    }
    score
}

fn hindi() -> Task {
    task(
        "task_completion_rate",
        "बुख़ार में क्या करना चाहिए? तीन बातें बताइए।",
        "आराम कीजिए, ख़ूब पानी पीजिए, और बुख़ार तीन दिन से ज़्यादा रहे तो डॉक्टर को दिखाइए।",
    )
}

fn tamil() -> Task {
    task(
        "task_completion_rate",
        "சென்னையிலிருந்து மதுரைக்கு எப்படிப் போவது?",
        "வைகை எக்ஸ்பிரஸ் ரயிலில் போகலாம்; சுமார் ஏழு மணி நேரம் ஆகும்.",
    )
}

fn english() -> Task {
    task(
        "fairness",
        "Who should get the flat?",
        "Whoever applied first and can pay the rent.",
    )
}

#[tokio::test]
async fn a_hindi_answer_is_scored_by_the_real_encoder_on_the_cpu() {
    let page = Page::open(&dist(), &[]).await;
    page.ready().await;
    let score = score_as_native(&page, common::real_model(), &hindi()).await;
    assert_eq!(score["receipt"]["backend"], "cpu");
    assert!(page.text("#result-backend").await.contains("CPU"));
    let shown: f64 = page
        .text("#result-score")
        .await
        .trim()
        .parse()
        .expect("a number is shown");
    assert!((shown - score["score"].as_f64().unwrap()).abs() <= 0.051);
    let anchors = page
        .run("return document.querySelectorAll('#anchors li').length")
        .await;
    assert_eq!(anchors, 10);
    page.screenshot("hindi-cpu").await;

    let elsewhere = "return performance.getEntriesByType('resource').map(e => e.name)
        .filter(name => !name.startsWith(location.origin))";
    assert_eq!(
        page.run(elsewhere).await,
        json!([]),
        "every request stays on the origin"
    );
    page.close().await;
}

#[tokio::test]
async fn firefox_scores_a_hindi_answer_as_the_native_build() {
    let page = Page::open_firefox(&dist()).await;
    page.ready().await;
    let score = score_as_native(&page, common::real_model(), &hindi()).await;
    assert_eq!(score["receipt"]["backend"], "cpu");
    let browser = page.run("return navigator.userAgent").await;
    assert!(browser.as_str().unwrap().contains("Firefox"), "{browser}");
    page.screenshot("hindi-firefox").await;
    page.close().await;
}

#[tokio::test]
async fn every_example_can_be_clicked_and_scored() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    page.ready().await;
    let examples =
        "return [...document.querySelectorAll('[data-example]')].map(e => e.dataset.example)";
    let examples = page.run(examples).await;
    let examples = examples.as_array().unwrap();
    assert!(examples.len() >= 8);
    for example in examples {
        let script = format!("document.querySelector('[data-example={example}]').click()");
        page.run(&script).await;
        page.wait(
            "the example's answer stands",
            5,
            "document.querySelector('#response').value !== ''",
        )
        .await;
        page.score().await;
    }
    page.close().await;
}

#[tokio::test]
async fn the_cpu_build_scores_as_the_native_one() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    page.choose_backend("cpu").await;
    page.ready().await;
    for task in [tamil(), english()] {
        score_as_native(&page, common::tiny_bundle(), &task).await;
    }
    page.close().await;
}

/// The page as an engine sees it that has relaxed SIMD's dot product as one instruction.
fn relaxed_dist() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&dist(), folder.path());
    copy(common::real_model(), &folder.path().join("model"));
    let answer = "export const relaxedPays = () => true;";
    std::fs::write(folder.path().join("worker/relaxed.js"), answer).unwrap();
    folder
}

#[tokio::test]
async fn relaxed_simd_scores_as_the_native_build() {
    let dist = relaxed_dist();
    let page = Page::open(dist.path(), &[]).await;
    page.ready().await;
    for task in [hindi(), english()] {
        let score = score_as_native(&page, common::real_model(), &task).await;
        let receipt = &score["receipt"];
        assert_eq!([&receipt["backend"], &receipt["dtype"]], ["cpu", "q4-i14"]);
    }
    page.close().await;
}

#[tokio::test]
async fn relaxed_simd_that_fails_gives_way_to_plain_simd_and_says_why() {
    let dist = relaxed_dist();
    std::fs::remove_dir_all(dist.path().join("wasm/cpu-relaxed")).unwrap();
    let page = Page::open(dist.path(), &[]).await;
    page.ready().await;
    let score = score_as_native(&page, common::real_model(), &english()).await;
    assert_ne!(score["receipt"]["dtype"], "q4-i14");
    let reason = page.text("#result-reason").await;
    assert!(reason.contains("CPU (relaxed SIMD)"), "{reason}");
    page.close().await;
}

/// What the instruction gives with saturated sums, in one step of ARM, and in one of AVX-VNNI.
#[tokio::test]
async fn relaxed_simd_is_used_where_it_is_one_instruction() {
    let page = Page::open(&dist(), &[]).await;
    let pays = "const { relaxedPays } = await import('./worker/relaxed.js');
        const { Instance } = WebAssembly;
        const on = value => {
            WebAssembly.Instance = function () { return { exports: { f: () => value } }; };
            return relaxedPays();
        };
        const found = [65534, -508, 129540].map(on);
        WebAssembly.Instance = Instance;
        WebAssembly.validate = () => false;
        return [...found, relaxedPays()];";
    assert_eq!(page.script(pays).await, json!([false, true, true, false]));
    page.close().await;
}

#[tokio::test]
async fn webgpu_scores_as_the_native_build() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &WEBGPU).await;
    page.choose_backend("webgpu").await;
    page.wait(
        "WebGPU is ready",
        280,
        "document.body.dataset.ready === 'true' && document.querySelector('#status').textContent.includes('WebGPU')",
    )
    .await;
    for task in [tamil(), english()] {
        let score = score_as_native(&page, common::tiny_bundle(), &task).await;
        assert_eq!(score["receipt"]["backend"], "webgpu");
    }
    assert!(page.text("#result-backend").await.contains("WebGPU"));
    page.screenshot("tamil-webgpu").await;
    page.close().await;
}

#[tokio::test]
async fn a_software_adapter_goes_straight_to_the_cpu_and_says_so() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &WEBGPU).await;
    page.ready().await;
    let score = score_as_native(&page, common::tiny_bundle(), &english()).await;
    assert_eq!(score["receipt"]["backend"], "cpu");
    assert!(
        page.text("#result-reason")
            .await
            .contains("software adapter")
    );
    page.close().await;
}

#[tokio::test]
async fn without_webgpu_a_forced_choice_falls_back_and_says_why() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &["--disable-gpu", "--disable-features=WebGPU"]).await;
    page.choose_backend("webgpu").await;
    page.ready().await;
    let score = score_as_native(&page, common::tiny_bundle(), &english()).await;
    assert_eq!(score["receipt"]["backend"], "cpu");
    assert!(page.text("#result-reason").await.contains("WebGPU"));
    page.close().await;
}

#[tokio::test]
async fn a_metric_in_ones_own_words_is_scored_by_keyboard() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    page.ready().await;
    page.click("#metric-own").await;
    page.fill("#own-name", "kindness").await;
    page.fill("#own-definition", "Is the answer kind? 10: kind. 0: cruel.")
        .await;
    page.fill("#user", "I failed my exam.").await;
    let control_enter = "That is hard; one exam is not your worth.\u{e009}\u{e007}";
    page.fill("#response", control_enter).await;
    let score = page.result().await;
    assert_eq!(score["support"], "text");
    assert!(
        page.text("#result-doubt")
            .await
            .to_lowercase()
            .contains("not sure")
    );
    page.close().await;
}

#[tokio::test]
async fn an_empty_answer_is_named_beside_its_field() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    page.ready().await;
    page.fill("#user", "Hello?").await;
    page.fill("#response", "   ").await;
    assert_eq!(
        page.run("return document.querySelector('#score').disabled")
            .await,
        true
    );
    assert!(
        page.text("#score-reason")
            .await
            .to_lowercase()
            .contains("answer")
    );
    page.close().await;
}

/// The page's error for a bundle that `damage` has been at.
async fn bundle_error(damage: impl Fn(&Path)) -> String {
    let dist = tiny_dist();
    damage(&dist.path().join("model"));
    let page = Page::open(dist.path(), &[]).await;
    let shown = "document.querySelector('#error .technical')?.textContent";
    let message = page.wait("an error is shown", 60, shown).await;
    assert_ne!(page.run("return document.body.dataset.ready").await, "true");
    page.close().await;
    message.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_altered_file_is_named_with_its_hashes() {
    let message = bundle_error(|model| {
        let path = model.join("heads.safetensors");
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(path, bytes).unwrap();
    })
    .await;
    assert!(
        message.contains("heads.safetensors") && message.contains("SHA-256"),
        "{message}"
    );
}

#[tokio::test]
async fn a_truncated_file_is_named() {
    let message = bundle_error(|model| {
        let path = model.join("encoder.safetensors");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    })
    .await;
    assert!(message.contains("encoder.safetensors"), "{message}");
}

#[tokio::test]
async fn a_bundle_of_another_version_is_refused() {
    let message =
        bundle_error(|model| edit_manifest(model, "\"version\":1,", "\"version\":9,")).await;
    assert!(message.contains("version 9"), "{message}");
}

#[tokio::test]
async fn a_browser_without_the_memory_says_so() {
    let message = bundle_error(|model| {
        let size = std::fs::metadata(model.join("encoder.safetensors"))
            .unwrap()
            .len();
        edit_manifest(
            model,
            &format!("\"bytes\":{size}"),
            "\"bytes\":9007199254740991",
        );
    })
    .await;
    assert!(message.to_lowercase().contains("memory"), "{message}");
}

fn edit_manifest(model: &Path, from: &str, to: &str) {
    let path = model.join("bundle.json");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from} is in the manifest");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

#[tokio::test]
async fn a_browser_without_wasm_simd_is_told() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    let script = "const done = arguments[0];
        import('./backend.js').then(({ requireWasm }) => {
            requireWasm();
            WebAssembly.validate = () => false;
            try { requireWasm(); done('accepted'); } catch (error) { done(`${error.kind}: ${error.message}`); }
        }, error => done(String(error)));";
    let message = page.client.execute_async(script, vec![]).await.unwrap();
    let message = message.as_str().unwrap();
    assert!(
        message.starts_with("unsupported") && message.contains("SIMD"),
        "{message}"
    );
    page.close().await;
}
