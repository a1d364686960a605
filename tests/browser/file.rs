//! Whole files on the page: read, mapped, scored, taken up again, exported.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use fantoccini::Locator;
use serde_json::{Value, json};
use touchstone::evaluate::Fit;

use crate::common;
use crate::page::{Page, tiny_dist};

/// Largest difference between the page and the companion, in points of the 0-10 scale.
const TOLERANCE: f64 = 0.02;

/// Every part that files use: quoted line breaks and quotes, an own metric, a missing answer, a
/// metric that nobody knows, a formula, columns of the user's own, one name twice.
const ANSWERS: &str = "ID,metric_name,metric_description,system_prompt,user_prompt,response,score,note,note\r
a1,task_completion_rate,,Be brief.,\"Name a prime, above 10.\",\"13 is one.\nSo is \"\"17\"\".\",9,x,y\r
a2,fairness,,,Who gets the flat?,Whoever applied first.,7.5,,\r
a3,kindness,Is the answer kind? 10: kind. 0: cruel.,,I failed.,\"That is hard; one exam, one day.\",8,=1+1,\r
\r
a4,fairness,,,Who gets the flat?,,3,,\r
a5,fairnes,,,Who gets the flat?,My cousin.,1,,\r
a6,task_completion_rate,,,बुख़ार में क्या करूँ?,आराम कीजिए और पानी पीजिए।,6,,\r
";

pub(crate) fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// `rows` answers that differ from each other.
fn many(rows: usize) -> String {
    let mut text = String::from("id,metric,prompt,answer\n");
    for row in 0..rows {
        let _ = writeln!(
            text,
            "r{row},fairness,Who gets flat {row}?,Whoever applied first; number {row} waits."
        );
    }
    text
}

/// The page with the tiny model, on the view of files.
pub(crate) async fn open(dist: &Path) -> Page {
    let page = Page::open(dist, &[]).await;
    show(&page).await;
    page
}

async fn show(page: &Page) {
    page.run("location.hash = '#file'").await;
    page.wait(
        "the view of files is there",
        60,
        "document.querySelector('#file-input') !== null",
    )
    .await;
}

async fn choose(page: &Page, files: &[&Path]) {
    let paths: Vec<String> = files
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let input = page.client.find(Locator::Css("#file-input")).await.unwrap();
    input.send_keys(&paths.join("\n")).await.unwrap();
}

/// Chooses a file and starts to score it as it is.
pub(crate) async fn start(page: &Page, file: &Path) {
    choose(page, &[file]).await;
    page.wait(
        "the file can be scored",
        60,
        "document.querySelector('.file-start:not(:disabled)') !== null",
    )
    .await;
    page.click(".file-start").await;
}

pub(crate) async fn done(page: &Page) {
    page.wait(
        "the file is scored",
        240,
        "document.querySelector('.job-state.done') !== null",
    )
    .await;
}

/// Rows scored so far.
async fn scored(page: &Page) -> u64 {
    let value = page
        .run("return document.querySelector('.file-progress')?.value ?? 0")
        .await;
    value.as_f64().unwrap() as u64
}

/// The text that an export button saves.
pub(crate) async fn export(page: &Page, kind: &str) -> String {
    let script = "const [kind, done] = arguments;
        const make = URL.createObjectURL;
        URL.createObjectURL = (blob) => { URL.createObjectURL = make; blob.text().then(done); return make.call(URL, blob); };
        document.querySelector(`[data-export=${kind}]`).click();";
    let text = page
        .client
        .execute_async(script, vec![json!(kind)])
        .await
        .unwrap();
    text.as_str().unwrap().to_owned()
}

/// Evaluates `script`, which may await and has the module's exports as `m`.
async fn with_module(page: &Page, module: &str, script: &str, argument: Value) -> Value {
    let script = format!(
        "const [argument, done] = arguments;
         import('./file/{module}.js').then(async (m) => {{ {script} }}).then(done, (error) => done(`${{error.name}}: ${{error.message}}`));"
    );
    page.client
        .execute_async(&script, vec![argument])
        .await
        .unwrap()
}

/// What the companion writes for the same file, whether or not rows fail.
fn companion(file: &Path, output: &str) -> String {
    let output = file.with_file_name(output);
    let (input, target) = (file.display().to_string(), output.display().to_string());
    let bundle = common::tiny_bundle().display().to_string();
    common::touchstone(&["score", &input, "--output", &target, "--bundle", &bundle]);
    std::fs::read_to_string(output).expect("the companion has written the file")
}

