// @ts-check
/**
 * Who may embed the scorer: `embed.json` beside the page,
 *
 *   { "origins": ["https://tool.example", "http://localhost:3000"] }
 *
 * "self" stands for the page's own origin, "null" for pages without one, such as files. Without
 * the file it is nobody. `touchstone serve --embed-origin` makes it; on a static host it is written
 * by hand.
 */
const LIST = "embed.json";

/**
 * @typedef {object} Embedders
 * @property {ReadonlySet<string>} origins
 * @property {string} problem why the host's list cannot be used, or ""
 */

/** @returns {Promise<Embedders>} */
export async function fetchEmbedders() {
  try {
    const response = await fetch(new URL(`../${LIST}`, import.meta.url), { cache: "no-cache" });
    if (response.status === 404) return nobody("");
    if (!response.ok) return nobody(`the host answered ${response.status}`);
    return parseEmbedders(await response.text(), location.origin);
  } catch (error) {
    return nobody(error instanceof Error ? error.message : String(error));
  }
}

/**
 * @param {string} text of the file
 * @param {string} own the page's own origin
 * @returns {Embedders}
 */
export function parseEmbedders(text, own) {
  let origins;
  try {
    ({ origins } = JSON.parse(text) ?? {});
  } catch {
    return nobody("it is not JSON");
  }
  if (!Array.isArray(origins)) return nobody('it must be { "origins": [ … ] }');
  const wrong = origins.find((origin) => !isOrigin(origin));
  if (wrong !== undefined) return nobody(`${JSON.stringify(wrong)} is no origin such as "https://tool.example"`);
  return { origins: new Set(origins.map((origin) => (origin === "self" ? own : origin))), problem: "" };
}

/** @param {string} why */
function nobody(why) {
  return { origins: /** @type {Set<string>} */ (new Set()), problem: why && `The host's ${LIST} cannot be used: ${why}.` };
}

/** @param {unknown} value as browsers write origins: no path, no wildcard, lower case, no default port */
function isOrigin(value) {
  return value === "self" || value === "null" || (typeof value === "string" && URL.parse(value)?.origin === value);
}
