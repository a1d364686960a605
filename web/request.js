// @ts-check
/** A request to the host whose failures are told in words. */
import { TouchstoneError } from "./protocol.js";

/**
 * @param {string} url
 * @param {string} name
 * @param {RequestInit & { signal: AbortSignal }} options
 */
export async function request(url, name, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    throw broken(error, name, options.signal);
  }
  if (response.ok) return response;
  const status = [response.status, response.statusText].filter(Boolean).join(" ");
  throw Object.assign(new TouchstoneError("network", `The host answered ${status} for ${name}.`), { status });
}

/**
 * @param {unknown} error
 * @param {string} name
 * @param {AbortSignal} signal
 */
export function broken(error, name, signal) {
  if (signal.aborted || error instanceof TouchstoneError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new TouchstoneError("network", `The download of ${name} failed (${why}).`);
}
