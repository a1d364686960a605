//! The shell of the page: languages, colours, links, comparison, and what a first visit costs.

use serde_json::{Value, json};

use crate::page::{Page, tiny_dist};

/// Bytes over the wire until the first view can be used; lists, stores and the model come after it.
const FIRST_PAINT: f64 = 100_000.0;
/// Keeps what is copied, as a test has no clipboard.
const CATCH_COPIES: &str =
    "navigator.clipboard.writeText = async (text) => { window.copied = text }";

impl Page {
    /// Opens another fragment of the page as a fresh visit.
    async fn visit(&self, fragment: &str) {
        self.client.goto("about:blank").await.unwrap();
        self.client
            .goto(&format!("{}{fragment}", self.address))
            .await
            .unwrap();
        self.stands().await;
    }

    /// The link that `button` copies.
    async fn link(&self, button: &str) -> String {
        self.run(CATCH_COPIES).await;
        self.run(&format!(
            "window.copied = null; document.querySelector('{button}').click()"
        ))
        .await;
        self.wait("a link is copied", 10, "window.copied")
            .await
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// A link as a stranger may make it: `made` is a script's expression for its JSON text.
    async fn hostile(&self, made: &str) -> String {
        let script = format!(
            "const done = arguments[0];
             new Response(new Blob([{made}]).stream().pipeThrough(new CompressionStream('deflate-raw'))).arrayBuffer().then((bytes) => {{
                 let binary = ''; for (const byte of new Uint8Array(bytes)) binary += String.fromCharCode(byte);
                 done(btoa(binary).replace(/\\+/g, '-').replace(/\\//g, '_').replace(/=+$/, ''));
             }})"
        );
        let packed = self.client.execute_async(&script, vec![]).await.unwrap();
        format!("#answer?s={}", packed.as_str().unwrap())
    }

    async fn value(&self, field: &str) -> Value {
        self.run(&format!("return document.querySelector('{field}').value"))
            .await
    }
}

async fn standing() -> (tempfile::TempDir, Page) {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    page.stands().await;
    (dist, page)
}

#[tokio::test]
async fn hindi_is_one_choice_away_and_stays() {
    let (_dist, page) = standing().await;
    page.fill("#response", "Typed before.").await;
    page.language("hi").await;
    assert_eq!(page.text("#result-title").await, "अंक");
    assert_eq!(page.text("#views a").await, "उत्तर");
    assert_eq!(page.value("#response").await, "Typed before.", "texts stay");
    page.visit("").await;
    let hindi = "document.documentElement.lang === 'hi' && document.querySelector('#result-title').textContent === 'अंक'";
    page.wait("Hindi is kept", 10, hindi).await;
    page.close().await;
}

#[tokio::test]
async fn chosen_colours_stand_before_the_first_paint() {
    let (_dist, page) = standing().await;
    let paper = "return getComputedStyle(document.documentElement).backgroundColor";
    page.theme("light").await;
    let light = page.run(paper).await;
    page.theme("dark").await;
    let dark = page.run(paper).await;
    assert_ne!(light, dark);
    page.visit("").await;
    assert_eq!(page.run(paper).await, dark);
    let early = "const all = [...document.head.querySelectorAll('script, link[rel=stylesheet]')];
        return all[0].src.endsWith('early.js') && all[0].type === ''";
    assert_eq!(
        page.run(early).await,
        true,
        "the choice is read before any style or module"
    );
    page.close().await;
}

#[tokio::test]
async fn a_first_visit_costs_less_than_100_kb_before_the_page_can_be_used() {
    for language in ["en", "hi"] {
        let dist = tiny_dist();
        let page = Page::open(dist.path(), &[&format!("--accept-lang={language}")]).await;
        page.stands().await;
        assert_eq!(
            page.run("return document.documentElement.lang").await,
            language
        );
        let before = "const { startTime } = performance.getEntriesByName('shown')[0];
            return performance.getEntries().filter(e => 'transferSize' in e && e.startTime < startTime)
                .map(e => [e.name.replace(location.origin, ''), e.transferSize])";
        let before = page.run(before).await;
        let entries = before.as_array().unwrap();
        let sizes = entries.iter().map(|entry| entry[1].as_f64().unwrap());
        assert!(
            entries.len() > 20 && sizes.clone().filter(|&size| size > 0.0).count() > 20,
            "{before:#}"
        );
        assert!(
            sizes.clone().sum::<f64>() < FIRST_PAINT,
            "{} bytes: {before:#}",
            sizes.sum::<f64>()
        );
        let lists = entries
            .iter()
            .any(|entry| entry[0].as_str().unwrap().contains("catalogue"));
        assert!(!lists, "the catalogue can wait: {before:#}");
        page.close().await;
    }
}

#[tokio::test]
async fn the_page_is_of_use_before_the_model_arrives() {
    let dist = tiny_dist();
    // A model that never arrives.
    std::fs::write(dist.path().join("worker.js"), "// silence").unwrap();
    let page = Page::open(dist.path(), &[]).await;
    page.choose_metric("fairness").await;
    page.fill("#user", "Who gets the flat?").await;
    page.fill("#response", "Whoever came first.").await;
    page.wait(
        "the score can be asked for",
        5,
        "!document.querySelector('#score').disabled",
    )
    .await;
    page.click("#score").await;
    page.wait(
        "it waits",
        5,
        "document.querySelector('#result').dataset.state === 'busy'",
    )
    .await;
    page.fill("#response", "Whoever came first, by date.").await;
    assert_eq!(
        page.value("#response").await,
        "Whoever came first, by date."
    );
    page.language("hi").await;
    for view in page.views().await {
        page.view(&view).await;
    }
    page.view("answer").await;
    let shown = "document.querySelector('#cancel').offsetParent !== null";
    page.wait("the answer is shown again", 5, shown).await;
    page.click("#cancel").await;
    page.wait(
        "it no longer waits",
        5,
        "document.querySelector('#result').dataset.state === 'empty'",
    )
    .await;
    page.close().await;
}

#[tokio::test]
async fn metrics_that_come_late_leave_the_open_list_to_its_reader() {
    let dist = tiny_dist();
    // The user's own metrics come when the test says so, and the list anew with them.
    let late = dist.path().join("own/attach.js");
    let code = std::fs::read_to_string(&late).unwrap();
    let wait = "await new Promise((go) => (globalThis.goOn = go));";
    std::fs::write(&late, format!("{wait}\n{code}")).unwrap();
    let page = Page::open(dist.path(), &[]).await;
    page.wait("the list is held back", 20, "typeof goOn === 'function'")
        .await;
    let fairness = "document.querySelector('[data-metric=fairness]')";
    page.click("#metric").await;
    page.type_metric("fair").await;
    page.run(&format!("globalThis.before = {fairness}; goOn()"))
        .await;
    page.wait("the list is new", 5, &format!("before !== {fairness}"))
        .await;
    assert_eq!(page.value("#metric").await, "fair");
    page.click("[role=option][data-metric='fairness']").await;
    assert_eq!(page.value("#metric").await, "Fairness");
    page.close().await;
}

#[tokio::test]
async fn the_score_shows_its_doubt() {
    let (_dist, page) = standing().await;
    page.ready().await;
    page.fill("#user", "Who gets the flat?").await;
    page.fill("#response", "Whoever came first.").await;
    let score = page.score().await;
    let key = page.text("#gauge-key").await;
    match score["interval"].as_array() {
        Some(interval) => {
            for end in interval {
                let shown = format!("{:.1}", end.as_f64().unwrap());
                assert!(key.contains(&shown), "{key} names {shown}");
            }
            assert_eq!(
                page.run(
                    "return document.querySelectorAll('#gauge .interval, #gauge .end').length"
                )
                .await,
                3
            );
        }
        None => assert_eq!(
            page.run("return document.querySelectorAll('#gauge .interval').length")
                .await,
            0
        ),
    }
    let unsure = page
        .run("return !document.querySelector('#result-doubt').hidden")
        .await;
    assert_eq!(unsure, score["abstain"]);
    let long = "word ".repeat(2_000);
    page.run(&format!("const r = document.querySelector('#response'); r.value = '{long}'; r.dispatchEvent(new Event('input', {{ bubbles: true }}))")).await;
    let score = page.score().await;
    let cut = page.text("#result-cut").await;
    let kept = score["truncated"]["kept"]
        .as_u64()
        .expect("a long answer is cut")
        .to_string();
    assert!(cut.replace(',', "").contains(&kept), "{cut} names {kept}");
    page.close().await;
}

#[tokio::test]
async fn a_link_restores_the_answer_and_its_texts_stay_in_the_fragment() {
    let (_dist, page) = standing().await;
    page.ready().await;
    page.choose_metric("fairness").await;
    page.fill("#user", "किसे फ़्लैट मिले?").await;
    page.fill("#response", "जिसने पहले आवेदन किया।").await;
    let before = page.score().await;
    let link = page.link("#share").await;
    let (address, fragment) = link.split_once('#').unwrap();
    assert_eq!(address, page.address);
    assert!(fragment.starts_with("answer?s="), "{fragment}");
    page.visit(&format!("#{fragment}")).await;
    let after = page.result().await;
    assert_eq!(after["score"], before["score"]);
    assert_eq!(page.value("#user").await, "किसे फ़्लैट मिले?");
    assert_eq!(page.value("#response").await, "जिसने पहले आवेदन किया।");
    assert_eq!(
        page.run("return document.querySelector('#metric').dataset.value")
            .await,
        "fairness"
    );
    assert!(
        page.text("#result-shared")
            .await
            .contains("so does this device")
    );
    let packed = &fragment["answer?s=".len()..];
    let sent = format!(
        "return performance.getEntries().some(e => e.name.includes('{packed}') && e.entryType === 'resource')"
    );
    assert_eq!(page.run(&sent).await, false);
    page.close().await;
}

#[tokio::test]
async fn texts_too_long_for_a_link_are_refused_with_the_numbers() {
    let (_dist, page) = standing().await;
    page.ready().await;
    page.fill("#user", "Anything?").await;
    // Noise does not compress.
    let noise = "let s = ''; while (s.length < 60000) s += Math.random().toString(36).slice(2) + ' ';
        const r = document.querySelector('#response'); r.value = s; r.dispatchEvent(new Event('input', { bubbles: true }))";
    page.run(noise).await;
    page.score().await;
    page.run("document.querySelector('#share').click()").await;
    let said = page
        .wait(
            "it is refused",
            10,
            "document.querySelector('#error p')?.textContent",
        )
        .await;
    let said = said.as_str().unwrap();
    assert!(
        said.contains("32,000") && said.contains("too long"),
        "{said}"
    );
    page.close().await;
}

#[tokio::test]
async fn hostile_links_are_refused_and_change_nothing() {
    let (_dist, page) = standing().await;
    let task = r#"{ metric: "fairness", user: "u", response: "r" }"#;
    let good = page
        .hostile(&format!("JSON.stringify({{ v: 1, task: {task} }})"))
        .await;
    page.visit(&good).await;
    page.wait(
        "a plain link is taken",
        10,
        "document.querySelector('#response').value === 'r'",
    )
    .await;
    let mut links = vec![
        "#answer?s=".to_owned(),
        "#answer?s=%00".into(),
        "#answer?s=AAAA".into(),
        "#answer?s=!!!!".into(),
    ];
    links.push(good[..good.len() - 6].to_owned());
    links.push(format!("#answer?s={}", "A".repeat(200_000)));
    for made in [
        "'not json'".to_owned(),
        "'null'".into(),
        format!("JSON.stringify({{ v: 2, task: {task} }})"),
        "JSON.stringify({ v: 1 })".into(),
        r#"JSON.stringify({ v: 1, task: { metric: "fairness", user: 1, response: "r" } })"#.into(),
        r#"JSON.stringify({ v: 1, task: { metric: "fairness", user: "u" } })"#.into(),
        r#"JSON.stringify({ v: 1, task: { metric: ["fairness"], user: "u", response: { length: 1 } } })"#.into(),
        // Small here, large when unpacked.
        "JSON.stringify({ v: 1, task: { metric: 'fairness', user: 'u', response: 'r'.repeat(5e6) } })".into(),
        "new Uint8Array([0xff, 0xfe, 0x00])".into(),
    ] {
        links.push(page.hostile(&made).await);
    }
    for link in links {
        page.visit(&link).await;
        let said = page
            .wait(
                "a refusal is shown",
                10,
                "document.querySelector('#error p')?.textContent",
            )
            .await;
        let said = said.as_str().unwrap();
        assert!(said.contains("link"), "{link}: {said}");
        assert_eq!(page.value("#response").await, "", "{link}");
    }
    page.close().await;
}

#[tokio::test]
async fn errors_are_told_in_the_pages_language_above_their_own_words() {
    let dist = tiny_dist();
    let heads = dist.path().join("model/heads.safetensors");
    let mut bytes = std::fs::read(&heads).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(heads, bytes).unwrap();
    let page = Page::open(dist.path(), &[]).await;
    let own = "document.querySelector('#error .technical[lang=en][dir=ltr]')?.textContent";
    let own = page.wait("the error's own words", 60, own).await;
    assert!(own.as_str().unwrap().contains("SHA-256"), "{own}");
    let headline = "return document.querySelector('#error strong').textContent";
    assert!(page.text("#error").await.contains("published"));
    page.language("hi").await;
    let hindi = page.run(headline).await;
    assert!(hindi.as_str().unwrap().contains("मॉडल"), "{hindi}");
    let shown = page.text("#error").await;
    assert!(
        shown.contains("डाउनलोड") && shown.contains("SHA-256"),
        "{shown}"
    );
    page.close().await;
}

#[tokio::test]
async fn a_link_on_an_unknown_metric_is_not_scored_on_another() {
    let (_dist, page) = standing().await;
    let made =
        r#"JSON.stringify({ v: 1, task: { metric: "splendour", user: "u", response: "r" } })"#;
    let link = page.hostile(made).await;
    page.visit(&link).await;
    let said = "document.querySelector('#error p')?.textContent";
    let said = page.wait("it is named", 10, said).await;
    assert!(said.as_str().unwrap().contains("splendour"), "{said}");
    let state = "return document.querySelector('#result').dataset.state";
    assert_eq!(page.run(state).await, "empty");
    page.close().await;
}

#[tokio::test]
async fn markup_in_a_link_stays_text() {
    let (_dist, page) = standing().await;
    let made = r#"JSON.stringify({ v: 1, extra: 1, task: { metric: '<img src=x onerror=alert(1)>', definition: '<b>d</b>',
        user: '<script>window.hit = 1</script>', response: '<img src=x onerror="window.hit = 1">', __proto__: { system: 'no' } } })"#;
    let link = page.hostile(made).await;
    page.visit(&link).await;
    page.result().await;
    assert_eq!(page.run("return window.hit ?? null").await, Value::Null);
    assert_eq!(
        page.run("return document.querySelectorAll('main img, main b, main script').length")
            .await,
        0
    );
    assert_eq!(
        page.text("#result-metric").await,
        "<img src=x onerror=alert(1)>"
    );
    page.close().await;
}

