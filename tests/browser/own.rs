//! What belongs to the user: own metrics and corrections.

use std::path::Path;

use serde_json::{Value, json};
use touchstone::cli::rows::{self, Options};

use crate::page::{Page, numbers, tiny_dist};

/// The hidden input of the view's import; `.own-view` of the views not shown have one too.
const IMPORT: &str = ".view:not([hidden]) .transfer input[type=file]";

async fn write_metric(page: &Page, name: &str, definition: &str) {
    page.fill(".metric-form input", name).await;
    page.fill(".metric-form textarea", definition).await;
    page.click(".metric-form [data-act=save]").await;
}

async fn own_names(page: &Page) -> Value {
    page.run("return [...document.querySelectorAll('.own-item[data-metric]')].map(e => e.dataset.metric)")
        .await
}

#[tokio::test]
async fn a_metric_of_ones_own_is_kept_offered_and_taken_back() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    page.open_view("metrics").await;
    write_metric(&page, "Kindness", "Is it kind? 10: warm. 0: cruel.").await;
    page.wait(
        "it is saved",
        10,
        "document.querySelectorAll('.own-item').length === 1",
    )
    .await;

    page.client.refresh().await.unwrap();
    page.wait(
        "it is still there",
        30,
        "document.querySelector('.own-item')?.dataset.metric === 'Kindness'",
    )
    .await;
    page.click(".own-item [data-act=use]").await;
    page.wait(
        "it is chosen",
        20,
        "document.querySelector('#metric').dataset.value === 'Kindness'",
    )
    .await;

    page.open_view("metrics").await;
    page.click(".own-item [data-act=duplicate]").await;
    page.click(".metric-form [data-act=save]").await;
    page.wait(
        "the copy has a name of its own",
        10,
        "document.querySelector('.own-item')?.dataset.metric === 'Kindness (2)'",
    )
    .await;
    page.click(".own-item [data-act=delete]").await;
    page.wait(
        "the copy is deleted",
        10,
        "document.querySelectorAll('.own-item').length === 1",
    )
    .await;
    page.click(".own-said [data-act=undo]").await;
    page.wait(
        "the copy is back",
        10,
        "document.querySelectorAll('.own-item').length === 2",
    )
    .await;
    page.screenshot("own-metrics").await;
    page.close().await;
}

#[tokio::test]
async fn a_metric_without_definition_or_with_a_taken_name_is_refused_in_words() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    page.open_view("metrics").await;
    let told = "document.querySelector('.metric-form .field-error').textContent";
    for (name, definition, word) in [
        ("", "Is it kind?", "name"),
        ("Kindness", "   ", "definition"),
        ("fairness", "Is it fair?", "catalogue"),
    ] {
        write_metric(&page, name, definition).await;
        let message = page.wait("the fault is named", 10, told).await;
        assert!(message.as_str().unwrap().contains(word), "{message}");
    }
    write_metric(&page, "Kindness", "Is it kind?").await;
    page.wait(
        "it is saved",
        10,
        "document.querySelectorAll('.own-item').length === 1",
    )
    .await;
    write_metric(&page, "kindness ", "Another.").await;
    let message = page.wait("the fault is named", 10, told).await;
    assert!(
        message.as_str().unwrap().contains("Kindness"),
        "names are told apart by more than case: {message}"
    );
    assert_eq!(own_names(&page).await, json!(["Kindness"]));
    page.close().await;
}

