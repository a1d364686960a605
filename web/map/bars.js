// @ts-check
/** The nearest anchors as ranked bars: the map's text alternative. */
import { el } from "../dom.js";
import { familiesOf, swatch } from "./families.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("./locations.js").Anchors} Anchors
 */

export class AnchorBars {
  element = el("ol", { class: "anchor-bars" });
  /** What the bars' length means. */
  caption = el("p", { class: "caption" });
  #app;
  #onPoint;

  /**
   * @param {App} app
   * @param {(metric: string) => void} onPoint hears of the metric pointed at, "" for none
   */
  constructor(app, onPoint) {
    this.#app = app;
    this.#onPoint = onPoint;
  }

  /** @param {Anchors} anchors best first */
  draw(anchors) {
    const values = anchors.map(({ similarity }) => similarity);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const families = familiesOf(this.#app);
    this.element.setAttribute("aria-label", this.#app.t("map.bars"));
    this.element.replaceChildren(
      ...anchors.map((anchor) => this.#bar(anchor, (anchor.similarity - low) / (high - low || 1), families)),
    );
    const range = { low: this.#app.number(low, 3), high: this.#app.number(high, 3) };
    this.caption.textContent = high > low ? this.#app.t("map.scale", range) : "";
  }

  /**
   * @param {Anchors[number]} anchor
   * @param {number} share
   * @param {Map<string, import("./families.js").Family>} families
   */
  #bar({ metric, similarity }, share, families) {
    const family = families.get(metric);
    const bar = el("span", { class: "anchor-bar", "aria-hidden": "true" });
    bar.style.setProperty("--share", String(share));
    const title = el("span", { class: "anchor-title" }, this.#app.title(metric));
    const item = el(
      "li",
      { "data-metric": metric },
      family ? swatch(family) : "",
      title,
      bar,
      el("span", { class: "anchor-value" }, this.#app.number(similarity, 3)),
    );
    item.addEventListener("pointerenter", () => this.#onPoint(metric));
    item.addEventListener("pointerleave", () => this.#onPoint(""));
    return item;
  }

  /** Marks the bar of a metric; "" none. @param {string} metric */
  mark(metric) {
    for (const item of this.element.children) {
      item.classList.toggle("active", item instanceof HTMLElement && item.dataset.metric === metric);
    }
  }
}
