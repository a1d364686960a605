// @ts-check
/** What the corrections have taught: the error before and after, and the switch. */
import { el } from "../dom.js";
import { FEWEST } from "./calibration.js";

/** @typedef {import("../app.js").App} App */

export class CalibrationPanel {
  element = el("section", { class: "card calibration" });
  #app;
  #words = el("p", { role: "status" });
  #bars = el("dl", { class: "error-bars" });
  #switch = /** @type {HTMLInputElement} */ (el("input", { type: "checkbox", role: "switch", id: "calibration-on" }));
  #scale = el("p", { class: "caption" });

  /** @param {App} app */
  constructor(app) {
    this.#app = app;
    this.#switch.addEventListener("change", () => (app.corrections.enabled = this.#switch.checked));
    const label = el("label", { class: "toggle" }, this.#switch, app.say(el("span"), "corrections.switch"));
    const how = el(
      "details",
      {},
      app.say(el("summary"), "corrections.how"),
      app.say(el("p"), "corrections.how.words"),
      this.#formula(),
    );
    this.element.append(app.say(el("h3"), "corrections.calibration"), this.#words, this.#bars, this.#scale, label, how);
  }

  #formula() {
    return el("p", { class: "formula", dir: "ltr", lang: "en" }, "r − p ≈ a + b (p − 5) / 5 + u(family) + v(metric)");
  }

  draw() {
    const report = this.#app.corrections.report();
    const { n, before, after, useful, on } = report;
    this.#switch.checked = this.#app.corrections.enabled;
    this.#app.say(this.#words, `corrections.state.${stateOf(report)}`, {
      count: n,
      missing: Math.max(0, FEWEST - n),
      fewest: FEWEST,
    });
    this.element.classList.toggle("on", on);
    this.#bars.hidden = n < 2;
    this.#scale.hidden = n < 2;
    this.#app.say(this.#scale, "corrections.error.scale", { count: n });
    const largest = Math.max(before, after, 1);
    this.#bars.replaceChildren(
      ...this.#bar("corrections.before", before, largest, false),
      ...this.#bar("corrections.after", after, largest, useful),
    );
  }

  /**
   * @param {string} key
   * @param {number} error
   * @param {number} largest
   * @param {boolean} better
   */
  #bar(key, error, largest, better) {
    const bar = el("span", { class: `error-bar${better ? " better" : ""}`, "aria-hidden": "true" });
    bar.style.setProperty("--share", String(error / largest));
    const value = this.#app.t("corrections.points", { points: this.#app.number(error, 2) });
    return [el("div", {}, el("dt", {}, this.#app.t(key)), el("dd", {}, bar, el("span", {}, value)))];
  }
}

/** @param {import("../corrections.js").Report} report */
function stateOf({ n, useful, on }) {
  if (n < FEWEST) return "few";
  if (!useful) return "no-better";
  return on ? "on" : "off";
}
