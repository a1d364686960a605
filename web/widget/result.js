// @ts-check
/** One score with its doubt, and what can be done about it. */
import { el } from "../dom.js";
import { drawGauge, rangeOf } from "../gauge.js";
import { correctionForm } from "./correction.js";
import { explanationOf } from "./explained.js";

/**
 * @typedef {import("../words.js").Words} Words
 * @typedef {import("../protocol.js").TimedScore} TimedScore
 * @typedef {import("./view.js").Shown} Shown
 *
 * @typedef {object} Context
 * @property {Words} words
 * @property {Record<string, string>} titles
 * @property {string} title of the metric
 * @property {boolean} compact
 * @property {import("./view.js").Actions} actions
 */

const BACKENDS = { webgpu: "WebGPU", cpu: "CPU" };
/** Anchors that are shown. */
const NEAREST = 3;

/**
 * @param {Shown} shown
 * @param {Context} context
 * @returns {HTMLElement[]}
 */
export function resultOf(shown, context) {
  return context.compact ? lineOf(shown, context) : cardOf(shown, context);
}

// --- One line ---

/**
 * @param {Shown} shown
 * @param {Context} context
 */
function lineOf({ score }, { words, title }) {
  const value = el("strong", { class: "score", part: "score" }, words.number(score.score, 1));
  const parts = [el("span", { class: "title", title }, title), value, meterOf(score)];
  if (score.interval) parts.push(el("span", { class: "range" }, words.t("widget.range", rangeOf(score.interval, words))));
  if (score.abstain) {
    const why = doubtsOf(score, words);
    parts.push(el("span", { class: "doubt", part: "doubt", title: why }, words.t("answer.unsure"), hidden(` ${why}`)));
  }
  if (score.truncated) {
    const cut = words.t("answer.cut", { ...score.truncated });
    parts.push(el("span", { class: "doubt", title: cut }, el("span", { "aria-hidden": "true" }, "✂"), hidden(cut)));
  }
  return parts;
}

/** @param {string} words */
function hidden(words) {
  return el("span", { class: "visually-hidden" }, words);
}

/** The scale from 0 to 10 as a bar; the numbers beside it say the same. @param {TimedScore} score */
function meterOf({ score, interval }) {
  const meter = el("span", { class: "meter", part: "gauge", "aria-hidden": "true" });
  const [low, high] = interval ?? [score, score];
  const places = { "--low": low, "--high": high, "--score": score };
  for (const [name, value] of Object.entries(places)) meter.style.setProperty(name, String(value));
  return meter;
}

// --- The whole card ---

/**
 * @param {Shown} shown
 * @param {Context} context
 */
function cardOf(shown, context) {
  const { score, task } = shown;
  const { words, title, titles, actions } = context;
  const gauge = el("div", { class: "gauge" });
  drawGauge(gauge, score, words);
  const reading = el(
    "div",
    { class: "reading" },
    el("output", { class: "score", part: "score" }, words.number(score.score, 1)),
    el("span", { class: "rounded" }, words.t("answer.rounded", { rounded: score.rounded })),
  );
  const panel = el("div", { class: "panel" });
  return [
    el("p", { class: "title", part: "title" }, title),
    el("div", { class: "dial", part: "gauge" }, gauge, reading),
    el("p", { class: "interval-words" }, intervalOf(score, words)),
    ...noticesOf(shown, words),
    anchorsOf(score, words, titles),
    el(
      "div",
      { class: "actions", part: "actions" },
      opener(words.t("answer.open.explain"), panel, () => explanationOf(task.response, words, actions.explain)),
      opener(words.t("answer.wrong"), panel, () => correctionForm(score, words, actions.correct)),
    ),
    panel,
    el("p", { class: "backend", part: "backend" }, `${words.t("answer.ran-on")}: ${BACKENDS[shown.loaded.backend]}. ${reasonOf(shown, words)}`),
  ];
}

/** @param {Shown} shown @param {Words} words */
function reasonOf({ loaded: { why } }, words) {
  return words.t(why.key, why.values);
}

/**
 * @param {TimedScore} score
 * @param {Words} words
 */
function intervalOf({ interval, coverage }, words) {
  if (!interval) return words.t("answer.interval.none");
  const share = Math.round(100 * (coverage ?? 0));
  return words.t(coverage === null ? "answer.interval.guide" : "answer.interval.covers", { ...rangeOf(interval, words), share });
}

/**
 * What a reader must not miss: doubt, cut texts, a device that is not what it could be.
 *
 * @param {Shown} shown
 * @param {Words} words
 */
function noticesOf({ score, loaded: { notice }, secure }, words) {
  const notices = [];
  if (score.abstain) {
    const unsure = el("strong", {}, words.t("answer.unsure"));
    notices.push(el("p", { class: "notice doubt", part: "doubt" }, unsure, " ", doubtsOf(score, words)));
  }
  if (score.truncated) notices.push(noticeOf(words.t("answer.cut", { ...score.truncated })));
  if (notice) notices.push(noticeOf(words.t(notice.key, notice.values)));
  if (!secure) notices.push(noticeOf(words.t("widget.insecure")));
  return notices;
}

/** @param {string} text */
function noticeOf(text) {
  return el("p", { class: "notice", part: "notice" }, text);
}

/**
 * @param {TimedScore} score
 * @param {Words} words
 */
function doubtsOf({ doubts }, words) {
  return doubts.map((doubt) => words.t(`answer.doubt.${doubt}`)).join(" ");
}

/**
 * @param {TimedScore} score
 * @param {Words} words
 * @param {Record<string, string>} titles
 */
function anchorsOf({ anchors }, words, titles) {
  const items = anchors.slice(0, NEAREST).map(({ metric, similarity }) =>
    el("li", { title: metric }, el("span", {}, titles[metric] ?? metric), el("span", { class: "similarity" }, words.number(similarity, 2))),
  );
  const heading = el("p", { class: "heading", id: "anchors" }, words.t("answer.anchors"));
  return el("div", { class: "anchors", part: "anchors" }, heading, el("ol", { "aria-labelledby": "anchors" }, ...items));
}

/**
 * A button that opens its content in the panel, and closes it again.
 *
 * @param {string} words
 * @param {HTMLElement} panel
 * @param {() => { element: HTMLElement, close: () => void }} open
 */
function opener(words, panel, open) {
  const button = el("button", { type: "button", part: "button", "aria-expanded": "false" }, words);
  /** @type {ReturnType<typeof open> | null} */
  let opened = null;
  const close = () => {
    opened?.close();
    opened = null;
    button.setAttribute("aria-expanded", "false");
    panel.replaceChildren();
  };
  panel.addEventListener("other", close);
  button.addEventListener("click", () => {
    const wasOpen = opened !== null;
    panel.dispatchEvent(new Event("other"));
    if (wasOpen) return;
    opened = open();
    button.setAttribute("aria-expanded", "true");
    panel.replaceChildren(opened.element);
  });
  return button;
}
