// @ts-check
/**
 * Tables, row by row, from pieces of text. PapaParse finds the cells; this file counts lines, and
 * goes on after a broken row at the next line instead of losing what follows.
 */
import Papa from "../vendor/papaparse.js";
import { MAX_COLUMNS, MAX_ROW_CHARACTERS } from "./limits.js";
import { Refusal } from "./refusal.js";

const DELIMITERS = [",", "\t", ";", "|"];

/**
 * The separator of a table, from its beginning.
 *
 * @param {string} text
 * @param {string} name of the file
 */
export function guessDelimiter(text, name) {
  if (/\.tsv(\.gz)?$/i.test(name)) return "\t";
  const sample = text.slice(0, 200_000);
  const { meta } = Papa.parse(sample, { preview: 20, delimitersToGuess: DELIMITERS, skipEmptyLines: true });
  return meta.delimiter;
}

/** Feeds on pieces of a table and calls back for its header, rows and broken rows. */
export class TableReader {
  #rest = "";
  #line = 1;
  #number = 0;
  /** @type {string[] | null} */
  #header = null;
  #delimiter;
  #newline = "";
  #sink;

  /**
   * @param {string} delimiter
   * @param {object} sink
   * @param {(header: string[]) => void} sink.header
   * @param {(row: import("./types.js").Row) => void} sink.row
   * @param {(broken: import("./types.js").Broken) => void} sink.broken
   */
  constructor(delimiter, sink) {
    this.#delimiter = delimiter;
    this.#sink = sink;
  }

  /**
   * @param {string} text
   * @param {boolean} last
   */
  push(text, last) {
    this.#rest += text;
    this.#newline ||= /\n/.test(this.#rest) || !/\r/.test(this.#rest) ? "\n" : "\r";
    if (!this.#header) this.#refuseWide();
    while (this.#rest !== "") {
      const before = this.#rest.length;
      this.#parse(last);
      if (this.#rest.length === before) break;
    }
    if (this.#rest.length <= MAX_ROW_CHARACTERS) return;
    this.#giveUpRow({ told: { code: "open-quote" }, end: 0 });
    this.push("", last);
  }

  /** A header of a million names is refused before it has arrived as a whole. */
  #refuseWide() {
    const end = this.#rest.indexOf(this.#newline);
    const first = end < 0 ? this.#rest : this.#rest.slice(0, end);
    const count = first.split(this.#delimiter, 2_000_001).length;
    if (count > MAX_COLUMNS && !first.includes('"')) throw tooWide(count, end < 0);
    if (count > 20 * MAX_COLUMNS) throw tooWide(count, end < 0);
  }

  /** @param {boolean} last */
  #parse(last) {
    const text = this.#rest;
    let used = 0;
    /** @type {{ told: import("./types.js").Told, end: number } | null} */
    let fault = null;
    const parser = new Papa.Parser({
      delimiter: this.#delimiter,
      newline: this.#newline,
      step: (/** @type {any} */ { data, errors, meta }) => {
        const row = this.#trimmed(data[0]);
        const told = this.#fault(row, errors);
        if (told) {
          fault = { told, end: meta.cursor - used };
          return parser.abort();
        }
        if (!isBlank(row)) this.#take(row);
        this.#line += count(text, used, meta.cursor, this.#newline);
        used = meta.cursor;
      },
    });
    parser.parse(text, 0, !last);
    this.#rest = text.slice(used);
    if (fault) this.#giveUpRow(fault);
  }

  /**
   * @param {string[]} row
   * @param {{ code: string }[]} errors
   * @returns {import("./types.js").Told | null}
   */
  #fault(row, errors) {
    if (errors.some(({ code }) => code === "MissingQuotes")) return { code: "open-quote" };
    if (errors.length > 0) return { code: "quote" };
    const expected = this.#header?.length ?? row.length;
    if (row.length === expected || isBlank(row)) return null;
    return { code: "cells", values: { found: row.length, expected } };
  }

  /** The carriage return of CR LF is no part of the last cell. @param {string[]} row */
  #trimmed(row) {
    const end = row.length - 1;
    if (this.#newline === "\n" && row[end]?.endsWith("\r")) return [...row.slice(0, end), row[end].slice(0, -1)];
    return row;
  }

  /** @param {string[]} cells */
  #take(cells) {
    if (!this.#header) {
      if (cells.length > MAX_COLUMNS) throw tooWide(cells.length, false);
      this.#header = cells;
      return this.#sink.header(cells);
    }
    const place = { n: ++this.#number, line: this.#line };
    if (cells.every((text) => text.trim() === "")) return this.#sink.broken({ ...place, code: "empty-row" });
    this.#sink.row({ ...place, c: cells });
  }

  /**
   * Names the row that begins the rest. One with too many or too few cells is well-formed and ends
   * where it ends; after a stray quote nobody knows, and reading goes on at the next line.
   *
   * @param {{ told: import("./types.js").Told, end: number }} fault
   */
  #giveUpRow({ told, end }) {
    if (!this.#header) throw new Refusal("bad-header", { line: this.#line });
    this.#sink.broken({ n: ++this.#number, line: this.#line, ...told });
    const next = this.#rest.indexOf(this.#newline) + 1 || this.#rest.length;
    const used = told.code === "cells" ? end : next;
    this.#line += count(this.#rest, 0, used, this.#newline);
    this.#rest = this.#rest.slice(used);
  }
}

/** @param {string[]} row a line without anything is no row */
function isBlank(row) {
  return row.length === 1 && row[0].trim() === "";
}

/**
 * @param {string} text
 * @param {number} from
 * @param {number} to
 * @param {string} newline
 */
function count(text, from, to, newline) {
  let lines = 0;
  for (let at = text.indexOf(newline, from); at >= 0 && at < to; at = text.indexOf(newline, at + 1)) lines++;
  return lines;
}

/**
 * @param {number} found
 * @param {boolean} more
 */
function tooWide(found, more) {
  return new Refusal(more ? "too-wide-at-least" : "too-wide", { count: found, limit: MAX_COLUMNS });
}
