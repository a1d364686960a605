//! The command against a server that speaks the protocol, well or badly.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};

use super::pace::tests::TestClock;
use super::work::Tally;
use super::{SynthesizeArgs, run_with};
use crate::error::{Error, Result};

const KEY: &str = "sk-very-secret";

/// What the server does with a request.
enum Deed {
    /// A chat completion with this text and 100 tokens.
    Say(String),
    /// The same, without `usage`.
    Uncounted(String),
    /// A status, a header line and a body.
    Answer(u16, &'static str, String),
    /// Half of a chat completion, then the connection is closed.
    Cut,
    /// Nothing, with the connection left open.
    Silence,
}

/// A server on this machine that does as `script` says with the n-th request and its body.
struct Server {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn new(script: impl Fn(usize, &Value) -> Deed + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (head, body) = request(&stream);
                let number = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(head + &body.to_string());
                    seen.len() - 1
                };
                if answer(&mut stream, script(number, &body)) {
                    silent.push(stream);
                }
            }
        });
        Self { url, requests }
    }

    fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    fn request(&self, number: usize) -> String {
        self.requests.lock().unwrap()[number].clone()
    }
}

fn request(stream: &TcpStream) -> (String, Value) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(
            reader.read_line(&mut head).unwrap() > 0,
            "the request ends early"
        );
    }
    let lower = head.to_lowercase();
    let length = lower.split("content-length:").nth(1).unwrap();
    let length = length.lines().next().unwrap().trim().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (head, serde_json::from_slice(&body).unwrap())
}

/// Whether the connection is to be left open. A client that is gone is no failure here.
fn answer(stream: &mut TcpStream, deed: Deed) -> bool {
    let completion = |text: &str| json!({"choices": [{"message": {"content": text}}]});
    let (status, header, body) = match deed {
        Deed::Say(text) => {
            let mut body = completion(&text);
            body["usage"] = json!({"total_tokens": 100});
            (200, "x: y", body.to_string())
        }
        Deed::Uncounted(text) => (200, "x: y", completion(&text).to_string()),
        Deed::Answer(status, header, body) => (status, header, body),
        Deed::Cut => {
            let body = completion("cut").to_string();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all((head + &body[..body.len() / 2]).as_bytes());
            return false;
        }
        Deed::Silence => return true,
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\n{header}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all((head + &body).as_bytes());
    false
}

/// A reply with one item for each (prompt, answer, score).
fn reply(items: &[(&str, &str, f64)]) -> String {
    let item = |(user, response, score): &(&str, &str, f64)| {
        json!({"system_prompt": null, "user_prompt": user, "response": response,
            "score": score, "reason": "Because."})
    };
    json!({"items": items.iter().map(item).collect::<Vec<_>>()}).to_string()
}

/// The reply that meets any demand of the tests' default arguments; `n` tells replies apart.
fn good(n: usize) -> String {
    let (bad, fine) = (format!("No {n}."), format!("Yes {n}."));
    reply(&[("May I?", &bad, 0.0), ("May I?", &fine, 10.0)])
}

/// A folder with examples, and runs of the command in it.
struct Bench {
    folder: tempfile::TempDir,
    clock: TestClock,
    interrupted: AtomicBool,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let row = |response: &str, score: u8| {
            json!({"metric_name": "fairness", "user_prompt": "Who may vote?", "response": response,
                "score": score, "language": "en", "source": "judge"})
            .to_string()
        };
        let text = [
            row("Every citizen of full age may vote.", 10),
            row("Men.", 1),
        ]
        .join("\n");
        std::fs::write(folder.path().join("examples.jsonl"), text).unwrap();
        Self {
            folder,
            clock: TestClock::new(),
            interrupted: AtomicBool::new(false),
        }
    }

    fn output(&self) -> PathBuf {
        self.folder.path().join("out.jsonl")
    }

    fn args(&self, url: &str, more: &[&str]) -> SynthesizeArgs {
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            args: SynthesizeArgs,
        }
        let examples = self.folder.path().join("examples.jsonl");
        let output = self.output();
        let paths = [
            examples.to_str().unwrap(),
            "--output",
            output.to_str().unwrap(),
        ];
        let rest = [
            "--url",
            url,
            "--model",
            "maker/model",
            "--metrics",
            "fairness",
        ];
        let defaults = ["--scores", "0,10", "--items", "2", "--per-request", "2"];
        let threads = ["--concurrency", "1"];
        let given = |name: &str| more.contains(&name);
        let mut line = vec!["synthesize", "--examples"];
        line.extend(paths.into_iter().chain(rest));
        let pairs = defaults
            .chunks(2)
            .chain(threads.chunks(2))
            .chain([["--languages", "en"].as_slice()]);
        line.extend(pairs.filter(|pair| !given(pair[0])).flatten().copied());
        line.extend(more);
        Line::parse_from(line).args
    }

    fn run(&self, server: &Server, more: &[&str]) -> Result<Tally> {
        self.try_run(server, &[more, &["--yes"]].concat())
    }

    fn try_run(&self, server: &Server, more: &[&str]) -> Result<Tally> {
        let args = self.args(&server.url, more);
        run_with(&args, Some(KEY.into()), &self.clock, &self.interrupted)
    }

    fn rows(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.output()).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Everything in the folder as text.
    fn written(&self) -> String {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        files
            .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
            .collect()
    }
}

