// @ts-check
/**
 * Why this score: each sentence is left out in turn, and the change of the score is painted on the
 * text and listed. The list says all that the paint shows.
 */
import { el } from "./dom.js";
import { Job } from "./job.js";
import { languageOf } from "./script-language.js";

/**
 * @typedef {import("./app.js").App} App
 * @typedef {import("./protocol.js").Task} Task
 * @typedef {"response" | "user" | "system"} Part
 * @typedef {{ start: number, end: number, score: number, change: number }} Sentence UTF-16 offsets into
 *   the text; `score` without the sentence; `change` positive where the sentence raises the score
 * @typedef {{ score: number, parts: Sentence[] }} Explained
 */

const PARTS = /** @type {const} */ (["response", "user", "system"]);
/** Changes that a score shown with one decimal cannot show. */
const NOTHING = 0.05;
/** The paint is full from this change on, or from the largest one if that is more. */
const FULL = 1;

/**
 * @param {HTMLElement} root
 * @param {App} app
 * @returns {{ show: (data: { task: Task }) => Promise<void>, stop: () => void }}
 */
export function mount(root, app) {
  const explanation = new Explanation(root, app);
  return { show: ({ task }) => explanation.show(task), stop: () => explanation.stop() };
}

class Explanation {
  #app;
  #job;
  #choice = el("div", { class: "switch", role: "radiogroup" });
  #body = el("div", { class: "explain-body" });
  #name = `explain-${Math.random().toString(36).slice(2)}`;
  /** @type {Task | null} */
  #task = null;
  /** @type {Part} */
  #part = "response";
  /** @type {Map<Part, Explained>} of the task shown */
  #found = new Map();

