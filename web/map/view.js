// @ts-check
/** The map itself: points, labels and lines in one SVG, moved by pointer, wheel, pinch and keys. */
import { svg } from "../dom.js";
import { quadtree } from "../vendor/d3.js";
import { Camera } from "./camera.js";
import { neighbour, projection, shortened, widthOf } from "./geometry.js";
import { placeLabels } from "./labels.js";
import { mark } from "./families.js";
import { ALONE } from "./legend.js";

/**
 * @typedef {object} Point
 * @property {string} id
 * @property {"answer" | "anchor" | "own"} kind
 * @property {number} x -1 to 1
 * @property {number} y -1 to 1
 * @property {string} title
 * @property {import("./families.js").Family} family
 * @property {number} priority of its label, a low number comes first
 * @property {boolean} near whether a line joins it to the answer
 * @property {string} spoken its name for screen readers
 *
 * @typedef {Point & { left: number, top: number, element: Element, label: Element, width: number }} Drawn
 */

/** How near to a point the pointer counts as on it, in pixels. */
const REACH = 20;
const ARROWS = /** @type {Record<string, [number, number]>} */ ({
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
});

export class MapView {
  /** The SVG. */
  element;
  #links = svg("g", { class: "map-links" });
  #points = svg("g", {});
  #labels = svg("g", { class: "map-labels", "aria-hidden": "true" });
  /** @type {Drawn[]} */
  #drawn = [];
  #camera;
  /** @type {any} points by their place on the screen */
  #tree = quadtree();
  #active = "";
  #family = "";
  #controls;
  #onActive;
  #frame = 0;

