//! Every architecture, packed from a checkpoint as the hub has it, against `transformers` and
//! `sentence-transformers`; the fixtures' README says what made each number.
//!
//! With the feature `gpu` the same runs on a graphics card too (or Mesa's Vulkan on the CPU):
//! `cargo xtask test-gpu`.

mod common;

use burn::tensor::Tensor;
use serde_json::{Value, json};
use tempfile::TempDir;
use touchstone::cli::{block_on, model, pack};
use touchstone::encoder::{Execution, POOLS, Pool, Precision};
use touchstone::scorer::{Embedder, Scorer, Unpaused};
use touchstone::text::{Layout, Segment, Template};
use touchstone::tokenizer::{Passage, Window};

const ENCODERS: [&str; 5] = [
    "tiny-distilbert",
    "tiny-xlm-roberta",
    "tiny-minilm",
    "tiny-bge",
    "tiny-gemma",
];

/// In f32; float32 noise of the reference itself is below 2e-5.
const TOLERANCE: f32 = 1e-4;

/// The same where rows are rounded, to 14 bits on ARM.
const ROUNDED: f32 = if cfg!(target_arch = "aarch64") {
    3e-4
} else {
    TOLERANCE
};

/// How the layers can run here.
fn executions() -> Vec<Execution> {
    vec![
        Execution::Fused,
        Execution::Padded,
        #[cfg(feature = "gpu")]
        Execution::Gpu(gpu().in_f32()),
    ]
}

#[cfg(feature = "gpu")]
fn gpu() -> touchstone::encoder::Gpu {
    block_on(touchstone::encoder::Gpu::request()).expect("a graphics card")
}

/// A packed encoder; the folder goes with it.
struct Packed(TempDir, Option<usize>);

impl Packed {
    fn new(name: &str) -> Self {
        Self::shortened(name, None)
    }

    fn shortened(name: &str, width: Option<usize>) -> Self {
        Self::stored(name, Precision::F32, width)
    }

    fn stored(name: &str, precision: Precision, width: Option<usize>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = pack::PackOptions {
            precision,
            width,
            ..pack::PackOptions::default()
        };
        pack::pack(&common::fixture(name), &options, folder.path()).unwrap();
        let bundle = model::read_bundle(folder.path()).unwrap();
        Self(folder, bundle.manifest.encoder.pipeline.max_tokens)
    }

    fn load(&self, execution: &Execution) -> Embedder {
        let mut bundle = model::read_bundle(self.0.path()).unwrap();
        Embedder::load(&mut bundle, execution).unwrap()
    }
}

fn reference(name: &str) -> Value {
    common::json(&format!("{name}-reference.json"))
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().expect("an array")
}

fn numbers(value: &Value) -> Vec<f32> {
    let values = value.as_array().expect("an array").iter();
    values
        .map(|value| value.as_f64().expect("a number") as f32)
        .collect()
}

