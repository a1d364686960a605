//! Bundles that are not what they should be: each is named with what was expected and found.

mod common;

use std::path::{Path, PathBuf};

use common::{failure, tiny_bundle};

/// A copy of the tiny bundle to damage.
fn copy() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(tiny_bundle()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    let path = folder.path().to_owned();
    (folder, path)
}

fn score_with(bundle: &Path) -> String {
    let texts = [
        "--user",
        "hi",
        "--response",
        "hello",
        "--metric",
        "fairness",
    ];
    failure(
        &[
            ["score", "--bundle", bundle.to_str().unwrap()].as_slice(),
            &texts,
        ]
        .concat(),
    )
}

fn edit_manifest(folder: &Path, edit: impl Fn(String) -> String) {
    let path = folder.join("bundle.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let edited = edit(text.clone());
    assert_ne!(text, edited, "the edit must change something");
    std::fs::write(path, edited).unwrap();
}

#[test]
fn a_truncated_file_is_named_with_both_sizes() {
    for name in ["encoder.safetensors", "heads.safetensors", "tokenizer.json"] {
        let (_guard, folder) = copy();
        let path = folder.join(name);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 10]).unwrap();
        let message = score_with(&folder);
        let sizes = [(bytes.len() - 10).to_string(), bytes.len().to_string()];
        assert!(message.contains(name), "{message}");
        assert!(sizes.iter().all(|size| message.contains(size)), "{message}");
    }
}

#[test]
fn an_altered_file_is_named_with_both_hashes() {
    for name in ["encoder.safetensors", "heads.safetensors", "tokenizer.json"] {
        let (_guard, folder) = copy();
        let path = folder.join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let message = score_with(&folder);
        assert!(
            message.contains(name) && message.contains("SHA-256"),
            "{message}"
        );
    }
}

#[test]
fn a_missing_file_is_named() {
    let (_guard, folder) = copy();
    std::fs::remove_file(folder.join("heads.safetensors")).unwrap();
    assert!(score_with(&folder).contains("heads.safetensors"));
}

#[test]
fn a_bundle_of_another_version_says_both_versions() {
    let (_guard, folder) = copy();
    edit_manifest(&folder, |text| {
        text.replace("\"version\":1,", "\"version\":7,")
    });
    let message = score_with(&folder);
    assert!(
        message.contains("version 7") && message.contains("version 1"),
        "{message}"
    );
}

#[test]
fn a_manifest_that_is_none_is_refused() {
    let (_guard, folder) = copy();
    std::fs::write(
        folder.join("bundle.json"),
        b"{\"format\": \"zip\", \"version\": 1}",
    )
    .unwrap();
    assert!(score_with(&folder).contains("expected `touchstone-bundle`"));
    std::fs::write(folder.join("bundle.json"), b"{\"format\": ").unwrap();
    assert!(score_with(&folder).contains("not a bundle manifest"));
}

#[test]
fn shapes_that_do_not_fit_the_config_are_all_named() {
    let (_guard, folder) = copy();
    edit_manifest(&folder, |text| {
        text.replace("\"intermediate_size\":64", "\"intermediate_size\":96")
    });
    let message = score_with(&folder);
    assert!(
        message.contains("encoder.layer.0.intermediate.dense.weight"),
        "{message}"
    );
    assert!(
        message.contains("encoder.layer.1.output.dense.weight"),
        "{message}"
    );
    assert!(
        message.contains("[64, 32]") && message.contains("[96, 32]"),
        "{message}"
    );
}

#[test]
fn missing_tensors_are_all_named() {
    let (_guard, folder) = copy();
    edit_manifest(&folder, |text| {
        text.replace("\"num_hidden_layers\":2", "\"num_hidden_layers\":3")
    });
    let message = score_with(&folder);
    assert!(
        message.contains("encoder.layer.2.attention.self.query.weight"),
        "{message}"
    );
    assert!(
        message.contains("encoder.layer.2.output.LayerNorm.bias"),
        "{message}"
    );
}

#[test]
fn head_sizes_that_make_no_sense_are_refused() {
    let (_guard, folder) = copy();
    edit_manifest(&folder, |text| text.replace("\"hidden\":4", "\"hidden\":0"));
    assert!(score_with(&folder).contains("sizes make no sense"));
}

#[test]
fn a_file_name_that_leaves_the_folder_is_refused() {
    let (_guard, folder) = copy();
    edit_manifest(&folder, |text| {
        text.replace("\"heads.safetensors\":{", "\"../heads.safetensors\":{")
    });
    assert!(score_with(&folder).contains("expected a plain file name"));
}

#[test]
fn heads_of_another_encoder_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let heads = folder.path().join("heads");
    std::fs::create_dir(&heads).unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/full");
    for name in ["heads.json", "heads.safetensors"] {
        std::fs::copy(shipped.join(name), heads.join(name)).unwrap();
    }
    let checkpoint = common::fixture("tiny-bert");
    let output = folder.path().join("bundle");
    let pack = [
        "pack",
        checkpoint.to_str().unwrap(),
        "--heads",
        heads.to_str().unwrap(),
    ];
    let message = failure(&[pack.as_slice(), &["--output", output.to_str().unwrap()]].concat());
    assert!(
        message.contains("were trained on the encoder with SHA-256"),
        "{message}"
    );
    assert!(!output.exists());
}
