// @ts-check

/** A file that is not taken: a message key without its prefix, and what goes into it. */
export class Refusal extends Error {
  /**
   * @param {string} code
   * @param {Record<string, string | number>} [values]
   */
  constructor(code, values = {}) {
    super(code);
    this.name = "Refusal";
    this.code = code;
    this.values = values;
  }
}
