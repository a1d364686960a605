// @ts-check
/** Puts a job's rows and results together into one file for the user. */
import { jsonLine, tableHead, tableLine } from "./export.js";

/**
 * @typedef {import("./session.js").Session} Session
 * @typedef {import("./types.js").Outcome} Outcome
 * @typedef {{ kind: "csv" | "jsonl", more: boolean, safe: boolean }} Options
 */

/**
 * Rows that have a result, in the order of the file; a blob is kept by the browser on disk.
 *
 * @param {Session} session
 * @param {Options} options
 * @returns {Promise<Blob>}
 */
export async function exported(session, options) {
  const { job, results, store } = session;
  if (!results) return new Blob([]);
  const write = writer(session, options);
  /** @type {BlobPart[]} */
  const pieces = [write.head];
  for await (const { first, outcomes } of store.outcomes(job.id, results.length)) {
    let lines = "";
    for (const [i, outcome] of outcomes.entries()) {
      const row = outcome && (await store.row(job.id, results.rowOf(first + i)));
      if (row && outcome) lines += write.line(row, first + i, outcome);
    }
    pieces.push(new Blob([lines]));
  }
  return new Blob(pieces, { type: options.kind === "csv" ? "text/csv" : "application/jsonl" });
}

/**
 * @param {Session} session
 * @param {Options} options
 */
function writer(session, { kind, more, safe }) {
  const { job, results } = session;
  const { header, columns } = job;
  const several = (results?.metrics ?? 1) > 1;
  const table = { more, metric: several, failed: (results?.failed ?? 0) > 0, adjusted: (results?.adjusted ?? 0) > 0, safe };
  const name = (/** @type {number} */ item) => job.metrics[results?.metricOf(item) ?? 0]?.name ?? "";
  /** @type {(row: import("./types.js").Row, item: number, outcome: Outcome) => string} */
  const csv = (row, item, outcome) => tableLine(row, header, columns, session.recordOf(item, outcome), name(item), table);
  /** @type {typeof csv} */
  const json = (row, item, outcome) => `${jsonLine(row, columns, session.recordOf(item, outcome), several ? name(item) : undefined)}\n`;
  /** @type {BlobPart} */
  const head = kind === "csv" ? tableHead(header, columns, table) : "";
  return { head, line: kind === "csv" ? csv : json };
}

/**
 * @param {string} name
 * @param {Blob} blob
 */
export function download(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser reads the blob after the click.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/**
 * @param {string} name of the file that was read
 * @param {"csv" | "jsonl"} kind
 */
export function exportName(name, kind) {
  const stem = name.replace(/\.gz$/i, "").replace(/\.(csv|tsv|json|jsonl|ndjson|txt)$/i, "");
  return `${stem}.scored.${kind}`;
}
