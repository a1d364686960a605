// @ts-check
/** What lies on the map: all anchors, the user's own metrics, and what is placed among them. */
import { OWN, familiesOf } from "./families.js";
import { placeAmong } from "./placement.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("./locations.js").Anchors} Anchors
 * @typedef {import("./view.js").Point} Point
 * @typedef {Map<string, { x: number, y: number }>} Places of the anchors, by metric
 * @typedef {{ metrics: { metric: string, parent: string | null, x: number, y: number }[] }} Layout
 */

/** Lines from the placed point to its nearest anchors. */
const LINES = 5;
export const ANSWER = "answer";
export const DRAFT = "draft";

/**
 * @param {App} app
 * @param {Layout} layout
 * @param {object} placed
 * @param {Anchors} placed.anchors of the answer, or of the metric being written
 * @param {{ name: string } | undefined} placed.draft the metric being written
 * @param {Map<string, Anchors>} placed.own the user's own metrics by name
 * @returns {Point[]}
 */
export function pointsOf(app, layout, { anchors, draft, own }) {
  const places = new Map(layout.metrics.map(({ metric, x, y }) => [metric, { x, y }]));
  return [
    ...anchorPoints(app, layout, anchors),
    ...[...own].flatMap(([name, found]) => ownPoint(app, { id: name, name, anchors: found, priority: 9 }, places)),
    ...(draft ? draftPoint(app, draft.name, anchors, places) : answerPoint(app, anchors, places)),
  ];
}

/**
 * The nearest anchors' labels come first, then one of each family after the other.
 *
 * @param {App} app
 * @param {Layout} layout
 * @param {Anchors} nearest
 * @returns {Point[]}
 */
function anchorPoints(app, { metrics }, nearest) {
  const families = familiesOf(app);
  const rank = new Map(nearest.map(({ metric }, index) => [metric, index]));
  const members = new Map();
  return metrics.map(({ metric, x, y }, index) => {
    const family = families.get(metric) ?? { key: "", title: "", colour: 0, shape: /** @type {const} */ ("ring") };
    const member = members.get(family.key) ?? 0;
    members.set(family.key, member + 1);
    const place = rank.get(metric);
    const priority = place === undefined ? 20 + (family.key ? member : 3) * metrics.length + index : 1 + place;
    const near = (place ?? Infinity) < LINES;
    const spoken = spokenName(app, metric, family.title, nearest);
    return { id: metric, kind: "anchor", x, y, title: app.title(metric), family, priority, near, spoken };
  });
}

/**
 * @param {App} app
 * @param {string} metric
 * @param {string} family
 * @param {Anchors} nearest
 */
function spokenName(app, metric, family, nearest) {
  const similarity = nearest.find((anchor) => anchor.metric === metric)?.similarity;
  const title = app.title(metric);
  const named = family ? app.t("map.point", { title, family }) : title;
  if (similarity === undefined) return named;
  return `${named}. ${app.t("map.similarity", { similarity: app.number(similarity, 3) })}`;
}

/**
 * @param {App} app
 * @param {Anchors} anchors
 * @param {Places} places
 * @returns {Point[]}
 */
function answerPoint(app, anchors, places) {
  const place = placeAmong(anchors, places);
  if (!place) return [];
  const title = app.t("map.answer");
  const family = { key: ANSWER, title: "", colour: 10, shape: /** @type {const} */ ("target") };
  return [{ id: ANSWER, kind: "answer", ...place, title, family, priority: 0, near: false, spoken: title }];
}

/**
 * @param {App} app
 * @param {string} name
 * @param {Anchors} anchors
 * @param {Places} places
 * @returns {Point[]}
 */
function draftPoint(app, name, anchors, places) {
  const points = ownPoint(app, { id: DRAFT, name, anchors, priority: 0 }, places);
  return points.map((point) => ({ ...point, kind: "answer" }));
}

/**
 * @param {App} app
 * @param {{ id: string, name: string, anchors: Anchors, priority: number }} metric
 * @param {Places} places
 * @returns {Point[]}
 */
function ownPoint(app, { id, name, anchors, priority }, places) {
  const place = placeAmong(anchors, places);
  if (!place) return [];
  const title = name || app.t("map.draft");
  const spoken = app.t("map.point.own", { title });
  return [{ id, kind: "own", ...place, title, family: OWN, priority, near: false, spoken }];
}
