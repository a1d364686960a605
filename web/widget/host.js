// @ts-check
/** A scorer's origin, shared by all elements of a page: one frame, one model, one queue. */
import { TouchstoneError } from "../protocol.js";
import { Frame, gone } from "./frame.js";

/**
 * @typedef {import("../protocol.js").Loaded} Loaded
 * @typedef {import("../protocol.js").Progress} Progress
 * @typedef {import("./frame.js").CallOptions} CallOptions
 * @typedef {{ language: string, messages: Record<string, string>, titles: Record<string, string> }} HostWords
 */

/** How long the model stays loaded after the last element left: tools take elements out and in. */
const GRACE = 60_000;
/** Requests at once; the others wait here, where they can still be cancelled for nothing. */
const AT_ONCE = 8;

/** @type {Map<string, Host>} by address of the folder */
const hosts = new Map();

/**
 * @param {string | URL} src folder of the scorer's page
 * @returns {Host}
 */
export function hostAt(src) {
  const url = folderOf(src);
  const host = hosts.get(url.href) ?? new Host(url);
  hosts.set(url.href, host);
  return host;
}

export class Host {
  #url;
  #users = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #leaving;
  /** @type {Frame | null} */
  #frame = null;
  /** @type {Promise<{ secure: boolean }> | null} */
  #opening = null;
  /** @type {Promise<Loaded> | null} */
  #loading = null;
  /** @type {Set<(progress: Progress) => void>} */
  #watchers = new Set();
  /** @type {Map<string, Promise<HostWords>>} */
  #words = new Map();
  #active = 0;
  /** @type {(() => void)[]} */
  #waiting = [];

  /** @param {URL} url */
  constructor(url) {
    this.#url = url;
  }

  /** Every user says so, and `release`s. */
  acquire() {
    this.#users += 1;
    clearTimeout(this.#leaving);
  }

  release() {
    this.#users -= 1;
    if (this.#users === 0) this.#leaving = setTimeout(() => this.#close(gone()), GRACE);
  }

  /** Opens the frame where it is not. @returns {Promise<{ secure: boolean }>} */
  open() {
    if (isSandboxed()) return Promise.reject(sandboxed());
    if (this.#frame && !this.#frame.alive) this.#close(gone());
    this.#opening ??= this.#open();
    return this.#opening;
  }

  async #open() {
    const frame = new Frame(this.#url);
    this.#frame = frame;
    try {
      return await frame.open();
    } catch (error) {
      if (this.#frame === frame) this.#close(error);
      throw error;
    }
  }

  /** @param {unknown} error what is pending rejects with it; the next call opens a new frame */
  #close(error) {
    this.#frame?.close(error);
    this.#frame = this.#opening = this.#loading = null;
  }

  /**
   * The model, shared by all; the signal ends the wait only.
   *
   * @param {CallOptions} options
   * @returns {Promise<Loaded>}
   */
  async load({ signal, onProgress = () => {} }) {
    await this.open();
    this.#watchers.add(onProgress);
    this.#loading ??= this.#load();
    try {
      return await unlessAborted(this.#loading, signal);
    } finally {
      this.#watchers.delete(onProgress);
    }
  }

  async #load() {
    try {
      const onProgress = (/** @type {Progress} */ progress) => this.#watchers.forEach((watch) => watch(progress));
      return await this.#request("load", {}, { onProgress });
    } catch (error) {
      this.#loading = null;
      throw error;
    }
  }

  /**
   * The words of the scorer's page.
   *
   * @param {string} lang
   * @returns {Promise<HostWords>}
   */
  words(lang) {
    const known = this.#words.get(lang);
    if (known) return known;
    const asked = this.open().then(() => this.#request("words", { lang }));
    this.#words.set(lang, asked);
    asked.catch(() => this.#words.delete(lang));
    return asked;
  }

  /**
   * @param {"score" | "profile" | "explain"} type
   * @param {object} fields
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>}
   */
  async call(type, fields, signal) {
    await unlessAborted(this.open(), signal);
    await this.#turn();
    try {
      signal?.throwIfAborted();
      return await this.#patiently(type, fields, signal);
    } finally {
      this.#active -= 1;
      this.#waiting.shift()?.();
    }
  }

  /** @returns {Promise<void>} */
  async #turn() {
    while (this.#active >= AT_ONCE) await new Promise((resolve) => this.#waiting.push(() => resolve(undefined)));
    this.#active += 1;
  }

  /**
   * Again after a while, where the host says that this was too much at once.
   *
   * @param {string} type
   * @param {object} fields
   * @param {AbortSignal | undefined} signal
   * @returns {Promise<any>}
   */
  async #patiently(type, fields, signal) {
    try {
      return await this.#request(type, fields, { signal });
    } catch (error) {
      const { kind, wait } = /** @type {any} */ (error);
      if (kind !== "flood") throw error;
      await new Promise((resolve) => setTimeout(resolve, Number(wait) || 1000));
      signal?.throwIfAborted();
      return this.#patiently(type, fields, signal);
    }
  }

  /**
   * @param {string} type
   * @param {object} fields
   * @param {CallOptions} [options]
   * @returns {Promise<any>}
   */
  #request(type, fields, options) {
    return this.#frame ? this.#frame.request(type, fields, options) : Promise.reject(gone());
  }
}

/** @param {string | URL} src */
function folderOf(src) {
  const url = URL.parse(src, document.baseURI);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new TouchstoneError("host", `“${src}” is no address of a scorer, such as "https://scorer.example/touchstone/".`);
  }
  return new URL(url.pathname.endsWith("/") ? "./" : `${url.pathname}/`, url);
}

/** A page without an origin, which its frames inherit; a file has none either, but its frames do. */
function isSandboxed() {
  return self.origin === "null" && location.protocol !== "file:";
}

function sandboxed() {
  const message =
    "This page is in a sandbox without an origin of its own, where no scorer can run: add allow-same-origin beside " +
    "allow-scripts to the sandbox attribute of its frame.";
  return new TouchstoneError("sandbox", message);
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal | undefined} signal
 * @returns {Promise<T>}
 */
export function unlessAborted(promise, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) reject(signal.reason);
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}
