// @ts-check
/**
 * More scorers for a job. An instance of the CPU build has one thread, so each helper is a worker of
 * its own with the same model; a graphics card gains nothing from them.
 */

/** @typedef {import("../client.js").ScorerClient} ScorerClient */

/** Rows that are worth loading the model again for. */
const WORTHWHILE = 48;
/** Fewest tasks of a call that is shared. */
const SHARED = 4;
const MOST = 3;
/** Gigabytes of memory, as browsers tell it, below which there are none. */
const MEMORY = 4;

export class Helpers {
  /** @type {ScorerClient[]} those that are loaded */
  #ready = [];
  /** @type {ScorerClient[]} */
  #all = [];
  #closed = false;

  /**
   * Begins to load them; the job does not wait.
   *
   * @param {ScorerClient} client whose model they load
   * @param {import("../protocol.js").Loaded} loaded
   * @param {number} rows that are still to be scored
   */
  open(client, loaded, rows) {
    if (this.#closed || this.#all.length > 0 || loaded.backend !== "cpu" || rows < WORTHWHILE) return;
    if ((/** @type {any} */ (navigator).deviceMemory ?? MEMORY) < MEMORY) return;
    const count = Math.min(MOST, (navigator.hardwareConcurrency || 1) - 1);
    for (let index = 0; index < count; index++) {
      const { helper, loading } = client.another(loaded.backend);
      this.#all.push(helper);
      loading.then(() => this.#ready.push(helper), () => this.#drop(helper));
    }
  }

  /**
   * Scores `tasks`, shared with the helpers that are loaded. What one of them fails on goes to `client`.
   *
   * @param {ScorerClient} client
   * @param {import("./types.js").Task[]} tasks
   * @param {AbortSignal} signal
   * @returns {Promise<any[]>} in the order of the tasks
   */
  async scoreBatch(client, tasks, signal) {
    const scorers = tasks.length < SHARED ? [client] : [client, ...this.#ready];
    const shares = scorers.map((_, scorer) => tasks.filter((_, place) => place % scorers.length === scorer));
    const found = await Promise.all(shares.map((share, index) => this.#score(scorers[index], share, client, signal)));
    return tasks.map((_, place) => found[place % scorers.length][Math.floor(place / scorers.length)]);
  }

  /**
   * @param {ScorerClient} scorer
   * @param {import("./types.js").Task[]} tasks
   * @param {ScorerClient} client
   * @param {AbortSignal} signal
   */
  async #score(scorer, tasks, client, signal) {
    if (tasks.length === 0) return [];
    try {
      return await scorer.scoreBatch(tasks, { signal });
    } catch (error) {
      if (scorer === client || signal.aborted) throw error;
      this.#drop(scorer);
      return client.scoreBatch(tasks, { signal });
    }
  }

  /** @param {ScorerClient} helper */
  #drop(helper) {
    this.#ready = this.#ready.filter((one) => one !== helper);
    helper.close();
  }

  /** Ends them and frees their memory. */
  close() {
    this.#closed = true;
    this.#ready = [];
    for (const helper of this.#all) helper.close();
  }
}
