// @ts-check
/** What an element says before the scorer's page has sent its words. */

/** @type {Record<string, Record<string, string>>} by language; all have the same keys */
export const FIRST_WORDS = {
  en: {
    "first.opening": "Opening the scorer…",
    "first.failed": "The scorer cannot be used.",
    "first.retry": "Retry",
  },
  hi: {
    "first.opening": "स्कोरर खुल रहा है…",
    "first.failed": "स्कोरर इस्तेमाल नहीं हो सकता।",
    "first.retry": "फिर कोशिश करें",
  },
};

/** @param {string} lang a tag @returns {string} a language of these words */
export function firstLanguage(lang) {
  const [base] = lang.toLowerCase().split("-");
  return Object.hasOwn(FIRST_WORDS, base) ? base : "en";
}
