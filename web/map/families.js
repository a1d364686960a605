// @ts-check
/** Families of metrics as colour and shape: no two share both, so neither has to be told alone. */
import { svg } from "../dom.js";

/**
 * @typedef {import("../app.js").Metric} Metric
 * @typedef {{ key: string, title: string, colour: number, shape: Shape }} Family `colour` is the
 *   number of a custom property `--family-<colour>`; 0 is for metrics without a family
 * @typedef {"circle" | "square" | "triangle" | "diamond" | "ring" | "star" | "target"} Shape
 */

const COLOURS = 8;
const SHAPES = /** @type {const} */ (["circle", "square", "triangle", "diamond"]);

/** Paths around the origin, all of about the same area. */
const PATHS = {
  circle: "M 5 0 A 5 5 0 1 1 -5 0 A 5 5 0 1 1 5 0 Z",
  square: "M -4.4 -4.4 H 4.4 V 4.4 H -4.4 Z",
  triangle: "M 0 -6 L 5.6 4.2 H -5.6 Z",
  diamond: "M 0 -6.2 L 6.2 0 L 0 6.2 L -6.2 0 Z",
  ring: "M 4 0 A 4 4 0 1 1 -4 0 A 4 4 0 1 1 4 0 Z",
  star: "M 0 -8 L 2.2 -2.8 L 7.8 -2.4 L 3.5 1.2 L 4.9 6.7 L 0 3.7 L -4.9 6.7 L -3.5 1.2 L -7.8 -2.4 L -2.2 -2.8 Z",
  target: "M 7 0 A 7 7 0 1 1 -7 0 A 7 7 0 1 1 7 0 Z",
};

/** @type {Family} */
export const OWN = { key: "own", title: "", colour: 9, shape: "star" };
/** @type {Family} */
const ALONE = { key: "", title: "", colour: 0, shape: "ring" };

/**
 * The family of every metric by its name; those that stand alone share the one with the key "".
 * The catalogue's order fixes colours and shapes.
 *
 * @param {import("../app.js").App} app
 * @returns {Map<string, Family>}
 */
export function familiesOf(app) {
  const metrics = app.metrics();
  const parents = [...new Set(metrics.map(({ parent }) => parent).filter((parent) => parent !== null))];
  const families = new Map(parents.map((key, index) => [key, familyAt(key, app.family(key), index)]));
  return new Map(metrics.map((metric) => [metric.name, metric.own ? OWN : familyOf(metric, families)]));
}

/**
 * @param {Metric} metric a parent that is a metric itself belongs to its own family
 * @param {Map<string, Family>} families
 */
function familyOf({ name, parent }, families) {
  return families.get(parent ?? name) ?? ALONE;
}

/**
 * @param {string} key
 * @param {string} title
 * @param {number} index
 * @returns {Family}
 */
function familyAt(key, title, index) {
  const shape = SHAPES[(index + Math.floor(index / COLOURS)) % SHAPES.length] ?? "circle";
  return { key, title, colour: 1 + (index % COLOURS), shape };
}

/**
 * @param {{ shape: Shape, colour: number }} family
 * @returns {Element} the mark, to place in an SVG
 */
export function mark({ shape, colour }) {
  return svg("path", { class: `mark mark-${shape} family-${colour}`, d: PATHS[shape] });
}

/**
 * The mark as a small picture in running text, silent for screen readers.
 *
 * @param {{ shape: Shape, colour: number }} family
 */
export function swatch(family) {
  return svg("svg", { class: "swatch", viewBox: "-8 -8 16 16", "aria-hidden": "true" }, mark(family));
}
