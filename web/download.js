// @ts-check
/**
 * Fetches a bundle: the manifest first, then every file it names, each into one buffer of the
 * size the manifest gives. Bytes are hashed later, by the scorer. What arrives is kept in the
 * browser part by part (see kept-files.js), so that a download that broke off goes on where it
 * stopped, and without a network the last whole bundle serves.
 */
import { FileStore, PART } from "./kept-files.js";
import { TouchstoneError } from "./protocol.js";

/** Milliseconds between two reports. */
const PROGRESS_EVERY = 100;
/** A connection that breaks is taken up again this often without a byte in between. */
const ATTEMPTS = 3;
/** Milliseconds before the first new attempt; twice as long before the second. */
const RETRY_AFTER = 500;

/**
 * @typedef {{ name: string, bytes: number, url: string }} Entry
 *
 * @typedef {object} Manifest
 * @property {Uint8Array<ArrayBuffer>} bytes
 * @property {string} id SHA-256 of `bytes`, hex
 * @property {URL} base the bundle's folder, with a slash at the end
 * @property {Entry[]} entries
 * @property {FileStore | null} store
 * @property {() => Promise<void>} forget drops the kept copies, for when they prove to be broken
 *
 * @typedef {object} Options
 * @property {AbortSignal} signal
 * @property {(loaded: number, total: number, name: string, kept: boolean) => void} onProgress
 *
 * @typedef {(loaded: number, kept: boolean) => void} Report
 */

/**
 * @param {URL} base the bundle's folder, with a slash at the end
 * @param {AbortSignal} signal
 * @returns {Promise<Manifest>}
 */
export async function fetchManifest(base, signal) {
  const store = await FileStore.open(base);
  const bytes = await manifestBytes(base, store, signal);
  const entries = entriesOf(bytes, base);
  const id = hex(await digest(bytes));
  return { bytes, id, base, entries, store, forget: async () => store?.keepOnly([]) };
}

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
 * @param {URL} base
 * @param {FileStore | null} store
 * @param {AbortSignal} signal
 */
async function manifestBytes(base, store, signal) {
  try {
    const response = await request(new URL("bundle.json", base).href, "bundle.json", { signal, cache: "no-cache" });
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    const kept = signal.aborted ? undefined : await store?.manifest();
    if (kept) return kept;
    throw broken(error, "bundle.json", signal);
  }
}

/** @param {Uint8Array<ArrayBuffer>} bytes */
async function digest(bytes) {
  // Absent on plain http, where nothing needs to be remembered either.
  return crypto.subtle ? new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)) : new Uint8Array();
}

/** @param {Uint8Array} bytes */
function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The files of a manifest. Only what the download needs is read; the scorer checks the rest.
 *
 * @param {Uint8Array} manifest
 * @param {URL} base
 * @returns {Entry[]}
 */
function entriesOf(manifest, base) {
  const files = parse(manifest)?.files;
  if (!files || typeof files !== "object" || Array.isArray(files)) {
    throw new TouchstoneError("format", "bundle.json names no files: it is not the manifest of a bundle.");
  }
  return Object.entries(files).map(([name, file]) => {
    // A plain name cannot lead out of the bundle's folder or to another host.
    if (!/^[\w][\w.-]*$/.test(name)) {
      throw new TouchstoneError("format", `bundle.json names “${name}”, which is not a plain file name.`);
    }
    if (!Number.isSafeInteger(file?.bytes) || file.bytes < 0 || !/^[0-9a-f]{64}$/i.test(file?.sha256)) {
      throw new TouchstoneError("format", `bundle.json gives no size and SHA-256 for ${name}.`);
    }
    return { name, bytes: file.bytes, url: new URL(`${name}?sha256=${file.sha256}`, base).href };
  });
}

/** @param {Uint8Array} manifest */
function parse(manifest) {
  try {
    return JSON.parse(new TextDecoder().decode(manifest));
  } catch {
    throw new TouchstoneError("format", "bundle.json is not JSON: the host has no model here, or sent another page.");
  }
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
 * @param {string} url
 * @param {string} name
 * @param {RequestInit & { signal: AbortSignal }} options
 */
async function request(url, name, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    throw broken(error, name, options.signal);
  }
  if (response.ok) return response;
  const status = [response.status, response.statusText].filter(Boolean).join(" ");
  throw Object.assign(new TouchstoneError("network", `The host answered ${status} for ${name}.`), { status });
}

/**
 * @param {unknown} error
 * @param {string} name
 * @param {AbortSignal} signal
 */
function broken(error, name, signal) {
  if (signal.aborted || error instanceof TouchstoneError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new TouchstoneError("network", `The download of ${name} failed (${why}).`);
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
