// @ts-check
/**
 * Whether two scores on one metric differ by more than their doubt.
 *
 * @typedef {{ score: number, interval: [number, number] | null, abstain: boolean }} Doubtful
 * @typedef {"ahead" | "behind" | "within" | "unsure" | "unknown"} Verdict of the second against the first:
 *   `within` the doubt, `unsure` where a score abstains, `unknown` without an interval
 *
 * @typedef {object} Difference
 * @property {number} difference the second score minus the first
 * @property {number | null} doubt in points; `null` without an interval
 * @property {Verdict} verdict
 */

/**
 * The doubt is the root of the summed squares of the arms that the intervals reach towards each
 * other: the lower score's upward arm and the higher score's downward one, as for independent errors.
 *
 * @param {Doubtful} first
 * @param {Doubtful} second
 * @returns {Difference}
 */
export function differenceOf(first, second) {
  const difference = second.score - first.score;
  const [low, high] = difference >= 0 ? [first, second] : [second, first];
  if (!low.interval || !high.interval) return { difference, doubt: null, verdict: "unknown" };
  const doubt = Math.hypot(low.interval[1] - low.score, high.score - high.interval[0]);
  return { difference, doubt, verdict: verdictOf(difference, doubt, first.abstain || second.abstain) };
}

/**
 * @param {number} difference
 * @param {number} doubt
 * @param {boolean} unsure
 * @returns {Verdict}
 */
function verdictOf(difference, doubt, unsure) {
  if (unsure) return "unsure";
  if (Math.abs(difference) <= doubt) return "within";
  return difference > 0 ? "ahead" : "behind";
}
