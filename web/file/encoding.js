// @ts-check
/**
 * How a file's bytes become text. UTF-8 and UTF-16 are known by their marks or their look; a file
 * that is no UTF-8 anywhere beyond ASCII is taken for windows-1252, and the user is told.
 */

/**
 * @typedef {object} Bytes what one pass over the bytes has found
 * @property {string} encoding "utf-8", "utf-16le", "utf-16be" or "windows-1252"
 * @property {number} invalid bytes that are not UTF-8
 * @property {number} offset of the first of them
 * @property {number} line of the first of them, 1-based
 * @property {number} byte the first of them
 * @property {number} size bytes, unpacked
 */

/** Text has hardly any control characters beside tabs and line ends. */
const CONTROLS = 0.02;

/** Looks at bytes as they come, to say how they are encoded. */
export class Sniffer {
  #head = new Uint8Array(0);
  #size = 0;
  #line = 1;
  /** Bytes still expected of the character under way. */
  #pending = 0;
  #low = 0x80;
  #high = 0xbf;
  #multibyte = 0;
  #invalid = 0;
  /** The byte that began the character under way. */
  #lead = { offset: 0, line: 0, byte: 0 };
  #first = { offset: 0, line: 0, byte: 0 };

  /** @param {Uint8Array} bytes */
  push(bytes) {
    if (this.#head.length < 4096) this.#head = joined(this.#head, bytes.subarray(0, 4096));
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i];
      if (byte < 0x80 && this.#pending === 0) {
        if (byte === 10) this.#line++;
      } else this.#beyondAscii(byte, this.#size + i);
    }
    this.#size += bytes.length;
  }

  /**
   * The well-formed sequences of the Unicode Standard, table 3-7.
   *
   * @param {number} byte
   * @param {number} offset
   */
  #beyondAscii(byte, offset) {
    if (this.#pending > 0 && byte >= this.#low && byte <= this.#high) {
      [this.#low, this.#high] = [0x80, 0xbf];
      if (--this.#pending === 0) this.#multibyte++;
      return;
    }
    if (this.#pending > 0) this.#mark(this.#lead);
    this.#lead = { offset, line: this.#line, byte };
    this.#pending = following(byte);
    this.#low = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
    this.#high = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
    if (byte === 10) this.#line++;
    if (byte >= 0x80 && this.#pending === 0) this.#mark(this.#lead);
  }

  /** @param {{ offset: number, line: number, byte: number }} place */
  #mark(place) {
    if (this.#invalid++ === 0) this.#first = place;
  }

  /** @returns {Bytes} */
  result() {
    if (this.#pending > 0) this.#mark(this.#lead);
    this.#pending = 0;
    return { encoding: this.#encoding(), invalid: this.#invalid, ...this.#first, size: this.#size };
  }

  #encoding() {
    const [a, b, c] = this.#head;
    if (a === 0xff && b === 0xfe) return "utf-16le";
    if (a === 0xfe && b === 0xff) return "utf-16be";
    if (a === 0xef && b === 0xbb && c === 0xbf) return "utf-8";
    const zeros = [0, 0];
    this.#head.forEach((byte, i) => (zeros[i % 2] += byte === 0 ? 1 : 0));
    const many = this.#head.length / 8;
    if (zeros[1] > many && zeros[0] < many / 4) return "utf-16le";
    if (zeros[0] > many && zeros[1] < many / 4) return "utf-16be";
    return this.#invalid > 0 && this.#multibyte < this.#invalid ? "windows-1252" : "utf-8";
  }

  /** What the beginning looks like where it is no text, a word for the message; "" for text. */
  kind() {
    const head = this.#head;
    const starts = (/** @type {number[]} */ ...bytes) => bytes.every((byte, i) => head[i] === byte);
    if (starts(0x89, 0x50, 0x4e, 0x47) || starts(0xff, 0xd8, 0xff) || starts(0x47, 0x49, 0x46, 0x38)) return "picture";
    if (starts(0x52, 0x49, 0x46, 0x46) || (head[4] === 0x66 && head[5] === 0x74 && head[6] === 0x79)) return "media";
    if (starts(0x25, 0x50, 0x44, 0x46)) return "pdf";
    if (starts(0x50, 0x4b, 3, 4) || starts(0xd0, 0xcf, 0x11, 0xe0)) return "archive";
    if (starts(0x50, 0x41, 0x52, 0x31)) return "parquet";
    const count = (/** @type {(byte: number) => boolean} */ is) => head.reduce((sum, byte) => sum + (is(byte) ? 1 : 0), 0);
    const zeros = count((byte) => byte === 0);
    const controls = count((byte) => byte < 9 || (byte > 13 && byte < 32));
    const binary = zeros > 0 || controls > head.length * CONTROLS;
    return binary && !this.#encoding().startsWith("utf-16") ? "binary" : "";
  }
}

/** @param {number} byte @returns {number} how many bytes follow this one in a character */
function following(byte) {
  if (byte >= 0xc2 && byte <= 0xdf) return 1;
  if (byte >= 0xe0 && byte <= 0xef) return 2;
  return byte >= 0xf0 && byte <= 0xf4 ? 3 : 0;
}

/**
 * @param {Uint8Array} a
 * @param {Uint8Array} b
 */
function joined(a, b) {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/**
 * The form of a text, from its first character and, where that is not enough, the file's name; as
 * the companion tells it.
 *
 * @param {string} name
 * @param {string} text its beginning
 * @returns {import("./types.js").Form}
 */
export function formOf(name, text) {
  const plain = name.toLowerCase().replace(/\.gz$/, "");
  const lines = /\.(jsonl|ndjson)$/.test(plain);
  const first = text.trimStart()[0];
  if (/\.(csv|tsv)$/.test(plain)) return "csv";
  if (first === "[" && !lines) return "json-list";
  if (first === "{" || lines) return "json-lines";
  return plain.endsWith(".json") ? "json-list" : "csv";
}
