//! The companion on real files: one sentence a test.

mod common;

use std::path::{Path, PathBuf};

use common::{failure, stdout, tiny_bundle};
use serde_json::Value;

fn bundle() -> [&'static str; 2] {
    ["--bundle", tiny_bundle().to_str().unwrap()]
}

fn with_bundle<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [args, &bundle()].concat()
}

fn file(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_string_lossy().into_owned()
}

fn temporary() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    (folder, path)
}

fn score_args<'a>(metric: &'a str, response: &'a str) -> Vec<&'a str> {
    vec![
        "score",
        "--metric",
        metric,
        "--user",
        "नमस्ते?",
        "--response",
        response,
    ]
}

#[test]
fn one_answer_is_scored_as_json() {
    let json = stdout(&with_bundle(&score_args(
        "task_completion_rate",
        "नमस्ते, कैसे मदद करूँ?",
    )));
    let score: Value = serde_json::from_str(&json).unwrap();
    let value = score["score"].as_f64().unwrap();
    assert!((0.0..=10.0).contains(&value));
    assert_eq!(score["rounded"].as_f64().unwrap(), value.round());
    assert_eq!(score["anchors"].as_array().unwrap().len(), 10);
    assert_eq!(score["members"].as_array().unwrap().len(), 5);
    assert_eq!(score["receipt"]["backend"], "cpu");
    let ends = score["interval"].as_array().unwrap();
    let ends: Vec<f64> = ends.iter().map(|end| end.as_f64().unwrap()).collect();
    assert!(ends[0] <= value && value <= ends[1], "{ends:?}");
    // No judge outside the project scored these rows: nothing is claimed.
    assert!(score["coverage"].is_null() && score["truncated"].is_null());
}

#[test]
fn a_metric_of_ones_own_is_scored_and_marked_unsure() {
    let own = score_args("kindness", "I am glad to help.");
    let own = [
        own.as_slice(),
        &["--definition", "Is the answer kind? 10: kind. 0: cruel."],
    ]
    .concat();
    let score: Value = serde_json::from_str(&stdout(&with_bundle(&own))).unwrap();
    assert_eq!(score["support"], "text");
    assert_eq!(score["abstain"], true);
}

#[test]
fn what_was_cut_off_is_told() {
    let long = "one two three ".repeat(200);
    let score: Value =
        serde_json::from_str(&stdout(&with_bundle(&score_args("fairness", &long)))).unwrap();
    let (kept, of) = (&score["truncated"]["kept"], &score["truncated"]["of"]);
    assert!(kept.as_u64().unwrap() < of.as_u64().unwrap());
}

#[test]
fn an_empty_answer_is_refused() {
    assert!(failure(&with_bundle(&score_args("fairness", "  "))).contains("the answer is empty"));
}

#[test]
fn an_answer_of_special_tokens_only_is_refused() {
    let message = failure(&with_bundle(&score_args("fairness", "<s></s><pad>")));
    assert!(message.contains("no token of the answer"), "{message}");
}

#[test]
fn an_unknown_metric_is_answered_with_the_nearest_names() {
    let message = failure(&with_bundle(&score_args("over_rejecton", "yes")));
    assert!(
        message.contains("rejection_rate/over_rejection"),
        "{message}"
    );
}

