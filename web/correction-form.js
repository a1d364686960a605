// @ts-check
import { byId, el } from "./dom.js";

/**
 * @typedef {import("./app.js").App} App
 * @typedef {import("./result-view.js").Scored} Scored
 */

/** "This score is wrong…": sets the right score and keeps it as a correction. */
export class CorrectionForm {
  #app;
  #root = byId("correction", HTMLElement);
  /** @type {Scored | null} */
  #scored = null;

  /** @param {App} app */
  constructor(app) {
    this.#app = app;
  }

  /** @param {Scored} scored */
  offer(scored) {
    this.#scored = scored;
    this.close();
    const button = el("button", { type: "button", class: "secondary", id: "correct", "aria-expanded": "false" });
    button.setAttribute("aria-controls", "correction");
    button.addEventListener("click", () => this.#toggle(button));
    byId("result-actions", HTMLElement).append(this.#app.say(button, "answer.wrong"));
  }

  close() {
    this.#root.replaceChildren();
  }

  /** @param {HTMLElement} button */
  #toggle(button) {
    const open = this.#root.childElementCount === 0;
    button.setAttribute("aria-expanded", String(open));
    if (!open || !this.#scored) return this.close();
    this.#root.replaceChildren(this.#form(this.#scored, button));
    byId("right-score", HTMLInputElement).focus();
  }

  /**
   * @param {Scored} scored
   * @param {HTMLElement} button
   */
  #form({ task, score }, button) {
    const rounded = String(score.rounded);
    const range = { type: "range", min: 0, max: 10, step: 0.5, value: rounded };
    const slider = /** @type {HTMLInputElement} */ (el("input", { ...range, id: "right-score" }));
    const shown = el("output", { for: "right-score" }, this.#app.number(score.rounded, 1));
    slider.addEventListener("input", () => (shown.textContent = this.#app.number(slider.valueAsNumber, 1)));
    const label = this.#app.say(el("label", { for: "right-score" }), "answer.right-score");
    const save = this.#app.say(el("button", { type: "submit" }), "answer.keep-correction");
    const form = el("form", { class: "correction" }, label, el("div", { class: "slider" }, slider, shown), save);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#keep({ task, score: slider.valueAsNumber, predicted: score }, button);
    });
    return form;
  }

  /**
   * @param {Parameters<import("./corrections.js").Corrections["add"]>[0]} correction
   * @param {HTMLElement} button
   */
  async #keep(correction, button) {
    try {
      await this.#app.corrections.add(correction);
    } catch (error) {
      return this.#app.error(error, () => this.#keep(correction, button));
    }
    button.setAttribute("aria-expanded", "false");
    this.#root.replaceChildren(this.#thanks());
    button.focus();
  }

  #thanks() {
    const link = this.#app.say(el("a", { href: "#corrections" }), "answer.see-corrections");
    return el("p", { class: "notice", role: "status" }, this.#app.say(el("span"), "answer.kept"), " ", link);
  }
}
