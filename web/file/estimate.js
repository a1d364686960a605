// @ts-check
/** How fast a job goes, how long it will take, and how many items to send at once. Pure. */

/** Batches that are looked back on. */
const WINDOW = 31;
const SMALLEST = 1;
const LARGEST = 16;
const START = 8;
/** Milliseconds that a batch should take: progress moves about once a second. */
const TARGET = 1000;

/** Learns from finished batches; a stalled or an odd batch moves the median little. */
export class Estimate {
  /** @type {{ items: number, milliseconds: number }[]} */
  #batches = [];

  /**
   * @param {number} items
   * @param {number} milliseconds
   */
  add(items, milliseconds) {
    if (items <= 0 || milliseconds <= 0) return;
    this.#batches.push({ items, milliseconds });
    if (this.#batches.length > WINDOW) this.#batches.shift();
  }

  /** Items a second, or null before there is enough to say. */
  get rate() {
    const each = this.#each();
    return each === null ? null : 1000 / each;
  }

  /** Milliseconds for one item: the median over batches, weighted by their items. */
  #each() {
    if (this.#batches.length < 3) return null;
    const sorted = this.#batches.map(({ items, milliseconds }) => ({ items, each: milliseconds / items }));
    sorted.sort((a, b) => a.each - b.each);
    const half = sorted.reduce((sum, { items }) => sum + items, 0) / 2;
    let passed = 0;
    return sorted.find(({ items }) => (passed += items) >= half)?.each ?? null;
  }

  /**
   * Milliseconds until `items` more are done, or null before there is enough to say.
   *
   * @param {number} items
   */
  remaining(items) {
    const each = this.#each();
    return each === null ? null : each * items;
  }

  /** How many items to send next. */
  get batch() {
    const last = this.#batches.slice(-3);
    if (last.length === 0) return START;
    const each = last.reduce((sum, { items, milliseconds }) => sum + milliseconds / items, 0) / last.length;
    return Math.min(LARGEST, Math.max(SMALLEST, Math.round(TARGET / each)));
  }
}

/**
 * A time as its two coarsest parts, rounded as befits an estimate.
 *
 * @param {number} milliseconds
 * @returns {{ hours: number, minutes: number, seconds: number }}
 */
export function parts(milliseconds) {
  const seconds = Math.max(1, Math.round(milliseconds / 1000));
  if (seconds < 60) return { hours: 0, minutes: 0, seconds: seconds > 10 ? Math.round(seconds / 5) * 5 : seconds };
  const minutes = Math.round(seconds / 60);
  return { hours: Math.floor(minutes / 60), minutes: minutes % 60, seconds: 0 };
}
