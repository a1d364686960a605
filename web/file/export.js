// @ts-check
/**
 * Scored rows as text, in the form that `touchstone score FILE --output` writes (`src/cli/output.rs`):
 * JSON lines with every field and `predicted`, or the table's columns with the predicted ones. Pure.
 */
import { cell, fieldsOf } from "./columns.js";

/**
 * @typedef {import("./types.js").Row} Row
 * @typedef {import("./types.js").Outcome} Outcome
 *
 * @typedef {object} TableOptions
 * @property {boolean} more also whether it is not sure, its support and the metric
 * @property {boolean} metric the metric in any case: rows stand once for each metric
 * @property {boolean} failed whether any row failed, which takes a column for the reason
 * @property {boolean} adjusted whether the user's corrections adjust any score, which takes columns beside the model's own
 * @property {boolean} safe an apostrophe before what a spreadsheet would run as a formula
 */

const PREDICTED = "predicted";
const FAILED = "predicted_error";
const MAIN = ["predicted_score", "predicted_low", "predicted_high"];
const ADJUSTED = ["adjusted_score", "adjusted_low", "adjusted_high"];
const MORE = ["predicted_abstain", "predicted_support"];
const METRIC = "predicted_metric";

/**
 * The shortest decimal number that is the same 32-bit float: scores are such, and 7.1 should not
 * read 7.099999904632568. Any other number stays.
 *
 * @param {number} value
 */
export function shortest(value) {
  if (Math.fround(value) !== value) return value;
  for (let digits = 1; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}

/**
 * A Score with its numbers in their shortest digits, and without what is no part of it.
 *
 * @template {import("../protocol.js").Score} T
 * @param {T} score
 * @returns {import("../protocol.js").Score}
 */
export function plainScore(score) {
  const { milliseconds: _, ...rest } = /** @type {T & { milliseconds?: number }} */ (score);
  return JSON.parse(JSON.stringify(rest, (_key, value) => (typeof value === "number" ? shortest(value) : value)));
}

/**
 * One line of JSON lines. JSON rows keep their text, and with it numbers beyond JavaScript's.
 *
 * @param {Row} row
 * @param {string[]} columns
 * @param {Outcome} outcome
 * @param {string} [metric] named where rows stand once for each metric
 */
export function jsonLine(row, columns, outcome, metric) {
  const own = ownFields(row, columns);
  const failed = "error" in outcome;
  const added = [
    ...(metric === undefined ? [] : [`"${METRIC}":${JSON.stringify(metric)}`]),
    `"${PREDICTED}":${failed ? "null" : JSON.stringify(outcome)}`,
    ...(failed ? [`"${FAILED}":${JSON.stringify(outcome.error)}`] : []),
  ];
  return `${own.slice(0, -1)}${own === "{}" ? "" : ","}${added.join(",")}}`;
}

/**
 * @param {Row} row
 * @param {string[]} columns
 * @returns {string} a JSON object
 */
function ownFields(row, columns) {
  const fields = fieldsOf(row, columns);
  const ours = [PREDICTED, FAILED, METRIC].filter((key) => Object.hasOwn(fields, key));
  if (row.j !== undefined && ours.length === 0) return compact(row.j);
  if (row.j === undefined) return orderedObject(columns, fields);
  return JSON.stringify(Object.fromEntries(Object.entries(fields).filter(([key]) => !ours.includes(key))));
}

/** JavaScript puts keys that are whole numbers first; the table's order is kept. */
function orderedObject(/** @type {string[]} */ columns, /** @type {Record<string, unknown>} */ fields) {
  const kept = columns.filter((key) => key !== PREDICTED && key !== FAILED && key !== METRIC);
  return `{${kept.map((key) => `${JSON.stringify(key)}:${JSON.stringify(fields[key])}`).join(",")}}`;
}

/**
 * JSON without the spaces between its parts.
 *
 * @param {string} json
 */
export function compact(json) {
  return json.replace(/("(?:[^"\\]|\\.)*")|\s+/g, (_, text) => text ?? "");
}

/**
 * The first line of a table.
 *
 * @param {string[]} header
 * @param {string[]} columns
 * @param {TableOptions} options
 */
export function tableHead(header, columns, options) {
  return record([...kept(header, columns, options).map(({ title }) => title), ...added(options)], false);
}

/** @param {TableOptions} options */
function added({ more, metric, failed, adjusted }) {
  return [...MAIN, ...(adjusted ? ADJUSTED : []), ...(more ? MORE : []), ...(more || metric ? [METRIC] : []), ...(failed ? [FAILED] : [])];
}

/**
 * The columns that are the file's own.
 *
 * @param {string[]} header
 * @param {string[]} columns
 * @param {TableOptions} options
 */
function kept(header, columns, { adjusted }) {
  const ours = [...MAIN, ...(adjusted ? ADJUSTED : []), ...MORE, METRIC, FAILED];
  return header.map((title, i) => ({ title, key: columns[i], i })).filter(({ key }) => !ours.includes(key));
}

/**
 * One line of a table.
 *
 * @param {Row} row
 * @param {string[]} header
 * @param {string[]} columns
 * @param {Outcome} outcome
 * @param {string} metric
 * @param {TableOptions} options
 */
export function tableLine(row, header, columns, outcome, metric, options) {
  const fields = row.c ? null : fieldsOf(row, columns);
  const own = kept(header, columns, options).map(({ key, i }) => (fields ? cell(fields[key]) : (row.c?.[i] ?? "")));
  const failed = "error" in outcome;
  const main = failed ? ["", "", ""] : [number(outcome.score), ...interval(outcome)];
  const { adjusted } = /** @type {{ adjusted?: import("../own/adjusted.js").Numbers }} */ (outcome);
  const moved = adjusted ? [number(adjusted.score), ...interval(adjusted)] : ["", "", ""];
  const more = failed ? ["", ""] : [String(outcome.abstain), outcome.support];
  const cells = [...own, ...main, ...(options.adjusted ? moved : []), ...(options.more ? more : []), ...(options.more || options.metric ? [metric] : [])];
  if (options.failed) cells.push(failed ? outcome.error.message : "");
  return record(cells, options.safe);
}

/** @param {Pick<import("../protocol.js").Score, "interval">} score */
function interval({ interval: bounds }) {
  return bounds ? bounds.map(number) : ["", ""];
}

/** A number as Rust's serde writes a float: with a point. @param {number} value */
function number(value) {
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}

/**
 * @param {string[]} cells
 * @param {boolean} safe
 */
function record(cells, safe) {
  const line = cells.map((text) => quoted(safe ? harmless(text) : text)).join(",");
  return `${cells.length === 1 && line === "" ? '""' : line}\n`;
}

/** @param {string} text */
function quoted(text) {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Numbers are let alone: -3 is no formula. @param {string} text */
function harmless(text) {
  return /^[=+\-@\t\r]/.test(text) && !/^[+-]?\d+(\.\d+)?$/.test(text) ? `'${text}` : text;
}
