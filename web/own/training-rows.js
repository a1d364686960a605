// @ts-check
/** Corrections as training rows, by the names that the companion reads (src/cli/rows.rs). */
import { TouchstoneError } from "../protocol.js";

/**
 * @typedef {import("../protocol.js").Task} Task
 * @typedef {{ task: Task, score: number, predicted?: number, bundle?: string }} Row
 * @typedef {{ number: number, code: string, values?: Record<string, string> }} Refused a row by its
 *   line (JSON lines) or place in the list, from 1; `code` is a message's key after
 *   `corrections.problem.`
 */

/** Who judged, by `source`: training tells rows apart by it. */
export const SOURCE = "correction:user";

/**
 * What every reader of rows accepts for one field, the name we write first.
 */
const NAMES = {
  metric: ["metric_name", "metric"],
  definition: ["metric_description", "definition"],
  system: ["system_prompt", "system"],
  user: ["user_prompt", "user", "prompt"],
  response: ["response", "answer"],
};

/** @param {import("../corrections.js").Correction} correction */
export function rowOf({ task, score, predicted, bundle }) {
  return {
    metric_name: task.metric,
    ...(task.definition !== undefined && { metric_description: task.definition }),
    ...(task.system && { system_prompt: task.system }),
    user_prompt: task.user,
    response: task.response,
    score,
    source: SOURCE,
    ...(predicted !== null && { predicted, bundle }),
  };
}

/**
 * @param {string} text JSON lines or a JSON list
 * @returns {{ rows: Row[], refused: Refused[] }} rejects nothing but a text without any row
 */
export function readRows(text) {
  const bare = text.replace(/^\uFEFF/, "");
  const entries = bare.trimStart().startsWith("[") ? listOf(bare) : linesOf(bare);
  if (entries.length === 0) throw wrong("The file has no rows.", "no-rows");
  /** @type {Row[]} */
  const rows = [];
  /** @type {Refused[]} */
  const refused = [];
  for (const { number, value } of entries) {
    const row = read(value);
    if ("code" in row) refused.push({ number, ...row });
    else rows.push(row);
  }
  return { rows, refused };
}

/** @param {string} text */
function listOf(text) {
  try {
    return /** @type {unknown[]} */ (JSON.parse(text)).map((value, index) => ({ number: index + 1, value }));
  } catch (error) {
    throw wrong(`The file is not JSON (${/** @type {Error} */ (error).message}).`, "no-json");
  }
}

/**
 * @param {string} message
 * @param {"no-rows" | "no-json"} why
 */
function wrong(message, why) {
  return new TouchstoneError("input", message, { wording: { key: `metrics.import.${why}`, values: {} } });
}

/** @param {string} text */
function linesOf(text) {
  return text
    .split("\n")
    .map((line, index) => ({ number: index + 1, line: line.trim() }))
    .filter(({ line }) => line !== "")
    .map(({ number, line }) => ({ number, value: parsed(line) }));
}

/** @param {string} line */
function parsed(line) {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/**
 * @param {any} value
 * @returns {Row | { code: string, values?: Record<string, string> }}
 */
function read(value) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return { code: "no-object" };
  const texts = Object.entries(NAMES).map(([field, names]) => [
    field,
    names.map((name) => value[name]).find((found) => found != null),
  ]);
  const { metric, definition, system, user, response } = Object.fromEntries(texts);
  for (const [field, text] of [
    ["metric", metric],
    ["response", response],
  ]) {
    if (typeof text !== "string" || !text.trim()) return { code: `no-${field}` };
  }
  const score = typeof value.score === "string" && value.score.trim() ? Number(value.score) : value.score;
  if (typeof score !== "number" || !(score >= 0 && score <= 10)) {
    return { code: "bad-score", values: { found: JSON.stringify(value.score ?? null).slice(0, 40) } };
  }
  const task = {
    metric: metric.trim(),
    ...(typeof definition === "string" && definition && { definition }),
    ...(typeof system === "string" && system && { system }),
    user: typeof user === "string" ? user : "",
    response,
  };
  const known = typeof value.predicted === "number" && typeof value.bundle === "string";
  return { task, score, ...(known && { predicted: value.predicted, bundle: value.bundle }) };
}
