// @ts-check
/**
 * Reads a file off the main thread.
 *
 * Request: `{ file }`, then `{ go: true }` for every `rows` message that has been dealt with.
 * Answers: `start` (form, encoding, header so far), `rows` (a chunk, with the broken rows since the
 * last), `end`, or `refused` (a message key and its values).
 */
import { doubled, keysOf } from "./columns.js";
import { TableReader, guessDelimiter } from "./csv.js";
import { Sniffer, formOf } from "./encoding.js";
import { LinesReader, ListReader } from "./json.js";
import { MAX_BROKEN, MAX_BYTES, MAX_COLUMNS, MAX_ROWS, ROWS_A_CHUNK } from "./limits.js";
import { Refusal } from "./refusal.js";

/** Characters that are read before the form is told. */
const BEGINNING = 262_144;
/** Chunks under way to the main thread before reading waits. */
const AHEAD = 4;

let inFlight = 0;
/** @type {(() => void) | null} */
let resume = null;

self.addEventListener("message", ({ data }) => {
  if (data.file) read(data.file);
  if (!data.go) return;
  inFlight--;
  resume?.();
});

/** @param {File} file */
async function read(file) {
  try {
    const bytes = await sniff(file);
    await parse(file, bytes);
  } catch (error) {
    post("refused", describe(error));
  }
}

/** @param {unknown} error */
function describe(error) {
  if (error instanceof Refusal) return { code: error.code, values: error.values };
  const reason = error instanceof Error ? error.message : String(error);
  const code = error instanceof DOMException && error.name === "NotReadableError" ? "unreadable" : "failed";
  return { code, values: { detail: reason } };
}

/**
 * The bytes of a file, unpacked where they are gzip.
 *
 * @param {File} file
 * @returns {Promise<ReadableStream<Uint8Array>>}
 */
async function open(file) {
  const head = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  const packed = head[0] === 0x1f && head[1] === 0x8b;
  return packed ? file.stream().pipeThrough(new DecompressionStream("gzip")) : file.stream();
}

/** @param {File} file */
async function sniff(file) {
  if (file.size === 0) throw new Refusal("empty");
  if (file.size > MAX_BYTES) throw tooBig(file.size);
  const sniffer = new Sniffer();
  let size = 0;
  try {
    for await (const bytes of pieces(await open(file))) {
      sniffer.push(bytes);
      const kind = size === 0 ? sniffer.kind() : "";
      if (kind) throw new Refusal(`kind-${kind}`);
      size += bytes.length;
      if (size > MAX_BYTES) throw tooBig(size);
    }
  } catch (error) {
    if (error instanceof TypeError) throw new Refusal("gzip", { detail: error.message });
    throw error;
  }
  return sniffer.result();
}

/** @param {number} size */
function tooBig(size) {
  return new Refusal("too-big", { size: Math.ceil(size / 1e6), limit: MAX_BYTES / 1e6 });
}

/**
 * Safari has no async iteration of streams.
 *
 * @template T
 * @param {ReadableStream<T>} stream
 * @returns {AsyncGenerator<T>}
 */
async function* pieces(stream) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * @param {File} file
 * @param {import("./encoding.js").Bytes} bytes
 */
async function parse(file, bytes) {
  const decoder = new TextDecoder(bytes.encoding);
  const collector = new Collector(bytes);
  let beginning = "";
  /** @type {{ push: (text: string, last: boolean) => void } | null} */
  let reader = null;
  for await (const piece of pieces(await open(file))) {
    let text = decoder.decode(piece, { stream: true });
    if (!reader) {
      beginning += text;
      if (beginning.length < BEGINNING) continue;
      [reader, text] = [collector.start(file.name, beginning), beginning];
    }
    reader.push(text, false);
    await collector.flush();
  }
  const rest = decoder.decode();
  if (reader) reader.push(rest, true);
  else collector.start(file.name, beginning + rest).push(beginning + rest, true);
  await collector.end();
}

