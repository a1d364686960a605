// @ts-check
/** One worker and the requests it has: what it says, its silence and its end. */
import { PROTOCOL, TouchstoneError, isFatal } from "./protocol.js";

/**
 * @typedef {import("./protocol.js").Progress} Progress
 *
 * @typedef {object} CallOptions
 * @property {AbortSignal} [signal] aborting rejects the promise at once and stops the worker between two layers
 * @property {(progress: Progress) => void} [onProgress] of `load` only
 * @property {number} [deadline] the longest silence of the worker in milliseconds; past it the
 *   worker counts as hung and is ended
 *
 * @typedef {object} Pending
 * @property {(value: any) => void} resolve
 * @property {(error: unknown) => void} reject
 * @property {CallOptions} options
 * @property {() => void} settle stops the timer and lets go of the signal
 * @property {() => void} touch starts the deadline anew
 */

/** A worker that has not stopped this long after a cancel is ended. */
const CANCEL_GRACE = 2_000;

export class WorkerLink {
  /** @type {Worker | null} */
  #worker;
  /** @type {Map<number, Pending>} in the order of the worker's queue */
  #pending = new Map();
  /** @type {Map<number, ReturnType<typeof setTimeout>>} cancelled requests that the worker has not given up yet */
  #stopping = new Map();
  #nextId = 1;
  #onLost;
  /** Ends the wait for the worker's lock. */
  #closed = new AbortController();

  /**
   * @param {(name: string) => Worker} start
   * @param {(error: TouchstoneError) => void} onLost the worker died or its scorer did; it is ended by then
   */
  constructor(start, onLost) {
    this.#onLost = onLost;
    const name = `touchstone-${crypto.randomUUID?.() ?? Math.random()}`;
    this.#worker = start(name);
    this.#listen(this.#worker, name);
  }

  /** Whether the worker runs, as far as is known. */
  get alive() {
    return this.#worker !== null;
  }

  /**
   * @param {string} type
   * @param {object} fields
   * @param {CallOptions} [options]
   * @returns {Promise<any>}
   */
  call(type, fields, options = {}) {
    const { signal, deadline } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (!this.#worker) return Promise.reject(new TouchstoneError("worker", "The scoring worker has ended."));
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      const abort = () => this.#cancel(id);
      /** @type {ReturnType<typeof setTimeout> | undefined} */
      let timer;
      const settle = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
      };
      const touch = () => {
        clearTimeout(timer);
        if (deadline) timer = setTimeout(() => this.#lost(silent(deadline)), deadline);
      };
      this.#pending.set(id, { resolve, reject, options, settle, touch });
      signal?.addEventListener("abort", abort, { once: true });
      touch();
      this.#send({ id, type, ...fields });
    });
  }

  /**
   * Ends the worker and frees its memory.
   *
   * @param {unknown} error what is pending rejects with it
   */
  end(error) {
    this.#worker?.terminate();
    this.#worker = null;
    this.#closed.abort();
    this.#stopping.forEach((timer) => clearTimeout(timer));
    this.#stopping.clear();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { settle, reject } of pending) {
      settle();
      reject(error);
    }
  }

  /**
   * @param {Worker} worker
   * @param {string} name
   */
  #listen(worker, name) {
    worker.addEventListener("message", ({ data }) => this.#receive(data, name));
    worker.addEventListener("messageerror", () => this.#died("an answer could not be read"));
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.#died(event.message || "its script could not be loaded");
    });
  }

  /** @param {object} message */
  #send(message) {
    try {
      this.#worker?.postMessage({ v: PROTOCOL, ...message });
    } catch (error) {
      this.#died(error instanceof Error ? error.message : String(error));
    }
  }

  /**
   * @param {any} message
   * @param {string} name
   */
  #receive(message, name) {
    if (!this.#worker) return;
    if (message.type === "alive") return this.#watchLock(name);
    for (const pending of this.#pending.values()) pending.touch();
    if (message.type === "lost") return this.#lost(errorOf(message));
    if (message.type === "progress") return this.#pending.get(message.id)?.options.onProgress?.(message);
    this.#settle(message);
  }

  /** @param {any} message a result or an error */
  #settle(message) {
    clearTimeout(this.#stopping.get(message.id));
    this.#stopping.delete(message.id);
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    pending?.settle();
    if (message.type === "result") return pending?.resolve(message.value);
    const error = errorOf(message);
    pending?.reject(error);
    if (isFatal(error.kind)) this.#lost(error);
  }

  /**
   * The worker holds a lock as long as it lives. Where there are no locks, a dead worker is noticed
   * by its silence.
   *
   * @param {string} name
   */
  #watchLock(name) {
    const wait = navigator.locks.request(name, { signal: this.#closed.signal }, () => this.#died("the browser ended it"));
    wait.catch(() => {});
  }

  /** @param {number} id */
  #cancel(id) {
    const pending = this.#pending.get(id);
    if (!pending) return;
    const running = this.#pending.keys().next().value === id;
    this.#pending.delete(id);
    pending.settle();
    pending.reject(pending.options.signal?.reason);
    // One that only waits in the queue leaves it at the worker's leisure.
    if (running) this.#stopping.set(id, setTimeout(() => this.#lost(stuck()), CANCEL_GRACE));
    this.#send({ id: this.#nextId++, type: "cancel", target: id });
  }

  /** @param {string} why */
  #died(why) {
    this.#lost(new TouchstoneError("worker", `The scoring worker stopped: ${why}.`));
  }

  /** @param {TouchstoneError} error */
  #lost(error) {
    if (!this.#worker) return;
    this.end(error);
    this.#onLost(error);
  }
}

/** @param {number} silence */
function silent(silence) {
  const message = `The scorer gave no sign of life for ${Math.round(silence / 1000)} seconds and was ended.`;
  return new TouchstoneError("deadline", message);
}

function stuck() {
  const message = "The cancelled work did not stop within 2 seconds, so the scorer is started again.";
  return new TouchstoneError("worker", message, { deliberate: true });
}

/** @param {any} message */
function errorOf({ error, instead }) {
  const { kind, message, wording } = error;
  return Object.assign(new TouchstoneError(kind, message, { wording }), instead && { instead });
}
