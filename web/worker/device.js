// @ts-check
/** The scorer makes its own WebGPU device inside wasm; this hears when one of them is lost. */
import { TouchstoneError } from "../protocol.js";

/**
 * From now on. Call it after the probes, whose devices are given back on purpose.
 *
 * @param {(error: TouchstoneError) => void} onLost
 */
export function watchDevices(onLost) {
  const Adapter = /** @type {any} */ (self).GPUAdapter;
  if (!Adapter) return;
  const { requestDevice } = Adapter.prototype;
  /** @param {any[]} options */
  Adapter.prototype.requestDevice = async function (...options) {
    const device = await requestDevice.apply(this, options);
    device.lost.then((/** @type {any} */ info) => onLost(lost(info)));
    return device;
  };
}

/** @param {{ reason: string, message: string }} info */
function lost({ reason, message }) {
  const why = message || reason || "no reason given";
  return new TouchstoneError("device", `The graphics device was lost (${why.trim().replace(/\.$/, "")}).`);
}