/** Gathers rows into chunks and keeps the counts. */
class Collector {
  /** @param {import("./encoding.js").Bytes} bytes */
  constructor(bytes) {
    this.bytes = bytes;
    /** @type {import("./types.js").Row[]} */
    this.rows = [];
    /** @type {import("./types.js").Broken[]} */
    this.broken = [];
    this.count = 0;
    this.brokenCount = 0;
    /** @type {import("./types.js").Broken | null} */
    this.firstBroken = null;
    /** @type {Set<string>} */
    this.keys = new Set();
    /** @type {string[]} */
    this.header = [];
    this.started = false;
  }

  /**
   * @param {string} name
   * @param {string} text the beginning of the file
   */
  start(name, text) {
    if (text.trim() === "") throw new Refusal("empty");
    this.form = formOf(name, text);
    this.delimiter = this.form === "csv" ? guessDelimiter(text, name) : "";
    const sink = {
      header: (/** @type {string[]} */ header) => (this.header = header),
      row: (/** @type {import("./types.js").Row} */ row, /** @type {string[]} */ keys = []) => this.#row(row, keys),
      broken: (/** @type {import("./types.js").Broken} */ broken) => this.#broken(broken),
    };
    if (this.form === "csv") return new TableReader(this.delimiter, sink);
    return this.form === "json-list" ? new ListReader(sink) : new LinesReader(sink);
  }

  /**
   * @param {import("./types.js").Row} row
   * @param {string[]} keys
   */
  #row(row, keys) {
    if (++this.count > MAX_ROWS) throw new Refusal("too-many-rows", { limit: MAX_ROWS });
    for (const key of keys) this.keys.add(key);
    if (this.keys.size > MAX_COLUMNS) throw new Refusal("too-wide-at-least", { count: this.keys.size, limit: MAX_COLUMNS });
    this.rows.push(row);
  }

  /** @param {import("./types.js").Broken} broken */
  #broken(broken) {
    this.broken.push(broken);
    this.firstBroken ??= broken;
    if (++this.brokenCount >= 20 && this.count === 0) throw new Refusal("all-broken", this.#first());
    if (this.brokenCount > MAX_BROKEN) throw new Refusal("too-broken", { limit: MAX_BROKEN, ...this.#first() });
  }

  #first() {
    return { line: this.firstBroken?.line ?? 1 };
  }

  async flush(all = false) {
    if (!this.started && this.count > 0) this.#announce();
    while (this.rows.length >= ROWS_A_CHUNK || (all && this.rows.length > 0)) {
      await room();
      inFlight++;
      post("rows", { rows: this.rows.splice(0, ROWS_A_CHUNK), broken: this.broken.splice(0), header: this.#header() });
    }
  }

  #header() {
    return this.form === "csv" ? this.header : [...this.keys];
  }

  #announce() {
    this.started = true;
    const { form, delimiter, bytes } = this;
    post("start", { form, delimiter, encoding: bytes.encoding, header: this.#header(), notices: this.#notices() });
  }

  /** @returns {import("./types.js").Told[]} */
  #notices() {
    /** @type {import("./types.js").Told[]} */
    const notices = [];
    const { encoding, invalid, offset, line, byte } = this.bytes;
    const values = { count: invalid, offset, line, byte: `0x${byte.toString(16).toUpperCase()}` };
    if (encoding.startsWith("utf-16")) notices.push({ code: "utf-16" });
    else if (encoding === "windows-1252") notices.push({ code: "windows-1252", values });
    else if (invalid > 0) notices.push({ code: "invalid-bytes", values });
    const twice = doubled(this.header);
    if (this.form === "csv" && twice.length > 0) notices.push({ code: "doubled", values: { names: twice.slice(0, 5).join(", ") } });
    return notices;
  }

  async end() {
    await this.flush(true);
    if (this.count === 0) throw new Refusal(this.brokenCount > 0 ? "all-broken" : "no-rows", this.brokenCount > 0 ? this.#first() : {});
    const header = this.#header();
    const columns = this.form === "csv" ? keysOf(header) : header;
    post("end", { header, columns, rows: this.count, broken: this.broken, brokenCount: this.brokenCount });
  }
}

/** Waits until the main thread has dealt with enough of what it was sent. */
async function room() {
  while (inFlight >= AHEAD) await new Promise((/** @type {(value?: unknown) => void} */ resolve) => (resume = resolve));
}

/**
 * @param {string} type
 * @param {object} fields
 */
function post(type, fields) {
  self.postMessage({ type, ...fields });
}
