// @ts-check
/**
 * What both ends of the worker share: the version, the shapes and the error.
 * The messages themselves are documented at the top of `worker.js`.
 *
 * @typedef {"auto" | "webgpu" | "cpu"} BackendChoice
 * @typedef {"webgpu" | "cpu"} Backend
 *
 * @typedef {object} Task
 * @property {string} metric a name of the catalogue, or any name together with `definition`
 * @property {string} [definition] the metric in the user's own words
 * @property {string} [system]
 * @property {string} user
 * @property {string} response the answer that is scored
 *
 * @typedef {object} Score
 * @property {number} score 0 to 10, 10 is the desired behaviour
 * @property {number} rounded
 * @property {[number, number] | null} interval
 * @property {number | null} coverage share of judges' scores the interval is made to hold, 0 to 1; null where nothing is claimed
 * @property {"judged" | "synthetic" | "text"} support what training has seen of this metric and language
 * @property {boolean} abstain whether to read the score as "not sure"
 * @property {("no-examples" | "wide-interval" | "far-text" | "unrelated-metric")[]} doubts why
 * @property {number[]} members the score of each member of the ensemble
 * @property {{ metric: string, similarity: number }[]} anchors best first
 * @property {{ kept: number, of: number } | null} truncated in tokens
 * @property {{ bundle: string, backend: string, dtype: string, version: string, tokens: number }} receipt
 *
 * @typedef {Score & { milliseconds: number }} TimedScore
 *
 * @typedef {object} Loaded
 * @property {Backend} backend
 * @property {string} reason why this backend, a sentence for the user
 * @property {{ bundle: string, encoder: string, backend: string, version: string, support: object }} info
 * @property {number} seconds
 *
 * @typedef {object} Progress
 * @property {"probe" | "code" | "start" | "download" | "verify" | "warm-up"} stage
 * @property {number} loaded bytes; 0 where the stage cannot be measured
 * @property {number} total bytes; 0 where the stage cannot be measured
 * @property {string} label
 *
 * @typedef {{ kind: string, message: string }} ErrorBody
 */

/** The version in every message. */
export const PROTOCOL = 1;

/** An error whose message is written for the user. The wasm side rejects with the same name. */
export class TouchstoneError extends Error {
  /**
   * @param {string} kind kebab-case
   * @param {string} message
   */
  constructor(kind, message) {
    super(message);
    this.name = "TouchstoneError";
    this.kind = kind;
  }
}
