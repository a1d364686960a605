// @ts-check
/**
 * The service worker: the page works without a network after its first visit.
 *
 * `cargo xtask` writes `files.json` (every file of the page with its SHA-256) and puts the hash of
 * that list into VERSION, so that any change of the page is a change of this file. One version is
 * one cache: it is filled whole, each file checked by hash, before it is ever used, and a page is
 * served from the one version that controls it. Nothing takes over by itself: a new version waits
 * until the last tab of the old one is closed or the user asks for it (message "use").
 *
 * Of the wasm builds only the one in use is kept (message "keep"). Models are none of its
 * business: download.js keeps and the scorer checks them. Paths are relative to this file, so any
 * folder of a host will do.
 *
 * Messages, each with a port that gets the answer
 *   { type: "keep", build: string }  fetches and checks a build; { kept: boolean }
 *   { type: "use" }                  takes over now, unless other tabs run the old version;
 *                                    { others: number } of those
 */
const VERSION = "unbuilt";
const PREFIX = `touchstone-page ${new URL("./", self.location.href).pathname} `;
const CACHE = PREFIX + VERSION;
const LIST = "files.json";
/** What who hosts the page may change at any time; the header of embed.html says who may embed it. */
const FRESH = ["bundles.json", "embed.json", "embed.html"];

/**
 * @typedef {{ path: string, bytes: number, sha256: string }} Listed
 * @typedef {{ version: string, files: Listed[] }} List
 */

const worker = /** @type {any} */ (self);
worker.addEventListener("install", (/** @type {any} */ event) => event.waitUntil(install()));
worker.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(activate()));
worker.addEventListener("fetch", (/** @type {any} */ event) => {
  const path = pathOf(event.request);
  if (path !== null) event.respondWith(answer(event.request, path));
});
worker.addEventListener("message", (/** @type {any} */ event) => event.waitUntil(heed(event.data, event.ports[0])));

// --- Install ---

/** Fills this version's cache; any file that does not fit fails it, and the next visit tries again. */
async function install() {
  const list = await fetchList();
  if (list.version !== VERSION) throw new Error(`files.json is of version ${list.version}, this is ${VERSION}.`);
  const cache = await caches.open(CACHE);
  try {
    await Promise.all(list.files.filter((file) => !isWasm(file.path)).map((file) => add(cache, file)));
    await cache.put(LIST, new Response(JSON.stringify(list)));
  } catch (error) {
    await caches.delete(CACHE);
    throw error;
  }
}

/** @returns {Promise<List>} */
async function fetchList() {
  const response = await fetch(LIST, { cache: "no-cache" });
  if (!response.ok) throw new Error(`The host answered ${response.status} for ${LIST}.`);
  return response.json();
}

/**
 * Fetches a file, checks it and keeps it.
 *
 * @param {Cache} cache
 * @param {Listed} file
 * @returns {Promise<Response>}
 */
async function add(cache, { path, sha256 }) {
  // The host's word for the start page is the folder itself.
  const response = await fetch(path === "index.html" ? "./" : path, { cache: "no-cache" });
  if (!response.ok) throw new Error(`The host answered ${response.status} for ${path}.`);
  const bytes = await response.arrayBuffer();
  const found = await hash(bytes);
  if (found !== sha256) throw new Error(`${path} has SHA-256 ${found}, expected ${sha256}.`);
  const checked = new Response(bytes, { headers: plainHeaders(response.headers) });
  await cache.put(path, checked.clone());
  return checked;
}

/** The bytes are unpacked by now. @param {Headers} headers */
function plainHeaders(headers) {
  const plain = new Headers(headers);
  plain.delete("content-encoding");
  plain.delete("content-length");
  return plain;
}

/** @param {ArrayBuffer} bytes */
async function hash(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The old version goes; pages of the very first visit are served from here on, as they were loaded a moment ago. */
async function activate() {
  const others = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  for (const name of others) await caches.delete(name);
  if (others.length === 0) await worker.clients.claim();
}

// --- Fetch ---

/**
 * The file of this page that a request asks for, relative to its folder; null for what is none of
 * this worker's business.
 *
 * @param {Request} request
 */
function pathOf({ method, url }) {
  const home = new URL("./", self.location.href).href;
  const [address] = url.split(/[?#]/);
  if (method !== "GET" || !address.startsWith(home)) return null;
  const path = decodeURI(address.slice(home.length)) || "index.html";
  return /^models?\//.test(path) || FRESH.includes(path) || path === LIST ? null : path;
}

/**
 * From this version's cache; what was lost there or is fetched late is checked like the rest.
 *
 * @param {Request} request
 * @param {string} path
 */
async function answer(request, path) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(path);
  if (kept) return kept;
  const file = (await list(cache))?.files.find((file) => file.path === path);
  if (!file) return fetch(request);
  try {
    return await add(cache, file);
  } catch (error) {
    console.warn("touchstone:", error);
    // The host may have a newer version: it is offered, and never mixed with this one.
    worker.registration.update().catch(() => {});
    return Response.error();
  }
}

/**
 * @param {Cache} cache
 * @returns {Promise<List | undefined>}
 */
async function list(cache) {
  return (await cache.match(LIST))?.json();
}

/** @param {string} path */
function isWasm(path) {
  return path.startsWith("wasm/");
}

// --- Messages ---

/**
 * @param {any} message
 * @param {MessagePort | undefined} port
 */
async function heed(message, port) {
  if (message?.type === "keep") port?.postMessage({ kept: await keepBuild(String(message.build)) });
  if (message?.type === "use") port?.postMessage({ others: await use() });
}

/** @param {string} build */
async function keepBuild(build) {
  try {
    const cache = await caches.open(CACHE);
    const files = (await list(cache))?.files.filter(({ path }) => path.startsWith(`wasm/${build}/`)) ?? [];
    for (const file of files) (await cache.match(file.path)) ?? (await add(cache, file));
    return files.length > 0;
  } catch (error) {
    console.warn("touchstone:", error);
    return false;
  }
}

async function use() {
  const windows = await worker.clients.matchAll({ type: "window", includeUncontrolled: true });
  const others = Math.max(0, windows.length - 1);
  if (others === 0) await worker.skipWaiting();
  return others;
}