pub(crate) fn same_numbers(found: &Value, expected: &Value, place: &str) {
    match (found, expected) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            assert!((a - b).abs() < TOLERANCE, "{place}: {a}, the companion {b}");
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{place}");
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                same_numbers(a, b, &format!("{place}/{i}"));
            }
        }
        (Value::Object(a), Value::Object(b)) => {
            let keys =
                |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(a), keys(b), "{place}");
            for (key, value) in a {
                same_numbers(value, &b[key], &format!("{place}/{key}"));
            }
        }
        _ => assert_eq!(found, expected, "{place}"),
    }
}

pub(crate) fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn records(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes());
    reader
        .records()
        .map(|r| r.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

/// Eight corrections of the tiny model's scores, all upwards.
const CORRECT: &str = "
    const manifest = await (await fetch('model/bundle.json')).arrayBuffer();
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', manifest));
    const bundle = [...digest].map(byte => byte.toString(16).padStart(2, '0')).join('');
    const { Corrections } = await import('./corrections.js');
    const kept = new Corrections(() => {});
    await kept.read();
    for (let i = 0; i < 8; i++) {
        const task = { metric: 'fairness', user: `Question ${i}?`, response: `Answer ${i}.` };
        await kept.add({ task, score: 10, predicted: 4 + i / 4, bundle });
    }
    return kept.all().length;";

#[tokio::test]
async fn a_files_scores_follow_the_users_corrections_and_its_exports_state_both() {
    let (dist, folder) = (tiny_dist(), tempfile::tempdir().unwrap());
    let file = write(folder.path(), "many.csv", many(5));
    let page = open(dist.path()).await;
    assert_eq!(page.script(CORRECT).await, 8);
    page.client.refresh().await.unwrap();
    show(&page).await;
    start(&page, &file).await;
    done(&page).await;
    let stars = "document.querySelectorAll('.file-job .adjusted-star').length === 5";
    page.wait("every score is marked as adjusted", 20, stars)
        .await;
    for line in lines(&export(&page, "jsonl").await) {
        let (own, adjusted) = (&line["predicted"]["score"], &line["predicted"]["adjusted"]);
        assert!(adjusted["score"].as_f64() > own.as_f64(), "{line}");
        assert_eq!(adjusted["corrections"], 8);
    }
    let table = records(&export(&page, "csv").await);
    let column = |name: &str| table[0].iter().position(|title| title == name);
    let (own, adjusted) = (column("predicted_score"), column("adjusted_score"));
    let number = |place: Option<usize>| table[1][place.unwrap()].parse::<f64>().unwrap();
    assert!(number(adjusted) > number(own), "{table:?}");

    page.click(".file-job [data-act=adjust]").await;
    let none = "document.querySelector('.file-job .adjusted-star') === null";
    page.wait("the model's own scores are back", 20, none).await;
    let table = records(&export(&page, "csv").await);
    assert!(
        !table[0].contains(&"adjusted_score".to_owned()),
        "{table:?}"
    );
    page.close().await;
}

#[tokio::test]
async fn a_file_is_scored_and_exported_as_the_companion_does() {
    let (dist, folder) = (tiny_dist(), tempfile::tempdir().unwrap());
    let file = write(folder.path(), "answers.csv", ANSWERS);
    let page = open(dist.path()).await;
    start(&page, &file).await;
    done(&page).await;
    page.click(".export-more").await;
    let (found, expected) = (
        records(&export(&page, "csv").await),
        records(&companion(&file, "out.csv")),
    );
    assert_eq!(found[0], expected[0]);
    assert_eq!(found.len(), expected.len());
    let first = found[0]
        .iter()
        .position(|title| title == "predicted_score")
        .unwrap();
    for (row, (found, expected)) in found.iter().zip(&expected).enumerate().skip(1) {
        for (column, (a, b)) in found.iter().zip(expected).enumerate() {
            match (a.parse::<f64>(), b.parse::<f64>()) {
                (Ok(a), Ok(b)) if column >= first => assert!(
                    (a - b).abs() < TOLERANCE,
                    "row {row}: {a}, the companion {b}"
                ),
                _ => assert_eq!(a, b, "row {row}"),
            }
        }
    }
    let (found, expected) = (
        lines(&export(&page, "jsonl").await),
        lines(&companion(&file, "out.jsonl")),
    );
    assert_eq!(found.len(), expected.len());
    for (row, (found, expected)) in found.iter().zip(&expected).enumerate() {
        same_numbers(
            &found["predicted"]["members"],
            &expected["predicted"]["members"],
            &format!("row {row}"),
        );
        same_numbers(
            &without_receipt(found),
            &without_receipt(expected),
            &format!("row {row}"),
        );
    }
    assert_eq!(
        found[3]["predicted"],
        Value::Null,
        "a missing answer is an error, never a number"
    );
    page.screenshot("file-done").await;
    page.close().await;
}

/// Builds name their number type and version apart.
fn without_receipt(row: &Value) -> Value {
    let mut row = row.clone();
    if let Some(score) = row["predicted"].as_object_mut() {
        assert!(score["receipt"]["bundle"].as_str().unwrap().len() == 64);
        score.insert("receipt".into(), Value::Null);
    }
    row
}

#[tokio::test]
async fn cells_that_a_spreadsheet_would_run_can_be_disarmed() {
    let (dist, folder) = (tiny_dist(), tempfile::tempdir().unwrap());
    let file = write(folder.path(), "answers.csv", ANSWERS);
    let page = open(dist.path()).await;
    start(&page, &file).await;
    done(&page).await;
    assert!(records(&export(&page, "csv").await)[3].contains(&"=1+1".to_owned()));
    page.click(".export-safe").await;
    assert!(records(&export(&page, "csv").await)[3].contains(&"'=1+1".to_owned()));
    page.close().await;
}

#[tokio::test]
async fn a_closed_tab_goes_on_where_it_was() {
    let (dist, folder) = (tiny_dist(), tempfile::tempdir().unwrap());
    let file = write(folder.path(), "many.csv", many(1500));
    let page = open(dist.path()).await;
    start(&page, &file).await;
    page.wait(
        "some rows are scored",
        120,
        "document.querySelector('.file-progress')?.value >= 24",
    )
    .await;
    let before = scored(&page).await;
    assert!(before < 1500, "the file is too short to be interrupted");
    page.client.refresh().await.unwrap();
    show(&page).await;
    page.wait(
        "the progress is back",
        60,
        "document.querySelector('.file-progress')?.value > 0",
    )
    .await;
    assert!(scored(&page).await >= before, "what was scored is kept");
    done(&page).await;
    let rows = lines(&export(&page, "jsonl").await);
    assert_eq!(rows.len(), 1500);
    for (i, row) in rows.iter().enumerate() {
        assert_eq!(row["id"], format!("r{i}"));
        assert!(row["predicted"]["score"].is_number(), "{row}");
    }
    page.close().await;
}

/// As many rows as the file has, each with the companion's score.
async fn assert_scored_as_by_the_companion(page: &Page, file: &Path, rows: usize) {
    let (found, expected) = (
        lines(&export(page, "jsonl").await),
        lines(&companion(file, "out.jsonl")),
    );
    assert_eq!((found.len(), expected.len()), (rows, rows));
    for (row, (found, expected)) in found.iter().zip(&expected).enumerate() {
        same_numbers(
            &found["predicted"]["score"],
            &expected["predicted"]["score"],
            &format!("row {row}"),
        );
    }
}

/// Notes every worker that scores rows, in `window.scorers`.
const NOTE_WORKERS: &str = "window.scorers = new Set();
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (...message) {
        if (message[0]?.type === 'scoreBatch') window.scorers.add(this);
        return post.apply(this, message);
    }";

#[tokio::test]
async fn a_long_file_is_shared_between_workers() {
    let (dist, folder) = (tiny_dist(), tempfile::tempdir().unwrap());
    let file = write(folder.path(), "many.csv", many(800));
    let page = open(dist.path()).await;
    page.run(NOTE_WORKERS).await;
    start(&page, &file).await;
    done(&page).await;
    assert_scored_as_by_the_companion(&page, &file, 800).await;
    let workers = page
        .run("return [window.scorers.size, navigator.hardwareConcurrency]")
        .await;
    let count = |index: usize| workers[index].as_u64().unwrap();
    assert_eq!(count(0), count(1).min(4), "{workers}");
    page.close().await;
}

#[tokio::test]
async fn a_killed_worker_leaves_no_hole_and_no_wrong_number() {
    let (dist, folder) = (tiny_dist(), tempfile::tempdir().unwrap());
    let file = write(folder.path(), "many.csv", many(400));
    let page = open(dist.path()).await;
    page.run(NOTE_WORKERS).await;
    start(&page, &file).await;
    page.wait(
        "some rows are scored",
        120,
        "document.querySelector('.file-progress')?.value >= 16",
    )
    .await;
    page.run(
        "for (const scorer of window.scorers) {
            scorer.terminate();
            scorer.dispatchEvent(new ErrorEvent('error', { message: 'killed by the test' }));
        }",
    )
    .await;
    done(&page).await;
    assert_scored_as_by_the_companion(&page, &file, 400).await;
    page.close().await;
}

