// @ts-check
/**
 * The metric anchors nearest to an answer: as ranked bars, and on the map of all anchors where the
 * bundle has one. The bars are the map's text alternative.
 */
import { el } from "./dom.js";
import { AnchorBars } from "./map/bars.js";
import { MapCard } from "./map/card.js";
import { familiesOf } from "./map/families.js";
import { MapLegend } from "./map/legend.js";
import { locate } from "./map/locations.js";
import { ANSWER, DRAFT, pointsOf } from "./map/points.js";
import { MapView } from "./map/view.js";

/**
 * @typedef {import("./app.js").App} App
 * @typedef {import("./protocol.js").Task} Task
 * @typedef {import("./protocol.js").Score} Score
 * @typedef {import("./map/locations.js").Anchors} Anchors
 * @typedef {import("./map/view.js").Point} Point
 * @typedef {import("./map/points.js").Layout} Layout
 *
 * @typedef {object} Data one of the two is placed among the anchors
 * @property {Task} [task] the scored task, with `score`: its answer is placed
 * @property {Score} [score]
 * @property {{ name: string, definition: string }} [draft] a metric in the user's own words
 */

/**
 * @param {HTMLElement} root
 * @param {App} app
 * @returns {{ show: (data: Data) => Promise<void>, clear: () => void }}
 */
export function mount(root, app) {
  const map = new AnchorMap(root, app);
  return { show: (data) => map.show(data), clear: () => map.clear() };
}

class AnchorMap {
  #root;
  #app;
  #bars;
  #frame = el("div", { class: "map-frame" });
  #hint = el("p", { class: "caption" });
  #legend;
  #card;
  #view;
  /** @type {Data | null} */
  #data = null;
  /** @type {Anchors} of what is placed */
  #anchors = [];
  /** Told apart by number, so that a slow answer never draws over a later one. */
  #turn = 0;

