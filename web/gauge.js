// @ts-check
import { svg } from "./dom.js";

/** The half circle from 0 at the left to 10 at the right, in the units of the view box. */
const CENTRE = { x: 160, y: 138 };
const RADIUS = 106;
const MEMBERS_RADIUS = 84;
const LABEL_RADIUS = 125;
/** Labels closer than this, in points of the scale, would touch. */
const APART = 0.9;

/** @typedef {import("./words.js").Speaker} Speaker */

/**
 * Draws the score on a dial: the arc, a tick each point, the interval with its ends named, the
 * members' dots. A score that is not sure has a broken arc and an open hand.
 *
 * @param {HTMLElement} target
 * @param {import("./protocol.js").TimedScore | null} result `null` leaves the dial without a hand
 * @param {Speaker} app
 */
export function drawGauge(target, result, app) {
  target.replaceChildren(
    svg(
      "svg",
      { viewBox: "0 0 320 152", role: "img", "aria-label": result ? labelOf(result, app) : app.t("answer.dial.empty") },
      svg("path", { class: "track", d: arc(0, 10) }),
      ...(result ? bandsOf(result) : []),
      ...ticks(),
      ...scaleOf(result, app),
      ...(result ? pointsOf(result) : []),
    ),
  );
}

/**
 * @param {import("./protocol.js").TimedScore} result
 * @param {Speaker} app
 */
function labelOf({ score, members, interval }, app) {
  const parts = [app.t("answer.dial", { score: app.number(score, 1) })];
  if (interval) parts.push(app.t("answer.dial.interval", rangeOf(interval, app)));
  if (members.length > 1) {
    const range = rangeOf([Math.min(...members), Math.max(...members)], app);
    parts.push(app.t("answer.dial.members", { count: members.length, ...range }));
  }
  return parts.join(" ");
}

/**
 * @param {[number, number]} range
 * @param {Speaker} app
 */
export function rangeOf([low, high], app) {
  return { low: app.number(low, 1), high: app.number(high, 1) };
}

/** @param {import("./protocol.js").TimedScore} result */
function bandsOf({ score, interval, abstain }) {
  const value = svg("path", { class: abstain ? "value unsure" : "value", d: arc(0, score) });
  if (!interval) return [value];
  const ends = interval.map((end) => spoke("end", end, RADIUS - 15, RADIUS + 15));
  return [svg("path", { class: "interval", d: arc(...interval) }), value, ...ends];
}

/** @param {import("./protocol.js").TimedScore} result */
function pointsOf({ score, members, abstain }) {
  const dots = members.map((member) => circle("member", at(member, MEMBERS_RADIUS), 2.6));
  return [...dots, circle(abstain ? "knob unsure" : "knob", at(score, RADIUS), 8)];
}

/**
 * @param {string} name
 * @param {{ x: number, y: number }} centre
 * @param {number} r
 */
function circle(name, { x, y }, r) {
  return svg("circle", { class: name, cx: x, cy: y, r });
}

/**
 * @param {string} name
 * @param {number} value
 * @param {number} from radius
 * @param {number} to radius
 */
function spoke(name, value, from, to) {
  const [inner, outer] = [at(value, from), at(value, to)];
  return svg("line", { class: name, x1: inner.x, y1: inner.y, x2: outer.x, y2: outer.y });
}

function ticks() {
  return Array.from({ length: 11 }, (_, value) => spoke("tick", value, RADIUS - 5, RADIUS + 5));
}

/**
 * The numbers around the dial: the interval's ends first, then 0, 5 and 10 where there is room.
 *
 * @param {import("./protocol.js").TimedScore | null} result
 * @param {Speaker} app
 */
function scaleOf(result, app) {
  const [low, high] = result?.interval ?? [];
  /** @type {number[]} */
  const ends = low !== undefined && high !== undefined && high - low >= APART ? [low, high] : [];
  const marks = [0, 5, 10].filter((mark) => ends.every((end) => Math.abs(end - mark) >= APART));
  return [
    ...ends.map((value) => label("end-label", value, app.number(value, 1))),
    ...marks.map((value) => label("tick-label", value, app.number(value))),
  ];
}

/**
 * @param {string} name
 * @param {number} value
 * @param {string} words
 */
function label(name, value, words) {
  const { x, y } = at(value, LABEL_RADIUS);
  // Beside the dial, words start or end at it; above, they stand in the middle.
  const side = (x - CENTRE.x) / LABEL_RADIUS;
  const anchor = side > 0.4 ? "start" : side < -0.4 ? "end" : "middle";
  return svg("text", { class: name, x, y: y + 4, "text-anchor": anchor }, words);
}

/**
 * @param {number} from
 * @param {number} to
 */
function arc(from, to) {
  const [start, end] = [at(from, RADIUS), at(to, RADIUS)];
  return `M ${start.x} ${start.y} A ${RADIUS} ${RADIUS} 0 0 1 ${end.x} ${end.y}`;
}

/**
 * @param {number} value 0 to 10
 * @param {number} radius
 */
function at(value, radius) {
  const angle = Math.PI * (1 - Math.min(10, Math.max(0, value)) / 10);
  const round = (/** @type {number} */ n) => Math.round(n * 100) / 100;
  return { x: round(CENTRE.x + radius * Math.cos(angle)), y: round(CENTRE.y - radius * Math.sin(angle)) };
}
