// @ts-check
/**
 * Jobs, their rows and their results, kept in IndexedDB so that a closed tab loses nothing.
 *
 * Where the browser gives no storage, or it is full, everything goes on in memory, and `onMemory`
 * says so once.
 */
import { openDB } from "../vendor/idb.js";
import { ROWS_A_CHUNK } from "./limits.js";

/**
 * @typedef {import("./types.js").Job} Job
 * @typedef {import("./types.js").Row} Row
 * @typedef {import("./types.js").Outcome} Outcome
 */

const NAME = "touchstone-files";
const VERSION = 1;
/** Chunks of rows held for the table. */
const CACHED = 48;
/** Results read at a time. */
const PAGE = 512;

export class Store {
  /** @type {any} the database of idb, or null */
  #db = null;
  /** What the database would not take, by store and key. @type {Map<string, any>} */
  #memory = new Map();
  /** @type {Map<string, Promise<Row[]>>} */
  #cache = new Map();
  #onMemory;
  inMemory = false;
  /** Jobs of which a part is in memory only. @type {Set<number>} */
  #volatile = new Set();

  /** @param {(full: boolean) => void} onMemory hears once that things are kept in memory only; `full` if storage ran out */
  constructor(onMemory) {
    this.#onMemory = onMemory;
  }

  async open() {
    try {
      this.#db = await openDB(NAME, VERSION, { upgrade: createStores, terminated: () => this.#toMemory(false) });
    } catch {
      this.#toMemory(false);
    }
  }

  /** @param {boolean} full */
  #toMemory(full) {
    if (this.inMemory) return;
    this.inMemory = true;
    this.#onMemory(full);
  }

  /** The jobs, latest first. @returns {Promise<Job[]>} */
  async jobs() {
    const kept = this.#db ? await this.#db.getAll("jobs") : [];
    const held = [...this.#memory].filter(([key]) => key.startsWith("jobs/")).map(([, value]) => value);
    const byId = new Map([...kept, ...held].map((job) => [job.id, job]));
    return [...byId.values()].sort((a, b) => b.id - a.id);
  }

  /** @param {Job} job */
  saveJob(job) {
    return this.#put("jobs", job.id, structuredClone({ ...job, volatile: this.#volatile.has(job.id) }));
  }

  /**
   * @param {number} job
   * @param {number} chunk
   * @param {Row[]} rows
   */
  saveRows(job, chunk, rows) {
    return this.#put("rows", [job, chunk], rows);
  }

  /**
   * @param {number} job
   * @param {number} first the first item
   * @param {Outcome[]} outcomes of items one after another
   */
  saveOutcomes(job, first, outcomes) {
    const records = outcomes.map((outcome, i) => ({ job, item: first + i, outcome }));
    return this.#putAll(records);
  }

  /**
   * @param {number} job
   * @param {number} index 0-based position among the job's rows
   * @returns {Promise<Row | undefined>}
   */
  async row(job, index) {
    const rows = await this.chunk(job, Math.floor(index / ROWS_A_CHUNK));
    return rows[index % ROWS_A_CHUNK];
  }

  /**
   * @param {number} job
   * @param {number} chunk
   * @returns {Promise<Row[]>}
   */
  chunk(job, chunk) {
    const key = `${job}/${chunk}`;
    const found = this.#cache.get(key) ?? this.#get("rows", [job, chunk]).then((rows) => rows ?? []);
    this.#cache.delete(key); // the latest used stands last
    this.#cache.set(key, found);
    for (const old of this.#cache.keys()) {
      if (this.#cache.size <= CACHED) break;
      this.#cache.delete(old);
    }
    return found;
  }

  /**
   * Every chunk of rows, one after another, past the cache.
   *
   * @param {Job} job
   * @returns {AsyncGenerator<{ first: number, rows: Row[] }>}
   */
  async *chunks(job) {
    for (let chunk = 0; chunk * ROWS_A_CHUNK < job.rows; chunk++) {
      yield { first: chunk * ROWS_A_CHUNK, rows: (await this.#get("rows", [job.id, chunk])) ?? [] };
    }
  }

  /**
   * All results, page by page in the order of the items; undefined where there is none yet.
   *
   * @param {number} job
   * @param {number} length items of the job
   * @returns {AsyncGenerator<{ first: number, outcomes: (Outcome | undefined)[] }>}
   */
  async *outcomes(job, length) {
    for (let first = 0; first < length; first += PAGE) {
      const end = Math.min(length, first + PAGE);
      /** @type {(Outcome | undefined)[]} */
      const outcomes = new Array(end - first).fill(undefined);
      const kept = await this.#db?.getAll("results", IDBKeyRange.bound([job, first], [job, end - 1]));
      for (const { item, outcome } of kept ?? []) outcomes[item - first] = outcome;
      for (let item = first; item < end; item++) {
        outcomes[item - first] = this.#memory.get(`results/${job},${item}`)?.outcome ?? outcomes[item - first];
      }
      yield { first, outcomes };
    }
  }

  /** Forgets the results, keeps the rows. @param {number} job */
  async clearResults(job) {
    for (const key of this.#memory.keys()) if (key.startsWith(`results/${job},`)) this.#memory.delete(key);
    await this.#db?.delete("results", everything(job));
  }

  /** @param {number} job */
  async remove(job) {
    await this.clearResults(job);
    for (const key of this.#memory.keys()) {
      if (key.startsWith(`rows/${job},`) || key === `jobs/${job}`) this.#memory.delete(key);
    }
    for (const key of this.#cache.keys()) if (key.startsWith(`${job}/`)) this.#cache.delete(key);
    await this.#db?.delete("rows", everything(job));
    await this.#db?.delete("jobs", job);
  }

  /** @param {{ job: number, item: number, outcome: Outcome }[]} records of results, kept all or none */
  async #putAll(records) {
    if (this.#db && !this.inMemory) {
      try {
        const transaction = this.#db.transaction("results", "readwrite");
        const puts = records.map((record) => transaction.store.put(record));
        await Promise.all([...puts, transaction.done]);
        return;
      } catch (error) {
        this.#toMemory(isFull(error));
      }
    }
    for (const record of records) this.#memory.set(`results/${record.job},${record.item}`, record);
  }

  /**
   * @param {"jobs" | "rows"} store
   * @param {any} key
   * @param {any} value
   */
  async #put(store, key, value) {
    if (this.#db && !(this.inMemory && store !== "jobs")) {
      try {
        await this.#db.put(store, value, store === "rows" ? key : undefined);
        this.#memory.delete(`${store}/${key}`);
        return;
      } catch (error) {
        this.#toMemory(isFull(error));
      }
    }
    if (store === "rows") this.#volatile.add(key[0]);
    this.#memory.set(`${store}/${key}`, value);
  }

  /**
   * @param {"rows"} store
   * @param {any} key
   */
  async #get(store, key) {
    const held = this.#memory.get(`${store}/${key}`);
    return held ?? (await this.#db?.get(store, key));
  }
}

/** @param {any} db of idb */
function createStores(db) {
  db.createObjectStore("jobs", { keyPath: "id" });
  db.createObjectStore("rows");
  db.createObjectStore("results", { keyPath: ["job", "item"] });
}

/** @param {number} job */
function everything(job) {
  return IDBKeyRange.bound([job, -1], [job, Infinity]);
}

/** @param {unknown} error */
function isFull(error) {
  return error instanceof DOMException && error.name === "QuotaExceededError";
}