#[tokio::test]
async fn scoring_can_be_paused_and_cancelled() {
    let (dist, folder) = (tiny_dist(), tempfile::tempdir().unwrap());
    let file = write(folder.path(), "many.csv", many(3000));
    let page = open(dist.path()).await;
    start(&page, &file).await;
    page.wait(
        "some rows are scored",
        120,
        "document.querySelector('.file-progress')?.value > 0",
    )
    .await;
    page.click("[data-action=pause]").await;
    page.wait(
        "the pause shows",
        5,
        "document.querySelector('.job-state.paused') !== null",
    )
    .await;
    let before = scored(&page).await;
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(scored(&page).await, before, "nothing moves in a pause");
    page.click("[data-action=resume]").await;
    page.wait(
        "it goes on",
        60,
        &format!("document.querySelector('.file-progress')?.value > {before}"),
    )
    .await;
    page.click("[data-action=cancel]").await;
    page.click("dialog .danger").await;
    page.wait(
        "the mapping is back",
        10,
        "document.querySelector('.file-mapping') !== null",
    )
    .await;
    page.close().await;
}

#[tokio::test]
async fn broken_rows_are_named_and_the_others_go_on() {
    let (dist, folder) = (tiny_dist(), tempfile::tempdir().unwrap());
    let mut text = many(300);
    text.insert_str(text.find("r100,").unwrap(), "oops\n");
    text.insert_str(text.find("r200,").unwrap(), "x,fairness,\"never closed,y\n");
    let file = write(folder.path(), "broken.csv", text);
    let page = open(dist.path()).await;
    choose(&page, &[&file]).await;
    let named = page
        .wait(
            "the rows are named",
            60,
            "document.querySelector('.broken ol')?.textContent",
        )
        .await;
    let named = named.as_str().unwrap();
    assert!(named.contains("(line 102)"), "{named}");
    assert!(
        named.contains("(line 203)") && named.contains("quote"),
        "{named}"
    );
    let rows = page.text(".file-job > .caption").await;
    assert!(rows.contains("300 rows"), "{rows}");
    page.close().await;
}

