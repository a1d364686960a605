// @ts-check
/** Reads a chosen file into the store, off the main thread. */
import { guess, keysOf } from "./columns.js";
import { Refusal } from "./refusal.js";

/** Broken rows that are kept by name; the others are counted. */
const BROKEN_KEPT = 500;

/**
 * @typedef {import("./types.js").Job} Job
 * @typedef {import("./store.js").Store} Store
 */

/**
 * Reads `file` into a new job, and keeps the job's figures up to date as it goes.
 *
 * @param {File} file
 * @param {Store} store
 * @param {{ signal: AbortSignal, onProgress: (job: Job) => void, id: number }} options
 * @returns {Promise<Job>} ready to be mapped; rejects with a {@link Refusal}, or the signal's reason
 */
export async function readFile(file, store, { signal, onProgress, id }) {
  const worker = new Worker(new URL("read-worker.js", import.meta.url), { type: "module", name: "touchstone-file" });
  const reading = new Reading(newJob(file, id), store, worker, onProgress);
  const abort = () => reading.fail(signal.reason);
  signal.addEventListener("abort", abort);
  try {
    worker.postMessage({ file });
    return await reading.finished;
  } catch (error) {
    await store.remove(id);
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
    worker.terminate();
  }
}

class Reading {
  #chunk = 0;
  /** @type {(job: Job) => void} */
  #resolve = () => {};
  /** @type {(error: unknown) => void} */
  fail = () => {};
  /** Messages are dealt with one at a time, in order. */
  #queue = Promise.resolve();

  /**
   * @param {Job} job
   * @param {Store} store
   * @param {Worker} worker
   * @param {(job: Job) => void} onProgress
   */
  constructor(job, store, worker, onProgress) {
    this.job = job;
    this.store = store;
    this.worker = worker;
    this.onProgress = onProgress;
    this.finished = new Promise((/** @type {(job: Job) => void} */ resolve, reject) => {
      this.#resolve = resolve;
      this.fail = reject;
    });
    worker.addEventListener("message", ({ data }) => {
      this.#queue = this.#queue.then(() => this.#take(data)).catch((error) => this.fail(error));
    });
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.fail(new Refusal("failed", { detail: event.message || "worker" }));
    });
  }

  /** @param {any} message */
  async #take(message) {
    const { job } = this;
    if (message.type === "refused") return this.fail(new Refusal(message.code, message.values));
    if (message.type === "start") Object.assign(job, pickStart(message));
    if (message.broken) this.#keepBroken(message.broken);
    if (message.rows && message.type === "rows") await this.#keepRows(message);
    if (message.type === "end") return this.#end(message);
    this.onProgress(job);
  }

  /** @param {{ rows: import("./types.js").Row[], header: string[] }} message */
  async #keepRows({ rows, header }) {
    const { job } = this;
    await this.store.saveRows(job.id, this.#chunk++, rows);
    job.rows += rows.length;
    job.header = header;
    job.columns = job.form === "csv" ? keysOf(header) : header;
    this.worker.postMessage({ go: true });
  }

  /** @param {import("./types.js").Broken[]} broken */
  #keepBroken(broken) {
    this.job.broken.push(...broken.slice(0, Math.max(0, BROKEN_KEPT - this.job.broken.length)));
    this.job.brokenCount += broken.length;
  }

  /** @param {{ header: string[], columns: string[] }} message */
  async #end({ header, columns }) {
    const { job } = this;
    Object.assign(job, { header, columns, state: "ready", mapping: guess(columns) });
    job.mode = job.mapping.metric === null ? "chosen" : "column";
    await this.store.saveJob(job);
    this.#resolve(job);
  }
}

/** @param {any} message */
function pickStart({ form, delimiter, encoding, header, notices }) {
  return { form, delimiter, encoding, header, notices };
}

/**
 * @param {File} file
 * @param {number} id
 * @returns {Job}
 */
function newJob(file, id) {
  return {
    id,
    name: file.name,
    size: file.size,
    created: Date.now(),
    form: "csv",
    encoding: "",
    delimiter: "",
    header: [],
    columns: [],
    notices: [],
    broken: [],
    brokenCount: 0,
    rows: 0,
    state: "reading",
    mapping: guess([]),
    mode: "column",
    metrics: [],
    aliases: {},
    done: 0,
    bundle: "",
    threshold: 7,
  };
}
