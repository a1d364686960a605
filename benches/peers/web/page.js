// @ts-check
/**
 * What browser.mjs calls: `ask(request)`, answered by a worker; `first(order)`, from nothing to a first result; and
 * `adapter()`.
 */

/** @type {Worker | undefined} */
let worker;

/** @param {object} request */
function ask(request) {
  worker ??= new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve, reject) => {
    worker?.addEventListener("error", (event) => reject(new Error(event.message)), { once: true });
    port1.onmessage = ({ data }) => ("error" in data ? reject(new Error(data.error)) : resolve(data));
    worker?.postMessage(request, [port2]);
  });
}

/** @param {any} order */
async function first(order) {
  if (order.runtime === "touchstone") return score(order);
  await ask({ order });
  await ask(order.starts);
}

/**
 * Touchstone as a page uses it: its client, its worker, its kept files.
 *
 * @param {any} order
 */
async function score({ device, starts }) {
  const [text] = starts.texts;
  const { ScorerClient } = await import(new URL("/page/client.js", location.href).href);
  const client = new ScorerClient({ onLost: () => {}, onRestart: () => {} });
  const { backend } = await client.load({ model: "model/", backend: device });
  if (backend !== device) throw new Error(`asked for ${device}, got ${backend}`);
  await client.score({ metric: "truthfulness", user: text, response: text });
}

/** The name of the WebGPU adapter, or null. */
async function adapter() {
  const found = await /** @type {any} */ (navigator).gpu?.requestAdapter();
  if (!found) return null;
  const { vendor, architecture, description } = found.info;
  return [...new Set([vendor, architecture, description])].filter(Boolean).join(" ") || "an unnamed adapter";
}

Object.assign(window, { adapter, ask, first });
