// @ts-check
/** One job while the page is open: its survey, its results, and the run. */
import { adjusted, recordOf } from "../own/adjusted.js";
import { shortest } from "./export.js";
import { MAX_ITEMS } from "./limits.js";
import { Results } from "./results.js";
import { Runner } from "./runner.js";
import { Survey, nearestNames } from "./task.js";

/**
 * @typedef {import("./types.js").Job} Job
 * @typedef {import("./types.js").JobMetric} JobMetric
 * @typedef {import("./store.js").Store} Store
 * @typedef {{ name: string, rows: number, nearest: string[] }} Unknown
 */

/** Tells "survey", "state" and "batch". */
export class Session extends EventTarget {
  /** @type {Survey | null} null while the rows are being looked through */
  survey = null;
  /** @type {Results | null} null until the job has been started */
  results = null;
  /** @type {Runner | null} */
  runner = null;
  /** The last error that ended a run. @type {unknown} */
  error = null;
  retrying = false;
  /** @type {AbortController | null} of the run */
  #running = null;
  /** @type {AbortController | null} of the scan */
  #scanning = null;
  #saved = 0;
  /** What the user's corrections make of the model's scores. @type {import("../own/adjusted.js").Adjuster | null} */
  #adjuster = null;

  /**
   * @param {import("../app.js").App} app
   * @param {Store} store
   * @param {Job} job
   */
  constructor(app, store, job) {
    super();
    this.app = app;
    this.store = store;
    this.job = job;
    app.events.addEventListener("corrections", () => this.#correct());
  }

  get running() {
    return this.#running !== null;
  }

  get started() {
    return this.job.state !== "ready" && this.job.state !== "reading";
  }

  /** Looks through the rows, and takes up the results of an earlier visit. */
  async open() {
    await this.scan();
    if (!this.started || !this.survey) return;
    await this.#restore();
    this.#tell("state");
  }

  /** Looks through all rows under the present mapping; a later call replaces an earlier one. */
  async scan() {
    this.#scanning?.abort();
    const mine = (this.#scanning = new AbortController());
    this.survey = null;
    this.#tell("survey");
    const survey = new Survey(this.job);
    for await (const { first, rows } of this.store.chunks(this.job)) {
      if (mine.signal.aborted) return;
      rows.forEach((row, i) => survey.add(row, first + i));
      await breath();
    }
    if (mine.signal.aborted) return;
    this.survey = survey;
    this.#tell("survey");
  }

  /** The metrics the rows are scored on, under the present mapping. @returns {JobMetric[]} */
  metrics() {
    if (this.job.mode === "chosen") return this.job.metrics.map((metric) => this.#known(metric.name) ?? metric);
    return [...(this.survey?.names.keys() ?? [])].map((name) => this.#known(name) ?? { name });
  }

  /** @param {string} name @returns {JobMetric | undefined} */
  #known(name) {
    const metric = this.app.metrics().find((one) => one.name === name);
    if (!metric) return undefined;
    return metric.own ? { name, title: metric.title, definition: metric.definition } : { name };
  }

  /** Names in the metric's column that nothing defines. @returns {Unknown[]} */
  unknown() {
    if (this.job.mode === "chosen" || !this.survey) return [];
    const known = this.app.metrics().map(({ name }) => name);
    const open = [...this.survey.names].filter(([name, { rows, described }]) => !known.includes(name) && described < rows);
    return open.map(([name, { rows, described }]) => ({ name, rows: rows - described, nearest: nearestNames(name, known) }));
  }

  /** Scores that the job would take. */
  get items() {
    return this.job.rows * (this.job.mode === "chosen" ? this.job.metrics.length : 1);
  }

  /** Why the job cannot start: a message key without its prefix, or "". */
  get obstacle() {
    const { mapping, mode, metrics } = this.job;
    if (!this.survey) return "scanning";
    if (mapping.response === null) return "no-answer";
    if (mode === "column" && mapping.metric === null) return "no-metric-column";
    if (mode === "chosen" && metrics.length === 0) return "no-metric";
    if (this.survey.emptyAnswers === this.job.rows) return "all-empty";
    return this.items > MAX_ITEMS ? "too-many" : "";
  }

  /** Fixes the mapping and makes ready for results. */
  begin() {
    this.job.metrics = this.metrics();
    this.#makeResults();
    this.#state("waiting");
  }

  #makeResults() {
    const survey = /** @type {Survey} */ (this.survey);
    const metrics = this.job.mode === "chosen" ? this.job.metrics.length : 1;
    const rowMetric = this.job.mode === "chosen" ? new Uint32Array(0) : survey.metric;
    this.results = new Results(this.job.rows, metrics, rowMetric, survey.judged, this.#judgedMetric(survey));
    this.runner = new Runner(this.app, this.store, this.job, this.results, {
      onBatch: () => this.#onBatch(),
      onRetry: () => this.#onRetry(),
    });
    return this.results;
  }

  /**
   * A judged score is about the metric that its row names; without a column of metrics, about the
   * one metric chosen, and about none of several.
   *
   * @param {Survey} survey
   */
  #judgedMetric(survey) {
    const { mode, metrics, mapping, rows } = this.job;
    if (mode === "column") return null;
    if (mapping.metric === null) return metrics.length === 1 ? null : new Int32Array(rows).fill(-1);
    const chosen = [...survey.names.keys()].map((name) => metrics.findIndex((metric) => metric.name === name));
    return Int32Array.from(survey.metric, (index) => chosen[index]);
  }

  async #restore() {
    const results = this.#makeResults();
    for await (const { first, outcomes } of this.store.outcomes(this.job.id, results.length)) {
      outcomes.forEach((outcome, i) => outcome && results.set(first + i, outcome));
    }
    this.job.done = results.done;
    this.#correct();
  }

  /** Takes up what the user's corrections make of the scores now. */
  #correct() {
    if (!this.results || !this.job.bundle) return;
    this.#adjuster = this.app.corrections?.adjuster(this.job.bundle) ?? null;
    const adjuster = this.#adjuster;
    this.results.correct(adjuster && ((score, metric) => adjuster.of(score, this.#metricName(metric))));
    this.#tell("batch");
  }

  /** @param {number} metric index */
  #metricName(metric) {
    return this.job.metrics[metric]?.name ?? "";
  }

  /**
   * What a file of the results says of an item: the model's own score, and the adjusted one.
   *
   * @param {number} item
   * @param {import("./types.js").Outcome} outcome
   */
  recordOf(item, outcome) {
    if ("error" in outcome || !this.#adjuster || !this.results) return outcome;
    const { of, n } = this.#adjuster;
    const to = shortest(Math.fround(of(outcome.score, this.#metricName(this.results.metricOf(item)))));
    return recordOf(adjusted(outcome, to, n));
  }

  /** Scores until done, paused or failed. */
  async run() {
    if (!this.runner || this.#running) return;
    const mine = (this.#running = new AbortController());
    this.error = null;
    this.#state("running");
    try {
      await this.runner.run(mine.signal);
      this.#running = null;
      this.#state("done");
    } catch (error) {
      this.#running = null;
      this.error = mine.signal.aborted ? null : error;
      this.#state("paused");
    }
  }

  /** Stops where it is; the batch under way is asked again later. */
  pause() {
    if (this.#running) this.#running.abort(new DOMException("Paused.", "AbortError"));
    else if (this.job.state === "waiting") this.#state("paused");
  }

  /** Waits for its turn. */
  wait() {
    this.#state("waiting");
  }

  /** Forgets all results and opens the mapping again. */
  async reset() {
    this.pause();
    await this.store.clearResults(this.job.id);
    Object.assign(this.job, { done: 0, bundle: "" });
    if (this.job.mode === "column") this.job.metrics = [];
    this.results = this.runner = null;
    this.#state("ready");
  }

  /** Scores the failed rows once more. */
  retryFailed() {
    for (const item of this.results?.errors.keys() ?? []) this.results?.reopen(item);
    this.wait();
  }

  #onBatch() {
    this.retrying = false;
    if (this.#adjuster) this.#tell("batch");
    else this.#correct();
    if (performance.now() - this.#saved < 5000) return;
    this.#saved = performance.now();
    this.store.saveJob(this.job);
  }

  #onRetry() {
    this.retrying = true;
    this.#tell("batch");
  }

  /** @param {Job["state"]} state */
  #state(state) {
    this.job.state = state;
    this.retrying = false;
    this.store.saveJob(this.job);
    this.#tell("state");
  }

  save() {
    return this.store.saveJob(this.job);
  }

  /** @param {"survey" | "state" | "batch"} what */
  #tell(what) {
    this.dispatchEvent(new Event(what));
  }
}

/** Lets the page paint and answer between pieces of work. */
function breath() {
  return new Promise((resolve) => setTimeout(resolve));
}
