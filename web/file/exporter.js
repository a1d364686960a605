// @ts-check
/** Puts a job's rows and results together into one file for the user. */
import { fieldsOf } from "./columns.js";
import { jsonLine, tableHead, tableLine } from "./export.js";
import { langfuseBody } from "./langfuse.js";
import { comparison } from "./llm-comparator.js";
import { taskOf } from "./task.js";
import { NotExported } from "./tools.js";

/**
 * @typedef {import("./session.js").Session} Session
 * @typedef {import("./types.js").Row} Row
 * @typedef {import("./types.js").Outcome} Outcome
 * @typedef {"csv" | "jsonl" | "langfuse" | "llm-comparator"} Kind
 * @typedef {{ kind: Kind, more: boolean, safe: boolean }} Options
 *
 * @typedef {object} Writer
 * @property {string} [head]
 * @property {(row: Row, item: number, outcome: Outcome) => string} line
 * @property {() => string} [tail]
 * @property {() => number} [alone] results left out for want of a partner
 */

/** Media type and ending of each kind. */
const FILES = {
  csv: ["text/csv", "scored.csv"],
  jsonl: ["application/jsonl", "scored.jsonl"],
  langfuse: ["application/jsonl", "langfuse.jsonl"],
  "llm-comparator": ["application/json", "llm-comparator.json"],
};

/**
 * Rows that have a result, in the order of the file; a blob is kept by the browser on disk.
 *
 * @param {Session} session
 * @param {Options} options
 * @returns {Promise<{ blob: Blob, alone: number }>} rejects with NotExported where rows lack what a tool needs
 */
export async function exported(session, options) {
  const { job, results, store } = session;
  if (!results) return { blob: new Blob([]), alone: 0 };
  const write = WRITERS[options.kind](session, options);
  /** @type {BlobPart[]} */
  const pieces = [write.head ?? ""];
  for await (const { first, outcomes } of store.outcomes(job.id, results.length)) {
    let lines = "";
    for (const [i, outcome] of outcomes.entries()) {
      const row = outcome && (await store.row(job.id, results.rowOf(first + i)));
      if (row && outcome) lines += write.line(row, first + i, session.recordOf(first + i, outcome));
    }
    pieces.push(new Blob([lines]));
  }
  pieces.push(write.tail?.() ?? "");
  const blob = new Blob(pieces, { type: FILES[options.kind][0] });
  return { blob, alone: write.alone?.() ?? 0 };
}

/** @type {Record<Kind, (session: Session, options: Options) => Writer>} */
const WRITERS = { csv: tableWriter, jsonl: lineWriter, langfuse: langfuseWriter, "llm-comparator": comparisonWriter };

/**
 * @param {Session} session
 * @param {Options} options
 * @returns {Writer}
 */
function tableWriter({ job, results }, { more, safe }) {
  const { header, columns } = job;
  const table = {
    more,
    metric: (results?.metrics ?? 1) > 1,
    failed: (results?.failed ?? 0) > 0,
    adjusted: (results?.adjusted ?? 0) > 0,
    safe,
  };
  const name = names({ job, results });
  return {
    head: tableHead(header, columns, table),
    line: (row, item, outcome) => tableLine(row, header, columns, outcome, name(item), table),
  };
}

/**
 * @param {Session} session
 * @returns {Writer}
 */
function lineWriter({ job, results }) {
  const several = (results?.metrics ?? 1) > 1;
  const name = names({ job, results });
  return {
    line: (row, item, outcome) => `${jsonLine(row, job.columns, outcome, several ? name(item) : undefined)}\n`,
  };
}

/**
 * @param {Session} session
 * @returns {Writer}
 */
function langfuseWriter({ job, results }) {
  const name = names({ job, results });
  let written = 0;
  return {
    line: (row, item, outcome) => {
      if ("error" in outcome) return "";
      written++;
      return `${JSON.stringify(langfuseBody(fieldsOf(row, job.columns), row.n, name(item), outcome))}\n`;
    },
    tail: () => {
      if (written === 0) throw new NotExported("nothing", {});
      return "";
    },
  };
}

/**
 * @param {Session} session
 * @returns {Writer}
 */
function comparisonWriter({ job, results }) {
  /** @type {import("./llm-comparator.js").Entry[]} */
  const entries = [];
  let alone = 0;
  return {
    line: (row, item, outcome) => {
      const asked = taskOf(row, job, job.metrics[results?.metricOf(item) ?? 0] ?? null);
      if (!("error" in outcome) && "task" in asked) {
        entries.push({ fields: fieldsOf(row, job.columns), row: row.n, task: asked.task, score: outcome });
      }
      return "";
    },
    tail: () => {
      const { document, alone: left } = comparison(entries, job.name);
      alone = left;
      return `${JSON.stringify(document, null, 2)}\n`;
    },
    alone: () => alone,
  };
}

/** The metric's name of an item. @param {Pick<Session, "job" | "results">} session */
function names({ job, results }) {
  return (/** @type {number} */ item) => job.metrics[results?.metricOf(item) ?? 0]?.name ?? "";
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
 * @param {Kind} kind
 */
export function exportName(name, kind) {
  const stem = name.replace(/\.gz$/i, "").replace(/\.(csv|tsv|json|jsonl|ndjson|txt)$/i, "");
  return `${stem}.${FILES[kind][1]}`;
}
