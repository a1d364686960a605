// @ts-check
/**
 * The words of the page. A language is one file in `messages/` and one line in `LANGUAGES`.
 *
 * A message file maps flat keys to texts. `{name}` in a text is replaced by a value, numbers in
 * the language's own form. Where a text differs by number, `key.one`, `key.other` and the
 * language's other plural forms stand for `key`, chosen by the value `count`. The key
 * `shell.direction` is "ltr" or "rtl". What fills `{detail}` are an error's or a browser's own words,
 * English in every language: elements that `say` fills mark them as such. Every key of `en.json` is in every file; the titles of the
 * catalogue, `metric.<name>` and `family.<name>`, may be missing, and are English then.
 */
import { el } from "./dom.js";
import { TouchstoneError } from "./protocol.js";

/** The languages of the page by tag, each under its own name. */
export const LANGUAGES = /** @type {Record<string, string>} */ ({
  en: "English",
  hi: "हिन्दी",
});

/** @typedef {Record<string, string | number>} Values */

/** Attributes that carry a key, and what the message becomes. */
const ATTRIBUTES = { "data-t-label": "aria-label", "data-t-placeholder": "placeholder", "data-t-title": "title" };

/** The messages of one language at a time. */
export class I18n {
  language = "en";
  /** @type {Record<string, string>} */
  #messages = {};
  /** Whether there are words yet; until then every message is empty. */
  #ready = false;
  #plural = new Intl.PluralRules("en");
  /** @type {WeakMap<Element, Values>} of the elements that `say` filled, for a change of language */
  #values = new WeakMap();

  /**
   * Loads a language and puts the page's static markup into it.
   *
   * @param {string} language a key of `LANGUAGES`
   */
  async use(language) {
    this.#messages = await fetchMessages(language);
    this.#ready = true;
    this.language = language;
    this.#plural = new Intl.PluralRules(language);
    document.documentElement.lang = language;
    document.documentElement.dir = this.#messages["shell.direction"] ?? "ltr";
    this.translate(document.documentElement);
  }

  /**
   * The message of a key; the key itself where there is none.
   *
   * @param {string} key
   * @param {Values} [values]
   */
  t(key, values = {}) {
    if (!this.#ready) return "";
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
   */
  number(value, digits) {
    const fixed = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    return new Intl.NumberFormat(this.language, digits === undefined ? {} : fixed).format(value);
  }

  /**
   * Fills an element with a message that follows later changes of language.
   *
   * @template {Element} T
   * @param {T} element
   * @param {string} key
   * @param {Values} [values]
   * @returns {T}
   */
  say(element, key, values = {}) {
    element.setAttribute("data-t", key);
    this.#values.set(element, values);
    this.#fill(element, key, values);
    return element;
  }

  /**
   * @param {Element} element
   * @param {string} key
   * @param {Values} [values]
   */
  #fill(element, key, { detail, ...values } = {}) {
    const [before = "", after] = this.t(key, values).split("{detail}");
    const rest = after === undefined ? [] : [technical(String(detail)), after];
    element.replaceChildren(before, ...rest);
  }

  /** @param {Element} root whose `data-t` and `data-t-...` attributes are followed */
  translate(root) {
    for (const element of root.querySelectorAll("[data-t]")) {
      this.#fill(element, element.getAttribute("data-t") ?? "", this.#values.get(element));
    }
    for (const [source, target] of Object.entries(ATTRIBUTES)) {
      for (const element of root.querySelectorAll(`[${source}]`)) {
        element.setAttribute(target, this.t(element.getAttribute(source) ?? ""));
      }
    }
  }
}

/** @param {string} words English in every language of the page, whichever way that is written */
export function technical(words) {
  return el("span", { class: "technical", lang: "en", dir: "ltr" }, words);
}

/**
 * The language to start in: the stored one, else the first of the browser's that the page has.
 *
 * @param {string} stored
 * @param {readonly string[]} wanted
 */
export function chooseLanguage(stored, wanted) {
  if (Object.hasOwn(LANGUAGES, stored)) return stored;
  const bases = wanted.map((tag) => tag.split("-")[0] ?? "");
  return bases.find((tag) => Object.hasOwn(LANGUAGES, tag)) ?? "en";
}

/**
 * @param {string} language
 * @returns {Promise<Record<string, string>>}
 */
async function fetchMessages(language) {
  const file = `messages/${language}.json`;
  const response = await fetch(new URL(file, import.meta.url)).catch(() => null);
  if (!response?.ok) {
    throw new TouchstoneError("network", `${file} could not be fetched; the page needs it for its words.`);
  }
  return response.json();
}
