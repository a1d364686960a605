// @ts-check
/** Figures about many scores. Pure; the definitions are those of the companion's `src/evaluate.rs`. */

/**
 * @typedef {object} Description
 * @property {number} n scores
 * @property {number} mean
 * @property {number} median
 * @property {number} unsure share that reads as "not sure"
 * @property {number} passed share at or above the threshold
 *
 * @typedef {object} Fit agreement with judged scores
 * @property {number} n
 * @property {number} rmse
 * @property {number} mae
 * @property {number | null} pearson null where either side is constant
 * @property {number | null} spearman
 * @property {number} constantRmse RMSE of the best constant, the judged scores' own mean
 */

/** Bins of the histogram, half a point each. */
export const BINS = 20;

/**
 * @param {ArrayLike<number>} scores each 0 to 10
 * @param {ArrayLike<boolean | number>} unsure whether each reads as "not sure"
 * @returns {{ sure: number, unsure: number }[]} counts by bin; 10 falls into the last
 */
export function histogram(scores, unsure) {
  const bins = Array.from({ length: BINS }, () => ({ sure: 0, unsure: 0 }));
  for (let i = 0; i < scores.length; i++) {
    const bin = bins[Math.min(BINS - 1, Math.max(0, Math.floor((scores[i] / 10) * BINS)))];
    if (unsure[i]) bin.unsure++;
    else bin.sure++;
  }
  return bins;
}

/**
 * @param {ArrayLike<number>} scores
 * @param {ArrayLike<boolean | number>} unsure
 * @param {number} threshold
 * @returns {Description | null} null for none
 */
export function describe(scores, unsure, threshold) {
  const n = scores.length;
  if (n === 0) return null;
  const sorted = Float32Array.from(scores).sort();
  let [sum, doubtful, passed] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    sum += scores[i];
    if (unsure[i]) doubtful++;
    if (scores[i] >= threshold) passed++;
  }
  const median = (sorted[Math.floor((n - 1) / 2)] + sorted[Math.floor(n / 2)]) / 2;
  return { n, mean: sum / n, median, unsure: doubtful / n, passed: passed / n };
}

/**
 * @param {ArrayLike<number>} predicted
 * @param {ArrayLike<number>} target
 * @returns {Fit | null} null for none
 */
export function fit(predicted, target) {
  const n = predicted.length;
  if (n === 0) return null;
  const [p, t] = [Float32Array.from(predicted), Float32Array.from(target)];
  let [squares, absolute] = [0, 0];
  for (let i = 0; i < n; i++) {
    squares += (p[i] - t[i]) ** 2;
    absolute += Math.abs(p[i] - t[i]);
  }
  return {
    n,
    rmse: Math.sqrt(squares / n),
    mae: absolute / n,
    pearson: correlation(p, t),
    spearman: correlation(ranks(p), ranks(t)),
    constantRmse: Math.sqrt(variance(t)),
  };
}

/** @param {ArrayLike<number>} values */
function mean(values) {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}

/** Mean squared distance from the mean; exactly zero where all values are equal. @param {ArrayLike<number>} values */
function variance(values) {
  const centre = mean(values);
  let [sum, equal] = [0, true];
  for (let i = 0; i < values.length; i++) {
    sum += (values[i] - centre) ** 2;
    equal &&= values[i] === values[0];
  }
  return equal ? 0 : sum / values.length;
}

/**
 * @param {ArrayLike<number>} a
 * @param {ArrayLike<number>} b
 */
function correlation(a, b) {
  const scale = Math.sqrt(variance(a) * variance(b));
  if (!(scale > 0)) return null;
  const [centreA, centreB] = [mean(a), mean(b)];
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - centreA) * (b[i] - centreB);
  return Math.min(1, Math.max(-1, sum / a.length / scale));
}

/**
 * Ranks from 1; equal values share the average of their ranks.
 *
 * @param {Float32Array} values up to a million
 */
export function ranks(values) {
  const order = sortedPositions(values);
  const found = new Float64Array(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from + 1;
    while (to < order.length && values[order[to]] === values[order[from]]) to++;
    for (let i = from; i < to; i++) found[order[i]] = (from + to + 1) / 2;
    from = to;
  }
  return found;
}

/** Above any position that is sorted; with 32 bits of a float it stays a whole number below 2 ** 53. */
const POSITIONS = 2 ** 20;
const SIGN = 0x80000000;

/**
 * The positions of values in rising order, equal ones as they stand. The bits of a float order as
 * it does, but for its sign; with the position below them one sort of plain numbers does it, many
 * times faster than a sort that compares.
 *
 * @param {Float32Array} values no NaN, up to a million
 */
export function sortedPositions(values) {
  const floats = values.map((value) => value + 0); // -0 becomes 0
  const bits = new Uint32Array(floats.buffer);
  const keys = new Float64Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const place = bits[i] & SIGN ? ~bits[i] >>> 0 : bits[i] + SIGN;
    keys[i] = place * POSITIONS + i;
  }
  keys.sort();
  return Uint32Array.from(keys, (key) => key % POSITIONS);
}
