// @ts-check
/**
 * What the user chose for this browser, kept in `localStorage` where there is one.
 *
 * @typedef {object} Values
 * @property {"system" | "light" | "dark"} theme
 * @property {string} language a key of `LANGUAGES`, or "" for the browser's own
 * @property {import("./protocol.js").BackendChoice} backend
 * @property {string} bundle a bundle's folder; "" or one that is gone for the host's first
 */

/** `early.js` reads it too. */
const KEY = "touchstone.settings";

/** @type {Values} */
const DEFAULTS = { theme: "system", language: "", backend: "auto", bundle: "" };

const CHOICES = {
  theme: ["system", "light", "dark"],
  backend: ["auto", "webgpu", "cpu"],
};

/** The stored choices; what is unknown or damaged falls back to its default. */
export class Settings {
  #values = { ...DEFAULTS };

  constructor() {
    const stored = read();
    for (const key of /** @type {(keyof Values)[]} */ (Object.keys(DEFAULTS))) {
      if (isValid(key, stored[key])) Object.assign(this.#values, { [key]: stored[key] });
    }
  }

  /**
   * @template {keyof Values} K
   * @param {K} key
   * @returns {Values[K]}
   */
  get(key) {
    return this.#values[key];
  }

  /**
   * @template {keyof Values} K
   * @param {K} key
   * @param {Values[K]} value
   */
  set(key, value) {
    this.#values[key] = value;
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#values));
    } catch {
      // Storage is full or forbidden: the choice holds until the page is closed.
    }
  }
}

/** @returns {Record<string, unknown>} */
function read() {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return stored && typeof stored === "object" ? stored : {};
  } catch {
    return {};
  }
}

/**
 * @param {keyof Values} key
 * @param {unknown} value
 */
function isValid(key, value) {
  if (typeof value !== "string" || value.length > 200) return false;
  return key === "theme" || key === "backend" ? CHOICES[key].includes(value) : true;
}

/** @param {Values["theme"]} theme */
export function applyTheme(theme) {
  const root = document.documentElement;
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
}
