// @ts-check
/** The figures of a job: tiles, histogram, threshold, a line for each metric, agreement with judges. */
import { el } from "../dom.js";
import { histogramChart } from "./charts.js";
import { describe, fit, histogram } from "./summary.js";
import { metricTitle, percent } from "./words.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("./session.js").Session} Session
 */

/** Metrics with a line of their own. */
const LINES = 200;

export class SummaryView {
  #app;
  #session;
  #onThreshold;
  #onMetric;
  #tiles = el("dl", { class: "tiles" });
  #chart = el("div", { class: "chart" });
  #metrics = el("div", { class: "scroll-x", tabindex: 0, role: "region" });
  #agreement = el("div", {});
  #slider;
  #observer = new ResizeObserver(() => this.#resized());
  #width = 0;
  #output = el("output", { class: "threshold-value" });

  /**
   * @param {App} app
   * @param {Session} session
   * @param {object} hooks
   * @param {() => void} hooks.onThreshold
   * @param {(metric: number) => void} hooks.onMetric a metric's line was chosen
   */
  constructor(app, session, { onThreshold, onMetric }) {
    this.#app = app;
    this.#session = session;
    this.#onThreshold = onThreshold;
    this.#onMetric = onMetric;
    this.#slider = this.#makeSlider();
    this.#metrics.setAttribute("aria-label", app.t("file.summary.by-metric"));
    this.element = el("section", { class: "file-summary", "aria-label": app.t("file.summary") },
      this.#tiles,
      el("div", { class: "file-figures" }, el("div", {}, this.#chart, this.#threshold()), this.#agreement),
      this.#metrics);
    this.draw();
    this.#observer.observe(this.#chart);
  }

  #makeSlider() {
    const slider = /** @type {HTMLInputElement} */ (el("input", { type: "range", id: "file-threshold", min: 0, max: 10, step: 0.5 }));
    slider.value = String(this.#session.job.threshold);
    slider.addEventListener("input", () => {
      this.#session.job.threshold = Number(slider.value);
      this.draw();
      this.#onThreshold();
    });
    slider.addEventListener("change", () => this.#session.save());
    return slider;
  }

  #threshold() {
    const label = el("label", { for: "file-threshold" }, this.#app.t("file.threshold"));
    return el("div", { class: "threshold-row" }, label, this.#slider, this.#output);
  }

  /** The chart is drawn for the width it has, so that its letters keep their size. */
  #resized() {
    if (Math.abs(this.#chart.clientWidth - this.#width) > 8) this.draw();
  }

  close() {
    this.#observer.disconnect();
  }

  draw() {
    const { results, job } = this.#session;
    if (!results) return;
    const { scores, unsure } = results.scored(-1);
    const all = describe(scores, unsure, job.threshold);
    this.element.hidden = all === null;
    if (!all) return;
    this.#drawTiles(all, results.failed);
    this.#drawChart(scores, unsure, all);
    this.#drawMetrics();
    this.#drawAgreement();
  }

  /**
   * @param {import("./summary.js").Description} all
   * @param {number} failed
   */
  #drawTiles({ n, mean, median, unsure, passed }, failed) {
    const { threshold } = this.#session.job;
    const number = (/** @type {number} */ value) => this.#app.number(value, 2);
    const tiles = [
      [this.#app.t("file.summary.scored"), this.#app.number(n), failed > 0 ? this.#app.t("file.progress.failed", { count: failed }) : ""],
      [this.#app.t("file.summary.mean"), number(mean), ""],
      [this.#app.t("file.summary.median"), number(median), ""],
      [this.#app.t("file.summary.unsure"), percent(this.#app, unsure), ""],
      [this.#app.t("file.summary.passed"), percent(this.#app, passed), this.#app.t("file.summary.at-least", { threshold })],
    ];
    this.#tiles.replaceChildren(...tiles.map(([name, value, note]) => el("div", {}, el("dt", {}, name), el("dd", {}, value, ...(note ? [el("small", {}, note)] : [])))));
  }

  /**
   * @param {Float32Array} scores
   * @param {Uint8Array} unsure
   * @param {import("./summary.js").Description} all
   */
  #drawChart(scores, unsure, all) {
    const { threshold } = this.#session.job;
    const t = this.#app.t.bind(this.#app);
    const number = (/** @type {number} */ value) => this.#app.number(value);
    const passed = percent(this.#app, all.passed);
    const values = { count: all.n, mean: this.#app.number(all.mean, 1), median: this.#app.number(all.median, 1), threshold, passed };
    this.#width = this.#chart.clientWidth;
    this.#chart.replaceChildren(
      histogramChart(histogram(scores, unsure), threshold, {
        label: t("file.histogram.label", values),
        across: t("file.histogram.across"),
        up: t("file.histogram.up"),
        threshold: t("file.histogram.threshold", { threshold }),
        number,
        width: this.#chart.clientWidth || 640,
        bar: ({ from, to, sure, unsure: doubtful }) => t("file.histogram.bar", { from, to, sure, unsure: doubtful }),
      }),
      el("p", { class: "chart-legend" }, el("span", { class: "swatch" }), t("file.histogram.sure"), " ", el("span", { class: "swatch unsure" }), t("file.histogram.unsure")),
    );
    const text = t("file.threshold.value", { threshold, passed });
    this.#output.textContent = text;
    this.#slider.setAttribute("aria-valuetext", text);
  }

  #drawMetrics() {
    const { results, job } = this.#session;
    this.#metrics.hidden = job.metrics.length < 2;
    if (!results || job.metrics.length < 2) return;
    const heads = ["metric", "n", "mean", "median", "unsure", "passed", "failed"];
    const head = heads.map((key) => el("th", { scope: "col" }, this.#app.t(`file.summary.${key}`)));
    const lines = job.metrics.slice(0, LINES).map((_, index) => this.#metricLine(index));
    const table = el("table", { class: "figures" }, el("caption", {}, this.#app.t("file.summary.by-metric")), el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...lines));
    const { activeElement } = document;
    const focused = activeElement instanceof HTMLElement && this.#metrics.contains(activeElement) ? activeElement.dataset.metric : undefined;
    this.#metrics.replaceChildren(table);
    if (focused === undefined) return;
    /** @type {HTMLElement | null} */ (table.querySelector(`[data-metric="${focused}"]`))?.focus();
  }

  /** @param {number} index */
  #metricLine(index) {
    const { results, job } = this.#session;
    const { scores, unsure } = /** @type {import("./results.js").Results} */ (results).scored(index);
    const one = describe(scores, unsure, job.threshold);
    const number = (/** @type {number | undefined} */ value) => (value === undefined ? "–" : this.#app.number(value, 2));
    const share = (/** @type {number | undefined} */ value) => (value === undefined ? "–" : percent(this.#app, value));
    const button = el("button", { type: "button", class: "link", "data-metric": index }, metricTitle(this.#app, job.metrics[index]));
    button.addEventListener("click", () => this.#onMetric(index));
    const cells = [this.#app.number(one?.n ?? 0), number(one?.mean), number(one?.median), share(one?.unsure), share(one?.passed), this.#app.number(results?.failures(index) ?? 0)];
    return el("tr", {}, el("th", { scope: "row" }, button), ...cells.map((text) => el("td", {}, text)));
  }

  #drawAgreement() {
    const { results } = this.#session;
    const pairs = results?.pairs(-1);
    const found = pairs && fit(pairs.predicted, pairs.target);
    this.#agreement.hidden = !found;
    if (!found) return;
    const number = (/** @type {number | null} */ value) => (value === null ? "–" : this.#app.number(value, 3));
    const lines = [
      ["rmse", number(found.rmse)], ["constant", number(found.constantRmse)], ["mae", number(found.mae)],
      ["pearson", number(found.pearson)], ["spearman", number(found.spearman)],
    ];
    const better = found.rmse < found.constantRmse;
    this.#agreement.replaceChildren(
      el("h4", {}, this.#app.t("file.agreement")),
      el("p", { class: "caption" }, this.#app.t("file.agreement.n", { count: found.n })),
      el("dl", { class: "agreement", "data-rmse": found.rmse, "data-constant": found.constantRmse, "data-spearman": found.spearman ?? "" },
        ...lines.map(([key, value]) => el("div", {}, el("dt", {}, this.#app.t(`file.agreement.${key}`)), el("dd", { dir: "ltr" }, value)))),
      el("p", { class: better ? "good" : "poor" }, this.#app.t(better ? "file.agreement.better" : "file.agreement.worse")),
    );
  }
}
