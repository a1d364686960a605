//! The encoder and the tokenizer against the reference implementations; the fixtures' README says
//! what made each number and why the tolerance is what it is.

mod common;

use burn::tensor::Device;
use serde_json::Value;
use sha2::{Digest, Sha256};
use touchstone::cli::model::read_bundle;
use touchstone::cli::pack::{self, PackOptions};
use touchstone::encoder::{
    Encoder, EncoderConfig, Execution, POOLS, Pipeline, Pool, Precision, Weights,
};
use touchstone::scorer::{Embedder, Unpaused};
use touchstone::text::Segment;
use touchstone::tokenizer::{Passage, Tokenizer, Window};
use touchstone::{Backend, Scorer, Task};

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
const EXECUTIONS: [Execution; 3] = [Execution::Fused, Execution::Padded, Execution::Bucketed];

fn tiny_encoder(device: &Device, execution: Execution) -> Encoder {
    let bytes = std::fs::read(common::fixture("tiny-bert/model.safetensors")).unwrap();
    let config = std::fs::read(common::fixture("tiny-bert/config.json")).unwrap();
    let config = EncoderConfig::from_json(&config).unwrap();
    let weights = Weights::from_bytes("model.safetensors", &bytes).unwrap();
    Encoder::load(&config, &Pipeline::default(), &weights, execution, device).unwrap()
}

/// Mean-pooled vectors of `passages` in one batch.
fn means(encoder: &Encoder, passages: &[Passage]) -> Vec<Vec<f32>> {
    let passages: Vec<&Passage> = passages.iter().collect();
    let values = encoder
        .pool(&passages)
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
        let encoder = tiny_encoder(&Device::flex(), execution);
        for case in reference["cases"].as_array().unwrap() {
            compare_case(&encoder, case);
        }
    }
}

fn compare_case(encoder: &Encoder, case: &Value) {
    let name = case["name"].as_str().unwrap();
    let passage = passage(ids(&case["ids"]));
    let hidden = encoder.hidden(&[&passage.windows[0]]).unwrap();
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
        let encoder = tiny_encoder(&Device::flex(), execution);
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
    let encoder = tiny_encoder(&Device::flex(), Execution::Fused);
    let (long, short) = (passage((4..24).collect()), passage((30..35).collect()));
    let mut both = long.clone();
    both.windows.extend(short.windows.clone());
    let apart = means(&encoder, &[long, short]);
    let expected: Vec<f32> = (apart[0].iter().zip(&apart[1]))
        .map(|(long, short)| (20.0 * long + 5.0 * short) / 25.0)
        .collect();
    assert_near(&means(&encoder, &[both])[0], &expected, 1e-5, "two windows");
}

/// With `--fast` rows have 8 bits: near the reference, not equal to it.
#[test]
fn rounded_rows_keep_the_real_encoders_direction() {
    let reference = common::json("e5-reference.json");
    let expected = numbers(&reference["ids_only"]["vector"]);
    let mut bundle = read_bundle(common::real_model()).unwrap();
    let embedder = Embedder::load(&mut bundle, Execution::Rounded, &Device::flex()).unwrap();
    assert_eq!(embedder.encoder.arithmetic(), "q4-i8");
    let passage = passage((0..32).map(|j| 5 + (13 * j) % 5000).collect());
    let found = touchstone::cli::block_on(embedder.embed(&[&passage], &Unpaused)).unwrap();
    let cosine: f32 = found.iter().zip(&expected).map(|(a, b)| a * b).sum();
    assert!(cosine > 0.9995, "{cosine}");
}

/// On hand-written answers in many languages.
#[test]
fn rounded_rows_move_scores_by_a_few_hundredths() {
    let load = |execution| {
        let bundle = read_bundle(common::real_model()).unwrap();
        Scorer::load_as(bundle, Backend::Cpu, execution, &Device::flex()).unwrap()
    };
    let (rounded, exact) = (load(Execution::Rounded), load(Execution::Fused));
    let score = |scorer: &Scorer, task: &Task| {
        let score = touchstone::cli::block_on(scorer.score(task, &Unpaused)).unwrap();
        (f64::from(score.score), score.receipt.dtype)
    };
    let pairs = include_str!("sense.jsonl").lines().step_by(12);
    let differences = pairs.map(|pair| {
        let pair: Value = serde_json::from_str(pair).unwrap();
        let text = |name: &str| pair[name].as_str().unwrap().to_owned();
        let task = Task {
            metric: text("metric_name"),
            user: text("user_prompt"),
            response: text("good"),
            ..Task::default()
        };
        let ((rounded, by), (exact, exactly_by)) = (score(&rounded, &task), score(&exact, &task));
        assert_eq!((by.as_str(), exactly_by.as_str()), ("q4-i8", "f32"));
        (rounded - exact).abs()
    });
    let differences: Vec<f64> = differences.collect();
    let mean = differences.iter().sum::<f64>() / differences.len() as f64;
    assert!(differences.len() >= 20 && mean < 0.05, "{differences:?}");
    assert!(differences.iter().all(|&one| one < 0.15), "{differences:?}");
}

/// A checkpoint's own weights in 4 bits run fused, rounded and as burn's operations.
#[test]
fn weights_packed_in_4_bits_run_every_way() {
    let folder = tempfile::tempdir().unwrap();
    let options = PackOptions {
        precision: Precision::Q4,
        ..PackOptions::default()
    };
    pack::pack(&common::fixture("tiny-bert"), &options, folder.path()).unwrap();
    let vectors = |execution| {
        let mut bundle = read_bundle(folder.path()).unwrap();
        let embedder = Embedder::load(&mut bundle, execution, &Device::flex()).unwrap();
        let passages = [3, 17, 64].map(|length| passage((4..4 + length).collect()));
        let passages: Vec<&Passage> = passages.iter().collect();
        touchstone::cli::block_on(embedder.embed(&passages, &Unpaused)).unwrap()
    };
    let exact = vectors(Execution::Padded);
    assert_near(&vectors(Execution::Fused), &exact, 1e-4, "fused");
    let rounded = vectors(Execution::Rounded);
    assert_near(&rounded, &exact, 0.02, "rounded");
    assert_ne!(rounded, vectors(Execution::Fused));
}

#[test]
fn the_real_encoder_agrees_with_the_reference() {
    let reference = common::json("e5-reference.json");
    let mut bundle = read_bundle(common::real_model()).unwrap();
    let embedder = Embedder::load(&mut bundle, Execution::Fused, &Device::flex()).unwrap();
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
    let mut bundle = read_bundle(common::real_model()).unwrap();
    let bytes = bundle.take("tokenizer.json").unwrap();
    let tokenizer = Tokenizer::from_bytes(&bytes).unwrap();
    tokenizer_parity(&tokenizer, "e5-tokenizer-reference.json", "e5");
}
