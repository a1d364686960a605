// @ts-check
/**
 * From a request to a scorer that runs, on one backend. A backend that cannot be had or that
 * computes wrong scores fails the load and names the other one: the client tries that in a fresh
 * worker, since wasm memory never shrinks.
 */
import { chooseBackend, inEnglish, reason, requireWasm } from "../backend.js";
import { fetchManifest } from "../bundle-manifest.js";
import { fetchFiles } from "../download.js";
import { TouchstoneError } from "../protocol.js";
import { checkLoad } from "./checks.js";
import { watchDevices } from "./device.js";
import { describe, fail, guard, watchBuild, watchMemory } from "./failure.js";
import { checkGolden } from "./golden.js";
import { recall } from "./kept.js";
import { relaxedPays } from "./relaxed.js";
import { timeBatch } from "./trial.js";

/**
 * @typedef {import("../protocol.js").Build} Build
 * @typedef {import("../backend.js").Choice} Choice
 * @typedef {import("../bundle-manifest.js").Manifest} Manifest
 * @typedef {import("./queue.js").Job} Job
 * @typedef {import("./scorer.js").WebScorer} WebScorer
 * @typedef {import("./scorer.js").ScorerClass} ScorerClass
 *
 * @typedef {{ scorer: WebScorer, loaded: object }} Outcome
 */

const NAMES = { webgpu: "WebGPU", cpu: "CPU", "cpu-relaxed": "CPU (relaxed SIMD)" };
/** A device may hang at start or at its first shader. */
const DEVICE_DEADLINE = 120_000;
/** Kinds of error that lie in the bundle or the host itself: another backend would fail alike. */
const SHARED_FAULTS = ["hash", "format", "version", "shape", "cancelled"];

/**
 * @param {Job} job
 * @param {(error: TouchstoneError) => void} onLost hears of a lost device while nothing runs
 * @returns {Promise<Outcome>}
 */
export async function load(job, onLost) {
  const request = checkLoad(job.message);
  requireWasm();
  job.progress("probe", "Looking for a graphics adapter");
  const choice = request.because ?? (await chooseBackend(request.backend));
  const manifest = await fetchManifest(request.model, job.signal);
  const record = choice.open ? await recall(recordKey(choice, manifest)) : undefined;
  const backend = record?.backend ?? choice.backend;
  const build = backend === "cpu" && !choice.plain && relaxedPays() ? "cpu-relaxed" : backend;
  if (backend === "webgpu") watchDevices((error) => fail(error) || onLost(error));
  const { scorer, check } = await attempt(build, choice, () => start(job, build, choice, manifest));
  const info = scorer.info();
  const stale = choice.open && record?.version !== info.version;
  const trial = stale || request.trial ? await measure(job, scorer, recordKey(choice, manifest)) : null;
  const why = record && !stale ? record.why : choice.why;
  const loaded = { backend, build, why, reason: inEnglish(why), adapter: choice.adapter, check, info, trial };
  return { scorer, loaded: { ...loaded, measured: stale ? null : (record?.measured ?? null), notice: choice.notice ?? null } };
}

/**
 * @param {Choice} choice
 * @param {Manifest} manifest
 */
function recordKey(choice, manifest) {
  return `measured ${choice.adapter} ${manifest.id}`;
}

/**
 * Puts another build into the error, where that may do better.
 *
 * @template T
 * @param {Build} build
 * @param {Choice & { last?: boolean }} choice
 * @param {() => Promise<T>} work
 */
async function attempt(build, choice, work) {
  try {
    return await work();
  } catch (error) {
    const { kind } = describe(error);
    const isLast = build !== "cpu-relaxed" && (choice.last || (build === "cpu" && !choice.open));
    if (isLast || SHARED_FAULTS.includes(kind)) throw error;
    throw Object.assign(/** @type {Error} */ (error), { instead: instead(build, choice, error) });
  }
}

/**
 * @param {Build} failed
 * @param {Choice & { notice?: object | null }} choice
 * @param {unknown} error
 */
function instead(failed, { adapter, notice: earlier = null }, error) {
  const backend = failed === "cpu" ? "webgpu" : "cpu";
  const { kind, message } = describe(error);
  const what = kind === "network" ? "not-loaded" : kind === "check" ? "failed-check" : "not-started";
  const detail = /** @type {any} */ (error).detail ?? message.replace(/\.$/, "");
  const why = reason(what, { failed: NAMES[failed], name: NAMES[backend], detail });
  const notice = what === "failed-check" ? why : earlier;
  return { backend, why, adapter, open: false, plain: failed === "cpu-relaxed", last: true, notice };
}

/**
 * @param {Job} job
 * @param {Build} build
 * @param {Choice} choice
 * @param {Manifest} manifest
 */
async function start(job, build, choice, manifest) {
  const scorers = await openBuild(job, build);
  const files = await fetchFiles(manifest, {
    signal: job.signal,
    onProgress: (loaded, total, name, kept) =>
      job.progress("download", kept ? `Reading ${name}, kept from an earlier visit` : `Downloading ${name}`, loaded, total),
  });
  const scorer = await makeScorer(job, scorers, build, manifest, files);
  const check = await checkGolden(job, scorer, build, choice.adapter);
  return { scorer, check };
}

/**
 * Loads one build; the others' files are never fetched.
 *
 * @param {Job} job
 * @param {Build} build
 * @returns {Promise<ScorerClass>}
 */
async function openBuild(job, build) {
  job.signal.throwIfAborted();
  const folder = new URL(`../wasm/${build}/`, import.meta.url);
  watchBuild(folder.href);
  job.progress("code", `Fetching the ${NAMES[build]} build`);
  let code;
  try {
    code = await import(new URL("touchstone.js", folder).href);
  } catch {
    throw new TouchstoneError("network", `wasm/${build}/touchstone.js could not be fetched from this host.`);
  }
  job.progress("start", `Starting the ${NAMES[build]} build`);
  try {
    const exports = await code.default({ module_or_path: new URL("touchstone_bg.wasm", folder) });
    watchMemory(exports?.memory);
  } catch (error) {
    const { kind, message } = describe(error);
    if (kind !== "internal") throw error;
    throw new TouchstoneError("network", `wasm/${build}/touchstone_bg.wasm could not be started (${message}).`);
  }
  return code.WebScorer;
}

/**
 * @param {Job} job
 * @param {ScorerClass} scorers
 * @param {Build} build
 * @param {Manifest} manifest
 * @param {Record<string, Uint8Array>} files emptied: each is freed as soon as wasm has its copy
 */
async function makeScorer(job, scorers, build, manifest, files) {
  job.signal.throwIfAborted();
  job.progress("verify", "Checking every byte of the model");
  const deadline = build === "webgpu" ? DEVICE_DEADLINE : undefined;
  try {
    const made = await guard(() => scorers.load(manifest.bytes, files), deadline);
    job.signal.throwIfAborted();
    job.progress("warm-up", `Warming up on ${NAMES[build]}`);
    await guard(() => made.warm_up(), deadline);
    return made;
  } catch (error) {
    if (describe(error).kind === "hash") await manifest.forget();
    throw error;
  }
}

/**
 * @param {Job} job
 * @param {WebScorer} scorer
 * @param {string} key
 */
async function measure(job, scorer, key) {
  job.progress("measure", "Measuring the speed of both backends");
  const milliseconds = await timeBatch(scorer, job.signal);
  return milliseconds === null ? null : { milliseconds, key };
}
