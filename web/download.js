// @ts-check
/**
 * Fetches the files of a bundle that its manifest names, each into one buffer of the size given
 * there. Bytes are hashed later, by the scorer. What arrives is kept in the browser part by part
 * (see kept-files.js), so that a download that broke off goes on where it stopped, and without a
 * network the last whole bundle serves.
 */
import { PART } from "./kept-files.js";
import { TouchstoneError } from "./protocol.js";
import { broken, request } from "./request.js";

/** Milliseconds between two reports. */
const PROGRESS_EVERY = 100;
/** A connection that breaks is taken up again this often without a byte in between. */
const ATTEMPTS = 3;
/** Milliseconds before the first new attempt; twice as long before the second. */
const RETRY_AFTER = 500;

/**
 * @typedef {import("./bundle-manifest.js").Manifest} Manifest
 * @typedef {import("./bundle-manifest.js").Entry} Entry
 * @typedef {import("./kept-files.js").FileStore} FileStore
 *
 * @typedef {object} Options
 * @property {AbortSignal} signal
 * @property {(loaded: number, total: number, name: string, kept: boolean) => void} onProgress
 *
 * @typedef {(loaded: number, kept: boolean) => void} Report
 */

/**
 * @param {Manifest} manifest
 * @param {Options} options
 * @returns {Promise<Record<string, Uint8Array>>}
 */
export async function fetchFiles({ bytes, entries, store }, { signal, onProgress }) {
  const total = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  /** @type {Record<string, Uint8Array>} */
  const files = {};
  let before = 0;
  for (const entry of entries) {
    const start = before;
    files[entry.name] = await fetchFile(entry, store, signal, (loaded, kept) =>
      onProgress(start + loaded, total, entry.name, kept),
    );
    before += entry.bytes;
  }
  // Only now: until the new version is whole, the old one serves without a network.
  await store?.putManifest(bytes);
  await store?.keepOnly(entries.map(({ url }) => url));
  return files;
}

/**
 * @param {Entry} entry
 * @param {FileStore | null} store
 * @param {AbortSignal} signal
 * @param {Report} report
 */
async function fetchFile(entry, store, signal, report) {
  const bytes = allocate(entry);
  const kept = (await store?.read(entry.url, bytes, (loaded) => report(loaded, true))) ?? 0;
  let state = { loaded: kept, saved: kept };
  for (let attempt = 1; state.loaded < bytes.length; ) {
    const before = state.loaded;
    try {
      await fill(bytes, state, entry, store, signal, report);
    } catch (error) {
      if (state.loaded > before) attempt = 1;
      if (error instanceof TouchstoneError && error.kind === "hash") await store?.drop(entry.url);
      if (signal.aborted || !isTemporary(error) || ++attempt > ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_AFTER * (attempt - 1)));
    }
  }
  return bytes;
}

/** @param {unknown} error whether asking once more may help */
function isTemporary(error) {
  return error instanceof TouchstoneError && error.kind === "network" && !("status" in error);
}

/** @param {Entry} entry */
function allocate({ name, bytes }) {
  try {
    return new Uint8Array(bytes);
  } catch {
    throw new TouchstoneError("memory", `The browser has no memory for ${name} (${megabytes(bytes)}).`);
  }
}

/**
 * Streams the rest of a file into `bytes`, which it must fill exactly.
 *
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {{ loaded: number, saved: number }} state bytes that are there, and bytes that are kept
 * @param {Entry} entry
 * @param {FileStore | null} store
 * @param {AbortSignal} signal
 * @param {Report} report
 */
async function fill(bytes, state, entry, store, signal, report) {
  const body = await openFrom(state, entry, store, signal);
  let reported = -Infinity;
  for await (const chunk of chunks(body, entry.name, signal)) {
    if (state.loaded + chunk.length > bytes.length) {
      throw wrongSize(entry.name, bytes.length, `at least ${count(state.loaded + chunk.length)}`);
    }
    bytes.set(chunk, state.loaded);
    state.loaded += chunk.length;
    await save(bytes, state, entry, store);
    if (performance.now() - reported < PROGRESS_EVERY) continue;
    reported = performance.now();
    report(state.loaded, false);
  }
  if (state.loaded < bytes.length) throw wrongSize(entry.name, bytes.length, count(state.loaded));
  report(state.loaded, false);
}

/**
 * The body from `state.loaded` on. A host that does not do ranges sends the whole file: then all
 * starts anew.
 *
 * @param {{ loaded: number, saved: number }} state
 * @param {Entry} entry
 * @param {FileStore | null} store
 * @param {AbortSignal} signal
 */
async function openFrom(state, { url, name }, store, signal) {
  /** @type {RequestInit & { signal: AbortSignal }} */
  const options = { signal, cache: store ? "no-store" : "default" };
  if (state.loaded > 0) options.headers = { Range: `bytes=${state.loaded}-` };
  const response = await request(url, name, options);
  if (!isContinuation(response, state.loaded)) state.loaded = state.saved = 0;
  if (!response.body) throw new TouchstoneError("network", `The host sent no content for ${name}.`);
  return response.body;
}

/**
 * @param {Response} response
 * @param {number} from
 */
function isContinuation({ status, headers }, from) {
  const starts = headers.get("content-range")?.startsWith(`bytes ${from}-`);
  return status === 206 && Boolean(starts) && !headers.has("content-encoding");
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {{ loaded: number, saved: number }} state
 * @param {Entry} entry
 * @param {FileStore | null} store
 */
async function save(bytes, state, { url }, store) {
  while (state.loaded - state.saved >= PART || (state.loaded === bytes.length && state.saved < state.loaded)) {
    const part = bytes.subarray(state.saved, Math.min(state.saved + PART, bytes.length));
    await store?.put(url, state.saved / PART, part);
    state.saved += part.length;
  }
}

/**
 * @param {ReadableStream<Uint8Array>} body
 * @param {string} name
 * @param {AbortSignal} signal
 */
async function* chunks(body, name, signal) {
  const reader = body.getReader();
  try {
    for (;;) {
      signal.throwIfAborted();
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw broken(error, name, signal);
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * @param {string} name
 * @param {number} expected
 * @param {string} found
 */
function wrongSize(name, expected, found) {
  return new TouchstoneError("hash", `${name} has the wrong size: expected ${count(expected)} bytes, found ${found}.`);
}

/** @param {number} n */
function count(n) {
  return n.toLocaleString("en");
}

/** @param {number} bytes */
function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
