// @ts-check
/** What the columns of a file mean: guessed from their names, and read by the mapping. */

/**
 * @typedef {import("./types.js").Mapping} Mapping
 * @typedef {import("./types.js").Row} Row
 */

/** The parts a column can play, in the order shown. */
export const ROLES = /** @type {const} */ (["response", "user", "system", "metric", "definition", "score", "id"]);

/**
 * Names for each part, best first. Those before the bar are the companion's; the others are common
 * in published files.
 *
 * @type {Record<typeof ROLES[number], string[]>}
 */
const NAMES = {
  metric: ["metric_name", "metric", /* | */ "criterion", "criteria", "rubric_name", "dimension", "aspect"],
  definition: ["metric_description", "definition", /* | */ "metric_definition", "rubric", "description"],
  system: ["system_prompt", "system", /* | */ "system_message", "instructions", "context"],
  user: ["user_prompt", "user", "prompt", /* | */ "question", "query", "instruction", "input", "user_message", "request"],
  response: ["response", "answer", /* | */ "output", "completion", "reply", "model_response", "model_answer", "assistant", "generated_text", "text"],
  score: ["score", /* | */ "judge_score", "judged_score", "human_score", "rating", "grade", "label", "target"],
  id: ["id", "row_id", "uid", "uuid", "key", "index"],
};

/**
 * Unique keys for a header: trimmed, and numbered (`name#2`) where a name stands twice, as the
 * companion does, so that no cell is lost.
 *
 * @param {string[]} header
 */
export function keysOf(header) {
  /** @type {Set<string>} */
  const taken = new Set();
  for (const title of header) {
    const name = title.trim();
    let key = name;
    for (let i = 2; taken.has(key); i++) key = `${name}#${i}`;
    taken.add(key);
  }
  return [...taken];
}

/**
 * The names that stand more than once in a header.
 *
 * @param {string[]} header
 */
export function doubled(header) {
  const names = header.map((title) => title.trim());
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
}

/**
 * The mapping that the names suggest. A column plays one part.
 *
 * @param {string[]} columns
 * @returns {Mapping}
 */
export function guess(columns) {
  /** @type {Mapping} */
  const mapping = { metric: null, definition: null, system: null, user: null, response: null, score: null, id: null };
  const known = columns.map((column) => ({ column, plain: column.trim().toLowerCase().replace(/[\s-]+/g, "_") }));
  const free = new Set(known);
  for (const role of ROLES) {
    const found = NAMES[role].map((name) => [...free].find(({ plain }) => plain === name)).find(Boolean);
    if (!found) continue;
    mapping[role] = found.column;
    free.delete(found);
  }
  return mapping;
}

/** @type {WeakMap<Row, Record<string, unknown>>} */
const parsed = new WeakMap();

/**
 * The fields of a row by column key.
 *
 * @param {Row} row
 * @param {string[]} columns
 * @returns {Record<string, unknown>}
 */
export function fieldsOf(row, columns) {
  let fields = parsed.get(row);
  if (!fields) {
    fields = row.j === undefined ? Object.fromEntries(columns.map((key, i) => [key, row.c?.[i] ?? ""])) : JSON.parse(row.j);
    parsed.set(row, /** @type {Record<string, unknown>} */ (fields));
  }
  return /** @type {Record<string, unknown>} */ (fields);
}

/**
 * One field of a row; undefined where it has none.
 *
 * @param {Row} row
 * @param {string[]} columns
 * @param {string | null} key
 * @returns {unknown}
 */
export function fieldOf(row, columns, key) {
  if (key === null) return undefined;
  if (row.c) return row.c[columns.indexOf(key)];
  return fieldsOf(row, columns)[key];
}

/**
 * A value as a table's cell: text as it is, nothing for null, anything else as JSON.
 *
 * @param {unknown} value
 * @returns {string}
 */
export function cell(value) {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/**
 * The judged score of a cell: a number or a number written as text; NaN where there is none.
 *
 * @param {unknown} value
 * @returns {{ score: number, bad: boolean }} `bad`: something stands there that is no number from 0 to 10
 */
export function judgedScore(value) {
  const text = typeof value === "number" ? String(value) : typeof value === "string" ? value.trim() : value == null ? "" : "?";
  if (text === "") return { score: NaN, bad: false };
  const score = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
  const good = score >= 0 && score <= 10;
  return { score: good ? score : NaN, bad: !good };
}
