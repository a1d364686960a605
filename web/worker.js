// @ts-check
/**
 * The worker that owns the scorer.
 *
 * Every message is `{ v: 1, id, type, ... }`; an answer carries the id of its request.
 *
 * Requests
 *   load    { model, backend }   `model`: folder of the bundle, relative to this file; `backend`:
 *                                "auto", "webgpu" or "cpu"
 *   score   { task }             see `Task` in protocol.js
 *   cancel  { target }           id of a request; has no answer of its own
 *
 * Answers: any number of `progress`, then exactly one `result` or `error`
 *   progress { stage, loaded, total, label }   load only, see `Progress` in protocol.js. The stages:
 *                                probe (look for WebGPU), code (fetch one build), start (compile
 *                                it), download (the bundle, in bytes), verify (hash every byte
 *                                and build the scorer), warm-up. A fallback repeats some
 *   result   { value }           load: `Loaded`; score: `TimedScore`
 *   error    { error: { kind, message } }      `message` is for the user
 *
 * Requests wait in one queue and run one at a time. A cancelled request is answered at once with
 * an error of kind "cancelled": it leaves the queue, or, if running, stops downloading and has
 * its result dropped. After a panic of the wasm code the scorer is dead: the request fails with
 * kind "panic", later ones with "not-loaded", until `load` is called again.
 *
 * Kinds added to those of the Rust side: cancelled, deadline, internal, memory, not-loaded, panic,
 * protocol.
 */
import { chooseBackend, requireWasm, within } from "./backend.js";
import { fetchBundle } from "./download.js";
import { PROTOCOL, TouchstoneError } from "./protocol.js";

/**
 * @typedef {import("./protocol.js").Backend} Backend
 * @typedef {import("./protocol.js").Task} Task
 * @typedef {import("./protocol.js").Progress} Progress
 * @typedef {import("./download.js").Bundle} Bundle
 *
 * @typedef {object} WebScorer
 * @property {(task: Task) => Promise<import("./protocol.js").Score>} score
 * @property {() => Promise<void>} warm_up
 * @property {() => any} info
 * @property {() => void} free
 *
 * @typedef {{ load: (manifest: Uint8Array, files: Record<string, Uint8Array>) => Promise<WebScorer> }} ScorerClass
 *
 * @typedef {{ id: number, message: any, abort: AbortController, answered: boolean }} Job
 */

const NAMES = { webgpu: "WebGPU", cpu: "CPU" };
/** A device may hang at start or at its first shader. */
const DEVICE_DEADLINE = 120_000;
/** Bytes of UTF-8 in one text. */
const TEXT_LIMIT = 1_000_000;
/** Kinds of error that lie in the bundle itself. */
const BUNDLE_FAULTS = ["hash", "format", "version", "shape"];

const HANDLERS = { load, score };

/** @type {Job[]} */
const queue = [];
/** @type {Job | null} */
let running = null;
/** @type {WebScorer | null} */
let scorer = null;
/** What ended the last scorer, if it died. */
let death = "";
/** @type {Backend} the build that was opened last */
let active = "cpu";
/** @type {((error: unknown) => void) | null} ends the wasm call under way: a panic inside its future never settles the promise */
let failCall = null;

self.addEventListener("message", ({ data }) => receive(data));
self.addEventListener("error", (event) => onStray(event, event.error));
self.addEventListener("unhandledrejection", (event) => onStray(event, event.reason));

// --- Queue ---

/** @param {any} message */
function receive(message) {
  const id = message?.id;
  if (message?.v !== PROTOCOL) {
    refuse(id, `Messages of version ${message?.v} are not known; this worker speaks version ${PROTOCOL}.`);
  } else if (message.type === "cancel") {
    cancel(message.target);
  } else if (!Object.hasOwn(HANDLERS, message.type)) {
    refuse(id, `Requests of type “${message.type}” are not known; there are load, score and cancel.`);
  } else {
    queue.push({ id, message, abort: new AbortController(), answered: false });
    runNext();
  }
}

async function runNext() {
  if (running) return;
  const job = queue.shift();
  if (!job) return;
  running = job;
  try {
    const handler = HANDLERS[/** @type {keyof typeof HANDLERS} */ (job.message.type)];
    answer(job, { type: "result", value: await handler(job) });
  } catch (error) {
    answer(job, { type: "error", error: describe(error) });
  }
  running = null;
  runNext();
}

/** @param {number} target */
function cancel(target) {
  const job = running?.id === target ? running : queue.find(({ id }) => id === target);
  if (!job) return;
  if (job !== running) queue.splice(queue.indexOf(job), 1);
  answer(job, { type: "error", error: { kind: "cancelled", message: "The request was cancelled." } });
  job.abort.abort();
}

