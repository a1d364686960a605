// @ts-check
/** What is known of each item of a job, in few bytes each, and the order in which it is shown. Pure. */
import { movedBy } from "../own/adjusted.js";
import { sortedPositions } from "./summary.js";

/**
 * @typedef {import("./types.js").Outcome} Outcome
 *
 * @typedef {object} Filter
 * @property {number} metric index of a metric, or -1 for all
 * @property {number} low
 * @property {number} high
 * @property {"all" | "scored" | "unsure" | "failed" | "passed" | "below" | "waiting"} state
 * @property {Set<number> | null} rows positions that hold the searched text; null without a search
 *
 * @typedef {"number" | "score" | "width" | "judged" | "difference" | "metric"} SortKey
 * @typedef {{ key: SortKey, descending: boolean }} Sort
 */

const DONE = 1;
const FAILED = 2;
const UNSURE = 4;

/** The state of every item, as columns. Item `i` is row `floor(i / metrics)` on metric `i % metrics`. */
export class Results {
  /** @type {((score: number, metric: number) => number) | null} */
  #adjust = null;

  /**
   * @param {number} rows
   * @param {number} metrics metrics of every row: 1 where the file's column names it
   * @param {Uint32Array} rowMetric per row, the index of its metric, where the column names it
   * @param {Float32Array} judged per row, NaN where nobody judged
   * @param {Int32Array | null} [judgedMetric] per row, the index of the metric that the judged score
   *   is about, -1 for none of them; null where it is the row's only one
   */
  constructor(rows, metrics, rowMetric, judged, judgedMetric = null) {
    this.length = rows * metrics;
    this.metrics = metrics;
    this.rowMetric = rowMetric;
    this.rowJudged = judged;
    this.judgedMetric = judgedMetric;
    /** What the model says; `score`, `low` and `high` are as the user's corrections have it. */
    this.model = { score: numbers(this.length), low: numbers(this.length), high: numbers(this.length) };
    this.score = numbers(this.length);
    this.low = numbers(this.length);
    this.high = numbers(this.length);
    /** Items whose score is adjusted. */
    this.adjusted = 0;
    this.flags = new Uint8Array(this.length);
    /** @type {Map<number, { kind: string, message: string }>} */
    this.errors = new Map();
    this.done = 0;
    this.failed = 0;
  }

  /** @param {number} item */
  rowOf(item) {
    return Math.floor(item / this.metrics);
  }

  /** The index of an item's metric among the job's. @param {number} item */
  metricOf(item) {
    return this.metrics > 1 ? item % this.metrics : (this.rowMetric[item] ?? 0);
  }

  /** @param {number} item */
  judged(item) {
    const row = this.rowOf(item);
    if (this.judgedMetric && this.judgedMetric[row] !== this.metricOf(item)) return NaN;
    return this.rowJudged[row] ?? NaN;
  }

  /** Whether any item has a judged score to compare with. */
  get hasJudged() {
    return this.rowJudged.some((judged, row) => !Number.isNaN(judged) && (this.judgedMetric?.[row] ?? 0) >= 0);
  }

  /** @param {number} item */
  isDone(item) {
    return (this.flags[item] & DONE) !== 0;
  }

  /** @param {number} item */
  isFailed(item) {
    return (this.flags[item] & FAILED) !== 0;
  }

  /** @param {number} item */
  isUnsure(item) {
    return (this.flags[item] & UNSURE) !== 0;
  }

  /**
   * @param {number} item
   * @param {Outcome} outcome
   */
  set(item, outcome) {
    if (!this.isDone(item)) this.done++;
    if (this.isFailed(item)) this.failed--;
    this.errors.delete(item);
    if ("error" in outcome) {
      this.flags[item] = DONE | FAILED;
      this.errors.set(item, outcome.error);
      this.failed++;
      return;
    }
    this.flags[item] = DONE | (outcome.abstain ? UNSURE : 0);
    this.model.score[item] = outcome.score;
    this.model.low[item] = outcome.interval?.[0] ?? NaN;
    this.model.high[item] = outcome.interval?.[1] ?? NaN;
    this.#place(item);
  }

  /** @param {((score: number, metric: number) => number) | null} adjust what the corrections make of a score */
  correct(adjust) {
    this.#adjust = adjust;
    for (let i = 0; i < this.length; i++) if (this.isDone(i)) this.#place(i);
  }

