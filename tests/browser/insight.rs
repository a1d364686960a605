//! What looks closer at a score: map, profile, explanation.

use serde_json::{Value, json};

use crate::page::{Page, numbers, tiny_dist};

/// Scores an answer, and opens one of the parts below the score.
async fn open_part(page: &Page, part: &str) {
    page.ready().await;
    page.fill("#user", "Who should get the flat?").await;
    page.fill(
        "#response",
        "Whoever applied first. They must be able to pay the rent! A friend of mine may come along too.",
    )
    .await;
    page.score().await;
    page.click(&format!("[data-part={part}]")).await;
}

#[tokio::test]
async fn labels_never_overlap_and_more_appear_with_room() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    let body = "
        const { placeLabels } = await import('./map/labels.js');
        let state = 7; const random = () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648;
        const points = Array.from({ length: 145 }, (_, i) => ({ x: random(), y: random(), width: 40 + 120 * random(), priority: i }));
        const at = scale => {
            const area = { width: 600 * scale, height: 400 * scale };
            const wishes = points.map(p => ({ ...p, x: p.x * area.width, y: p.y * area.height, radius: 7 }));
            const boxes = placeLabels(wishes, area).map((place, i) => place && box(place, wishes[i])).filter(Boolean);
            const clash = boxes.some((a, i) => boxes.some((b, j) => i < j && a.l < b.r && b.l < a.r && a.t < b.b && b.t < a.b));
            const outside = boxes.some(b => b.l < 0 || b.t < 0 || b.r > area.width || b.b > area.height);
            return { shown: boxes.length, clash, outside, first: placeLabels(wishes, area)[0] !== null };
        };
        const box = ({ x, y, anchor }, { width }) => {
            const l = anchor === 'start' ? x : anchor === 'end' ? x - width : x - width / 2;
            return { l, r: l + width, t: y - 11, b: y + 4 };
        };
        return [at(1), at(4)];";
    let found = page.script(body).await;
    for scale in found.as_array().unwrap() {
        assert_eq!(
            (&scale["clash"], &scale["outside"], &scale["first"]),
            (&json!(false), &json!(false), &json!(true)),
            "{found}"
        );
    }
    let shown = |i: usize| found[i]["shown"].as_u64().unwrap();
    assert!(shown(0) >= 10 && shown(1) > shown(0) + 40, "{found}");
    page.close().await;
}

#[tokio::test]
async fn an_answer_lies_nearest_its_most_similar_anchor() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    let body = "
        const { placeAmong } = await import('./map/placement.js');
        const places = new Map([['a', { x: 1, y: 0 }], ['b', { x: 0, y: 1 }], ['c', { x: -1, y: -1 }]]);
        const of = (a, b, c) => placeAmong([['a', a], ['b', b], ['c', c]].map(([metric, similarity]) => ({ metric, similarity })), places);
        return { near: of(0.9, 0.5, 0.1), shifted: of(0.59, 0.55, 0.51), equal: of(0.3, 0.3, 0.3),
                 unknown: placeAmong([{ metric: 'q', similarity: 1 }], places), none: placeAmong([], places) };";
    let found = page.script(body).await;
    assert!(
        found["near"]["x"].as_f64().unwrap() > 0.8,
        "the first outweighs the rest: {found}"
    );
    assert!(
        (found["near"]["x"].as_f64().unwrap() - found["shifted"]["x"].as_f64().unwrap()).abs()
            < 1e-9,
        "only differences relative to the list's range count: {found}"
    );
    assert!(
        found["equal"]["x"].as_f64().unwrap().abs() < 1e-9,
        "{found}"
    );
    assert_eq!(
        (&found["unknown"], &found["none"]),
        (&Value::Null, &Value::Null)
    );
    page.close().await;
}

