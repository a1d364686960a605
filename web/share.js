// @ts-check
/**
 * Links that restore a view. The texts are in the fragment, which a browser never sends:
 * `#<view>?s=<base64url of raw deflate of JSON>`.
 *
 * @typedef {import("./protocol.js").Task} Task
 *
 * @typedef {object} Shared
 * @property {1} v
 * @property {Task} [task]
 * @property {[string, string]} [answers] of a comparison
 * @property {{ score: number, bundle: string, version: string }} [result] what the sender saw
 */
import { TouchstoneError } from "./protocol.js";

/** Longer links are cut by some programs they are pasted into. */
export const LINK_LIMIT = 32_000;
/** Characters of all texts of a link together; guards against a small link that unpacks to a huge text. */
const UNPACKED_LIMIT = 1_000_000;

/** Texts of a task by name, and whether one may be missing. */
const TASK_TEXTS = { metric: false, definition: true, system: true, user: false, response: false };

/**
 * @param {string} view
 * @param {Shared} shared
 * @returns {Promise<string>} the whole address
 */
export async function linkTo(view, shared) {
  if (typeof CompressionStream !== "function") throw new ShareError("unsupported");
  const bytes = new TextEncoder().encode(JSON.stringify(shared));
  const packed = await pump(bytes, new CompressionStream("deflate-raw"), Infinity);
  const link = `${location.href.split("#")[0]}#${view}?s=${toBase64Url(packed)}`;
  if (link.length > LINK_LIMIT) throw new ShareError("too-long", link.length);
  return link;
}

/** Why a link cannot be made or read; it names its message in the page's language. */
export class ShareError extends TouchstoneError {
  /**
   * @param {"too-long" | "damaged" | "too-big" | "version" | "unsupported"} why
   * @param {number} [length] characters
   */
  constructor(why, length = 0) {
    const values = { length, limit: why === "too-long" ? LINK_LIMIT : UNPACKED_LIMIT };
    super("share", `The link is ${why}.`, { wording: { key: `shell.share.${why}`, values } });
  }
}

/**
 * Unpacks and checks what a link holds; anything can be in it.
 *
 * @param {string} view
 * @param {string} packed
 * @returns {Promise<Shared>}
 */
export async function openShared(view, packed) {
  if (typeof DecompressionStream !== "function") throw new ShareError("unsupported");
  if (packed.length > LINK_LIMIT) throw new ShareError("too-long", packed.length);
  const bytes = await pump(fromBase64Url(packed), new DecompressionStream("deflate-raw"), UNPACKED_LIMIT);
  return check(view, parse(bytes));
}

/** @param {Uint8Array} bytes */
function parse(bytes) {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new ShareError("damaged");
  }
}

/**
 * Only known fields of the right type go on.
 *
 * @param {string} view
 * @param {any} value
 * @returns {Shared}
 */
function check(view, value) {
  if (typeof value !== "object" || value === null) throw new ShareError("damaged");
  if (value.v !== 1) throw new ShareError("version");
  /** @type {Shared} */
  const shared = { v: 1, task: checkTask(value.task) };
  if (view === "compare") shared.answers = checkAnswers(value.answers);
  const result = checkResult(value.result);
  return result ? { ...shared, result } : shared;
}

/**
 * @param {any} value
 * @returns {Task}
 */
function checkTask(value) {
  /** @type {Record<string, string>} */
  const task = {};
  for (const [name, optional] of Object.entries(TASK_TEXTS)) {
    const text = value?.[name];
    if (typeof text === "string") task[name] = text;
    else if (text !== undefined || !optional) throw new ShareError("damaged");
  }
  return /** @type {any} */ (task);
}

/**
 * @param {any} value
 * @returns {[string, string]}
 */
function checkAnswers(value) {
  const [a, b] = Array.isArray(value) ? value : [];
  if (typeof a !== "string" || typeof b !== "string") throw new ShareError("damaged");
  return [a, b];
}

/**
 * @param {any} value
 * @returns {Shared["result"]}
 */
function checkResult(value) {
  const { score, bundle, version } = value ?? {};
  if (typeof score !== "number" || !(score >= 0 && score <= 10)) return undefined;
  if (typeof bundle !== "string" || typeof version !== "string") return undefined;
  return { score, bundle, version };
}

/**
 * @param {Uint8Array} bytes
 * @param {CompressionStream | DecompressionStream} through
 * @param {number} limit of bytes that come out
 */
async function pump(bytes, through, limit) {
  const stream = new Blob([/** @type {BlobPart} */ (bytes)]).stream().pipeThrough(through);
  /** @type {Uint8Array[]} */
  const chunks = [];
  let length = 0;
  const reader = stream.getReader();
  for (;;) {
    const { value, done } = await reader.read().catch(() => {
      throw new ShareError("damaged");
    });
    if (done) break;
    length += value.length;
    if (length > limit) {
      reader.cancel();
      throw new ShareError("too-big", limit);
    }
    chunks.push(value);
  }
  return new Uint8Array(await new Blob(/** @type {BlobPart[]} */ (chunks)).arrayBuffer());
}

/** @param {Uint8Array} bytes */
function toBase64Url(bytes) {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

/** @param {string} text */
function fromBase64Url(text) {
  try {
    const binary = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {
    throw new ShareError("damaged");
  }
}
