// @ts-check
/**
 * What both ends of the worker share: the version, the shapes and the error.
 * The messages themselves are documented at the top of `worker.js`.
 *
 * @typedef {"auto" | "webgpu" | "cpu"} BackendChoice
 * @typedef {"webgpu" | "cpu"} Backend
 * @typedef {Backend | "cpu-relaxed"} Build a wasm file by its folder
 *
 * @typedef {object} Task
 * @property {string} metric a name of the catalogue, or any name together with `definition`
 * @property {string} [definition] the metric in the user's own words
 * @property {string} [system]
 * @property {string} user
 * @property {string} response the answer that is scored
 *
 * @typedef {{ name: string, definition?: string }} MetricText a metric of the catalogue by its name, or an own one
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
 * @property {Receipt} receipt
 *
 * @typedef {{ bundle: string, backend: string, dtype: string, version: string, tokens: number }} Receipt
 *
 * @typedef {Score & { milliseconds: number }} TimedScore
 * @typedef {TimedScore | { error: ErrorBody }} BatchEntry one of `scoreBatch`, in the order of the tasks
 *
 * @typedef {object} Profile
 * @property {({ metric: string } & Pick<Score, "score" | "rounded" | "interval" | "coverage" | "support" | "abstain" | "doubts">)[]} scores
 *   every metric of the bundle, then the own ones
 * @property {{ kept: number, of: number } | null} truncated
 * @property {Receipt} receipt
 * @property {number} milliseconds
 *
 * @typedef {"response" | "user" | "system"} Part
 *
 * @typedef {object} Explanation
 * @property {number} score of the whole
 * @property {{ start: number, end: number, score: number | null, change: number | null }[]} parts UTF-16
 *   offsets in the text; `change` is the score of the whole minus the score without the sentence: positive
 *   where the sentence raises it. Both are null where nothing would be left to score
 * @property {number} milliseconds
 *
 * @typedef {{ anchors: { metric: string, similarity: number }[] }} Neighbours best first
 * @typedef {{ metrics: { metric: string, parent: string | null, x: number, y: number }[] }} AnchorMap -1 to 1
 *
 * @typedef {object} Check the golden texts of the bundle, scored here
 * @property {boolean} passed
 * @property {number} worst the largest difference, in points of the 0-10 scale
 * @property {{ expected: number, found: number }[]} cases
 *
 * @typedef {object} Loaded
 * @property {Backend} backend
 * @property {Build} build
 * @property {string} reason why this backend, a sentence for the user, in English
 * @property {Wording} why the same as a key of the message files, for other languages
 * @property {string | null} adapter name of the graphics adapter; null where none was looked for or found
 * @property {Measured | null} measured what both backends needed, where the choice rests on it
 * @property {(Check & { earlier: boolean }) | null} check the golden texts; `earlier`: passed at an earlier visit.
 *   null where the bundle has none
 * @property {Wording | null} notice something that the user should know, such as a backend that failed the check
 * @property {{ bundle: string, encoder: string, backend: string, version: string, support: object }} info
 * @property {number} seconds
 *
 * @typedef {{ webgpu: number, cpu: number }} Measured milliseconds for the same texts
 * @typedef {{ key: string, values: Record<string, string | number> }} Wording a message and what fills its places
 *
 * @typedef {object} Progress
 * @property {"probe" | "code" | "start" | "download" | "verify" | "warm-up" | "check" | "measure"} stage
 * @property {number} loaded bytes; 0 where the stage cannot be measured
 * @property {number} total bytes; 0 where the stage cannot be measured
 * @property {string} label English
 *
 * @typedef {{ kind: string, message: string, wording?: Wording }} ErrorBody `message` is English; `wording`
 *   says the same in the words of the message files, where they have more to say than the kind
 */

/** The version in every message. */
export const PROTOCOL = 1;

/** Kinds after which the scorer is gone; the client starts it anew. */
const FATAL = ["device", "memory", "panic", "trap"];
/** Kinds that say nothing about the request itself: it may succeed once the scorer is back. */
const RETRYABLE = [...FATAL, "deadline", "worker"];

/** An error whose message is written for the user, in English. The wasm side rejects with the same name. */
export class TouchstoneError extends Error {
  /**
   * @param {string} kind kebab-case
   * @param {string} message
   * @param {object} [options]
   * @param {boolean} [options.retryable] whether the same call may succeed later; the client says no
   *   where it has given up on starting the scorer again
   * @param {boolean} [options.deliberate] the client itself ended the worker
   * @param {Wording} [options.wording] the same in the words of the message files
   */
  constructor(kind, message, { retryable = RETRYABLE.includes(kind), deliberate = false, wording } = {}) {
    super(message);
    this.name = "TouchstoneError";
    this.kind = kind;
    this.retryable = retryable;
    this.deliberate = deliberate;
    this.wording = wording;
  }
}

/** @param {string} kind whether the scorer cannot be used after it */
export function isFatal(kind) {
  return FATAL.includes(kind);
}
