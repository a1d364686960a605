// @ts-check
/**
 * A small calibration of scores learnt from one user's corrections, in closed form.
 *
 * Each correction i has the model's score p, the right score r and a metric of a family. The
 * difference is modelled as
 *
 *     r - p = a + b (p - 5) / 5 + u[family] + v[metric] + noise
 *
 * by ridge regression, which pulls every coefficient towards 0, and with it the whole towards the
 * identity: theta = (X'X + L)^-1 X'd with d = r - p and the diagonal L of `PENALTY`. A penalty of k
 * weighs as much as k corrections that say "no change". Offsets are nested, a metric's inside its
 * family's, so that few corrections move a family and many move one metric (partial pooling).
 *
 * Leave-one-out needs no refit: with the hat matrix H = X (X'X + L)^-1 X' the residual of i under
 * the fit without i is (d - Hd)[i] / (1 - H[i][i]), exactly, since L does not depend on the data.
 *
 * @typedef {object} Sample
 * @property {number} predicted the model's score, 0 to 10
 * @property {number} right the user's score, 0 to 10
 * @property {string} metric
 *
 * @typedef {object} Fit
 * @property {Map<string, number>} columns coefficient's name to its place
 * @property {Float64Array} coefficients
 * @property {number} n corrections it was made from
 * @property {number} before leave-one-out RMSE of the model's own scores, in points; NaN without corrections
 * @property {number} after leave-one-out RMSE of the adjusted scores, in points
 * @property {number[]} leftOut each correction's score as adjusted by the others, 0 to 10
 */

/** Corrections that each coefficient's pull towards 0 is worth. */
export const PENALTY = { offset: 1, slope: 2, family: 2, metric: 2 };

/** Below this number of corrections nothing is adjusted. */
export const FEWEST = 5;

/**
 * Learns from corrections; deterministic, and the order does not matter but for rounding.
 *
 * @param {Sample[]} samples
 * @returns {Fit}
 */
export function fit(samples) {
  const columns = columnsOf(samples);
  const rows = samples.map((sample) => features(sample, columns));
  const differences = samples.map(({ predicted, right }) => right - predicted);
  const factor = cholesky(normalMatrix(rows, columns));
  const coefficients = solve(factor, transposed(rows, differences, columns.size));
  const leftOut = samples.map(({ right }, i) => {
    const row = /** @type {Feature[]} */ (rows[i]);
    const residual = (differences[i] ?? 0) - dot(row, coefficients);
    return clamp(right - residual / (1 - leverage(factor, row)));
  });
  const before = rootMeanSquare(differences);
  const after = rootMeanSquare(samples.map(({ right }, i) => right - (leftOut[i] ?? 0)));
  return { columns, coefficients, n: samples.length, before, after, leftOut };
}

/**
 * The score as the corrections would have it, 0 to 10. A metric nobody corrected is moved only by
 * what all corrections share.
 *
 * @param {Fit} fit
 * @param {number} predicted
 * @param {string} metric
 */
export function adjust({ columns, coefficients }, predicted, metric) {
  return clamp(predicted + dot(features({ predicted, metric }, columns), coefficients));
}

/**
 * Whether a fit may be used: enough corrections, and it predicts those left out better than the
 * model alone.
 *
 * @param {Fit} fit
 */
export function isUseful({ n, before, after }) {
  return n >= FEWEST && after < before;
}

/** @typedef {[column: number, value: number]} Feature */

/** @param {Sample[]} samples */
function columnsOf(samples) {
  const groups = samples.flatMap(({ metric }) => groupsOf(metric)).sort();
  return new Map([...new Set(["offset", "slope", ...groups])].map((name, place) => [name, place]));
}

/**
 * The family, and the metric inside it where it has one.
 *
 * @param {string} metric
 */
function groupsOf(metric) {
  const [family] = metric.split("/");
  return metric === family ? [`family ${family}`] : [`family ${family}`, `metric ${metric}`];
}

/**
 * The non-zero features of a row; groups the fit has not seen have none.
 *
 * @param {{ predicted: number, metric: string }} sample
 * @param {Map<string, number>} columns
 * @returns {Feature[]}
 */