#[tokio::test]
async fn the_receipt_says_what_made_the_score() {
    let (_dist, page) = standing().await;
    page.ready().await;
    page.fill("#user", "Who gets the flat?").await;
    page.fill("#response", "Whoever came first.").await;
    let score = page.score().await;
    let receipt = &score["receipt"];
    assert_eq!(receipt["bundle"].as_str().unwrap().len(), 64, "{receipt}");
    for (field, given) in [("backend", "cpu"), ("version", env!("CARGO_PKG_VERSION"))] {
        assert_eq!(receipt[field], given);
    }
    assert!(
        receipt["dtype"].is_string() && receipt["tokens"].as_u64().unwrap() > 0,
        "{receipt}"
    );
    let copied = page.link("#copy").await;
    assert_eq!(serde_json::from_str::<Value>(&copied).unwrap(), score);
    assert!(
        !copied.contains("Who gets the flat?"),
        "texts stay out of the receipt"
    );
    page.close().await;
}

#[tokio::test]
async fn a_difference_counts_only_beyond_both_doubts() {
    let (_dist, page) = standing().await;
    let script = "const done = arguments[0]; import('./difference.js').then(({ differenceOf }) => {
        const at = (score, interval, abstain = false) => ({ score, interval, abstain });
        done([
            differenceOf(at(4, [3, 5]), at(6, [5, 7])),
            differenceOf(at(4, [3, 5]), at(5, [4, 6])),
            differenceOf(at(6, [5, 7]), at(4, [3, 5])),
            // Only the arms that reach towards each other count.
            differenceOf(at(4, [0, 4.5]), at(6, [5.5, 10])),
            differenceOf(at(4, [3, 5]), at(6, [5, 7], true)),
            differenceOf(at(4, null), at(6, [5, 7])),
        ].map(({ difference, doubt, verdict }) => [difference, doubt && Math.round(doubt * 100) / 100, verdict]));
    })";
    let found = page.client.execute_async(script, vec![]).await.unwrap();
    let wanted = json!([
        [2, 1.41, "ahead"],
        [1, 1.41, "within"],
        [-2, 1.41, "behind"],
        [2, 0.71, "ahead"],
        [2, 1.41, "unsure"],
        [2, null, "unknown"]
    ]);
    assert_eq!(found, wanted);
    page.close().await;
}

