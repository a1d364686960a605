// @ts-check
/**
 * The results as a grid that holds a screenful of rows, however many there are.
 *
 * Up, Down, Page Up, Page Down, Home and End move the active row; Enter or a click opens it.
 */
import { el } from "../dom.js";

/**
 * @typedef {object} Column
 * @property {string} key also the name of its class
 * @property {string} title
 * @property {import("./results.js").SortKey} [sort] what its header sorts by
 *
 * @typedef {object} Source
 * @property {Column[]} columns
 * @property {(item: number) => Promise<(Node | string)[]>} cells of an item, one for each column; rejects never
 * @property {(item: number) => void} open
 * @property {(key: import("./results.js").SortKey) => void} sort
 * @property {string} label of the grid
 */

/** Pixels. Fixed, so that a row's place is known without drawing it. */
const ROW = 44;
/** Browsers stop at about 17 million pixels. */
const TALLEST = 8_000_000;
/** Rows drawn beyond the edges. */
const MARGIN = 6;

let grids = 0;

export class ResultGrid {
  #source;
  #id = `file-grid-${++grids}`;
  /** @type {Uint32Array} */
  #items = new Uint32Array(0);
  #active = 0;
  #drawn = { first: -1, last: -1 };
  #version = 0;
  /** @type {number} */
  #frame = 0;
  #space;
  #head;
  #observer;