#[tokio::test]
async fn what_is_no_file_of_answers_is_refused_with_the_reason() {
    let (dist, folder) = (tiny_dist(), tempfile::tempdir().unwrap());
    let wide: String = (0..1_000_000).map(|i| format!("c{i},")).collect();
    let cases: [(&str, Vec<u8>, &str); 6] = [
        ("empty.csv", Vec::new(), "empty"),
        (
            "picture.csv",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(),
            "picture",
        ),
        ("wide.csv", wide.into_bytes(), "1,000"),
        ("header.csv", b"prompt,answer\n".to_vec(), "no rows"),
        (
            "cut.csv.gz",
            vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2],
            "gzip",
        ),
        (
            "object.json",
            b"{\n\"a\":\n1\n}".to_vec(),
            "no row could be read",
        ),
    ];
    let page = open(dist.path()).await;
    for (name, bytes, words) in cases {
        let file = write(folder.path(), name, bytes);
        choose(&page, &[&file]).await;
        let said = format!(
            "[...document.querySelectorAll('.file-said p')].map(p => p.textContent).find(text => text.startsWith('{name}'))"
        );
        let said = page.wait("the reason is said", 30, &said).await;
        assert!(said.as_str().unwrap().contains(words), "{said}");
    }
    page.close().await;
}

