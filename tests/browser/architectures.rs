//! Every architecture in the browser's CPU build: its embeddings against the reference
//! implementation, and one score against the native build.

use serde_json::{Value, json};

use crate::common;
use crate::page::{Page, copy, tiny_dist};
use crate::{TOLERANCE, english, native};

const ENCODERS: [&str; 5] = [
    "tiny-distilbert",
    "tiny-xlm-roberta",
    "tiny-minilm",
    "tiny-bge",
    "tiny-gemma",
];

/// As for the native build, in `tests/encoders.rs`.
const EMBEDDING_TOLERANCE: f64 = 1e-4;

/// Tokens of a window of the bundle's heads, see `common::build_bundle`.
const WINDOW: usize = 64;

/// The texts of a reference that went in without a prompt and fit one window of the heads, as
/// [`touchstone::Scorer::embed`] takes them, each with its embedding.
fn plain_texts(name: &str) -> Vec<(String, Vec<f64>)> {
    let reference = common::json(&format!("{name}-reference.json"));
    let cases = reference["texts"].as_array().unwrap().iter();
    let whole = |case: &&Value| case["ids"].as_array().unwrap().len() <= WINDOW;
    let plain = cases.filter(|case| case["prompt_name"].is_null() && case["text"] != "");
    let plain = plain.filter(whole);
    let texts: Vec<_> = plain
        .map(|case| {
            let text = case["text"].as_str().unwrap().to_owned();
            (text, unit(&case["embedding"]))
        })
        .collect();
    assert!(texts.len() >= 4, "{name}: {} texts", texts.len());
    texts
}

/// At length 1: not every pipeline normalises, ours always does.
fn unit(vector: &Value) -> Vec<f64> {
    let values = crate::page::numbers(vector);
    let length = values.iter().map(|value| value * value).sum::<f64>().sqrt();
    values.iter().map(|value| value / length).collect()
}

/// Loads `models/NAME/` into the wasm build, without a worker, and answers
/// `{ embeddings, score }`.
async fn load_and_run(page: &Page, name: &str, texts: &[&str]) -> Value {
    let task = serde_json::to_value(english()).unwrap();
    let body = format!(
        "const {{ default: start, WebScorer }} = await import('./wasm/cpu/touchstone.js');
         await start();
         const read = async (file) => new Uint8Array(await (await fetch('models/{name}/' + file)).arrayBuffer());
         const manifest = await read('bundle.json');
         const files = {{}};
         for (const file of Object.keys(JSON.parse(new TextDecoder().decode(manifest)).files)) files[file] = await read(file);
         const scorer = await WebScorer.load(manifest, files);
         const embeddings = (await scorer.embed({texts})).map((vector) => [...vector]);
         const {{ score, receipt }} = await scorer.score({task});
         scorer.free();
         return {{ embeddings, score, backend: receipt.backend }};",
        texts = json!(texts),
    );
    page.script(&body).await
}

#[tokio::test]
async fn every_architecture_embeds_and_scores_as_its_reference() {
    let dist = tiny_dist();
    let bundles = tempfile::tempdir().unwrap();
    for name in ENCODERS {
        let folder = bundles.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        common::build_bundle(name, &folder);
        copy(
            &folder.join("bundle"),
            &dist.path().join("models").join(name),
        );
    }
    let page = Page::open(dist.path(), &[]).await;
    for name in ENCODERS {
        let expected = plain_texts(name);
        let texts: Vec<&str> = expected.iter().map(|(text, _)| text.as_str()).collect();
        let found = load_and_run(&page, name, &texts).await;
        assert_eq!(found["backend"], "cpu");
        for (index, (text, vector)) in expected.iter().enumerate() {
            let embedding = crate::page::numbers(&found["embeddings"][index]);
            assert_eq!(embedding.len(), vector.len(), "{name}");
            let errors = embedding.iter().zip(vector).map(|(a, b)| (a - b).abs());
            let error = errors.fold(0.0, f64::max);
            assert!(error <= EMBEDDING_TOLERANCE, "{name}, {text:.20}: {error}");
        }
        let native = f64::from(native(&bundles.path().join(name).join("bundle"), &english()).score);
        let score = found["score"].as_f64().unwrap();
        assert!(
            (score - native).abs() < TOLERANCE,
            "{name}: {score}, native {native}"
        );
    }
    page.close().await;
}
