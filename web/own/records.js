// @ts-check
/**
 * The user's own records, kept in this browser's IndexedDB and nowhere else.
 *
 * A copy in memory is read without waiting. Where the browser keeps nothing (private windows,
 * blocked storage) the copy is all there is, and `lasting` says so.
 */
import { TouchstoneError } from "../protocol.js";
import { openDB } from "../vendor/idb.js";

/** @typedef {{ id: string, created: number }} Kept what every record has: an id, milliseconds since 1970 */

const DATABASE = "touchstone-own";
const STORES = ["metrics", "corrections"];

/** @type {Promise<any> | null} */
let database = null;

/** @returns {Promise<any>} the database, or null where the browser refuses one */
function open() {
  database ??= connect().catch(() => null);
  return database;
}

async function connect() {
  return openDB(DATABASE, 1, {
    upgrade(/** @type {any} */ made) {
      for (const store of STORES) made.createObjectStore(store, { keyPath: "id" });
    },
    // Another tab wants a newer database: step aside, the next call opens it again.
    blocking(/** @type {any} */ _current, /** @type {any} */ _wanted, /** @type {any} */ event) {
      event.target.close();
      database = null;
    },
    terminated: () => (database = null),
  });
}

/** @template {Kept} T */
export class Records {
  #store;
  #onChange;
  /** @type {Map<string, T>} */
  #copy = new Map();
  /** @type {BroadcastChannel} tells other tabs of changes */
  #channel;
  /** Whether what is written outlives this tab. */
  lasting = true;

  /**
   * @param {"metrics" | "corrections"} store
   * @param {() => void} onChange after every change, also one made in another tab
   */
  constructor(store, onChange) {
    this.#store = store;
    this.#onChange = onChange;
    this.#channel = new BroadcastChannel(`${DATABASE}-${store}`);
    this.#channel.addEventListener("message", () => this.read());
  }

  /** Reads all records anew; never rejects. */
  async read() {
    try {
      const opened = await open();
      this.lasting = opened !== null;
      if (opened) this.#keep(await opened.getAll(this.#store));
    } catch {
      this.lasting = false;
    }
    this.#onChange();
  }

  /** @param {T[]} records */
  #keep(records) {
    records.sort((a, b) => a.created - b.created || (a.id < b.id ? -1 : 1));
    this.#copy = new Map(records.map((record) => [record.id, record]));
  }

  /** @returns {T[]} oldest first */
  all() {
    return [...this.#copy.values()];
  }

  /**
   * Writes records, all or none.
   *
   * @param {T[]} records
   * @returns {Promise<void>} rejects with kind "storage-full" or "storage"; nothing has changed then
   */
  async put(...records) {
    await this.#write((store) => records.map((record) => store.put(record)));
    this.#keep([
      ...new Map([...this.#copy, ...records.map((record) => /** @type {const} */ ([record.id, record]))]).values(),
    ]);
    this.#changed();
  }

  /**
   * @param {string[]} ids
   * @returns {Promise<void>} rejects as `put`
   */
  async remove(...ids) {
    await this.#write((store) => ids.map((id) => store.delete(id)));
    for (const id of ids) this.#copy.delete(id);
    this.#changed();
  }

  /** @param {(store: any) => Promise<unknown>[]} change */
  async #write(change) {
    const opened = await open();
    this.lasting = opened !== null;
    if (!opened) return;
    try {
      const transaction = opened.transaction(this.#store, "readwrite");
      await Promise.all([...change(transaction.store), transaction.done]);
    } catch (error) {
      throw inWords(error);
    }
  }

  #changed() {
    this.#channel.postMessage("changed");
    this.#onChange();
  }
}

/** A new record's id, unguessable so that two devices' exports never collide. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {unknown} error */
function inWords(error) {
  const { name, message } = /** @type {DOMException} */ (error ?? {});
  if (name === "QuotaExceededError") {
    return new TouchstoneError(
      "storage-full",
      `This browser's storage is full, so nothing was saved (${message || name}).`,
    );
  }
  return new TouchstoneError(
    "storage",
    `The browser could not save this (${message || name}). Nothing was changed; try again.`,
  );
}