#[tokio::test]
async fn other_encodings_are_read_and_told() {
    let (dist, folder) = (tiny_dist(), tempfile::tempdir().unwrap());
    let wide: Vec<u8> = "\u{feff}prompt,answer\nCafé?,नमस्ते\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let cases: [(&str, Vec<u8>, &str, &str); 3] = [
        ("utf16.csv", wide, "नमस्ते", "UTF-16"),
        (
            "western.csv",
            b"prompt;answer\nCaf\xe9?;d\xe9j\xe0 vu\n".to_vec(),
            "déjà vu",
            "windows-1252",
        ),
        (
            "mixed.csv",
            "prompt,answer\nनमस्ते,é\nx,y".bytes().chain([0xe9]).collect(),
            "नमस्ते",
            "0xE9 at offset",
        ),
    ];
    let page = open(dist.path()).await;
    for (name, bytes, cell, told) in cases {
        let file = write(folder.path(), name, bytes);
        choose(&page, &[&file]).await;
        let shown = format!(
            "document.querySelector('#file-job-name')?.textContent === '{name}' && document.querySelector('.preview tbody')?.textContent"
        );
        let shown = page.wait("the first rows are shown", 30, &shown).await;
        assert!(shown.as_str().unwrap().contains(cell), "{shown}");
        assert!(page.text(".notices").await.contains(told));
    }
    page.close().await;
}

/// Drops `what` on the view of files: names with their contents, `null` for a folder.
async fn drop_files(page: &Page, what: &Value) {
    let script = "
        const what = arguments[0];
        const files = what.map(([name, bytes]) => new File([Uint8Array.from(bytes ?? [])], name));
        const items = what.map(([, bytes]) => ({
            kind: 'file', webkitGetAsEntry: () => ({ isDirectory: bytes === null }),
        }));
        const event = new Event('drop', { bubbles: true, cancelable: true });
        event.dataTransfer = { types: ['Files'], items, files };
        document.querySelector('.drop').dispatchEvent(event);
        return event.defaultPrevented;";
    let taken = page
        .client
        .execute(script, vec![what.clone()])
        .await
        .unwrap();
    assert_eq!(taken, true, "the browser does not open what is dropped");
}

