// @ts-check
import { el } from "../dom.js";
import { inWords } from "../error-words.js";
import { confirmed } from "./confirm.js";
import { duration } from "./words.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("./session.js").Session} Session
 */

/** Milliseconds between two readings of progress aloud. */
const SPOKEN = 20_000;

/** The bar, the rate and the time left, with pause, go on, cancel and retry. */
export class ProgressView {
  #app;
  #session;
  #resume;
  #bar = /** @type {HTMLProgressElement} */ (el("progress", { class: "file-progress" }));
  #words = el("p", { class: "progress-words" });
  #spoken = el("p", { class: "visually-hidden", role: "status" });
  #trouble = el("p", { class: "trouble", role: "alert" });
  #buttons = el("div", { class: "file-buttons" });
  #lastSpoken = 0;
  #shown = "";

  /**
   * @param {App} app
   * @param {Session} session
   * @param {() => void} resume asks for the job's turn
   */
  constructor(app, session, resume) {
    this.#app = app;
    this.#session = session;
    this.#resume = resume;
    this.#bar.setAttribute("aria-label", app.t("file.progress"));
    this.element = el("div", { class: "file-run" }, this.#bar, this.#words, this.#spoken, this.#trouble, this.#buttons);
    this.draw();
  }

  draw() {
    const { job, results } = this.#session;
    if (!results) return;
    this.#bar.max = results.length;
    this.#bar.value = results.done;
    const text = this.#text();
    this.#words.textContent = text;
    const now = performance.now();
    if (job.state !== "running" || now - this.#lastSpoken > SPOKEN) {
      this.#spoken.textContent = text;
      this.#lastSpoken = now;
    }
    this.#drawTrouble();
    this.#drawButtons();
  }

  #text() {
    const { job, results, runner, retrying } = this.#session;
    if (!results || !runner) return "";
    const counts = { done: results.done, count: results.length, failed: results.failed };
    const { rate } = runner.estimate;
    const left = runner.estimate.remaining(results.length - results.done);
    const parts = [this.#app.t(`file.state.${job.state}`), this.#app.t("file.progress.count", counts)];
    if (results.failed > 0) parts.push(this.#app.t("file.progress.failed", { count: results.failed }));
    if (job.state === "running" && rate === null && !this.#app.ready) parts.push(this.#app.t("file.progress.model"));
    else if (retrying) parts.push(this.#app.t("file.progress.retrying"));
    else if (job.state === "running" && rate !== null) parts.push(this.#rate(rate));
    if (job.state === "running" && left !== null) parts.push(this.#app.t("file.progress.left", { time: duration(this.#app, left) }));
    return parts.join(" · ");
  }

  /** @param {number} rate items a second */
  #rate(rate) {
    if (rate < 1) return this.#app.t("file.progress.per-minute", { rate: this.#app.number(rate * 60, 0) });
    return this.#app.t("file.progress.per-second", { rate: this.#app.number(rate, rate < 10 ? 1 : 0) });
  }

  #drawTrouble() {
    const { error } = this.#session;
    const words = error ? el("span", {}, this.#app.t("file.stopped"), " ", inWords(this.#app, error)) : el("span");
    // An alert that says the same again is not spoken again.
    if (this.#trouble.textContent !== words.textContent) this.#trouble.replaceChildren(words);
    this.#trouble.hidden = !error;
  }

  #drawButtons() {
    const { job, results } = this.#session;
    const key = `${job.state} ${results?.failed}`;
    if (key === this.#shown) return;
    this.#shown = key;
    const focused = this.#buttons.contains(document.activeElement);
    this.#buttons.replaceChildren(...this.#actions());
    if (focused) this.#buttons.querySelector("button")?.focus();
  }

  #actions() {
    const { job, results } = this.#session;
    const busy = job.state === "running" || job.state === "waiting";
    if (busy) return [this.#button("pause", () => this.#session.pause()), this.#button("cancel", () => this.#reset(), "secondary")];
    const go = job.state === "paused" ? [this.#button("resume", () => this.#resume())] : [];
    const again = results && results.failed > 0 ? [this.#button("retry", () => this.#retry(), "secondary")] : [];
    return [...go, ...again, this.#button("again", () => this.#reset(), "secondary")];
  }

  #retry() {
    this.#session.retryFailed();
    this.#resume();
  }

  async #reset() {
    const count = this.#session.results?.done ?? 0;
    const sure = count === 0 || (await confirmed(this.#app, this.#app.t("file.confirm.discard", { count }), this.#app.t("file.confirm.discard-yes")));
    if (sure) await this.#session.reset();
  }

  /**
   * @param {string} action
   * @param {() => void} run
   * @param {string} [style]
   */
  #button(action, run, style = "") {
    const button = el("button", { type: "button", class: style, "data-action": action }, this.#app.t(`file.action.${action}`));
    button.addEventListener("click", run);
    return button;
  }
}
