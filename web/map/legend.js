// @ts-check
/** What colours and shapes stand for; a family's button leaves only its points lit. */
import { el } from "../dom.js";
import { OWN, familiesOf, swatch } from "./families.js";

/** Stands for the metrics without a family, whose key is empty. */
export const ALONE = "-";

export class MapLegend {
  element = el("details", { class: "map-legend" });
  #app;
  #onChoose;
  #chosen = "";

  /**
   * @param {import("../app.js").App} app
   * @param {(family: string) => void} onChoose a family's key, `ALONE`, or "" for all
   */
  constructor(app, onChoose) {
    this.#app = app;
    this.#onChoose = onChoose;
  }

  draw() {
    const families = [...new Map([...familiesOf(this.#app).values()].map((family) => [family.key, family])).values()];
    families.sort((a, b) => Number(a.key === "") - Number(b.key === ""));
    const list = el("ul", {}, ...families.map((family) => el("li", {}, this.#button(family))));
    this.element.replaceChildren(el("summary", {}, this.#app.t("map.families")), list);
    this.#choose(this.#chosen);
  }

  /** @param {import("./families.js").Family} family */
  #button(family) {
    const title = family.title || this.#app.t(family === OWN ? "map.own" : "map.alone");
    const key = family.key || ALONE;
    const button = el("button", { type: "button", class: "secondary", "data-family": key }, swatch(family), title);
    button.addEventListener("click", () => this.#choose(this.#chosen === key ? "" : key));
    return button;
  }

  /** @param {string} key */
  #choose(key) {
    this.#chosen = key;
    for (const button of this.element.querySelectorAll("[data-family]")) {
      button.setAttribute("aria-pressed", String(button.getAttribute("data-family") === key));
    }
    this.#onChoose(key);
  }
}
