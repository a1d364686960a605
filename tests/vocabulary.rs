//! `touchstone pack --vocabulary`: fewer tokens, the same texts.

mod common;

use std::path::{Path, PathBuf};

use serde_json::Value;
use touchstone::cli::model::read_bundle;
use touchstone::encoder::Execution;
use touchstone::scorer::{Embedder, Unpaused};
use touchstone::text::{Layout, Template};

/// The tiny checkpoint's pieces, in the order of their ids.
fn pieces() -> Vec<String> {
    let bytes = std::fs::read(common::fixture("tiny-bert").join("tokenizer.json")).unwrap();
    let tokenizer: Value = serde_json::from_slice(&bytes).unwrap();
    let vocab = tokenizer["model"]["vocab"].as_array().unwrap();
    let piece = |entry: &Value| entry[0].as_str().unwrap().to_owned();
    vocab.iter().map(piece).collect()
}

/// The ids that `keep` takes by number and piece.
fn ids(keep: impl Fn(usize, &str) -> bool) -> Vec<usize> {
    let pieces = pieces();
    let ids = (0..pieces.len()).filter(|&id| keep(id, &pieces[id]));
    ids.collect()
}

/// Packs the tiny checkpoint with a file of these ids; the arguments end with the output folder.
fn pack(folder: &Path, ids: &[usize]) -> Vec<String> {
    let list = folder.join("kept.txt");
    let lines: Vec<String> = ids.iter().map(usize::to_string).collect();
    std::fs::write(&list, lines.join("\n")).unwrap();
    let path = |path: PathBuf| path.to_str().unwrap().to_owned();
    vec![
        "pack".into(),
        path(common::fixture("tiny-bert")),
        "--precision".into(),
        "f32".into(),
        "--vocabulary".into(),
        path(list),
        "--output".into(),
        path(folder.join("bundle")),
    ]
}

fn run(arguments: &[String]) -> String {
    common::stdout(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

fn failure(arguments: &[String]) -> String {
    common::failure(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

fn refused(ids: &[usize]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let arguments = pack(folder.path(), ids);
    let message = failure(&arguments);
    assert!(!folder.path().join("bundle").exists());
    message
}

fn embedder(folder: &Path) -> Embedder {
    let mut bundle = read_bundle(folder).unwrap();
    Embedder::load(&mut bundle, &Execution::Fused).unwrap()
}

fn embed(embedder: &Embedder, text: &str) -> Vec<f32> {
    let template = Template {
        prefix: String::new(),
        layout: Layout::Separate,
        max_tokens: 64,
        max_windows: 1,
        overlap: 0,
    };
    let passage = embedder.tokenizer.passage(text, &template).unwrap();
    touchstone::cli::block_on(embedder.embed(&[&passage], &Unpaused)).unwrap()
}

#[test]
fn texts_of_kept_tokens_have_the_same_vector_and_others_stay_known() {
    let folder = tempfile::tempdir().unwrap();
    // Every other piece of several characters goes.
    let kept = ids(|id, piece| id < 4 || piece.chars().count() == 1 || id % 2 == 0);
    assert!(kept.len() < pieces().len() - 50);
    run(&pack(folder.path(), &kept));
    let whole = tempfile::tempdir().unwrap();
    let all = ids(|_, _| true);
    run(&pack(whole.path(), &all));
    let (small, whole) = (
        embedder(&folder.path().join("bundle")),
        embedder(&whole.path().join("bundle")),
    );
    assert_eq!(small.tokenizer.vocab_size(), kept.len());

    let texts = common::json("multilingual-texts.json");
    let texts = texts.as_array().unwrap().iter();
    let texts: Vec<&str> = texts.filter_map(|text| text["text"].as_str()).collect();
    let (mut same, mut other) = (0, 0);
    for text in texts {
        let before = whole.tokenizer.ids(text, true).unwrap();
        let after = small.tokenizer.ids(text, true).unwrap();
        let unknown = |ids: &[u32]| ids.iter().filter(|&&id| id == 3).count();
        assert_eq!(unknown(&before), unknown(&after), "{text}");
        let old: Vec<u32> = after.iter().map(|&id| kept[id as usize] as u32).collect();
        if old != before {
            other += 1;
            continue;
        }
        same += 1;
        if before.len() <= 64 {
            assert_eq!(embed(&small, text), embed(&whole, text), "{text}");
        }
    }
    assert!(
        same > 5 && other > 5,
        "{same} texts keep their tokens, {other} do not"
    );
}

#[test]
fn a_vocabulary_without_a_special_token_is_refused() {
    let message = refused(&ids(|id, _| id != 2));
    assert!(message.contains("special token 2"), "{message}");
}

#[test]
fn pieces_that_could_not_be_written_any_more_are_named() {
    let message = refused(&ids(|_, piece| !piece.contains('र')));
    assert!(
        message.contains("`र`") && message.contains("keep their characters"),
        "{message}"
    );
}

#[test]
fn a_list_out_of_order_or_beyond_the_end_is_refused() {
    let message = refused(&[0, 1, 2, 3, 3]);
    assert!(message.contains("line 5 is `3`"), "{message}");
    let mut ids = ids(|_, _| true);
    ids.push(9_999);
    let message = refused(&ids);
    assert!(
        message.contains("9999") && message.contains("560"),
        "{message}"
    );
}

/// The default model's encoder and tokenizer are the checkpoint's with the committed list, byte for
/// byte.
#[test]
fn the_default_encoder_is_made_with_the_committed_list() {
    let list = concat!(env!("CARGO_MANIFEST_DIR"), "/models/vocabulary/kept.txt");
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (common::checkpoint().to_str(), folder.path().to_str());
    let paths = [from.unwrap(), "--vocabulary", list, "--output", to.unwrap()];
    common::stdout(&[["pack"].as_slice(), &paths].concat());
    for name in [
        "encoder.safetensors",
        "pieces.safetensors",
        "tokenizer.json",
    ] {
        let read = |folder: &Path| std::fs::read(folder.join(name)).unwrap();
        assert!(read(folder.path()) == read(common::real_model()), "{name}");
    }
}

#[test]
fn only_unigram_tokenizers_and_checkpoints_are_trimmed() {
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = pack(folder.path(), &[0, 1, 2, 3]);
    arguments[1] = common::fixture("tiny-distilbert")
        .to_str()
        .unwrap()
        .to_owned();
    let message = failure(&arguments);
    assert!(
        message.contains("WordPiece") && message.contains("Unigram"),
        "{message}"
    );
    arguments[1] = common::tiny_bundle().to_str().unwrap().to_owned();
    let message = failure(&arguments);
    assert!(message.contains("checkpoint"), "{message}");
}
