// @ts-check
/**
 * A scored row as the body of `POST /api/public/scores` of Langfuse, as the companion writes it
 * (`src/cli/interchange/langfuse.rs`). Pure.
 */
import { NotExported, label } from "./tools.js";

/** @typedef {import("./types.js").Score} Score */

/** What a score may belong to: the body's field, and the names a row may give it. */
const SUBJECTS = /** @type {[string, string[]][]} */ ([
  ["traceId", ["traceId", "trace_id"]],
  ["observationId", ["observationId", "observation_id"]],
  ["sessionId", ["sessionId", "session_id"]],
  ["datasetRunId", ["datasetRunId", "dataset_run_id"]],
]);

/**
 * @param {Record<string, unknown>} fields
 * @param {number} row its number, as the user counts
 * @param {string} metric
 * @param {Score} score
 */
export function langfuseBody(fields, row, metric, score) {
  const subject = subjectOf(fields, row);
  const { interval, coverage, support, abstain, doubts, truncated } = score;
  const { bundle, backend, version } = score.receipt;
  return {
    id: identifier(subject, metric, row),
    ...subject,
    name: metric,
    value: score.score,
    dataType: "NUMERIC",
    comment: comment(score),
    metadata: { interval, coverage, support, abstain, doubts, truncated, bundle, backend, version },
  };
}

/**
 * @param {Record<string, unknown>} fields
 * @param {number} row
 * @returns {Record<string, string>}
 */
function subjectOf(fields, row) {
  const named = SUBJECTS.map(([field, names]) => [field, label(fields, names)]);
  const subject = Object.fromEntries(named.filter(([, value]) => value !== ""));
  if (Object.keys(subject).length === 0) throw new NotExported("subject", { row });
  if (subject.observationId && !subject.traceId) throw new NotExported("observation", { row });
  return subject;
}

/**
 * The same for the same row of the same file, so that sending it twice does not count it twice.
 *
 * @param {Record<string, string>} subject
 * @param {string} metric
 * @param {number} row
 */
function identifier(subject, metric, row) {
  const owner = subject.observationId ?? Object.values(subject)[0];
  return `touchstone-${owner}-${metric}-${row}`.replace(/[^A-Za-z0-9]/gu, "-");
}

/** @param {Score} score */
function comment({ score, interval, abstain }) {
  const range = interval ? `, a judge's score expected from ${interval[0].toFixed(1)} to ${interval[1].toFixed(1)}` : "";
  return `${score.toFixed(1)} of 10${range}${abstain ? "; not sure" : ""}`;
}
