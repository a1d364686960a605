// @ts-check
/** JSON rows from pieces of text: a list of objects, or an object a line. */
import { MAX_ROW_CHARACTERS } from "./limits.js";
import { Refusal } from "./refusal.js";

/**
 * @typedef {object} Sink
 * @property {(row: import("./types.js").Row, keys: string[]) => void} row
 * @property {(broken: import("./types.js").Broken) => void} broken
 */

/** One object a line. */
export class LinesReader {
  #rest = "";
  #line = 0;
  #sink;

  /** @param {Sink} sink */
  constructor(sink) {
    this.#sink = sink;
  }

  /**
   * @param {string} text
   * @param {boolean} last
   */
  push(text, last) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = last ? "" : (lines.pop() ?? "");
    if (this.#rest.length > MAX_ROW_CHARACTERS) throw new Refusal("long-line", { line: this.#line + 1 });
    for (const line of lines) {
      const n = ++this.#line;
      if (line.trim() !== "") take(line.trim(), n, n, this.#sink);
    }
  }
}

const QUOTE = 34;
const BACKSLASH = 92;
const NEWLINE = 10;
const COMMA = 44;
/** What ends or breaks a string, or hides its next character. */
const SPECIAL = /["\\\n]/g;

/**
 * The elements of one list. An element ends where its brackets close; a line break inside a string,
 * or a line that begins as the elements do while one is open, betrays a broken element, and reading
 * goes on with that line.
 */
export class ListReader {
  #text = "";
  #at = 0;
  #line = 1;
  #lineStart = 0;
  /** Whether the line has had nothing but spaces so far. */
  #blank = true;
  #number = 0;
  #start = -1;
  #startLine = 1;
  /** Spaces before the first element, where it begins a line; else -1. */
  #indent = -1;
  #depth = 0;
  #inString = false;
  /** @type {"before" | "between" | "element" | "skipping" | "after"} */
  #state = "before";
  #sink;

  /** @param {Sink} sink */
  constructor(sink) {
    this.#sink = sink;
  }

  /**
   * @param {string} text
   * @param {boolean} last
   */
  push(text, last) {
    this.#cutUsed();
    this.#text += text;
    this.#scan(last);
    if (this.#start >= 0 && this.#text.length - this.#start > MAX_ROW_CHARACTERS) {
      throw new Refusal("open-element", { row: this.#number + 1, line: this.#startLine });
    }
    if (!last) return;
    if (this.#state === "before") throw new Refusal("no-list");
    if (this.#state === "element") this.#end(this.#text.length);
    else if (this.#state !== "after") this.#sink.broken({ n: this.#number + 1, line: this.#line, code: "cut-short" });
  }

  /** Forgets the text before the element under way. */
  #cutUsed() {
    const used = this.#start >= 0 ? this.#start : this.#at;
    this.#text = this.#text.slice(used);
    this.#at -= used;
    this.#lineStart -= used;
    if (this.#start >= 0) this.#start = 0;
  }

  /** @param {boolean} last */
  #scan(last) {
    const text = this.#text;
    while (this.#at < text.length) {
      if (this.#inString) this.#skipTo(SPECIAL);
      if (this.#at >= text.length) return;
      const code = text.charCodeAt(this.#at);
      if (code === NEWLINE && !this.#newline(last)) return;
      if (this.#state === "element") this.#inElement(code);
      else this.#outside(code);
      this.#at++;
    }
  }

  /** Most of a file is the inside of strings. @param {RegExp} mark */
  #skipTo(mark) {
    mark.lastIndex = this.#at;
    this.#at = mark.exec(this.#text)?.index ?? this.#text.length;
  }

  /**
   * Counts a line break and looks at the next line; false where it has not arrived yet.
   *
   * @param {boolean} last
   */
  #newline(last) {
    const next = /\S/g;
    next.lastIndex = this.#at + 1;
    const found = this.#state === "element" || this.#state === "skipping" ? next.exec(this.#text) : null;
    if (!found && !last && (this.#state === "element" || this.#state === "skipping")) return false;
    if (this.#state === "element" && this.#inString) this.#abandon("broken-string");
    const indent = found ? found.index - this.#text.lastIndexOf("\n", found.index) - 1 : -2;
    const begins = found?.[0] === "{" && this.#indent >= 0 && indent === this.#indent;
    if (begins && this.#state === "element") this.#abandon("open-bracket");
    if (begins) this.#state = "between";
    this.#line++;
    this.#lineStart = this.#at + 1;
    this.#blank = true;
    return true;
  }

  /** @param {number} code */
  #inElement(code) {
    if (this.#inString) {
      if (code === BACKSLASH) this.#at++;
      else if (code === QUOTE) this.#inString = false;
      return;
    }
    if (code === QUOTE) this.#inString = true;
    else if (code === 123 || code === 91) this.#depth++;
    else if (code === 125 || code === 93 || code === COMMA) this.#close(code);
  }

  /** @param {number} code of a closing bracket or a comma */
  #close(code) {
    if (code === COMMA) return this.#depth === 0 ? this.#end(this.#at) : undefined;
    if (this.#depth === 0) {
      this.#end(this.#at);
      if (code === 93) this.#state = "after";
      return;
    }
    this.#depth--;
    if (this.#depth === 0) this.#end(this.#at + 1);
  }

  /** @param {number} code */
  #outside(code) {
    if (code <= 32 || this.#state === "skipping" || this.#state === "after") return;
    if (code !== 123) this.#blank = false;
    if (this.#state === "before") {
      if (code !== 91) throw new Refusal("no-list");
      this.#state = "between";
    } else if (code === 93) this.#state = "after";
    else if (code !== COMMA) this.#begin(code);
  }

  /** @param {number} code */
  #begin(code) {
    this.#state = "element";
    this.#start = this.#at;
    this.#startLine = this.#line;
    this.#depth = 0;
    this.#inString = false;
    if (this.#number === 0 && code === 123 && this.#blank) this.#indent = this.#at - this.#lineStart;
    this.#inElement(code);
  }

  /** @param {number} end */
  #end(end) {
    take(this.#text.slice(this.#start, end).trim(), ++this.#number, this.#startLine, this.#sink);
    this.#start = -1;
    this.#state = "between";
  }

  /** @param {string} code */
  #abandon(code) {
    this.#sink.broken({ n: ++this.#number, line: this.#startLine, code });
    this.#start = -1;
    this.#inString = false;
    this.#state = "skipping";
  }
}

/**
 * @param {string} text
 * @param {number} n
 * @param {number} line
 * @param {Sink} sink
 */
function take(text, n, line, sink) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return sink.broken({ n, line, ...malformed(text, error) });
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    return sink.broken({ n, line, code: "no-object" });
  }
  sink.row({ n, line, j: text }, Object.keys(value));
}

/**
 * @param {string} text
 * @param {unknown} error
 * @returns {import("./types.js").Told}
 */
function malformed(text, error) {
  if (/:\s*(NaN|-?Infinity)\b/.test(text)) return { code: "nan" };
  const reason = error instanceof Error ? error.message : String(error);
  if (/end of (JSON input|data)/i.test(reason)) return { code: "cut-short" };
  const column = Number(/position (\d+)/.exec(reason)?.[1] ?? NaN) + 1;
  return Number.isNaN(column) ? { code: "malformed" } : { code: "malformed-at", values: { column } };
}
