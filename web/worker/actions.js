// @ts-check
/** What a loaded scorer does for each request. */
import { checkBatch, checkConversation, checkMetric, checkOwnMetrics, checkPart, checkTask } from "./checks.js";
import { describe, guard } from "./failure.js";
import { runCheck } from "./golden.js";
import { pauseFor } from "./pause.js";

/**
 * @typedef {import("./queue.js").Job} Job
 * @typedef {import("./scorer.js").WebScorer} WebScorer
 * @typedef {(scorer: WebScorer, job: Job) => Promise<any>} Action
 */

/** @type {Record<string, Action>} */
export const ACTIONS = { score, scoreBatch, profile, explain, locate, map, check };

/** @type {Action} */
async function score(scorer, { message, signal }) {
  const task = checkTask(message.task);
  return timed(() => scorer.score(task, pauseFor(signal)));
}

/**
 * A task that is no task leaves an error in its place and does not hold up the others.
 *
 * @type {Action}
 */
async function scoreBatch(scorer, { message, signal }) {
  const entries = checkBatch(message.tasks).map(checked);
  const good = entries.flatMap((entry) => ("task" in entry ? [entry.task] : []));
  const started = performance.now();
  const found = await guard(() => scorer.score_batch(good, pauseFor(signal)));
  const milliseconds = (performance.now() - started) / Math.max(1, good.length);
  const scores = found.map((entry) => ("error" in entry ? { error: entry.error } : { ...entry, milliseconds }));
  return entries.map((entry) => ("task" in entry ? scores.shift() : entry));
}

/**
 * @param {any} task
 * @returns {{ task: import("../protocol.js").Task } | { error: import("../protocol.js").ErrorBody }}
 */
function checked(task) {
  try {
    return { task: checkTask(task) };
  } catch (error) {
    return { error: describe(error) };
  }
}

/** @type {Action} */
async function profile(scorer, { message, signal }) {
  const [task, own] = [checkConversation(message.task), checkOwnMetrics(message.own)];
  return timed(() => scorer.profile(task, own, pauseFor(signal)));
}

/** @type {Action} */
async function explain(scorer, { message, signal }) {
  const [task, part] = [checkTask(message.task), checkPart(message.part)];
  return timed(() => scorer.explain(task, part, pauseFor(signal)));
}

/** @type {Action} */
async function locate(scorer, { message, signal }) {
  const metric = checkMetric(message.metric);
  return guard(() => scorer.locate(metric, pauseFor(signal)));
}

/** @type {Action} */
async function map(scorer) {
  return guard(async () => scorer.map());
}

/** @type {Action} */
async function check(scorer, { signal }) {
  return runCheck(scorer, signal);
}

/**
 * @param {() => Promise<object>} call
 * @returns {Promise<object>}
 */
async function timed(call) {
  const started = performance.now();
  const value = await guard(call);
  return { ...value, milliseconds: performance.now() - started };
}
