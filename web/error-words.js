// @ts-check
/**
 * What the page says about an error: a headline and advice in its language, and below them the
 * error's own words, which are English.
 */
import { el } from "./dom.js";
import { technical } from "./i18n.js";

/** Each with the messages `shell.fault.<kind>` and `shell.advice.<kind>`; any other is "internal". */
const KINDS = [
  ...["input", "metric", "data", "io", "hash", "version", "format", "shape", "device", "network", "cancelled", "unsupported"],
  ...["check", "deadline", "internal", "memory", "not-loaded", "panic", "protocol", "storage", "storage-full", "trap", "worker"],
];

/**
 * @typedef {Pick<import("./app.js").App, "t">} Speaker
 * @typedef {{ headline: string, advice: string, detail: string }} Words `advice` and `detail` may be ""
 */

/**
 * @param {Speaker} app
 * @param {any} error
 * @returns {Words}
 */
export function wordsOf(app, error) {
  const message = String(error?.message ?? error);
  const { wording } = error ?? {};
  if (wording) return { headline: app.t(wording.key, wording.values), advice: "", detail: "" };
  const kind = KINDS.includes(error?.kind) ? error.kind : "internal";
  const headline = app.t(`shell.fault.${kind}`);
  // Without a message file there are only the error's own words.
  if (!headline) return { headline: message, advice: "", detail: "" };
  return { headline, advice: app.t(`shell.advice.${kind}`), detail: message };
}

/**
 * All of it in one line.
 *
 * @param {Speaker} app
 * @param {unknown} error
 * @returns {HTMLElement}
 */
export function inWords(app, error) {
  const { headline, advice, detail } = wordsOf(app, error);
  const words = [headline, advice].filter(Boolean).join(" ");
  return el("span", {}, words, ...(detail ? [" ", technical(detail)] : []));
}
