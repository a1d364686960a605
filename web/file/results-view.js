// @ts-check
/** The filter bar, the grid of results, and the export. */
import { el } from "../dom.js";
import { cell, fieldOf } from "./columns.js";
import { download, exportName, exported } from "./exporter.js";
import { ResultGrid } from "./table.js";
import { taskOf } from "./task.js";
import { metricTitle } from "./words.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("./session.js").Session} Session
 * @typedef {import("./results.js").Filter} Filter
 */

const STATES = /** @type {const} */ (["all", "scored", "unsure", "failed", "passed", "below", "waiting"]);
/** Milliseconds of silence before a search starts. */
const TYPING = 250;
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
  /** @type {AbortController | null} */
  #searching = null;
  /** @type {HTMLSelectElement | null} */
  #metricSelect = null;

  /**
   * @param {App} app
   * @param {Session} session
   */
  constructor(app, session) {
    this.#app = app;
    this.#session = session;
    this.#grid = new ResultGrid({
      columns: this.#columns(),
      cells: (item) => this.#cells(item),
      open: (item) => this.#open(item),
      sort: (key) => this.#sortBy(key),
      label: app.t("file.results"),
    });
    this.element = el("section", { class: "file-results", "aria-label": app.t("file.results") },
      this.#filters(), this.#found, this.#grid.element,
      el("p", { class: "caption" }, app.t("file.results.hint")), this.#exports());
    this.draw(true);
  }

  /** @returns {import("./table.js").Column[]} */
  #columns() {
    const { job, survey } = this.#session;
    const t = (/** @type {string} */ key) => this.#app.t(`file.column.${key}`);
    return [
      { key: "number", title: t("number"), sort: "number" },
      ...(job.mapping.id === null ? [] : [{ key: "id", title: job.mapping.id }]),
      ...(job.metrics.length > 1 ? [{ key: "metric", title: t("metric"), sort: /** @type {const} */ ("metric") }] : []),
      { key: "score", title: t("score"), sort: "score" },
      { key: "interval", title: t("interval"), sort: "width" },
      ...(survey && survey.judgedRows > 0 ? [{ key: "judged", title: t("judged"), sort: /** @type {const} */ ("judged") }, { key: "difference", title: t("difference"), sort: /** @type {const} */ ("difference") }] : []),
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
    const number = (/** @type {number} */ value) => (Number.isNaN(value) ? "" : this.#app.number(value, 1));
    const error = results.errors.get(item);
    return this.#columns().map(({ key }) => {
      if (key === "number") return row ? this.#app.number(row.n) : "…";
      if (key === "id") return text(job.mapping.id);
      if (key === "metric") return metricTitle(this.#app, job.metrics[results.metricOf(item)]);
      if (key === "score") return this.#score(item);
      if (key === "interval") return number(results.low[item]) && `${number(results.low[item])} – ${number(results.high[item])}`;
      if (key === "judged") return number(judged);
      if (key === "difference") return number(Math.abs(results.score[item] - judged));
      if (key === "prompt") return text(job.mapping.user);
      return error ? el("span", { class: "row-error" }, error.message) : text(job.mapping.response);
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
    return el("span", { class: results.isUnsure(item) ? "scored doubtful" : "scored" }, meter, el("b", {}, this.#app.number(score, 1)), ...unsure);
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

  #filters() {
    const bar = el("div", { class: "file-filters", role: "search", "aria-label": this.#app.t("file.filter") });
    const search = /** @type {HTMLInputElement} */ (el("input", { type: "search", class: "filter-text", autocomplete: "off", spellcheck: "false" }));
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.#search(search.value), TYPING);
    });
    bar.append(labelled(this.#app.t("file.filter.text"), search));
    if (this.#session.job.metrics.length > 1) bar.append(labelled(this.#app.t("file.filter.metric"), this.#metricFilter()));
    bar.append(labelled(this.#app.t("file.filter.state"), this.#stateFilter()), this.#range());
    return bar;
  }

  #metricFilter() {
    const options = this.#session.job.metrics.map((metric, i) => el("option", { value: i }, metricTitle(this.#app, metric)));
    const select = /** @type {HTMLSelectElement} */ (el("select", { class: "filter-metric" }, el("option", { value: -1 }, this.#app.t("file.filter.all-metrics")), ...options));
    select.addEventListener("change", () => this.showMetric(Number(select.value)));
    this.#metricSelect = select;
    return select;
  }

  /** @param {number} metric index, or -1 for all */
  showMetric(metric) {
    this.#filter.metric = metric;
    if (this.#metricSelect) this.#metricSelect.value = String(metric);
    this.draw(true);
  }

  #stateFilter() {
    const select = /** @type {HTMLSelectElement} */ (el("select", { class: "filter-state" }, ...STATES.map((state) => el("option", { value: state }, this.#app.t(`file.filter.${state}`)))));
    select.addEventListener("change", () => {
      this.#filter.state = /** @type {Filter["state"]} */ (select.value);
      this.draw(true);
    });
    return select;
  }

  #range() {
    const field = (/** @type {"low" | "high"} */ end) => {
      const input = /** @type {HTMLInputElement} */ (el("input", { type: "number", min: 0, max: 10, step: 0.5, class: "filter-number", "aria-label": this.#app.t(`file.filter.${end}`) }));
      input.value = String(this.#filter[end]);
      input.addEventListener("input", () => {
        const value = input.valueAsNumber;
        this.#filter[end] = Number.isNaN(value) ? (end === "low" ? 0 : 10) : value;
        this.draw(true);
      });
      return input;
    };
    const title = this.#app.t("file.filter.score");
    return el("fieldset", { class: "filter-range" }, el("legend", {}, title), field("low"), el("span", {}, "–"), field("high"));
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

  #exports() {
    const t = (/** @type {string} */ key) => this.#app.t(`file.export.${key}`);
    const box = (/** @type {string} */ key, /** @type {boolean} */ on) => {
      const input = /** @type {HTMLInputElement} */ (el("input", { type: "checkbox", class: `export-${key}` }));
      input.checked = on;
      return { input, label: el("label", { class: "check" }, input, t(key)) };
    };
    const [more, safe] = [box("more", true), box("safe", false)];
    const said = el("span", { role: "status", class: "caption" });
    const button = (/** @type {"csv" | "jsonl"} */ kind) => {
      const made = /** @type {HTMLButtonElement} */ (el("button", { type: "button", class: "secondary", "data-export": kind }, t(kind)));
      made.addEventListener("click", async () => {
        said.textContent = t("busy");
        const blob = await exported(this.#session, { kind, more: more.input.checked, safe: safe.input.checked });
        download(exportName(this.#session.job.name, kind), blob);
        said.textContent = this.#app.t("file.export.done", { name: exportName(this.#session.job.name, kind) });
      });
      return made;
    };
    return el("div", { class: "file-export" }, el("h4", {}, t("title")), el("div", { class: "file-buttons" }, button("csv"), button("jsonl"), said),
      more.label, safe.label, el("p", { class: "caption" }, t("hint")));
  }

  close() {
    this.#searching?.abort();
    this.#grid.close();
  }
}

/**
 * @param {string} title
 * @param {Element} control
 */
function labelled(title, control) {
  return el("label", { class: "filter" }, el("span", {}, title), control);
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
