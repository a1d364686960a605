// @ts-check
/**
 * The user's own metrics: kept in this browser, offered wherever a metric is chosen, exported and
 * imported as JSON.
 */
import { TouchstoneError } from "../protocol.js";
import { Records, newId } from "./records.js";

/**
 * @typedef {object} OwnMetric
 * @property {string} id
 * @property {string} name unique among own metrics and the catalogue, whatever its case
 * @property {string} definition
 * @property {number} created milliseconds since 1970
 * @property {number} changed
 *
 * @typedef {{ name: string, title: string }} Named
 *
 * @typedef {{ code: string, values?: Record<string, string | number> }} Problem a message's key after
 *   `metrics.problem.` and what it names
 *
 * @typedef {object} Imported
 * @property {number} added
 * @property {number} replaced
 * @property {number} same already here, word for word
 * @property {number} kept left as they were, since the name was taken
 * @property {{ number: number, problem: Problem }[]} refused by number in the file, from 1
 *
 * @typedef {"keep" | "replace" | "both"} OnTaken what an import does with a name that is taken
 */

export const NAME_LIMIT = 80;
export const DEFINITION_LIMIT = 4000;
const FILE = { touchstone: "metrics", version: 1 };

export class OwnMetrics {
  #records;
  #catalogue;

  /**
   * @param {() => void} onChange
   * @param {() => Named[]} catalogue
   */
  constructor(onChange, catalogue) {
    this.#records = /** @type {Records<OwnMetric>} */ (new Records("metrics", onChange));
    this.#catalogue = catalogue;
  }

  /** Reads what is kept; never rejects. */
  read() {
    return this.#records.read();
  }

  /** Whether they outlive this tab. */
  get lasting() {
    return this.#records.lasting;
  }

  /** @returns {OwnMetric[]} oldest first */
  all() {
    return this.#records.all();
  }

  /** As the metric chooser and the scorer want them. */
  metrics() {
    return this.all().map(({ name, definition }) => ({
      name,
      parent: null,
      title: name,
      definition,
      own: /** @type {const} */ (true),
    }));
  }

  /**
   * What is wrong with a metric, or null.
   *
   * @param {{ id?: string, name: unknown, definition: unknown }} metric
   * @returns {Problem | null}
   */
  check({ id, name, definition }) {
    if (typeof name !== "string" || !name.trim()) return { code: "no-name" };
    if (name.trim().length > NAME_LIMIT)
      return { code: "long-name", values: { found: name.trim().length, limit: NAME_LIMIT } };
    if (typeof definition !== "string" || !definition.trim()) return { code: "no-definition" };
    const length = definition.trim().length;
    if (length > DEFINITION_LIMIT)
      return { code: "long-definition", values: { found: length, limit: DEFINITION_LIMIT } };
    if (this.#catalogue().some((metric) => same(metric.name, name) || same(metric.title, name))) {
      return { code: "in-catalogue", values: { name: name.trim() } };
    }
    const taken = this.#named(name);
    return taken && taken.id !== id ? { code: "taken", values: { name: taken.name } } : null;
  }

  /** @param {string} name */
  #named(name) {
    return this.all().find((metric) => same(metric.name, name));
  }

  /**
   * Adds a metric, or changes the one with this id.
   *
   * @param {{ id?: string, name: string, definition: string }} metric one that `check` passes
   * @returns {Promise<OwnMetric>} rejects as `Records.put`
   */
  async save(metric) {
    const now = Date.now();
    const old = this.all().find(({ id }) => id === metric.id);
    const saved = {
      id: old?.id ?? newId(),
      name: metric.name.trim(),
      definition: metric.definition.trim(),
      created: old?.created ?? now,
      changed: now,
    };
    await this.#records.put(saved);
    return saved;
  }

  /** @param {string} id */
  remove(id) {
    return this.#records.remove(id);
  }

  /** Puts back what was removed. @param {OwnMetric} metric */
  restore(metric) {
    return this.#records.put(metric);
  }

  /**
   * A name that is free: `name`, or with a number after it.
   *
   * @param {string} name
   */
  freeName(name) {
    const stem = name
      .trim()
      .replace(/ \(\d+\)$/, "")
      .slice(0, NAME_LIMIT - 6);
    for (let n = 2; ; n++) {
      const free = `${stem} (${n})`;
      if (!this.#named(free)) return free;
    }
  }

  /** @returns {string} the file of an export */
  exported() {
    const metrics = this.all().map(({ name, definition }) => ({ name, definition }));
    return `${JSON.stringify({ ...FILE, metrics }, null, 2)}\n`;
  }

  /**
   * Takes metrics from an export or from any JSON list of objects with `name` and `definition`.
   *
   * @param {string} text
   * @param {OnTaken} onTaken
   * @returns {Promise<Imported>} rejects with kind "input" for a file of another kind, or as
   *   `Records.put`, and then nothing is taken
   */
  async import(text, onTaken) {
    /** @type {Imported} */
    const outcome = { added: 0, replaced: 0, same: 0, kept: 0, refused: [] };
    /** @type {Map<string, OwnMetric>} by name in small letters */
    const taken = new Map();
    entriesOf(text).forEach((entry, index) => this.#take(entry, index, onTaken, taken, outcome));
    if (taken.size > 0) await this.#records.put(...taken.values());
    return outcome;
  }

  /**
   * @param {any} entry
   * @param {number} index
   * @param {OnTaken} onTaken
   * @param {Map<string, OwnMetric>} taken
   * @param {Imported} outcome
   */
  #take(entry, index, onTaken, taken, outcome) {
    const { name, definition } = entry ?? {};
    const problem = this.check({ name, definition });
    if (problem && problem.code !== "taken") return outcome.refused.push({ number: index + 1, problem });
    const old = taken.get(key(name)) ?? this.#named(name);
    if (old?.definition === definition.trim()) return (outcome.same += 1);
    if (old && onTaken === "keep") return (outcome.kept += 1);
    if (old && onTaken === "replace") outcome.replaced += 1;
    else outcome.added += 1;
    const replaced = onTaken === "replace" ? old : undefined;
    let free = name.trim();
    if (old && !replaced) for (free = this.freeName(free); taken.has(key(free));) free = next(free);
    const now = Date.now();
    taken.set(key(free), {
      id: replaced?.id ?? newId(),
      name: replaced?.name ?? free,
      definition: definition.trim(),
      created: replaced?.created ?? now + index,
      changed: now,
    });
  }
}

/** @param {string} name the same with the number after it one higher */
function next(name) {
  return name.replace(/\((\d+)\)$/, (_, n) => `(${Number(n) + 1})`);
}

/**
 * @param {string} text
 * @returns {unknown[]}
 */
function entriesOf(text) {
  let read;
  try {
    read = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw wrong(`The file is not JSON (${/** @type {Error} */ (error).message}).`, "no-json");
  }
  const entries = Array.isArray(read) ? read : read?.metrics;
  if (!Array.isArray(entries)) {
    throw wrong("The file has no list of metrics: expected [{ name, definition }, …] or { metrics: […] }.", "no-metrics");
  }
  if (entries.length === 0) throw wrong("The file's list of metrics is empty.", "no-rows");
  return entries;
}

/**
 * @param {string} message
 * @param {"no-json" | "no-metrics" | "no-rows"} why
 */
function wrong(message, why) {
  return new TouchstoneError("input", message, { wording: { key: `metrics.import.${why}`, values: {} } });
}

/** @param {string} name */
function key(name) {
  return name.trim().normalize("NFC").toLowerCase();
}

/**
 * @param {string} a
 * @param {string} b
 */
function same(a, b) {
  return key(a) === key(b);
}
