// @ts-check
import { byId, el } from "./dom.js";
import { drawGauge, rangeOf } from "./gauge.js";
import { mount as mountAdjustment } from "./own/adjustment.js";
import { Receipt } from "./receipt.js";

/**
 * @typedef {import("./app.js").App} App
 * @typedef {import("./protocol.js").Task} Task
 * @typedef {import("./protocol.js").TimedScore} TimedScore
 * @typedef {import("./protocol.js").Loaded} Loaded
 * @typedef {"empty" | "busy" | "done" | "stale" | "error"} State
 *
 * @typedef {object} Scored
 * @property {Task} task
 * @property {TimedScore} score
 * @property {Loaded} loaded
 * @property {import("./share.js").Shared["result"]} [claim] what the sender of a link saw
 */

const BACKENDS = { webgpu: "WebGPU", cpu: "CPU" };
/** Scores that differ by less are the same to a reader of one decimal. */
const SAME = 0.05;

/** Draws one score. It never shows a number that does not belong to what its state says. */
export class ResultView {
  #section = byId("result", HTMLElement);
  #note = byId("result-note", HTMLElement);
  #summary = byId("result-summary", HTMLElement);
  #app;
  #panel;
  #correction;
  #receipt;
  #adjustment;
  /** @type {Scored | null} */
  #scored = null;

  /**
   * @param {App} app
   * @param {import("./insight-panel.js").InsightPanel} panel
   * @param {import("./correction-form.js").CorrectionForm} correction
   */
  constructor(app, panel, correction) {
    this.#app = app;
    this.#panel = panel;
    this.#correction = correction;
    this.#receipt = new Receipt(app);
    this.#adjustment = mountAdjustment(byId("result-adjusted", HTMLElement), app);
    for (const change of ["language", "metrics", "corrections"]) {
      app.events.addEventListener(change, () => this.#redraw());
    }
  }

  /** @returns {State} */
  get state() {
    return /** @type {State} */ (this.#section.dataset.state);
  }

  /**
   * @param {State} state
   * @param {string} [key] of the note
   */
  #set(state, key) {
    this.#section.dataset.state = state;
    this.#section.setAttribute("aria-busy", String(state === "busy"));
    if (key) this.#app.say(this.#note, key);
    else this.#silence();
  }

  #silence() {
    this.#note.removeAttribute("data-t");
    this.#note.textContent = "";
  }

  clear() {
    this.#set("empty", "answer.start");
    this.#blank();
  }

  /** @param {string} key what is being waited for */
  busy(key) {
    this.#set("busy", key);
    this.#blank();
  }

  fail() {
    this.#set("error", "answer.failed");
    this.#blank();
  }

  /** @param {boolean} stale whether the inputs are no longer those that were scored */
  mark(stale) {
    if (this.state !== "done" && this.state !== "stale") return;
    if (stale) this.#set("stale", "answer.stale");
    else this.#set("done");
  }