/// The ids of a case without its padding.
fn passage(case: &Value) -> Passage {
    let mut ids: Vec<u32> = numbers(&case["ids"])
        .into_iter()
        .map(|id| id as u32)
        .collect();
    if let Some(tokens) = case["tokens"].as_u64() {
        ids.truncate(tokens as usize);
    }
    let segments = vec![Some(Segment::Response); ids.len()];
    Passage {
        kept: ids.len(),
        of: ids.len(),
        windows: vec![Window { ids, segments }],
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().unwrap()
}

fn assert_near(found: &[f32], expected: &Value, tolerance: f32, what: &str) {
    let expected = numbers(expected);
    assert_eq!(found.len(), expected.len(), "{what}");
    let error = found.iter().zip(&expected).map(|(a, b)| (a - b).abs());
    let error = error.fold(0.0, f32::max);
    assert!(error <= tolerance, "{what}: largest error {error}");
}

/// The embedding of a case at length 1: not every pipeline normalises, ours always does.
fn embedding(case: &Value) -> Value {
    let values = numbers(&case["embedding"]);
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    values.iter().map(|value| value / length).collect()
}

/// Hidden states, their first, last and mean, and the pipeline's embedding.
fn compare_case(embedder: &Embedder, case: &Value, name: &str) {
    let passage = passage(case);
    let width = embedder.encoder.config().hidden_size();
    let hidden = values(block_on(embedder.encoder.hidden(&[&passage.windows[0]])).unwrap());
    let tokens = passage.windows[0].ids.len();
    let hidden = &hidden[..tokens * width];
    assert_near(&hidden[..width], &case["first"], TOLERANCE, name);
    assert_near(
        &hidden[hidden.len() - width..],
        &case["last"],
        TOLERANCE,
        name,
    );
    if !case["hidden"].is_null() {
        assert_near(hidden, &case["hidden"], TOLERANCE, name);
    }
    let found = block_on(embedder.embed(&[&passage], &Unpaused)).unwrap();
    assert_near(&found, &embedding(case), TOLERANCE, name);
}

#[test]
fn every_length_agrees_with_the_reference() {
    for name in ENCODERS {
        let (packed, reference) = (Packed::new(name), reference(name));
        for execution in executions() {
            let embedder = packed.load(&execution);
            for case in list(&reference, "cases") {
                let what = format!("{name}, {}, {execution:?}", case["name"]);
                compare_case(&embedder, case, &what);
            }
        }
    }
}

#[test]
fn a_padded_batch_agrees_with_the_reference_and_with_the_texts_alone() {
    for name in ENCODERS {
        let (packed, reference) = (Packed::new(name), reference(name));
        let rows = list(&reference["batch"], "rows");
        let passages: Vec<Passage> = rows.iter().map(passage).collect();
        for execution in executions() {
            let embedder = packed.load(&execution);
            let all: Vec<&Passage> = passages.iter().collect();
            let together = block_on(embedder.embed(&all, &Unpaused)).unwrap();
            let width = embedder.encoder.width();
            for ((row, passage), found) in
                rows.iter().zip(&passages).zip(together.chunks_exact(width))
            {
                let what = format!("{name}, batch, {execution:?}");
                assert_near(found, &embedding(row), TOLERANCE, &what);
                let alone = block_on(embedder.embed(&[passage], &Unpaused)).unwrap();
                let error = found.iter().zip(&alone).map(|(a, b)| (a - b).abs());
                assert!(error.fold(0.0, f32::max) < 1e-5, "{what}, alone");
            }
        }
    }
}

/// Weights of 4 and 8 bits are multiplied as they are stored, or as what they stand for.
#[test]
fn packed_weights_run_alike_everywhere() {
    for precision in [Precision::Q4, Precision::Q8] {
        let packed = Packed::stored("tiny-bert", precision, None);
        let vectors = |execution: &Execution| {
            let passages = [3, 17, 64].map(|length| {
                let ids: Vec<u32> = (4..4 + length).collect();
                passage(&json!({ "ids": ids }))
            });
            let embedder = packed.load(execution);
            block_on(embedder.embed(&passages.each_ref(), &Unpaused)).unwrap()
        };
        let plain = json!(vectors(&Execution::Padded));
        for execution in executions() {
            let what = format!("{precision:?}, {execution:?}");
            assert_near(&vectors(&execution), &plain, ROUNDED, &what);
        }
    }
}

#[test]
fn the_default_model_scores_here_as_where_it_was_packed() {
    let executions = vec![
        (Execution::Fused, 0.002),
        #[cfg(feature = "gpu")]
        (Execution::Gpu(gpu().in_f32()), 0.002),
        // In f16 where the card has it.
        #[cfg(feature = "gpu")]
        (Execution::Gpu(gpu()), 0.02),
    ];
    for (execution, most) in executions {
        let scorer = Scorer::load(model::built_in().unwrap(), &execution).unwrap();
        let outcome = block_on(scorer.check(&Unpaused)).unwrap();
        assert!(outcome.worst.unwrap() < most, "{execution:?}: {outcome:?}");
    }
}

#[test]
fn texts_and_prompts_become_the_references_ids_and_embeddings() {
    for name in ENCODERS {
        let (packed, reference) = (Packed::new(name), reference(name));
        let embedder = packed.load(&Execution::Fused);
        let longest = packed.1.unwrap_or(embedder.encoder.config().max_tokens());
        for case in list(&reference, "texts") {
            let text = case["text"].as_str().unwrap();
            let template = Template {
                prefix: case["prompt"].as_str().unwrap_or_default().into(),
                layout: Layout::Separate,
                max_tokens: longest,
                max_windows: 1,
                overlap: 0,
            };
            let passage = embedder.tokenizer.passage(text, &template).unwrap();
            let what = format!("{name}, {:?} {text:.20}", case["prompt_name"]);
            let ids: Vec<f32> = passage.windows[0].ids.iter().map(|&id| id as f32).collect();
            assert_eq!(ids, numbers(&case["ids"]), "{what}");
            let found = block_on(embedder.embed(&[&passage], &Unpaused)).unwrap();
            assert_near(&found, &embedding(case), TOLERANCE, &what);
        }
    }
}

#[test]
fn shortened_embeddings_agree_with_the_reference() {
    let reference = reference("tiny-gemma");
    let text = &list(&reference, "texts")[0];
    let shortened = list(text, "shortened").iter();
    let normalised = shortened.filter(|case| case["normalize_embeddings"] == true);
    let mut compared = 0;
    for case in normalised {
        let width = case["truncate_dim"].as_u64().unwrap() as usize;
        let packed = Packed::shortened("tiny-gemma", Some(width));
        let embedder = packed.load(&Execution::Fused);
        assert_eq!(embedder.encoder.width(), width);
        let found = block_on(embedder.embed(&[&passage(text)], &Unpaused)).unwrap();
        assert_near(&found, &case["embedding"], TOLERANCE, &format!("{width}"));
        compared += 1;
    }
    assert!(compared >= 3, "{compared} widths");
}

#[test]
fn segments_live_in_the_space_of_whole_texts() {
    let packed = Packed::new("tiny-gemma");
    let embedder = packed.load(&Execution::Fused);
    let case = &list(&reference("tiny-gemma"), "cases")[2].clone();
    let mut passage = passage(case);
    let pools = |passage: &Passage| values(block_on(embedder.encoder.pool(&[passage])).unwrap());
    let width = embedder.encoder.width();
    let pool = |pools: &[f32], pool: Pool| pools[pool as usize * width..][..width].to_vec();
    let whole = pools(&passage);
    assert_eq!(whole.len(), POOLS * width);
    assert_eq!(pool(&whole, Pool::Response), pool(&whole, Pool::All));
    assert_eq!(pool(&whole, Pool::System), vec![0.0; width]);
    // Two halves of a text average to the whole, behind the dense layers too.
    let tokens = passage.windows[0].ids.len();
    for segment in &mut passage.windows[0].segments[..tokens / 2] {
        *segment = Some(Segment::User);
    }
    let halves = pools(&passage);
    let share = (tokens / 2) as f32 / tokens as f32;
    let mean: Vec<f64> = (pool(&halves, Pool::User).iter())
        .zip(pool(&halves, Pool::Response))
        .map(|(user, response)| f64::from(user * share + response * (1.0 - share)))
        .collect();
    assert_near(
        &pool(&whole, Pool::All),
        &mean.into_iter().collect(),
        1e-4,
        "halves",
    );
}
