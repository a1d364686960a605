// @ts-check
/** The histogram, drawn as SVG, with a text that says the same. */
import { svg } from "../dom.js";

/** Pixels. */
const TOTAL = 236;
const PLOT = { left: 52, right: 10, top: 22, bottom: 40 };
const HEIGHT = TOTAL - PLOT.top - PLOT.bottom;

/**
 * @typedef {object} Words
 * @property {string} label what a screen reader says of the whole
 * @property {string} across label of the axis of scores
 * @property {string} up label of the axis of counts
 * @property {string} threshold
 * @property {number} width pixels
 * @property {(value: number) => string} number
 * @property {(bin: { from: number, to: number, sure: number, unsure: number }) => string} bar tip of a bar
 */

/**
 * Counts of scores by bin, those that are not sure hatched, and the threshold as a line.
 *
 * @param {{ sure: number, unsure: number }[]} bins from 0 to 10
 * @param {number} threshold
 * @param {Words} words
 */
export function histogramChart(bins, threshold, words) {
  const most = Math.max(1, ...bins.map(({ sure, unsure }) => sure + unsure));
  const step = niceStep(most);
  const top = Math.ceil(most / step) * step;
  return svg(
    "svg",
    { viewBox: `0 0 ${words.width} ${TOTAL}`, role: "img", "aria-label": words.label, class: "histogram" },
    hatch(),
    ...grid(top, step, words),
    ...bins.flatMap((bin, i) => bar(bin, i, bins.length, top, words)),
    ...line(threshold, words),
  );
}

/** @param {number} most the largest count; about four lines of the grid, at 1, 2 or 5 times a power of ten */
export function niceStep(most) {
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1)));
  return ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
}

/**
 * @param {number} score
 * @param {number} width of the whole
 */
function x(score, width) {
  return PLOT.left + (score / 10) * (width - PLOT.left - PLOT.right);
}

function hatch() {
  const lines = svg("path", { d: "M0 6 L6 0 M-1 1 L1 -1 M5 7 L7 5", class: "hatch-line" });
  const ground = svg("rect", { width: 6, height: 6, class: "hatch-ground" });
  return svg("defs", {}, svg("pattern", { id: "file-hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse" }, ground, lines));
}

/**
 * @param {number} top
 * @param {number} step
 * @param {Words} words
 */
function grid(top, step, { number, across, up, width }) {
  const marks = [];
  for (let count = 0; count <= top; count += step) {
    const y = PLOT.top + HEIGHT * (1 - count / top);
    marks.push(svg("line", { class: "rule", x1: PLOT.left, x2: width - PLOT.right, y1: y, y2: y }));
    marks.push(svg("text", { class: "axis end", x: PLOT.left - 6, y: y + 4 }, number(count)));
  }
  for (let score = 0; score <= 10; score++) {
    marks.push(svg("text", { class: "axis middle", x: x(score, width), y: TOTAL - PLOT.bottom + 16 }, number(score)));
  }
  marks.push(svg("text", { class: "axis middle title", x: x(5, width), y: TOTAL - 5 }, across));
  marks.push(svg("text", { class: "axis middle title", transform: `translate(11 ${PLOT.top + HEIGHT / 2}) rotate(-90)` }, up));
  return marks;
}

/**
 * @param {{ sure: number, unsure: number }} bin
 * @param {number} index
 * @param {number} count
 * @param {number} top
 * @param {Words} words
 */
function bar({ sure, unsure }, index, count, top, words) {
  const [from, to] = [(index / count) * 10, ((index + 1) / count) * 10];
  const high = (/** @type {number} */ n) => (HEIGHT * n) / top;
  const place = { x: x(from, words.width) + 1, width: x(to, words.width) - x(from, words.width) - 2 };
  const y = PLOT.top + HEIGHT;
  const tip = svg("title", {}, words.bar({ from, to, sure, unsure }));
  return [
    svg("g", { class: "bars" }, tip,
      svg("rect", { ...place, class: "sure", y: y - high(sure), height: high(sure) }),
      svg("rect", { ...place, class: "unsure", y: y - high(sure + unsure), height: high(unsure) })),
  ];
}

/**
 * @param {number} threshold
 * @param {Words} words
 */
function line(threshold, words) {
  const at = x(threshold, words.width);
  const anchor = threshold > 8.5 ? "end" : threshold < 1.5 ? "start" : "middle";
  return [
    svg("line", { class: "threshold", x1: at, x2: at, y1: PLOT.top, y2: PLOT.top + HEIGHT }),
    svg("text", { class: `axis ${anchor} threshold-label`, x: at, y: PLOT.top - 7 }, words.threshold),
  ];
}