#[test]
fn no_arguments_is_a_usage_error() {
    let output = common::touchstone(&["score"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn json_lines_keep_their_fields_and_gain_a_score() {
    let (_guard, folder) = temporary();
    let rows = common::tiny_rows(&folder);
    let output = folder.join("scored.jsonl");
    stdout(&with_bundle(&[
        "score",
        rows.to_str().unwrap(),
        "--output",
        output.to_str().unwrap(),
    ]));
    let before = std::fs::read_to_string(rows).unwrap();
    let after = std::fs::read_to_string(output).unwrap();
    assert_eq!(before.lines().count(), after.lines().count());
    for (before, after) in before.lines().zip(after.lines()) {
        let before: Value = serde_json::from_str(before).unwrap();
        let after: Value = serde_json::from_str(after).unwrap();
        assert_eq!(before["response"], after["response"]);
        assert_eq!(before["source"], after["source"]);
        assert!(after["predicted"]["score"].is_number());
    }
}

#[test]
fn a_rows_score_does_not_depend_on_its_file() {
    let (_guard, folder) = temporary();
    let rows = common::tiny_rows(&folder);
    let output = folder.join("scored.jsonl");
    stdout(&with_bundle(&[
        "score",
        rows.to_str().unwrap(),
        "--output",
        output.to_str().unwrap(),
    ]));
    let scored = std::fs::read_to_string(output).unwrap();
    let row: Value = serde_json::from_str(scored.lines().nth(40).unwrap()).unwrap();
    let text = |field: &str| row[field].as_str().unwrap();
    let metric = ["score", "--metric", text("metric_name")];
    let alone = [
        metric.as_slice(),
        &[
            "--user",
            text("user_prompt"),
            "--response",
            text("response"),
        ],
    ];
    let alone: Value = serde_json::from_str(&stdout(&with_bundle(&alone.concat()))).unwrap();
    let difference = alone["score"].as_f64().unwrap() - row["predicted"]["score"].as_f64().unwrap();
    assert!(difference.abs() < 1e-3, "{difference}");
}

#[test]
fn csv_gains_columns_and_a_bad_row_does_not_stop_the_rest() {
    let (_guard, folder) = temporary();
    let csv = "metric,prompt,answer\nfairness,Hi,\"Hello, you\"\nfairness,Hi,\nnosuch,Hi,Hello\n";
    let input = file(&folder, "rows.csv", csv);
    let output = folder.join("out.csv");
    let message = failure(&with_bundle(&[
        "score",
        &input,
        "--output",
        output.to_str().unwrap(),
    ]));
    assert!(
        message.contains("2 of 3 rows") && message.contains("row 2"),
        "{message}"
    );
    let written = std::fs::read_to_string(output).unwrap();
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(
        lines[0],
        "metric,prompt,answer,predicted_score,predicted_low,predicted_high,predicted_error"
    );
    assert!(
        lines[1].starts_with("fairness,Hi,\"Hello, you\","),
        "{}",
        lines[1]
    );
    assert!(
        lines[2].contains("empty") && lines[3].contains("nosuch"),
        "{written}"
    );
}

#[test]
fn a_csv_without_the_needed_columns_says_which() {
    let (_guard, folder) = temporary();
    let input = file(&folder, "rows.csv", "metric_name,text\nfairness,hello\n");
    let output = folder.join("out.csv");
    let message = failure(&["score", &input, "--output", output.to_str().unwrap()]);
    assert!(
        message.contains("response") && message.contains("user_prompt"),
        "{message}"
    );
    assert!(message.contains("text"), "names what was found: {message}");
    assert!(!output.exists());
}

#[test]
fn scores_that_are_no_scores_are_refused_with_their_row() {
    let (_guard, folder) = temporary();
    for bad in ["NaN", "-1", "11", "good", "inf"] {
        let csv = format!("metric,prompt,answer,score\nfairness,a,b,10\nfairness,c,d,{bad}\n");
        let input = file(&folder, "rows.csv", csv);
        let message = failure(&with_bundle(&["eval", &input]));
        assert!(
            message.contains("row 2") && message.contains(bad),
            "{bad}: {message}"
        );
    }
}

#[test]
fn a_file_that_is_not_utf8_says_where() {
    let (_guard, folder) = temporary();
    let input = file(
        &folder,
        "rows.csv",
        b"metric,prompt,answer\nfairness,\xff\xfe,b\n",
    );
    let message = failure(&["score", &input, "--output", "never.csv"]);
    assert!(message.contains("UTF-8"), "{message}");
}

#[test]
fn the_challenges_form_is_read_and_odd_elements_are_counted() {
    let (_guard, folder) = temporary();
    let rows = r#"[
        {"metric_name": "fairness", "score": "10.0", "user_prompt": "a", "response": "b", "system_prompt": null},
        {"metric_name": "fairness", "score": "9.5", "user_prompt": "c", "response": "d", "system_prompt": "e"},
        {"metric_name": "fairness", "score": "3", "user_prompt": "c", "response": null, "system_prompt": null},
        17
    ]"#;
    let input = file(&folder, "train_data.json", rows);
    let output = common::touchstone(&with_bundle(&["eval", &input, "--json"]));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}");
    assert!(message.contains('2'), "two rows are skipped: {message}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["all"]["whole"]["n"], 2);
}

#[test]
fn a_submission_has_a_line_for_every_row() {
    let (_guard, folder) = temporary();
    let rows = r#"[
        {"metric_name": "fairness", "user_prompt": "a", "response": "b", "system_prompt": null},
        {"metric_name": "fairness", "user_prompt": "c", "response": null, "system_prompt": "e"},
        17,
        {"metric_name": "nosuch", "user_prompt": "c", "response": "d", "system_prompt": null},
        {"metric_name": "fairness", "user_prompt": "c", "response": ["d"], "system_prompt": null},
        {"metric_name": "fairness", "user_prompt": "नमस्ते", "response": "हाँ", "system_prompt": "f"}
    ]"#;
    let input = file(&folder, "test_data.json", rows);
    let output = folder.join("submission.csv");
    let args = ["predict", &input, "--output", output.to_str().unwrap()];
    let ran = common::touchstone(&with_bundle(&args));
    let warnings = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{warnings}");
    for (id, why) in [(2, "empty"), (3, "a number"), (4, "nosuch"), (5, "a list")] {
        let named = |line: &str| line.contains(&format!("ID {id}: ")) && line.contains(why);
        assert!(warnings.lines().any(named), "{id}: {warnings}");
    }
    let written = std::fs::read_to_string(&output).unwrap();
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!((lines.len(), lines[0]), (7, "ID,score"));
    for (index, line) in lines[1..].iter().enumerate() {
        let (id, score) = line.split_once(',').unwrap();
        assert_eq!(id, (index + 1).to_string());
        assert!((0..=10).contains(&score.parse::<i32>().unwrap()), "{line}");
    }
    stdout(&with_bundle(&[&args[..], &["--no-round"]].concat()));
    let exact = std::fs::read_to_string(output).unwrap();
    let decimals = |line: &str| line.rsplit_once('.').map(|(_, decimals)| decimals.len());
    assert!(
        exact.lines().skip(1).all(|line| decimals(line) == Some(2)),
        "{exact}"
    );
}

#[test]
fn a_submission_of_nothing_scored_is_refused() {
    let (_guard, folder) = temporary();
    let rows = r#"[{"metric_name": "fairness", "user_prompt": "a", "response": null}]"#;
    let input = file(&folder, "test_data.json", rows);
    let output = folder.join("submission.csv");
    let args = ["predict", &input, "--output", output.to_str().unwrap()];
    let message = failure(&with_bundle(&args));
    assert!(message.contains("none of the 1 rows"), "{message}");
    assert!(!output.exists());
    let message = failure(&["predict", &input, "--output", "no/such/folder/a.csv"]);
    assert!(message.contains("its folder is not there"), "{message}");
}

#[test]
fn a_report_is_one_page_that_loads_nothing() {
    let (_guard, folder) = temporary();
    let rows = common::tiny_rows(&folder);
    let output = folder.join("report.html");
    let args = [
        "report",
        rows.to_str().unwrap(),
        "--output",
        output.to_str().unwrap(),
    ];
    stdout(&args);
    let page = std::fs::read_to_string(&output).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("Scores before and after"));
    for loads in ["<script", "<link", "src=", "@import", "url("] {
        assert!(!page.contains(loads), "{loads}");
    }
    let message = failure(&[&args[..], &["--resample-cap", "0"]].concat());
    assert!(message.contains("--resample-cap"), "{message}");
}