  /**
   * @param {HTMLElement} root
   * @param {App} app
   */
  constructor(root, app) {
    this.#app = app;
    this.#job = new Job(app);
    root.classList.add("explanation");
    root.append(this.#choice, this.#job.element, this.#body);
    for (const change of ["language", "corrections"]) app.events.addEventListener(change, () => this.#translate());
  }

  stop() {
    this.#job.stop();
  }

  /** @param {Task} task */
  async show(task) {
    this.#task = task;
    this.#found.clear();
    this.#part = "response";
    this.#drawChoice();
    await this.#choose("response");
  }

  /** @param {Part} part */
  async #choose(part) {
    this.#part = part;
    const task = this.#task;
    this.#draw();
    if (!task || this.#found.has(part)) return;
    const words = this.#app.t("explain.busy");
    const found = await this.#job.run(
      words,
      (client, options) => client.explain(task, { part, ...options }),
      () => this.#choose(part),
    );
    if (!found || this.#task !== task) return;
    this.#found.set(part, { score: found.score, parts: found.parts.filter(isMeasured) });
    if (this.#part === part) this.#draw();
  }

  #draw() {
    const text = this.#task?.[this.#part] ?? "";
    const found = this.#found.get(this.#part);
    if (!found)
      return this.#body.replaceChildren(
        ...(text.trim() ? [] : [el("p", { class: "muted" }, this.#app.t("explain.empty"))]),
      );
    if (found.parts.length === 0) return this.#body.replaceChildren(el("p", {}, this.#app.t("explain.none")));
    const pairs = found.parts.map((sentence) => ({
      sentence,
      painted: this.#paint(sentence, text, found),
      row: this.#row(sentence, text, found),
    }));
    for (const { painted, row } of pairs) link(painted, row);
    this.#body.replaceChildren(
      el("p", {}, this.#app.t("explain.summary", { score: this.#number(found.score), count: found.parts.length })),
      ...this.#modelsOwn(),
      this.#legend(),
      this.#painted(text, pairs),
      el("h4", {}, this.#app.t("explain.list")),
      el("ol", { class: "explain-list" }, ...bySize(pairs).map(({ row }) => row)),
      el("p", { class: "caption" }, this.#app.t("explain.caution")),
    );
  }

  /** While the user's corrections adjust scores: that these here are not. */
  #modelsOwn() {
    return this.#app.corrections?.adjuster() ? [el("p", { class: "caption" }, this.#app.t("explain.model"))] : [];
  }

  #translate() {
    if (!this.#task) return;
    this.#drawChoice();
    this.#draw();
  }

  #drawChoice() {
    this.#choice.setAttribute("aria-label", this.#app.t("explain.which"));
    this.#choice.replaceChildren(
      ...PARTS.filter((part) => this.#task?.[part]?.trim()).map((part) => {
        const input = /** @type {HTMLInputElement} */ (el("input", { type: "radio", name: this.#name, value: part }));
        input.checked = part === this.#part;
        input.addEventListener("change", () => this.#choose(part));
        return el("label", {}, input, this.#app.t(`explain.part.${part}`));
      }),
    );
  }

  // --- Text ---

  /**
   * The whole text, what lies between the sentences included.
   *
   * @param {string} text
   * @param {{ sentence: Sentence, painted: HTMLElement }[]} pairs
   */
  #painted(text, pairs) {
    const inOrder = [...pairs].sort((a, b) => a.sentence.start - b.sentence.start);
    let end = 0;
    const pieces = inOrder.flatMap(({ sentence, painted }) => {
      const between = text.slice(end, sentence.start);
      end = sentence.end;
      return between ? [between, painted] : [painted];
    });
    const label = this.#app.t("explain.painted");
    return el(
      "div",
      { class: "explain-text", dir: "auto", lang: languageOf(text) || undefined, role: "group", "aria-label": label },
      ...pieces,
      text.slice(end),
    );
  }

  /**
   * @param {Sentence} sentence
   * @param {string} text
   * @param {Explained} found
   */
  #paint(sentence, text, found) {
    const span = el("span", { class: `sentence ${signOf(sentence)}` }, text.slice(sentence.start, sentence.end));
    span.style.setProperty("--strength", strength(sentence, found).toFixed(3));
    // The number is an ornament of the paint: the list speaks it.
    if (signOf(sentence) !== "level")
      span.append(
        el("span", { class: "sentence-change", "aria-hidden": "true", dir: "ltr" }, this.#signed(sentence.change)),
      );
    return span;
  }

  #legend() {
    const item = (/** @type {string} */ sign, /** @type {string} */ key) =>
      el(
        "li",
        {},
        el(
          "span",
          { class: `sentence ${sign}`, "aria-hidden": "true" },
          sign === "level" ? "0" : sign === "up" ? "+" : "−",
        ),
        this.#app.t(key),
      );
    return el(
      "ul",
      { class: "explain-legend" },
      item("up", "explain.up"),
      item("down", "explain.down"),
      item("level", "explain.level"),
    );
  }

  // --- List ---

  /**
   * @param {Sentence} sentence
   * @param {string} text
   * @param {Explained} found
   */
  #row(sentence, text, found) {
    const bar = el("span", { class: `change-bar ${signOf(sentence)}`, "aria-hidden": "true" });
    bar.style.setProperty("--strength", strength(sentence, found).toFixed(3));
    const quote = text.slice(sentence.start, sentence.end).trim();
    const without = this.#app.t("explain.without", { score: this.#number(sentence.score) });
    return el(
      "li",
      { tabindex: 0 },
      el("span", { class: `change ${signOf(sentence)}`, dir: "ltr" }, this.#signed(sentence.change)),
      bar,
      el("span", { class: "explain-quote", dir: "auto", lang: languageOf(quote) || undefined }, quote),
      el("span", { class: "muted" }, without),
    );
  }

  /** @param {number} value */
  #number(value) {
    return this.#app.number(value, 1);
  }

  /** @param {number} change */
  #signed(change) {
    if (Math.abs(change) < NOTHING) return this.#number(0);
    return `${change > 0 ? "+" : "−"}${this.#number(Math.abs(change))}`;
  }
}

/** Where nothing would be left to score, nothing was measured. @param {any} part */
function isMeasured({ change }) {
  return change !== null;
}

/** @param {Sentence} sentence */
function signOf({ change }) {
  if (Math.abs(change) < NOTHING) return "level";
  return change > 0 ? "up" : "down";
}

/**
 * @param {Sentence} sentence
 * @param {Explained} found
 */
function strength({ change }, { parts }) {
  return Math.abs(change) / Math.max(FULL, ...parts.map((part) => Math.abs(part.change)));
}

/**
 * @template {{ sentence: Sentence }} P
 * @param {P[]} pairs
 */
function bySize(pairs) {
  return [...pairs].sort(
    (a, b) => Math.abs(b.sentence.change) - Math.abs(a.sentence.change) || a.sentence.start - b.sentence.start,
  );
}

/**
 * Pointing at one lights up both.
 *
 * @param {HTMLElement} painted
 * @param {HTMLElement} row
 */
function link(painted, row) {
  const light = (/** @type {boolean} */ on) => [painted, row].forEach((element) => element.classList.toggle("lit", on));
  for (const element of [painted, row]) {
    element.addEventListener("pointerenter", () => light(true));
    element.addEventListener("pointerleave", () => light(false));
    element.addEventListener("focus", () => light(true));
    element.addEventListener("blur", () => light(false));
  }
}
