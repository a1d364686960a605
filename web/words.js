// @ts-check
/**
 * The messages of one language, without a page around them.
 *
 * @typedef {Record<string, string | number>} Values
 *
 * @typedef {object} Speaker who says a message or a number in the reader's language
 * @property {(key: string, values?: Values) => string} t
 * @property {(value: number, digits?: number) => string} number
 */

/** @implements {Speaker} */
export class Words {
  #messages;
  #plural;

  /**
   * @param {string} language
   * @param {Record<string, string>} messages
   */
  constructor(language, messages) {
    this.language = language;
    this.#messages = messages;
    this.#plural = new Intl.PluralRules(language);
  }

  /**
   * The message of a key; the key itself where there is none.
   *
   * @param {string} key
   * @param {Values} [values] `count` chooses the plural form
   * @returns {string}
   */
  t(key, values = {}) {
    const text = this.#messages[this.#form(key, values)] ?? this.#messages[key] ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, name) => {
      const value = values[name];
      if (value === undefined) return whole;
      return typeof value === "number" ? this.number(value) : value;
    });
  }

  /** @param {string} key @returns {string | undefined} the message, where the language has it */
  find(key) {
    return this.#messages[key];
  }

  /**
   * @param {string} key
   * @param {Values} values
   */
  #form(key, { count }) {
    if (typeof count !== "number") return key;
    const form = `${key}.${this.#plural.select(count)}`;
    return form in this.#messages ? form : `${key}.other`;
  }

  /**
   * @param {number} value
   * @param {number} [digits] after the point, always; without it up to three, as needed
   * @returns {string}
   */
  number(value, digits) {
    const fixed = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    return new Intl.NumberFormat(this.language, digits === undefined ? {} : fixed).format(value);
  }
}
