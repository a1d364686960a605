// @ts-check
import { reason } from "./backend.js";
import { holdContest } from "./contest.js";
import { WorkerLink } from "./link.js";
import { TouchstoneError } from "./protocol.js";

/**
 * @typedef {import("./protocol.js").Task} Task
 * @typedef {import("./protocol.js").Loaded} Loaded
 * @typedef {import("./protocol.js").MetricText} MetricText
 * @typedef {import("./link.js").CallOptions} CallOptions
 * @typedef {import("./contest.js").Opened} Opened
 *
 * @typedef {object} ClientOptions
 * @property {(error: TouchstoneError) => void} [onLost] the scorer is gone, for this reason
 * @property {(loading: Promise<Loaded>, error: TouchstoneError) => void} [onRestart] follows `onLost`
 *   where the client loads the same model by itself; calls made meanwhile wait for it
 * @property {(name: string) => Worker} [start] makes the worker, which must have this name
 */

/** Long enough for a big model to be hashed and warmed up on a slow device. */
const LOAD_DEADLINE = 300_000;
const CALL_DEADLINE = 120_000;
/** Losses without an answer in between after which the scorer is not started again. */
const MOST_LOSSES = 3;

/**
 * The scorer behind a worker, as promises.
 *
 * Aborting a call's signal rejects its promise at once; the worker stops between two layers, and
 * one that has not stopped after 2 seconds is ended. When the worker or its scorer dies (a lost
 * graphics device, a panic, no memory, silence), everything pending rejects with a `retryable`
 * error, a fresh worker loads the same model from the browser's cache, and calls made meanwhile
 * wait for it. After three losses in a row it is given up: errors are not `retryable` then, and
 * `load` starts anew.
 */
export class ScorerClient {
  /** @type {WorkerLink | null} */
  #link = null;
  /** @type {Promise<Loaded> | null} the model, loading or loaded */
  #loading = null;
  /** @type {{ model: string, backend: import("./protocol.js").BackendChoice, because?: object } | null} */
  #wanted = null;
  /** Ends the load under way. */
  #abandon = new AbortController();
  #losses = 0;
  #onLost;
  #onRestart;
  #start;

  /** @param {ClientOptions} [options] */
  constructor({ onLost = () => {}, onRestart = () => {}, start = startWorker } = {}) {
    this.#onLost = onLost;
    this.#onRestart = onRestart;
    this.#start = start;
  }

  /**
   * Loads a model in a fresh worker, replacing the one that is loaded: wasm memory never shrinks.
   *
   * @param {{ model?: string, backend?: import("./protocol.js").BackendChoice } & CallOptions} [options]
   *   `model` is the bundle's folder, relative to `worker.js`
   * @returns {Promise<Loaded>}
   */
  load({ model = "model/", backend = "auto", ...options } = {}) {
    this.close();
    this.#losses = 0;
    this.#wanted = { model, backend };
    return this.#load(options);
  }

  /**
   * @param {Task} task
   * @param {CallOptions} [options]
   * @returns {Promise<import("./protocol.js").TimedScore>}
   */
  score(task, options) {
    return this.#call("score", { task }, options);
  }

  /**
   * Scores up to 1,000 tasks; a bad one does not fail the others.
   *
   * @param {Task[]} tasks
   * @param {CallOptions} [options]
   * @returns {Promise<import("./protocol.js").BatchEntry[]>} in the order of the tasks
   */
  scoreBatch(tasks, options) {
    return this.#call("scoreBatch", { tasks }, options);
  }

  /**
   * Scores one answer on every metric of the bundle, then on the own ones.
   *
   * @param {Omit<Task, "metric">} task
   * @param {{ own?: MetricText[] } & CallOptions} [options]
   * @returns {Promise<import("./protocol.js").Profile>}
   */
  profile(task, { own = [], ...options } = {}) {
    const metrics = own.map(({ name, definition }) => ({ name, definition }));
    return this.#call("profile", { task, own: metrics }, options);
  }

  /**
   * What each sentence of one part does to the score.
   *
   * @param {Task} task
   * @param {{ part?: import("./protocol.js").Part } & CallOptions} [options]
   * @returns {Promise<import("./protocol.js").Explanation>}
   */
  explain(task, { part = "response", ...options } = {}) {
    return this.#call("explain", { task, part }, options);
  }

  /**
   * The neighbours of a metric, of the catalogue or an own one.
   *
   * @param {MetricText} metric
   * @param {CallOptions} [options]
   * @returns {Promise<import("./protocol.js").Neighbours>}
   */
  locate({ name, definition }, options) {
    return this.#call("locate", { metric: { name, definition } }, options);
  }

  /**
   * @param {CallOptions} [options]
   * @returns {Promise<import("./protocol.js").AnchorMap | null>} null where the bundle has no map
   */
  map(options) {
    return this.#call("map", {}, options);
  }

