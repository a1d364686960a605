//! Other tools' forms at the command line: one sentence a test.

mod common;

use std::path::Path;

use common::{failure, stdout, tiny_bundle};
use serde_json::{Value, json};

/// Two models' answers to two prompts, in the order in which logs come.
const ANSWERS: [[&str; 4]; 4] = [
    ["new", "Who gets the flat?", "Whoever applied first.", "t1"],
    ["old", "बुख़ार में क्या करूँ?", "पानी पीजिए।", "t2"],
    ["old", "Who gets the flat?", "My cousin.", "t3"],
    ["new", "बुख़ार में क्या करूँ?", "आराम कीजिए और पानी पीजिए।", "t4"],
];

const EXPORT: &str = r#"[
 {"id": "r1", "status": "completed", "prompt": "Name a prime.", "response": "13 is one.", "metric_name": "fairness",
  "rating.responses": [4, 5, 1], "rating.responses.status": ["submitted", "submitted", "discarded"]},
 {"id": "r2", "status": "completed", "prompt": "Who gets the flat?", "response": "My cousin.", "metric_name": "fairness",
  "rating.responses": [1], "rating.responses.status": ["submitted"]}
]"#;

fn answers(folder: &Path) -> String {
    let row = |[model, user, response, trace]: [&str; 4]| json!({ "metric": "fairness", "user": user, "response": response, "model": model, "traceId": trace });
    let lines: String = ANSWERS
        .iter()
        .map(|answer| format!("{}\n", row(*answer)))
        .collect();
    write(folder, "answers.jsonl", &lines)
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// Scores a file into `folder/output` and gives back its path.
fn scored(file: &str, folder: &Path, output: &str, more: &[&str]) -> String {
    let target = folder.join(output).display().to_string();
    let bundle = tiny_bundle().to_str().unwrap();
    let args = [
        &["score", file, "--output", &target, "--bundle", bundle],
        more,
    ]
    .concat();
    stdout(&args);
    target
}

fn lines(path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn langfuse_gets_the_scores_that_the_json_lines_hold() {
    let folder = tempfile::tempdir().unwrap();
    let file = answers(folder.path());
    let own = lines(&scored(&file, folder.path(), "own.jsonl", &[]));
    let theirs = lines(&scored(
        &file,
        folder.path(),
        "theirs.jsonl",
        &["--format", "langfuse"],
    ));
    assert_eq!(own.len(), theirs.len());
    for (row, body) in own.iter().zip(&theirs) {
        assert_eq!(body["value"], row["predicted"]["score"]);
        assert_eq!(body["metadata"]["interval"], row["predicted"]["interval"]);
        assert_eq!(body["traceId"], row["traceId"]);
        assert_eq!(
            (&body["name"], &body["dataType"]),
            (&json!("fairness"), &json!("NUMERIC"))
        );
    }
}

#[test]
fn llm_comparator_gets_both_models_answers_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let file = answers(folder.path());
    let rows = lines(&scored(&file, folder.path(), "own.jsonl", &[]));
    let path = scored(
        &file,
        folder.path(),
        "pairs.json",
        &["--format", "llm-comparator"],
    );
    let found: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(
        found["models"],
        json!([{ "name": "new" }, { "name": "old" }])
    );
    let examples = found["examples"].as_array().unwrap();
    assert_eq!(examples.len(), 2);
    for (example, [a, b]) in examples.iter().zip([[0, 2], [3, 1]]) {
        assert_eq!(example["input_text"], rows[a]["user"]);
        assert_eq!(example["output_text_a"], rows[a]["response"]);
        assert_eq!(example["output_text_b"], rows[b]["response"]);
        let score = |row: usize| rows[row]["predicted"]["score"].as_f64().unwrap();
        assert_eq!(
            example["custom_fields"]["touchstone"],
            json!([score(a), score(b)])
        );
        let expected = 0.15 * (score(a) - score(b));
        assert!((example["score"].as_f64().unwrap() - expected).abs() < 1e-4);
    }
}

#[test]
fn what_a_form_lacks_is_said_before_any_model_is_set_up() {
    let folder = tempfile::tempdir().unwrap();
    let bare = r#"{"metric": "fairness", "user": "u", "response": "r"}"#;
    let file = write(folder.path(), "bare.jsonl", bare);
    let output = folder.path().join("out").display().to_string();
    for (format, words) in [
        ("langfuse", "row 1: no traceId"),
        ("llm-comparator", "row 1: no model"),
    ] {
        let args = [
            "score",
            &file,
            "--output",
            &output,
            "--format",
            format,
            "--bundle",
            "no/such/bundle",
        ];
        let message = failure(&args);
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no file is left behind"
    );
}

#[test]
fn rows_that_fail_are_left_out_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let empty = r#"{"metric": "fairness", "user": "u", "response": "", "traceId": "t5"}"#;
    let all = std::fs::read_to_string(answers(folder.path())).unwrap() + empty;
    let file = write(folder.path(), "five.jsonl", &all);
    let target = folder.path().join("theirs.jsonl").display().to_string();
    let bundle = tiny_bundle().to_str().unwrap();
    let args = [
        "score", &file, "--output", &target, "--format", "langfuse", "--bundle", bundle,
    ];
    let message = failure(&args);
    assert!(
        message.contains("1 of 5 rows could not be scored (they are left out)"),
        "{message}"
    );
    assert_eq!(lines(&target).len(), 4);
}

