// @ts-check
/** From a row and a mapping to what the scorer is asked. */
import { fieldOf, judgedScore } from "./columns.js";

/**
 * @typedef {import("./types.js").Job} Job
 * @typedef {import("./types.js").Row} Row
 * @typedef {import("./types.js").Task} Task
 * @typedef {import("./types.js").JobMetric} JobMetric
 */

/**
 * The metric names of a row: its column's, by the alias chosen for it.
 *
 * @param {Row} row
 * @param {Pick<Job, "columns" | "mapping" | "aliases">} job
 */
export function metricName(row, job) {
  const value = fieldOf(row, job.columns, job.mapping.metric);
  const name = typeof value === "string" ? value.trim() : "";
  return Object.hasOwn(job.aliases, name) ? job.aliases[name] : name;
}

/**
 * The task of one item, or why there is none.
 *
 * @param {Row} row
 * @param {Job} job
 * @param {JobMetric | null} metric the chosen one, or the own metric that the column names; null for the column's
 * @returns {{ task: Task } | { error: { kind: string, message: string } }}
 */
export function taskOf(row, job, metric) {
  /** @type {Record<string, string>} */
  const texts = {};
  for (const role of /** @type {const} */ (["response", "user", "system", "definition"])) {
    const value = fieldOf(row, job.columns, job.mapping[role]);
    if (value !== undefined && value !== null && typeof value !== "string") {
      return { error: { kind: "data", message: `${job.mapping[role]} is ${typeName(value)}, not text` } };
    }
    texts[role] = value ?? "";
  }
  const named = job.mode === "chosen" && metric ? metric : { name: metricName(row, job), definition: texts.definition || metric?.definition };
  /** @type {Task} */
  const task = { metric: named.name, user: texts.user, response: texts.response };
  if (named.definition) task.definition = named.definition;
  if (texts.system) task.system = texts.system;
  return { task };
}

/**
 * What a JSON value is, in the companion's words.
 *
 * @param {unknown} value
 */
export function typeName(value) {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  const names = { boolean: "true or false", number: "a number", string: "text", object: "an object" };
  return names[/** @type {keyof typeof names} */ (typeof value)] ?? "nothing";
}

/**
 * What all rows say about metrics and judged scores, gathered row by row.
 */
export class Survey {
  /** @param {Pick<Job, "rows" | "columns" | "mapping" | "aliases">} job */
  constructor(job) {
    this.job = job;
    /** @type {Map<string, { index: number, rows: number, described: number }>} by the name in the file */
    this.names = new Map();
    /** Per row, the index of its metric's name in `names`. */
    this.metric = new Uint32Array(job.rows);
    /** Per row, the judged score, NaN where there is none. */
    this.judged = new Float32Array(job.rows).fill(NaN);
    this.judgedRows = 0;
    this.badScores = 0;
    this.emptyAnswers = 0;
    this.distinctScores = new Set();
  }

  /**
   * @param {Row} row
   * @param {number} index 0-based position among the job's rows
   */
  add(row, index) {
    const { columns, mapping } = this.job;
    const name = metricName(row, this.job);
    const entry = this.names.get(name) ?? { index: this.names.size, rows: 0, described: 0 };
    this.names.set(name, entry);
    entry.rows++;
    if (fieldOf(row, columns, mapping.definition)) entry.described++;
    this.metric[index] = entry.index;
    const answer = fieldOf(row, columns, mapping.response);
    if (typeof answer !== "string" || answer.trim() === "") this.emptyAnswers++;
    const { score, bad } = judgedScore(fieldOf(row, columns, mapping.score));
    if (bad) this.badScores++;
    if (Number.isNaN(score)) return;
    this.judged[index] = score;
    this.judgedRows++;
  }
}

/**
 * The names of `known` nearest to `wanted`, best first, by shared pairs of letters (Dice).
 *
 * @param {string} wanted
 * @param {string[]} known
 * @param {number} [count]
 */
export function nearestNames(wanted, known, count = 3) {
  const mine = pairs(wanted);
  const likeness = (/** @type {string} */ name) => Math.max(dice(mine, pairs(name)), dice(mine, pairs(name.split("/").pop() ?? "")));
  const ranked = known.map((name) => ({ name, likeness: likeness(name) }));
  ranked.sort((a, b) => b.likeness - a.likeness);
  return ranked.slice(0, count).map(({ name }) => name);
}

/** @param {string} text */
function pairs(text) {
  const plain = text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "_");
  /** @type {Set<string>} */
  const found = new Set();
  for (let i = 0; i + 1 < plain.length; i++) found.add(plain.slice(i, i + 2));
  return found;
}

/**
 * @param {Set<string>} a
 * @param {Set<string>} b
 */
function dice(a, b) {
  if (a.size + b.size === 0) return 0;
  const shared = [...a].filter((pair) => b.has(pair)).length;
  return (2 * shared) / (a.size + b.size);
}
