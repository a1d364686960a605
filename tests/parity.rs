//! The encoder and the tokenizer against the reference implementations; the fixtures' README says
//! what made each number and why the tolerance is what it is.

mod common;

use burn::tensor::Device;
use serde_json::Value;
use sha2::{Digest, Sha256};
use touchstone::cli::model::read_bundle;
use touchstone::encoder::{Encoder, EncoderConfig, Execution, POOLS, Pipeline, Pool, Weights};
use touchstone::scorer::{Embedder, Unpaused};
use touchstone::text::Segment;
use touchstone::tokenizer::{Passage, Tokenizer, Window};

fn numbers(value: &Value) -> Vec<f32> {
    let values = value.as_array().expect("an array").iter();
    values
        .map(|value| value.as_f64().expect("a number") as f32)
        .collect()
}

fn ids(value: &Value) -> Vec<u32> {
    numbers(value).into_iter().map(|id| id as u32).collect()
}

fn passage(ids: Vec<u32>) -> Passage {
    let segments = vec![Some(Segment::Response); ids.len()];
    Passage {
        kept: ids.len(),
        of: ids.len(),
        windows: vec![Window { ids, segments }],
    }
}

/// How the layers can run on the CPU.
const EXECUTIONS: [Execution; 2] = [Execution::Fused, Execution::Padded];

fn tiny_encoder(execution: &Execution) -> Encoder {
    let bytes = std::fs::read(common::fixture("tiny-bert/model.safetensors")).unwrap();
    let config = std::fs::read(common::fixture("tiny-bert/config.json")).unwrap();
    let config = EncoderConfig::from_json(&config).unwrap();
    let weights = Weights::from_bytes("model.safetensors", &bytes).unwrap();
    let device = Device::flex();
    Encoder::load(&config, &Pipeline::default(), &weights, execution, &device).unwrap()
}

/// Mean-pooled vectors of `passages` in one batch.
fn means(encoder: &Encoder, passages: &[Passage]) -> Vec<Vec<f32>> {
    let passages: Vec<&Passage> = passages.iter().collect();
    let values = touchstone::cli::block_on(encoder.pool(&passages))
        .unwrap()
        .into_data()
        .try_into_vec::<f32>()
        .unwrap();
    let width = encoder.width();
    let rows = values.chunks_exact(POOLS * width);
    rows.map(|row| row[Pool::All as usize * width..][..width].to_vec())
        .collect()
}

fn assert_near(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= tolerance,
            "{what}: {found}, expected {expected}"
        );
    }
}

#[test]
fn the_tiny_encoder_agrees_with_the_reference_at_every_length() {
    let reference = common::json("tiny-bert-reference.json");
    for execution in EXECUTIONS {
        let encoder = tiny_encoder(&execution);
        for case in reference["cases"].as_array().unwrap() {
            compare_case(&encoder, case);
        }
    }
}

fn compare_case(encoder: &Encoder, case: &Value) {
    let name = case["name"].as_str().unwrap();
    let passage = passage(ids(&case["ids"]));
    let hidden = touchstone::cli::block_on(encoder.hidden(&[&passage.windows[0]])).unwrap();
    let hidden = hidden.into_data().try_into_vec::<f32>().unwrap();
    let (width, tokens) = (encoder.width(), passage.len());
    let hidden = &hidden[..tokens * width];
    assert_near(&hidden[..width], &numbers(&case["first"]), 1e-4, name);
    let last = &hidden[hidden.len() - width..];
    assert_near(last, &numbers(&case["last"]), 1e-4, name);
    if !case["hidden"].is_null() {
        assert_near(hidden, &numbers(&case["hidden"]), 1e-4, name);
    }
    let mean = &means(encoder, &[passage])[0];
    assert_near(mean, &numbers(&case["mean"]), 1e-4, name);
}

#[test]
fn a_padded_batch_agrees_with_the_reference_and_with_the_texts_alone() {
    let reference = common::json("tiny-bert-reference.json");
    let rows = reference["batch"]["rows"].as_array().unwrap();
    let passages: Vec<Passage> = rows
        .iter()
        .map(|row| {
            let tokens = row["tokens"].as_u64().unwrap() as usize;
            passage(ids(&row["ids"])[..tokens].to_vec())
        })
        .collect();
    for execution in EXECUTIONS {
        let encoder = tiny_encoder(&execution);
        let together = means(&encoder, &passages);
        for ((row, passage), found) in rows.iter().zip(&passages).zip(&together) {
            assert_near(found, &numbers(&row["mean"]), 1e-4, "in the batch");
            let alone = means(&encoder, std::slice::from_ref(passage));
            assert_near(found, &alone[0], 1e-5, "alone");
        }
    }
}

