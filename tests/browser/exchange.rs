//! What the file view exports for other tools: the companion's own files.

use std::path::Path;

use serde_json::Value;

use crate::common;
use crate::file::{done, export, lines, open, same_numbers, start, write};
use crate::page::tiny_dist;

/// Two models' answers, one without a partner, one that cannot be scored.
const ANSWERS: &str = "model,metric,system_prompt,user_prompt,response,trace_id
new,fairness,Be brief.,Who gets the flat?,\"Whoever applied first, of course.\",t1
old,task_completion_rate,,बुख़ार में क्या करूँ?,पानी पीजिए।,t2
old,fairness,Be brief.,Who gets the flat?,My cousin.,t3
new,task_completion_rate,,बुख़ार में क्या करूँ?,आराम कीजिए और पानी पीजिए।,t4
new,fairness,,And the house?,The same.,t5
old,fairness,,And the house?,,t6
";

/// What the companion writes for `file` in a tool's form, whether or not rows fail.
fn companion(file: &Path, format: &str) -> String {
    let output = file.with_extension(format);
    let (input, target) = (file.display().to_string(), output.display().to_string());
    let bundle = common::tiny_bundle().display().to_string();
    let args = [
        "score", &input, "--output", &target, "--bundle", &bundle, "--format", format,
    ];
    common::touchstone(&args);
    std::fs::read_to_string(output).expect("the companion has written the file")
}

/// Rounded numbers within a sentence may differ by a digit.
fn without_comment(mut body: Value) -> Value {
    body["comment"].take();
    body
}

#[tokio::test]
async fn langfuse_and_llm_comparator_get_what_the_companion_writes() {
    let (dist, folder) = (tiny_dist(), tempfile::tempdir().unwrap());
    let file = write(folder.path(), "answers.csv", ANSWERS);
    let page = open(dist.path()).await;
    start(&page, &file).await;
    done(&page).await;

    let found = lines(&export(&page, "langfuse").await);
    let expected = lines(&companion(&file, "langfuse"));
    assert_eq!(
        (found.len(), expected.len()),
        (5, 5),
        "the row that failed is left out"
    );
    for (found, expected) in found.into_iter().zip(expected) {
        let place = expected["id"].to_string();
        same_numbers(&without_comment(found), &without_comment(expected), &place);
    }

    let found: Value = serde_json::from_str(&export(&page, "llm-comparator").await).unwrap();
    let expected: Value = serde_json::from_str(&companion(&file, "llm-comparator")).unwrap();
    assert_eq!(found["examples"].as_array().unwrap().len(), 2);
    same_but_intervals(found, expected);
    let said = page.text(".file-export [role=status]").await;
    assert!(
        said.contains("answers.llm-comparator.json") && said.contains("1 result without a partner"),
        "{said}"
    );
    page.close().await;
}

/// The intervals are text, of rounded numbers.
fn same_but_intervals(mut found: Value, mut expected: Value) {
    for document in [&mut found, &mut expected] {
        for example in document["examples"].as_array_mut().unwrap() {
            example["custom_fields"]["interval"].take();
        }
    }
    same_numbers(&found, &expected, "the comparison");
}

#[tokio::test]
async fn a_file_that_lacks_what_a_tool_needs_is_not_exported_and_says_why() {
    let (dist, folder) = (tiny_dist(), tempfile::tempdir().unwrap());
    let bare = "metric,user_prompt,response\nfairness,Who gets the flat?,My cousin.\n";
    let file = write(folder.path(), "bare.csv", bare);
    let page = open(dist.path()).await;
    start(&page, &file).await;
    done(&page).await;
    for (kind, words) in [
        ("langfuse", "Row 1 does not say"),
        ("llm-comparator", "Row 1 names no model"),
    ] {
        page.click(&format!("[data-export={kind}]")).await;
        let said = format!(
            "document.querySelector('.file-export [role=status]').textContent.includes('{words}')"
        );
        page.wait("the reason is said", 10, &said).await;
    }
    page.close().await;
}
