// @ts-check
/** A bundle's manifest: which files it has, and under which addresses they are fetched and kept. */
import { FileStore } from "./kept-files.js";
import { TouchstoneError } from "./protocol.js";
import { broken, request } from "./request.js";

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
