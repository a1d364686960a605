// @ts-check
/** Where a text, or a metric in the user's own words, lies among the anchors. */

/** How far the last anchor of the list falls behind the first: e^-4, about 2 %. */
const SHARPNESS = 4;

/**
 * The mean of the anchors' places, weighted by a softmax of their similarities.
 *
 * Similarities differ in range between models, so the temperature is the list's own range:
 * w = exp(-4 (s_max - s) / (s_max - s_min)). The nearest few decide, and the point moves smoothly
 * between them; a list of equals gives their plain mean.
 *
 * @param {{ metric: string, similarity: number }[]} anchors
 * @param {Map<string, { x: number, y: number }>} places of the catalogue's metrics
 * @returns {{ x: number, y: number } | null} null where none of the anchors is on the map
 */
export function placeAmong(anchors, places) {
  const similarities = anchors.map(({ similarity }) => similarity);
  const [best, last] = [Math.max(...similarities), Math.min(...similarities)];
  let [x, y, sum] = [0, 0, 0];
  for (const { metric, similarity } of anchors) {
    const place = places.get(metric);
    if (!place) continue;
    const weight = Math.exp((-SHARPNESS * (best - similarity)) / (best - last || 1));
    x += weight * place.x;
    y += weight * place.y;
    sum += weight;
  }
  return sum > 0 ? { x: x / sum, y: y / sum } : null;
}
