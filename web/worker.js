// @ts-check
/**
 * The worker that owns the scorer.
 *
 * Every message is `{ v: 1, id, type, ... }`; an answer carries the id of its request. The shapes
 * stand in protocol.js.
 *
 * Requests
 *   load       { model, backend, because?, trial? }   `model`: folder of the bundle, relative to
 *                              this file; `backend`: "auto", "webgpu" or "cpu". The client alone
 *                              sends the others: `because`, the `instead` of an error; `trial`, to
 *                              be timed in any case
 *   score      { task }        a `TimedScore`
 *   scoreBatch { tasks }       up to 1,000; a `BatchEntry` for each
 *   profile    { task, own }   task without metric; `own`: own metrics; a `Profile`
 *   explain    { task, part }  "response", "user" or "system"; an `Explanation`
 *   locate     { metric }      `MetricText`; `Neighbours`
 *   map        {}              an `AnchorMap`, or null where the bundle has none
 *   check      {}              a `Check`, or null where the bundle has no golden texts
 *   cancel     { target }      id of a request; has no answer of its own
 *
 * Answers: any number of `progress`, then exactly one `result` or `error`
 *   progress { stage, loaded, total, label }   load only, see `Progress` in protocol.js. The stages:
 *                                probe (look for WebGPU), code (fetch one build), start (compile
 *                                it), download (the bundle, in bytes), verify (hash every byte
 *                                and build the scorer), warm-up, check (golden texts), measure
 *   result   { value }           load: `Loaded` with `trial: { milliseconds, key } | null`, set where a
 *                                measurement of both backends is due
 *   error    { error: { kind, message }, instead? }   `message` is for the user; `instead`: load
 *                                only, the `backend` that may do better and `why`
 * and, unasked and without an id,
 *   alive    {}                  the worker holds a web lock of its own name from now on, until it
 *                                ends for whatever reason
 *   lost     { error }           the scorer died while nothing ran
 *
 * Requests wait in one queue and run one at a time. A cancelled request is answered with kind
 * "cancelled" as soon as it has left the queue or has stopped: long work stops at its next pause,
 * between two layers. After kinds device, memory, panic and trap the scorer is dead and later
 * requests fail with "not-loaded": end the worker, start another.
 *
 * Kinds added to those of the Rust side: cancelled, check, deadline, internal, memory, network,
 * not-loaded, panic, protocol, trap, unsupported, worker. A panic says what went wrong; a trap is a
 * fault of the wasm without such words, and memory is said only where there is none left to get.
 */
import { PROTOCOL, TouchstoneError, isFatal } from "./protocol.js";
import { ACTIONS } from "./worker/actions.js";
import { describe, watch } from "./worker/failure.js";
import { load } from "./worker/load.js";
import { JobQueue } from "./worker/queue.js";

/**
 * @typedef {import("./worker/queue.js").Job} Job
 * @typedef {import("./protocol.js").ErrorBody} ErrorBody
 */

const TYPES = ["load", ...Object.keys(ACTIONS)];

/** @type {import("./worker/scorer.js").WebScorer | null} */
let scorer = null;
/** What ended the scorer, if it died. */
let death = "";

const queue = new JobQueue(run, post);
watch(lose);
self.addEventListener("message", ({ data }) => receive(data));
// Denied in some frames of other sites: a dead worker is noticed by its silence then.
navigator.locks?.request(self.name, holdLock).catch(() => {});

/** Never resolves: the lock goes with the worker. */
function holdLock() {
  self.postMessage({ v: PROTOCOL, type: "alive" });
  return new Promise(() => {});
}

/** @param {any} message */
function receive(message) {
  const id = message?.id;
  if (message?.v !== PROTOCOL) {
    refuse(id, `Messages of version ${message?.v} are not known; this worker speaks version ${PROTOCOL}.`);
  } else if (message.type === "cancel") {
    queue.cancel(message.target);
  } else if (!TYPES.includes(message.type)) {
    refuse(id, `Requests of type “${message.type}” are not known; there are ${TYPES.join(", ")} and cancel.`);
  } else {
    queue.add(id, message);
  }
}

/** @param {Job} job */
async function run(job) {
  try {
    return job.message.type === "load" ? await loadScorer(job) : await act(job);
  } catch (error) {
    const body = describe(error);
    if (isFatal(body.kind)) bury(body);
    throw error;
  }
}

/** @param {Job} job */
async function loadScorer(job) {
  if (scorer) throw new TouchstoneError("protocol", "A worker loads one model in its life; start another for another model.");
  const made = await load(job, (error) => lose(describe(error)));
  scorer = made.scorer;
  return made.loaded;
}

/** @param {Job} job */
async function act(job) {
  if (scorer) return ACTIONS[job.message.type](scorer, job);
  throw new TouchstoneError("not-loaded", `${death || "No model is loaded."} Load the model before scoring.`);
}

/** @param {ErrorBody} error that no request was waiting for */
function lose(error) {
  bury(error);
  self.postMessage({ v: PROTOCOL, type: "lost", error });
}

/** @param {ErrorBody} error */
function bury({ message }) {
  scorer = null;
  death = message;
}

/**
 * @param {unknown} id
 * @param {string} message
 */
function refuse(id, message) {
  post(/** @type {number} */ (id), { type: "error", error: { kind: "protocol", message } });
}

/**
 * @param {number} id
 * @param {object} fields
 */
function post(id, fields) {
  self.postMessage({ v: PROTOCOL, id, ...fields });
}
