// @ts-check
/** Why this score: the answer, painted by what each sentence does to it. */
import { el } from "../dom.js";
import { languageOf } from "../script-language.js";

/**
 * @typedef {import("../protocol.js").Explanation} Explanation
 * @typedef {import("../words.js").Words} Words
 */

/** Changes that a score shown with one decimal cannot show. */
const NOTHING = 0.05;

/**
 * @param {string} text
 * @param {Words} words
 * @param {(signal: AbortSignal) => Promise<Explanation>} explain
 */
export function explanationOf(text, words, explain) {
  const said = el("p", { class: "note", role: "status" }, words.t("explain.busy"));
  const bar = el("progress", { "aria-label": words.t("explain.busy") });
  const element = el("div", { class: "explanation", part: "explanation" }, said, bar);
  const work = new AbortController();
  explain(work.signal).then(
    ({ parts }) => element.replaceChildren(...painted(text, parts.filter(isMeasured), words)),
    (error) => {
      if (work.signal.aborted) return;
      bar.remove();
      said.textContent = error instanceof Error ? error.message : String(error);
    },
  );
  return { element, close: () => work.abort() };
}

/** @typedef {{ start: number, end: number, score: number, change: number }} Sentence */

/**
 * Where nothing would be left to score, nothing was measured.
 *
 * @param {Explanation["parts"][number]} part
 * @returns {part is Sentence}
 */
function isMeasured(part) {
  return part.change !== null;
}

/**
 * @param {string} text
 * @param {Sentence[]} sentences
 * @param {Words} words
 */
function painted(text, sentences, words) {
  if (sentences.length === 0) return [el("p", { class: "note", role: "status" }, words.t("explain.none"))];
  let end = 0;
  const inOrder = [...sentences].sort((a, b) => a.start - b.start);
  const pieces = inOrder.flatMap((sentence) => {
    const between = text.slice(end, sentence.start);
    end = sentence.end;
    return [between, paint(text.slice(sentence.start, end), sentence, words)];
  });
  const label = words.t("explain.painted");
  // Long texts scroll, by keyboard too.
  const attributes = { class: "text", tabindex: 0, dir: "auto", lang: languageOf(text) || undefined, role: "group", "aria-label": label };
  return [
    el("div", attributes, ...pieces, text.slice(end)),
    el("p", { class: "note" }, words.t("explain.caution")),
  ];
}

/**
 * @param {string} quote
 * @param {Sentence} sentence
 * @param {Words} words
 */
function paint(quote, { change, score }, words) {
  const sign = Math.abs(change) < NOTHING ? "level" : change > 0 ? "up" : "down";
  const without = words.t("explain.without", { score: words.number(score, 1) });
  const span = el("span", { class: `sentence ${sign}`, title: without }, quote);
  span.style.setProperty("--strength", Math.min(1, Math.abs(change)).toFixed(2));
  if (sign === "level") return span;
  const number = `${sign === "up" ? "+" : "−"}${words.number(Math.abs(change), 1)}`;
  const meaning = el("span", { class: "visually-hidden" }, ` (${words.t(`explain.${sign}`)}; ${without})`);
  span.append(el("span", { class: "change", dir: "ltr" }, number), meaning);
  return span;
}