/**
 * @param {Job} job
 * @param {object} fields
 */
function answer(job, fields) {
  if (job.answered) return;
  job.answered = true;
  post(job.id, fields);
}

/**
 * @param {unknown} id
 * @param {string} message
 */
function refuse(id, message) {
  post(id, { type: "error", error: { kind: "protocol", message } });
}

/**
 * @param {unknown} id
 * @param {object} fields
 */
function post(id, fields) {
  self.postMessage({ v: PROTOCOL, id, ...fields });
}

/**
 * @param {Job} job
 * @param {Progress["stage"]} stage
 * @param {string} label
 */
function progress(job, stage, label, loaded = 0, total = 0) {
  if (!job.answered) post(job.id, { type: "progress", stage, loaded, total, label });
}

// --- Load ---

/**
 * @param {Job} job
 * @returns {Promise<import("./protocol.js").Loaded>}
 */
async function load(job) {
  const started = performance.now();
  const { model, backend: wanted } = checkLoad(job.message);
  release();
  requireWasm();
  progress(job, "probe", "Looking for a graphics adapter");
  let choice = await chooseBackend(wanted);
  let build;
  if (choice.backend === "webgpu") {
    try {
      build = await openBuild(job, "webgpu");
    } catch (error) {
      choice = fallBack(job, "could not be loaded", error);
    }
  }
  build ??= await openBuild(job, "cpu");
  const bundle = await download(job, model);
  let made;
  if (choice.backend === "webgpu") {
    try {
      made = await makeScorer(job, build, "webgpu", bundle);
    } catch (error) {
      if (isBundleFault(error)) throw error;
      choice = fallBack(job, "could not be started", error);
      build = await openBuild(job, "cpu");
    }
  }
  made ??= await makeScorer(job, build, "cpu", bundle);
  job.abort.signal.throwIfAborted();

  scorer = made;
  return { ...choice, info: scorer.info(), seconds: (performance.now() - started) / 1000 };
}

/** @param {any} message */
function checkLoad({ model, backend }) {
  if (!["auto", "webgpu", "cpu"].includes(backend)) {
    throw new TouchstoneError("protocol", `Backend “${backend}” is not known; there are auto, webgpu and cpu.`);
  }
  if (typeof model !== "string") throw new TouchstoneError("protocol", "The folder of the model must be given as text.");
  return { backend, model: new URL(model.replace(/\/?$/, "/"), import.meta.url) };
}

/** Lets go of the scorer. Its module keeps its wasm memory: a fresh worker is the thorough way. */
function release() {
  try {
    scorer?.free();
  } catch {
    // A scorer that cannot be freed is dropped all the same.
  }
  scorer = null;
  death = "";
}

/**
 * @param {Job} job
 * @param {string} what
 * @param {unknown} error
 * @returns {{ backend: Backend, reason: string }}
 */
function fallBack(job, what, error) {
  job.abort.signal.throwIfAborted();
  const why = describe(error).message.replace(/\.$/, "");
  return { backend: "cpu", reason: `The WebGPU build ${what} (${why}), so the CPU runs.` };
}

/**
 * Loads one build; the other one's file is never fetched.
 *
 * @param {Job} job
 * @param {Backend} backend
 * @returns {Promise<ScorerClass>}
 */
async function openBuild(job, backend) {
  job.abort.signal.throwIfAborted();
  active = backend;
  const folder = new URL(`wasm/${backend}/`, import.meta.url);
  progress(job, "code", `Fetching the ${NAMES[backend]} build`);
  let code;
  try {
    code = await import(new URL("touchstone.js", folder).href);
  } catch {
    throw new TouchstoneError("network", `wasm/${backend}/touchstone.js could not be fetched from this host.`);
  }
  progress(job, "start", `Starting the ${NAMES[backend]} build`);
  try {
    await code.default({ module_or_path: new URL("touchstone_bg.wasm", folder) });
  } catch (error) {
    const { kind, message } = describe(error);
    if (kind !== "internal") throw error;
    throw new TouchstoneError("network", `wasm/${backend}/touchstone_bg.wasm could not be started (${message}).`);
  }
  return code.WebScorer;
}

/**
 * @param {Job} job
 * @param {URL} model
 */
function download(job, model) {
  return fetchBundle(model, {
    signal: job.abort.signal,
    onProgress: (loaded, total, name, kept) =>
      progress(job, "download", kept ? `Reading ${name}, kept from an earlier visit` : `Downloading ${name}`, loaded, total),
  });
}

/**
 * @param {Job} job
 * @param {ScorerClass} build
 * @param {Backend} backend
 * @param {Bundle} bundle
 */
