// @ts-check
/** One job on the page: what was read, then its mapping, or its progress, figures and results. */
import { el } from "../dom.js";
import { mount as mountAdjustment } from "../own/adjustment.js";
import { MappingView } from "./mapping-view.js";
import { ProgressView } from "./progress-view.js";
import { ResultsView } from "./results-view.js";
import { SummaryView } from "./summary-view.js";
import { metricTitle, size, told } from "./words.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("./session.js").Session} Session
 */

/** Milliseconds between two drawings of the figures while scores come in, and at least so many times what one takes. */
const CALM = 1000;
const SHARE = 12;
/** Broken rows that are listed. */
const LISTED = 100;

export class JobView {
  #app;
  #session;
  #start;
  #body = el("div", { class: "job-body" });
  /** @type {MappingView | null} */
  #mapping = null;
  /** @type {ProgressView | null} */
  #progress = null;
  /** @type {SummaryView | null} */
  #summary = null;
  /** @type {ResultsView | null} */
  #results = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #cost = 0;
  #adjusted = el("div", { hidden: "" });
  #adjustment;
  #onState = () => this.#draw();
  #onBatch = () => this.#soon();

  /**
   * @param {App} app
   * @param {Session} session
   * @param {() => void} start asks for the job's turn
   */
  constructor(app, session, start) {
    this.#app = app;
    this.#session = session;
    this.#start = start;
    this.#adjustment = mountAdjustment(this.#adjusted, app);
    this.element = el("section", { class: "file-job card", "aria-labelledby": "file-job-name" }, ...this.#head(), this.#body);
    session.addEventListener("state", this.#onState);
    session.addEventListener("batch", this.#onBatch);
    this.#draw();
  }

  #head() {
    const { job } = this.#session;
    const t = this.#app.t.bind(this.#app);
    const facts = [t(`file.form.${job.form}`), t("file.rows", { count: job.rows }), t("file.columns", { count: job.columns.length }), size(this.#app, job.size), job.encoding.toUpperCase()];
    const notices = job.notices.map((notice) => el("li", {}, told(this.#app, "notice", notice)));
    return [
      el("h3", { id: "file-job-name" }, el("bdi", {}, job.name)),
      el("p", { class: "caption" }, facts.join(" · ")),
      ...(notices.length > 0 ? [el("ul", { class: "findings notices" }, ...notices)] : []),
      ...this.#broken(),
    ];
  }

  #broken() {
    const { broken, brokenCount } = this.#session.job;
    if (brokenCount === 0) return [];
    const place = (/** @type {import("./types.js").Broken} */ row) => this.#app.t("file.broken.place", { row: row.n, line: row.line });
    const lines = broken.slice(0, LISTED).map((row) => el("li", {}, el("b", {}, place(row)), ": ", told(this.#app, "broken", row)));
    const more = brokenCount - lines.length;
    if (more > 0) lines.push(el("li", {}, this.#app.t("file.broken.more", { count: more })));
    const details = /** @type {HTMLDetailsElement} */ (el("details", { class: "broken" }, el("summary", {}, this.#app.t("file.broken.title", { count: brokenCount })), el("ol", {}, ...lines)));
    details.open = brokenCount <= 3;
    return [details];
  }

  #draw() {
    const { job, results } = this.#session;
    this.#drawOther();
    if (job.state === "ready") return this.#showMapping();
    if (!results) {
      this.#body.replaceChildren(el("p", { class: "caption", role: "status" }, this.#app.t("file.restoring")));
      return;
    }
    if (!this.#progress) this.#showRun();
    this.#progress?.draw();
    this.#refresh();
  }

  /** A file scored in part by another model is not silently finished by this one. */
  async #drawOther() {
    this.other?.remove();
    const { job } = this.#session;
    if (!job.bundle || job.state !== "paused") return;
    const loaded = await this.#app.model().catch(() => null);
    if (!loaded || loaded.info.bundle === job.bundle || job.state !== "paused") return;
    this.other = el("p", { class: "trouble" }, this.#app.t("file.other-model"));
    this.#body.before(this.other);
  }

  #showMapping() {
    this.#closeParts();
    this.#mapping = new MappingView(this.#app, this.#session, () => {
      this.#session.begin();
      this.#start();
    });
    this.#body.replaceChildren(this.#mapping.element);
  }

  #showRun() {
    this.#closeParts();
    this.#progress = new ProgressView(this.#app, this.#session, this.#start);
    const results = (this.#results = new ResultsView(this.#app, this.#session));
    this.#summary = new SummaryView(this.#app, this.#session, {
      onThreshold: () => results.draw(),
      onMetric: (metric) => {
        results.showMetric(metric);
        results.element.scrollIntoView({ block: "start" });
      },
    });
    this.#body.replaceChildren(this.#settings(), this.#progress.element, this.#adjusted, this.#summary.element, results.element);
  }

  /** What the job was started with. */
  #settings() {
    const { job } = this.#session;
    const names = job.metrics.slice(0, 6).map((metric) => metricTitle(this.#app, metric));
    const more = job.metrics.length > 6 ? [this.#app.t("file.more", { count: job.metrics.length - 6 })] : [];
    const from = job.mode === "column" ? this.#app.t("file.settings.column", { column: job.mapping.metric ?? "" }) : this.#app.t("file.settings.chosen");
    return el("p", { class: "settings caption" }, `${from} ${[...names, ...more].join(", ")}`);
  }

  #soon() {
    this.#progress?.draw();
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#refresh();
    }, Math.max(CALM, SHARE * this.#cost));
  }

  #refresh() {
    const started = performance.now();
    const { results } = this.#session;
    if (results && this.#app.corrections) this.#adjustment.count(results.adjusted, results.done - results.failed);
    this.#summary?.draw();
    this.#results?.draw();
    this.#cost = performance.now() - started;
  }

  #closeParts() {
    this.#mapping?.close();
    this.#results?.close();
    this.#summary?.close();
    this.#mapping = this.#progress = this.#summary = this.#results = null;
  }

  close() {
    clearTimeout(this.#timer);
    this.#session.removeEventListener("state", this.#onState);
    this.#session.removeEventListener("batch", this.#onBatch);
    this.#closeParts();
    this.element.remove();
  }
}
