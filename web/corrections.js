// @ts-check
/**
 * The user's corrections of scores: kept in this browser, exported as training rows, and learnt
 * from at once by `own/calibration.js`.
 */
import { adjusted } from "./own/adjusted.js";
import { adjust, fit, isUseful } from "./own/calibration.js";
import { Records, newId } from "./own/records.js";
import { readRows, rowOf } from "./own/training-rows.js";

/**
 * @typedef {import("./protocol.js").Task} Task
 * @typedef {import("./protocol.js").Score} Score
 *
 * @typedef {object} Correction
 * @property {string} id
 * @property {Task} task
 * @property {number} score the right score, 0 to 10
 * @property {number | null} predicted the model's own; null until an imported one is scored
 * @property {string | null} bundle hash of the model that predicted
 * @property {number} created milliseconds since 1970
 * @property {number} changed
 *
 * @typedef {object} Report
 * @property {number} n corrections that count
 * @property {number} unscored corrections without a score of this model, which do not count
 * @property {number} before leave-one-out RMSE of the model's scores, in points
 * @property {number} after the same of the adjusted scores
 * @property {boolean} useful whether scores may be adjusted: enough corrections, smaller error
 * @property {boolean} on whether they are
 */

const SWITCH = "touchstone-calibration";
const BUNDLE = "touchstone-calibration-bundle";

export class Corrections {
  /** @type {Records<Correction>} */
  #records;
  #tell;
  /** @type {import("./own/calibration.js").Fit | null} of the corrections that count */
  #fit = null;
  /** @type {string | null} the model in use, as far as known */
  #bundle = setting(BUNDLE);
  #enabled = setting(SWITCH) !== "off";

  /** @param {() => void} tell after every change, also of what a correction does */
  constructor(tell) {
    this.#tell = tell;
    this.#records = new Records("corrections", () => this.#renew());
  }

  /** Reads what is kept; never rejects. */
  read() {
    return this.#records.read();
  }

