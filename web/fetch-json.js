// @ts-check
import { TouchstoneError } from "./protocol.js";

/**
 * A JSON file that lies beside the page.
 *
 * @param {string} file
 * @returns {Promise<any>}
 */
export async function fetchJson(file) {
  let response;
  try {
    response = await fetch(new URL(file, import.meta.url));
  } catch {
    throw new TouchstoneError("network", `${file} could not be fetched.`);
  }
  if (!response.ok) throw new TouchstoneError("network", `The host answered ${response.status} for ${file}.`);
  return response.json();
}
