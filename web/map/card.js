// @ts-check
/** The card beside a point of the map: stays while it is pointed at, and for good once picked. */
import { el } from "../dom.js";

const PATIENCE = 250;
const WIDTH = 272;

export class MapCard {
  element = el("div", { class: "map-card", hidden: "" });
  #fill;
  #timer = 0;
  #pinned = "";
  /** The point it tells of, "" where it is hidden. */
  shown = "";

  /** @param {(id: string, pinned: boolean) => (Node | string)[]} fill its content */
  constructor(fill) {
    this.#fill = fill;
    this.element.addEventListener("pointerenter", () => clearTimeout(this.#timer));
    this.element.addEventListener("pointerleave", () => this.leave());
  }

  /**
   * @param {string} id
   * @param {{ left: number, top: number, width: number, height: number }} place
   * @param {boolean} pin
   */
  show(id, place, pin) {
    clearTimeout(this.#timer);
    if (!pin && this.#pinned) return;
    if (pin) this.#pinned = id;
    this.shown = id;
    this.element.replaceChildren(...this.#fill(id, pin));
    this.element.hidden = false;
    this.#place(place);
  }

  /** Beside the point, on the side that has room. */
  #place(/** @type {{ left: number, top: number, width: number, height: number }} */ { left, top, width, height }) {
    const x = left + 18 + WIDTH <= width ? left + 18 : Math.max(4, left - 18 - WIDTH);
    const y = Math.max(4, Math.min(top - 20, height - this.element.offsetHeight - 4));
    this.element.style.setProperty("--card-left", `${x}px`);
    this.element.style.setProperty("--card-top", `${y}px`);
  }

  /** The point is no longer pointed at: a picked one stays. */
  leave() {
    clearTimeout(this.#timer);
    if (!this.#pinned) this.#timer = setTimeout(() => this.hide(), PATIENCE);
  }

  hide() {
    clearTimeout(this.#timer);
    this.#pinned = this.shown = "";
    this.element.hidden = true;
  }
}
