//! What corrections teach, as mathematics; no model is needed.

use serde_json::json;

use crate::page::{Page, tiny_dist};

/// Random corrections on nested metrics, from a fixed seed.
const SAMPLES: &str = "
    let state = 20261124;
    const random = () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648;
    const metrics = ['a/x', 'a/y', 'a', 'b', 'c/z', 'my own'];
    const samples = n => Array.from({ length: n }, () => ({
        metric: metrics[Math.floor(random() * metrics.length)], predicted: 10 * random(), right: 10 * random(),
    }));
    const { adjust, fit, isUseful } = await import('./own/calibration.js');";

#[tokio::test]
async fn without_corrections_a_score_stays_what_it_is() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    let body = format!(
        "{SAMPLES} const none = fit([]);
         return [0, 1.7, 5, 9.99, 10].map(score => adjust(none, score, 'a/x')).concat(isUseful(none));"
    );
    assert_eq!(
        page.script(&body).await,
        json!([0, 1.7, 5, 9.99, 10, false])
    );
    page.close().await;
}

#[tokio::test]
async fn leave_one_out_equals_refits_without_each() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    let body = format!(
        "{SAMPLES}
         let worst = 0, moved = 0;
         for (let n = 1; n <= 30; n++) {{
             const all = samples(n), whole = fit(all);
             all.forEach(({{ predicted, metric }}, i) => {{
                 const refit = adjust(fit(all.filter((_, j) => j !== i)), predicted, metric);
                 worst = Math.max(worst, Math.abs(refit - whole.leftOut[i]));
                 moved = Math.max(moved, Math.abs(refit - predicted));
             }});
         }}
         return {{ worst, moved }};"
    );
    let found = page.script(&body).await;
    assert!(found["worst"].as_f64().unwrap() < 1e-9, "{found}");
    assert!(
        found["moved"].as_f64().unwrap() > 1.0,
        "the fits do something: {found}"
    );
    page.close().await;
}

#[tokio::test]
async fn corrections_count_from_five_on_and_only_if_the_error_shrinks() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    let body = format!(
        "{SAMPLES}
         const same = n => Array.from({{ length: n }}, (_, i) => ({{ metric: 'a/x', predicted: 3 + i / 4, right: 5 + i / 4 }}));
         const torn = Array.from({{ length: 12 }}, (_, i) => ({{ metric: 'a/x', predicted: 5, right: i % 2 ? 9 : 1 }}));
         const ends = fit(Array.from({{ length: 20 }}, () => ({{ metric: 'a/x', predicted: 2, right: 10 }})));
         const shuffled = samples(25), there = fit(shuffled), back = fit([...shuffled].reverse());
         return {{
             four: isUseful(fit(same(4))), five: isUseful(fit(same(5))), torn: isUseful(fit(torn)),
             lifted: adjust(fit(same(40)), 4, 'a/x'), sibling: adjust(fit(same(40)), 4, 'a/y'), far: adjust(fit(same(40)), 4, 'q'),
             top: adjust(ends, 9, 'a/x'),
             order: Math.abs(adjust(there, 3, 'b') - adjust(back, 3, 'b')),
         }};"
    );
    let found = page.script(&body).await;
    assert_eq!(
        (&found["four"], &found["five"], &found["torn"]),
        (&json!(false), &json!(true), &json!(false)),
        "{found}"
    );
    let number = |key: &str| found[key].as_f64().unwrap();
    assert!(
        (number("lifted") - 6.0).abs() < 0.2,
        "many agreeing corrections are followed: {found}"
    );
    assert!(
        4.0 < number("far")
            && number("far") < number("sibling")
            && number("sibling") < number("lifted"),
        "the farther the metric, the less it moves: {found}"
    );
    assert_eq!(number("top"), 10.0, "the scale ends at 10");
    assert!(number("order") < 1e-9, "{found}");
    page.close().await;
}

#[tokio::test]
async fn an_interval_moves_with_its_score_and_stays_on_the_scale() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    let body = "
        const { adjusted, recordOf } = await import('./own/adjusted.js');
        const own = { score: 6, rounded: 6, interval: [3, 9], coverage: 0.9, support: 'judged' };
        const up = adjusted(own, 8, 7);
        return {
            up: [up.score, up.rounded, up.interval, up.coverage, up.model, up.corrections],
            same: adjusted(own, 6.04, 7) === own,
            bare: adjusted({ ...own, interval: null }, 2, 7).interval,
            down: adjusted(own, 1, 7).interval,
            record: recordOf(up), plain: recordOf(own),
        };";
    let found = page.script(body).await;
    let own = json!({ "score": 6, "rounded": 6, "interval": [3, 9], "coverage": 0.9 });
    assert_eq!(found["up"], json!([8, 8, [5, 10], null, own, 7]));
    assert_eq!(
        [&found["same"], &found["bare"]],
        [&json!(true), &json!(null)]
    );
    assert_eq!(found["down"], json!([0, 4]));
    let record = json!({
        "score": 6, "rounded": 6, "interval": [3, 9], "coverage": 0.9, "support": "judged",
        "adjusted": { "score": 8, "rounded": 8, "interval": [5, 10], "corrections": 7 },
    });
    assert_eq!(found["record"], record);
    assert_eq!(found["plain"].get("adjusted"), None);
    page.close().await;
}
