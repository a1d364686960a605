// @ts-check
/** What the exports for other tools share. Pure. */

/** Why a file cannot be put together for a tool; `code` is a message's key after `file.export.refused.`. */
export class NotExported extends Error {
  /**
   * @param {string} code
   * @param {Record<string, string | number>} values
   */
  constructor(code, values) {
    super(code);
    this.code = code;
    this.values = values;
  }
}

/**
 * A text or number under any of `names`, whatever their case; "" where there is none.
 *
 * @param {Record<string, unknown>} fields
 * @param {string[]} names
 */
export function label(fields, names) {
  for (const name of names) {
    const key = Object.keys(fields).find((key) => key.trim().toLowerCase() === name.toLowerCase());
    const value = key === undefined ? undefined : fields[key];
    if (typeof value === "string" && value.trim()) return value.trim();
    if (typeof value === "number") return String(value);
  }
  return "";
}
