// @ts-check
/** One model for all requests of the embedding page. */
import { findBundle, listBundles } from "../bundles.js";
import { ScorerClient } from "../client.js";
import { TouchstoneError } from "../protocol.js";

/**
 * @typedef {import("../protocol.js").Loaded} Loaded
 * @typedef {import("../protocol.js").Progress} Progress
 */

export class SharedModel {
  #client;
  /** @type {Promise<Loaded> | null} loading or loaded */
  #loading = null;
  /** @type {Set<(progress: Progress) => void>} */
  #watchers = new Set();

  constructor() {
    this.#client = new ScorerClient({
      onLost: () => (this.#loading = null),
      onRestart: (loading) => this.#follow(loading),
    });
  }

  /**
   * The loaded model; loads it where it is not.
   *
   * @param {AbortSignal} signal ends the wait, not the load: others may wait for it too
   * @param {(progress: Progress) => void} [onProgress]
   * @returns {Promise<Loaded>}
   */
  async load(signal, onProgress = () => {}) {
    this.#watchers.add(onProgress);
    try {
      return await unlessAborted(this.#loading ?? this.#follow(this.#open()), signal);
    } finally {
      this.#watchers.delete(onProgress);
    }
  }

  /**
   * Calls the scorer, and again where the model was lost meanwhile and comes back by itself.
   *
   * @template T
   * @param {AbortSignal} signal
   * @param {(client: ScorerClient) => Promise<T>} call
   * @returns {Promise<T>}
   */
  async run(signal, call) {
    for (;;) {
      await this.load(signal);
      try {
        return await call(this.#client);
      } catch (error) {
        if (signal.aborted || !(error instanceof TouchstoneError && error.retryable)) throw error;
      }
    }
  }

  async #open() {
    const { path } = findBundle(await listBundles(), "");
    return this.#client.load({
      model: path,
      onProgress: (progress) => this.#watchers.forEach((watch) => watch(progress)),
    });
  }

  /** @param {Promise<Loaded>} loading */
  #follow(loading) {
    this.#loading = loading;
    loading.catch(() => {
      if (this.#loading === loading) this.#loading = null;
    });
    return loading;
  }
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal} signal
 * @returns {Promise<T>}
 */
function unlessAborted(promise, signal) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}
