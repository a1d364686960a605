// @ts-check
/** What can go wrong in the scorer, and how a call into wasm hears of it. */
import { within } from "../backend.js";
import { isFatal } from "../protocol.js";

/** @typedef {import("../protocol.js").ErrorBody} ErrorBody */

/** @type {((error: unknown) => void) | null} ends the call under way: a panic inside a future never settles its promise */
let failCall = null;
/** Words of the last panic; an allocation that fails says nothing before it traps. */
let panicked = "";
/** Of the build that runs. @type {WebAssembly.Memory | undefined} */
let memory;
/** Pages of 64 kB that a scorer with memory left can still get: 16 MB. */
const SOME_PAGES = 256;
/** Address of the build that was opened last. */
let active = "";

/**
 * Hears of panics and lost devices outside of any promise.
 *
 * @param {(error: ErrorBody) => void} onLost hears of those that no call was waiting for
 */
export function watch(onLost) {
  keepPanicMessages();
  self.addEventListener("error", (event) => stray(event, event.error, onLost));
  self.addEventListener("unhandledrejection", (event) => stray(event, event.reason, onLost));
}

/** @param {string} folder address of the build whose failures count from now on */
export function watchBuild(folder) {
  active = folder;
}

/** @param {WebAssembly.Memory | undefined} used by that build */
export function watchMemory(used) {
  memory = used;
}

/**
 * Awaits a call into wasm, which a panic or a lost device ends from outside.
 *
 * @template T
 * @param {() => Promise<T>} call
 * @param {number} [deadline] milliseconds
 * @returns {Promise<T>}
 */
export async function guard(call, deadline) {
  panicked = "";
  const failed = /** @type {Promise<never>} */ (new Promise((_, reject) => (failCall = reject)));
  failed.catch(() => {});
  try {
    const done = Promise.race([call(), failed]);
    return await (deadline ? within(deadline, done) : done);
  } finally {
    failCall = null;
  }
}

/**
 * Fails the call under way.
 *
 * @param {unknown} error
 * @returns {boolean} whether there was one
 */
export function fail(error) {
  failCall?.(error);
  return failCall !== null;
}

/** The standard library's hook prints a panic before the trap. */
function keepPanicMessages() {
  const print = console.error;
  console.error = (...words) => {
    const found = /^panicked at [^\n]*\n[^\n]*/.exec(String(words[0]));
    if (found) panicked = found[0].replace("\n", " ");
    print.apply(console, words);
  };
}

/**
 * An error nobody caught. From wasm it is a panic, dealt with here; any other exception reaches
 * the client as the worker's `error` event.
 *
 * @param {Event} event
 * @param {unknown} error
 * @param {(error: ErrorBody) => void} onLost
 */
function stray(event, error, onLost) {
  const body = describe(error);
  if (!isFatal(body.kind)) return;
  event.preventDefault();
  if (isFromAbandonedBuild(error)) return;
  if (!fail(error)) onLost(body);
}

/** @param {unknown} error whether it comes late, from the build that a fallback left behind */
function isFromAbandonedBuild(error) {
  const builds = error instanceof Error && error.stack?.match(/[^\s(]*\/wasm\/\w+\//g);
  return builds ? !builds.includes(active) : false;
}

/**
 * @param {unknown} error
 * @returns {ErrorBody}
 */
export function describe(error) {
  const { name, kind, message, wording } = /** @type {any} */ (error) ?? {};
  if (name === "TouchstoneError") return { kind, message, ...(wording && { wording }) };
  if (name === "AbortError") return { kind: "cancelled", message: "The request was cancelled." };
  if (isOutOfMemory(error)) {
    return { kind: "memory", message: `The browser has no memory left for the model (${message}).` };
  }
  if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) {
    if (panicked) return { kind: "panic", message: `The scorer stopped unexpectedly (${panicked}).` };
    return { kind: "trap", message: `The scorer stopped and left no reason (${message}).` };
  }
  return { kind: "internal", message: message ?? String(error) };
}

/**
 * An allocation that wasm cannot have traps at `unreachable` without the words of a panic, as other
 * faults may: it counts as one only where there is no memory left to get.
 *
 * @param {unknown} error
 */
function isOutOfMemory(error) {
  if (error instanceof RangeError) return /memory|alloc/i.test(error.message);
  return error instanceof WebAssembly.RuntimeError && /unreachable/.test(error.message) && !panicked && !canGrow();
}

/** Whether the dead scorer could have had more memory, as far as is known. */
function canGrow() {
  try {
    memory?.grow(SOME_PAGES);
    return true;
  } catch {
    return false;
  }
}