#[test]
fn windows_of_one_passage_are_pooled_by_their_tokens() {
    let encoder = tiny_encoder(&Execution::Fused);
    let (long, short) = (passage((4..24).collect()), passage((30..35).collect()));
    let mut both = long.clone();
    both.windows.extend(short.windows.clone());
    let apart = means(&encoder, &[long, short]);
    let expected: Vec<f32> = (apart[0].iter().zip(&apart[1]))
        .map(|(long, short)| (20.0 * long + 5.0 * short) / 25.0)
        .collect();
    assert_near(&means(&encoder, &[both])[0], &expected, 1e-5, "two windows");
}

#[test]
fn the_real_encoder_agrees_with_the_reference() {
    let reference = common::json("e5-reference.json");
    let mut bundle = read_bundle(common::whole_encoder()).unwrap();
    let embedder = Embedder::load(&mut bundle, &Execution::Fused).unwrap();
    let embed = |ids: Vec<u32>| {
        let passage = passage(ids);
        touchstone::cli::block_on(embedder.embed(&[&passage], &Unpaused)).unwrap()
    };
    let fixed = embed((0..32).map(|j| 5 + (13 * j) % 5000).collect());
    assert_near(
        &fixed[..3],
        &[0.01806, -0.03383, -0.06654],
        1e-3,
        "the design's figures",
    );
    assert_near(
        &fixed,
        &numbers(&reference["ids_only"]["vector"]),
        1e-4,
        "all components",
    );

    let sentences = &reference["translations"]["sentences"];
    let vectors = ["english", "hindi", "tamil", "unrelated"].map(|name| {
        let text = format!("query: {}", sentences[name]["text"].as_str().unwrap());
        let found = embedder.tokenizer.ids(&text, true).unwrap();
        assert_eq!(found, ids(&sentences[name]["ids"]), "{name}");
        embed(found)
    });
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let cosines: Vec<f32> = vectors[1..]
        .iter()
        .map(|other| dot(&vectors[0], other))
        .collect();
    let expected = &reference["translations"]["cosine_to_english"];
    let expected =
        ["hindi", "tamil", "unrelated"].map(|name| expected[name].as_f64().unwrap() as f32);
    assert_near(&cosines, &expected, 1e-3, "cosines");
    assert_near(&cosines[..2], &[0.946, 0.919], 1e-3, "the design's cosines");
}

fn tokenizer_parity(tokenizer: &Tokenizer, reference: &str, key: &str) {
    let texts = common::json("multilingual-texts.json");
    let reference = common::json(reference);
    let texts = texts.as_array().unwrap();
    assert!(texts.len() >= 60);
    for (text, expected) in texts.iter().zip(reference[key].as_array().unwrap()) {
        let name = text["name"].as_str().unwrap();
        assert_eq!(name, expected["name"].as_str().unwrap());
        let found = tokenizer.ids(&whole(text), true).unwrap();
        if expected["ids"].is_array() {
            assert_eq!(found, ids(&expected["ids"]), "{name}");
        } else {
            let joined: Vec<String> = found.iter().map(u32::to_string).collect();
            let digest = Sha256::digest(joined.join(","));
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(
                found.len() as u64,
                expected["count"].as_u64().unwrap(),
                "{name}"
            );
            assert_eq!(hex, expected["sha256"].as_str().unwrap(), "{name}");
        }
    }
}

fn whole(text: &Value) -> String {
    match text["text"].as_str() {
        Some(text) => text.to_owned(),
        None => text["repeat"]
            .as_str()
            .unwrap()
            .repeat(text["times"].as_u64().unwrap() as usize),
    }
}

#[test]
fn the_tiny_tokenizers_give_the_references_ids() {
    let tokenizer = |name: &str| {
        let path = common::fixture(name).join("tokenizer.json");
        Tokenizer::from_bytes(&std::fs::read(path).unwrap()).unwrap()
    };
    tokenizer_parity(
        &tokenizer("tiny-bert"),
        "e5-tokenizer-reference.json",
        "tiny",
    );
    // WordPiece, cased and uncased, and Gemma's BPE.
    for name in ["tiny-distilbert", "tiny-bge", "tiny-gemma"] {
        tokenizer_parity(&tokenizer(name), "tiny-tokenizer-reference.json", name);
    }
}

#[test]
fn the_real_tokenizer_gives_the_references_ids() {
    let bytes = std::fs::read(common::checkpoint().join("tokenizer.json")).unwrap();
    let of_the_hub = Tokenizer::from_bytes(&bytes).unwrap();
    let packed = Tokenizer::of(&read_bundle(common::whole_encoder()).unwrap()).unwrap();
    for tokenizer in [of_the_hub, packed] {
        tokenizer_parity(&tokenizer, "e5-tokenizer-reference.json", "e5");
    }
}
