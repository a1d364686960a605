// @ts-check
/**
 * What the worker remembers between visits: measurements and passed checks, by a key that names
 * adapter, bundle and version. Storage may be full, blocked or absent: then it measures again.
 */
import { within } from "../backend.js";

const DATABASE = "touchstone-worker";
const STORE = "kept";
/** A database that another tab holds shut is as good as none. */
const DEADLINE = 2_000;

/**
 * @param {string} key
 * @returns {Promise<any>} undefined where nothing is kept
 */
export async function recall(key) {
  return within(DEADLINE, transact("readonly", (store) => store.get(key))).catch(() => undefined);
}

/**
 * @param {string} key
 * @param {unknown} value
 */
export async function keep(key, value) {
  await within(DEADLINE, transact("readwrite", (store) => store.put(value, key))).catch(() => {});
}

/**
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest} act
 */
async function transact(mode, act) {
  const database = await open();
  try {
    return await done(act(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

/** @returns {Promise<IDBDatabase>} */
async function open() {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return done(request);
}

/**
 * @param {IDBRequest} request
 * @returns {Promise<any>}
 */
function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
