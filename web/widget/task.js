// @ts-check
/** @typedef {import("../protocol.js").Task} Task */

/** @type {Task} */
export const NOTHING = Object.freeze({ metric: "", user: "", response: "" });

/**
 * A task of its own, from whatever a page hands over; what is not text is left out.
 *
 * @param {Partial<Task> | null | undefined} given
 * @returns {Task}
 */
export function copyTask(given) {
  const { metric, definition, system, user, response } = given ?? {};
  return {
    ...NOTHING,
    ...texts({ metric, definition, system, user, response }),
  };
}

/** @param {Record<string, unknown>} fields */
function texts(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => typeof value === "string"));
}

/** Whether there is something to score. @param {Task} task */
export function isComplete({ metric, response }) {
  return metric.trim() !== "" && response.trim() !== "";
}

/**
 * @param {Task} a
 * @param {Task} b
 */
export function isSame(a, b) {
  const keys = /** @type {(keyof Task)[]} */ (["metric", "definition", "system", "user", "response"]);
  return keys.every((key) => (a[key] ?? "") === (b[key] ?? ""));
}