async function makeScorer(job, build, backend, bundle) {
  job.abort.signal.throwIfAborted();
  progress(job, "verify", "Checking every byte of the model");
  const deadline = backend === "webgpu" ? DEVICE_DEADLINE : undefined;
  try {
    // The scorer empties the record, which frees each file as soon as wasm has its copy. WebGPU gets
    // a copy of the record, since a fallback needs the files again.
    const files = backend === "cpu" ? bundle.files : { ...bundle.files };
    const made = await guard(() => build.load(bundle.manifest, files), deadline);
    job.abort.signal.throwIfAborted();
    progress(job, "warm-up", `Warming up on ${NAMES[backend]}`);
    await guard(() => made.warm_up(), deadline);
    return made;
  } catch (error) {
    if (isBundleFault(error)) await bundle.forget();
    throw error;
  }
}

/** @param {unknown} error whether the other build would fail the same way */
function isBundleFault(error) {
  return BUNDLE_FAULTS.includes(describe(error).kind);
}

// --- Score ---

/**
 * @param {Job} job
 * @returns {Promise<import("./protocol.js").TimedScore>}
 */
async function score({ message }) {
  const loaded = scorer;
  if (!loaded) {
    throw new TouchstoneError("not-loaded", `${death || "No model is loaded."} Load the model before scoring.`);
  }
  const task = checkTask(message.task);
  const started = performance.now();
  try {
    const value = await guard(() => loaded.score(task));
    return { ...value, milliseconds: performance.now() - started };
  } catch (error) {
    if (isFatal(error)) bury(error);
    throw error;
  }
}

/**
 * @param {any} task
 * @returns {Task}
 */
function checkTask(task) {
  const texts = {
    metric: checkText("metric's name", task?.metric),
    user: checkText("prompt", task?.user),
    response: checkText("answer", task?.response),
  };
  return {
    ...texts,
    ...(task.definition != null && { definition: checkText("metric's definition", task.definition) }),
    ...(task.system != null && { system: checkText("system prompt", task.system) }),
  };
}

/**
 * @param {string} what
 * @param {unknown} text
 */
function checkText(what, text) {
  if (typeof text !== "string") throw new TouchstoneError("input", `The ${what} is missing or is not text.`);
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > TEXT_LIMIT) {
    const found = `${bytes.length.toLocaleString("en")} bytes (${(bytes.length / 1e6).toFixed(1)} MB)`;
    throw new TouchstoneError("input", `The ${what} is too long: ${found}, where at most 1,000,000 bytes (1 MB) are read.`);
  }
  // Half a surrogate pair is not text for Rust: `encode` replaced it, as `toWellFormed` would.
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

// --- Failure ---

/**
 * Awaits a call into wasm, which a panic ends from outside (see `onStray`).
 *
 * @template T
 * @param {() => Promise<T>} call
 * @param {number} [deadline] milliseconds
 * @returns {Promise<T>}
 */
async function guard(call, deadline) {
  const panic = /** @type {Promise<never>} */ (new Promise((_, reject) => (failCall = reject)));
  try {
    const done = Promise.race([call(), panic]);
    return await (deadline ? within(deadline, done) : done);
  } finally {
    failCall = null;
  }
}

/**
 * An error nobody caught. From wasm it is a panic, dealt with here; any other exception reaches
 * the client as the worker's `error` event.
 *
 * @param {Event} event
 * @param {unknown} error
 */
function onStray(event, error) {
  if (!isFatal(error)) return;
  event.preventDefault();
  if (isFromAbandonedBuild(error)) return;
  if (failCall) failCall(error);
  else bury(error);
}

/** @param {unknown} error whether it comes late, from the build that a fallback left behind */
function isFromAbandonedBuild(error) {
  const other = active === "cpu" ? "webgpu" : "cpu";
  return error instanceof Error && Boolean(error.stack?.includes(`/wasm/${other}/`));
}

/** @param {unknown} error */
function bury(error) {
  scorer = null;
  death = describe(error).message;
}

/** @param {unknown} error whether the scorer cannot be used after it */
function isFatal(error) {
  const kind = describe(error).kind;
  return kind === "panic" || kind === "memory" || kind === "device";
}

/**
 * @param {unknown} error
 * @returns {import("./protocol.js").ErrorBody}
 */
function describe(error) {
  const { name, kind, message } = /** @type {any} */ (error) ?? {};
  if (name === "TouchstoneError") return { kind, message };
  if (name === "AbortError") return { kind: "cancelled", message: "The request was cancelled." };
  if (error instanceof RangeError && /memory|alloc/i.test(message)) {
    return { kind: "memory", message: `The browser has no memory left for the model (${message}).` };
  }
  if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) {
    return { kind: "panic", message: `The scorer stopped unexpectedly (${message}).` };
  }
  return { kind: "internal", message: message ?? String(error) };
}