/// What is said of dropped files, once it holds `words`.
async fn said(page: &Page, words: &str) -> String {
    let said = "document.querySelector('.file-said').innerText";
    let there = format!("{said}.includes('{words}') && {said}");
    let said = page.wait(&format!("`{words}` is said"), 30, &there).await;
    said.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_dropped_is_taken_or_refused_by_name() {
    let dist = tiny_dist();
    let page = open(dist.path()).await;
    let rows = many(3).into_bytes();
    drop_files(&page, &json!([["answers", null]])).await;
    let words = said(&page, "folder").await;
    assert!(words.starts_with("answers: "), "{words}");

    drop_files(
        &page,
        &json!([["one.csv", rows], ["kept", null], ["two.csv", rows]]),
    )
    .await;
    let words = said(&page, "one.csv, two.csv").await;
    assert!(words.starts_with("kept: "), "{words}");
    let both = "document.querySelectorAll('.job-list li').length === 2";
    page.wait("both files are read", 30, both).await;

    drop_files(&page, &json!([["nothing.csv", []]])).await;
    said(&page, "nothing.csv: the file is empty").await;
    // No zero among them: the control characters tell.
    drop_files(
        &page,
        &json!([["tool.csv", [1, 2, 3, 200, 5, 6, 7, 14, 15]]]),
    )
    .await;
    said(&page, "tool.csv: this is not text").await;
    let jobs = "return document.querySelectorAll('.job-list li').length";
    assert_eq!(page.run(jobs).await, 2, "what is refused leaves nothing");

    let script = "
        const event = new Event('drop', { bubbles: true, cancelable: true });
        event.dataTransfer = { types: ['text/plain'], items: [{ kind: 'string' }], files: [] };
        document.querySelector('.drop').dispatchEvent(event);
        return event.defaultPrevented;";
    assert_eq!(page.run(script).await, false, "text still goes into fields");
    page.close().await;
}

#[tokio::test]
async fn two_files_at_once_both_become_jobs() {
    let (dist, folder) = (tiny_dist(), tempfile::tempdir().unwrap());
    let (one, two) = (
        write(folder.path(), "one.csv", many(3)),
        write(folder.path(), "two.csv", many(4)),
    );
    let page = open(dist.path()).await;
    choose(&page, &[&one, &two]).await;
    page.wait(
        "both are kept",
        30,
        "document.querySelectorAll('.job-list li').length === 2",
    )
    .await;
    assert!(page.text(".file-said").await.contains("one.csv, two.csv"));
    page.client.refresh().await.unwrap();
    show(&page).await;
    page.wait(
        "both are there at the next visit",
        30,
        "document.querySelectorAll('.job-list li').length === 2",
    )
    .await;
    page.close().await;
}

#[tokio::test]
async fn full_storage_is_said_and_scoring_goes_on() {
    let (dist, folder) = (tiny_dist(), tempfile::tempdir().unwrap());
    let file = write(folder.path(), "many.csv", many(40));
    let page = open(dist.path()).await;
    page.run(
        "const put = IDBObjectStore.prototype.put;
        IDBObjectStore.prototype.put = function (...record) {
            if (this.name === 'results') throw new DOMException('full', 'QuotaExceededError');
            return put.apply(this, record);
        }",
    )
    .await;
    start(&page, &file).await;
    done(&page).await;
    assert!(
        page.text(".file-view > .trouble")
            .await
            .contains("storage is full")
    );
    let rows = lines(&export(&page, "jsonl").await);
    assert_eq!(
        rows.iter()
            .filter(|row| row["predicted"]["score"].is_number())
            .count(),
        40
    );
    page.close().await;
}

#[tokio::test]
async fn every_row_can_be_scored_on_several_metrics_and_opened() {
    let (dist, folder) = (tiny_dist(), tempfile::tempdir().unwrap());
    let list = json!([{ "question": "Who gets the flat?", "output": "Whoever applied first." }, { "question": "Why?", "output": "It is fair." }]);
    let file = write(folder.path(), "list.json", list.to_string());
    let page = open(dist.path()).await;
    choose(&page, &[&file]).await;
    page.wait(
        "the mapping is there",
        30,
        "document.querySelectorAll('.metric-box input').length > 100",
    )
    .await;
    for metric in ["fairness", "task_completion_rate"] {
        page.click(&format!(".metric-box input[value={metric}]"))
            .await;
    }
    page.click(".file-start").await;
    done(&page).await;
    let rows = lines(&export(&page, "jsonl").await);
    let metrics: Vec<_> = rows
        .iter()
        .map(|row| row["predicted_metric"].as_str().unwrap())
        .collect();
    assert_eq!(
        metrics,
        [
            "fairness",
            "task_completion_rate",
            "fairness",
            "task_completion_rate"
        ]
    );
    page.click(".grid-row[aria-rowindex='2']").await;
    let shown = "document.querySelector('#response')?.value";
    assert_eq!(
        page.wait("the row is opened", 30, shown).await,
        "Whoever applied first."
    );
    page.close().await;
}

#[tokio::test]
async fn agreement_is_measured_as_in_the_evaluation() {
    let dist = tiny_dist();
    let page = open(dist.path()).await;
    let value = |i: usize, step: usize| (i * step % 97) as f32 / 97.0 * 10.0;
    let (predicted, target): (Vec<f32>, Vec<f32>) = (0..200)
        .map(|i| (value(i, 31), (value(i, 31) + value(i, 7)).round() / 2.0))
        .unzip();
    let expected = Fit::new(&predicted, &target).unwrap();
    let found = with_module(
        &page,
        "summary",
        "return m.fit(argument.predicted, argument.target);",
        json!({ "predicted": predicted, "target": target }),
    )
    .await;
    let near = |key: &str, expected: f64| {
        let found = found[key].as_f64().unwrap_or(f64::NAN);
        assert!(
            (found - expected).abs() < 1e-9,
            "{key}: {found}, expected {expected}"
        );
    };
    near("rmse", expected.rmse);
    near("mae", expected.mae);
    near("constantRmse", expected.constant_rmse);
    near("pearson", expected.pearson.unwrap());
    near("spearman", expected.spearman.unwrap());
    page.close().await;
}

#[tokio::test]
async fn a_list_goes_on_after_a_broken_element() {
    let dist = tiny_dist();
    let page = open(dist.path()).await;
    let text =
        "[\n  {\"a\": \"x}]\"},\n  17,\n  {\"a\": \"open,\n  {\"a\": [1, },\n  {\"a\": 2}\n]\n";
    let script = "const rows = [], broken = [];
        const reader = new m.ListReader({ row: (row) => rows.push(row.n), broken: ({ line, code }) => broken.push(`${line} ${code}`) });
        for (let i = 0; i < argument.length; i += 3) reader.push(argument.slice(i, i + 3), false);
        reader.push('', true);
        return { rows, broken };";
    let found = with_module(&page, "json", script, json!(text)).await;
    assert_eq!(found["rows"], json!([1, 5]));
    assert_eq!(
        found["broken"],
        json!(["3 no-object", "4 broken-string", "5 open-bracket"])
    );
    page.close().await;
}
