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
 * @param {import("./protocol.js").BackendChoice} wanted `webgpu` takes a software adapter too
 * @returns {Promise<{ backend: import("./protocol.js").Backend, reason: string }>}
 */
export async function chooseBackend(wanted) {
  if (wanted === "cpu") return { backend: "cpu", reason: "The CPU was chosen by hand." };
  const probe = await probeWebGpu();
  if ("missing" in probe) return { backend: "cpu", reason: probe.missing };
  if (wanted === "webgpu") {
    return { backend: "webgpu", reason: `WebGPU was chosen by hand (adapter: ${probe.name}).` };
  }
  if (probe.software) {
    return { backend: "cpu", reason: `WebGPU has only a software adapter here (${probe.name}); the CPU is faster.` };
  }
  if (!probe.timestamps) {
    return { backend: "cpu", reason: `The WebGPU adapter (${probe.name}) lacks timestamp queries, which the scorer needs.` };
  }
  return { backend: "webgpu", reason: `A graphics adapter with WebGPU is present (${probe.name}).` };
}

/** @returns {Promise<{ missing: string } | { name: string, software: boolean, timestamps: boolean }>} */
async function probeWebGpu() {
  const gpu = /** @type {any} */ (navigator).gpu;
  if (!gpu) {
    const why = self.isSecureContext ? "This browser has no WebGPU" : "WebGPU needs a secure (https) page";
    return { missing: `${why}, so the CPU runs.` };
  }
  try {
    const adapter = await within(PROBE_DEADLINE, gpu.requestAdapter());
    if (!adapter) return { missing: "WebGPU found no graphics adapter, so the CPU runs." };
    return describe(adapter);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { missing: `WebGPU gave no adapter (${why}), so the CPU runs.` };
  }
}

/** @param {any} adapter */
function describe(adapter) {
  const info = adapter.info ?? {};
  const words = [info.vendor, info.architecture, info.device, info.description].filter(Boolean);
  return {
    name: [...new Set(words)].join(" ") || "unnamed",
    software: Boolean(info.isFallbackAdapter ?? adapter.isFallbackAdapter) || SOFTWARE.test(words.join(" ")),
    timestamps: adapter.features.has("timestamp-query"),
  };
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