  /** @param {Scored} scored */
  show(scored) {
    this.#scored = scored;
    this.#draw(scored);
    this.#set("done");
    this.#summary.textContent = this.#summaryOf(scored);
    this.#panel.offer(scored);
    this.#correction.offer(scored);
    bringIntoView(this.#section);
  }

  #redraw() {
    if (this.#scored) this.#draw(this.#scored);
    else drawGauge(byId("gauge", HTMLElement), null, this.#app);
  }

  /** @param {Scored} scored */
  #draw({ task, score, loaded, claim }) {
    text("result-metric", this.#titleOf(task));
    const shown = this.#shown(task, score);
    text("result-score", this.#app.number(shown.score, 1));
    text("result-rounded", this.#app.t("answer.rounded", { rounded: shown.rounded }));
    drawGauge(byId("gauge", HTMLElement), shown, this.#app);
    this.#adjustment.show(shown);
    this.#showKey(shown);
    this.#showDoubt(score);
    this.#showClaim(score, claim);
    this.#showAnchors(score.anchors);
    this.#showFacts(score, loaded);
    this.#receipt.show(task, shown);
  }

  /**
   * The score as the user's corrections have it.
   *
   * @param {Task} task
   * @param {TimedScore} score
   */
  #shown(task, score) {
    return this.#app.corrections.calibrate(score, task.metric, score.receipt.bundle);
  }

  /** @param {Task} task */
  #titleOf({ metric, definition }) {
    return definition === undefined ? this.#app.title(metric) : metric;
  }

  /** @param {Scored} scored */
  #summaryOf({ task, score }) {
    const shown = this.#shown(task, score);
    const parts = [this.#app.t("answer.summary", { score: this.#app.number(shown.score, 1), metric: this.#titleOf(task) })];
    if (shown.interval) parts.push(this.#app.t("answer.dial.interval", rangeOf(shown.interval, this.#app)));
    if (score.abstain) parts.push(this.#app.t("answer.unsure"));
    const nearest = score.anchors[0]?.metric;
    if (nearest) parts.push(this.#app.t("answer.summary.nearest", { metric: this.#app.title(nearest) }));
    return parts.join(" ");
  }

  #blank() {
    this.#scored = null;
    for (const id of ["result-score", "result-rounded", "result-metric", "result-backend", "result-summary", "receipt"]) {
      text(id, "");
    }
    byId("anchors", HTMLElement).replaceChildren();
    drawGauge(byId("gauge", HTMLElement), null, this.#app);
    this.#panel.close();
    this.#correction.close();
  }

  /**
   * What the marks on the dial mean, with their numbers.
   *
   * @param {TimedScore & import("./own/adjusted.js").Mark} score
   */
  #showKey({ interval, coverage, members, model }) {
    const items = [];
    if (interval) {
      const claim = model ? "answer.interval.moved" : coverage === null ? "answer.interval.guide" : "answer.interval.covers";
      const share = Math.round(100 * (coverage ?? 0));
      items.push(this.#keyItem("interval", this.#app.t(claim, { ...rangeOf(interval, this.#app), share })));
    } else {
      items.push(this.#keyItem("none", this.#app.t("answer.interval.none")));
    }
    if (members.length > 1) {
      const range = rangeOf([Math.min(...members), Math.max(...members)], this.#app);
      items.push(this.#keyItem("member", this.#app.t("answer.members", { count: members.length, ...range })));
    }
    byId("gauge-key", HTMLElement).replaceChildren(...items);
  }

  /**
   * @param {string} mark
   * @param {string} words
   */
  #keyItem(mark, words) {
    return el("li", {}, el("span", { class: `mark ${mark}`, "aria-hidden": "true" }), el("span", {}, words));
  }

  /** @param {TimedScore} score */
  #showDoubt({ abstain, doubts, truncated }) {
    byId("result-doubt", HTMLElement).hidden = !abstain;
    text("result-doubt-why", doubts.map((doubt) => this.#app.t(`answer.doubt.${doubt}`)).join(" "));
    const cut = byId("result-cut", HTMLElement);
    cut.hidden = !truncated;
    cut.textContent = truncated ? this.#app.t("answer.cut", { ...truncated }) : "";
  }

  /**
   * Whether this score is the one that the sender of a link saw.
   *
   * @param {TimedScore} score
   * @param {Scored["claim"]} claim
   */
  #showClaim({ score, receipt }, claim) {
    const note = byId("result-shared", HTMLElement);
    note.hidden = !claim;
    if (!claim) return;
    const agrees = Math.abs(claim.score - score) < SAME;
    const other = claim.bundle !== receipt.bundle || claim.version !== receipt.version;
    const key = agrees ? "answer.shared.same" : other ? "answer.shared.other-model" : "answer.shared.differs";
    note.textContent = this.#app.t(key, { score: this.#app.number(claim.score, 1) });
  }

  /** @param {TimedScore["anchors"]} anchors */
  #showAnchors(anchors) {
    const values = anchors.map(({ similarity }) => similarity);
    const [min, max] = [Math.min(...values), Math.max(...values)];
    byId("anchors", HTMLElement).replaceChildren(
      ...anchors.map(({ metric, similarity }) => {
        const bar = el("span", { class: "bar", "aria-hidden": "true" });
        bar.style.setProperty("--share", String(max > min ? (similarity - min) / (max - min) : 1));
        const title = el("span", { class: "anchor-title" }, this.#app.title(metric));
        const value = el("span", { class: "anchor-value" }, this.#app.number(similarity, 3));
        return el("li", { "data-metric": metric, title: metric }, title, bar, value);
      }),
    );
    const range = { low: this.#app.number(min, 3), high: this.#app.number(max, 3) };
    text("anchors-scale", max > min ? this.#app.t("answer.anchors.scale", range) : "");
  }

  /**
   * @param {TimedScore} score
   * @param {Loaded} loaded
   */
  #showFacts({ milliseconds, receipt, support }, { backend, why }) {
    text("result-backend", BACKENDS[backend]);
    this.#app.say(byId("result-reason", HTMLElement), why.key, why.values);
    const digits = milliseconds < 10 ? 1 : 0;
    text("result-time", this.#app.t("answer.milliseconds", { time: this.#app.number(milliseconds, digits) }));
    text("result-tokens", this.#app.t("answer.tokens", { count: receipt.tokens }));
    text("result-support", this.#app.t(`answer.support.${support}`));
  }
}

/** On a narrow screen the result lies below the fields. @param {HTMLElement} section */
function bringIntoView(section) {
  if (section.getBoundingClientRect().top > innerHeight * 0.6) section.scrollIntoView({ block: "start" });
}

/**
 * @param {string} id
 * @param {string} value
 */
function text(id, value) {
  byId(id, HTMLElement).textContent = value;
}