#[test]
fn prompts_seen_in_training_are_reported_apart() {
    let (_guard, folder) = temporary();
    let rows = common::tiny_rows(&folder);
    let mut text = std::fs::read_to_string(&rows).unwrap();
    text += "\n{\"metric_name\":\"fairness\",\"user_prompt\":\"a new prompt\",\"response\":\"b\",\"score\":4}";
    text += "\n{\"metric_name\":\"fairness\",\"user_prompt\":\"another\",\"response\":\"b\",\"score\":6}";
    let input = file(&folder, "mixed.jsonl", text);
    let report = stdout(&with_bundle(&["eval", &input, "--json"]));
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["seen"]["whole"]["n"], 96);
    assert_eq!(report["unseen"]["whole"]["n"], 2);
}

#[test]
fn embeddings_are_written_as_unit_vectors() {
    let (_guard, folder) = temporary();
    let input = file(&folder, "texts.txt", "hello\nनमस्ते\n");
    let output = folder.join("vectors.npy");
    stdout(&with_bundle(&[
        "embed",
        &input,
        "--output",
        output.to_str().unwrap(),
    ]));
    let bytes = std::fs::read(output).unwrap();
    let values = &bytes[bytes.len() - 2 * 32 * 4..];
    let values: Vec<f32> = values
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect();
    for row in values.chunks_exact(32) {
        let norm: f32 = row.iter().map(|value| value * value).sum();
        assert!((norm - 1.0).abs() < 1e-5, "{norm}");
    }
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let (_first_guard, first) = temporary();
    let (_second_guard, second) = temporary();
    common::build_bundle("tiny-bert", &first);
    common::build_bundle("tiny-bert", &second);
    for name in ["heads.json", "heads.safetensors"] {
        let read = |folder: &Path| std::fs::read(folder.join("heads").join(name)).unwrap();
        assert!(read(&first) == read(&second), "{name} differs");
    }
}

