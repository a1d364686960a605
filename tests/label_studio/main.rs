//! The companion as Label Studio's machine learning backend: every request and every refusal.

#[path = "../browser/browser.rs"]
#[allow(dead_code, reason = "the browser tests use all of it")]
mod browser;
#[path = "../common/mod.rs"]
mod common;
mod live;
#[path = "../browser/page.rs"]
#[allow(dead_code, reason = "the browser tests use all of it")]
mod page;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::{stdout, tiny_bundle};
use serde_json::{Value, json};

const CONFIG: &str = include_str!("../../examples/label-studio/labeling-config.xml");

/// A companion that serves Label Studio only, and the folder of its rows.
struct Backend {
    child: Child,
    address: String,
    folder: tempfile::TempDir,
}

/// An answer, its status line included.
struct Answer {
    head: String,
    body: String,
}

/// The companion as a backend with this bundle and without a page, on a free port.
fn serve(bundle: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_touchstone"));
    command
        .args(["serve", "nowhere", "--port", "0", "--label-studio"])
        .arg("--bundle")
        .arg(bundle);
    command
}

/// Starts it; its host and port, as it tells them.
fn announced(mut command: Command) -> (Child, String) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    let (_, address) = line
        .split_once("http://")
        .expect("the address is announced");
    (child, address.trim().trim_end_matches('/').to_owned())
}

/// The rows in a file, none where there is no file.
fn rows_in(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let rows = text.lines().map(|line| serde_json::from_str(line).unwrap());
    rows.collect()
}

impl Backend {
    fn start(options: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), options)
    }

    fn start_in(folder: tempfile::TempDir, options: &[&str]) -> Self {
        let mut command = serve(tiny_bundle());
        command.current_dir(folder.path()).args(options);
        let (child, address) = announced(command);
        Self {
            child,
            address,
            folder,
        }
    }

    /// Stops it as a crash would; the folder stays.
    fn kill(mut self) -> tempfile::TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let empty = tempfile::tempdir().unwrap();
        std::mem::replace(&mut self.folder, empty)
    }

    fn rows_file(&self) -> PathBuf {
        self.folder.path().join("label-studio-rows.jsonl")
    }

    fn rows(&self) -> Vec<Value> {
        rows_in(&self.rows_file())
    }

    fn send(&self, head: &str, body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        let head = format!(
            "{head}\r\nHost: {}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n",
            self.address
        );
        stream.write_all(head.as_bytes()).unwrap();
        // A server that refuses early closes early.
        let _ = stream.write_all(body);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        Answer {
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1"), b"")
    }

    fn post_raw(&self, path: &str, body: &[u8]) -> Answer {
        let head = format!("POST {path} HTTP/1.1\r\nContent-Type: application/json");
        self.send(&head, body)
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_raw(path, body.to_string().as_bytes())
    }

    fn setup(&self, config: &str, extra_params: &Value) -> Answer {
        let body = json!({
            "project": "3.1795760236", "schema": config, "hostname": "http://localhost:8080",
            "access_token": "secret", "extra_params": extra_params,
        });
        self.post("/setup", &body)
    }

    fn predict(&self, config: &str, tasks: &Value) -> Answer {
        let params = json!({"login": null, "password": null, "context": null});
        let body = json!({"tasks": tasks, "project": "3.1795760236", "label_config": config, "params": params});
        self.post("/predict", &body)
    }

    fn predictions(&self, config: &str, tasks: &Value) -> Vec<Value> {
        let answer = self.predict(config, tasks).json();
        answer["results"].as_array().unwrap().clone()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn json(&self) -> Value {
        assert_eq!(self.status(), 200, "{} {}", self.head, self.body);
        serde_json::from_str(&self.body).unwrap()
    }

    /// The message of a refusal, which stands in the status line too.
    fn refusal(&self, status: u16) -> String {
        assert_eq!(self.status(), status, "{} {}", self.head, self.body);
        let body: Value = serde_json::from_str(&self.body).unwrap();
        let message = body["error"].as_str().unwrap().to_owned();
        let line = self.head.lines().next().unwrap();
        assert!(
            line.ends_with(message.lines().next().unwrap()) || message.len() > 60,
            "{line}"
        );
        message
    }
}

fn task(id: u64, response: &str) -> Value {
    json!({"id": id, "project": 3, "data": {
        "metric": "fairness", "system_prompt": "", "prompt": "Who should get the flat?", "response": response,
    }})
}

fn number(prediction: &Value) -> f64 {
    let result = prediction["result"].as_array().unwrap();
    let score = result.iter().find(|region| region["from_name"] == "score");
    let score = score.expect("a score");
    assert_eq!(
        (&score["type"], &score["to_name"]),
        (&json!("number"), &json!("response"))
    );
    score["value"]["number"].as_f64().unwrap()
}

fn text<'a>(prediction: &'a Value, control: &str) -> &'a str {
    let result = prediction["result"].as_array().unwrap();
    let region = result.iter().find(|region| region["from_name"] == control);
    let text = region.and_then(|region| region["value"]["text"][0].as_str());
    text.unwrap_or_default()
}

