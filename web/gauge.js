// @ts-check
import { svg } from "./dom.js";

/** The half circle from 0 at the left to 10 at the right, in the units of the view box. */
const CENTRE = { x: 130, y: 126 };
const RADIUS = 100;
const MEMBERS_RADIUS = 80;
const LABEL_RADIUS = 118;

/**
 * Draws the score on a dial: the arc, a tick each point, the interval and the members' dots.
 *
 * @param {HTMLElement} target
 * @param {import("./protocol.js").TimedScore | null} result `null` leaves the dial without a hand
 */
export function drawGauge(target, result) {
  target.replaceChildren(
    svg(
      "svg",
      { viewBox: "0 0 260 138", role: "img", "aria-label": result ? labelOf(result) : "Dial from 0 to 10, no score." },
      svg("path", { class: "track", d: arc(0, 10) }),
      ...(result ? bandsOf(result) : []),
      ...ticks(),
      ...(result ? pointsOf(result) : []),
    ),
  );
}

/** @param {import("./protocol.js").TimedScore} result */
function labelOf({ score, members }) {
  const label = `Dial from 0 to 10, at ${score.toFixed(1)}.`;
  if (members.length < 2) return label;
  const [low, high] = [Math.min(...members), Math.max(...members)];
  return `${label} The ${members.length} members of the ensemble lie between ${low.toFixed(1)} and ${high.toFixed(1)}.`;
}

/** @param {import("./protocol.js").TimedScore} result */
function bandsOf({ score, interval }) {
  const value = svg("path", { class: "value", d: arc(0, score) });
  return interval ? [svg("path", { class: "interval", d: arc(...interval) }), value] : [value];
}

/** @param {import("./protocol.js").TimedScore} result */
function pointsOf({ score, members }) {
  const dots = members.map((member) => circle("member", at(member, MEMBERS_RADIUS), 3));
  return [...dots, circle("knob", at(score, RADIUS), 8)];
}

/**
 * @param {string} name
 * @param {{ x: number, y: number }} centre
 * @param {number} r
 */
function circle(name, { x, y }, r) {
  return svg("circle", { class: name, cx: x, cy: y, r });
}

function ticks() {
  const marks = [];
  for (let value = 0; value <= 10; value++) {
    const [inner, outer] = [at(value, RADIUS - 5), at(value, RADIUS + 5)];
    marks.push(svg("line", { class: "tick", x1: inner.x, y1: inner.y, x2: outer.x, y2: outer.y }));
    const place = at(value, LABEL_RADIUS);
    if (value % 5 === 0) marks.push(svg("text", { class: "tick-label", x: place.x, y: place.y + 4 }, String(value)));
  }
  return marks;
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