  /**
   * @param {HTMLElement} root
   * @param {App} app
   */
  constructor(root, app) {
    this.#root = root;
    this.#app = app;
    this.#bars = new AnchorBars(app, (metric) => this.#view.highlight(metric));
    this.#card = new MapCard((id, pinned) => this.#describe(id, pinned));
    const buttons = this.#buttons();
    this.#view = new MapView(app.t("map.label"), buttons, (point, how) => this.#onPoint(point, how));
    this.#legend = new MapLegend(app, (family) => this.#view.highlightFamily(family));
    this.#frame.append(this.#view.element, buttons, this.#card.element);
    this.#frame.addEventListener("keydown", (event) => event.key === "Escape" && this.#escape(event));
    root.classList.add("anchor-map");
    root.append(
      el("div", { class: "anchor-parts" }, this.#bars.element, this.#bars.caption, this.#frame, this.#hint, this.#legend.element),
    );
    for (const type of ["metrics", "language"]) app.events.addEventListener(type, () => this.#again());
    this.clear();
  }

  clear() {
    this.#data = null;
    this.#turn++;
    this.#root.hidden = true;
  }

  /** @param {Data} data */
  async show(data) {
    const turn = ++this.#turn;
    this.#data = data;
    const [layout, anchors] = await Promise.all([this.#layout(), this.#anchorsOf(data)]);
    if (turn !== this.#turn) return;
    this.#anchors = anchors;
    this.#root.hidden = false;
    this.#card.hide();
    this.#bars.draw(anchors);
    this.#showMap(layout !== null);
    if (!layout) return;
    this.#legend.draw();
    this.#drawMap(layout, new Map());
    const own = await this.#locateOwn();
    if (turn === this.#turn && own.size > 0) this.#drawMap(layout, own);
  }

  #again() {
    if (this.#data && !this.#root.hidden) this.show(this.#data).catch(() => {});
  }

  /** @returns {Promise<Layout | null>} */
  async #layout() {
    return this.#app.client.map();
  }

  /**
   * @param {Data} data
   * @returns {Promise<Anchors>}
   */
  async #anchorsOf({ score, draft }) {
    if (score) return score.anchors;
    return draft ? locate(this.#app, draft) : [];
  }

  /** @returns {Promise<Map<string, Anchors>>} the user's own metrics' anchors; what fails is left out */
  async #locateOwn() {
    const metrics = this.#app.own.all().filter(({ name }) => name !== this.#data?.draft?.name);
    const found = await Promise.allSettled(metrics.map((metric) => locate(this.#app, metric)));
    const entries = found.map((result, i) => /** @type {const} */ ([metrics[i]?.name ?? "", result]));
    return new Map(entries.flatMap(([name, result]) => (result.status === "fulfilled" ? [[name, result.value]] : [])));
  }

  // --- Map ---

  /** @param {boolean} shown */
  #showMap(shown) {
    for (const part of [this.#frame, this.#legend.element]) part.hidden = !shown;
    this.#hint.textContent = this.#app.t(shown ? (this.#data?.score ? "map.hint" : "map.hint.own") : "map.none");
    this.#view.element.setAttribute("aria-label", this.#app.t("map.label"));
  }

  /**
   * @param {Layout} layout
   * @param {Map<string, Anchors>} own
   */
  #drawMap(layout, own) {
    const placed = { anchors: this.#anchors, draft: this.#data?.draft, own };
    this.#view.draw(pointsOf(this.#app, layout, placed));
  }

  // --- Card ---

  /**
   * @param {Point | null} point
   * @param {"hover" | "focus" | "pick"} how
   */
  #onPoint(point, how) {
    this.#bars.mark(point?.id ?? "");
    const place = point && this.#view.placeOf(point.id);
    if (place) this.#card.show(point.id, place, how === "pick");
    else if (how === "pick") this.#card.hide();
    else this.#card.leave();
  }

  /** @param {KeyboardEvent} event */
  #escape(event) {
    if (!this.#card.shown) return;
    event.stopPropagation();
    if (this.#card.element.contains(document.activeElement)) this.#view.focus(this.#card.shown);
    this.#card.hide();
  }

  /**
   * @param {string} id
   * @param {boolean} pinned
   */
  #describe(id, pinned) {
    if (id === ANSWER) return [el("strong", {}, this.#app.t("map.answer")), el("p", {}, this.#app.t("map.answer.how"))];
    const draft = this.#data?.draft;
    const metric =
      id === DRAFT && draft
        ? { ...draft, title: draft.name, own: true }
        : this.#app.metrics().find(({ name }) => name === id);
    const family = familiesOf(this.#app).get(id);
    const similarity = this.#anchors.find((anchor) => anchor.metric === id)?.similarity;
    const facts = [
      family?.title,
      similarity !== undefined && this.#app.t("map.similarity", { similarity: this.#app.number(similarity, 3) }),
    ];
    return [
      el("strong", { dir: "auto" }, metric?.title || this.#app.t("map.draft")),
      el("p", { class: "muted" }, facts.filter(Boolean).join(" · ")),
      el("p", { dir: "auto", lang: family && !metric?.own ? "en" : undefined }, metric?.definition ?? ""),
      ...(pinned && id !== DRAFT && this.#data?.task ? [this.#scoreButton(id)] : []),
    ];
  }

  /** @param {string} id */
  #scoreButton(id) {
    const button = el("button", { type: "button", class: "secondary" }, this.#app.t("map.score"));
    button.addEventListener("click", () => {
      const metric = this.#app.metrics().find(({ name }) => name === id);
      const { definition: _, ...texts } = /** @type {Task} */ (this.#data?.task);
      this.#app.show("answer", {
        task: { ...texts, metric: id, ...(metric?.own && { definition: metric.definition }) },
      });
    });
    return button;
  }

  // --- Controls ---

  #buttons() {
    const actions = /** @type {const} */ ([
      ["+", "map.zoom-in", () => this.#view.magnify(1.6)],
      ["−", "map.zoom-out", () => this.#view.magnify(1 / 1.6)],
      ["⤢", "map.zoom-all", () => this.#view.reset()],
    ]);
    const buttons = actions.map(([sign, key, act]) => {
      const button = el(
        "button",
        { type: "button", class: "secondary", "data-t-label": key, "aria-label": this.#app.t(key) },
        sign,
      );
      button.addEventListener("click", act);
      return button;
    });
    return el("div", { class: "map-buttons" }, ...buttons);
  }
}
