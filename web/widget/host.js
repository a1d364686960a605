// @ts-check
/** One hidden frame of a scorer's origin serves all elements of a page; it speaks as embed.js says. */
import { PROTOCOL, TouchstoneError } from "../protocol.js";

/**
 * @typedef {import("../protocol.js").Loaded} Loaded
 * @typedef {import("../protocol.js").Progress} Progress
 * @typedef {{ language: string, messages: Record<string, string>, titles: Record<string, string> }} HostWords
 * @typedef {{ signal?: AbortSignal, onProgress?: (progress: Progress) => void }} CallOptions
 * @typedef {{ resolve: (value: any) => void, reject: (error: unknown) => void, onProgress?: CallOptions["onProgress"] }} Pending
 */

const FRAME = "embed.html";
/** Milliseconds that a frame may need until it answers. */
const OPENING = 20_000;
/** Longer silence, while something is asked for, means that the frame is dead. */
const SILENCE = 330_000;
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
  /** @type {HTMLIFrameElement | null} */
  #frame = null;
  /** @type {Promise<{ secure: boolean }> | null} */
  #opening = null;
  /** @type {Promise<Loaded> | null} */
  #loading = null;
  /** @type {Set<(progress: Progress) => void>} */
  #watchers = new Set();
  /** @type {Map<string, Promise<HostWords>>} */
  #words = new Map();
  /** @type {Map<number, Pending>} */
  #pending = new Map();
  #nextId = 1;
  #active = 0;
  /** @type {(() => void)[]} */
  #waiting = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #silence;

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
    if (this.#users === 0) this.#leaving = setTimeout(() => this.#close(left()), GRACE);
  }

  /** Opens the frame; `secure` as the browser counts it. */
  open() {
    if (this.#frame && !this.#frame.isConnected) this.#close(left());
    if (isSandboxed()) return Promise.reject(sandboxed());
    this.#opening ??= this.#openFrame();
    return this.#opening;
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
      return await this.#patiently(type, fields, { signal });
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
   * @param {CallOptions} options
   * @returns {Promise<any>}
   */
  async #patiently(type, fields, options) {
    try {
      return await this.#request(type, fields, options);
    } catch (error) {
      const { kind, wait } = /** @type {any} */ (error);
      if (kind !== "flood") throw error;
      await new Promise((resolve) => setTimeout(resolve, Number(wait) || 1000));
      options.signal?.throwIfAborted();
      return this.#patiently(type, fields, options);
    }
  }

  /**
   * @param {string} type
   * @param {object} fields
   * @param {CallOptions} [options]
   * @returns {Promise<any>}
   */
  #request(type, fields, { signal, onProgress } = {}) {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      const abort = () => {
        if (!this.#pending.delete(id)) return;
        reject(signal?.reason);
        this.#send({ id: this.#nextId++, type: "cancel", target: id });
      };
      signal?.addEventListener("abort", abort, { once: true });
      const settled = () => signal?.removeEventListener("abort", abort);
      this.#pending.set(id, {
        resolve: (value) => (settled(), resolve(value)),
        reject: (error) => (settled(), reject(error)),
        onProgress,
      });
      this.#listenForSilence();
      this.#send({ id, type, ...fields });
    });
  }

  /** @param {object} message */
  #send(message) {
    this.#frame?.contentWindow?.postMessage({ v: PROTOCOL, ...message }, this.#url.origin);
  }

  // --- Frame ---

  async #openFrame() {
    const frame = makeFrame(new URL(FRAME, this.#url));
    this.#frame = frame;
    addEventListener("message", this.#receive);
    const late = setTimeout(() => this.#close(unanswered(this.#url)), OPENING);
    try {
      await new Promise((resolve, reject) => {
        this.#pending.set(0, { resolve, reject });
        frame.addEventListener("load", resolve, { once: true });
        (document.body ?? document.documentElement).append(frame);
      });
      this.#pending.delete(0);
      return await this.#request("hello", {});
    } catch (error) {
      if (this.#frame === frame) this.#close(error);
      throw error;
    } finally {
      clearTimeout(late);
    }
  }

  /** @param {MessageEvent} event */
  #receive = ({ data, origin, source }) => {
    if (!this.#frame || source !== this.#frame.contentWindow || data?.v !== PROTOCOL) return;
    // A frame without an origin can do nothing but say so.
    if (origin === "null" && data.error?.kind === "sandbox") return this.#close(errorOf(data.error));
    if (origin !== this.#url.origin) return;
    this.#listenForSilence();
    const pending = this.#pending.get(data.id);
    if (!pending) return;
    if (data.type === "progress") return pending.onProgress?.(data);
    this.#pending.delete(data.id);
    if (data.type === "result") pending.resolve(data.value);
    else pending.reject(errorOf(data.error));
  };

  #listenForSilence() {
    clearTimeout(this.#silence);
    if (this.#pending.size > 0) this.#silence = setTimeout(() => this.#close(unanswered(this.#url)), SILENCE);
  }

  /** @param {unknown} error what is pending rejects with it; the next call opens a new frame */
  #close(error) {
    clearTimeout(this.#silence);
    removeEventListener("message", this.#receive);
    this.#frame?.remove();
    this.#frame = this.#opening = this.#loading = null;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    pending.forEach(({ reject }) => reject(error));
  }
}

/** @param {URL} url */
function makeFrame(url) {
  const frame = document.createElement("iframe");
  frame.title = "Touchstone";
  frame.tabIndex = -1;
  frame.setAttribute("aria-hidden", "true");
  // By the object model: a style attribute is what a strict page forbids.
  frame.style.setProperty("display", "none", "important");
  frame.src = url.href;
  return frame;
}

/** @param {string | URL} src */
function folderOf(src) {
  const url = URL.parse(src, document.baseURI);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new TouchstoneError("host", `“${src}” is no address of a scorer, such as "https://scorer.example/touchstone/".`);
  }
  return new URL(url.pathname.endsWith("/") ? "./" : `${url.pathname}/`, url);
}

/** @param {URL} url */
function unanswered(url) {
  const message =
    `No answer from ${url.href}. Either it cannot be reached, or it does not let pages of ${self.origin} embed it ` +
    "(touchstone serve --embed-origin, or embed.json), or the content security policy of this page forbids its frame (frame-src).";
  return new TouchstoneError("host", message, { retryable: true });
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

function left() {
  return new TouchstoneError("host", "The frame of the scorer was taken out of the page.", { retryable: true });
}

/** @param {any} error */
function errorOf({ kind, message, retryable, ...more } = {}) {
  const made = new TouchstoneError(String(kind), String(message), { retryable: Boolean(retryable) });
  return Object.assign(made, more);
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
