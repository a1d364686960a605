// @ts-check
/** Draws the states of an element into its shadow root. */
import { el } from "../dom.js";
import { resultOf } from "./result.js";
import { sheet } from "./style.js";

/**
 * @typedef {import("../protocol.js").Task} Task
 * @typedef {import("../protocol.js").TimedScore} TimedScore
 * @typedef {import("../protocol.js").Progress} Progress
 * @typedef {import("../words.js").Words} Words
 *
 * @typedef {object} Actions
 * @property {() => void} score starts, or tries again
 * @property {() => void} cancel
 * @property {(signal: AbortSignal) => Promise<import("../protocol.js").Explanation>} explain
 * @property {(corrected: number) => void} correct
 *
 * @typedef {{ task: Task, score: TimedScore, loaded: import("../protocol.js").Loaded, secure: boolean }} Shown
 */

/** Kinds of error whose message `shell.advice.<kind>` holds without the page's settings. */
const ADVISED = ["network", "hash", "memory", "unsupported", "panic", "worker"];

export class View {
  #root;
  #actions;
  #card = el("div", { class: "card", part: "card", role: "group", tabindex: -1, "aria-label": "Touchstone" });
  /** Stays through all states, so that screen readers hear of changes. */
  #said = el("p", { class: "visually-hidden", role: "status" });
  /** @type {Words | null} */
  #words = null;
  /** @type {Record<string, string>} */
  #titles = {};
  #compact = false;
  /** Draws the state that is shown. */
  #draw = () => {};
  /** @type {{ bar: HTMLProgressElement, label: HTMLElement } | null} while loading */
  #bar = null;

  /**
   * @param {ShadowRoot} root
   * @param {Actions} actions
   */
  constructor(root, actions) {
    this.#root = root;
    this.#actions = actions;
    root.adoptedStyleSheets = [sheet()];
    root.append(this.#card, this.#said);
  }

  /** @param {import("./component.js").Look} look */
  dress({ theme, compact }) {
    this.#card.dataset.theme = theme;
    if (compact === this.#compact) return;
    this.#compact = compact;
    this.#card.classList.toggle("compact", compact);
    this.#draw();
  }

  /**
   * @param {Words} words
   * @param {Record<string, string>} titles of metrics
   */
  speak(words, titles) {
    this.#words = words;
    this.#titles = titles;
    this.#card.lang = this.#said.lang = words.language;
    this.#draw();
  }

  /** @param {Progress | null} progress */
  loading(progress) {
    if (this.#bar && progress) return this.#progress(this.#bar, progress);
    this.#show("loading", () => {
      const label = el("span", { class: "note", id: "stage" }, this.#t("first.opening"));
      const bar = /** @type {HTMLProgressElement} */ (el("progress", { "aria-labelledby": "stage", part: "progress" }));
      this.#bar = { bar, label };
      if (progress) this.#progress(this.#bar, progress);
      return [label, bar];
    });
    this.#say(this.#t("first.opening"));
  }

  waiting() {
    this.#note("waiting", "widget.waiting");
  }

  scoring() {
    this.#note("scoring", "answer.scoring", ["shell.cancel", this.#actions.cancel]);
  }

  stopped() {
    this.#note("stopped", "widget.stopped", ["answer.score", this.#actions.score]);
  }

  /** @param {{ kind: string, message: string }} error */
  failed({ kind, message }) {
    const words = () => {
      const advice = ADVISED.includes(kind) ? this.#t(`shell.advice.${kind}`) : "";
      return advice.startsWith("shell.") ? message : `${message} ${advice}`.trim();
    };
    this.#show("error", () => [
      el("p", { class: "error", part: "error", title: words() }, el("strong", {}, this.#t("first.failed")), " ", words()),
      this.#button("first.retry", this.#actions.score),
    ]);
    this.#say(`${this.#t("first.failed")} ${words()}`);
  }

  /** @param {Shown} shown */
  result(shown) {
    const { score } = shown;
    const metric = this.#title(shown.task);
    this.#show("result", () =>
      resultOf(shown, {
        words: /** @type {Words} */ (this.#words),
        titles: this.#titles,
        title: this.#title(shown.task),
        compact: this.#compact,
        actions: this.#actions,
      }),
    );
    const parts = [this.#t("answer.summary", { score: this.#words?.number(score.score, 1) ?? "", metric })];
    if (score.abstain) parts.push(this.#t("answer.unsure"));
    this.#say(parts.join(" "));
  }

  /**
   * A state that is one sentence, perhaps with a button.
   *
   * @param {string} state
   * @param {string} key
   * @param {[string, () => void]} [button] its key and what it does
   */
  #note(state, key, button) {
    this.#show(state, () => [el("p", { class: "note" }, this.#t(key)), ...(button ? [this.#button(...button)] : [])]);
    this.#say(this.#t(key));
  }

  /**
   * @param {string} state
   * @param {() => (Node | string)[]} content
   */
  #show(state, content) {
    this.#draw = () => {
      const focused = this.#root.activeElement !== null;
      this.#bar = null;
      this.#card.dataset.state = state;
      this.#card.setAttribute("aria-busy", String(state === "loading" || state === "scoring"));
      this.#card.replaceChildren(...content());
      // What had the focus is gone: the next Tab goes on from here.
      if (focused) this.#card.focus();
    };
    this.#draw();
  }

  /**
   * @param {{ bar: HTMLProgressElement, label: HTMLElement }} shown
   * @param {Progress} progress
   */
  #progress({ bar, label }, { stage, loaded, total }) {
    const words = this.#t(`shell.stage.${stage}`);
    label.textContent = stage === "download" && total > 0 ? `${words}: ${this.#size(loaded, total)}` : words;
    if (total > 0) Object.assign(bar, { max: total, value: loaded });
    else bar.removeAttribute("value");
  }

  /**
   * @param {number} loaded
   * @param {number} total
   */
  #size(loaded, total) {
    const [done, of] = [loaded, total].map((bytes) => this.#words?.number(bytes / 1e6, 1) ?? "");
    return this.#t("shell.size", { done, of, percent: Math.floor((100 * loaded) / total) });
  }

  /** @param {Task} task */
  #title({ metric, definition }) {
    return definition === undefined ? (this.#titles[metric] ?? metric) : metric;
  }

  /**
   * @param {string} key
   * @param {() => void} act
   */
  #button(key, act) {
    const button = el("button", { type: "button", part: "button" }, this.#t(key));
    button.addEventListener("click", act);
    return button;
  }

  /** @param {string} words */
  #say(words) {
    this.#said.textContent = words;
  }

  /**
   * @param {string} key
   * @param {import("../words.js").Values} [values]
   */
  #t(key, values) {
    return this.#words?.t(key, values) ?? "";
  }
}
