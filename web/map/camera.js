// @ts-check
/** Which part of the map is seen, and how large: by wheel, pinch, drag or call. */
import { select, zoom, zoomIdentity } from "../vendor/d3.js";

const PAN = 60;
/** Points nearer to the edge than this, in pixels, are brought into view. */
const MARGIN = 10;

export class Camera {
  #element;
  #zoom;
  size = { width: 0, height: 0 };
  transform = zoomIdentity;

  /**
   * @param {SVGElement} element
   * @param {() => void} onMove
   */
  constructor(element, onMove) {
    this.#element = element;
    this.#zoom = /** @type {any} */ (zoom())
      .scaleExtent([1, 16])
      .extent(() => this.#extent())
      .filter((/** @type {any} */ event) => this.#isGesture(event))
      .on("zoom", (/** @type {any} */ { transform }) => {
        this.transform = transform;
        this.#element.classList.toggle("magnified", transform.k > 1);
        onMove();
      });
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) this.#zoom.duration(0);
    select(element).call(this.#zoom);
  }

  /** @returns {[[number, number], [number, number]]} */
  #extent() {
    const { width, height } = this.size;
    return [
      [0, 0],
      [width, height],
    ];
  }

  /** The wheel scrolls the page unless the map is in use; one finger pans only what is magnified. */
  #isGesture(/** @type {any} */ event) {
    if (event.type === "wheel") return event.ctrlKey || event.metaKey || this.#element.contains(document.activeElement);
    if (event.type === "touchstart") return event.touches.length > 1 || this.transform.k > 1;
    return !event.button && !event.ctrlKey;
  }

  /** Takes up the size that the map has now, if it is shown. */
  fit() {
    const { width, height } = this.#element.getBoundingClientRect();
    if (width === 0) return;
    this.size = { width, height };
    const extent = this.#extent();
    this.#zoom.translateExtent(extent);
    const constrained = this.#zoom.constrain()(this.transform, extent, extent);
    this.#zoom.transform(select(this.#element), constrained);
  }

  /**
   * @param {number} factor
   * @param {{ left: number, top: number } | undefined} centre stays where it is, if it is in sight; else the middle does
   */
  magnify(factor, centre) {
    const { width, height } = this.size;
    const seen = centre && this.#sees(centre, 0);
    this.#zoom.scaleBy(select(this.#element), factor, seen ? [centre.left, centre.top] : [width / 2, height / 2]);
  }

  reset() {
    this.#zoom.transform(select(this.#element), zoomIdentity);
  }

  /** @param {[number, number]} direction */
  pan([x, y]) {
    const { k } = this.transform;
    this.#zoom.translateBy(select(this.#element), (-x * PAN) / k, (-y * PAN) / k);
  }

  /** Brings a place on the screen into view. @param {{ left: number, top: number }} place */
  reveal(place) {
    if (this.#sees(place, MARGIN)) return;
    this.#zoom.translateTo(select(this.#element), ...this.transform.invert([place.left, place.top]));
  }

  /**
   * @param {{ left: number, top: number }} place
   * @param {number} margin
   */
  #sees({ left, top }, margin) {
    const { width, height } = this.size;
    return left > margin && top > margin && left < width - margin && top < height - margin;
  }
}
