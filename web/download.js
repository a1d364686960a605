// @ts-check
/**
 * Fetches a bundle: the manifest first, then every file it names, each into one buffer of the
 * size the manifest gives. Bytes are hashed later, by the scorer. Files are kept in the browser's
 * cache under a URL with their SHA-256, so a changed file is a new entry.
 */
import { TouchstoneError } from "./protocol.js";

const CACHE = "touchstone-model";
const PROGRESS_EVERY = 100;

/**
 * @typedef {{ name: string, bytes: number, url: string }} Entry
 * @typedef {{ manifest: Uint8Array, files: Record<string, Uint8Array>, forget: () => Promise<void> }} Bundle
 *   `forget` drops the kept copies, for when they prove to be broken
 *
 * @typedef {object} Options
 * @property {AbortSignal} signal
 * @property {(loaded: number, total: number, name: string, kept: boolean) => void} onProgress
 */

/**
 * @param {URL} base the bundle's folder, with a slash at the end
 * @param {Options} options
 * @returns {Promise<Bundle>}
 */
export async function fetchBundle(base, options) {
  const manifest = await fetchManifest(base, options.signal);
  const entries = entriesOf(manifest, base);
  const cache = await openCache();
  await cache?.keepOnly(base, entries);

  const total = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  /** @type {Record<string, Uint8Array>} */
  const files = {};
  let before = 0;
  for (const entry of entries) {
    const start = before;
    files[entry.name] = await fetchFile(entry, cache, options.signal, (loaded, kept) =>
      options.onProgress(start + loaded, total, entry.name, kept),
    );
    before += entry.bytes;
  }
  return { manifest, files, forget: async () => cache?.keepOnly(base, []) };
}

/**
 * @param {URL} base
 * @param {AbortSignal} signal
 */
async function fetchManifest(base, signal) {
  const response = await request(new URL("bundle.json", base).href, "bundle.json", signal, "no-cache");
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw broken(error, "bundle.json", signal);
  }
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
 * @param {BundleCache | null} cache
 * @param {AbortSignal} signal
 * @param {(loaded: number, kept: boolean) => void} onProgress
 */
async function fetchFile(entry, cache, signal, onProgress) {
  const bytes = allocate(entry);
  const kept = await cache?.match(entry.url);
  if (kept && (await readKept(kept, bytes, entry, signal, onProgress))) return bytes;

  const response = await request(entry.url, entry.name, signal, "default");
  await readInto(bytes, response, entry, signal, (loaded) => onProgress(loaded, false));
  await cache?.put(entry.url, bytes);
  return bytes;
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
 * A kept copy that cannot be read counts as absent.
 *
 * @param {Response} response
 * @param {Uint8Array} bytes
 * @param {Entry} entry
 * @param {AbortSignal} signal
 * @param {(loaded: number, kept: boolean) => void} onProgress
 */
async function readKept(response, bytes, entry, signal, onProgress) {
  try {
    await readInto(bytes, response, entry, signal, (loaded) => onProgress(loaded, true));
    return true;
  } catch (error) {
    if (signal.aborted) throw error;
    return false;
  }
}

/**
 * Streams a body into `bytes`, which it must fill exactly.
 *
 * @param {Uint8Array} bytes
 * @param {Response} response
 * @param {Entry} entry
 * @param {AbortSignal} signal
 * @param {(loaded: number) => void} onProgress
 */
async function readInto(bytes, response, { name }, signal, onProgress) {
  if (!response.body) throw new TouchstoneError("network", `The host sent no content for ${name}.`);
  const reader = response.body.getReader();
  let loaded = 0;
  let reported = -Infinity;
  for (;;) {
    const { done, value } = await read(reader, name, signal);
    if (done) break;
    if (loaded + value.length > bytes.length) {
      reader.cancel().catch(() => {});
      throw wrongSize(name, bytes.length, `at least ${count(loaded + value.length)}`);
    }
    bytes.set(value, loaded);
    loaded += value.length;
    if (performance.now() - reported >= PROGRESS_EVERY) {
      reported = performance.now();
      onProgress(loaded);
    }
  }
  if (loaded < bytes.length) throw wrongSize(name, bytes.length, count(loaded));
  onProgress(loaded);
}

/**
 * @param {ReadableStreamDefaultReader<Uint8Array>} reader
 * @param {string} name
 * @param {AbortSignal} signal
 */
async function read(reader, name, signal) {
  signal.throwIfAborted();
  try {
    return await reader.read();
  } catch (error) {
    throw broken(error, name, signal);
  }
}

/**
 * @param {string} url
 * @param {string} name
 * @param {AbortSignal} signal
 * @param {RequestCache} cache
 */
async function request(url, name, signal, cache) {
  let response;
  try {
    response = await fetch(url, { signal, cache });
  } catch (error) {
    throw broken(error, name, signal);
  }
  if (response.ok) return response;
  const status = [response.status, response.statusText].filter(Boolean).join(" ");
  throw new TouchstoneError("network", `The host answered ${status} for ${name}.`);
}

/**
 * @param {unknown} error
 * @param {string} name
 * @param {AbortSignal} signal
 */
function broken(error, name, signal) {
  if (signal.aborted) return error;
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

/** The kept files. Storage may be full, blocked or absent: then nothing is kept and all goes on. */
class BundleCache {
  /** @param {Cache} store */
  constructor(store) {
    this.store = store;
  }

  /** @param {string} url */
  async match(url) {
    return this.store.match(url).catch(() => undefined);
  }

  /**
   * @param {string} url
   * @param {Uint8Array<ArrayBuffer>} bytes
   */
  async put(url, bytes) {
    await this.store.put(url, new Response(bytes)).catch(() => {});
  }

  /**
   * Removes what other versions of this bundle left; other bundles of the origin stay.
   *
   * @param {URL} base
   * @param {Entry[]} entries
   */
  async keepOnly(base, entries) {
    const wanted = new Set(entries.map(({ url }) => url));
    try {
      for (const { url } of await this.store.keys()) {
        if (new URL(".", url).href === base.href && !wanted.has(url)) await this.store.delete(url);
      }
    } catch {
      // An old entry costs space only.
    }
  }
}

/** @returns {Promise<BundleCache | null>} */
async function openCache() {
  try {
    return new BundleCache(await caches.open(CACHE));
  } catch {
    return null; // `caches` is absent or throws on insecure and partitioned pages
  }
}
