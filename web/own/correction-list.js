// @ts-check
/** The corrections, newest first: the right score can be changed on the spot, and each removed. */
import { el } from "../dom.js";
import { inWords } from "../error-words.js";
import { languageOf } from "../script-language.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("../corrections.js").Correction} Correction
 */

/** More at once make the page slow; the rest comes on request. */
const PAGE = 50;

export class CorrectionList {
  element = el("div", {});
  #app;
  #said = el("p", { role: "status", class: "own-said" });
  #list = el("ul", { class: "own-list" });
  #more;
  #shown = PAGE;

  /** @param {App} app */
  constructor(app) {
    this.#app = app;
    this.#more = app.say(el("button", { type: "button", class: "secondary" }), "corrections.more");
    this.#more.addEventListener("click", () => {
      this.#shown += PAGE;
      this.draw();
    });
    this.element.append(this.#said, this.#list, this.#more);
  }

  draw() {
    const all = [...this.#app.corrections.all()].reverse();
    const focused =
      document.activeElement instanceof HTMLElement && this.#list.contains(document.activeElement)
        ? document.activeElement.id
        : "";
    this.#more.hidden = all.length <= this.#shown;
    if (all.length === 0)
      return this.#list.replaceChildren(el("li", { class: "muted" }, this.#app.t("corrections.none")));
    this.#list.replaceChildren(...all.slice(0, this.#shown).map((correction) => this.#item(correction)));
    if (focused) document.getElementById(focused)?.focus();
  }

  /** @param {Correction} correction */
  #item(correction) {
    const { id, task } = correction;
    const title = this.#app.title(task.metric);
    const when = new Date(correction.changed).toLocaleDateString(this.#app.language, { dateStyle: "medium" });
    return el(
      "li",
      { class: "own-item", "data-correction": id },
      el(
        "div",
        { class: "correction-head" },
        el("strong", { dir: "auto" }, title),
        el("span", { class: "muted" }, when),
      ),
      el("p", { class: "correction-text", dir: "auto", lang: languageOf(task.response) || undefined }, task.response),
      this.#scores(correction, title),
    );
  }

  /**
   * @param {Correction} correction
   * @param {string} title of its metric
   */
  #scores(correction, title) {
    const { id, task, score, predicted } = correction;
    const field = /** @type {HTMLInputElement} */ (
      el("input", { type: "number", id: `right-${id}`, min: 0, max: 10, step: 0.5, value: score, inputmode: "decimal" })
    );
    field.addEventListener("change", () => this.#change(correction, field));
    const model = predicted === null ? this.#app.t("corrections.unknown") : this.#app.number(predicted, 1);
    const counts = this.#app.corrections.counts(correction) || predicted === null;
    const note = counts ? "" : ` (${this.#app.t("corrections.other-model")})`;
    return el(
      "div",
      { class: "correction-scores" },
      el("span", {}, this.#app.t("corrections.model", { score: model }), el("span", { class: "muted" }, note)),
      el("span", { class: "becomes", "aria-hidden": "true" }, "→"),
      el("label", { for: field.id }, this.#app.t("corrections.right")),
      field,
      el(
        "div",
        { class: "tools" },
        this.#button("corrections.open", title, () => this.#app.show("answer", { task })),
        this.#button("corrections.delete", title, () => this.#remove(correction)),
      ),
    );
  }

  /**
   * @param {Correction} correction
   * @param {HTMLInputElement} field
   */
  async #change(correction, field) {
    const score = field.valueAsNumber;
    if (!(score >= 0 && score <= 10)) {
      field.value = String(correction.score);
      return this.#say(
        this.#app.t("corrections.problem.bad-score", { found: Number.isNaN(score) ? "–" : String(score) }),
      );
    }
    await this.#try(() => this.#app.corrections.update(correction, { score }), this.#app.t("corrections.saved"));
  }

  /** @param {Correction} correction */
  async #remove(correction) {
    const undo = el(
      "button",
      { type: "button", class: "secondary small", "data-act": "undo" },
      this.#app.t("metrics.undo"),
    );
    undo.addEventListener("click", () =>
      this.#try(() => this.#app.corrections.restore(correction), this.#app.t("corrections.restored")),
    );
    await this.#try(() => this.#app.corrections.remove(correction), this.#app.t("corrections.deleted"), undo);
    undo.focus();
  }

  /**
   * @param {() => Promise<void>} change
   * @param {(string | Node)[]} done what to say then
   */
  async #try(change, ...done) {
    try {
      await change();
      this.#say(...done);
    } catch (error) {
      this.#say(inWords(this.#app, error));
      this.draw();
    }
  }

  /** @param {(string | Node)[]} parts */
  #say(...parts) {
    this.#said.replaceChildren(...parts.flatMap((part) => [part, " "]));
  }

  /**
   * @param {string} key
   * @param {string} title of what it acts on
   * @param {() => void} act
   */
  #button(key, title, act) {
    const button = el(
      "button",
      { type: "button", class: "secondary small", "data-act": key.split(".")[1] },
      this.#app.t(key),
      el("span", { class: "visually-hidden" }, ` ${title}`),
    );
    button.addEventListener("click", act);
    return button;
  }
}
