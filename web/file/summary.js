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
  const sorted = Float64Array.from(scores).sort();
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
  const [p, t] = [Float64Array.from(predicted), Float64Array.from(target)];
  const errors = p.map((value, i) => value - t[i]);
  return {
    n,
    rmse: Math.sqrt(mean(errors.map((e) => e * e))),
    mae: mean(errors.map(Math.abs)),
    pearson: correlation(p, t),
    spearman: correlation(ranks(p), ranks(t)),
    constantRmse: Math.sqrt(variance(t)),
  };
}

/** @param {Float64Array} values */
function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Mean squared distance from the mean; exactly zero where all values are equal. @param {Float64Array} values */
function variance(values) {
  if (values.every((value) => value === values[0])) return 0;
  const centre = mean(values);
  return mean(values.map((value) => (value - centre) ** 2));
}

/**
 * @param {Float64Array} a
 * @param {Float64Array} b
 */
function correlation(a, b) {
  const scale = Math.sqrt(variance(a) * variance(b));
  if (!(scale > 0)) return null;
  const [centreA, centreB] = [mean(a), mean(b)];
  const covariance = mean(a.map((value, i) => (value - centreA) * (b[i] - centreB)));
  return Math.min(1, Math.max(-1, covariance / scale));
}

/** Ranks from 1; equal values share the average of their ranks. @param {Float64Array} values */
export function ranks(values) {
  const order = Uint32Array.from(values.keys()).sort((i, j) => values[i] - values[j]);
  const found = new Float64Array(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from + 1;
    while (to < order.length && values[order[to]] === values[order[from]]) to++;
    for (let i = from; i < to; i++) found[order[i]] = (from + to + 1) / 2;
    from = to;
  }
  return found;
}
