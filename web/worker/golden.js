// @ts-check
/** The bundle's golden texts, scored once on each device: whoever computes otherwise is not used. */
import { TouchstoneError } from "../protocol.js";
import { guard } from "./failure.js";
import { keep, recall } from "./kept.js";
import { pauseFor } from "./pause.js";

/**
 * @typedef {import("../protocol.js").Check & { earlier: boolean }} Checked
 * @typedef {import("./scorer.js").WebScorer} WebScorer
 */

/**
 * @param {import("./queue.js").Job} job
 * @param {WebScorer} scorer
 * @param {import("../protocol.js").Build} build
 * @param {string | null} adapter
 * @returns {Promise<Checked | null>} null where the bundle has no golden texts
 */
export async function checkGolden(job, scorer, build, adapter) {
  const { bundle, version } = scorer.info();
  // A browser's update brings another compiler of shaders and wasm.
  const key = ["checked", build, build === "webgpu" ? adapter : "", bundle, version, navigator.userAgent].join(" ");
  const earlier = await recall(key);
  if (earlier) return { ...earlier, earlier: true };
  job.progress("check", "Comparing with the reference scores");
  const check = await runCheck(scorer, job.signal);
  if (!check) return null;
  if (!check.passed) throw disagreement(check);
  await keep(key, check);
  return { ...check, earlier: false };
}

/**
 * @param {WebScorer} scorer
 * @param {AbortSignal} signal
 * @returns {Promise<import("../protocol.js").Check | null>}
 */
export async function runCheck(scorer, signal) {
  const check = await guard(() => scorer.check(pauseFor(signal)));
  return check.passed === null ? null : check;
}

/** @param {import("../protocol.js").Check} check */
function disagreement({ cases, worst }) {
  const off = (/** @type {{ expected: number, found: number }} */ it) => Math.abs(it.found - it.expected);
  // A difference that is no number counts as the largest.
  const { expected, found } = cases.reduce((most, it) => (off(it) <= off(most) ? most : it));
  const detail = `expected ${expected.toFixed(2)}, found ${Number(found).toFixed(2)}, worst difference ${Number(worst).toFixed(2)}`;
  const message = `This device does not compute the scores that were computed when the model was packed (${detail}), so nothing is scored on it.`;
  return Object.assign(new TouchstoneError("check", message), { detail });
}