  /** @param {Source} source */
  constructor(source) {
    this.#source = source;
    this.#head = el("div", { role: "row", class: "grid-head", "aria-rowindex": 1 }, ...source.columns.map((column, i) => this.#header(column, i)));
    this.#space = el("div", { class: "grid-space", role: "rowgroup" });
    const attributes = { role: "grid", class: "grid", tabindex: 0, "aria-label": source.label, "aria-colcount": source.columns.length };
    this.element = /** @type {HTMLElement} */ (el("div", attributes, el("div", { role: "rowgroup" }, this.#head), this.#space));
    this.element.addEventListener("scroll", () => this.#soon());
    this.#space.addEventListener("click", (event) => this.#onClick(event));
    this.element.addEventListener("keydown", (event) => this.#onKey(event));
    this.#observer = new ResizeObserver(() => this.#soon());
    this.#observer.observe(this.element);
  }

  /**
   * @param {Column} column
   * @param {number} index
   */
  #header({ key, title, sort }, index) {
    const cell = el("div", { role: "columnheader", class: `cell ${key}`, "data-sort": sort, "aria-colindex": index + 1 });
    if (!sort) return fill(cell, title);
    const button = el("button", { type: "button", class: "grid-sort" }, title, el("span", { class: "grid-arrow", "aria-hidden": "true" }));
    button.addEventListener("click", () => this.#source.sort(sort));
    return fill(cell, button);
  }

  /**
   * Shows these items in this order.
   *
   * @param {Uint32Array} items
   * @param {import("./results.js").Sort} sort
   * @param {boolean} top whether to go back to the top
   */
  show(items, sort, top) {
    this.#items = items;
    this.element.setAttribute("aria-rowcount", String(items.length + 1));
    this.#space.style.height = `${Math.min(TALLEST, items.length * ROW)}px`;
    for (const header of this.#head.children) {
      const sorted = header instanceof HTMLElement && header.dataset.sort === sort.key;
      if (sorted) header.setAttribute("aria-sort", sort.descending ? "descending" : "ascending");
      else header.removeAttribute("aria-sort");
    }
    if (top) {
      this.element.scrollTop = 0;
      this.#active = 0;
    }
    this.#active = Math.max(0, Math.min(this.#active, items.length - 1));
    this.refresh();
  }

  /** Draws the visible rows anew, as their results have changed. */
  refresh() {
    this.#version++;
    this.#soon();
  }

  #soon() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  /** Pixels under the header. */
  get #height() {
    return Math.max(0, this.element.clientHeight - ROW);
  }

  /** Rows that fit. */
  get #page() {
    return Math.max(1, Math.floor(this.#height / ROW));
  }

  /** The position among the items at the upper edge; past the tallest height the scroll is a share. */
  #top() {
    const { scrollTop } = this.element;
    const clientHeight = this.#height;
    const height = this.#items.length * ROW;
    if (height <= TALLEST) return scrollTop / ROW;
    const share = scrollTop / Math.max(1, TALLEST - clientHeight);
    return share * (this.#items.length - clientHeight / ROW);
  }

  #draw() {
    const top = this.#top();
    const first = Math.max(0, Math.floor(top) - MARGIN);
    const last = Math.min(this.#items.length, Math.ceil(top + this.#height / ROW) + MARGIN);
    const version = this.#version;
    const kept = new Map([...this.#space.children].map((row) => [/** @type {HTMLElement} */ (row).dataset.key, row]));
    const rows = [];
    for (let at = first; at < last; at++) rows.push(this.#row(at, version, kept));
    this.#space.replaceChildren(...rows);
    const offset = this.#items.length * ROW <= TALLEST ? 0 : this.element.scrollTop - top * ROW;
    rows.forEach((row, i) => (row.style.transform = `translateY(${(first + i) * ROW + offset}px)`));
    this.#drawn = { first, last };
    this.#markActive();
  }

  /**
   * @param {number} at position among the items
   * @param {number} version
   * @param {Map<string | undefined, Element>} kept rows drawn before
   * @returns {HTMLElement}
   */
  #row(at, version, kept) {
    const item = this.#items[at];
    const key = `${item}`;
    const old = /** @type {HTMLElement | undefined} */ (kept.get(key));
    const row = old ?? /** @type {HTMLElement} */ (el("div", { role: "row", class: "grid-row", "data-key": key }, ...this.#blank()));
    row.id = `${this.#id}-${at}`;
    row.setAttribute("aria-rowindex", String(at + 2));
    row.dataset.at = String(at);
    row.classList.toggle("odd", at % 2 === 1);
    if (row.dataset.version === String(version)) return row;
    row.dataset.version = String(version);
    this.#source.cells(item).then((cells) => {
      if (row.dataset.version === String(version)) cells.forEach((content, i) => fill(row.children[i], content));
    });
    return row;
  }

  #blank() {
    return this.#source.columns.map(({ key }, i) => el("div", { role: "gridcell", class: `cell ${key}`, "aria-colindex": i + 1 }));
  }

  #markActive() {
    for (const row of this.#space.children) row.classList.toggle("active", row instanceof HTMLElement && row.dataset.at === String(this.#active));
    const seen = this.#active >= this.#drawn.first && this.#active < this.#drawn.last;
    if (seen) this.element.setAttribute("aria-activedescendant", `${this.#id}-${this.#active}`);
    else this.element.removeAttribute("aria-activedescendant");
  }

  /** @param {MouseEvent} event */
  #onClick(event) {
    const row = event.target instanceof Element && event.target.closest(".grid-row");
    if (!(row instanceof HTMLElement) || String(getSelection())) return;
    this.#active = Number(row.dataset.at);
    this.#markActive();
    this.#source.open(this.#items[this.#active]);
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.target !== this.element || event.ctrlKey || event.metaKey || event.altKey) return;
    const last = this.#items.length - 1;
    const moves = { ArrowDown: this.#active + 1, ArrowUp: this.#active - 1, PageDown: this.#active + this.#page, PageUp: this.#active - this.#page, Home: 0, End: last };
    if (event.key === "Enter" && last >= 0) this.#source.open(this.#items[this.#active]);
    else if (event.key in moves) this.#move(Math.max(0, Math.min(last, moves[/** @type {keyof typeof moves} */ (event.key)])));
    else return;
    event.preventDefault();
  }

  /** @param {number} to */
  #move(to) {
    this.#active = to;
    const top = this.#top();
    const fits = this.#height / ROW - 1;
    if (to < top) this.#scrollTo(to);
    else if (to > top + fits) this.#scrollTo(to - fits);
    this.#draw();
  }

  /** @param {number} top a position among the items, for the upper edge */
  #scrollTo(top) {
    const clientHeight = this.#height;
    const height = this.#items.length * ROW;
    const share = top / Math.max(1, this.#items.length - clientHeight / ROW);
    this.element.scrollTop = height <= TALLEST ? top * ROW : share * (TALLEST - clientHeight);
  }

  /** Lets go of what it watches. */
  close() {
    this.#observer.disconnect();
    cancelAnimationFrame(this.#frame);
  }
}

/**
 * @param {Element} cell
 * @param {Node | string} content
 */
function fill(cell, content) {
  cell.replaceChildren(content);
  return cell;
}
