// @ts-check
/** The user's own metrics: write, place among the anchors, keep, export and import. */
import { mount as mountMap } from "../anchor-map.js";
import { el } from "../dom.js";
import { inWords } from "../error-words.js";
import { languageOf } from "../script-language.js";
import { MetricForm } from "../own/metric-form.js";
import { Transfer } from "../own/transfer.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("../own/metrics.js").OwnMetric} OwnMetric
 * @typedef {import("../own/metric-form.js").Draft} Draft
 */

/** Rest of the keys before a draft is placed on the map. */
const REST = 500;

/**
 * @param {HTMLElement} root
 * @param {App} app
 * @returns {import("../app.js").View}
 */
export function mount(root, app) {
  const view = new MetricsView(root, app);
  return { show: (state) => view.show(state), hide: () => view.hide() };
}

class MetricsView {
  #app;
  #form;
  #transfer;
  #onTaken;
  #list = el("ul", { class: "own-list" });
  #said = el("p", { role: "status", class: "own-said" });
  #storage = el("p", { class: "notice", hidden: "" });
  #preview = el("section", { class: "card metric-preview" });
  #previewNote = el("p", { class: "muted" });
  #map;
  #timer = 0;
  #shown = false;

  /**
   * @param {HTMLElement} root
   * @param {App} app
   */
  constructor(root, app) {
    this.#app = app;
    const mapPlace = el("div", {});
    this.#map = mountMap(mapPlace, app);
    this.#preview.append(app.say(el("h3"), "metrics.preview"), this.#previewNote, mapPlace);
    this.#form = new MetricForm(
      app,
      () => this.#preparePreview(),
      (metric) => this.#saved(metric),
    );
    this.#onTaken = this.#takenChoice();
    const kind = {
      keys: { export: "metrics.export", import: "metrics.import" },
      file: "touchstone-metrics.json",
      type: "application/json",
      accept: ".json,application/json",
    };
    const calls = { exported: () => app.own.exported(), imported: (/** @type {string} */ text) => this.#import(text) };
    this.#transfer = new Transfer(app, { ...kind, ...calls }, this.#onTaken);
    root.classList.add("own-view");
    root.append(
      app.say(el("p", { class: "lead" }), "metrics.lead"),
      this.#storage,
      el("div", { class: "own-columns" }, this.#form.element, this.#preview, this.#kept()),
    );
    for (const type of ["metrics", "language"]) app.events.addEventListener(type, () => this.#shown && this.#draw());
    app.events.addEventListener("model", () => this.#shown && this.#preparePreview());
  }

  #kept() {
    return el(
      "section",
      { class: "card own-kept" },
      this.#app.say(el("h3"), "metrics.list"),
      this.#said,
      this.#list,
      this.#transfer.element,
    );
  }

  #takenChoice() {
    const choices = ["keep", "replace", "both"].map((choice) =>
      this.#app.say(el("option", { value: choice }), `metrics.taken.${choice}`),
    );
    const select = el("select", { "data-act": "taken" }, ...choices);
    return el("label", { class: "taken" }, this.#app.say(el("span"), "metrics.taken"), select);
  }

  /** @param {{ draft?: Draft }} [state] words to start from */
  show(state) {
    this.#shown = true;
    if (state?.draft) this.#form.duplicate({ id: "", created: 0, changed: 0, ...state.draft });
    this.#draw();
    this.#preparePreview();
  }

  hide() {
    this.#shown = false;
    clearTimeout(this.#timer);
  }

  // --- Preview ---

  #preparePreview() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#place(), REST);
  }

  async #place() {
    const { name, definition } = this.#form.draft;
    if (!definition) return this.#hidePreview("metrics.preview.empty");
    if (!this.#app.ready) return this.#hidePreview("metrics.preview.waiting");
    try {
      await this.#map.show({ draft: { name: name || this.#app.t("map.draft"), definition } });
      this.#app.say(this.#previewNote, "metrics.preview.note");
    } catch (error) {
      this.#hidePreview("metrics.preview.failed");
      this.#app.error(error, () => this.#place());
    }
  }

  /** @param {string} key why there is nothing to see */
  #hidePreview(key) {
    this.#map.clear();
    this.#app.say(this.#previewNote, key);
  }

  // --- List ---

  #draw() {
    const metrics = this.#app.own.all();
    this.#storage.hidden = this.#app.own.lasting;
    this.#app.say(this.#storage, "metrics.not-lasting");
    this.#transfer.empty = metrics.length === 0;
    if (metrics.length === 0)
      return this.#list.replaceChildren(el("li", { class: "muted" }, this.#app.t("metrics.none")));
    this.#list.replaceChildren(...[...metrics].reverse().map((metric) => this.#item(metric)));
  }

