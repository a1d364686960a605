// @ts-check
import { el } from "./dom.js";
import { languageOf } from "./script-language.js";

/**
 * @typedef {import("./app.js").App} App
 * @typedef {{ system: string, user: string, a: string, b: string }} Texts
 */

/** Ids of the fields, by text. */
const FIELDS = /** @type {const} */ ({ system: "compare-system", user: "compare-user", a: "compare-a", b: "compare-b" });

/** One prompt and two answers to it. */
export class CompareForm {
  #app;
  /** @type {Record<keyof Texts, HTMLTextAreaElement>} */
  #fields;
  #system;
  #button;
  #cancel;
  #reason = el("p", { id: "compare-reason" });
  element;

  /**
   * @param {App} app
   * @param {{ onChange: () => void, onSubmit: () => void, onCancel: () => void }} heard
   */
  constructor(app, { onChange, onSubmit, onCancel }) {
    this.#app = app;
    this.#fields = { system: area("system", 2), user: area("user", 2), a: area("a", 6), b: area("b", 6) };
    this.#system = this.#systemDetails();
    this.#button = el("button", { type: "submit", id: "compare", "aria-describedby": "compare-reason", disabled: "" });
    this.#cancel = el("button", { type: "button", class: "secondary", id: "compare-cancel", hidden: "" });
    this.#cancel.addEventListener("click", () => {
      onCancel();
      /** @type {HTMLElement} */ (this.#button).focus();
    });
    this.element = this.#build();
    this.element.addEventListener("input", onChange);
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      onSubmit();
    });
    this.element.addEventListener("keydown", (event) => {
      const { key, ctrlKey, metaKey, isComposing } = /** @type {KeyboardEvent} */ (event);
      if (key === "Enter" && (ctrlKey || metaKey) && !isComposing && !this.obstacle) onSubmit();
    });
  }

  #build() {
    const say = this.#app.say.bind(this.#app);
    const prompt = say(el("label", { for: FIELDS.user }), "answer.prompt");
    const shared = el("section", { class: "card" }, this.#system, prompt, this.#fields.user);
    const answers = el("div", { class: "pair" }, this.#answer("a"), this.#answer("b"));
    const actions = el(
      "div",
      { class: "actions" },
      say(this.#button, "compare.do"),
      say(this.#cancel, "shell.cancel"),
      this.#reason,
    );
    // Spelling and writing aids are off: some send what is typed to a server.
    const private_ = { autocomplete: "off", spellcheck: "false", writingsuggestions: "false", novalidate: "" };
    return el("form", { id: "compare-task", ...private_, "data-t-label": "compare.form" }, shared, answers, actions);
  }

  #systemDetails() {
    const words = this.#app.say(el("span"), "answer.system");
    const optional = this.#app.say(el("span", { class: "hint" }), "answer.optional");
    this.#fields.system.setAttribute("data-t-label", "answer.system");
    return el("details", {}, el("summary", {}, words, " ", optional), this.#fields.system);
  }

  /** @param {"a" | "b"} which */
  #answer(which) {
    const label = el("label", { for: FIELDS[which] });
    const mark = el("span", { class: `badge ${which}`, "aria-hidden": "true" }, which.toUpperCase());
    label.append(mark, this.#app.say(el("span"), `compare.answer.${which}`));
    return el("section", { class: "card" }, label, this.#fields[which]);
  }

  /** @returns {Texts} */
  get texts() {
    const { system, user, a, b } = this.#fields;
    return { system: system.value, user: user.value, a: a.value, b: b.value };
  }

  /** @param {Partial<Texts>} texts those that are missing become empty */
  set texts(texts) {
    for (const [name, field] of Object.entries(this.#fields)) field.value = texts[/** @type {keyof Texts} */ (name)] ?? "";
    this.#system.toggleAttribute("open", Boolean(texts.system));
  }

  /** Why there is nothing to compare, or "". */
  get obstacle() {
    const { a, b } = this.texts;
    if (this.#app.hopeless) return this.#app.hopeless;
    if (!a.trim() || !b.trim()) return this.#app.t("compare.need.both");
    return a === b ? this.#app.t("compare.need.different") : "";
  }

  /** Brings button, reason and languages up to date. @param {boolean} busy */
  refresh(busy) {
    const reason = this.obstacle;
    this.#button.toggleAttribute("disabled", reason !== "");
    this.#cancel.toggleAttribute("hidden", !busy);
    this.#reason.textContent = reason;
    for (const field of Object.values(this.#fields)) {
      const language = languageOf(field.value);
      if (language) field.lang = language;
      else field.removeAttribute("lang");
    }
  }

  /** The first field that is still empty. */
  focus() {
    const { user, a, b } = this.#fields;
    ([user, a, b].find(({ value }) => !value.trim()) ?? b).focus();
  }
}

/**
 * @param {keyof Texts} name
 * @param {number} rows
 */
function area(name, rows) {
  return /** @type {HTMLTextAreaElement} */ (el("textarea", { id: FIELDS[name], dir: "auto", rows }));
}
