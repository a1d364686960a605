//! For everyone: axe-core, the keyboard, 320 pixels, right-to-left, less motion.

use serde_json::{Value, json};

use crate::page::{Page, tiny_dist};

/// axe-core as published; see `tests/fixtures/README.md`.
const AXE: &str = include_str!("../fixtures/axe/axe.min.js");
const TAB: &str = "\u{e004}";
/// Shift and Tab.
const BACK: &str = "\u{e008}\u{e004}\u{e000}";
/// The narrowest screen that WCAG asks for, in CSS pixels.
const NARROW: u32 = 320;

impl Page {
    /// What axe-core finds wrong once no colour changes any more, one line each.
    pub async fn violations(&self) -> Vec<Value> {
        if self.run("return typeof axe").await != "object" {
            self.run(AXE).await;
        }
        let script = "const done = arguments[0];
            const runOnly = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
            const changes = document.getAnimations().filter((one) => one instanceof CSSTransition);
            const still = Promise.allSettled(changes.map((change) => change.finished));
            still.then(() => axe.run(document, { runOnly })).then(({ violations }) => done(violations.flatMap(({ id, nodes }) =>
                nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`))), (e) => done([String(e)]));";
        let found = self.client.execute_async(script, vec![]).await.unwrap();
        found.as_array().expect("a list").clone()
    }

    /// Names of the views, as the navigation lists them.
    pub async fn views(&self) -> Vec<String> {
        let script = "return [...document.querySelectorAll('#views a')].map(a => a.dataset.view)";
        let views = self.run(script).await;
        let views = views.as_array().unwrap().iter();
        views
            .map(|view| view.as_str().unwrap().to_owned())
            .collect()
    }

    /// Goes to a view by its link.
    pub async fn view(&self, name: &str) {
        self.click(&format!("#views a[data-view={name}]")).await;
        let shown =
            format!("document.querySelector('#view-{name}:not([hidden])')?.childElementCount > 1");
        self.wait(&format!("the view {name} is shown"), 20, &shown)
            .await;
    }

    /// Chooses the colours in the settings.
    pub async fn theme(&self, name: &str) {
        self.run("document.querySelector('#settings').showModal()")
            .await;
        self.click(&format!("#themes [value={name}]")).await;
        self.click("#close-settings").await;
        let script = "return [document.documentElement.dataset.theme, document.querySelector('#settings').open]";
        assert_eq!(
            self.run(script).await,
            json!([name, false]),
            "the settings are closed"
        );
    }

    /// Chooses the language in the header and waits for its words.
    pub async fn language(&self, tag: &str) {
        let script = format!(
            "const s = document.querySelector('#language'); s.value = '{tag}'; s.dispatchEvent(new Event('change'));"
        );
        self.run(&script).await;
        let there = format!("document.documentElement.lang === '{tag}'");
        self.wait("the language has changed", 10, &there).await;
    }

    /// How many pixels of the page stick out at the side.
    async fn overhang(&self) -> i64 {
        let script = "const { scrollWidth, clientWidth } = document.documentElement; return scrollWidth - clientWidth";
        self.run(script).await.as_i64().unwrap()
    }

    async fn score_an_example(&self) {
        let shown = "document.querySelector('[data-example=en-poor]') !== null";
        self.wait("the examples are there", 20, shown).await;
        self.run("document.querySelector('[data-example=en-poor]').click()")
            .await;
        self.score().await;
    }

    async fn tab(&self) {
        let focused = self.client.active_element().await.unwrap();
        focused.send_keys(TAB).await.unwrap();
    }
}

#[tokio::test]
async fn axe_finds_nothing_in_any_view_colour_and_language() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    page.ready().await;
    page.score_an_example().await;
    let mut found = Vec::new();
    for language in ["en", "hi"] {
        page.language(language).await;
        for view in page.views().await {
            page.view(&view).await;
            for theme in ["light", "dark"] {
                page.theme(theme).await;
                found.extend(
                    page.violations()
                        .await
                        .into_iter()
                        .map(|v| (language, view.clone(), theme, v)),
                );
                page.screenshot(&format!("{view}-{theme}-{language}")).await;
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
    page.close().await;
}

#[tokio::test]
async fn axe_finds_nothing_in_what_can_be_opened() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    page.ready().await;
    page.score_an_example().await;
    let parts = page
        .run("return [...document.querySelectorAll('[data-part]')].map(b => b.dataset.part)")
        .await;
    for part in parts.as_array().unwrap() {
        page.click(&format!("[data-part={}]", part.as_str().unwrap()))
            .await;
        page.wait(
            "the part is open",
            60,
            "document.querySelector('#insight:not([hidden])') !== null",
        )
        .await;
        assert_eq!(page.violations().await, Vec::<Value>::new(), "{part}");
    }
    page.click("#correct").await;
    page.run("document.querySelector('#open-settings').click()")
        .await;
    assert_eq!(
        page.violations().await,
        Vec::<Value>::new(),
        "settings and correction"
    );
    page.close().await;
}

#[tokio::test]
async fn axe_would_find_something() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    page.stands().await;
    page.run("document.querySelector('#user').labels[0].remove()")
        .await;
    let found = page.violations().await;
    assert!(
        found
            .iter()
            .any(|v| v.as_str().unwrap().starts_with("label")),
        "{found:?}"
    );
    page.close().await;
}

#[tokio::test]
async fn every_control_is_reached_by_tab_and_shows_it() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    page.ready().await;
    page.score_an_example().await;
    page.run("document.querySelector('#skip').focus()").await;
    // There and back, so that the keyboard has brought the focus.
    page.tab().await;
    let second = page.client.active_element().await.unwrap();
    second.send_keys(BACK).await.unwrap();
    let mut unseen = Vec::new();
    for _ in 0..150 {
        let visit = "const e = document.activeElement; if (e === document.body || 'visited' in e.dataset) return null;
            e.dataset.visited = ''; const { outlineStyle, outlineWidth } = getComputedStyle(e);
            return [e.outerHTML.slice(0, 120), outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2]";
        let Value::Array(visited) = page.run(visit).await else {
            break;
        };
        if visited[1] != true {
            unseen.push(visited[0].clone());
        }
        page.tab().await;
    }
    assert!(unseen.is_empty(), "no visible focus: {unseen:#?}");
    // Of a group of radio buttons, Tab stops at the chosen one.
    let missed = "const all = 'a[href], button:not(:disabled), input:not(:disabled), select, textarea, summary, [tabindex=\"0\"]';
        return [...document.querySelectorAll(all)].filter(e => e.checkVisibility() && !(e.type === 'radio' && !e.checked)
            && e.tabIndex >= 0 && !('visited' in e.dataset)).map(e => e.outerHTML.slice(0, 120))";
    assert_eq!(page.run(missed).await, json!([]));
    page.close().await;
}

#[tokio::test]
async fn nothing_sticks_out_at_320_pixels() {
    let dist = tiny_dist();
    let page = Page::open_narrow(dist.path(), NARROW).await;
    page.ready().await;
    let width = page.run("return innerWidth").await.as_i64().unwrap();
    assert_eq!(width, i64::from(NARROW));
    page.score_an_example().await;
    for language in ["en", "hi"] {
        page.language(language).await;
        for view in page.views().await {
            page.view(&view).await;
            assert_eq!(page.overhang().await, 0, "{view}, {language}");
            page.screenshot(&format!("narrow-{view}-{language}")).await;
        }
    }
    page.close().await;
}

#[tokio::test]
async fn a_right_to_left_language_turns_the_page() {
    let dist = tiny_dist();
    let file = dist.path().join("messages/en.json");
    let words = std::fs::read_to_string(&file).unwrap();
    let turned = words.replace(r#""shell.direction": "ltr""#, r#""shell.direction": "rtl""#);
    assert_ne!(words, turned);
    std::fs::write(file, turned).unwrap();
    let page = Page::open(dist.path(), &[]).await;
    page.ready().await;
    page.score_an_example().await;
    assert_eq!(page.run("return document.documentElement.dir").await, "rtl");
    let left = |selector: &str| {
        format!("document.querySelector('{selector}').getBoundingClientRect().left")
    };
    let turned = format!(
        "return {} > {} && {} > {}",
        left(".brand"),
        left(".controls"),
        left("#task"),
        left("#result")
    );
    assert_eq!(
        page.run(&turned).await,
        true,
        "brand and form stand at the right"
    );
    // The texts keep their own direction.
    page.fill("#user", "Which way?").await;
    assert_eq!(
        page.run("return getComputedStyle(document.querySelector('#user')).direction")
            .await,
        "ltr"
    );
    for view in page.views().await {
        page.view(&view).await;
        assert_eq!(page.overhang().await, 0, "{view}");
    }
    page.close().await;
}

#[tokio::test]
async fn less_motion_means_none() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &["--force-prefers-reduced-motion"]).await;
    page.stands().await;
    let moving = "document.querySelector('#progress').removeAttribute('value');
        return [...document.querySelectorAll('*')].filter(e => {
            const { animationName, transitionDuration } = getComputedStyle(e);
            return animationName !== 'none' || transitionDuration.split(',').some(d => parseFloat(d) > 0.01);
        }).map(e => e.outerHTML.slice(0, 100))";
    assert_eq!(page.run(moving).await, json!([]));
    page.close().await;
}

/// Buttons nearer to each other than a finger's aim, in CSS pixels, as pairs of words.
const TOUCHING: &str = "
    const shown = [...document.querySelectorAll('.view:not([hidden]) button')]
        .filter(e => e.checkVisibility() && !e.closest('.map-frame, .combobox, table, .heat-strip'))
        .map(e => ({ words: e.innerText, box: e.getBoundingClientRect() }));
    const gap = (a, b) => Math.max(a.left - b.right, b.left - a.right, a.top - b.bottom, b.top - a.bottom);
    return shown.flatMap((one, i) => shown.slice(i + 1)
        .filter(other => gap(one.box, other.box) < 4)
        .map(other => `${one.words} | ${other.words}`));";

#[tokio::test]
async fn buttons_keep_apart_on_a_narrow_screen() {
    let dist = tiny_dist();
    let page = Page::open_narrow(dist.path(), NARROW).await;
    page.ready().await;
    page.score_an_example().await;
    assert_eq!(page.run(TOUCHING).await, json!([]), "below a score");
    page.view("metrics").await;
    page.fill(".metric-form input", "Kindness").await;
    page.fill(".metric-form textarea", "Is it kind? 10: warm. 0: cruel.")
        .await;
    page.click(".metric-form [data-act=save]").await;
    let saved = "document.querySelector('.own-item[data-metric]') !== null";
    page.wait("the metric is saved", 10, saved).await;
    let count = "return document.querySelectorAll('.own-item button').length";
    assert_eq!(page.run(count).await, 4);
    assert_eq!(page.run(TOUCHING).await, json!([]), "own metrics");
    page.close().await;
}