#[tokio::test]
async fn metrics_are_exported_and_imported_with_faults_named() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    page.open_view("metrics").await;
    write_metric(&page, "Kindness", "Is it kind?").await;
    page.wait(
        "it is saved",
        10,
        "document.querySelectorAll('.own-item').length === 1",
    )
    .await;
    let export = "const { OwnMetrics } = await import('./own/metrics.js');
        const own = new OwnMetrics(() => {}, () => []);
        await own.read(); return own.exported();";
    let exported: Value =
        serde_json::from_str(page.script(export).await.as_str().unwrap()).unwrap();
    assert_eq!(
        exported["metrics"],
        json!([{ "name": "Kindness", "definition": "Is it kind?" }])
    );

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metrics.json");
    let said = "document.querySelector('.transfer-said').innerText.trim()";
    let entries = json!({ "metrics": [
        { "name": "Kindness", "definition": "Is it kind?" },
        { "name": "KINDNESS", "definition": "Something else." },
        { "name": "अपनापन", "definition": "क्या उत्तर अपनेपन से बात करता है?" },
        { "name": "Empty" },
    ] });
    std::fs::write(&file, entries.to_string()).unwrap();
    page.choose_file(IMPORT, &file).await;
    let message = page.wait("what came of it is said", 10, said).await;
    let message = message.as_str().unwrap();
    for part in [
        "1 metric added",
        "1 was here already",
        "1 left out",
        "Entry 4",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert_eq!(own_names(&page).await, json!(["अपनापन", "Kindness"]));

    std::fs::write(&file, "{ oops").unwrap();
    page.run("document.querySelector('.transfer-said').replaceChildren()")
        .await;
    page.choose_file(IMPORT, &file).await;
    let message = page.wait("the fault is named", 10, said).await;
    assert!(
        message.as_str().unwrap().contains("metrics.json")
            && message.as_str().unwrap().contains("JSON"),
        "{message}"
    );
    page.close().await;
}

#[tokio::test]
async fn full_and_refused_storage_are_told_in_words() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    let full = "
        const { Records } = await import('./own/records.js');
        const records = new Records('metrics', () => {});
        await records.read();
        IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError'); };
        const kind = await records.put({ id: 'a', created: 1 }).then(() => 'kept', error => error.kind);
        return [kind, records.all().length, records.lasting];";
    assert_eq!(
        page.script(full).await,
        json!(["storage-full", 0, true]),
        "nothing is half kept"
    );
    let refused = "
        IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError'); };
        const { Records } = await import('./own/records.js?refused');
        const records = new Records('metrics', () => {});
        await records.read();
        await records.put({ id: 'a', created: 1 });
        return [records.all().length, records.lasting];";
    assert_eq!(
        page.script(refused).await,
        json!([1, false]),
        "it is kept until the tab closes, and known not to last"
    );
    page.close().await;
}

/// Training rows whose scores all lie at the top, which the tiny model does not give.
fn high_rows(n: usize) -> String {
    let row = |i: usize| {
        json!({
            "metric_name": if i.is_multiple_of(2) { "fairness" } else { "task_completion_rate" },
            "user_prompt": format!("Question {i}?"), "response": format!("Answer number {i}."), "score": 10,
        })
    };
    (0..n).map(|i| format!("{}\n", row(i))).collect()
}