  #renew() {
    this.#fit = null;
    this.#tell();
  }

  /** Whether they outlive this tab. */
  get lasting() {
    return this.#records.lasting;
  }

  /** @returns {Correction[]} oldest first */
  all() {
    return this.#records.all();
  }

  /**
   * The correction of exactly this task, if there is one.
   *
   * @param {Task} task
   */
  of(task) {
    const wanted = identity(task);
    return this.all().find((correction) => identity(correction.task) === wanted);
  }

  /**
   * Keeps the right score of a task; an earlier one of the same task is replaced.
   *
   * @param {{ task: Task, score: number, predicted: Score | number, bundle?: string }} correction
   * @returns {Promise<Correction>} rejects as `Records.put`
   */
  async add({ task, score, predicted, bundle }) {
    const old = this.of(task);
    const now = Date.now();
    const correction = {
      id: old?.id ?? newId(),
      task,
      score: inRange(score),
      predicted: typeof predicted === "number" ? predicted : predicted.score,
      bundle: bundle ?? (typeof predicted === "number" ? this.#bundle : predicted.receipt.bundle),
      created: old?.created ?? now,
      changed: now,
    };
    await this.#records.put(correction);
    return correction;
  }

  /**
   * @param {Correction} correction
   * @param {Partial<Pick<Correction, "score" | "predicted" | "bundle">>} change
   */
  update(correction, change) {
    const score = inRange(change.score ?? correction.score);
    return this.#records.put({ ...correction, ...change, score, changed: Date.now() });
  }

  /**
   * Keeps what the model in use makes of corrected answers.
   *
   * @param {[Correction, Score][]} pairs
   */
  scored(pairs) {
    for (const [, score] of pairs) this.#know(score.receipt.bundle);
    return this.#records.put(
      ...pairs.map(([correction, { score, receipt }]) => ({ ...correction, predicted: score, bundle: receipt.bundle })),
    );
  }

  /** @param {Correction[]} corrections */
  remove(...corrections) {
    return this.#records.remove(...corrections.map(({ id }) => id));
  }

  /** Puts corrections back as they were. @param {Correction[]} corrections */
  restore(...corrections) {
    return this.#records.put(...corrections);
  }

  // --- Calibration ---

  /** Whether the user lets scores be adjusted. */
  get enabled() {
    return this.#enabled;
  }

  set enabled(on) {
    this.#enabled = on;
    keepSetting(SWITCH, on ? null : "off");
    this.#tell();
  }

  /** Tells which model scores now: only corrections of its own scores teach anything about it. */
  set bundle(/** @type {string} */ bundle) {
    if (bundle === this.#bundle) return;
    this.#bundle = bundle;
    keepSetting(BUNDLE, bundle);
    this.#renew();
  }

  /** @param {Correction} correction whether it counts for the model in use */
  counts({ predicted, bundle }) {
    return predicted !== null && bundle === this.#bundle;
  }

  #learnt() {
    this.#fit ??= fit(
      this.all()
        .filter((correction) => this.counts(correction))
        .map(({ task, score, predicted }) => ({ metric: task.metric, right: score, predicted: predicted ?? 0 })),
    );
    return this.#fit;
  }

  /** @returns {Report} */
  report() {
    const { n, before, after } = this.#learnt();
    const useful = isUseful(this.#learnt());
    return { n, unscored: this.all().length - n, before, after, useful, on: useful && this.#enabled };
  }

  /**
   * @param {string | null} [bundle] the model that scored
   * @returns {import("./own/adjusted.js").Adjuster | null} null while its scores stay as they are
   */
  adjuster(bundle = this.#bundle) {
    const { n, on } = this.report();
    const learnt = this.#learnt();
    return on && bundle === this.#bundle ? { n, of: (score, metric) => adjust(learnt, score, metric) } : null;
  }

  /**
   * A score of the model in use as the corrections have it.
   *
   * @template {import("./own/adjusted.js").Numbers} S
   * @param {S} score
   * @param {string} metric
   * @param {string} bundle
   */
  calibrate(score, metric, bundle) {
    this.#know(bundle);
    const adjuster = this.adjuster(bundle);
    return adjuster ? adjusted(score, adjuster.of(score.score, metric), adjuster.n) : /** @type {S & import("./own/adjusted.js").Mark} */ (score);
  }

  /** As setting `bundle`, but quietly: the caller is drawing. @param {string} bundle */
  #know(bundle) {
    if (bundle === this.#bundle) return;
    this.#bundle = bundle;
    this.#fit = null;
    keepSetting(BUNDLE, bundle);
  }

  // --- Files ---

  /** @returns {string} JSON lines as `touchstone train` reads them */
  exported() {
    return this.all()
      .map((correction) => `${JSON.stringify(rowOf(correction))}\n`)
      .join("");
  }

  /**
   * Takes training rows: an export, or any JSON lines or JSON list with the same names.
   *
   * @param {string} text
   * @returns {Promise<{ added: number, replaced: number, same: number, refused: import("./own/training-rows.js").Refused[] }>}
   *   rejects with kind "input" where the text holds no rows, or as `Records.put`
   */
  async import(text) {
    const { rows, refused } = readRows(text);
    const known = new Map(this.all().map((correction) => [identity(correction.task), correction]));
    /** @type {Map<string, Correction>} */
    const taken = new Map();
    const outcome = { added: 0, replaced: 0, same: 0, refused };
    rows.forEach((row, index) => {
      const key = identity(row.task);
      const old = taken.get(key) ?? known.get(key);
      if (old?.score === row.score) return (outcome.same += 1);
      outcome[old ? "replaced" : "added"] += 1;
      const now = Date.now();
      taken.set(key, {
        id: newId(),
        created: now + index,
        predicted: null,
        bundle: null,
        ...old,
        ...row,
        changed: now,
      });
    });
    if (taken.size > 0) await this.#records.put(...taken.values());
    return outcome;
  }
}

/** @param {Task} task the same text for the same task */
function identity({ metric, definition = "", system = "", user, response }) {
  return JSON.stringify([metric, definition, system, user, response]);
}

/** @param {number} score */
function inRange(score) {
  if (!(score >= 0 && score <= 10)) throw new RangeError(`A score lies between 0 and 10, not at ${score}.`);
  return score;
}

/** @param {string} name */
function setting(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null; // blocked storage: as if never set
  }
}

/**
 * @param {string} name
 * @param {string | null} value
 */
function keepSetting(name, value) {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, value);
  } catch {
    // Blocked or full storage: it holds for this visit.
  }
}