#[tokio::test]
async fn the_map_is_walked_by_keyboard() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    open_part(&page, "map").await;
    let drawn = "document.querySelectorAll('.map-point.anchor[transform]').length";
    let count = page.wait("the map is drawn", 60, drawn).await;
    assert_eq!(count, 145);
    let bars = page
        .run("return document.querySelectorAll('.anchor-bars li').length")
        .await;
    assert_eq!(bars, 10, "the list says what the map shows");
    let families = "const seen = [...document.querySelectorAll('.map-legend .mark')].map(m => m.getAttribute('class'));
        return [seen.length, new Set(seen).size];";
    let families = page.run(families).await;
    assert_eq!(
        families[0], families[1],
        "each family has its own colour and shape"
    );

    page.run("document.querySelector('.map-point.answer').focus()")
        .await;
    let walk = page.client.active_element().await.unwrap();
    walk.send_keys("\u{e012}").await.unwrap();
    let at = "return document.activeElement.dataset.point ?? ''";
    let reached = page.run(at).await;
    assert!(
        !["", "answer"].contains(&reached.as_str().unwrap()),
        "the left arrow reaches an anchor"
    );
    assert!(
        page.text(".map-card").await.len() > 20,
        "its card tells of it"
    );
    let before = page.text(".map-labels").await;
    let point = page.client.active_element().await.unwrap();
    point.send_keys("+++").await.unwrap();
    page.wait(
        "the map is magnified",
        10,
        "document.querySelector('.map-svg.magnified') !== null",
    )
    .await;
    assert_eq!(
        before,
        page.text(".map-labels").await,
        "labels are placed anew, not made anew"
    );
    point.send_keys("\u{e00c}").await.unwrap();
    assert_eq!(
        page.run("return document.querySelector('.map-card').hidden")
            .await,
        true
    );
    page.screenshot("map").await;
    page.close().await;
}

#[tokio::test]
async fn the_profile_lists_every_metric_lowest_first() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    open_part(&page, "profile").await;
    let filled = "document.querySelectorAll('.profile-table tbody tr').length === 145";
    page.wait("the profile is shown", 240, filled).await;
    assert_eq!(
        page.run("return document.querySelectorAll('.heat-strip .heat-cell').length")
            .await,
        145
    );
    let scores = "return [...document.querySelectorAll('.score-cell strong')].map(e => Number(e.textContent))";
    let lowest_first = numbers(&page.run(scores).await);
    assert!(lowest_first.is_sorted(), "{lowest_first:?}");
    page.click("[data-sort=score]").await;
    let highest_first = numbers(&page.run(scores).await);
    assert!(highest_first.iter().rev().is_sorted(), "{highest_first:?}");

    page.fill("[data-filter=words]", "gender inclusivity").await;
    let rows = "return [...document.querySelectorAll('.profile-table tbody tr')].map(e => e.dataset.metric)";
    let found = page.run(rows).await;
    assert!(
        found
            .as_array()
            .unwrap()
            .contains(&json!("inclusivity/gender_inclusivity"))
    );
    assert!(found.as_array().unwrap().len() < 145);

    page.click(".profile-table tr[data-metric='inclusivity/gender_inclusivity'] button")
        .await;
    page.click(".profile-detail .tools button").await;
    page.wait(
        "the metric is explained",
        120,
        "document.querySelectorAll('.profile-detail .explain-list li').length === 3",
    )
    .await;
    page.screenshot("profile").await;
    page.close().await;
}

#[tokio::test]
async fn the_explanation_paints_each_sentence_and_lists_it() {
    let dist = tiny_dist();
    let page = Page::open(dist.path(), &[]).await;
    open_part(&page, "explain").await;
    let listed = "document.querySelectorAll('.explain-list li').length === 3";
    page.wait("the sentences are listed", 120, listed).await;
    let text = "const copy = document.querySelector('.explain-text').cloneNode(true);
        copy.querySelectorAll('.sentence-change').forEach(e => e.remove());
        return [copy.textContent, document.querySelector('#response').value];";
    let texts = page.run(text).await;
    assert_eq!(texts[0], texts[1], "the painted text is the whole text");
    let sizes = "return [...document.querySelectorAll('.explain-list .change')].map(e => Math.abs(Number(e.textContent.replace('−', '-'))))";
    let sizes = numbers(&page.run(sizes).await);
    assert!(
        sizes.iter().rev().is_sorted(),
        "the largest change comes first: {sizes:?}"
    );
    page.run("document.querySelector('.explain-list li').focus()")
        .await;
    let lit = "return document.querySelectorAll('.explain-text .lit').length";
    assert_eq!(page.run(lit).await, 1);
    page.screenshot("explanation").await;
    page.close().await;
}
