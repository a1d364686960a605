// @ts-check
/**
 * The shape of the wasm side (`src/web.rs`). A `pause` is awaited between layers; where it rejects,
 * the call ends with kind "cancelled".
 *
 * @typedef {import("../protocol.js").Task} Task
 * @typedef {import("../protocol.js").MetricText} MetricText
 * @typedef {() => Promise<void>} Pause
 *
 * @typedef {object} WebScorer
 * @property {(task: Task, pause: Pause) => Promise<import("../protocol.js").Score>} score
 * @property {(tasks: Task[], pause: Pause) => Promise<(import("../protocol.js").Score | { error: import("../protocol.js").ErrorBody })[]>} score_batch
 * @property {(task: Task, own: MetricText[], pause: Pause) => Promise<Omit<import("../protocol.js").Profile, "milliseconds">>} profile
 * @property {(task: Task, part: import("../protocol.js").Part, pause: Pause) => Promise<Omit<import("../protocol.js").Explanation, "milliseconds">>} explain
 * @property {(metric: MetricText, pause: Pause) => Promise<import("../protocol.js").Neighbours>} locate
 * @property {() => import("../protocol.js").AnchorMap | null} map
 * @property {(pause: Pause) => Promise<import("../protocol.js").Check | { passed: null }>} check `passed` is null without golden texts
 * @property {() => Promise<void>} warm_up
 * @property {() => any} info
 *
 * @typedef {{ load: (manifest: Uint8Array, files: Record<string, Uint8Array>) => Promise<WebScorer> }} ScorerClass
 */
export {};