fn event(action: &str, annotation: Value, task: Value) -> Value {
    json!({
        "action": action, "annotation": annotation, "task": task,
        "project": {"id": 3, "label_config": CONFIG, "created_at": "2026-11-27T06:17:16.026239Z"},
    })
}

fn annotation(id: u64, score: f64, updated: &str) -> Value {
    json!({
        "id": id, "task": 11, "completed_by": 1, "was_cancelled": false, "lead_time": 4.2,
        "created_at": format!("2026-11-27T06:2{id}:00.630820Z"), "updated_at": updated,
        "parent_prediction": 1,
        "result": [{"id": "x", "from_name": "score", "to_name": "response", "type": "number",
            "origin": "prediction-changed", "value": {"number": score}}],
    })
}

fn created(id: u64, score: f64) -> Value {
    let annotation = annotation(id, score, "2026-11-27T07:00:00.000000Z");
    event(
        "ANNOTATION_CREATED",
        annotation,
        task(11, "Whoever applied first."),
    )
}

fn updated(id: u64, score: f64, at: &str) -> Value {
    let annotation = annotation(id, score, at);
    event(
        "ANNOTATION_UPDATED",
        annotation,
        task(11, "Whoever applied first."),
    )
}

fn scores(rows: &[Value]) -> Vec<f64> {
    rows.iter()
        .map(|row| row["score"].as_f64().unwrap())
        .collect()
}

