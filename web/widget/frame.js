// @ts-check
/** One hidden frame of a scorer's origin, and the requests it has; both speak as embed.js says. */
import { PROTOCOL, TouchstoneError } from "../protocol.js";

/**
 * @typedef {object} CallOptions
 * @property {AbortSignal} [signal]
 * @property {(progress: import("../protocol.js").Progress) => void} [onProgress]
 *
 * @typedef {{ resolve: (value: any) => void, reject: (error: unknown) => void, onProgress?: CallOptions["onProgress"] }} Pending
 */

const PAGE = "embed.html";
/** Milliseconds that a frame may need until it answers. */
const OPENING = 20_000;
/** Longer silence, while something is asked for, means that the frame is dead. */
const SILENCE = 330_000;

export class Frame {
  #url;
  #element;
  /** @type {Map<number, Pending>} */
  #pending = new Map();
  #nextId = 1;
  #closed = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #silence;

  /** @param {URL} url folder of the scorer's page */
  constructor(url) {
    this.#url = url;
    this.#element = makeElement(new URL(PAGE, url));
  }

  /** Whether it can be asked, as far as is known. */
  get alive() {
    return !this.#closed && this.#element.isConnected;
  }

  /**
   * Puts the frame into the page.
   *
   * @returns {Promise<{ secure: boolean }>} as the browser counts it
   */
  async open() {
    addEventListener("message", this.#receive);
    const late = setTimeout(() => this.close(this.#unanswered()), OPENING);
    try {
      const loaded = new Promise((resolve) => this.#element.addEventListener("load", resolve, { once: true }));
      // Beside the body, which some tools empty: a frame that is taken out loses its model.
      document.documentElement.append(this.#element);
      // What is closed by the deadline rejects the request, which then waits for nothing.
      return await this.request("hello", {}, {}, loaded);
    } finally {
      clearTimeout(late);
    }
  }

  /**
   * @param {string} type
   * @param {object} fields
   * @param {CallOptions} [options]
   * @param {Promise<unknown>} [ready] to be sent no sooner
   * @returns {Promise<any>}
   */
  request(type, fields, { signal, onProgress } = {}, ready) {
    return new Promise((resolve, reject) => {
      if (!this.alive) return reject(gone());
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
      if (ready) ready.then(() => this.#send({ id, type, ...fields }));
      else this.#send({ id, type, ...fields });
    });
  }

  /** @param {unknown} error what is pending rejects with it */
  close(error) {
    this.#closed = true;
    clearTimeout(this.#silence);
    removeEventListener("message", this.#receive);
    this.#element.remove();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    pending.forEach(({ reject }) => reject(error));
  }

  /** @param {object} message */
  #send(message) {
    this.#element.contentWindow?.postMessage({ v: PROTOCOL, ...message }, this.#url.origin);
  }

  /** @param {MessageEvent} event */
  #receive = ({ data, origin, source }) => {
    if (source !== this.#element.contentWindow || data?.v !== PROTOCOL) return;
    // A frame without an origin can do nothing but say so.
    if (origin === "null" && data.error?.kind === "sandbox") return this.close(errorOf(data.error));
    if (origin !== this.#url.origin) return;
    const pending = this.#pending.get(data.id);
    if (data.type === "progress") pending?.onProgress?.(data);
    else this.#settle(data);
    this.#listenForSilence();
  };

  /** @param {any} message a result or an error */
  #settle({ id, type, value, error }) {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (type === "result") pending?.resolve(value);
    else pending?.reject(errorOf(error));
  }

  #listenForSilence() {
    clearTimeout(this.#silence);
    if (this.#pending.size > 0) this.#silence = setTimeout(() => this.close(this.#unanswered()), SILENCE);
  }

  #unanswered() {
    const message =
      `No answer from ${this.#url.href}. Either it cannot be reached, or it does not let pages of ${self.origin} embed ` +
      "it (touchstone serve --embed-origin, or embed.json), or the content security policy of this page forbids its frame (frame-src).";
    return new TouchstoneError("host", message, { retryable: true });
  }
}

/** @param {URL} url */
function makeElement(url) {
  const frame = document.createElement("iframe");
  frame.title = "Touchstone";
  frame.tabIndex = -1;
  frame.setAttribute("aria-hidden", "true");
  // By the object model: a style attribute is what a strict page forbids.
  frame.style.setProperty("display", "none", "important");
  frame.src = url.href;
  return frame;
}

/** What rejects where the frame is no longer there. */
export function gone() {
  return new TouchstoneError("host", "The frame of the scorer was taken out of the page.", { retryable: true });
}

/** @param {any} error */
function errorOf({ kind, message, retryable, ...more } = {}) {
  const made = new TouchstoneError(String(kind), String(message), { retryable: Boolean(retryable) });
  return Object.assign(made, more);
}
