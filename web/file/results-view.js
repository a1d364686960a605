// @ts-check
/** The results: the filter bar, the grid, and the export under it. */
import { el } from "../dom.js";
import { wordsOf } from "../error-words.js";
import { technical } from "../i18n.js";
import { starOf } from "../own/adjustment.js";
import { cell, fieldOf } from "./columns.js";
import { ExportView } from "./export-view.js";
import { FilterBar } from "./filter-bar.js";
import { ResultGrid } from "./table.js";
import { taskOf } from "./task.js";
import { metricTitle } from "./words.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("./session.js").Session} Session
 * @typedef {import("./results.js").Filter} Filter
 */

/** Characters of a text shown in a cell. */
const CELL = 240;

export class ResultsView {
  #app;
  #session;
  /** @type {Filter} */
  #filter = { metric: -1, low: 0, high: 10, state: "all", rows: null };
  /** @type {import("./results.js").Sort} */
  #sort = { key: "number", descending: false };
  #found = el("p", { class: "caption", role: "status" });
  #grid;
  #bar;
  /** Made once: a formatter costs more than a row. */
  #one;
  #whole;
  #shown;
  /** @type {AbortController | null} */
  #searching = null;

  /**
   * @param {App} app
   * @param {Session} session
   */
  constructor(app, session) {
    this.#app = app;
    this.#session = session;
    this.#one = new Intl.NumberFormat(app.language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
    this.#whole = new Intl.NumberFormat(app.language);
    this.#shown = this.#columns();
    this.#bar = new FilterBar(app, session.job, this.#filter, {
      onFilter: () => this.draw(true),
      onSearch: (text) => this.#search(text),
    });
    this.#grid = new ResultGrid({
      columns: this.#shown,
      cells: (item) => this.#cells(item),
      open: (item) => this.#open(item),
      sort: (key) => this.#sortBy(key),
      label: app.t("file.results"),
    });
    this.element = el("section", { class: "file-results", "aria-label": app.t("file.results") },
      this.#bar.element, this.#found, this.#grid.element,
      el("p", { class: "caption" }, app.t("file.results.hint")), new ExportView(app, session).element);
    this.draw(true);
  }

  /** @returns {import("./table.js").Column[]} */
  #columns() {
    const { job, results } = this.#session;
    const t = (/** @type {string} */ key) => this.#app.t(`file.column.${key}`);
    return [
      { key: "number", title: t("number"), sort: "number" },
      ...(job.mapping.id === null ? [] : [{ key: "id", title: job.mapping.id }]),
      ...(job.metrics.length > 1 ? [{ key: "metric", title: t("metric"), sort: /** @type {const} */ ("metric") }] : []),
      { key: "score", title: t("score"), sort: "score" },
      { key: "interval", title: t("interval"), sort: "width" },
      ...(results?.hasJudged ? [{ key: "judged", title: t("judged"), sort: /** @type {const} */ ("judged") }, { key: "difference", title: t("difference"), sort: /** @type {const} */ ("difference") }] : []),
      { key: "prompt", title: t("prompt") },
      { key: "answer", title: t("answer") },
    ];
  }

  /** @param {number} item */
  async #cells(item) {
    const { job, results, store } = this.#session;
    if (!results) return [];
    const row = await store.row(job.id, results.rowOf(item)).catch(() => undefined);
    const text = (/** @type {string | null} */ key) => snippet(row ? cell(fieldOf(row, job.columns, key)) : "");
    const judged = results.judged(item);
    const number = (/** @type {number} */ value) => (Number.isNaN(value) ? "" : this.#one.format(value));
    const error = results.errors.get(item);
    return this.#shown.map(({ key }) => {
      if (key === "number") return row ? this.#whole.format(row.n) : "…";
      if (key === "id") return text(job.mapping.id);
      if (key === "metric") return snippet(metricTitle(this.#app, job.metrics[results.metricOf(item)]));
      if (key === "score") return this.#score(item);
      if (key === "interval") return number(results.low[item]) && `${number(results.low[item])} – ${number(results.high[item])}`;
      if (key === "judged") return number(judged);
      if (key === "difference") return number(Math.abs(results.score[item] - judged));
      if (key === "prompt") return text(job.mapping.user);
      return error ? this.#error(error) : text(job.mapping.response);
    });
  }

  /** @param {number} item */
  #score(item) {
    const results = /** @type {import("./results.js").Results} */ (this.#session.results);
    if (results.isFailed(item)) return el("span", { class: "row-error" }, this.#app.t("file.row.failed"));
    if (!results.isDone(item)) return el("span", { class: "caption" }, "…");
    const score = results.score[item];
    const meter = el("span", { class: "meter", "aria-hidden": "true" }, el("span", {}));
    /** @type {HTMLElement} */ (meter.firstElementChild).style.inlineSize = `${score * 10}%`;
    const unsure = results.isUnsure(item) ? [el("span", { class: "unsure-mark", title: this.#app.t("file.row.unsure") }, "?", el("span", { class: "visually-hidden" }, this.#app.t("file.row.unsure")))] : [];
    const model = { score: results.model.score[item], rounded: NaN, interval: null, coverage: null };
    const star = results.isAdjusted(item) ? starOf(this.#app, { model }) : [];
    return el("span", { class: results.isUnsure(item) ? "scored doubtful" : "scored" }, meter, el("b", {}, this.#one.format(score), ...star), ...unsure);
  }

  /** @param {import("../protocol.js").ErrorBody} error */
  #error(error) {
    const { headline, detail } = wordsOf(this.#app, error);
    return el("span", { class: "row-error snippet", title: `${headline} ${detail}` }, headline, " ", technical(detail));
  }

  /** @param {number} item */
  async #open(item) {
    const { job, results, store } = this.#session;
    if (!results) return;
    const row = await store.row(job.id, results.rowOf(item));
    const asked = row && taskOf(row, job, job.metrics[results.metricOf(item)] ?? null);
    if (asked && "task" in asked) this.#app.show("answer", { task: asked.task });
  }

  /** @param {import("./results.js").SortKey} key */
  #sortBy(key) {
    const first = key === "width" || key === "difference";
    this.#sort = { key, descending: this.#sort.key === key ? !this.#sort.descending : first };
    this.draw(true);
  }

  /** @param {number} metric index, or -1 for all */
  showMetric(metric) {
    this.#bar.showMetric(metric);
    this.#filter.metric = metric;
    this.draw(true);
  }

  /** Looks through all texts of all rows, off and on, so that typing goes on. @param {string} text */
  async #search(text) {
    this.#searching?.abort();
    const mine = (this.#searching = new AbortController());
    const wanted = text.trim().toLocaleLowerCase();
    const rows = wanted ? new Set() : null;
    if (rows) {
      this.#found.textContent = this.#app.t("file.filter.searching");
      for await (const { first, rows: some } of this.#session.store.chunks(this.#session.job)) {
        if (mine.signal.aborted) return;
        some.forEach((row, i) => holds(row, wanted) && rows.add(first + i));
        await new Promise((resolve) => setTimeout(resolve));
      }
    }
    if (mine.signal.aborted) return;
    this.#filter.rows = rows;
    this.draw(true);
  }

  /** @param {boolean} [top] whether to go back to the top */
  draw(top = false) {
    const { results, job } = this.#session;
    if (!results) return;
    const items = results.order(this.#filter, this.#sort, job.threshold);
    this.#grid.show(items, this.#sort, top);
    this.#found.textContent = this.#app.t("file.results.found", { count: items.length, of: results.length });
  }

  close() {
    this.#searching?.abort();
    this.#grid.close();
  }
}

/** @param {string} text */
function snippet(text) {
  return el("span", { dir: "auto", class: "snippet" }, text.slice(0, CELL).replace(/\s+/g, " "));
}

/**
 * @param {import("./types.js").Row} row
 * @param {string} wanted in lower case
 */
function holds(row, wanted) {
  if (row.c) return row.c.some((text) => text.toLocaleLowerCase().includes(wanted));
  const values = Object.values(/** @type {object} */ (JSON.parse(row.j ?? "{}")));
  return values.some((value) => cell(value).toLocaleLowerCase().includes(wanted));
}
