// @ts-check
/** What a request must look like; the messages are for the user. */
import { TouchstoneError } from "../protocol.js";

/**
 * @typedef {import("../protocol.js").Task} Task
 * @typedef {import("../protocol.js").MetricText} MetricText
 * @typedef {import("../protocol.js").Part} Part
 */

/** Bytes of UTF-8 in one text. */
const TEXT_LIMIT = 1_000_000;
/** Tasks in one batch: a longer file comes in pieces, so that it can be cancelled and told about. */
const BATCH_LIMIT = 1_000;
/** Own metrics of a profile. */
const OWN_LIMIT = 1_000;
const BACKENDS = ["auto", "webgpu", "cpu"];
const PARTS = ["response", "user", "system"];

/** @param {any} message of type `load` */
export function checkLoad({ model, backend, because, trial }) {
  if (!BACKENDS.includes(backend)) throw misuse(`Backend “${backend}” is not known; there are auto, webgpu and cpu.`);
  if (typeof model !== "string") throw misuse("The folder of the model must be given as text.");
  return { backend, because, trial: Boolean(trial), model: folder(model) };
}

/**
 * A folder below this page, so that no message leads to another host.
 *
 * @param {string} path
 */
function folder(path) {
  const home = new URL("../", import.meta.url);
  const url = new URL(path.replace(/\/?$/, "/"), home);
  if (url.href.startsWith(home.href) && !url.search && !url.hash) return url;
  throw misuse(`The folder of the model must lie below the page, found “${path}”.`);
}

/**
 * @param {any} task
 * @returns {Task}
 */
export function checkTask(task) {
  return {
    metric: checkText("metric's name", task?.metric),
    user: checkText("prompt", task?.user),
    response: checkText("answer", task?.response),
    ...(task.definition != null && { definition: checkText("metric's definition", task.definition) }),
    ...(task.system != null && { system: checkText("system prompt", task.system) }),
  };
}

/**
 * @param {any} tasks
 * @returns {any[]} not yet checked one by one: a bad task fails alone
 */
export function checkBatch(tasks) {
  return checkList("tasks", tasks, BATCH_LIMIT);
}

/**
 * @param {any} task for a profile, which is on all metrics: one of its own does not count
 * @returns {Task}
 */
export function checkConversation(task) {
  return checkTask({ ...task, metric: "", definition: null });
}

/**
 * @param {any} own
 * @returns {MetricText[]}
 */
export function checkOwnMetrics(own) {
  return checkList("metrics of your own", own, OWN_LIMIT).map((metric) => {
    const { name, definition } = checkMetric(metric);
    if (definition?.trim()) return { name, definition };
    throw new TouchstoneError("input", `The metric “${name}” has no definition; say in words what it judges.`);
  });
}

/**
 * @param {any} metric
 * @returns {MetricText}
 */
export function checkMetric(metric) {
  return {
    name: checkText("metric's name", metric?.name),
    ...(metric.definition != null && { definition: checkText("metric's definition", metric.definition) }),
  };
}

/**
 * @param {any} part
 * @returns {Part}
 */
export function checkPart(part) {
  if (PARTS.includes(part)) return part;
  throw misuse(`Part “${part}” is not known; there are response, user and system.`);
}

/**
 * @param {string} what
 * @param {any} list
 * @param {number} limit
 * @returns {any[]}
 */
function checkList(what, list, limit) {
  if (!Array.isArray(list)) throw misuse(`The ${what} must be a list.`);
  if (list.length <= limit) return list;
  throw misuse(`${list.length.toLocaleString("en")} ${what} came at once; at most ${limit.toLocaleString("en")} are taken.`);
}

/**
 * @param {string} what
 * @param {unknown} text
 */
function checkText(what, text) {
  if (typeof text !== "string") throw new TouchstoneError("input", `The ${what} is missing or is not text.`);
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > TEXT_LIMIT) {
    const found = `${bytes.length.toLocaleString("en")} bytes (${(bytes.length / 1e6).toFixed(1)} MB)`;
    const message = `The ${what} is too long: ${found}, where at most 1,000,000 bytes (1 MB) are read.`;
    const wording = { key: "answer.too-long", values: { found: bytes.length, limit: TEXT_LIMIT } };
    throw new TouchstoneError("input", message, { wording });
  }
  // Half a surrogate pair is not text for Rust: `encode` replaced it, as `toWellFormed` would.
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

/** @param {string} message */
function misuse(message) {
  return new TouchstoneError("protocol", message);
}
