// @ts-check
/** Answers the requests that the gate let in; each gets exactly one result or error. */
import { chooseLanguage, fetchMessages } from "../i18n.js";
import { fetchJson } from "../fetch-json.js";
import { PROTOCOL, TouchstoneError } from "../protocol.js";
import { SharedModel } from "./model.js";

/**
 * @typedef {import("./gate.js").Request} Request
 * @typedef {(message: object) => void} Post
 * @typedef {(fields: any, signal: AbortSignal, progress: (progress: any) => void) => Promise<unknown>} Action
 */

export class Desk {
  #model = new SharedModel();
  /** @type {Map<number, AbortController>} what is under way */
  #running = new Map();
  #post;

  /** @param {Post} post */
  constructor(post) {
    this.#post = post;
  }

  /** @param {Request} request */
  async serve({ id, type, fields }) {
    if (type === "cancel") return this.#running.get(fields.target)?.abort();
    const abort = new AbortController();
    this.#running.set(id, abort);
    const progress = (/** @type {any} */ { stage, loaded, total, label }) =>
      this.#post({ v: PROTOCOL, id, type: "progress", stage, loaded, total, label });
    try {
      const value = await this.#actions[type](fields, abort.signal, progress);
      this.#post({ v: PROTOCOL, id, type: "result", value });
    } catch (error) {
      this.refuse({ id, error });
    } finally {
      this.#running.delete(id);
    }
  }

  /** @param {{ id: number | null, error: unknown, more?: object }} refusal */
  refuse({ id, error, more }) {
    this.#post({ v: PROTOCOL, id, type: "error", error: { ...describe(error), ...more } });
  }

  /** @type {Record<string, Action>} */
  #actions = {
    hello: async () => ({ versions: [PROTOCOL], secure: self.isSecureContext }),
    load: (_, signal, progress) => this.#model.load(signal, progress),
    words: ({ lang }) => wordsIn(chooseLanguage("", [lang])),
    score: ({ task }, signal) => this.#model.run(signal, (client) => client.score(task, { signal })),
    profile: ({ task, own }, signal) => this.#model.run(signal, (client) => client.profile(task, { own, signal })),
    explain: ({ task, part }, signal) => this.#model.run(signal, (client) => client.explain(task, { part, signal })),
  };
}

/**
 * The page's words, and the titles of its metrics.
 *
 * @param {string} language
 */
async function wordsIn(language) {
  const [messages, catalogue] = await Promise.all([fetchMessages(language), fetchJson("catalogue.json")]);
  const titleOf = (/** @type {any} */ { name, title }) => [name, messages[`metric.${name}`] ?? title];
  return { language, messages, titles: Object.fromEntries(catalogue.map(titleOf)) };
}

/** @param {unknown} error */
function describe(error) {
  if (error instanceof TouchstoneError) {
    const { kind, message, retryable } = error;
    return { kind, message, retryable };
  }
  if (error instanceof DOMException && error.name === "AbortError") {
    return { kind: "cancelled", message: "The request was cancelled.", retryable: false };
  }
  return { kind: "internal", message: error instanceof Error ? error.message : String(error), retryable: false };
}
