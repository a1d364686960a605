// @ts-check
/** A long call of the scorer with its progress, a button to cancel it and, if it fails, to retry. */
import { el } from "./dom.js";

/**
 * @typedef {import("./app.js").App} App
 * @typedef {{ signal: AbortSignal, onProgress: (progress: import("./protocol.js").Progress) => void }} Options
 */

export class Job {
  /** Where the progress shows. */
  element = el("div", { class: "job", hidden: "" });
  #app;
  #bar = /** @type {HTMLProgressElement} */ (el("progress"));
  #words = el("span", { role: "status" });
  #cancel;
  #again;
  /** @type {(() => void) | undefined} starts what was cancelled once more */
  #retry;
  /** @type {AbortController | null} */
  #running = null;

  /** @param {App} app */
  constructor(app) {
    this.#app = app;
    this.#cancel = app.say(el("button", { type: "button", class: "secondary" }), "profile.cancel");
    this.#cancel.addEventListener("click", () => this.#cancelled());
    this.#again = app.say(el("button", { type: "button", class: "secondary", hidden: "" }), "profile.again");
    this.#again.addEventListener("click", () => this.#retry?.());
    this.element.append(this.#words, this.#bar, this.#cancel, this.#again);
  }

  /** Whether a call is under way. */
  get busy() {
    return this.#running !== null;
  }

  /** Ends the call under way; its `run` answers null. */
  stop() {
    this.#running?.abort();
  }

  /** By the button: what was cancelled can be had again. */
  #cancelled() {
    this.stop();
    this.#done();
    if (!this.#retry) return;
    this.#words.textContent = this.#app.t("profile.cancelled");
    this.#swap(true);
    this.element.hidden = false;
    this.#again.focus();
  }

  /** @param {boolean} idle whether nothing runs, so that there is something to start again */
  #swap(idle) {
    this.#bar.hidden = this.#cancel.hidden = idle;
    this.#again.hidden = !idle;
  }

  /**
   * Runs one call at a time; a new one ends the one before.
   *
   * @template T
   * @param {string} words what is going on
   * @param {(client: any, options: Options) => Promise<T>} call
   * @param {() => void} [retry]
   * @returns {Promise<T | null>} null where it was cancelled or failed, which the page then says
   */
  async run(words, call, retry) {
    this.stop();
    const mine = new AbortController();
    this.#running = mine;
    this.#retry = retry;
    this.#show(words);
    const options = {
      signal: mine.signal,
      onProgress: (/** @type {any} */ progress) => this.#running === mine && this.#progress(progress),
    };
    try {
      return (await this.#app.run((client) => call(client, options), mine.signal)).value;
    } catch (error) {
      if (!mine.signal.aborted) this.#app.error(error, retry ?? null);
      return null;
    } finally {
      if (this.#running === mine) this.#done();
    }
  }

  /** @param {string} words */
  #show(words) {
    this.#swap(false);
    this.element.hidden = false;
    this.#words.textContent = words;
    this.#bar.setAttribute("aria-label", words);
    this.#bar.removeAttribute("value");
  }

  /** @param {{ loaded: number, total: number }} progress */
  #progress({ loaded, total }) {
    if (!(total > 0)) return;
    this.#bar.max = total;
    this.#bar.value = loaded;
  }

  #done() {
    this.#running = null;
    this.element.hidden = true;
  }
}