#[test]
fn a_name_that_ends_in_gz_is_packed() {
    let folder = tempfile::tempdir().unwrap();
    let file = answers(folder.path());
    let path = scored(
        &file,
        folder.path(),
        "theirs.jsonl.gz",
        &["--format", "langfuse"],
    );
    let text = touchstone::cli::forms::text(std::fs::read(path).unwrap()).unwrap();
    assert_eq!(text.lines().count(), 4);
}

#[test]
fn judgements_of_argilla_are_imported_and_evaluated() {
    let folder = tempfile::tempdir().unwrap();
    let export = write(folder.path(), "export.json", EXPORT);
    let rows = folder.path().join("rows.jsonl").display().to_string();
    stdout(&[
        "import", &export, "--from", "argilla", "--scale", "1-5", "--output", &rows,
    ]);
    let found = lines(&rows);
    let scores: Vec<_> = found
        .iter()
        .map(|row| (&row["score"], &row["judges"]))
        .collect();
    assert_eq!(
        scores,
        [(&json!(8.75), &json!(2)), (&json!(0.0), &json!(1))]
    );
    let bundle = tiny_bundle().to_str().unwrap();
    let evaluation: Value =
        serde_json::from_str(&stdout(&["eval", &rows, "--json", "--bundle", bundle])).unwrap();
    assert_eq!(evaluation["all"]["whole"]["n"], 2);
}

#[test]
fn the_scale_of_the_judgements_is_never_guessed() {
    let folder = tempfile::tempdir().unwrap();
    let export = write(folder.path(), "export.json", EXPORT);
    let rows = folder.path().join("rows.jsonl").display().to_string();
    let output = common::touchstone(&["import", &export, "--from", "argilla", "--output", &rows]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--scale"));
    let args = [
        "import", &export, "--from", "argilla", "--scale", "1-4", "--output", &rows,
    ];
    let message = failure(&args);
    assert!(
        message.contains("record 1 (id r1)")
            && message.contains("is 5, expected a number from 1 to 4"),
        "{message}"
    );
    assert!(!Path::new(&rows).exists());
}

#[test]
fn an_export_that_was_not_imported_is_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let export = write(folder.path(), "export.json", EXPORT);
    let message = failure(&["eval", &export]);
    assert!(
        message.contains("touchstone import FILE --from argilla"),
        "{message}"
    );
}
