// @ts-check
/** Words and numbers of the file view, in the page's language. */
import { el } from "../dom.js";
import { parts } from "./estimate.js";

/** @typedef {import("../app.js").App} App */

/**
 * A time in words: `4 min`, `1 h 20 min`.
 *
 * @param {App} app
 * @param {number} milliseconds
 */
export function duration(app, milliseconds) {
  const { hours, minutes, seconds } = parts(milliseconds);
  if (hours > 0) return app.t("file.time.hours", { hours, minutes });
  return minutes > 0 ? app.t("file.time.minutes", { minutes }) : app.t("file.time.seconds", { seconds });
}

/**
 * @param {App} app
 * @param {number} share 0 to 1
 */
export function percent(app, share) {
  const digits = share > 0 && share < 0.01 ? 1 : 0;
  return new Intl.NumberFormat(app.language, { style: "percent", maximumFractionDigits: digits }).format(share);
}

/**
 * @param {App} app
 * @param {number} bytes
 */
export function size(app, bytes) {
  const [unit, value] = bytes < 1e6 ? ["kilobyte", bytes / 1e3] : ["megabyte", bytes / 1e6];
  const style = /** @type {const} */ ({ style: "unit", unit, unitDisplay: "short" });
  return new Intl.NumberFormat(app.language, { ...style, maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);
}

/**
 * What a message key of a refusal, a notice or a broken row says.
 *
 * @param {App} app
 * @param {string} group "refused", "notice" or "broken"
 * @param {import("./types.js").Told} told
 */
export function told(app, group, { code, values }) {
  return app.say(el("span"), `file.${group}.${code}`, values);
}

/**
 * The title of a job's metric: its own, the page's, or its name.
 *
 * @param {App} app
 * @param {import("./types.js").JobMetric | undefined} metric
 */
export function metricTitle(app, metric) {
  if (!metric) return "";
  return metric.title ?? (metric.name === "" ? app.t("file.metric.none") : app.title(metric.name));
}