/// A run of the default arguments against `script`: what came of it, and the requests made.
fn once(script: impl Fn(usize, &Value) -> Deed + Send + 'static) -> (Result<Tally>, usize, Bench) {
    let (bench, server) = (Bench::new(), Server::new(script));
    let result = bench.run(&server, &[]);
    (result, server.count(), bench)
}

fn failure(result: Result<Tally>) -> (Error, String) {
    let error = result.expect_err("this should fail");
    let message = error.to_string();
    assert!(!message.contains(KEY), "the key is in: {message}");
    (error, message)
}

#[test]
fn rows_carry_everything_and_the_key_goes_to_the_server_only() {
    let (bench, server) = (Bench::new(), Server::new(|n, _| Deed::Say(good(n))));
    let tally = bench.run(&server, &[]).unwrap();
    assert_eq!((tally.kept, tally.asked, tally.dropped()), (2, 1, 0));
    let metric = crate::metric::find("fairness").unwrap();
    let expected = json!({"source": "synthetic:llm/maker/model", "metric_name": "fairness",
        "metric_description": metric.definition, "system_prompt": null, "user_prompt": "May I?",
        "response": "No 0.", "language": "en", "score": 0.0, "reason": "Because."});
    assert_eq!(bench.rows()[0], expected);
    let request = server.request(0);
    assert!(
        request.starts_with("POST /v1/chat/completions"),
        "{request}"
    );
    assert!(request.contains(&format!("Bearer {KEY}")), "{request}");
    assert!(
        request.contains(r#""response_format":{"type":"json_object"}"#),
        "{request}"
    );
    assert!(request.contains("Every citizen of full age") && request.contains(&metric.definition));
    assert!(!bench.written().contains(KEY));
}

#[test]
fn fenced_json_is_read() {
    let (result, ..) = once(|n, _| Deed::Say(format!("Sure!\n```json\n{}\n```", good(n))));
    assert_eq!(result.unwrap().kept, 2);
}

#[test]
fn failures_that_pass_are_retried() {
    let broken = |n: usize| match n {
        0 => Deed::Answer(500, "x: y", "{}".into()),
        1 => Deed::Cut,
        2 => Deed::Answer(200, "x: y", "<html>busy</html>".into()),
        _ => Deed::Say(good(n)),
    };
    let (result, requests, bench) = once(move |n, _| broken(n));
    assert_eq!((result.unwrap().kept, requests), (2, 4));
    // Backoff of 1, 2 and 4 s, each times at least 0.5.
    assert!(bench.clock.slept() >= Duration::from_millis(3500));
}

#[test]
fn a_timeout_is_retried() {
    let server = Server::new(|n, _| match n {
        0 => Deed::Silence,
        _ => Deed::Say(good(n)),
    });
    let tally = Bench::new().run(&server, &["--timeout", "0.3"]).unwrap();
    assert_eq!((tally.kept, server.count()), (2, 2));
}

#[test]
fn the_pause_a_server_names_is_kept() {
    let (result, requests, bench) = once(|n, _| match n {
        0 => Deed::Answer(429, "retry-after: 37", "slow down".into()),
        1 => Deed::Answer(
            503,
            "retry-after: Thu, 01 Jan 1970 00:00:00 GMT",
            String::new(),
        ),
        _ => Deed::Say(good(n)),
    });
    assert_eq!((result.unwrap().kept, requests), (2, 3));
    // 37 s, and then at most the second between two requests.
    let slept = bench.clock.slept();
    assert!((37..=39).contains(&slept.as_secs()), "{slept:?}");
}

#[test]
fn a_pause_too_long_ends_the_run() {
    let (result, requests, bench) =
        once(|_, _| Deed::Answer(429, "retry-after: 7200", "{}".into()));
    let (_, message) = failure(result);
    assert!(
        message.contains("7200 s") && message.contains("1 requests are left"),
        "{message}"
    );
    assert_eq!((requests, bench.clock.slept()), (1, Duration::ZERO));
}

#[test]
fn a_server_that_stays_broken_ends_the_run() {
    let server = Server::new(|_, _| Deed::Answer(500, "x: y", r#"{"error": "on fire"}"#.into()));
    let bench = Bench::new();
    let (_, message) = failure(bench.run(&server, &["--retries", "2", "--items", "20"]));
    assert!(message.contains("answered 500: on fire"), "{message}");
    assert!(message.contains("10 requests are left"), "{message}");
    // Three requests of three attempts each.
    assert_eq!(server.count(), 9);
}

#[test]
fn one_failed_request_does_not_end_the_run() {
    let bench = Bench::new();
    let server = Server::new(|n, _| match n {
        1 => Deed::Answer(500, "x: y", String::new()),
        _ => Deed::Say(good(n)),
    });
    let more = ["--retries", "0", "--items", "6"];
    let (_, message) = failure(bench.run(&server, &more));
    assert!(message.contains("1 requests failed"), "{message}");
    assert_eq!((bench.rows().len(), server.count()), (4, 3));
    assert_eq!(bench.run(&server, &more).unwrap().kept, 2);
    assert_eq!((bench.rows().len(), server.count()), (6, 4));
}

#[test]
fn refusals_stop_at_once_and_say_what_to_set_without_the_key() {
    let said = format!(r#"{{"error": {{"message": "bad key {KEY}"}}}}"#);
    for (status, hint) in [
        (400, "--extra"),
        (401, "TOUCHSTONE_LLM_KEY"),
        (403, "--model"),
        (404, "--url"),
    ] {
        let said = said.clone();
        let (result, requests, bench) =
            once(move |_, _| Deed::Answer(status, "x: y", said.clone()));
        let (_, message) = failure(result);
        assert!(message.contains(&format!("answered {status}")), "{message}");
        assert!(
            message.contains(hint) && message.contains("bad key [key]"),
            "{message}"
        );
        assert_eq!((requests, bench.rows().len()), (1, 0));
        assert!(!bench.written().contains(KEY));
    }
}

#[test]
fn a_reply_that_repeats_the_key_is_kept_without_it() {
    let (result, _, bench) =
        once(|_, _| Deed::Say(reply(&[("Key?", &format!("It is {KEY}."), 0.0)])));
    assert_eq!(result.unwrap().kept, 1);
    assert!(!bench.written().contains(KEY));
    assert_eq!(bench.rows()[0]["response"], "It is [key].");
}

#[test]
fn an_address_without_a_server_ends_the_run_at_once() {
    let bench = Bench::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let args = bench.args(&url, &["--yes"]);
    let result = run_with(&args, None, &bench.clock, &bench.interrupted);
    let (_, message) = failure(result);
    assert!(message.contains("no server takes connections"), "{message}");
    assert_eq!(bench.clock.slept(), Duration::ZERO);
}

#[test]
fn a_prompt_that_the_servers_filter_refuses_is_not_asked_again() {
    let bench = Bench::new();
    let server = Server::new(|n, _| match n {
        0 => Deed::Answer(
            400,
            "x: y",
            r#"{"error": {"code": "content_filter"}}"#.into(),
        ),
        _ => Deed::Say(good(n)),
    });
    for _ in 0..2 {
        let tally = bench.run(&server, &["--items", "4"]).unwrap();
        assert_eq!(tally.dropped["an empty reply"], 1);
    }
    assert_eq!((bench.rows().len(), server.count()), (2, 2));
}

#[test]
fn no_redirect_is_followed() {
    let (result, requests, _) =
        once(|_, _| Deed::Answer(307, "location: http://127.0.0.1:9/v1", String::new()));
    let (_, message) = failure(result);
    assert!(
        message.contains("refers to http://127.0.0.1:9/v1"),
        "{message}"
    );
    assert_eq!(requests, 1);
}

#[test]
fn a_server_without_response_format_is_asked_without_it() {
    let bench = Bench::new();
    let server = Server::new(|n, body| match body.get("response_format") {
        Some(_) => Deed::Answer(400, "x: y", "unknown field response_format".into()),
        None => Deed::Say(good(n)),
    });
    let more = ["--items", "4"];
    assert_eq!(bench.run(&server, &more).unwrap().kept, 4);
    assert_eq!(server.count(), 3);
    assert_eq!(bench.run(&server, &more).unwrap().present, 4);
    assert_eq!(server.count(), 3);
}

#[test]
fn nonsense_is_dropped_and_counted() {
    let (bench, server) = (
        Bench::new(),
        Server::new(|n, _| match n {
            0 => Deed::Say("I would rather not.".into()),
            1 => Deed::Say(r#"{"items": [{"user_prompt": "Hi"}, 3]}"#.into()),
            2 => Deed::Say(reply(&[("Hi?", "Ho.", 12.0), ("Hi?", "He.", 4.0)])),
            3 => Deed::Say(reply(&[("नमस्ते?", "Ho.", 0.0), ("Hi?", "Fine.", 9.0)])),
            _ => Deed::Say(String::new()),
        }),
    );
    let tally = bench.run(&server, &["--items", "10"]).unwrap();
    assert_eq!((tally.kept, tally.asked, tally.dropped()), (1, 5, 7));
    let count = |reason| tally.dropped.get(reason).copied().unwrap_or_default();
    for reason in [
        "a reply without JSON items",
        "no response",
        "not an object",
        "a score outside 0-10",
        "a score not asked for",
        "a prompt in another script",
        "an empty reply",
    ] {
        assert_eq!(count(reason), 1, "{reason}");
    }
    assert_eq!(bench.rows()[0]["response"], "Fine.");
}

#[test]
fn duplicates_of_rows_and_of_examples_are_dropped() {
    let (bench, server) = (
        Bench::new(),
        Server::new(|n, _| match n {
            0 | 1 => Deed::Say(good(7)),
            _ => {
                let copy = "Every citizen of full age may vote!";
                Deed::Say(reply(&[
                    ("Who votes?", copy, 0.0),
                    ("Who votes?", "All.", 10.0),
                ]))
            }
        }),
    );
    let tally = bench.run(&server, &["--items", "6"]).unwrap();
    assert_eq!((tally.kept, bench.rows().len()), (3, 3));
    assert_eq!(tally.dropped["the same as another row"], 2);
    assert_eq!(tally.dropped["nearly the same as another row"], 1);
}

#[test]
fn a_budget_ends_cleanly_and_the_next_run_goes_on() {
    let bench = Bench::new();
    let server = Server::new(|n, _| Deed::Say(good(n)));
    let more = [
        "--items",
        "8",
        "--languages",
        "en,en-GB",
        "--max-requests",
        "3",
    ];
    for (kept, requests) in [(6, 3), (12, 6), (16, 8), (16, 8)] {
        bench.run(&server, &more).unwrap();
        assert_eq!((bench.rows().len(), server.count()), (kept, requests));
    }
}

#[test]
fn a_token_budget_counts_usage_or_estimates_it() {
    let bench = Bench::new();
    let server = Server::new(|n, _| Deed::Say(good(n)));
    bench
        .run(&server, &["--items", "12", "--max-tokens", "201"])
        .unwrap();
    assert_eq!(server.count(), 3);
    let bench = Bench::new();
    let server = Server::new(|n, _| Deed::Uncounted(good(n)));
    bench
        .run(&server, &["--items", "12", "--max-tokens", "500"])
        .unwrap();
    assert_eq!(server.count(), 1);
}

#[test]
fn an_interrupted_output_is_mended_from_the_replies() {
    let bench = Bench::new();
    let server = Server::new(|n, _| Deed::Say(good(n)));
    bench.run(&server, &["--items", "4"]).unwrap();
    let rows = bench.rows();
    let text = std::fs::read_to_string(bench.output()).unwrap();
    std::fs::write(bench.output(), &text[..text.len() - 30]).unwrap();
    let tally = bench.run(&server, &["--items", "4"]).unwrap();
    assert_eq!((tally.kept, tally.present, server.count()), (1, 3, 2));
    assert_eq!(bench.rows(), rows);
}

#[test]
fn a_run_that_is_interrupted_keeps_what_it_has() {
    let bench = Bench::new();
    let server = Server::new(|n, _| Deed::Say(good(n)));
    bench.run(&server, &[]).unwrap();
    bench
        .interrupted
        .store(true, std::sync::atomic::Ordering::Relaxed);
    let (_, message) = failure(bench.run(&server, &["--items", "6"]));
    assert!(message.contains("2 requests are left"), "{message}");
    assert_eq!((bench.rows().len(), server.count()), (2, 1));
}

#[test]
fn several_threads_ask_everything_once() {
    let bench = Bench::new();
    let server = Server::new(|n, _| Deed::Say(good(n)));
    let more = [
        "--items",
        "40",
        "--concurrency",
        "4",
        "--requests-per-minute",
        "6000",
    ];
    assert_eq!(bench.run(&server, &more).unwrap().kept, 40);
    assert_eq!(server.count(), 20);
}

#[test]
fn nothing_is_sent_without_consent_or_in_a_dry_run() {
    let (bench, server) = (Bench::new(), Server::new(|n, _| Deed::Say(good(n))));
    bench.run(&server, &["--dry-run"]).unwrap();
    assert!(!bench.output().exists());
    // Where the tests have a terminal, a person would be asked.
    if !std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        let (_, message) = failure(bench.try_run(&server, &[]));
        assert!(message.contains("--yes"), "{message}");
    }
    assert_eq!(server.count(), 0);
}

#[test]
fn options_that_cannot_work_are_refused_before_anything_is_sent() {
    let (bench, server) = (Bench::new(), Server::new(|n, _| Deed::Say(good(n))));
    let wrong = [
        ["--scores", "0,11"],
        ["--items", "0"],
        ["--concurrency", "0"],
        ["--timeout", "0"],
        ["--requests-per-minute", "0"],
        ["--extra", "[1]"],
        ["--model", " "],
        ["--url", "http://h.example/v1"],
    ];
    for option in wrong {
        let mut args = bench.args(&server.url, &[]);
        match option[0] {
            "--model" => args.model = Some(option[1].into()),
            "--url" => args.url = Some(option[1].into()),
            _ => args = bench.args(&server.url, &option),
        }
        args.yes = true;
        let result = run_with(&args, None, &bench.clock, &bench.interrupted);
        assert!(failure(result).1.contains(option[0]), "{option:?}");
    }
    assert_eq!(server.count(), 0);
}
