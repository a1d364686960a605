// @ts-check
import { el } from "../dom.js";
import { metricTitle } from "./words.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("./results.js").Filter} Filter
 *
 * @typedef {object} Hooks
 * @property {() => void} onFilter the filter has changed
 * @property {(text: string) => void} onSearch a text is searched; "" for none
 */

const STATES = /** @type {const} */ (["all", "scored", "unsure", "failed", "passed", "below", "waiting"]);
/** Milliseconds of silence before a search starts. */
const TYPING = 250;

/** What is shown of the results: by text, metric, state and score. */
export class FilterBar {
  #app;
  #job;
  #filter;
  #hooks;
  #metric = /** @type {HTMLSelectElement} */ (el("select", { class: "filter-metric" }));

  /**
   * @param {App} app
   * @param {import("./types.js").Job} job
   * @param {Filter} filter is changed in place
   * @param {Hooks} hooks
   */
  constructor(app, job, filter, hooks) {
    this.#app = app;
    this.#job = job;
    this.#filter = filter;
    this.#hooks = hooks;
    const metric = job.metrics.length > 1 ? [this.#labelled("metric", this.#fillMetric())] : [];
    this.element = el("div", { class: "file-filters", role: "search", "aria-label": app.t("file.filter") },
      this.#labelled("text", this.#text()), ...metric, this.#labelled("state", this.#state()), this.#range());
  }

  /**
   * @param {string} key
   * @param {Element} control
   */
  #labelled(key, control) {
    return el("label", { class: "filter" }, el("span", {}, this.#app.t(`file.filter.${key}`)), control);
  }

  #text() {
    const search = /** @type {HTMLInputElement} */ (el("input", { type: "search", class: "filter-text", autocomplete: "off", spellcheck: "false" }));
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.#hooks.onSearch(search.value), TYPING);
    });
    return search;
  }

  #fillMetric() {
    const options = this.#job.metrics.map((metric, i) => el("option", { value: i }, metricTitle(this.#app, metric)));
    this.#metric.append(el("option", { value: -1 }, this.#app.t("file.filter.all-metrics")), ...options);
    this.#metric.addEventListener("change", () => {
      this.#filter.metric = Number(this.#metric.value);
      this.#hooks.onFilter();
    });
    return this.#metric;
  }

  /** @param {number} metric index, or -1 for all */
  showMetric(metric) {
    this.#metric.value = String(metric);
  }

  #state() {
    const options = STATES.map((state) => el("option", { value: state }, this.#app.t(`file.filter.${state}`)));
    const select = /** @type {HTMLSelectElement} */ (el("select", { class: "filter-state" }, ...options));
    select.addEventListener("change", () => {
      this.#filter.state = /** @type {Filter["state"]} */ (select.value);
      this.#hooks.onFilter();
    });
    return select;
  }

  #range() {
    const legend = el("legend", {}, this.#app.t("file.filter.score"));
    return el("fieldset", { class: "filter-range" }, legend, this.#bound("low", 0), el("span", {}, "–"), this.#bound("high", 10));
  }

  /**
   * @param {"low" | "high"} end
   * @param {number} fallback for an empty field
   */
  #bound(end, fallback) {
    const input = /** @type {HTMLInputElement} */ (el("input", { type: "number", min: 0, max: 10, step: 0.5, class: "filter-number", "aria-label": this.#app.t(`file.filter.${end}`) }));
    input.value = String(this.#filter[end]);
    input.addEventListener("input", () => {
      this.#filter[end] = Number.isNaN(input.valueAsNumber) ? fallback : input.valueAsNumber;
      this.#hooks.onFilter();
    });
    return input;
  }
}
