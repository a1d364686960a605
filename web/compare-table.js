// @ts-check
import { differenceOf } from "./difference.js";
import { el } from "./dom.js";
import { starOf } from "./own/adjustment.js";

/**
 * @typedef {import("./app.js").App} App
 * @typedef {import("./difference.js").Doubtful & import("./own/adjusted.js").Mark & { metric: string }} MetricScore
 * @typedef {import("./difference.js").Difference} Difference
 * @typedef {{ title: string, a: MetricScore, b: MetricScore } & Difference} Row
 * @typedef {"title" | "a" | "b" | "difference" | "verdict"} Column
 */

/** Columns in order, and the direction in which each is first sorted. */
const COLUMNS = /** @type {[Column, 1 | -1][]} */ ([
  ["title", 1],
  ["a", 1],
  ["b", 1],
  ["difference", -1],
  ["verdict", -1],
]);

/** What each column sorts by. The verdict: how far the difference is beyond its doubt. */
const VALUES = /** @type {Record<Column, (row: Row) => number | string>} */ ({
  title: ({ title }) => title,
  a: ({ a }) => a.score,
  b: ({ b }) => b.score,
  difference: ({ difference }) => difference,
  verdict: ({ difference, doubt, verdict }) =>
    doubt === null ? -2 : verdict === "unsure" ? -1 : Math.abs(difference) / Math.max(doubt, 0.01),
});

/** A mark and a word for each verdict; never colour alone. */
const MARKS = { ahead: "B", behind: "A", within: "=", unsure: "?", unknown: "–" };

/** Two answers on every metric, a row each, sorted by any column. */
export class CompareTable {
  #app;
  #body = el("tbody");
  /** @type {Map<Column, HTMLElement>} */
  #heads = new Map();
  /** @type {{ row: Row, element: HTMLElement }[]} */
  #rows = [];
  /** @type {Column} */
  #column = "verdict";
  /** @type {1 | -1} */
  #direction = -1;
  /** @type {(row: Row) => boolean} */
  #wanted = () => true;
  element;

  /** @param {App} app */
  constructor(app) {
    this.#app = app;
    const heads = COLUMNS.map(([column, first]) => this.#head(column, first));
    const plot = el("th", { scope: "col", class: "plot" }, app.say(el("span"), "compare.plot"));
    const cells = [...heads.slice(0, 3), plot, ...heads.slice(3)];
    const caption = app.say(el("caption", { class: "visually-hidden" }), "compare.caption");
    this.element = el("table", { class: "compare" }, caption, el("thead", {}, el("tr", {}, ...cells)), this.#body);
  }

  /**
   * @param {Column} column
   * @param {1 | -1} first
   */
  #head(column, first) {
    const words = this.#app.say(el("span"), `compare.column.${column}`);
    const button = el("button", { type: "button", class: "sort" }, words, el("span", { class: "arrow", "aria-hidden": "true" }));
    const head = el("th", { scope: "col", class: `column-${column}` }, button);
    button.addEventListener("click", () => {
      this.#direction = this.#column === column ? /** @type {1 | -1} */ (-this.#direction) : first;
      this.#column = column;
      this.#sort();
    });
    this.#heads.set(column, /** @type {HTMLElement} */ (head));
    return head;
  }

  /** @param {{ a: MetricScore[], b: MetricScore[], chosen: string }} compared scores in the same order */
  show({ a, b, chosen }) {
    this.#rows = a.flatMap((first, index) => {
      const second = b[index];
      if (!second) return [];
      const row = { title: this.#app.title(first.metric), a: first, b: second, ...differenceOf(first, second) };
      return [{ row, element: this.#draw(row, first.metric === chosen) }];
    });
    this.#sort();
  }

  /** The rows of all metrics. */
  get rows() {
    return this.#rows.map(({ row }) => row);
  }

  /** @param {(row: Row) => boolean} wanted @returns {number} rows that are shown */
  filter(wanted) {
    this.#wanted = wanted;
    this.#sort();
    return this.#body.childElementCount;
  }

  #sort() {
    for (const [column, head] of this.#heads) {
      if (column !== this.#column) head.removeAttribute("aria-sort");
      else head.setAttribute("aria-sort", this.#direction === 1 ? "ascending" : "descending");
    }
    const value = VALUES[this.#column];
    const collator = new Intl.Collator(this.#app.language);
    this.#rows.sort((one, two) => this.#direction * compare(value(one.row), value(two.row), collator));
    const shown = this.#rows.filter(({ row }) => this.#wanted(row));
    this.#body.replaceChildren(...shown.map(({ element }) => element));
  }

  /**
   * @param {Row} row
   * @param {boolean} chosen whether it is the metric that the user asked about
   */
  #draw(row, chosen) {
    const { title, a, b, difference, doubt, verdict } = row;
    const sign = difference > 0 ? "+" : difference < 0 ? "−" : "";
    const shown = `${sign}${this.#app.number(Math.abs(difference), 1)}`;
    const words = el("span", { class: "words" }, this.#app.t(`compare.verdict.${verdict}`));
    const mark = el("span", { class: "verdict-mark", "aria-hidden": "true" }, MARKS[verdict]);
    const by = doubt === null ? "" : `±${this.#app.number(doubt, 1)}`;
    const element = el(
      "tr",
      { "data-metric": a.metric, "data-verdict": verdict, class: chosen ? "chosen" : undefined },
      el("th", { scope: "row" }, title),
      el("td", { class: "number" }, this.#app.number(a.score, 1), ...starOf(this.#app, a)),
      el("td", { class: "number" }, this.#app.number(b.score, 1), ...starOf(this.#app, b)),
      el("td", { class: "plot" }, plotOf(a, b)),
      el("td", { class: "number difference" }, el("span", { dir: "ltr" }, shown), " ", el("span", { class: "muted", dir: "ltr" }, by)),
      el("td", { class: "verdict" }, mark, words),
    );
    return /** @type {HTMLElement} */ (element);
  }
}

/**
 * @param {number | string} one
 * @param {number | string} two
 * @param {Intl.Collator} collator
 */
function compare(one, two, collator) {
  return typeof one === "string" ? collator.compare(one, String(two)) : one - Number(two);
}

/**
 * Both scores and their intervals on one line from 0 to 10: A round above, B square below.
 *
 * @param {MetricScore} a
 * @param {MetricScore} b
 */
function plotOf(a, b) {
  return el("div", { class: "plot-line", "aria-hidden": "true" }, ...marksOf(a, "a"), ...marksOf(b, "b"));
}

/**
 * @param {MetricScore} score
 * @param {"a" | "b"} name
 */
function marksOf({ score, interval }, name) {
  const point = /** @type {HTMLElement} */ (el("span", { class: `point ${name}` }));
  point.style.setProperty("--at", String(score / 10));
  if (!interval) return [point];
  const range = /** @type {HTMLElement} */ (el("span", { class: `range ${name}` }));
  range.style.setProperty("--from", String(interval[0] / 10));
  range.style.setProperty("--to", String(interval[1] / 10));
  return [range, point];
}