#[tokio::test]
async fn corrections_adjust_scores_and_one_click_undoes_it() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    page.ready().await;
    page.open_view("corrections").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.jsonl");
    let broken = "{\"metric_name\":\"fairness\",\"response\":\"x\",\"score\":11}\n";
    std::fs::write(&file, high_rows(8) + broken).unwrap();
    page.choose_file(IMPORT, &file).await;
    let said = "document.querySelector('.transfer-said').innerText.trim()";
    let message = page.wait("what came of it is said", 10, said).await;
    let message = message.as_str().unwrap();
    assert!(
        message.contains("8 corrections added") && message.contains("Row 9"),
        "{message}"
    );
    page.click("[data-act=score-all]").await;
    page.wait(
        "the calibration is on",
        120,
        "document.querySelector('.calibration.on') !== null",
    )
    .await;
    let errors =
        "return [...document.querySelectorAll('.error-bars dd')].map(e => parseFloat(e.innerText))";
    let errors = numbers(&page.run(errors).await);
    assert!(
        errors[1] < errors[0],
        "leave-one-out error before and after: {errors:?}"
    );
    page.screenshot("corrections").await;

    page.open_view("answer").await;
    page.choose_metric("fairness").await;
    page.fill("#user", "Who should get the flat?").await;
    page.fill("#response", "Whoever applied first.").await;
    page.score().await;
    let note = "document.querySelector('.adjustment').innerText";
    let words = page.wait("the adjustment is said", 10, note).await;
    assert!(words.as_str().unwrap().contains("8 corrections"), "{words}");
    let receipt = "return JSON.parse(document.querySelector('#receipt').textContent)";
    let receipt = page.run(receipt).await;
    let (own, adjusted) = (&receipt["score"], &receipt["adjusted"]["score"]);
    assert!(
        adjusted.as_f64() > own.as_f64(),
        "the receipt states both: {receipt}"
    );
    assert_shown(&page, adjusted).await;

    page.click("[data-part=profile]").await;
    let cell = "document.querySelector('tr[data-metric=fairness] .score-cell strong')?.innerText";
    let cell = page.wait("the profile is there", 60, cell).await;
    let cell = cell.as_str().unwrap();
    let shown = format!("{:.1}*", adjusted.as_f64().unwrap());
    assert!(cell.starts_with(&shown), "{cell}, not {shown}");
    page.click("#insight [data-act=adjust]").await;
    let undone = "!document.querySelector('tr[data-metric=fairness] .score-cell strong').innerText.includes('*')";
    page.wait("the profile shows the model's own scores", 10, undone)
        .await;
    let note = "!document.querySelector('#result-adjusted').innerText.includes('8 corrections')";
    page.wait("and so does the answer", 10, note).await;
    assert_shown(&page, own).await;
    page.click("#insight [data-act=adjust]").await;

    page.click("#compare-with").await;
    let open = "document.querySelector('#compare-b') !== null";
    page.wait("the comparison is open", 20, open).await;
    page.fill("#compare-b", "My cousin, of course.").await;
    page.click("#compare").await;
    let first =
        "document.querySelector('table.compare tr[data-metric=fairness]:has(.adjusted-star) td')
        ?.innerText";
    let first = page.wait("the comparison is adjusted", 60, first).await;
    assert!(first.as_str().unwrap().starts_with(&shown), "{first}");
    page.close().await;
}

/// The dial shows this score.
async fn assert_shown(page: &Page, score: &Value) {
    let shown = format!("{:.1}", score.as_f64().unwrap());
    assert_eq!(page.text("#result-score").await.trim(), shown);
}

#[tokio::test]
async fn exported_corrections_are_training_rows() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    let body = "
        const { Corrections } = await import('./corrections.js');
        const kept = new Corrections(() => {});
        await kept.read();
        const task = { metric: 'fairness', system: 'Be fair.', user: 'Who?', response: 'सब, \\n\"both\".' };
        await kept.add({ task, score: 3, predicted: 6, bundle: 'b' });
        await kept.add({ task, score: 7.5, predicted: 6, bundle: 'b' });
        await kept.add({ task: { metric: 'Kindness', definition: 'Is it kind?', user: 'u', response: 'r' }, score: 10, predicted: 6, bundle: 'b' });
        const text = kept.exported();
        const again = await kept.import(text);
        return [text, again, kept.all().length];";
    let found = page.script(body).await;
    assert_eq!(found[2], 2, "the same answer is corrected once");
    assert_eq!(
        (&found[1]["same"], &found[1]["added"]),
        (&json!(2), &json!(0)),
        "its own export brings nothing new"
    );
    let bytes = found[0].as_str().unwrap().as_bytes().to_vec();
    let read = rows::parse(bytes, Path::new("corrections.jsonl"), &Options::JUDGED).unwrap();
    assert!(read.skipped.is_empty(), "{:?}", read.skipped);
    let [first, second] = &read.rows[..] else {
        panic!("two rows: {:?}", read.rows)
    };
    assert_eq!(
        (first.metric.as_str(), first.score, first.system.as_deref()),
        ("fairness", Some(7.5), Some("Be fair."))
    );
    assert_eq!(first.response, "सब, \n\"both\".");
    assert_eq!(
        (second.definition.as_deref(), second.source.as_deref()),
        (Some("Is it kind?"), Some("correction:user"))
    );
    page.close().await;
}
