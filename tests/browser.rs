//! Chromium drives the built page: type, choose, score, read.
//!
//! `cargo xtask test` builds the page and names it, Chromium and ChromeDriver in the environment;
//! without them these tests say so and fail.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};
use touchstone::cli::{model, serve};
use touchstone::{Backend, Score, Scorer, Task};

/// One browser at a time: two cores do not carry more.
static ONE: Mutex<()> = Mutex::const_new(());

/// Largest difference between backends, in points of the 0-10 scale.
const TOLERANCE: f64 = 0.02;

const WEBGPU: [&str; 3] = [
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--enable-features=Vulkan",
];

fn variable(name: &str) -> PathBuf {
    let value = std::env::var_os(name);
    let missing = || panic!("{name} is not set: run the browser tests by `cargo xtask test`");
    value.map_or_else(missing, PathBuf::from)
}

/// A served page in a browser; both end with the value.
struct Page {
    client: Client,
    driver: Child,
    profile: tempfile::TempDir,
    _one: MutexGuard<'static, ()>,
}

impl Page {
    /// Serves `folder` and opens it in Chromium with extra `flags`.
    async fn open(folder: &Path, flags: &[&str]) -> Self {
        let one = ONE.lock().await;
        let router = serve::router(folder, &[]).expect("the page is built");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let profile = tempfile::tempdir().unwrap();
        let (driver, port) = start_driver();
        let client = connect(port, profile.path(), flags).await;
        client.goto(&address).await.unwrap();
        Self {
            client,
            driver,
            profile,
            _one: one,
        }
    }

    async fn run(&self, script: &str) -> Value {
        self.client.execute(script, vec![]).await.unwrap()
    }

    /// Polls `script` until it returns something true; fails with the page's own words.
    async fn wait(&self, what: &str, seconds: u64, script: &str) -> Value {
        let end = Instant::now() + Duration::from_secs(seconds);
        loop {
            let value = self.run(&format!("return {script}")).await;
            if !matches!(value, Value::Null | Value::Bool(false)) && value != json!("") {
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

    async fn ready(&self) {
        self.wait(
            "the model is ready",
            240,
            "document.body.dataset.ready === 'true'",
        )
        .await;
    }

    async fn choose_backend(&self, backend: &str) {
        let script = format!(
            "const s = document.querySelector('#backend'); s.value = '{backend}';
             s.dispatchEvent(new Event('change', {{ bubbles: true }}));"
        );
        self.run(&script).await;
    }

    /// Scrolls the element to the middle, clear of the bar of actions, and clicks it.
    async fn click(&self, selector: &str) {
        let element = self
            .client
            .wait()
            .for_element(Locator::Css(selector))
            .await
            .unwrap();
        let script = "arguments[0].scrollIntoView({ block: 'center', behavior: 'instant' })";
        let argument = serde_json::to_value(&element).unwrap();
        self.client.execute(script, vec![argument]).await.unwrap();
        element.click().await.unwrap();
    }

    async fn fill(&self, field: &str, text: &str) {
        let field = self.client.find(Locator::Css(field)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Types into the metric chooser and takes the option by keyboard and mouse, as a user does.
    async fn choose_metric(&self, name: &str) {
        self.click("#metric").await;
        let metric = self.client.find(Locator::Css("#metric")).await.unwrap();
        // Control and A, then the name: clearing would also leave the field, which restores it.
        let keys = format!("\u{e009}a\u{e000}{name}");
        metric.send_keys(&keys).await.unwrap();
        self.click(&format!("[role=option][data-metric='{name}']"))
            .await;
        let chosen = "document.querySelector('#metric').dataset.value";
        assert_eq!(self.run(&format!("return {chosen}")).await, name);
    }

    /// Presses Score and returns the receipt's JSON: the whole Score.
    async fn score(&self) -> Value {
        self.client
            .find(Locator::Css("#score"))
            .await
            .unwrap()
            .click()
            .await
            .unwrap();
        self.result().await
    }

    async fn result(&self) -> Value {
        let done = "document.querySelector('#result').dataset.state === 'done' && document.querySelector('#receipt').textContent";
        let receipt = self.wait("the score is shown", 240, done).await;
        serde_json::from_str(receipt.as_str().unwrap()).expect("the receipt is JSON")
    }

    async fn text(&self, selector: &str) -> String {
        let script = format!("return document.querySelector('{selector}').textContent");
        self.run(&script)
            .await
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    async fn screenshot(&self, name: &str) {
        let folder = variable("TOUCHSTONE_ARTEFACTS");
        std::fs::create_dir_all(&folder).unwrap();
        let png = self.client.screenshot().await.unwrap();
        std::fs::write(folder.join(format!("{name}.png")), png).unwrap();
    }

    async fn close(mut self) {
        let _ = self.client.clone().close().await;
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        drop(self.profile);
    }
}

fn start_driver() -> (Child, u16) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut command = Command::new(variable("TOUCHSTONE_CHROMEDRIVER"));
    command
        .arg(format!("--port={port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    (command.spawn().expect("ChromeDriver starts"), port)
}

async fn connect(port: u16, profile: &Path, flags: &[&str]) -> Client {
    let fixed = [
        "--headless=new",
        "--no-sandbox",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--window-size=1280,1100",
    ];
    let profile = format!("--user-data-dir={}", profile.display());
    let all: Vec<&str> = fixed
        .iter()
        .chain(flags)
        .copied()
        .chain([profile.as_str()])
        .collect();
    let options = json!({ "binary": variable("TOUCHSTONE_CHROMIUM"), "args": all });
    let capabilities = json!({
        "goog:chromeOptions": options,
        "timeouts": { "script": 300_000, "pageLoad": 60_000 },
    });
    let Value::Object(capabilities) = capabilities else {
        unreachable!("an object literal")
    };
    let address = format!("http://127.0.0.1:{port}");
    for _ in 0..100 {
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities.clone());
        if let Ok(client) = builder.connect(&address).await {
            return client;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("ChromeDriver does not start Chromium on port {port}");
}

fn dist() -> PathBuf {
    variable("TOUCHSTONE_DIST")
}

/// A copy of the page with the tiny bundle as its model.
fn tiny_dist() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&dist(), folder.path());
    copy(common::tiny_bundle(), &folder.path().join("model"));
    folder
}

/// Copies a folder, a page's model apart.
fn copy(from: &Path, to: &Path) {
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

/// The native Score of the same task on the same bundle.
fn native(bundle: &Path, task: &Task) -> Score {
    let bundle = model::read_bundle(bundle).unwrap();
    let scorer = Scorer::load(bundle, Backend::Cpu, &burn::tensor::Device::flex()).unwrap();
    touchstone::cli::block_on(scorer.score(task)).unwrap()
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
    let task = task(
        "task_completion_rate",
        "बुख़ार में क्या करना चाहिए? तीन बातें बताइए।",
        "आराम कीजिए, ख़ूब पानी पीजिए, और बुख़ार तीन दिन से ज़्यादा रहे तो डॉक्टर को दिखाइए।",
    );
    let score = score_as_native(&page, common::real_model(), &task).await;
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
    let shown = "document.querySelector('#error p')?.textContent";
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
        bundle_error(|model| edit_manifest(model, "\"version\": 1,", "\"version\": 9,")).await;
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
            &format!("\"bytes\": {size}"),
            "\"bytes\": 9007199254740991",
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