#[test]
fn inspect_prints_the_model_card() {
    let card = stdout(&["inspect", tiny_bundle().to_str().unwrap()]);
    assert!(
        card.contains("5 members, 145 anchors") && card.contains("out of fold"),
        "{card}"
    );
}

/// Rows of `score` under one metric, one prompt each.
fn judged_rows(scores: &[u8]) -> String {
    let rows = scores
        .iter()
        .enumerate()
        .map(|(number, score)| format!("fairness,prompt {number},answer {number},{score}\n"));
    format!("metric,prompt,answer,score\n{}", rows.collect::<String>())
}

#[test]
fn rows_that_teach_nothing_are_refused() {
    let (_guard, folder) = temporary();
    let input = file(&folder, "equal.csv", judged_rows(&[7; 12]));
    let message = failure(&with_bundle(&["train", &input, "--folds", "2"]));
    assert!(message.contains("all 12 scores are 7"), "{message}");
}

#[test]
fn odd_rows_are_remarked_on_and_learnt_from() {
    let (_guard, folder) = temporary();
    let rows = judged_rows(&[0, 10, 3, 7, 5, 9])
        + "fairness,prompt 0,answer 0,10\nrobustness,prompt 9,answer 9,4\n";
    let input = file(&folder, "odd.csv", rows);
    let output = common::touchstone(&with_bundle(&[
        "train", &input, "--folds", "2", "--epochs", "2",
    ]));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}");
    for remark in [
        "1 of 2 metrics have one row",
        "143 metrics have no row",
        "1 times the same answer",
    ] {
        assert!(message.contains(remark), "{remark}: {message}");
    }
}

#[test]
fn pairs_are_counted_by_language() {
    let (_guard, folder) = temporary();
    let pair = |language: &str, good: &str, bad: &str| {
        format!(
            "{{\"metric_name\":\"fairness\",\"user_prompt\":\"Hi\",\"good\":\"{good}\",\"bad\":\"{bad}\",\"language\":\"{language}\"}}\n"
        )
    };
    // Whatever the heads think, one of the two orders is the right one.
    let pairs = pair("en", "Hello you", "Go away") + &pair("hi", "Go away", "Hello you");
    let input = file(&folder, "pairs.jsonl", pairs);
    let found = stdout(&with_bundle(&["eval", &input, "--pairs", "--json"]));
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(
        (found["all"]["n"].as_u64(), found["all"]["right"].as_u64()),
        (Some(2), Some(1))
    );
    assert_eq!(found["by_language"]["hi"]["n"], 1);
    let input = file(&folder, "broken.jsonl", "{\"metric_name\": \"fairness\"}\n");
    let message = failure(&with_bundle(&["eval", &input, "--pairs"]));
    assert!(
        message.contains("line 1") && message.contains("user_prompt"),
        "{message}"
    );
}

