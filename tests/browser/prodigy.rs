//! The example for Prodigy, in a page that emits Prodigy's events as they are documented.

use serde_json::{Value, json};
use touchstone::Task;

use crate::page::{Page, tiny_dist};
use crate::{TOLERANCE, common, native, task, tool};

const FILES: [(&str, &str); 5] = [
    ("index.html", include_str!("prodigy/index.html")),
    ("prodigy.js", include_str!("prodigy/prodigy.js")),
    (
        "touchstone.js",
        include_str!("../../examples/prodigy/touchstone.js"),
    ),
    (
        "touchstone.css",
        include_str!("../../examples/prodigy/touchstone.css"),
    ),
    (
        "touchstone.html",
        include_str!("../../examples/prodigy/touchstone.html"),
    ),
];

fn tasks() -> [Task; 3] {
    [
        task(
            "fairness",
            "Who should get the flat?",
            "Whoever applied first; not <b>my cousin</b>.",
        ),
        task(
            "task_completion_rate",
            "बुख़ार में क्या करूँ?",
            "आराम कीजिए और पानी पीजिए।",
        ),
        task("fairness", "And the house?", "The same."),
    ]
}

async fn start(page: &Page) {
    let stream: Vec<Value> = tasks()
        .iter()
        .map(
            |task| json!({ "metric": task.metric, "prompt": task.user, "response": task.response }),
        )
        .collect();
    page.run("window.results = 0; document.addEventListener('touchstone-result', () => results++)")
        .await;
    page.script(&format!("await prodigy.start({})", json!(stream)))
        .await;
}

/// Waits for the score of the task on the screen, which must be the companion's.
async fn scored(page: &Page, task: &Task) -> Value {
    let content = page
        .wait(
            "the score is in the task",
            120,
            "prodigy.content.score !== undefined && prodigy.content",
        )
        .await;
    let expected = f64::from(native(common::tiny_bundle(), task).score);
    let found = content["score"].as_f64().unwrap();
    assert_eq!(content["prompt"], task.user);
    assert!(
        (found - expected).abs() < TOLERANCE,
        "{found}, the companion {expected}"
    );
    content
}

#[tokio::test]
async fn each_task_gets_its_score_and_is_asked_about_once() {
    let dist = tiny_dist();
    let page = tool::open(dist.path(), &FILES).await;
    start(&page).await;
    let [first, second, _] = tasks();
    let content = scored(&page, &first).await;
    assert_eq!(content["touchstone"]["bundle"].as_str().unwrap().len(), 64);
    assert_eq!(
        content["touchstone"]["interval"].as_array().unwrap().len(),
        2
    );
    page.screenshot("widget-prodigy").await;
    page.run("document.body.className = 'dark'").await;
    page.screenshot("widget-prodigy-dark").await;
    page.run("prodigy.answer('accept')").await;
    scored(&page, &second).await;
    // The widget's own update came back as an event, and so did one of another part of the page.
    page.run("prodigy.update({ note: 'hello' })").await;
    page.run("prodigy.draw(prodigy.content); prodigy.update({})")
        .await;
    let shown = page
        .run("return document.querySelector('#touchstone touchstone-scorer') !== null")
        .await;
    assert_eq!(
        shown, true,
        "the scorer is back after its block was drawn anew"
    );
    assert_eq!(
        page.run("return [results, prodigy.updates]").await,
        json!([2, 4])
    );
    assert_eq!(
        page.run("return prodigy.answered[0].score").await,
        content["score"]
    );
    page.close().await;
}

#[tokio::test]
async fn a_score_that_comes_late_is_not_given_to_the_next_task() {
    let dist = tiny_dist();
    let page = tool::open(dist.path(), &FILES).await;
    start(&page).await;
    page.run("prodigy.answer('ignore')").await;
    let [_, second, _] = tasks();
    scored(&page, &second).await;
    assert_eq!(
        page.run("return prodigy.answered[0].score ?? null").await,
        Value::Null
    );
    assert_eq!(page.run("return results").await, 1);
    page.run("prodigy.undo()").await;
    scored(&page, &tasks()[0]).await;
    page.close().await;
}

#[tokio::test]
async fn the_annotators_own_score_is_written_beside_it() {
    let dist = tiny_dist();
    let page = tool::open(dist.path(), &FILES).await;
    start(&page).await;
    scored(&page, &tasks()[0]).await;
    page.run(
        "const root = document.querySelector('touchstone-scorer').shadowRoot;
         [...root.querySelectorAll('[part~=actions] button')].at(-1).click();
         const form = root.querySelector('[part~=correction]');
         const slider = form.querySelector('input');
         slider.value = '2.5';
         slider.dispatchEvent(new Event('input'));
         form.requestSubmit();",
    )
    .await;
    let content = page.run("return prodigy.content").await;
    assert_eq!(content["rating"], 2.5);
    assert!(content["score"].is_number(), "the model's score stays");
    page.close().await;
}
