// @ts-check
/** From the layout to the screen: places, neighbours and the width of labels. */

const MARGIN = 28;
/** How much longer one direction's scale may be than the other's. */
const STRETCH = 1.7;
const LABEL_LENGTH = 30;

/**
 * From -1..1 to pixels: the points fill the area. A wide area may stretch them, which gives labels
 * room and keeps the order of neighbours; the axes mean nothing by themselves.
 *
 * @param {{ x: number, y: number }[]} points
 * @param {{ width: number, height: number }} size
 * @returns {(point: { x: number, y: number }) => [number, number]}
 */
export function projection(points, { width, height }) {
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const fit = [(width - 2 * MARGIN) / (right - left || 1), (height - 2 * MARGIN) / (bottom - top || 1)];
  const [across = 1, down = 1] = fit.map((scale) => Math.min(scale, STRETCH * Math.min(...fit)));
  return ({ x, y }) => [width / 2 + across * (x - (left + right) / 2), height / 2 + down * (y - (top + bottom) / 2)];
}

/**
 * The next point in a direction: near, and straight rather than aside.
 *
 * @template {{ left: number, top: number }} P
 * @param {P} here
 * @param {[number, number]} direction
 * @param {P[]} points
 * @returns {P | null}
 */
export function neighbour(here, [dx, dy], points) {
  let best = { cost: Infinity, point: /** @type {P | null} */ (null) };
  for (const point of points) {
    const [x, y] = [point.left - here.left, point.top - here.top];
    const along = x * dx + y * dy;
    const cost = along > 0.5 ? along + 2 * Math.abs(x * dy + y * dx) : Infinity;
    if (cost < best.cost) best = { cost, point };
  }
  return best.point;
}

/** @param {string} title */
export function shortened(title) {
  if (title.length <= LABEL_LENGTH) return title;
  const cut = title.slice(0, LABEL_LENGTH - 1);
  return `${cut.slice(0, Math.max(cut.lastIndexOf(" "), LABEL_LENGTH / 2))}…`;
}

const pen = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));

/**
 * @param {string} text
 * @param {string} kind of the point
 */
export function widthOf(text, kind) {
  const weight = kind === "anchor" ? 400 : 650;
  pen.font = `${weight} 12px ${getComputedStyle(document.body).fontFamily}`;
  return pen.measureText(text).width + 4;
}
