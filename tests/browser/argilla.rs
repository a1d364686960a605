//! The example for Argilla, in a page that renders custom fields as Argilla does.

use serde_json::{Value, json};
use touchstone::Task;

use crate::page::{Page, tiny_dist};
use crate::{TOLERANCE, common, native, tool};

const FILES: [(&str, &str); 4] = [
    ("index.html", include_str!("argilla/index.html")),
    ("show.js", include_str!("argilla/show.js")),
    (
        "field.html",
        include_str!("../../examples/argilla/field.html"),
    ),
    (
        "field-advanced.html",
        include_str!("../../examples/argilla/field-advanced.html"),
    ),
];

fn record(task: &Task) -> Value {
    let mut touchstone = json!({ "metric": task.metric });
    if let Some(definition) = &task.definition {
        touchstone["definition"] = definition.clone().into();
    }
    json!({ "id": "r1", "status": "pending", "metadata": {}, "suggestions": {}, "responses": {},
        "fields": { "prompt": task.user, "response": task.response, "touchstone": touchstone } })
}

/// Shows the record and waits for its score, which must be the companion's.
async fn show(page: &Page, task: &Task, advanced: bool) {
    page.script(&format!("await show({}, {advanced})", record(task)))
        .await;
    let found = page
        .script("return (await (await scorer()).score()).score")
        .await;
    let expected = f64::from(native(common::tiny_bundle(), task).score);
    let found = found.as_f64().unwrap();
    assert!(
        (found - expected).abs() < TOLERANCE,
        "{found}, the companion {expected}"
    );
}

fn task() -> Task {
    Task {
        metric: "fairness".into(),
        user: "Who should get the flat?".into(),
        response: "Whoever applied first; \"can pay\" & <b>will</b> {{stay}}.".into(),
        ..Task::default()
    }
}

/// Height of the frame less that of what is in it, once it rests.
const ROOM: &str = "const frame = document.querySelector('iframe');
    await new Promise((resolve) => setTimeout(resolve, 300));
    return frame.offsetHeight - frame.contentDocument.body.scrollHeight;";

#[tokio::test]
async fn the_advanced_form_shows_the_companions_score_at_its_full_height() {
    let dist = tiny_dist();
    let page = tool::open(dist.path(), &FILES).await;
    show(&page, &task(), true).await;
    let room = page.script(ROOM).await.as_f64().unwrap();
    assert!((0.0..40.0).contains(&room), "{room} pixels of room");
    page.screenshot("widget-argilla").await;
    page.run("document.documentElement.dataset.theme = 'dark'")
        .await;
    show(&page, &task(), true).await;
    let scheme = "return getComputedStyle((await scorer())).colorScheme";
    assert_eq!(page.script(scheme).await, "dark");
    page.screenshot("widget-argilla-dark").await;
    page.close().await;
}

#[tokio::test]
async fn the_advanced_form_scores_a_metric_in_ones_own_words() {
    let dist = tiny_dist();
    let page = tool::open(dist.path(), &FILES).await;
    let own = Task {
        metric: "kindness".into(),
        definition: Some("Is the answer kind? 10: kind. 0: cruel.".into()),
        ..task()
    };
    show(&page, &own, true).await;
    page.close().await;
}

#[tokio::test]
async fn the_basic_form_shows_the_same_and_scrolls_where_the_room_ends() {
    let dist = tiny_dist();
    let page = tool::open(dist.path(), &FILES).await;
    show(&page, &task(), false).await;
    let texts = page.script("return (await scorer()).task").await;
    assert_eq!(
        texts["response"],
        task().response,
        "no text ends the markup"
    );
    let room = "const frame = document.querySelector('iframe');
        const place = (await scorer()).parentElement;
        return [frame.offsetHeight - frame.contentDocument.body.scrollHeight, getComputedStyle(place).overflowY]";
    let room = page.script(room).await;
    assert!(room[0].as_f64().unwrap() >= 0.0, "{room}");
    assert_eq!(room[1], "auto");
    page.close().await;
}
