// @ts-check
/**
 * Labels that do not overlap: the most important first, each at the first of four places that is
 * free, else left out. Labels keep their size while the map is magnified, so more find room.
 *
 * @typedef {{ x: number, y: number, radius: number, width: number, priority: number }} Wish a point in
 *   pixels with its label's width; a low number comes first, Infinity wishes no label
 * @typedef {{ x: number, y: number, anchor: "start" | "middle" | "end" }} Place of the text's baseline
 * @typedef {{ left: number, right: number, top: number, bottom: number }} Box
 */

const HEIGHT = 15;
const ASCENT = 11;
const GAP = 4;
/** Labels more important than this may cover the marks of points that are not. */
const CLEAR = 10;

/**
 * @param {Wish[]} wishes
 * @param {{ width: number, height: number }} area
 * @param {Box[]} [reserved] where no label may be
 * @returns {(Place | null)[]} in the order of the wishes
 */
export function placeLabels(wishes, area, reserved = []) {
  const marks = wishes.map((wish) => ({ ...markOf(wish), important: wish.priority < CLEAR }));
  /** @type {Box[]} */
  const taken = [...reserved];
  const order = wishes.map((_, i) => i).sort((a, b) => rank(wishes[a]) - rank(wishes[b]) || a - b);
  /** @type {(Place | null)[]} */
  const places = wishes.map(() => null);
  for (const i of order) {
    const wish = /** @type {Wish} */ (wishes[i]);
    if (wish.priority === Infinity) break;
    const important = wish.priority < CLEAR;
    const others = marks.filter((mark, k) => k !== i && (mark.important || !important));
    const free = candidates(wish).find(
      ({ box }) => isInside(box, area) && ![...taken, ...others].some((other) => overlap(box, other)),
    );
    if (!free) continue;
    taken.push(free.box);
    places[i] = free.place;
  }
  return places;
}

/** @param {Wish | undefined} wish */
function rank(wish) {
  return Math.min(wish?.priority ?? Infinity, Number.MAX_VALUE);
}

/** @param {Wish} wish */
function markOf({ x, y, radius: whole }) {
  const radius = whole - 2; // the corners of the box are empty
  return { left: x - radius, right: x + radius, top: y - radius, bottom: y + radius };
}

/**
 * Beside, under and over the point.
 *
 * @param {Wish} wish
 * @returns {{ box: Box, place: Place }[]}
 */
function candidates({ x, y, radius, width }) {
  const away = radius + GAP;
  return [
    { x: x + away, y: y + 4, anchor: /** @type {const} */ ("start"), left: x + away },
    { x: x - away, y: y + 4, anchor: /** @type {const} */ ("end"), left: x - away - width },
    { x, y: y + away + ASCENT, anchor: /** @type {const} */ ("middle"), left: x - width / 2 },
    { x, y: y - away, anchor: /** @type {const} */ ("middle"), left: x - width / 2 },
  ].map(({ left, ...place }) => {
    const top = place.y - ASCENT;
    return { place, box: { left, right: left + width, top, bottom: top + HEIGHT } };
  });
}

/**
 * @param {Box} box
 * @param {{ width: number, height: number }} area
 */
function isInside({ left, right, top, bottom }, { width, height }) {
  return left >= 0 && right <= width && top >= 0 && bottom <= height;
}

/**
 * @param {Box} a
 * @param {Box} b
 */
function overlap(a, b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