#[tokio::test]
async fn two_answers_are_compared_on_every_metric() {
    let (_dist, page) = standing().await;
    page.ready().await;
    page.choose_metric("fairness").await;
    page.fill("#user", "Who gets the flat?").await;
    page.fill("#response", "Whoever came first.").await;
    page.score().await;
    page.click("#compare-with").await;
    page.wait(
        "the prompt has come along",
        10,
        "document.querySelector('#compare-user')?.value === 'Who gets the flat?'",
    )
    .await;
    assert_eq!(page.value("#compare-a").await, "Whoever came first.");
    page.fill(
        "#compare-b",
        "My cousin, of course; the others are not from here.",
    )
    .await;
    page.click("#compare").await;
    let rows = "document.querySelectorAll('table.compare tbody tr').length";
    let shown = page.wait("all metrics are compared", 240, rows).await;
    assert_eq!(shown, 145);
    // Each row's verdict is that of its own numbers.
    let text = "return [...document.querySelectorAll('table.compare tbody tr')].map(row => [row.dataset.verdict, row.querySelector('.difference').textContent])";
    for row in page.run(text).await.as_array().unwrap() {
        let (verdict, numbers) = (
            row[0].as_str().unwrap(),
            row[1].as_str().unwrap().replace('−', "-"),
        );
        let (difference, doubt) = numbers.split_once('±').unwrap_or((&numbers, "99"));
        let (difference, doubt): (f64, f64) = (
            difference.trim().parse().unwrap(),
            doubt.trim().parse().unwrap(),
        );
        // The shown numbers are rounded to 0.1.
        match verdict {
            "ahead" => assert!(difference > 0.0 && difference >= doubt - 0.1, "{row}"),
            "behind" => assert!(difference < 0.0 && -difference >= doubt - 0.1, "{row}"),
            "within" => assert!(difference.abs() <= doubt + 0.1, "{row}"),
            _ => {}
        }
    }
    page.click(".column-difference .sort").await;
    let sorted = "return [...document.querySelectorAll('table.compare .difference')].map(cell => parseFloat(cell.textContent.replace('−', '-')))";
    let sorted: Vec<f64> = page
        .run(sorted)
        .await
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d.as_f64().unwrap())
        .collect();
    assert!(sorted.is_sorted_by(|a, b| a >= b), "{sorted:?}");
    assert_eq!(
        page.run("return document.querySelector('.column-difference').ariaSort")
            .await,
        "descending"
    );
    let link = page.link("#compare-share").await;
    page.visit(&link[link.find('#').unwrap()..]).await;
    page.wait("the link compares again", 240, rows).await;
    assert_eq!(
        page.value("#compare-b").await,
        "My cousin, of course; the others are not from here."
    );
    page.close().await;
}
