// @ts-check
/** The nearest anchors of the user's own metrics, asked for once a wording and a model. */

/**
 * @typedef {import("../app.js").App} App
 * @typedef {{ metric: string, similarity: number }[]} Anchors best first
 */

/** @type {WeakMap<App, Map<string, Promise<Anchors>>>} */
const known = new WeakMap();

/**
 * @param {App} app
 * @param {{ name: string, definition: string }} metric
 * @returns {Promise<Anchors>} rejects as the scorer's calls do
 */
export function locate(app, { name, definition }) {
  const cache = known.get(app) ?? newCache(app);
  const key = JSON.stringify([name, definition]);
  const found =
    cache.get(key) ??
    app.client.locate({ name, definition }).then((/** @type {{ anchors: Anchors }} */ { anchors }) => anchors);
  cache.set(key, found);
  found.catch(() => cache.delete(key));
  return found;
}

/** @param {App} app */
function newCache(app) {
  /** @type {Map<string, Promise<Anchors>>} */
  const cache = new Map();
  app.events.addEventListener("model", () => cache.clear());
  known.set(app, cache);
  return cache;
}