#[test]
fn health_and_setup_answer_as_label_studio_expects() {
    let backend = Backend::start(&[]);
    for path in ["/health", "/health/"] {
        assert_eq!(backend.get(path).json()["status"], "UP");
    }
    let version = |extra: Value| backend.setup(CONFIG, &extra).json()["model_version"].clone();
    let plain = version(Value::Null);
    assert!(plain.as_str().unwrap().starts_with("touchstone-"));
    assert_eq!(version(Value::Null), plain);
    assert_ne!(
        version(json!({"metric": "accuracy"})),
        plain,
        "old predictions are out of date"
    );
    assert_eq!(version(json!("{}")), plain);
    assert_eq!(
        backend.get("/versions").json()["versions"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn an_unfit_configuration_is_refused_with_what_was_found() {
    let backend = Backend::start(&[]);
    let choices = "<View><Text name='response' value='$a'/><Choices name='verdict' toName='response'/></View>";
    let message = backend.setup(choices, &Value::Null).refusal(422);
    assert!(message.contains("found Choices `verdict`"), "{message}");
    let stars = "<View><Number name='score' toName='response' max='5'/></View>";
    assert!(
        backend
            .setup(stars, &Value::Null)
            .refusal(422)
            .contains("max 5")
    );
    assert!(
        backend
            .setup("<View", &Value::Null)
            .refusal(422)
            .contains("cannot be read")
    );
    let message = backend.setup(CONFIG, &json!({"metrik": "x"})).refusal(422);
    assert!(message.contains("metrik"), "{message}");
    assert!(
        backend
            .predict("", &json!([]))
            .refusal(422)
            .contains("no Number control")
    );
}

#[test]
fn a_task_gets_its_score_interval_and_anchors() {
    let backend = Backend::start(&[]);
    let version = backend.setup(CONFIG, &Value::Null).json()["model_version"].clone();
    let answer = "Whoever applied first and can pay the rent.";
    let found = backend.predictions(CONFIG, &json!([task(11, answer), task(12, "No idea.")]));
    assert_eq!(found.len(), 2);
    let one = stdout(&[
        "score",
        "--metric",
        "fairness",
        "--user",
        "Who should get the flat?",
        "--response",
        answer,
        "--bundle",
        tiny_bundle().to_str().unwrap(),
    ]);
    let one: Value = serde_json::from_str(&one).unwrap();
    let difference = number(&found[0]) - one["score"].as_f64().unwrap();
    assert!(difference.abs() < 0.051, "{difference}");
    let low = one["interval"][0].as_f64().unwrap();
    assert!(text(&found[0], "interval").starts_with(&format!("{low:.1} to ")));
    assert!(text(&found[0], "anchors").starts_with(one["anchors"][0]["metric"].as_str().unwrap()));
    assert_eq!(found[0]["model_version"], version);
    let certainty = found[0]["score"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&certainty));
    let ids: std::collections::HashSet<_> = found
        .iter()
        .flat_map(|prediction| prediction["result"].as_array().unwrap())
        .map(|region| region["id"].as_str().unwrap())
        .collect();
    let regions = |p: &Value| p["result"].as_array().unwrap().len();
    assert_eq!(ids.len(), found.iter().map(regions).sum::<usize>());
}

#[test]
fn a_task_that_cannot_be_scored_says_why_and_the_others_go_on() {
    let backend = Backend::start(&[]);
    let version = backend.setup(CONFIG, &Value::Null).json()["model_version"].clone();
    let mut other = task(5, "x");
    other["data"]["metric"] = json!("fairnes");
    let tasks = json!([
        task(1, "Whoever applied first."),
        {"id": 2, "data": {"metric": "fairness", "text": "hello"}},
        {"id": 3},
        17,
        other,
        {"id": 6, "data": {"metric": "fairness", "prompt": "p", "response": ["a"]}},
        task(7, "<script>alert(1)</script> Whoever applied first."),
    ]);
    let found = backend.predictions(CONFIG, &tasks);
    assert_eq!(found.len(), 7);
    for (at, words) in [
        (
            1,
            "data field `prompt` is missing or empty; data fields found: metric, text",
        ),
        (2, "expected an object"),
        (3, "expected an object"),
        (4, "the nearest are"),
        (5, "`response`, is a list, not text"),
    ] {
        let note = text(&found[at], "note");
        assert!(
            note.starts_with("Not scored: ") && note.contains(words),
            "{note}"
        );
        assert!(
            found[at]["error"]["message"]
                .as_str()
                .unwrap()
                .contains(words)
        );
        assert!(found[at]["score"].is_null());
        assert!(
            !found[at]["result"].to_string().contains("number"),
            "never a zero"
        );
        assert_ne!(
            found[at]["model_version"], version,
            "so that it is asked for again"
        );
    }
    number(&found[0]);
    number(&found[6]);
}

#[test]
fn what_there_was_no_time_for_says_so() {
    let backend = Backend::start(&["--label-studio-deadline", "0"]);
    let tasks: Vec<Value> = (0..50)
        .map(|id| task(id, "Whoever applied first."))
        .collect();
    let found = backend.predictions(CONFIG, &json!(tasks));
    assert_eq!(found.len(), 50);
    for prediction in found {
        assert!(text(&prediction, "note").contains("no time for it within 0 s"));
        assert_eq!(prediction["error"]["kind"], "cancelled");
    }
}

#[test]
fn a_fixed_metric_and_field_names_come_from_where_they_are_told() {
    let backend = Backend::start(&[
        "--label-studio-metric",
        "accuracy",
        "--label-studio-field",
        "response=reply_text",
    ]);
    let config =
        "<View><Text name='question' value='$q'/><Number name='n' toName='question'/></View>";
    let tasks = json!([{"id": 1, "data": {"q": "Two and two?", "reply_text": "Four."}}]);
    let score = |config: &str| {
        let found = backend.predictions(config, &tasks);
        found[0]["result"][0]["value"]["number"].as_f64()
    };
    assert!(score(config).is_some(), "by the command line");
    assert_eq!(
        backend
            .setup(config, &json!({"metric": "no_such_metric"}))
            .status(),
        200
    );
    let found = backend.predictions(config, &tasks);
    assert!(
        found[0]["error"]["message"]
            .as_str()
            .unwrap()
            .contains("no_such_metric")
    );
    let own = json!({"metric": "Brevity", "definition": "Is it short? 10: one word. 0: a page."});
    backend.setup(config, &own).json();
    assert!(score(config).is_some(), "by the extra parameters");
    backend.setup(config, &Value::Null).json();
    assert!(score(&config.replace("<Number", "<Number metric='fairness'")).is_some());
}

#[test]
fn lone_surrogates_and_markup_are_texts_like_any_other() {
    let backend = Backend::start(&[]);
    let body = json!({"tasks": [task(1, "CUT <img src=x onerror=alert(1)>")], "label_config": CONFIG, "project": 3});
    let body = body.to_string().replace("CUT", "cut \\ud83d");
    let answer = backend.post_raw("/predict", body.as_bytes()).json();
    number(&answer["results"][0]);
}

#[test]
fn bodies_that_are_no_requests_are_refused() {
    let backend = Backend::start(&[]);
    for path in ["/setup", "/predict", "/webhook"] {
        assert!(
            backend
                .post_raw(path, b"{\"tasks\": [")
                .refusal(400)
                .contains("not JSON")
        );
        assert!(
            backend
                .post_raw(path, b"\xff\xfe{}")
                .refusal(400)
                .contains("not JSON")
        );
        assert!(
            backend
                .post_raw(path, b"[1]")
                .refusal(400)
                .contains("a list, expected an object")
        );
        let deep = "[".repeat(100_000);
        assert!(
            backend
                .post_raw(path, deep.as_bytes())
                .refusal(400)
                .contains("recursion")
        );
        let head = format!("POST {path} HTTP/1.1\r\nContent-Type: text/plain");
        assert!(
            backend
                .send(&head, b"{}")
                .refusal(415)
                .contains("application/json")
        );
        assert_eq!(backend.get(path).status(), 405);
    }
    for tasks in [json!({}), json!({"tasks": "x"})] {
        assert!(
            backend
                .post("/predict", &tasks)
                .refusal(400)
                .contains("`tasks`")
        );
    }
    assert!(
        backend
            .post("/webhook", &json!({}))
            .refusal(400)
            .contains("`action`")
    );
    assert_eq!(backend.get("/nowhere").status(), 404);
}

#[test]
fn a_huge_body_is_refused_before_it_is_read() {
    let backend = Backend::start(&[]);
    let head = "POST /predict HTTP/1.1\r\nContent-Type: application/json\r\nHost: localhost\r\n\
                Connection: close\r\nContent-Length: 999999999999\r\n\r\n{";
    let mut stream = TcpStream::connect(&backend.address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("fewer tasks"), "{answer}");
    assert_eq!(backend.get("/health").status(), 200);
}

#[test]
fn requests_under_a_foreign_name_are_refused() {
    let backend = Backend::start(&[]);
    let answer = TcpStream::connect(&backend.address).map(|mut stream| {
        let head = "GET /health HTTP/1.0\r\nHost: evil.example\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    assert!(answer.unwrap().lines().next().unwrap().contains(" 421 "));
}

#[test]
fn basic_authentication_guards_every_request() {
    let credentials = [
        "--label-studio-user",
        "studio",
        "--label-studio-password",
        "open sesame",
    ];
    let backend = Backend::start(&credentials);
    for path in ["/health", "/versions"] {
        assert_eq!(backend.get(path).status(), 401, "{path}");
    }
    for path in ["/setup", "/predict", "/webhook"] {
        let answer = backend.post(path, &created(1, 3.0));
        assert!(answer.refusal(401).contains("password"));
        assert!(
            answer
                .head
                .to_lowercase()
                .contains("www-authenticate: basic")
        );
    }
    let head = "GET /health HTTP/1.1\r\nAuthorization: Basic c3R1ZGlvOm9wZW4gc2VzYW1l";
    assert_eq!(backend.send(head, b"").status(), 200);
    assert!(!backend.rows_file().exists());
}

/// What a start with these options fails with.
fn refused_start(options: &[&str]) -> String {
    let bundle = tiny_bundle().to_str().unwrap();
    let serve = ["serve", "nowhere", "--port", "0", "--label-studio"];
    common::failure(&[serve.as_slice(), &["--bundle", bundle], options].concat())
}

#[test]
fn a_name_without_a_password_is_no_protection_and_refused() {
    let message = refused_start(&["--label-studio-user", "x"]);
    assert!(message.contains("--label-studio-password"), "{message}");
}

#[test]
fn a_metric_that_nobody_knows_stops_the_start() {
    let message = refused_start(&["--label-studio-metric", "fairnes"]);
    assert!(message.contains("fairness"), "{message}");
}

#[test]
fn an_annotation_becomes_one_row_that_train_and_eval_read() {
    let backend = Backend::start(&[]);
    let answer = backend.post("/webhook", &created(1, 3.5)).json();
    assert_eq!(
        answer["rows"],
        json!({"added": 1, "changed": 0, "removed": 0})
    );
    backend.post("/webhook", &created(2, 8.0)).json();
    let rows = backend.rows();
    assert_eq!(scores(&rows), [3.5, 8.0]);
    assert_eq!(rows[0]["metric_name"], "fairness");
    assert_eq!(rows[0]["user_prompt"], "Who should get the flat?");
    assert_eq!(rows[0]["label_studio"]["annotation"], 1);
    let file = backend.rows_file();
    let report = stdout(&[
        "eval",
        file.to_str().unwrap(),
        "--json",
        "--bundle",
        tiny_bundle().to_str().unwrap(),
    ]);
    assert!(report.contains("label-studio"), "{report}");
}

#[test]
fn updates_repeats_and_deletions_leave_one_row_or_none() {
    let backend = Backend::start(&[]);
    let count = |answer: Answer| answer.json()["rows"].clone();
    backend.post("/webhook", &created(1, 3.5)).json();
    backend.post("/webhook", &created(2, 6.0)).json();
    assert_eq!(
        count(backend.post("/webhook", &created(1, 3.5)))["added"],
        0,
        "told twice"
    );
    for (score, at) in [
        (5.0, "2026-11-27T08:00:00.000000Z"),
        (9.0, "2026-11-27T09:00:00.000000Z"),
    ] {
        assert_eq!(
            count(backend.post("/webhook", &updated(1, score, at)))["changed"],
            1
        );
    }
    assert_eq!(scores(&backend.rows()), [9.0, 6.0]);
    let late = updated(1, 1.0, "2026-11-27T08:30:00.000000Z");
    assert_eq!(
        count(backend.post("/webhook", &late))["changed"],
        0,
        "an older state comes late"
    );
    let mut skipped = updated(1, 9.0, "2026-11-27T10:00:00.000000Z");
    skipped["annotation"]["was_cancelled"] = json!(true);
    assert_eq!(count(backend.post("/webhook", &skipped))["removed"], 1);
    let deleted = json!({"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 2}, {"id": 77}], "project": {"id": 3}});
    assert_eq!(count(backend.post("/webhook", &deleted))["removed"], 1);
    assert!(backend.rows().is_empty());
}

#[test]
fn what_nobody_judged_becomes_no_row() {
    let backend = Backend::start(&[]);
    let mut copies = created(1, 3.5);
    copies["action"] = json!("ANNOTATIONS_CREATED");
    copies["annotation"]["lead_time"] = Value::Null;
    copies["annotation"] = json!([copies["annotation"]]);
    copies["task"] = json!([copies["task"]]);
    assert_eq!(backend.post("/webhook", &copies).json()["rows"]["added"], 0);
    for action in [
        "TASKS_CREATED",
        "TASKS_DELETED",
        "PROJECT_UPDATED",
        "LABEL_LINK_CREATED",
    ] {
        let event = json!({"action": action, "tasks": [{"id": 11}], "project": {"id": 3}});
        assert_eq!(
            backend.post("/webhook", &event).json()["status"],
            "passed over"
        );
    }
    assert!(backend.rows().is_empty());
}

#[test]
fn an_annotation_that_cannot_become_a_row_is_told_and_the_others_are_kept() {
    let backend = Backend::start(&[]);
    let (mut several, second, third) = (created(1, 3.5), created(2, 10.5), created(3, 7.0));
    several["action"] = json!("ANNOTATIONS_CREATED");
    let annotations = [&several, &second, &third].map(|event| event["annotation"].clone());
    several["annotation"] = json!(annotations);
    several["task"] = json!([several["task"]]);
    let message = backend.post("/webhook", &several).refusal(422);
    assert!(
        message.contains("annotation 2 of task 11") && message.contains("10.5"),
        "{message}"
    );
    assert_eq!(scores(&backend.rows()), [3.5, 7.0]);
    let empty = json!({"action": "ANNOTATION_CREATED"});
    assert!(
        backend
            .post("/webhook", &empty)
            .refusal(422)
            .contains("Send payload")
    );
    let training = json!({"action": "START_TRAINING", "project": {"id": 3}});
    assert!(
        backend
            .post("/webhook", &training)
            .refusal(501)
            .contains("touchstone train")
    );
}

#[test]
fn nothing_is_lost_when_the_companion_is_killed() {
    let backend = Backend::start(&[]);
    backend.setup(CONFIG, &json!({"metric": "accuracy"})).json();
    backend.post("/webhook", &created(1, 3.5)).json();
    let folder = backend.kill();
    let rows = folder.path().join("label-studio-rows.jsonl");
    let half = std::fs::read_to_string(&rows).unwrap();
    append(&rows, &half[..half.len() / 2]);
    let backend = Backend::start_in(folder, &[]);
    backend.post("/webhook", &created(2, 6.0)).json();
    let found = backend.rows();
    assert_eq!(scores(&found), [3.5, 6.0]);
    assert_eq!(
        found[1]["metric_name"], "accuracy",
        "the project's settings are known still"
    );
}

fn append(path: &Path, text: &str) {
    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_rows_file_that_cannot_be_read_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let rows = folder.path().join("rows.jsonl");
    std::fs::write(&rows, "{\"score\": 1}\nnonsense\n{}\n").unwrap();
    let message = common::failure(&[
        "serve",
        "nowhere",
        "--port",
        "0",
        "--label-studio",
        "--label-studio-rows",
        rows.to_str().unwrap(),
    ]);
    assert!(message.contains("line 2"), "{message}");
}

#[test]
fn the_token_of_label_studio_is_kept_nowhere() {
    let backend = Backend::start(&[]);
    backend.setup(CONFIG, &json!({"metric": "accuracy"})).json();
    for entry in std::fs::read_dir(backend.folder.path()).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!text.contains("secret"), "{text}");
    }
}

#[test]
fn an_export_adds_what_the_webhook_missed() {
    let backend = Backend::start(&[]);
    backend.post("/webhook", &created(1, 3.5)).json();
    let told = created(1, 4.5);
    let missed = created(2, 8.0);
    let annotations = [&told, &missed].map(|event| event["annotation"].clone());
    let mut exported = told["task"].clone();
    exported["annotations"] = json!(annotations);
    let file = backend.folder.path().join("export.json");
    std::fs::write(&file, json!([exported]).to_string()).unwrap();
    let rows = backend.rows_file();
    let (file, output) = (file.to_str().unwrap(), rows.to_str().unwrap());
    let import = ["import", file, "--from", "label-studio", "--output", output];
    stdout(&import);
    assert_eq!(scores(&backend.rows()), [4.5, 8.0]);
    stdout(&import);
    assert_eq!(
        scores(&backend.rows()),
        [4.5, 8.0],
        "once more changes nothing"
    );
    backend.post("/webhook", &created(3, 1.0)).json();
    assert_eq!(scores(&backend.rows()), [4.5, 8.0, 1.0]);
    let message = common::failure(&["eval", file, "--bundle", tiny_bundle().to_str().unwrap()]);
    assert!(message.contains("--from label-studio"), "{message}");
}

#[test]
fn scored_rows_become_tasks_with_predictions() {
    let folder = tempfile::tempdir().unwrap();
    let (rows, tasks) = (
        folder.path().join("rows.jsonl"),
        folder.path().join("tasks.json"),
    );
    let row = json!({"metric_name": "fairness", "user_prompt": "Who?", "answer": "You.", "language": "en"});
    std::fs::write(&rows, format!("{row}\n{row}\n")).unwrap();
    stdout(&[
        "score",
        rows.to_str().unwrap(),
        "--output",
        tasks.to_str().unwrap(),
        "--format",
        "label-studio",
        "--bundle",
        tiny_bundle().to_str().unwrap(),
    ]);
    let tasks: Value = serde_json::from_slice(&std::fs::read(tasks).unwrap()).unwrap();
    let data = json!({"metric": "fairness", "system_prompt": "", "prompt": "Who?", "response": "You.", "language": "en"});
    assert_eq!(tasks[0]["data"], data);
    let prediction = &tasks[1]["predictions"][0];
    number(prediction);
    assert!(!text(prediction, "interval").is_empty());
    assert_ne!(
        tasks[0]["predictions"][0]["result"][0]["id"],
        prediction["result"][0]["id"]
    );
}
