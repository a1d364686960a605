// @ts-check
/**
 * The models that the host offers: `bundles.json` beside the page,
 *
 *   { "bundles": [{ "name": "…", "path": "models/…/", "bytes": 90000000, "about": "…" }] }
 *
 * where only `name` and `path` (a folder below the page) are needed. Without the file there is one,
 * in `model/`. `touchstone serve --bundle DIR` makes it; on a static host it is written by hand.
 */
import { TouchstoneError } from "./protocol.js";

/**
 * @typedef {object} BundleEntry
 * @property {string} name "" for the page's own model where the host gives no list
 * @property {string} path the bundle's folder, as `ScorerClient.load` takes it
 * @property {number | null} bytes
 * @property {string} about
 */

const LIST = "bundles.json";
const CACHE = "touchstone-model";
/** @type {BundleEntry} */
const OWN = Object.freeze({ name: "", path: "model/", bytes: null, about: "" });

/**
 * @returns {Promise<BundleEntry[]>} at least one; without a network as it was at the last visit
 * @throws {TouchstoneError} of kind "format" where the host's list is no list of bundles
 */
export async function listBundles() {
  const text = await listText();
  return text === null ? [OWN] : parseBundles(text);
}

/**
 * The one that was chosen before, or else the first.
 *
 * @param {BundleEntry[]} bundles
 * @param {string} path
 */
export function findBundle(bundles, path) {
  return bundles.find((bundle) => bundle.path === path) ?? bundles[0];
}

/** @returns {Promise<string | null>} null where the host has none */
async function listText() {
  const url = new URL(LIST, import.meta.url).href;
  const cache = await globalThis.caches?.open(CACHE).catch(() => undefined);
  let response;
  try {
    response = await fetch(url, { cache: "no-cache" });
  } catch {
    return (await cache?.match(url))?.text() ?? null;
  }
  if (!response.ok) {
    await cache?.delete(url);
    return null;
  }
  const text = await response.text();
  await cache?.put(url, new Response(text)).catch(() => {});
  return text;
}

/**
 * @param {string} text
 * @returns {BundleEntry[]}
 */
export function parseBundles(text) {
  const list = parse(text)?.bundles;
  if (!Array.isArray(list) || list.length === 0) {
    throw wrong(`it must be { "bundles": [{ "name", "path" }, …] } with at least one entry`);
  }
  return list.map(checkEntry);
}

/** @param {string} text */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error));
  }
}

/**
 * @param {any} entry
 * @param {number} index
 * @returns {BundleEntry}
 */
function checkEntry(entry, index) {
  const which = `entry ${index + 1}`;
  if (typeof entry?.name !== "string" || !entry.name.trim()) throw wrong(`${which} has no name`);
  if (typeof entry.path !== "string" || !isBelow(entry.path)) {
    throw wrong(`${which} (${entry.name}) needs as path a folder below the page, such as "models/mine/"`);
  }
  const bytes = Number.isSafeInteger(entry.bytes) && entry.bytes >= 0 ? entry.bytes : null;
  const about = typeof entry.about === "string" ? entry.about : "";
  return { name: entry.name, path: entry.path.replace(/\/?$/, "/"), bytes, about };
}

/** @param {string} path */
function isBelow(path) {
  const home = new URL("./", import.meta.url);
  const url = URL.parse(path.replace(/\/?$/, "/"), home);
  return Boolean(url && url.href.startsWith(home.href) && url.href !== home.href && !url.search && !url.hash);
}

/** @param {string} why */
function wrong(why) {
  return new TouchstoneError("format", `The host's ${LIST} cannot be used: ${why}.`);
}
