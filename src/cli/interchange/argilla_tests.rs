//! Exports as Argilla's SDK 2.8 writes them.

use super::*;
use crate::cli::rows::{Options as Reading, parse};

const FLAT: &str = r#"[
 {"id": "r1", "status": "completed", "_server_id": null, "prompt": "Name a prime.", "response": "13.",
  "metric_name": "fairness", "rating.responses": [4, 5, 1], "rating.responses.users": ["a", "b", "c"],
  "rating.responses.status": ["submitted", "submitted", "discarded"], "rating.suggestion": 2},
 {"id": "r2", "status": "pending", "_server_id": null, "prompt": "And an even one?", "response": "2.",
  "metric_name": "fairness", "rating.responses": [3], "rating.responses.users": ["a"], "rating.responses.status": ["draft"]},
 {"id": "r3", "status": "pending", "_server_id": null, "prompt": "p", "response": "r", "metric_name": "fairness",
  "rating.responses": null, "rating.responses.users": null, "rating.responses.status": null}
]"#;

const NESTED: &str = r#"[{"id": "n1", "fields": {"instruction": "Be kind.", "text": "Sure.", "touchstone": {"metric": "kindness"}},
 "metadata": {"language": "hi"}, "suggestions": {}, "vectors": {}, "status": "completed", "_server_id": "x",
 "responses": {"rating": [{"value": 5, "user_id": "a"}], "note": [{"value": "fine", "user_id": "a"}]}}]"#;

fn options() -> Options {
    Options {
        question: None,
        scale: "1-5".parse().unwrap(),
        metric: None,
        definition: None,
        prompt: None,
        response: None,
        system: None,
        accept_unknown_status: false,
    }
}

fn read(text: &str, options: &Options) -> Result<Imported> {
    import(text.as_bytes().to_vec(), Path::new("export.json"), options)
}

fn refusal(text: &str, options: &Options) -> String {
    let error = read(text, options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    error.to_string()
}

#[test]
fn several_judges_become_their_mean_and_what_was_not_submitted_is_left_out() {
    let found = read(FLAT, &options()).unwrap();
    let expected = json!({
        "id": "r1", "metric_name": "fairness", "user_prompt": "Name a prime.", "response": "13.",
        "source": "argilla", "score": 8.75, "judges": 2,
    });
    assert_eq!(found.rows, [expected]);
    assert_eq!((found.unjudged, found.left_out), (2, 2));
}

#[test]
fn the_rows_can_be_trained_on() {
    let found = read(FLAT, &options()).unwrap();
    let line = found.rows[0].to_string();
    let rows = parse(line.into_bytes(), Path::new("rows.jsonl"), &Reading::JUDGED).unwrap();
    assert_eq!((rows.rows[0].score, rows.skipped.len()), (Some(8.75), 0));
    assert_eq!(rows.rows[0].source.as_deref(), Some("argilla"));
}

#[test]
fn the_nested_form_needs_a_word_about_its_missing_status() {
    let mut asked = Options {
        question: Some("rating".into()),
        ..options()
    };
    let found = refusal(NESTED, &asked);
    assert!(
        found.starts_with("record 1 (id n1): the export does not say"),
        "{found}"
    );
    asked.accept_unknown_status = true;
    asked.prompt = Some("instruction".into());
    asked.response = Some("text".into());
    let found = read(NESTED, &asked).unwrap();
    assert_eq!(
        (&found.rows[0]["metric_name"], &found.rows[0]["score"]),
        (&json!("kindness"), &json!(10.0))
    );
    assert_eq!(found.rows[0]["language"], "hi");
}

#[test]
fn the_question_is_asked_for_where_there_are_several() {
    let found = refusal(NESTED, &options());
    assert!(
        found.contains("--question") && found.ends_with("note, rating"),
        "{found}"
    );
    let asked = Options {
        question: Some("stars".into()),
        ..options()
    };
    assert_eq!(refusal(FLAT, &asked), "no question stars; found: rating");
    assert!(
        refusal("[{\"id\": \"a\", \"prompt\": \"p\"}]", &options())
            .contains("no record has responses")
    );
}

#[test]
fn an_answer_outside_the_scale_names_record_value_and_scale() {
    let found = refusal(&FLAT.replace("[4, 5, 1]", "[4, 7, 1]"), &options());
    assert_eq!(
        found,
        "record 1 (id r1): the answer to rating is 7, expected a number from 1 to 5 (--scale)"
    );
    let found = refusal(&FLAT.replace("[4, 5, 1]", "[4, \"good\", 1]"), &options());
    assert!(found.contains("is \"good\""), "{found}");
}

#[test]
fn a_missing_field_is_named_with_what_was_found() {
    let found = refusal(&FLAT.replace("\"response\": \"13.\",", ""), &options());
    assert!(
        found.starts_with("record 1 (id r1): no text in the field response or answer (--response"),
        "{found}"
    );
    assert!(
        found.ends_with("texts found: id, status, prompt, metric_name"),
        "{found}"
    );
    let found = refusal(
        &FLAT.replace("\"prompt\": \"Name a prime.\"", "\"prompt\": [1]"),
        &options(),
    );
    assert!(
        found.contains("field user_prompt is a list, expected text"),
        "{found}"
    );
    let bare = FLAT.replace("\"metric_name\": \"fairness\",", "");
    assert!(refusal(&bare, &options()).contains("--metric"));
    let named = Options {
        metric: Some("tone".into()),
        definition: Some("d".into()),
        ..options()
    };
    let found = read(&bare, &named).unwrap();
    assert_eq!(
        (
            &found.rows[0]["metric_name"],
            &found.rows[0]["metric_description"]
        ),
        (&json!("tone"), &json!("d"))
    );
}

#[test]
fn broken_files_and_odd_elements_are_named() {
    let cut = refusal(&FLAT[..FLAT.len() - 40], &options());
    assert!(
        cut.starts_with("row 3 (line ") && cut.contains("cut short"),
        "{cut}"
    );
    assert_eq!(
        refusal("[{}, 7]", &options()),
        "record 2: expected a record, found a number"
    );
    let uneven = FLAT.replace("[\"draft\"]", "[\"draft\", \"draft\"]");
    assert!(
        refusal(&uneven, &options())
            .contains("record 2 (id r2): rating has 1 answers and 2 statuses")
    );
    let unknown = FLAT.replace("\"draft\"", "\"pending\"");
    assert!(
        refusal(&unknown, &options())
            .contains("record 2 (id r2): status \"pending\", expected submitted")
    );
    let old = r#"[{"id": "a", "responses": [{"values": {}}]}]"#;
    assert!(refusal(old, &options()).contains("not an object of questions"));
}

#[test]
fn nothing_judged_is_an_error_and_not_an_empty_file() {
    let none = FLAT.replace("\"submitted\"", "\"discarded\"");
    assert_eq!(
        refusal(&none, &options()),
        "none of 3 records has a submitted answer to rating"
    );
}
