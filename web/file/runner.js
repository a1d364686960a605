// @ts-check
/**
 * Scores a job batch by batch. What the scorer has answered is stored before it is shown, so a
 * closed tab, a dead worker or a pause loses at most the batch under way.
 */
import { Estimate } from "./estimate.js";
import { plainScore } from "./export.js";
import { Helpers } from "./helpers.js";
import { taskOf } from "./task.js";

/**
 * @typedef {import("./types.js").Job} Job
 * @typedef {import("./types.js").Outcome} Outcome
 * @typedef {import("./types.js").Task} Task
 * @typedef {import("./results.js").Results} Results
 * @typedef {import("./store.js").Store} Store
 * @typedef {{ task: Task } | { error: { kind: string, message: string } }} Asked
 *
 * @typedef {object} Hooks
 * @property {() => void} onBatch after results have come
 * @property {() => void} onRetry the scorer died and is started again
 */

/** Errors after which the scorer can be started again and asked once more. */
const RETRYABLE = ["worker", "deadline", "panic", "trap", "device", "memory", "not-loaded"];
/** Restarts in a row, without any row scored between, after which the device is to blame and the job stops. */
const RESTARTS = 8;
/** Attempts at a row by itself before the scorer's death is put down to it. */
const ATTEMPTS = 2;
/** Milliseconds before the first restart; each further one waits twice as long, up to the last. */
const PATIENCE = 250;
const MOST_PATIENCE = 4000;

export class Runner {
  /** @type {Estimate} */
  estimate = new Estimate();
  #helpers = new Helpers();
  #restarts = 0;

  /**
   * @param {import("../app.js").App} app
   * @param {Store} store
   * @param {Job} job
   * @param {Results} results
   * @param {Hooks} hooks
   */
  constructor(app, store, job, results, hooks) {
    this.app = app;
    this.store = store;
    this.job = job;
    this.results = results;
    this.hooks = hooks;
  }

  /**
   * Scores what is open until all is done.
   *
   * @param {AbortSignal} signal pauses: the batch under way is dropped and asked again later
   */
  async run(signal) {
    this.#helpers = new Helpers();
    try {
      let next = this.results.nextOpen(0);
      while (next < this.results.length) {
        signal.throwIfAborted();
        next = await this.#batch(next, signal);
      }
    } finally {
      this.#helpers.close();
    }
  }

  /**
   * @param {number} first
   * @param {AbortSignal} signal
   */
  async #batch(first, signal) {
    let end = first + 1;
    while (end < first + this.estimate.batch && end < this.results.length && !this.results.isDone(end)) end++;
    const started = performance.now();
    const asked = await this.#ask(first, end);
    const outcomes = await this.#outcomes(asked, signal);
    signal.throwIfAborted();
    await this.#keep(first, outcomes);
    this.estimate.add(asked.filter((one) => "task" in one).length, performance.now() - started);
    return this.results.nextOpen(end);
  }

  /**
   * @param {number} first
   * @param {number} end
   * @returns {Promise<Asked[]>}
   */
  async #ask(first, end) {
    /** @type {Asked[]} */
    const asked = [];
    for (let item = first; item < end; item++) {
      const row = await this.store.row(this.job.id, this.results.rowOf(item));
      const missing = { error: { kind: "io", message: "the row is no longer in the browser's storage" } };
      asked.push(row ? taskOf(row, this.job, this.#metric(item)) : missing);
    }
    return asked;
  }

  /** @param {number} item */
  #metric(item) {
    return this.job.metrics[this.results.metricOf(item)] ?? null;
  }

  /**
   * @param {Asked[]} asked
   * @param {AbortSignal} signal
   * @returns {Promise<Outcome[]>}
   */
  async #outcomes(asked, signal) {
    const tasks = asked.flatMap((one) => ("task" in one ? [one.task] : []));
    const answers = tasks.length > 0 ? await this.#score(tasks, signal) : [];
    return asked.map((one) => ("task" in one ? /** @type {Outcome} */ (answers.shift()) : one));
  }

  /**
   * As many outcomes as tasks. When the scorer dies it is started again and the tasks are tried one
   * by one; the one that kills it alone gets the error, and the others their scores.
   *
   * @param {Task[]} tasks
   * @param {AbortSignal} signal
   * @returns {Promise<Outcome[]>}
   */
  async #score(tasks, signal) {
    try {
      return await this.#send(tasks, signal);
    } catch (error) {
      await this.#restart(error, signal);
    }
    /** @type {Outcome[]} */
    const outcomes = [];
    for (const task of tasks) outcomes.push(await this.#alone(task, signal));
    return outcomes;
  }

  /**
   * @param {Task} task
   * @param {AbortSignal} signal
   * @returns {Promise<Outcome>}
   */
  async #alone(task, signal) {
    for (let attempt = 1; ; attempt++) {
      try {
        return (await this.#send([task], signal))[0];
      } catch (error) {
        await this.#restart(error, signal);
        const { kind, message } = /** @type {any} */ (error);
        if (attempt === ATTEMPTS) return { error: { kind: kind ?? "worker", message } };
      }
    }
  }

  /**
   * @param {Task[]} tasks
   * @param {AbortSignal} signal
   */
  async #send(tasks, signal) {
    const share = (/** @type {import("../client.js").ScorerClient} */ client) => this.#helpers.scoreBatch(client, tasks, signal);
    const { value, loaded } = await this.app.run(share, signal);
    this.#restarts = 0;
    this.#helpers.open(this.app.client, loaded, this.results.length - this.results.done);
    return checked(value, tasks.length);
  }

  /**
   * Makes the scorer usable again, or rejects with what stands against it.
   *
   * @param {any} error
   * @param {AbortSignal} signal
   */
  async #restart(error, signal) {
    signal.throwIfAborted();
    if (!isRetryable(error) || ++this.#restarts > RESTARTS) throw error;
    this.hooks.onRetry();
    await pause(Math.min(MOST_PATIENCE, PATIENCE * 2 ** (this.#restarts - 1)), signal);
    // The client starts a dead worker anew by itself, but gives up after some deaths in a row.
    if (error.retryable === false || error.kind === "not-loaded") await this.app.reload();
  }

  /**
   * @param {number} first
   * @param {Outcome[]} outcomes
   */
  async #keep(first, outcomes) {
    outcomes.forEach((outcome, i) => this.results.set(first + i, outcome));
    this.job.done = this.results.done;
    const scored = outcomes.find((outcome) => !("error" in outcome));
    if (scored && !("error" in scored)) this.job.bundle ||= scored.receipt.bundle;
    await this.store.saveOutcomes(this.job.id, first, outcomes);
    this.hooks.onBatch();
  }
}

/** @param {any} error */
function isRetryable(error) {
  return error?.retryable === true || RETRYABLE.includes(error?.kind) || error?.name === "AbortError";
}

/**
 * An answer that is not one whole outcome for each task is no answer.
 *
 * @param {any[]} answers
 * @param {number} expected
 * @returns {Outcome[]}
 */
function checked(answers, expected) {
  if (!Array.isArray(answers) || answers.length !== expected) {
    throw new Error(`The scorer answered ${answers?.length} of ${expected} rows.`);
  }
  return answers.map((answer) => {
    if (answer?.error) return { error: { kind: answer.error.kind, message: answer.error.message } };
    if (Number.isFinite(answer?.score)) return plainScore(answer);
    return { error: { kind: "internal", message: "the scorer gave no number for this row" } };
  });
}

/**
 * @param {number} milliseconds
 * @param {AbortSignal} signal
 */
function pause(milliseconds, signal) {
  return new Promise((/** @type {(value?: unknown) => void} */ resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
