// @ts-check
/** The form for a metric in the user's own words. */
import { el } from "../dom.js";
import { inWords } from "../error-words.js";
import { languageOf } from "../script-language.js";
import { DEFINITION_LIMIT, NAME_LIMIT } from "./metrics.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("./metrics.js").OwnMetric} OwnMetric
 * @typedef {{ name: string, definition: string }} Draft
 */

let forms = 0;

export class MetricForm {
  element;
  #app;
  #onDraft;
  #onSaved;
  #title = el("h3", {});
  #name;
  #definition;
  #problem = el("p", { class: "field-error", role: "alert" });
  #advice = el("ul", { class: "metric-advice" });
  #cancel;
  /** @type {OwnMetric | null} the metric that is changed; null for a new one */
  #editing = null;

  /**
   * @param {App} app
   * @param {(draft: Draft) => void} onDraft after every change of the words
   * @param {(metric: OwnMetric) => void} onSaved
   */
  constructor(app, onDraft, onSaved) {
    this.#app = app;
    this.#onDraft = onDraft;
    this.#onSaved = onSaved;
    const id = `metric-form-${++forms}`;
    this.#name = /** @type {HTMLInputElement} */ (
      el("input", {
        type: "text",
        id: `${id}-name`,
        dir: "auto",
        maxlength: NAME_LIMIT,
        "aria-describedby": `${id}-problem`,
      })
    );
    const about = `${id}-advice ${id}-problem`;
    this.#definition = /** @type {HTMLTextAreaElement} */ (
      el("textarea", {
        id: `${id}-definition`,
        dir: "auto",
        rows: 6,
        maxlength: DEFINITION_LIMIT,
        "aria-describedby": about,
      })
    );
    this.#advice.id = `${id}-advice`;
    this.#problem.id = `${id}-problem`;
    this.#cancel = this.#button("metrics.cancel", () => this.clear());
    this.element = el(
      "form",
      { class: "metric-form card", novalidate: "", autocomplete: "off", spellcheck: "false" },
      ...this.#parts(id),
    );
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    this.element.addEventListener("input", () => this.#changed());
    app.events.addEventListener("language", () => this.#advise());
    this.clear();
  }

  /** @param {string} id */
  #parts(id) {
    return [
      this.#title,
      this.#app.say(el("label", { for: `${id}-name` }), "metrics.name"),
      this.#name,
      this.#app.say(el("label", { for: `${id}-definition` }), "metrics.definition"),
      this.#definition,
      this.#advice,
      this.#problem,
      el(
        "div",
        { class: "tools" },
        this.#app.say(el("button", { type: "submit", "data-act": "save" }), "metrics.save"),
        this.#button("metrics.template", () => this.#useTemplate()),
        this.#cancel,
      ),
    ];
  }

  /**
   * @param {string} key
   * @param {() => void} act
   */
  #button(key, act) {
    const button = this.#app.say(el("button", { type: "button", class: "secondary" }), key);
    button.addEventListener("click", act);
    return button;
  }

  /** What the fields say. */
  get draft() {
    return { name: this.#name.value.trim(), definition: this.#definition.value.trim() };
  }

  /** Starts a new metric. */
  clear() {
    this.#fill(null, { name: "", definition: "" });
  }

  /** @param {OwnMetric} metric */
  edit(metric) {
    this.#fill(metric, metric);
    this.#name.focus();
  }

  /** A new metric from the words of another. @param {OwnMetric} metric */
  duplicate(metric) {
    this.#fill(null, { name: this.#app.own.freeName(metric.name), definition: metric.definition });
    this.#name.focus();
    this.#name.select();
  }

  /** The id of the metric that is changed, or "". */
  get editing() {
    return this.#editing?.id ?? "";
  }

  /**
   * @param {OwnMetric | null} metric
   * @param {Draft} draft
   */
  #fill(metric, { name, definition }) {
    this.#editing = metric;
    this.#name.value = name;
    this.#definition.value = definition;
    this.#app.say(this.#title, metric ? "metrics.title.edit" : "metrics.title.new");
    this.#cancel.hidden = !metric;
    this.#changed();
  }

  #useTemplate() {
    const start = this.#definition.selectionStart;
    const words = this.#app.t("metrics.template.words");
    const before = this.#definition.value.trimEnd();
    this.#definition.value = before ? `${before} ${words}` : words;
    this.#definition.focus();
    this.#definition.setSelectionRange(before ? start : 0, this.#definition.value.length);
    this.#changed();
  }

  #changed() {
    for (const field of [this.#name, this.#definition]) {
      field.lang = languageOf(field.value) || this.#app.language;
      field.removeAttribute("aria-invalid");
    }
    this.#problem.textContent = "";
    this.#advise();
    this.#onDraft(this.draft);
  }

  /** Whether the words tell what both ends of the scale look like: the model reads nothing else. */
  #advise() {
    const words = this.draft.definition;
    const checks = {
      "metrics.advice.ten": /(^|\D)(10|१०)\s*[:：]/u.test(words),
      "metrics.advice.zero": /(^|\D)[0०]\s*[:：]/u.test(words),
    };
    this.#advice.replaceChildren(
      ...Object.entries(checks).map(([key, done]) => {
        const state = el(
          "span",
          { class: "visually-hidden" },
          this.#app.t(done ? "metrics.advice.done" : "metrics.advice.missing"),
        );
        return el("li", { class: done ? "done" : "missing" }, this.#app.t(key), " ", state);
      }),
    );
  }

  async #save() {
    const problem = this.#app.own.check({ id: this.editing, ...this.draft });
    if (problem)
      return this.#refuse(
        this.#app.t(`metrics.problem.${problem.code}`, problem.values),
        problem.code.includes("definition"),
      );
    try {
      const saved = await this.#app.own.save({ id: this.editing, ...this.draft });
      this.clear();
      this.#onSaved(saved);
    } catch (error) {
      this.#refuse(inWords(this.#app, error), false); // the words stay in the fields
    }
  }

  /**
   * @param {string | HTMLElement} words
   * @param {boolean} aboutDefinition
   */
  #refuse(words, aboutDefinition) {
    const field = aboutDefinition ? this.#definition : this.#name;
    this.#problem.replaceChildren(words);
    field.setAttribute("aria-invalid", "true");
    field.focus();
  }
}