  /**
   * @param {string} label the map's name for screen readers
   * @param {Element} controls buttons that lie on the map, kept clear of labels
   * @param {(point: Point | null, how: "hover" | "focus" | "pick") => void} onActive the point that is
   *   pointed at, reached by keyboard or picked
   */
  constructor(label, controls, onActive) {
    this.#controls = controls;
    this.#onActive = onActive;
    this.element = svg(
      "svg",
      { class: "map-svg", role: "group", "aria-label": label },
      this.#links,
      this.#points,
      this.#labels,
    );
    this.#camera = new Camera(this.element, () => this.#soon());
    this.#listen();
    new ResizeObserver(() => this.#camera.fit()).observe(this.element);
  }

  #listen() {
    const of = (/** @type {Event} */ event) => this.#pointOf(event);
    const on = (/** @type {string} */ type, /** @type {(event: any) => void} */ listener) =>
      this.element.addEventListener(type, listener);
    on("pointermove", (event) => event.pointerType === "mouse" && this.#point(this.#nearest(event), "hover"));
    on("pointerleave", () => this.#point(null, "hover"));
    on("click", (event) => this.#point(of(event) ?? this.#nearest(event), "pick"));
    on("focusin", (event) => this.#point(of(event), "focus"));
    on("focusout", () => this.#point(null, "focus"));
    on("keydown", (event) => this.#onKey(event));
  }

  /** @param {Point[]} points the answer, if any, has the kind "answer" */
  draw(points) {
    this.#drawn = points.map((point) => this.#make(point));
    this.#points.replaceChildren(...this.#drawn.map(({ element }) => element));
    this.#labels.replaceChildren(...this.#drawn.map(({ label }) => label));
    this.#rove(this.#answer ?? this.#drawn[0]);
    this.highlightFamily(this.#family);
    this.#camera.fit();
  }

  /** What is placed among the anchors. */
  get #answer() {
    return this.#drawn.find(({ kind }) => kind === "answer");
  }

  /**
   * @param {Point} point
   * @returns {Drawn}
   */
  #make(point) {
    const title = shortened(point.title);
    const element = svg(
      "g",
      {
        class: `map-point ${point.kind}${point.near ? " near" : ""}`,
        role: "button",
        tabindex: -1,
        "aria-label": point.spoken,
        "data-point": point.id,
      },
      svg("circle", { class: "halo", r: 12 }),
      mark(point.family),
    );
    const label = svg("text", { class: point.kind }, title);
    return { ...point, element, label, width: widthOf(title, point.kind), left: 0, top: 0 };
  }

  /** Makes one point the map's stop in the tab order. @param {Drawn | undefined} point */
  #rove(point) {
    for (const { element } of this.#drawn) element.setAttribute("tabindex", "-1");
    point?.element.setAttribute("tabindex", "0");
  }

  /** At most once a frame. */
  #soon() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#arrange());
  }

  #arrange() {
    const project = projection(this.#drawn, this.#camera.size);
    for (const point of this.#drawn) {
      [point.left, point.top] = this.#camera.transform.apply(project(point));
      point.element.setAttribute("transform", `translate(${point.left.toFixed(1)} ${point.top.toFixed(1)})`);
    }
    this.#tree = quadtree(
      this.#drawn,
      (/** @type {Drawn} */ p) => p.left,
      (/** @type {Drawn} */ p) => p.top,
    );
    this.#arrangeLabels();
    this.#arrangeLinks();
  }

  #arrangeLabels() {
    const wishes = this.#drawn.map((point) => ({
      x: point.left,
      y: point.top,
      radius: point.kind === "answer" ? 10 : 7,
      width: point.width,
      priority: point.id === this.#active ? -1 : isOther(point, this.#family) ? Infinity : point.priority,
    }));
    placeLabels(wishes, this.#camera.size, [this.#reserved()]).forEach((place, i) => {
      const label = /** @type {Drawn} */ (this.#drawn[i]).label;
      label.toggleAttribute("hidden", place === null);
      if (!place) return;
      label.setAttribute("x", place.x.toFixed(1));
      label.setAttribute("y", place.y.toFixed(1));
      label.setAttribute("text-anchor", place.anchor);
    });
  }

  /** Where the buttons lie on the map. */
  #reserved() {
    const [map, controls] = [this.element.getBoundingClientRect(), this.#controls.getBoundingClientRect()];
    return {
      left: controls.left - map.left,
      right: controls.right - map.left,
      top: controls.top - map.top,
      bottom: controls.bottom - map.top,
    };
  }

  #arrangeLinks() {
    const answer = this.#answer;
    const near = answer ? this.#drawn.filter((point) => point.near) : [];
    this.#links.replaceChildren(
      ...near.map(({ left, top, id }) =>
        svg("line", {
          x1: answer?.left,
          y1: answer?.top,
          x2: left,
          y2: top,
          class: id === this.#active ? "active" : undefined,
        }),
      ),
    );
  }

  // --- Pointing ---

  /** @param {Event} event */
  #pointOf(event) {
    const id = event.target instanceof Element && event.target.closest("[data-point]")?.getAttribute("data-point");
    return this.#drawn.find((point) => point.id === id) ?? null;
  }

  /** @param {PointerEvent} event */
  #nearest(event) {
    const { left, top } = this.element.getBoundingClientRect();
    return this.#tree.find(event.clientX - left, event.clientY - top, REACH) ?? null;
  }

  /**
   * @param {Drawn | null} point
   * @param {"hover" | "focus" | "pick"} how
   */
  #point(point, how) {
    if (how === "focus" && point) this.#rove(point);
    if (how === "pick" && point) /** @type {SVGElement} */ (point.element).focus({ preventScroll: true });
    this.highlight(point?.id ?? "");
    this.#onActive(point, how);
  }

  /** Lifts one point out; "" none. @param {string} id */
  highlight(id) {
    if (id === this.#active) return;
    this.#active = id;
    for (const point of this.#drawn) point.element.classList.toggle("active", point.id === id);
    const active = this.#drawn.find((point) => point.id === id);
    for (const { label } of this.#drawn) label.classList.toggle("active", label === active?.label);
    this.#arrangeLabels();
    this.#arrangeLinks();
  }

  /** Fades all but one family and the answer; "" none. @param {string} key */
  highlightFamily(key) {
    this.#family = key;
    for (const point of this.#drawn) point.element.classList.toggle("faded", isOther(point, key));
    this.#arrangeLabels();
  }

  /** Where a point is on the screen, in pixels of the map. @param {string} id */
  placeOf(id) {
    const point = this.#drawn.find((drawn) => drawn.id === id);
    return point ? { left: point.left, top: point.top, ...this.#camera.size } : null;
  }

  /** Moves the focus to a point and brings it into view. @param {string} id */
  focus(id) {
    const point = this.#drawn.find((drawn) => drawn.id === id);
    if (point) this.#visit(point);
  }

  // --- Zoom and keys ---

  /** Around the answer where it is in sight, else around the middle. @param {number} factor */
  magnify(factor) {
    this.#camera.magnify(factor, this.#answer);
  }

  reset() {
    this.#camera.reset();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (this.#press(event)) event.preventDefault();
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {boolean} whether the key means something here
   */
  #press(event) {
    const { key, shiftKey } = event;
    const arrow = ARROWS[key];
    const here = this.#pointOf(event);
    if (arrow && shiftKey) this.#camera.pan(arrow);
    else if (arrow) this.#visit(here && neighbour(here, arrow, this.#drawn));
    else if (key === "+" || key === "=") this.magnify(1.5);
    else if (key === "-") this.magnify(1 / 1.5);
    else if (key === "0") this.reset();
    else if (key === "Home") this.#visit(this.#answer);
    else if (key === "Enter" || key === " ") this.#point(here, "pick");
    else return false;
    return true;
  }

  /** @param {Drawn | null | undefined} point */
  #visit(point) {
    if (!point) return;
    this.#camera.reveal(point);
    /** @type {SVGElement} */ (point.element).focus({ preventScroll: true });
    this.element.scrollIntoView({ block: "nearest" });
  }
}

/**
 * @param {Point} point
 * @param {string} chosen a family's key, or "" for all
 */
function isOther({ kind, family }, chosen) {
  return chosen !== "" && kind !== "answer" && (family.key || ALONE) !== chosen;
}
