// @ts-check
/**
 * A score as the user's corrections have it, beside what the model itself says. Pure.
 *
 * @typedef {{ score: number, rounded: number, interval: [number, number] | null, coverage: number | null }} Numbers
 * @typedef {{ model?: Numbers, corrections?: number }} Mark `model`: the model's own numbers, where
 *   that many corrections changed them
 *
 * @typedef {object} Adjuster what the corrections make of a model's scores
 * @property {number} n corrections
 * @property {(score: number, metric: string) => number} of
 */

/** Adjustments that one decimal cannot show are none. */
const NOTHING = 0.05;

/**
 * The score moved to `to`, and its interval by as much, within 0 to 10. No share of judges' scores
 * is claimed for the moved interval: nobody measured it.
 *
 * @template {Numbers} S
 * @param {S} own the model's
 * @param {number} to
 * @param {number} n corrections
 * @returns {S & Mark}
 */
export function adjusted(own, to, n) {
  const { score, rounded, interval, coverage } = own;
  const [by, low, high] = movedBy(to - score, ...(interval ?? [NaN, NaN]));
  if (by === 0) return own;
  const model = { score, rounded, interval, coverage };
  const moved = interval && /** @type {[number, number]} */ ([low, high]);
  return { ...own, score: to, rounded: Math.round(to), interval: moved, coverage: null, model, corrections: n };
}

/**
 * How far a score is moved, 0 where one decimal cannot show it, and where the interval's ends go.
 *
 * @param {number} by
 * @param {number} low
 * @param {number} high
 * @returns {[by: number, low: number, high: number]}
 */
export function movedBy(by, low, high) {
  if (Math.abs(by) < NOTHING) return [0, low, high];
  return [by, clamp(low + by), clamp(high + by)];
}

/**
 * For files and receipts: the model's own score, with the adjusted one in a field of its own.
 *
 * @template {Numbers & Mark} S
 * @param {S} shown
 */
export function recordOf({ model, corrections, ...shown }) {
  if (!model) return shown;
  const { score, rounded, interval } = shown;
  return { ...shown, ...model, adjusted: { score, rounded, interval, corrections } };
}

/** @param {number} value */
function clamp(value) {
  return Math.min(10, Math.max(0, value));
}