  /**
   * Scores the golden texts once more.
   *
   * @param {CallOptions} [options]
   * @returns {Promise<import("./protocol.js").Check | null>} null where the bundle has none
   */
  check(options) {
    return this.#call("check", {}, options);
  }

  /**
   * A further client that loads the same model in a worker of its own.
   *
   * @param {import("./protocol.js").Backend} backend
   * @returns {{ helper: ScorerClient, loading: Promise<Loaded> }}
   */
  another(backend) {
    const helper = new ScorerClient({ start: this.#start });
    return { helper, loading: helper.load({ ...this.#wanted, backend }) };
  }

  /** Ends the worker and frees its memory; what is pending rejects with an `AbortError`. */
  close() {
    const error = new DOMException("The scorer was closed.", "AbortError");
    this.#abandon.abort(error);
    this.#link?.end(error);
    this.#link = this.#loading = this.#wanted = null;
  }

  /**
   * @param {string} type
   * @param {object} fields
   * @param {CallOptions} [options]
   * @returns {Promise<any>}
   */
  async #call(type, fields, options = {}) {
    const loading = this.#loading;
    if (!loading) throw new TouchstoneError("not-loaded", "No model is loaded. Load the model before scoring.");
    await unlessAborted(loading, options.signal);
    // Lost since, and loading again: this call waits with the others.
    if (!this.#link || loading !== this.#loading) return this.#call(type, fields, options);
    const value = await this.#link.call(type, fields, { deadline: CALL_DEADLINE, ...options });
    this.#losses = 0;
    return value;
  }

  /** @param {CallOptions} options */
  #load(options) {
    this.#abandon = new AbortController();
    const signal = AbortSignal.any([this.#abandon.signal, ...(options.signal ? [options.signal] : [])]);
    const loading = this.#open({ deadline: LOAD_DEADLINE, ...options, signal });
    this.#loading = loading;
    loading.catch(() => {
      if (this.#loading === loading) this.#link = this.#loading = null;
    });
    return loading;
  }

  /**
   * @param {CallOptions} options
   * @returns {Promise<Loaded>}
   */
  async #open(options) {
    const started = performance.now();
    const wanted = this.#wanted ?? {};
    let opened = await this.#openOne(wanted, options);
    if (opened.loaded.trial) {
      opened = await holdContest(opened, (backend) => this.#openOne({ ...wanted, backend, trial: true }, options));
    }
    options.signal?.throwIfAborted();
    if (!opened.link.alive) throw new TouchstoneError("worker", "The scoring worker stopped while the model was loaded.");
    this.#link = opened.link;
    const { trial, ...loaded } = opened.loaded;
    return { ...loaded, seconds: (performance.now() - started) / 1000 };
  }

  /**
   * A worker with the model, on the backend that was asked for or on the one its failure names.
   *
   * @param {object} request
   * @param {CallOptions} options
   * @returns {Promise<Opened>}
   */
  async #openOne(request, options) {
    const link = new WorkerLink(this.#start, (error) => this.#lost(link, error));
    try {
      return { link, loaded: await link.call("load", request, options) };
    } catch (error) {
      link.end(error);
      const { instead } = /** @type {any} */ (error);
      if (!instead) throw error;
      return this.#openOne({ ...request, backend: instead.backend, because: instead }, options);
    }
  }

  /**
   * @param {WorkerLink} link
   * @param {TouchstoneError} error
   */
  #lost(link, error) {
    if (link !== this.#link) return;
    this.#link = this.#loading = null;
    if (!error.deliberate) this.#losses += 1;
    if (this.#losses < MOST_LOSSES) return this.#restart(error);
    error.retryable = false;
    this.#onLost(error);
  }

  /** @param {TouchstoneError} error what ended the last worker */
  #restart(error) {
    if (error.kind === "device" && this.#losses > 1 && this.#wanted) this.#wanted = withoutWebGpu(this.#wanted, error);
    const loading = this.#load({});
    this.#onLost(error);
    this.#onRestart(loading, error);
  }
}

/**
 * @template {object} T
 * @param {T} wanted
 * @param {TouchstoneError} error
 * @returns {T & { backend: "cpu", because: object }}
 */
function withoutWebGpu(wanted, error) {
  const why = reason("lost", { detail: error.message.replace(/\.$/, "") });
  return { ...wanted, backend: "cpu", because: { backend: "cpu", why, adapter: null, open: false, last: true, notice: why } };
}

/** @param {string} name */
function startWorker(name) {
  return new Worker(new URL("worker.js", import.meta.url), { type: "module", name });
}

/**
 * The same number of turns with and without a signal: calls reach the worker in their order.
 *
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal | undefined} signal
 * @returns {Promise<T>}
 */
function unlessAborted(promise, signal) {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal?.reason);
    if (signal?.aborted) return abort();
    signal?.addEventListener("abort", abort, { once: true });
    const settle = () => signal?.removeEventListener("abort", abort);
    promise.finally(settle).then(resolve, reject);
  });
}