/// A NumPy file of f32 rows `width` wide.
fn npy(values: &[f32], width: usize) -> Vec<u8> {
    let shape = format!("({}, {width})", values.len() / width);
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    let padded = format!("{header:<117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((padded.len() as u16).to_le_bytes());
    bytes.extend(padded.into_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

#[test]
fn given_metric_vectors_stand_for_the_metrics_texts() {
    let (_guard, folder) = temporary();
    let row = |number: usize| {
        let (metric, score) = (["one", "two", "three"][number % 3], number % 11);
        format!("{metric},prompt {number},answer {number},{score}\n")
    };
    let rows: String = (0..33).map(row).collect();
    let input = file(
        &folder,
        "rows.csv",
        format!("metric,prompt,answer,score\n{rows}"),
    );
    let names = file(&folder, "names.json", r#"["one", "two", "three"]"#);
    let vectors: Vec<f32> = (0..15).map(|i| (i * i % 7) as f32 - 3.0).collect();
    let array = file(&folder, "vectors.npy", npy(&vectors, 5));
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let (heads, bundle) = (path("heads"), path("bundle"));
    let given = ["--metric-names", &names, "--metric-vectors", &array];
    let small = ["--epochs", "2", "--folds", "3", "--output", &heads];
    stdout(&with_bundle(
        &[["train", &input].as_slice(), &given, &small].concat(),
    ));
    let checkpoint = common::fixture("tiny-bert").to_string_lossy().into_owned();
    let pack = [
        "pack",
        &checkpoint,
        "--precision",
        "f32",
        "--heads",
        &heads,
        "--output",
        &bundle,
    ];
    stdout(&pack);
    let texts = ["--user", "hi", "--response", "hello", "--bundle", &bundle];
    let score = stdout(&[["score", "--metric", "two"].as_slice(), &texts].concat());
    let score: Value = serde_json::from_str(&score).unwrap();
    assert_eq!(score["anchors"].as_array().unwrap().len(), 3);
    let own = ["score", "--metric", "mine", "--definition", "Is it mine?"];
    let message = failure(&[own.as_slice(), &texts].concat());
    assert!(
        message.contains("`mine` is not among the metrics"),
        "{message}"
    );
}

/// The way of EmbeddingGemma and the challenge's vectors: texts and metrics in one space.
#[test]
fn metric_vectors_of_the_encoders_own_space_are_anchors_for_both_approaches() {
    let (_guard, folder) = temporary();
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let (encoder, heads, bundle) = (path("encoder"), path("heads"), path("bundle"));
    let checkpoint = common::fixture("tiny-gemma").to_string_lossy().into_owned();
    let pack = ["pack", &checkpoint, "--precision", "f32", "--output"];
    stdout(&[pack.as_slice(), &[&encoder]].concat());
    let metrics = file(&folder, "metrics.txt", "fairness\nprivacy\nhonesty\n");
    let (vectors, names) = (path("vectors.npy"), path("names.json"));
    let embed = ["embed", &metrics, "--prompt", "STS", "--output", &vectors];
    stdout(&[embed.as_slice(), &["--bundle", &encoder]].concat());
    std::fs::write(&names, r#"["fairness", "privacy", "honesty"]"#).unwrap();
    let row = |number: usize| {
        let (metric, score) = (["fairness", "privacy", "honesty"][number % 3], number % 11);
        format!("{metric},prompt {number},answer {number},{score}\n")
    };
    let rows: String = (0..33).map(row).collect();
    let rows = format!("metric,prompt,answer,score\n{rows}");
    let input = file(&folder, "rows.csv", rows);
    let given = ["--metric-names", &names, "--metric-vectors", &vectors];
    let small = ["--epochs", "2", "--folds", "0", "--bundle", &encoder];
    for groups in [["--joints", "none"], ["--projections", "none"]] {
        let train = ["train", &input, "--output", &heads, "--ordinals", "none"];
        stdout(&[train.as_slice(), &given, &small, &groups].concat());
        let whole = [pack.as_slice(), &[&bundle, "--heads", &heads]].concat();
        stdout(&whole);
        let score = ["score", "--metric", "privacy", "--user", "hi"];
        let rest = ["--response", "hello", "--bundle", &bundle];
        let score: Value =
            serde_json::from_str(&stdout(&[score.as_slice(), &rest].concat())).unwrap();
        assert_eq!(score["anchors"].as_array().unwrap().len(), 3, "{groups:?}");
    }
}

#[test]
fn encoders_are_compared_on_the_same_folds() {
    let (_guard, folder) = temporary();
    let rows = common::tiny_rows(&folder).to_string_lossy().into_owned();
    let names = ["tiny-minilm", "tiny-distilbert", "tiny-gemma"];
    let paths = names.map(|name| common::fixture(name).to_string_lossy().into_owned());
    let mut args = vec!["compare-encoders", &rows, "--json", "--folds", "3"];
    args.extend(["--epochs", "2", "--projections", "4", "--ordinals", "none"]);
    args.extend(["--joints", "4", "--hidden", "4", "--max-tokens", "64"]);
    for path in &paths {
        args.extend(["--encoder", path]);
    }
    let all: Value = serde_json::from_str(&stdout(&args)).unwrap();
    let all = all.as_array().unwrap();
    let found: Vec<&str> = all
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(found, names);
    let constant = |one: &Value| one["files"][0]["lines"][0]["fit"]["rmse"].clone();
    for one in all {
        assert!(one["tokens_per_second"].as_f64().unwrap() > 0.0);
        assert_eq!(constant(one), constant(&all[0]), "the same rows and folds");
    }
    assert!(all[0]["over_first"][0].is_null());
    assert!(all[1]["over_first"][0]["low"].is_number());
    assert_ne!(all[1]["files"], all[2]["files"]);

    args.retain(|arg| *arg != "--json");
    let table = stdout(&args);
    for name in names {
        assert_eq!(table.matches(name).count(), 2, "{table}");
    }
    let message = failure(&[args.as_slice(), &["--output", "x"]].concat());
    assert!(message.contains("--output"), "{message}");
}

/// The shipped heads on hand-written pairs of a good and a bad answer, never trained on. The floor
/// guards against a broken model; the measured share is in the model card.
#[test]
fn the_default_heads_order_most_sense_pairs_rightly() {
    let pairs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sense.jsonl");
    let bundle = common::real_model().to_str().unwrap();
    let eval = [
        "eval",
        pairs.to_str().unwrap(),
        "--pairs",
        "--json",
        "--bundle",
        bundle,
    ];
    let found: Value = serde_json::from_str(&stdout(&eval)).unwrap();
    let count = |key: &str| found["all"][key].as_u64().unwrap();
    assert!(count("n") >= 200 && found["by_language"].as_object().unwrap().len() >= 6);
    assert!(4 * count("right") >= 3 * count("n"), "{}", found["all"]);
}

/// One layer of the tiny encoder's two, with fewer tokens, learns to give nearly the same vectors.
#[test]
fn a_distilled_encoder_comes_nearer_to_the_larger_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (texts, output) = (path("texts.txt"), path("small"));
    let rows = include_str!("../data/authored.jsonl").lines().take(300);
    let lines = rows.map(|row| {
        let row: Value = serde_json::from_str(row).unwrap();
        row["response"].as_str().unwrap().replace('\n', " ")
    });
    std::fs::write(&texts, lines.collect::<Vec<_>>().join("\n")).unwrap();
    let bundle = common::tiny_bundle().to_str().unwrap();
    let distill = ["distill", &texts, "--bundle", bundle, "--output", &output];
    let options = ["--layers", "1", "--epochs", "4", "--learning-rate", "3e-3"];
    let more = [
        "--tokens",
        "540",
        "--max-tokens",
        "32",
        "--precision",
        "f32",
    ];
    let said = stdout(&[distill.as_slice(), &options, &more].concat());
    let number = |after: &str| -> f32 {
        let rest = said.split(after).nth(1).unwrap();
        rest.split_whitespace().next().unwrap().parse().unwrap()
    };
    let (before, after) = (number("held out: "), number("as they were, "));
    assert!(after > before + 0.2 * (1.0 - before), "{said}");

    let manifest: Value = serde_json::from_str(&stdout(&["inspect", &output, "--json"])).unwrap();
    let config = &manifest["encoder"]["config"];
    assert_eq!(config["num_hidden_layers"], 1);
    assert_eq!(config["vocab_size"], 540);
    let vectors = path("vectors.npy");
    let embed = ["embed", &texts, "--bundle", &output, "--output", &vectors];
    stdout(&embed);

    let message = failure(&[distill.as_slice(), &["--layers", "3"]].concat());
    assert!(message.contains("3 layers"), "{message}");
    let message = failure(&[distill.as_slice(), &["--layers", "1", "--tokens", "9"]].concat());
    assert!(message.contains("--tokens 9"), "{message}");
}
