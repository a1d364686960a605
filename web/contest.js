// @ts-check
/** WebGPU or CPU: both are timed on the same texts, and the faster one stays. */
import { inEnglish, reason } from "./backend.js";
import { keep } from "./worker/kept.js";

/**
 * @typedef {import("./protocol.js").Loaded & { trial: { milliseconds: number, key: string } | null }} Timed
 * @typedef {{ link: import("./link.js").WorkerLink, loaded: Timed }} Opened
 */

/**
 * The winner of two backends, whose link stays open; the other's is ended.
 *
 * @param {Opened} first that asks for a measurement
 * @param {(backend: import("./protocol.js").Backend) => Promise<Opened>} openRival in a worker of its own
 * @returns {Promise<Opened>}
 */
export async function holdContest(first, openRival) {
  const rival = await openRival(first.loaded.backend === "webgpu" ? "cpu" : "webgpu").catch(rethrowAbort);
  const contest = rival && timesOf(first.loaded, rival.loaded);
  if (!contest) {
    rival?.link.end(over());
    return first;
  }
  const backend = contest.webgpu <= contest.cpu ? "webgpu" : "cpu";
  const [winner, loser] = first.loaded.backend === backend ? [first, rival] : [rival, first];
  loser.link.end(over());
  const values = { webgpu: round(contest.webgpu), cpu: round(contest.cpu), adapter: first.loaded.adapter ?? "" };
  const why = reason(`measured-${backend}`, values);
  await keep(first.loaded.trial?.key ?? "", { backend, why, measured: contest, version: winner.loaded.info.version });
  const { adapter } = first.loaded;
  return { link: winner.link, loaded: { ...winner.loaded, why, reason: inEnglish(why), adapter, measured: contest } };
}

/**
 * Milliseconds of each; nothing where the rival could not be had and another backend came instead.
 *
 * @param {Timed} a
 * @param {Timed} b
 */
function timesOf(a, b) {
  if (!a.trial || !b.trial || a.backend === b.backend) return null;
  const [webgpu, cpu] = a.backend === "webgpu" ? [a, b] : [b, a];
  return { webgpu: webgpu.trial?.milliseconds ?? 0, cpu: cpu.trial?.milliseconds ?? 0 };
}

/** @param {number} milliseconds */
function round(milliseconds) {
  return milliseconds < 10 ? Math.round(milliseconds * 10) / 10 : Math.round(milliseconds);
}

/**
 * A rival that cannot be had loses; a cancelled load is no contest.
 *
 * @param {unknown} error
 * @returns {null}
 */
function rethrowAbort(error) {
  if (error instanceof DOMException && error.name === "AbortError") throw error;
  return null;
}

function over() {
  return new DOMException("The measurement is over.", "AbortError");
}