  /** @param {OwnMetric} metric */
  #item(metric) {
    const actions = /** @type {const} */ ([
      ["metrics.use", () => this.#app.show("answer", { metric: metric.name })],
      ["metrics.edit", () => this.#form.edit(metric)],
      ["metrics.duplicate", () => this.#form.duplicate(metric)],
      ["metrics.delete", () => this.#remove(metric)],
    ]);
    const buttons = actions.map(([key, act]) => {
      const button = el(
        "button",
        { type: "button", class: "secondary small", "data-act": key.split(".")[1] },
        this.#app.t(key),
      );
      button.append(el("span", { class: "visually-hidden" }, ` ${metric.name}`));
      button.addEventListener("click", act);
      return button;
    });
    const words = (/** @type {string} */ text) => ({ dir: "auto", lang: languageOf(text) || undefined });
    return el(
      "li",
      { class: "own-item", "data-metric": metric.name },
      el("strong", words(metric.name), metric.name),
      el("p", { ...words(metric.definition), class: "muted" }, metric.definition),
      el("div", { class: "tools" }, ...buttons),
    );
  }

  /** @param {OwnMetric} metric */
  #saved(metric) {
    this.#say(this.#app.t("metrics.saved", { name: metric.name }));
  }

  /** @param {OwnMetric} metric */
  async #remove(metric) {
    try {
      await this.#app.own.remove(metric.id);
    } catch (error) {
      return this.#say(inWords(this.#app, error));
    }
    if (this.#form.editing === metric.id) this.#form.clear();
    const undo = el(
      "button",
      { type: "button", class: "secondary small", "data-act": "undo" },
      this.#app.t("metrics.undo"),
    );
    undo.addEventListener("click", () => this.#restore(metric));
    this.#say(this.#app.t("metrics.deleted", { name: metric.name }), undo);
    undo.focus();
  }

  /** @param {OwnMetric} metric */
  async #restore(metric) {
    try {
      await this.#app.own.restore(metric);
      this.#say(this.#app.t("metrics.restored", { name: metric.name }));
    } catch (error) {
      this.#say(inWords(this.#app, error));
    }
  }

  /** @param {(string | Node)[]} parts */
  #say(...parts) {
    this.#said.replaceChildren(...parts.flatMap((part) => [part, " "]));
  }

  /**
   * @param {string} text
   * @returns {Promise<string[]>}
   */
  async #import(text) {
    const choice = /** @type {HTMLSelectElement} */ (this.#onTaken.querySelector("select"));
    const { refused, ...counts } = await this.#app.own.import(
      text,
      /** @type {import("../own/metrics.js").OnTaken} */ (choice.value),
    );
    const lines = Object.entries(counts)
      .filter(([, count]) => count > 0)
      .map(([what, count]) => this.#app.t(`metrics.imported.${what}`, { count }));
    const faults = refused.slice(0, 5).map(({ number, problem }) => {
      const why = this.#app.t(`metrics.problem.${problem.code}`, problem.values);
      return this.#app.t("metrics.refused", { number, why });
    });
    const more =
      refused.length > faults.length
        ? [this.#app.t("metrics.refused.more", { count: refused.length - faults.length })]
        : [];
    return [...lines, ...faults, ...more];
  }
}
