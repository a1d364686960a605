// @ts-check
/**
 * Scored rows as the file of LLM Comparator: the answers of two models to the same prompts, side by
 * side, as the companion writes it (`src/cli/interchange/llm_comparator.rs`). Pure.
 *
 * Two rows are a pair where metric, system prompt and prompt are the same and each is of another
 * `model`; the first model of the file is A.
 */
import { differenceOf } from "../difference.js";
import { NotExported, label } from "./tools.js";

/**
 * @typedef {import("./types.js").Score} Score
 * @typedef {import("./types.js").Task} Task
 * @typedef {{ fields: Record<string, unknown>, row: number, task: Task, score: Score }} Entry
 */

const MODEL = ["model", "model_name"];

/** LLM Comparator's score of one point more for A: a difference of 10 points is its 1.5. */
const PER_POINT = 0.15;

const VERDICTS = { ahead: "B is ahead", behind: "A is ahead", within: "no", unsure: "not sure", unknown: "no interval" };

/**
 * @param {Entry[]} entries
 * @param {string} source name of the file
 * @returns {{ document: object, alone: number }} `alone`: entries without a partner, which are left out
 */
export function comparison(entries, source) {
  if (entries.length === 0) throw new NotExported("nothing", {});
  const models = modelsOf(entries);
  const pairs = pairsOf(entries, models[0]);
  if (pairs.length === 0) throw new NotExported("pairs", { a: models[0], b: models[1] });
  const system = pairs.some(([{ task }]) => task.system !== undefined);
  const document = {
    metadata: { source_path: source, custom_fields_schema: schema(system) },
    models: models.map((name) => ({ name })),
    examples: pairs.map(([a, b]) => example(a, b)),
  };
  return { document, alone: entries.length - 2 * pairs.length };
}

/**
 * @param {Entry[]} entries
 * @returns {[string, string]} in order of appearance
 */
function modelsOf(entries) {
  const names = new Set(entries.map(modelOf));
  if (names.size !== 2) throw new NotExported("models", { models: names.size, names: [...names].slice(0, 6).join(", ") });
  return /** @type {[string, string]} */ ([...names]);
}

/** @param {Entry} entry */
function modelOf({ fields, row }) {
  const name = label(fields, MODEL);
  if (name === "") throw new NotExported("model", { row });
  return name;
}

/**
 * Pairs in the order in which their questions first appear.
 *
 * @param {Entry[]} entries
 * @param {string} first the model that is A
 */
function pairsOf(entries, first) {
  /** @type {Map<string, [Entry[], Entry[]]>} */
  const groups = new Map();
  for (const entry of entries) {
    const { metric, definition, system, user } = entry.task;
    const key = JSON.stringify([metric, definition ?? "", system ?? "", user]);
    const group = groups.get(key) ?? [[], []];
    groups.set(key, group);
    group[modelOf(entry) === first ? 0 : 1].push(entry);
  }
  return [...groups.values()].flatMap(([a, b]) =>
    a.slice(0, b.length).map((entry, index) => /** @type {[Entry, Entry]} */ ([entry, b[index]])),
  );
}

/** @param {boolean} system whether any pair has a system prompt */
function schema(system) {
  return [
    { name: "metric", type: "category" },
    { name: "touchstone", type: "per_model_number" },
    { name: "interval", type: "per_model_text" },
    { name: "not sure", type: "per_model_boolean" },
    { name: "beyond the doubt", type: "category" },
    ...(system ? [{ name: "system prompt", type: "text" }] : []),
  ];
}

/**
 * @param {Entry} a
 * @param {Entry} b
 */
function example(a, b) {
  const scores = [a.score, b.score];
  const { system } = a.task;
  return {
    input_text: a.task.user,
    tags: [a.task.metric],
    output_text_a: a.task.response,
    output_text_b: b.task.response,
    score: Math.round((a.score.score - b.score.score) * PER_POINT * 1e4) / 1e4,
    individual_rater_scores: [],
    custom_fields: {
      metric: a.task.metric,
      touchstone: scores.map(({ score }) => score),
      interval: scores.map(({ interval }) => (interval ? interval.map((end) => end.toFixed(1)).join(" to ") : "none")),
      "not sure": scores.map(({ abstain }) => abstain),
      "beyond the doubt": VERDICTS[differenceOf(a.score, b.score).verdict],
      ...(system !== undefined && { "system prompt": system }),
    },
  };
}
