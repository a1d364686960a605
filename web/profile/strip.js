// @ts-check
/** All metrics as a heat strip: one cell a metric, by family, with its rounded score in it. */
import { el } from "../dom.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("../profile.js").Entry} Entry
 */

export class HeatStrip {
  element = el("div", { class: "heat-strip", role: "toolbar" });
  #app;
  #onPick;
  #tip = el("p", { class: "heat-tip", "aria-hidden": "true" });
  /** @type {HTMLElement[]} */
  #cells = [];
  /** @type {Map<HTMLElement, Entry>} */
  #entries = new Map();

  /**
   * @param {App} app
   * @param {(entry: Entry) => void} onPick
   */
  constructor(app, onPick) {
    this.#app = app;
    this.#onPick = onPick;
    this.element.addEventListener("keydown", (event) => this.#onKey(event));
    this.element.addEventListener("focusin", (event) => this.#rove(event.target));
    this.element.addEventListener("pointerover", (event) => this.#say(event.target));
  }

  /** The line that names the cell pointed at. */
  get tip() {
    return this.#tip;
  }

  /** @param {{ title: string, entries: Entry[] }[]} families */
  draw(families) {
    this.#entries.clear();
    const groups = families.map(({ title, entries }) =>
      el(
        "div",
        { class: "heat-family", role: "group", "aria-label": title },
        el("span", { class: "heat-title", "aria-hidden": "true" }, title),
        el("span", { class: "heat-cells" }, ...entries.map((entry) => this.#cell(entry))),
      ),
    );
    this.#cells = [...this.#entries.keys()];
    this.#cells[0]?.setAttribute("tabindex", "0");
    this.element.setAttribute("aria-label", this.#app.t("profile.strip"));
    this.element.replaceChildren(...groups);
    this.#tip.textContent = this.#app.t("profile.strip.hint");
  }

  /** @param {Entry} entry */
  #cell(entry) {
    const { score, rounded, abstain } = entry.result;
    const hidden = (/** @type {string} */ words) => el("span", { class: "visually-hidden" }, words);
    const exact = `${this.#app.number(score, 1)}${abstain ? `, ${this.#app.t("profile.unsure")}` : ""}`;
    const words = [hidden(`${entry.title}: `), this.#app.number(rounded, 0), hidden(` (${exact})`)];
    const attributes = {
      type: "button",
      tabindex: -1,
      class: `heat-cell${abstain ? " unsure" : ""}`,
      "data-metric": entry.result.metric,
    };
    const cell = el("button", attributes, ...words);
    cell.style.setProperty("--score", score.toFixed(2));
    cell.addEventListener("click", () => this.#onPick(entry));
    this.#entries.set(cell, entry);
    return cell;
  }

  /** @param {Entry} entry */
  #words({ title, family, result }) {
    const { score, abstain, model } = result;
    return [
      this.#app.t("profile.cell", { metric: title, family, score: this.#app.number(score, 1) }),
      ...(model ? [this.#app.t("corrections.model", { score: this.#app.number(model.score, 1) })] : []),
      ...(abstain ? [this.#app.t("profile.unsure")] : []),
    ].join(", ");
  }

  /** Marks the cell whose metric is looked at. @param {string} metric */
  mark(metric) {
    for (const [cell, { result }] of this.#entries) {
      if (result.metric === metric) cell.setAttribute("aria-current", "true");
      else cell.removeAttribute("aria-current");
    }
  }

  /** @param {EventTarget | null} target */
  #rove(target) {
    if (!(target instanceof HTMLElement) || !this.#entries.has(target)) return;
    for (const cell of this.#cells) cell.setAttribute("tabindex", cell === target ? "0" : "-1");
    this.#say(target);
  }

  /** @param {EventTarget | null} target */
  #say(target) {
    const cell = target instanceof Element ? target.closest(".heat-cell") : null;
    const entry = cell instanceof HTMLElement && this.#entries.get(cell);
    if (entry) this.#tip.textContent = this.#words(entry);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const now = this.#cells.indexOf(/** @type {HTMLElement} */ (event.target));
    const last = this.#cells.length - 1;
    const forward = getComputedStyle(this.element).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
    const back = forward === "ArrowRight" ? "ArrowLeft" : "ArrowRight";
    const places = /** @type {Record<string, number>} */ ({
      [forward]: now + 1,
      [back]: now - 1,
      Home: 0,
      End: last,
      ArrowDown: this.#below(now, 1),
      ArrowUp: this.#below(now, -1),
    });
    const next = this.#cells[Math.min(last, Math.max(0, places[event.key] ?? NaN))];
    if (!next) return;
    event.preventDefault();
    next.focus();
  }

  /**
   * The nearest cell of the next line of cells, up or down.
   *
   * @param {number} now
   * @param {1 | -1} way
   */
  #below(now, way) {
    const here = this.#cells[now]?.getBoundingClientRect();
    if (!here) return NaN;
    let best = { cost: Infinity, place: now };
    this.#cells.forEach((cell, place) => {
      const there = cell.getBoundingClientRect();
      const down = way * (there.top - here.top);
      const cost = down > 4 ? 3 * down + Math.abs(there.left - here.left) : Infinity;
      if (cost < best.cost) best = { cost, place };
    });
    return best.place;
  }
}
