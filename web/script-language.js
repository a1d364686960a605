// @ts-check
/** Tells fonts, line breaking and screen readers what script a text is in. */

/** The most spoken language of each script: a hint for display, never a claim about the text. */
const LANGUAGES = /** @type {const} */ ({
  Devanagari: "hi",
  Bengali: "bn",
  Tamil: "ta",
  Telugu: "te",
  Kannada: "kn",
  Malayalam: "ml",
  Gujarati: "gu",
  Gurmukhi: "pa",
  Oriya: "or",
  Sinhala: "si",
  Arabic: "ur",
  Hebrew: "he",
  Hiragana: "ja",
  Katakana: "ja",
  Hangul: "ko",
  Han: "zh",
  Thai: "th",
  Cyrillic: "ru",
  Greek: "el",
});

const PATTERNS = Object.entries(LANGUAGES).map(([script, language]) => ({
  language,
  pattern: new RegExp(`\\p{Script=${script}}`, "gu"),
}));
const LATIN = /\p{Script=Latin}/gu;
/** Enough to tell the script; a long text is not read whole at every key. */
const SAMPLE = 500;

/**
 * @param {string} text
 * @returns {string} a language tag, or "" where the text is mostly Latin or has no letters
 */
export function languageOf(text) {
  const sample = text.slice(0, SAMPLE);
  let best = { language: "", count: sample.match(LATIN)?.length ?? 0 };
  for (const { language, pattern } of PATTERNS) {
    const count = sample.match(pattern)?.length ?? 0;
    if (count > best.count) best = { language, count };
  }
  return best.language;
}