function features({ predicted, metric }, columns) {
  /** @type {Feature[]} */
  const found = [
    [0, 1],
    [1, (predicted - 5) / 5],
  ];
  for (const group of groupsOf(metric)) {
    const column = columns.get(group);
    if (column !== undefined) found.push([column, 1]);
  }
  return found;
}

/** @param {string} column */
function penalty(column) {
  const kind = /** @type {keyof typeof PENALTY} */ (column.split(" ")[0]);
  return PENALTY[kind];
}

/**
 * X'X + L.
 *
 * @param {Feature[][]} rows
 * @param {Map<string, number>} columns
 */
function normalMatrix(rows, columns) {
  const matrix = [...columns.keys()].map((column, i) => {
    const line = new Float64Array(columns.size);
    line[i] = penalty(column);
    return line;
  });
  for (const row of rows) {
    for (const [i, x] of row) for (const [j, y] of row) add(matrix[i], j, x * y);
  }
  return matrix;
}

/**
 * @param {Float64Array | undefined} line
 * @param {number} place
 * @param {number} value
 */
function add(line, place, value) {
  if (line) line[place] = (line[place] ?? 0) + value;
}

/**
 * X'y.
 *
 * @param {Feature[][]} rows
 * @param {number[]} y
 * @param {number} size
 */
function transposed(rows, y, size) {
  const sum = new Float64Array(size);
  rows.forEach((row, i) => row.forEach(([column, x]) => add(sum, column, x * (y[i] ?? 0))));
  return sum;
}

/**
 * The lower triangle G with G G' = `matrix`, which the penalties keep positive definite.
 *
 * @param {Float64Array[]} matrix changed in place
 */
function cholesky(matrix) {
  matrix.forEach((row, i) => {
    for (let j = 0; j <= i; j++) {
      const other = /** @type {Float64Array} */ (matrix[j]);
      let sum = row[j] ?? 0;
      for (let k = 0; k < j; k++) sum -= (row[k] ?? 0) * (other[k] ?? 0);
      row[j] = i === j ? Math.sqrt(sum) : sum / (other[j] ?? 1);
    }
  });
  return matrix;
}

/**
 * The x with G x = `right`.
 *
 * @param {Float64Array[]} factor
 * @param {ArrayLike<number>} right
 */
function solveLower(factor, right) {
  const x = new Float64Array(factor.length);
  factor.forEach((row, i) => {
    let rest = right[i] ?? 0;
    for (let k = 0; k < i; k++) rest -= (row[k] ?? 0) * (x[k] ?? 0);
    x[i] = rest / (row[i] ?? 1);
  });
  return x;
}

/**
 * The x with G G' x = `right`.
 *
 * @param {Float64Array[]} factor
 * @param {ArrayLike<number>} right
 */
function solve(factor, right) {
  const x = solveLower(factor, right);
  for (let i = x.length - 1; i >= 0; i--) {
    let rest = x[i] ?? 0;
    for (let k = i + 1; k < x.length; k++) rest -= (factor[k]?.[i] ?? 0) * (x[k] ?? 0);
    x[i] = rest / (factor[i]?.[i] ?? 1);
  }
  return x;
}

/**
 * H[i][i] of a row: the squared length of G^-1 x.
 *
 * @param {Float64Array[]} factor
 * @param {Feature[]} row
 */
function leverage(factor, row) {
  const dense = new Float64Array(factor.length);
  for (const [column, value] of row) dense[column] = value;
  return solveLower(factor, dense).reduce((sum, value) => sum + value * value, 0);
}

/**
 * @param {Feature[]} row
 * @param {Float64Array} coefficients
 */
function dot(row, coefficients) {
  return row.reduce((sum, [column, value]) => sum + value * (coefficients[column] ?? 0), 0);
}

/** @param {number[]} values */
function rootMeanSquare(values) {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
}

/** @param {number} score */
function clamp(score) {
  return Math.min(10, Math.max(0, score));
}
