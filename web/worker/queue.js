// @ts-check
/** One queue, one job at a time; every job gets exactly one answer. */
import { describe } from "./failure.js";
import { nextTask } from "./pause.js";

/**
 * @typedef {import("../protocol.js").Progress} Progress
 * @typedef {{ id: number, message: any, signal: AbortSignal, progress: (stage: Progress["stage"], label: string, loaded?: number, total?: number) => void }} Job
 * @typedef {{ job: Job, abort: AbortController }} Entry
 * @typedef {(id: number, fields: object) => void} Post
 */

export class JobQueue {
  /** @type {Entry[]} the first one runs */
  #entries = [];
  #post;
  #run;
  #busy = false;

  /**
   * @param {(job: Job) => Promise<unknown>} run does a job; its value or error is the answer
   * @param {Post} post sends an answer
   */
  constructor(run, post) {
    this.#run = run;
    this.#post = post;
  }

  /**
   * @param {number} id
   * @param {any} message
   */
  add(id, message) {
    const abort = new AbortController();
    /** @type {Job["progress"]} */
    const progress = (stage, label, loaded = 0, total = 0) => {
      if (!abort.signal.aborted) this.#post(id, { type: "progress", stage, label, loaded, total });
    };
    this.#entries.push({ job: { id, message, signal: abort.signal, progress }, abort });
    if (!this.#busy) this.#work();
  }

  /** @param {number} id a waiting job leaves the queue, the running one is told to stop */
  cancel(id) {
    const index = this.#entries.findIndex(({ job }) => job.id === id);
    if (index < 0) return;
    this.#entries[index].abort.abort();
    if (index === 0) return;
    this.#entries.splice(index, 1);
    this.#fail(id, new DOMException("", "AbortError"));
  }

  async #work() {
    this.#busy = true;
    while (this.#entries.length > 0) {
      const { job } = this.#entries[0];
      await this.#answer(job);
      this.#entries.shift();
      // Lets a cancel in before what it is meant for starts.
      await nextTask();
    }
    this.#busy = false;
  }

  /** @param {Job} job */
  async #answer(job) {
    try {
      const value = await this.#run(job);
      job.signal.throwIfAborted();
      this.#post(job.id, { type: "result", value });
    } catch (error) {
      this.#fail(job.id, error);
    }
  }

  /**
   * @param {number} id
   * @param {unknown} error
   */
  #fail(id, error) {
    const { instead } = /** @type {any} */ (error);
    this.#post(id, { type: "error", error: describe(error), ...(instead && { instead }) });
  }
}
