// @ts-check
/** All metrics as a table: sorted by any column, filtered by family, words and sureness. */
import { el } from "../dom.js";
import { starOf } from "../own/adjustment.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("../profile.js").Entry} Entry
 * @typedef {{ column: Column, descending: boolean }} Order
 * @typedef {"metric" | "family" | "score" | "basis"} Column
 */

const COLUMNS = /** @type {const} */ (["metric", "family", "score", "basis"]);
const SUPPORT = ["judged", "synthetic", "text"];

/** @type {Record<Column, (a: Entry, b: Entry) => number>} */
const COMPARE = {
  metric: (a, b) => a.title.localeCompare(b.title),
  family: (a, b) => a.family.localeCompare(b.family) || a.result.score - b.result.score,
  score: (a, b) => a.result.score - b.result.score,
  basis: (a, b) => doubtOf(a) - doubtOf(b) || a.result.score - b.result.score,
};

export class ProfileTable {
  element = el("div", { class: "profile-table" });
  #app;
  #onPick;
  #family = /** @type {HTMLSelectElement} */ (el("select", { "data-filter": "family" }));
  #words = /** @type {HTMLInputElement} */ (el("input", { type: "text", "data-filter": "words" }));
  #sure = /** @type {HTMLInputElement} */ (el("input", { type: "checkbox", "data-filter": "sure" }));
  #count = el("p", { class: "caption", role: "status" });
  #table = el("table", {});
  /** @type {Entry[]} */
  #entries = [];
  /** @type {Order} */
  #order = { column: "score", descending: false };
  #marked = "";

  /**
   * @param {App} app
   * @param {(entry: Entry) => void} onPick
   */
  constructor(app, onPick) {
    this.#app = app;
    this.#onPick = onPick;
    for (const control of [this.#family, this.#words, this.#sure])
      control.addEventListener("input", () => this.#fill());
    const label = (/** @type {string} */ key, /** @type {HTMLElement} */ control) =>
      el("label", {}, app.say(el("span"), key), control);
    const filters = [
      label("profile.filter.words", this.#words),
      label("profile.filter.family", this.#family),
      label("profile.filter.sure", this.#sure),
    ];
    this.element.append(
      el("div", { class: "profile-filters" }, ...filters),
      this.#count,
      el("div", { class: "table-frame" }, this.#table),
    );
  }

  /** @param {Entry[]} entries */
  draw(entries) {
    this.#entries = entries;
    const chosen = this.#family.value;
    const families = [...new Set(entries.map(({ family }) => family))];
    this.#family.replaceChildren(
      el("option", { value: "" }, this.#app.t("profile.filter.all")),
      ...families.map((family) => el("option", { value: family }, family)),
    );
    this.#family.value = families.includes(chosen) ? chosen : "";
    this.#fill();
  }

  /** @returns {Entry[]} what is shown, in its order */
  get shown() {
    const words = this.#words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const { column, descending } = this.#order;
    const found = this.#entries.filter(({ family, words: text, result }) => {
      if (this.#family.value && family !== this.#family.value) return false;
      return words.every((word) => text.includes(word)) && !(this.#sure.checked && result.abstain);
    });
    return found.sort((a, b) => (descending ? -1 : 1) * COMPARE[column](a, b));
  }

  #fill() {
    const shown = this.shown;
    this.#count.textContent = this.#app.t("profile.count", { count: shown.length, of: this.#entries.length });
    const caption = el("caption", { class: "visually-hidden" }, this.#app.t("profile.table"));
    this.#table.replaceChildren(
      caption,
      el("thead", {}, el("tr", {}, ...COLUMNS.map((column) => this.#heading(column)))),
      el("tbody", {}, ...shown.map((entry) => this.#row(entry))),
    );
    this.mark(this.#marked);
  }

  /** @param {Column} column */
  #heading(column) {
    const on = this.#order.column === column;
    const button = el(
      "button",
      { type: "button", "data-sort": column },
      this.#app.t(`profile.column.${column}`),
      el("span", { class: "sort", "aria-hidden": "true" }, on ? (this.#order.descending ? "▼" : "▲") : "↕"),
    );
    button.addEventListener("click", () => this.#sort(column));
    return el(
      "th",
      {
        scope: "col",
        class: `column-${column}`,
        "aria-sort": on ? (this.#order.descending ? "descending" : "ascending") : undefined,
      },
      button,
    );
  }

  /** @param {Column} column */
  #sort(column) {
    this.#order = { column, descending: this.#order.column === column && !this.#order.descending };
    this.#fill();
    /** @type {HTMLElement | null} */ (this.#table.querySelector(`[data-sort="${column}"]`))?.focus();
  }

  /** @param {Entry} entry */
  #row(entry) {
    const { result, title, family, own } = entry;
    const name = el("button", { type: "button", class: "link", dir: "auto" }, title);
    name.addEventListener("click", () => this.#onPick(entry));
    const place = own ? this.#app.t("map.own") : family;
    const under = result.abstain ? `${place} · ${this.#app.t("profile.unsure")}` : place;
    return el(
      "tr",
      { "data-metric": result.metric },
      el("th", { scope: "row", class: "column-metric" }, name, el("span", { class: "row-family muted" }, under)),
      el("td", { class: "column-family" }, place),
      el("td", { class: "column-score" }, this.#score(entry)),
      el("td", { class: "column-basis" }, ...this.#basis(entry)),
    );
  }

  /** @param {Entry} entry */
  #score({ result }) {
    const { score, interval, abstain } = result;
    const bar = el("span", { class: `score-bar${abstain ? " unsure" : ""}`, "aria-hidden": "true" });
    bar.style.setProperty("--score", String(score));
    if (interval) {
      bar.style.setProperty("--low", String(interval[0]));
      bar.style.setProperty("--high", String(interval[1]));
      bar.append(el("span", { class: "score-range" }));
    }
    const range =
      interval &&
      this.#app.t("profile.range", { low: this.#app.number(interval[0], 1), high: this.#app.number(interval[1], 1) });
    return el(
      "div",
      { class: "score-cell" },
      el("strong", {}, this.#app.number(score, 1), ...starOf(this.#app, result)),
      bar,
      el("span", { class: "muted" }, range || this.#app.t("profile.no-range")),
    );
  }

  /** @param {Entry} entry */
  #basis({ result: { support, abstain, doubts } }) {
    const basis = el("span", { class: "muted" }, this.#app.t(`profile.support.${support}`));
    if (!abstain) return [basis];
    const why = doubts.map((doubt) => this.#app.t(`profile.doubt.${doubt}`)).join(", ");
    return [
      el("span", { class: "unsure-badge" }, this.#app.t("profile.unsure")),
      " ",
      el("span", { class: "muted" }, why || this.#app.t(`profile.support.${support}`)),
    ];
  }

  /** Marks the row of the metric that is looked at. @param {string} metric */
  mark(metric) {
    this.#marked = metric;
    for (const row of this.#table.querySelectorAll("tr[data-metric]")) {
      if (row.getAttribute("data-metric") === metric) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  }
}

/** @param {Entry} entry sure ones first, then by what they rest on */
function doubtOf({ result: { abstain, support } }) {
  return (abstain ? SUPPORT.length : 0) + SUPPORT.indexOf(support);
}
