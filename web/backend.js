// @ts-check
/** Which backend can run here, and why. */
import { TouchstoneError } from "./protocol.js";

/** A headless or virtual GPU may never answer. */
const PROBE_DEADLINE = 2_000;
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|microsoft basic|basic render/i;

/** The smallest module with a SIMD instruction: one function that returns `i32x4.splat(0)`. */
// prettier-ignore
const SIMD_MODULE = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, // magic, version 1
  0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b,       // types: () -> v128
  0x03, 0x02, 0x01, 0x00,                         // functions: one, of type 0
  0x0a, 0x08, 0x01, 0x06, 0x00,                   // code: one body of 6 bytes, no locals
  0x41, 0x00, 0xfd, 0x11, 0x0b,                   // i32.const 0, i32x4.splat, end
]);

/** Refuses a browser that cannot run either build. */
export function requireWasm() {
  if (typeof WebAssembly !== "object") {
    throw new TouchstoneError("unsupported", "WebAssembly is missing or switched off in this browser.");
  }
  if (!WebAssembly.validate(SIMD_MODULE)) {
    throw new TouchstoneError("unsupported", "This browser's WebAssembly has no SIMD instructions, which the model needs.");
  }
}

/**
 * @typedef {import("./protocol.js").Backend} Backend
 *
 * @typedef {object} Choice
 * @property {Backend} backend
 * @property {import("./protocol.js").Wording} why
 * @property {string | null} adapter
 * @property {boolean} open whether both backends may run here, so that a measurement decides
 * @property {boolean} [plain] whether the CPU build with relaxed SIMD has failed here
 */

/** Why a backend runs, in English; `worker.reason.*` of the message files say the same. */
export const REASONS = Object.freeze({
  "cpu-by-hand": "The CPU was chosen by hand.",
  "webgpu-by-hand": "WebGPU was chosen by hand (adapter: {adapter}).",
  "no-webgpu": "This browser has no WebGPU, so the CPU runs.",
  insecure: "WebGPU needs a secure (https) page, so the CPU runs.",
  "no-adapter": "WebGPU found no graphics adapter, so the CPU runs.",
  "probe-failed": "WebGPU gave no adapter ({detail}), so the CPU runs.",
  software: "WebGPU has only a software adapter here ({adapter}); the CPU is faster.",
  "no-device": "The graphics adapter ({adapter}) gave no device ({detail}), so the CPU runs.",
  present: "A graphics adapter with WebGPU is present ({adapter}).",
  "measured-webgpu": "The same texts took {webgpu} ms on WebGPU and {cpu} ms on the CPU here, so WebGPU runs (adapter: {adapter}).",
  "measured-cpu": "The same texts took {cpu} ms on the CPU and {webgpu} ms on WebGPU here, so the CPU runs.",
  "not-loaded": "The {failed} build could not be loaded ({detail}), so the {name} build runs.",
  "not-started": "The {failed} build could not be started ({detail}), so the {name} build runs.",
  "failed-check": "{failed} gave other scores than the reference on this device ({detail}), so the {name} build runs.",
  lost: "WebGPU was lost twice in a row ({detail}), so the CPU runs.",
});

/**
 * @param {keyof typeof REASONS} name
 * @param {Record<string, string | number>} [values]
 * @returns {import("./protocol.js").Wording}
 */
export function reason(name, values = {}) {
  return { key: `worker.reason.${name}`, values };
}

/** @param {import("./protocol.js").Wording} why */
export function inEnglish({ key, values }) {
  const text = REASONS[/** @type {keyof typeof REASONS} */ (key.replace("worker.reason.", ""))];
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/**
 * @param {import("./protocol.js").BackendChoice} wanted `webgpu` takes a software adapter too
 * @returns {Promise<Choice>}
 */
export async function chooseBackend(wanted) {
  if (wanted === "cpu") return cpu("cpu-by-hand");
  const probe = await probeWebGpu();
  if ("missing" in probe) return { backend: "cpu", why: probe.missing, adapter: null, open: false };
  const { name: adapter } = probe;
  if (wanted === "webgpu") {
    return { backend: "webgpu", why: reason("webgpu-by-hand", { adapter }), adapter, open: false };
  }
  if (probe.software) return cpu("software", { adapter });
  const detail = await whyNoDevice();
  if (detail) return cpu("no-device", { adapter, detail });
  return { backend: "webgpu", why: reason("present", { adapter }), adapter, open: true };
}

/**
 * @param {keyof typeof REASONS} why
 * @param {{ adapter?: string, detail?: string }} [values]
 * @returns {Choice}
 */
function cpu(why, values = {}) {
  return { backend: "cpu", why: reason(why, values), adapter: values.adapter ?? null, open: false };
}

/** @returns {Promise<{ missing: import("./protocol.js").Wording } | { name: string, software: boolean }>} */
async function probeWebGpu() {
  const gpu = /** @type {any} */ (navigator).gpu;
  if (!gpu) return { missing: reason(self.isSecureContext ? "no-webgpu" : "insecure") };
  try {
    const adapter = await within(PROBE_DEADLINE, gpu.requestAdapter());
    if (!adapter) return { missing: reason("no-adapter") };
    return describe(adapter);
  } catch (error) {
    return { missing: reason("probe-failed", { detail: text(error) }) };
  }
}

/**
 * Asks for a device and gives it back. A device whose maker never answers would block the load.
 *
 * @returns {Promise<string>} what stands against it, or ""
 */
async function whyNoDevice() {
  try {
    const asked = /** @type {any} */ (navigator).gpu.requestAdapter().then((/** @type {any} */ it) => it.requestDevice());
    (await within(PROBE_DEADLINE, asked)).destroy();
    return "";
  } catch (error) {
    return text(error);
  }
}

/** @param {any} adapter */
function describe(adapter) {
  const info = adapter.info ?? {};
  const words = [info.vendor, info.architecture, info.device, info.description].filter(Boolean);
  return {
    name: [...new Set(words)].join(" ") || "unnamed",
    software: Boolean(info.isFallbackAdapter ?? adapter.isFallbackAdapter) || SOFTWARE.test(words.join(" ")),
  };
}

/** @param {unknown} error */
function text(error) {
  return error instanceof Error ? error.message : String(error);
}

/**
 * The promise, or a rejection after `milliseconds`.
 *
 * @template T
 * @param {number} milliseconds
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
export async function within(milliseconds, promise) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    const message = `no answer within ${milliseconds / 1000} seconds`;
    timer = setTimeout(() => reject(new TouchstoneError("deadline", message)), milliseconds);
  });
  try {
    return await Promise.race([promise, /** @type {Promise<never>} */ (late)]);
  } finally {
    clearTimeout(timer);
  }
}
