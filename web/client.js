// @ts-check
import { PROTOCOL, TouchstoneError } from "./protocol.js";

/**
 * @typedef {import("./protocol.js").Progress} Progress
 *
 * @typedef {object} CallOptions
 * @property {AbortSignal} [signal] aborting rejects the promise at once and tells the worker
 * @property {(progress: Progress) => void} [onProgress]
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

/** Long enough for a big model to be hashed and warmed up on a slow device. */
const LOAD_DEADLINE = 300_000;
const SCORE_DEADLINE = 120_000;

/**
 * The scorer behind a worker, as promises.
 *
 * A worker that dies or hangs rejects everything pending; the next call starts a new one, which
 * has no model until `load` is called again.
 */
export class ScorerClient {
  /** @type {Worker | null} */
  #worker = null;
  /** @type {Map<number, Pending>} */
  #pending = new Map();
  #nextId = 1;
  /** @type {(error: TouchstoneError) => void} */
  #onLost;

  /** @param {{ onLost?: (error: TouchstoneError) => void }} [options] `onLost` hears of a dead worker */
  constructor({ onLost = () => {} } = {}) {
    this.#onLost = onLost;
  }

  /**
   * Loads a model, replacing the one that is loaded.
   *
   * @param {{ model?: string, backend?: import("./protocol.js").BackendChoice } & CallOptions} [options]
   *   `model` is the bundle's folder, relative to `worker.js`
   * @returns {Promise<import("./protocol.js").Loaded>}
   */
  load({ model = "model/", backend = "auto", ...options } = {}) {
    return this.#call("load", { model, backend }, { deadline: LOAD_DEADLINE, ...options });
  }

  /**
   * @param {import("./protocol.js").Task} task
   * @param {CallOptions} [options]
   * @returns {Promise<import("./protocol.js").TimedScore>}
   */
  score(task, options = {}) {
    return this.#call("score", { task }, { deadline: SCORE_DEADLINE, ...options });
  }

  /** Ends the worker and frees its memory; what is pending rejects with an `AbortError`. */
  close() {
    this.#end(new DOMException("The scorer was closed.", "AbortError"));
  }

  /**
   * @param {string} type
   * @param {object} fields
   * @param {CallOptions} options
   * @returns {Promise<any>}
   */
  #call(type, fields, options) {
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
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
        if (options.deadline) timer = setTimeout(() => this.#hung(options.deadline ?? 0), options.deadline);
      };
      this.#pending.set(id, { resolve, reject, options, settle, touch });
      signal?.addEventListener("abort", abort, { once: true });
      touch();
      this.#send({ v: PROTOCOL, id, type, ...fields });
    });
  }

  /** @param {object} message */
  #send(message) {
    try {
      this.#worker ??= this.#start();
      this.#worker.postMessage(message);
    } catch (error) {
      this.#lost(new TouchstoneError("worker", `The scoring worker cannot be started: ${text(error)}`));
    }
  }

  #start() {
    const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module", name: "touchstone" });
    worker.addEventListener("message", ({ data }) => this.#receive(data));
    worker.addEventListener("messageerror", () => this.#died(worker, "an answer could not be read"));
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.#died(worker, event.message || "its script could not be loaded");
    });
    return worker;
  }

  /** @param {any} message */
  #receive(message) {
    for (const pending of this.#pending.values()) pending.touch();
    const pending = this.#pending.get(message.id);
    if (!pending) return; // cancelled: the answer comes too late
    if (message.type === "progress") {
      pending.options.onProgress?.(message);
      return;
    }
    this.#pending.delete(message.id);
    pending.settle();
    if (message.type === "result") pending.resolve(message.value);
    else pending.reject(new TouchstoneError(message.error.kind, message.error.message));
  }

  /** @param {number} id */
  #cancel(id) {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    pending.settle();
    pending.reject(pending.options.signal?.reason);
    this.#worker?.postMessage({ v: PROTOCOL, id: this.#nextId++, type: "cancel", target: id });
  }

  /** @param {number} silence */
  #hung(silence) {
    const message = `The scorer gave no sign of life for ${Math.round(silence / 1000)} seconds and was ended.`;
    this.#lost(new TouchstoneError("deadline", message));
  }

  /**
   * @param {Worker} worker
   * @param {string} why
   */
  #died(worker, why) {
    if (worker !== this.#worker) return;
    this.#lost(new TouchstoneError("worker", `The scoring worker stopped: ${why}.`));
  }

  /** @param {TouchstoneError} error */
  #lost(error) {
    this.#end(error);
    this.#onLost(error);
  }

  /** @param {unknown} error */
  #end(error) {
    this.#worker?.terminate();
    this.#worker = null;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { settle, reject } of pending) {
      settle();
      reject(error);
    }
  }
}

/** @param {unknown} error */
function text(error) {
  return error instanceof Error ? error.message : String(error);
}
