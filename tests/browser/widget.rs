//! The scorer inside pages of other origins: the element, its frame, and what the frame refuses.
//!
//! The scorer's host is on 127.0.0.1 and the pages are on `localhost`: another site, so that the frame's
//! storage is partitioned as it is on the web.

use std::path::Path;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::middleware::map_response;
use axum::response::{Html, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use touchstone::cli::serve;
use tower_http::services::ServeDir;

use crate::browser::Browser;
use crate::page::{Page, dist, spawn, tiny_dist};
use crate::{TOLERANCE, common, native, task};

const PLAIN: &str = include_str!("../../examples/plain-page/index.html");
/// Where the example expects the scorer.
const EXPECTED: &str = "http://127.0.0.1:8080/";
/// Speaks with the frame without the element.
const RAW: &str = "<!doctype html><html lang='en'><title>raw</title><iframe id='frame' src='HOST/embed.html'></iframe>
    <script>
      const got = [];
      addEventListener('message', ({ data, origin }) => got.push({ ...data, origin }));
      const post = message => document.querySelector('#frame').contentWindow.postMessage(message, '*');
      const task = response => ({ metric: 'fairness', user: 'Who?', response });
      const answer = id => got.find(it => it.id === id && it.type !== 'progress');
    </script>";
/// Two elements, one of them compact.
const PAIR: &str = "<!doctype html><html lang='en'><title>pair</title><meta name='color-scheme' content='light dark'>
    <script type='module' src='HOST/widget-define.js'></script>
    <main><h1>Two answers</h1>
      <touchstone-scorer id='one' metric='fairness' prompt='Who gets the flat?' response='Whoever came first. Nobody else. That is all.'></touchstone-scorer>
      <touchstone-scorer id='two' compact metric='fairness' prompt='Who gets the flat?' response='My cousin.'></touchstone-scorer>
    </main>";
/// The text of an element, as it is seen.
const CARD: &str = "document.querySelector('touchstone-scorer').shadowRoot?.querySelector('.card')";

/// A page of another origin.
struct Tool {
    name: &'static str,
    html: &'static str,
    browser: Browser<'static>,
}

impl Default for Tool {
    fn default() -> Self {
        Self {
            name: "localhost",
            html: RAW,
            browser: Browser::default(),
        }
    }
}

impl Tool {
    fn page(html: &'static str) -> Self {
        Self {
            html,
            ..Self::default()
        }
    }

    /// Opens the page beside `touchstone serve --embed-origin`, which names its origin.
    async fn open(&self, dist: &Path) -> Page {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = self.origin(&listener);
        let host = spawn(serve::router(dist, &[], &[origin]).unwrap()).await;
        self.open_at(listener, &host).await
    }

    /// Opens the page beside any host of the scorer.
    async fn open_beside(&self, host: &str) -> Page {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.open_at(listener, host).await
    }

    async fn open_at(&self, listener: TcpListener, host: &str) -> Page {
        let address = self.origin(&listener) + "/";
        let html = self.html.replace("HOST/", host).replace(EXPECTED, host);
        let router = Router::new().route("/", get(|| async { Html(html) }));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Page::start(&self.browser, &address).await
    }

    fn origin(&self, listener: &TcpListener) -> String {
        format!(
            "http://{}:{}",
            self.name,
            listener.local_addr().unwrap().port()
        )
    }
}

/// A static host: no headers, and `embed.json` as it is written there, if it is.
async fn static_host(dist: &Path, embed: Option<&str>) -> String {
    if let Some(text) = embed {
        std::fs::write(dist.join("embed.json"), text).unwrap();
    }
    spawn(Router::new().fallback_service(ServeDir::new(dist))).await
}

impl Page {
    /// Waits for the page's first element to be in a state, and answers its text.
    async fn card(&self, state: &str) -> String {
        let shown = format!("{CARD}?.dataset.state === '{state}' && {CARD}.innerText");
        let text = self
            .wait(&format!("the element is in {state}"), 240, &shown)
            .await;
        text.as_str().unwrap().replace('\n', " ")
    }

    /// Sends messages to the frame and waits for the answer to the one with this id.
    async fn ask(&self, messages: &str, id: u32) -> Value {
        self.wait("the frame stands", 20, "document.readyState === 'complete'")
            .await;
        self.run(messages).await;
        self.wait("an answer came", 240, &format!("answer({id})"))
            .await
    }

    /// Kinds of the errors that came, in order.
    async fn refusals(&self) -> Value {
        self.run("return got.filter(it => it.type === 'error').map(it => [it.id, it.error.kind])")
            .await
    }
}

// --- The element ---

#[tokio::test]
async fn the_plain_page_scores_as_the_native_build() {
    let page = Tool::page(PLAIN).open(&dist()).await;
    page.run("addEventListener('touchstone-result', event => window.result = event.detail)")
        .await;
    let shown = page.card("result").await;
    let score = page
        .script("return document.querySelector('touchstone-scorer').score()")
        .await;
    let task = task(
        "task_completion_rate",
        "I have a fever since this morning. What should I do?",
        "Rest and drink plenty of water. See a doctor if the fever lasts longer than three days.",
    );
    let expected = f64::from(native(common::real_model(), &task).score);
    let found = score["score"].as_f64().unwrap();
    assert!(
        (found - expected).abs() < TOLERANCE,
        "{found}, native {expected}"
    );
    assert!(shown.contains(&format!("{found:.1}")), "{found}: {shown}");
    assert!(shown.contains("Task completion"), "{shown}");
    let detail = page.wait("the event came", 5, "window.result").await;
    assert_eq!(detail["task"]["metric"], "task_completion_rate");
    assert_eq!(detail["result"]["score"], score["score"]);
    for scheme in ["light", "dark"] {
        page.run(&format!(
            "document.documentElement.style.colorScheme = '{scheme}'"
        ))
        .await;
        page.screenshot(&format!("widget-plain-{scheme}")).await;
    }
    page.close().await;
}

#[tokio::test]
async fn elements_share_one_frame_and_survive_being_taken_out() {
    let dist = tiny_dist();
    let page = Tool::page(PAIR).open(dist.path()).await;
    page.card("result").await;
    let story = "
        const [one, two] = ['one', 'two'].map(id => document.getElementById(id));
        await two.score();
        const frames = () => document.querySelectorAll('iframe').length;
        const frame = document.querySelector('iframe');
        const before = await one.score();
        let loads = 0, scores = 0;
        addEventListener('touchstone-progress', () => loads++);
        addEventListener('touchstone-result', () => scores++);
        one.remove();
        await new Promise(resolve => setTimeout(resolve, 100));
        document.body.append(one);
        const after = await one.score();
        document.body.replaceChildren(one, two);
        const moved = await two.score();
        two.setAttribute('response', 'Everybody who has ever asked for it, one after the other.');
        const other = await two.score();
        one.setAttribute('src', new URL('./', frame.src).href);
        const again = await one.score();
        return { renewed: again !== after, frames: frames(), same: frame === document.querySelector('iframe') && frame.isConnected,
            loads, scores, kept: after === before, moved: typeof moved.score, state: one.shadowRoot.querySelector('.card').dataset.state,
            other: other.receipt.tokens !== moved.receipt.tokens };";
    let expected = json!({ "renewed": true, "frames": 1, "same": true, "loads": 0, "scores": 2, "kept": true,
        "moved": "number", "state": "result", "other": true });
    assert_eq!(page.script(story).await, expected);
    page.close().await;
}

#[tokio::test]
async fn a_page_without_custom_elements_uses_the_class() {
    let dist = tiny_dist();
    let page = Tool::page(PAIR).open(dist.path()).await;
    page.card("result").await;
    let story = "
        const source = document.querySelector('script').src;
        const { Touchstone } = await import(source.replace('widget-define', 'widget'));
        const target = document.createElement('section');
        document.body.append(target);
        const heard = [];
        target.addEventListener('touchstone-result', ({ detail }) => heard.push(detail.task.response));
        const scorer = new Touchstone(target, { metric: 'fairness', response: 'First.', lang: 'hi', compact: true });
        await scorer.score();
        const shown = target.firstChild.shadowRoot.querySelector('.title').textContent;
        scorer.update({ response: 'Second.' });
        await scorer.score();
        scorer.destroy();
        return { heard, shown, left: target.childElementCount };";
    let expected = json!({ "heard": ["First.", "Second."], "shown": "निष्पक्षता", "left": 0 });
    assert_eq!(page.script(story).await, expected);
    page.close().await;
}

#[tokio::test]
async fn explanation_profile_and_correction_come_back_to_the_page() {
    let dist = tiny_dist();
    let page = Tool::page(PAIR).open(dist.path()).await;
    page.card("result").await;
    let story = "
        const one = document.getElementById('one');
        const score = await one.score();
        const explained = await one.explain();
        const { scores } = await one.profile();
        let heard = null;
        document.body.addEventListener('touchstone-correction', ({ detail }) => heard = detail);
        const inside = one.shadowRoot;
        const [why, wrong] = inside.querySelectorAll('.actions button');
        why.click();
        while (!inside.querySelector('.sentence')) await new Promise(resolve => setTimeout(resolve, 50));
        const painted = inside.querySelectorAll('.sentence').length;
        wrong.click();
        const slider = inside.querySelector('[type=range]');
        slider.value = 2.5;
        inside.querySelector('form button').click();
        return { parts: explained.parts.length, painted, metrics: scores.length > 100, closed: why.ariaExpanded,
            corrected: heard.corrected, predicted: heard.predicted.score === score.score, metric: heard.task.metric };";
    let expected = json!({ "parts": 3, "painted": 3, "metrics": true, "closed": "false",
        "corrected": 2.5, "predicted": true, "metric": "fairness" });
    assert_eq!(page.script(story).await, expected);
    page.close().await;
}

#[tokio::test]
async fn what_is_cancelled_ends_and_the_next_score_comes() {
    let dist = tiny_dist();
    let page = Tool::page(PAIR).open(dist.path()).await;
    page.card("result").await;
    let story = "
        const one = document.getElementById('one');
        const name = promise => promise.then(() => 'scored', error => error.name);
        const long = { metric: 'fairness', user: '', response: 'A long answer. '.repeat(2000) };
        const abort = new AbortController();
        const aborted = name(one.score(long, { signal: abort.signal }));
        abort.abort();
        const overtaken = name(one.score({ ...long, user: 'again' }));
        const cancelled = name(one.score({ ...long, user: 'and again' }));
        await one.cancel();
        const state = one.shadowRoot.querySelector('.card').dataset.state;
        const empty = one.score({ metric: 'fairness', response: ' ' }).catch(error => error.kind);
        const explained = name(one.explain(long, { signal: AbortSignal.abort() }));
        return [await aborted, await overtaken, await cancelled, state, await empty, await explained,
            await name(one.score({ metric: 'fairness', response: 'Short.' }))];";
    let expected = json!([
        "AbortError",
        "AbortError",
        "AbortError",
        "stopped",
        "input",
        "AbortError",
        "scored"
    ]);
    assert_eq!(page.script(story).await, expected);
    page.close().await;
}

#[tokio::test]
async fn axe_finds_nothing_in_the_element() {
    let dist = tiny_dist();
    let page = Tool::page(PAIR).open(dist.path()).await;
    page.card("result").await;
    let mut found = Vec::new();
    for (lang, direction) in [("en", "ltr"), ("hi", "rtl")] {
        for scheme in ["light", "dark"] {
            let set = format!(
                "for (const it of document.querySelectorAll('touchstone-scorer'))
                    Object.entries({{ lang: '{lang}', dir: '{direction}', theme: '{scheme}' }}).forEach(pair => it.setAttribute(...pair));
                 document.documentElement.style.colorScheme = '{scheme}';
                 await document.querySelector('touchstone-scorer').explain();"
            );
            page.script(&set).await;
            let spoken = format!("{CARD}.lang === '{lang}'");
            page.wait("the language is there", 60, &spoken).await;
            for button in 0..2 {
                let open = format!(
                    "document.querySelector('touchstone-scorer').shadowRoot.querySelectorAll('.actions button')[{button}].click()"
                );
                page.run(&open).await;
                let there = format!("{CARD}.querySelector('.sentence, form') !== null");
                page.wait("the part is open", 60, &there).await;
                found.extend(page.violations().await);
            }
            page.screenshot(&format!("widget-{lang}-{scheme}")).await;
        }
    }
    assert!(found.is_empty(), "{found:#?}");
    let overhang = "const { scrollWidth, clientWidth } = document.documentElement; return scrollWidth - clientWidth";
    assert_eq!(page.run(overhang).await, 0);
    page.close().await;
}

// --- Where it may run ---

#[tokio::test]
async fn a_strict_page_needs_the_scorer_in_two_places_of_its_policy() {
    const STRICT: &str = "<!doctype html><html lang='en'><title>strict</title>
        <meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; script-src HOST/; frame-src HOST/\">
        <script type='module' src='HOST/widget-define.js'></script>
        <touchstone-scorer metric='fairness' response='Yes.'></touchstone-scorer>";
    let dist = tiny_dist();
    let page = Tool::page(STRICT).open(dist.path()).await;
    page.card("result").await;
    let background = format!("return getComputedStyle({CARD}).borderTopStyle");
    assert_eq!(page.run(&background).await, "solid", "the styles are there");
    page.close().await;
}

#[tokio::test]
async fn plain_http_runs_on_the_cpu_and_says_so() {
    let tool = Tool {
        name: "tool.example",
        html: PAIR,
        browser: Browser {
            flags: &["--host-resolver-rules=MAP tool.example 127.0.0.1"],
            ..Browser::default()
        },
    };
    let dist = tiny_dist();
    let page = tool.open(dist.path()).await;
    assert_eq!(page.run("return isSecureContext").await, false);
    let shown = page.card("result").await;
    assert!(shown.contains("plain HTTP"), "{shown}");
    assert!(shown.contains("CPU. WebGPU needs a secure"), "{shown}");
    page.close().await;
}

#[tokio::test]
async fn plain_http_verifies_every_file_of_the_model() {
    for name in ["encoder.safetensors", "heads.safetensors", "tokenizer.json"] {
        let tool = Tool {
            name: "tool.example",
            html: PAIR,
            browser: Browser {
                flags: &["--host-resolver-rules=MAP tool.example 127.0.0.1"],
                ..Browser::default()
            },
        };
        let dist = tiny_dist();
        let path = dist.path().join("model").join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(path, bytes).unwrap();
        let page = tool.open(dist.path()).await;
        let shown = page.card("error").await;
        assert!(shown.contains(name) && shown.contains("SHA-256"), "{shown}");
        page.close().await;
    }
}

#[tokio::test]
async fn a_browser_without_storage_scores() {
    let tool = Tool {
        html: PAIR,
        browser: Browser {
            preferences: json!({ "profile.default_content_setting_values.cookies": 2 }),
            ..Browser::default()
        },
        ..Tool::default()
    };
    let dist = tiny_dist();
    let page = tool.open(dist.path()).await;
    let storage = "try { return localStorage.length } catch (error) { return error.name }";
    assert_eq!(page.run(storage).await, "SecurityError");
    page.card("result").await;
    page.close().await;
}

#[tokio::test]
async fn a_sandbox_without_an_origin_is_named() {
    let dist = tiny_dist();
    let page = Tool::default().open(dist.path()).await;
    page.ask("post({ v: 1, id: 1, type: 'hello' })", 1).await;
    page.run("const it = document.querySelector('#frame'); it.sandbox = 'allow-scripts'; it.src = it.src;")
        .await;
    let said = "got.find(it => it.error?.kind === 'sandbox')";
    let said = page.wait("the frame says so", 20, said).await;
    assert_eq!(
        [&said["origin"], &said["id"]],
        [&json!("null"), &Value::Null]
    );
    let message = said["error"]["message"].as_str().unwrap();
    assert!(message.contains("allow-same-origin"), "{message}");
    page.close().await;
}

#[tokio::test]
async fn an_element_in_a_sandboxed_page_says_what_is_missing() {
    const OUTER: &str = "<!doctype html><html lang='en'><title>outer</title>
        <iframe sandbox='allow-scripts' srcdoc=\"<script type='module' src='HOST/widget-define.js'></script>
            <script>addEventListener('touchstone-error', event => parent.postMessage(event.detail, '*'))</script>
            <touchstone-scorer metric='fairness' response='Yes.'></touchstone-scorer>\"></iframe>
        <script>addEventListener('message', ({ data }) => window.said = data)</script>";
    let dist = tiny_dist();
    // A host of the package that lets any page load it: modules come to a sandbox only so.
    let open = map_response(|mut response: Response| async {
        let any = HeaderValue::from_static("*");
        response
            .headers_mut()
            .insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
        response
    });
    let files = ServeDir::new(dist.path());
    let host = spawn(Router::new().fallback_service(files).layer(open)).await;
    let page = Tool::page(OUTER).open_beside(&host).await;
    let said = page.wait("the element says so", 30, "window.said").await;
    assert_eq!(said["kind"], "sandbox");
    page.close().await;
}

// --- Who may embed it ---

#[tokio::test]
async fn a_page_that_is_not_listed_gets_no_frame() {
    let dist = tiny_dist();
    let host =
        spawn(serve::router(dist.path(), &[], &["https://other.example".into()]).unwrap()).await;
    let page = Tool::default().open_beside(&host).await;
    page.wait(
        "the frame is refused",
        20,
        "document.readyState === 'complete'",
    )
    .await;
    page.run("post({ v: 1, id: 1, type: 'hello' })").await;
    // Another frame of the same host that is let in answers; this one had more time by then.
    let there = page
        .client
        .find(fantoccini::Locator::Css("#frame"))
        .await
        .unwrap();
    there.enter_frame().await.unwrap();
    let inside = page
        .run("return document.body.innerText + location.href")
        .await;
    let inside = inside.as_str().unwrap();
    assert!(
        inside.contains("chrome-error"),
        "the browser blocks it: {inside}"
    );
    page.close().await;
}

#[tokio::test]
async fn nobody_may_embed_it_by_default() {
    for (list, why) in [
        (None, "may not use this scorer"),
        (
            Some(r#"{ "origins": ["https://other.example"] }"#),
            "may not use this scorer",
        ),
        (Some(r#"{ "origins": ["*"] }"#), "embed.json cannot be used"),
        (Some("localhost"), "embed.json cannot be used"),
    ] {
        let dist = tiny_dist();
        let host = static_host(dist.path(), list).await;
        let page = Tool::default().open_beside(&host).await;
        let score = "post({ v: 1, id: 1, type: 'score', task: task('Yes.') })";
        let answer = page.ask(score, 1).await;
        assert_eq!(answer["error"]["kind"], "origin", "{list:?}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(
            message.contains(why) && message.contains("http://localhost:"),
            "{message}"
        );
        page.close().await;
    }
}

#[tokio::test]
async fn a_file_is_answered_only_where_null_is_listed() {
    for (list, kind) in [
        (r#"{ "origins": ["http://localhost"] }"#, json!("origin")),
        (r#"{ "origins": ["null"] }"#, Value::Null),
    ] {
        let dist = tiny_dist();
        let host = static_host(dist.path(), Some(list)).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tool.html");
        std::fs::write(&file, RAW.replace("HOST/", &host)).unwrap();
        let page = Page::start(&Browser::default(), &format!("file://{}", file.display())).await;
        let answer = page.ask("post({ v: 1, id: 1, type: 'hello' })", 1).await;
        assert_eq!(answer["error"]["kind"], kind, "{list}");
        page.close().await;
    }
}

#[tokio::test]
async fn only_the_embedding_window_is_answered() {
    let dist = tiny_dist();
    let page = Tool::default().open(dist.path()).await;
    // A second frame of the listed page reaches the scorer's window, and is not the one around it.
    let intruder = "const it = document.createElement('iframe');
        it.srcdoc = `<script>addEventListener('message', ({ data }) => parent.got.push({ ...data, intruder: true }));
            parent.document.querySelector('#frame').contentWindow.postMessage({ v: 1, id: 1, type: 'hello' }, '*')</scr` + `ipt>`;
        window.got = got; document.body.append(it);";
    page.ask("post({ v: 1, id: 1, type: 'hello' })", 1).await;
    page.run(intruder).await;
    page.ask(
        "post({ v: 1, id: 2, type: 'score', task: task('Yes.') })",
        2,
    )
    .await;
    assert_eq!(page.run("return got.some(it => it.intruder)").await, false);
    assert_eq!(page.refusals().await, json!([]));
    page.close().await;
}

// --- What it refuses ---

#[tokio::test]
async fn a_message_that_comes_twice_is_answered_once() {
    let dist = tiny_dist();
    let page = Tool::default().open(dist.path()).await;
    let twice =
        "for (const id of [5, 5, 4, 6]) post({ v: 1, id, type: 'score', task: task('Yes.') })";
    page.ask(twice, 6).await;
    assert_eq!(
        page.refusals().await,
        json!([[null, "replay"], [null, "replay"]])
    );
    let results = "return got.filter(it => it.type === 'result').map(it => it.id)";
    assert_eq!(page.run(results).await, json!([5, 6]));
    page.close().await;
}

#[tokio::test]
async fn unknown_versions_and_shapes_are_refused_by_name() {
    let dist = tiny_dist();
    let page = Tool::default().open(dist.path()).await;
    let messages = "
        post({ v: 2, id: 1, type: 'hello' });
        post('hello');
        post({ v: 1, id: 1.5, type: 'hello' });
        post({ v: 1, id: 2, type: 'constructor' });
        post({ v: 1, id: 3, type: 'score', task: { ...task('Yes.'), metric: 7 } });
        post({ v: 1, id: 4, type: 'explain', task: task('Yes.'), part: 'all' });
        post({ v: 1, id: 5, type: 'words', lang: {} });
        post({ v: 1, id: 6, type: 'profile', task: task('Yes.'), own: [{ name: 'mine' }] });
        post({ v: 1, id: 7, type: 'hello' });";
    page.ask(messages, 7).await;
    let expected = json!([
        [1, "version"],
        [null, "version"],
        [null, "protocol"],
        [2, "protocol"],
        [3, "input"],
        [4, "protocol"],
        [5, "protocol"],
        [6, "input"]
    ]);
    assert_eq!(page.refusals().await, expected);
    assert_eq!(
        page.run("return answer(1).error.supported").await,
        json!([1])
    );
    page.close().await;
}

#[tokio::test]
async fn a_flood_is_held_back_and_ebbs() {
    let dist = tiny_dist();
    let page = Tool::default().open(dist.path()).await;
    page.ask("post({ v: 1, id: 1, type: 'hello' })", 1).await;
    let flood = "for (let id = 2; id < 5002; id++) post({ v: 1, id, type: 'hello' })";
    page.run(flood).await;
    page.wait("all are answered", 60, "got.length >= 5001")
        .await;
    let kinds = "return [...new Set(got.map(it => it.error?.kind ?? it.type))]";
    assert_eq!(page.run(kinds).await, json!(["result", "flood"]));
    let held = page.run("return got.filter(it => it.error).length").await;
    assert!(
        held.as_u64().unwrap() > 2500,
        "{held} of 5,000 were held back"
    );
    // Asked again after the time that it says, as the element does.
    let patient =
        "window.asked = 6000; setInterval(() => post({ v: 1, id: ++asked, type: 'hello' }), 100)";
    page.run(patient).await;
    page.wait(
        "it answers again",
        60,
        "got.some(it => it.id > 6000 && it.type === 'result')",
    )
    .await;
    page.close().await;
}

#[tokio::test]
async fn giant_texts_are_refused_and_half_characters_read() {
    let dist = tiny_dist();
    let page = Tool::default().open(dist.path()).await;
    let texts = "
        post({ v: 1, id: 1, type: 'score', task: task('x'.repeat(50_000_000)) });
        post({ v: 1, id: 2, type: 'score', task: task('\\u0939'.repeat(400_000)) });
        post({ v: 1, id: 3, type: 'score', task: task('half \\ud83d and \\ude00') });
        post({ v: 1, id: 4, type: 'score', task: task('half \\ufffd and \\ufffd') });
        post({ v: 1, id: 5, type: 'explain', task: task('One \\ud83d. Two.') });";
    page.ask(texts, 5).await;
    assert_eq!(page.refusals().await, json!([[1, "input"], [2, "input"]]));
    let same = "return answer(3).value.score === answer(4).value.score && answer(5).value.parts.at(-1).end === 11";
    assert_eq!(page.run(same).await, true);
    page.close().await;
}
