// @ts-check
import { el } from "../dom.js";

/** @typedef {import("../app.js").App} App */

/** Several metrics out of the catalogue and one's own: a search field over a list of boxes to tick. */
export class MetricPicker {
  #app;
  #chosen;
  #onChange;
  #chips = el("div", { class: "chips" });
  #list = el("div", { class: "metric-boxes", tabindex: 0, role: "group" });
  #count = el("p", { class: "caption", role: "status" });
  #search;

  /**
   * @param {App} app
   * @param {string[]} chosen names
   * @param {(names: string[]) => void} onChange
   */
  constructor(app, chosen, onChange) {
    this.#app = app;
    this.#chosen = new Set(chosen);
    this.#onChange = onChange;
    const label = app.t("file.metrics.search");
    this.#search = /** @type {HTMLInputElement} */ (el("input", { type: "search", "aria-label": label, placeholder: label, autocomplete: "off" }));
    this.#search.addEventListener("input", () => this.#draw());
    this.#list.setAttribute("aria-label", app.t("file.metrics.list"));
    this.#list.addEventListener("change", (event) => this.#onTick(event));
    this.element = el("div", { class: "metric-picker" }, this.#chips, this.#search, this.#list, this.#count);
    this.#draw();
    this.#drawChips();
  }

  #draw() {
    const words = this.#search.value.toLowerCase().split(/[\s_/]+/).filter(Boolean);
    const text = (/** @type {import("../app.js").Metric} */ { title, name, definition }) => `${title} ${name.replace(/[_/]+/g, " ")} ${definition}`.toLowerCase();
    const found = this.#app.metrics().filter((metric) => words.every((word) => text(metric).includes(word)));
    found.sort((a, b) => Number(b.own ?? 0) - Number(a.own ?? 0));
    this.#list.replaceChildren(...found.map((metric) => this.#box(metric)));
    this.#count.textContent = this.#app.t("file.metrics.found", { count: found.length });
  }

  /** @param {import("../app.js").Metric} metric */
  #box({ name, title, definition, own }) {
    const box = /** @type {HTMLInputElement} */ (el("input", { type: "checkbox", value: name }));
    box.checked = this.#chosen.has(name);
    const mark = own ? [el("span", { class: "own" }, this.#app.t("file.metrics.own"))] : [];
    return el("label", { class: "metric-box", title: definition }, box, el("span", {}, title), ...mark);
  }

  /** @param {Event} event */
  #onTick({ target }) {
    if (!(target instanceof HTMLInputElement)) return;
    if (target.checked) this.#chosen.add(target.value);
    else this.#chosen.delete(target.value);
    this.#changed();
  }

  #drawChips() {
    this.#chips.replaceChildren(...[...this.#chosen].map((name) => this.#chip(name)));
    if (this.#chosen.size === 0) this.#chips.append(el("span", { class: "caption" }, this.#app.t("file.metrics.none")));
  }

  /** @param {string} name */
  #chip(name) {
    const title = this.#app.title(name);
    const remove = el("button", { type: "button", class: "chip", "aria-label": this.#app.t("file.metrics.remove", { title }) }, title, el("span", { "aria-hidden": "true" }, "×"));
    remove.addEventListener("click", () => {
      this.#chosen.delete(name);
      this.#changed();
      this.#draw();
      this.#search.focus();
    });
    return remove;
  }

  #changed() {
    this.#drawChips();
    this.#onChange([...this.#chosen]);
  }
}