  /** @param {number} item */
  #place(item) {
    const was = this.isAdjusted(item);
    const { score, low, high } = this.model;
    const own = score[item];
    const to = this.#adjust ? this.#adjust(own, this.metricOf(item)) : own;
    const [by, ...ends] = movedBy(to - own, low[item], high[item]);
    this.score[item] = own + by;
    [this.low[item], this.high[item]] = ends;
    this.adjusted += Number(this.isAdjusted(item)) - Number(was);
  }

  /** @param {number} item */
  isAdjusted(item) {
    const [shown, own] = [this.score[item], this.model.score[item]];
    return !Number.isNaN(shown) && shown !== own;
  }

  /** Lets a failed item be scored again. @param {number} item */
  reopen(item) {
    if (!this.isFailed(item)) return;
    this.errors.delete(item);
    this.flags[item] = 0;
    this.failed--;
    this.done--;
  }

  /** The first item that is still to be scored, from `item` on. @param {number} item */
  nextOpen(item) {
    let next = item;
    while (next < this.length && this.isDone(next)) next++;
    return next;
  }

  /**
   * The items that are scored, for the figures.
   *
   * @param {number} metric index, or -1 for all
   * @returns {{ items: Uint32Array, scores: Float32Array, unsure: Uint8Array }}
   */
  scored(metric) {
    const items = new Uint32Array(this.done - this.failed);
    let n = 0;
    for (let i = 0; i < this.length; i++) {
      if ((this.flags[i] & (DONE | FAILED)) === DONE && (metric < 0 || this.metricOf(i) === metric)) items[n++] = i;
    }
    const some = items.subarray(0, n);
    return { items: some, scores: this.#pick(this.score, some), unsure: this.#pick(this.flags, some).map((flags) => flags & UNSURE) };
  }

  /**
   * The values of some items.
   *
   * @template {Float32Array | Uint8Array} T
   * @param {T} values
   * @param {Uint32Array} items
   * @returns {T}
   */
  #pick(values, items) {
    const picked = /** @type {T} */ (values.slice(0, items.length));
    for (let i = 0; i < items.length; i++) picked[i] = values[items[i]];
    return picked;
  }

  /**
   * Scores beside judged ones.
   *
   * @param {number} metric index, or -1 for all
   */
  pairs(metric) {
    const items = this.scored(metric).items.filter((i) => !Number.isNaN(this.judged(i)));
    const target = new Float32Array(items.length);
    for (let i = 0; i < items.length; i++) target[i] = this.judged(items[i]);
    return { predicted: this.#pick(this.score, items), target };
  }

  /**
   * Failed items by metric.
   *
   * @param {number} metric
   */
  failures(metric) {
    return [...this.errors.keys()].filter((item) => this.metricOf(item) === metric).length;
  }

  /**
   * The items that pass the filter, in order.
   *
   * @param {Filter} filter
   * @param {Sort} sort
   * @param {number} threshold
   */
  order(filter, sort, threshold) {
    const found = new Uint32Array(this.length);
    let n = 0;
    for (let i = 0; i < this.length; i++) if (this.#passes(i, filter, threshold)) found[n++] = i;
    const items = found.subarray(0, n);
    if (sort.key === "number") return sort.descending ? items.reverse() : items;
    return this.#sorted(items, sort);
  }

  /**
   * @param {number} item
   * @param {Filter} filter
   * @param {number} threshold
   */
  #passes(item, { metric, low, high, state, rows }, threshold) {
    if (metric >= 0 && this.metricOf(item) !== metric) return false;
    if (rows && !rows.has(this.rowOf(item))) return false;
    const score = this.score[item];
    const ranged = low > 0 || high < 10;
    if (ranged && !(score >= low && score <= high)) return false;
    switch (state) {
      case "scored":
        return this.isDone(item) && !this.isFailed(item);
      case "unsure":
        return this.isUnsure(item);
      case "failed":
        return this.isFailed(item);
      case "passed":
        return score >= threshold;
      case "below":
        return score < threshold;
      case "waiting":
        return !this.isDone(item);
      default:
        return true;
    }
  }

  /**
   * What has no value goes last, whichever way the others run.
   *
   * @param {Uint32Array} items
   * @param {Sort} sort
   */
  #sorted(items, { key, descending }) {
    const values = new Float32Array(items.length);
    for (let i = 0; i < items.length; i++) {
      const value = this.#value(items[i], key);
      values[i] = Number.isNaN(value) ? Infinity : descending ? -value : value;
    }
    return sortedPositions(values).map((position) => items[position]);
  }

  /**
   * @param {number} item
   * @param {SortKey} key
   */
  #value(item, key) {
    switch (key) {
      case "score":
        return this.score[item];
      case "width":
        return this.high[item] - this.low[item];
      case "judged":
        return this.judged(item);
      case "difference":
        return Math.abs(this.score[item] - this.judged(item));
      case "metric":
        return this.metricOf(item);
      default:
        return item;
    }
  }
}

/** As many numbers, none known yet. @param {number} length */
function numbers(length) {
  return new Float32Array(length).fill(NaN);
}
