// @ts-check
/**
 * `<touchstone-scorer>` and `Touchstone`: the scorer inside other pages. Importing this file does
 * nothing by itself; widget-define.js defines the element.
 */
import { Component } from "./widget/component.js";
import { Touchstone } from "./widget/touchstone.js";

export { Touchstone };
export { TouchstoneError } from "./protocol.js";

/**
 * @typedef {import("./protocol.js").Task} Task
 * @typedef {import("./protocol.js").TimedScore} TimedScore
 * @typedef {import("./protocol.js").Profile} Profile
 * @typedef {import("./protocol.js").Explanation} Explanation
 * @typedef {import("./protocol.js").MetricText} MetricText
 * @typedef {import("./protocol.js").Loaded} Loaded
 * @typedef {import("./protocol.js").Progress} Progress
 *
 * @typedef {CustomEvent<Loaded & { secure: boolean }>} ReadyEvent
 * @typedef {CustomEvent<Progress>} ProgressEvent
 * @typedef {CustomEvent<{ task: Task, result: TimedScore }>} ResultEvent
 * @typedef {CustomEvent<{ kind: string, message: string, retryable: boolean }>} ErrorEvent
 * @typedef {CustomEvent<{ task: Task, predicted: TimedScore, corrected: number }>} CorrectionEvent
 */

/** What texts the attributes hold, as fields of a task. */
const TEXTS = /** @type {Record<string, keyof Task>} */ ({
  metric: "metric",
  system: "system",
  prompt: "user",
  response: "response",
});

/** Where there is no page, such as on a server, the class can be imported all the same. */
const Base = globalThis.HTMLElement ?? /** @type {typeof HTMLElement} */ (/** @type {unknown} */ (class {}));

/**
 * Scores an answer as soon as it has a metric and an answer, and again when they change.
 *
 * @element touchstone-scorer
 *
 * @attr {string} src - address of the folder that holds the scorer's page; the one that this file was loaded from by default
 * @attr {string} metric - a name of the catalogue
 * @attr {string} system - the system prompt
 * @attr {string} prompt - the user's prompt
 * @attr {string} response - the answer that is scored
 * @attr {string} lang - "en" or "hi"; the page's or the browser's language by default
 * @attr {"ltr" | "rtl"} dir - direction; the page's by default
 * @attr {"light" | "dark" | "auto"} theme - "auto", the default, is the `color-scheme` of the page around it
 * @attr {boolean} compact - one line instead of a card
 *
 * @fires {ReadyEvent} touchstone-ready - the model is loaded
 * @fires {ProgressEvent} touchstone-progress - of loading
 * @fires {ResultEvent} touchstone-result - a score is shown
 * @fires {ErrorEvent} touchstone-error - nothing could be loaded or scored
 * @fires {CorrectionEvent} touchstone-correction - the user has set the right score
 *
 * @csspart card - everything
 * @csspart title - title of the metric
 * @csspart gauge - the dial; in one line, the bar
 * @csspart score - the number
 * @csspart doubt - "not sure" and why
 * @csspart notice - cut texts, plain HTTP, a backend that failed
 * @csspart anchors - the nearest metric anchors
 * @csspart actions - the row of buttons
 * @csspart button - each button
 * @csspart explanation - the painted answer
 * @csspart correction - the form for the right score
 * @csspart backend - what the score was computed on
 * @csspart progress - the bar while the model loads
 * @csspart error - what went wrong
 *
 * @cssprop --touchstone-background - of the card
 * @cssprop --touchstone-color - of text
 * @cssprop --touchstone-muted - of lesser text
 * @cssprop --touchstone-border - of the card
 * @cssprop --touchstone-accent - of the gauge
 * @cssprop --touchstone-radius - of the card's corners
 * @cssprop --touchstone-font - families
 */
export class TouchstoneScorer extends Base {
  static observedAttributes = ["src", "lang", "theme", "compact", ...Object.keys(TEXTS)];

  #component = new Component(this, this.attachShadow({ mode: "open" }));

  /**
   * What is scored. Reading it gives the attributes' texts too; setting it leaves the attributes
   * as they are.
   *
   * @type {Task}
   */
  get task() {
    return this.#component.task;
  }

  set task(task) {
    this.#component.task = task;
  }

  /**
   * Takes the task over, as setting `task` does, and resolves to the score that is then shown. It
   * rejects with an `AbortError` where another task comes first.
   *
   * @param {Partial<Task>} [task] the one that is set, by default
   * @param {{ signal?: AbortSignal }} [options]
   * @returns {Promise<TimedScore>}
   */
  score(task, options) {
    return this.#component.score(task, options);
  }

  /**
   * The answer on every metric, and on `own` ones. What is shown stays.
   *
   * @param {Partial<Task>} [task] its metric does not count
   * @param {{ own?: MetricText[], signal?: AbortSignal }} [options]
   * @returns {Promise<Profile>}
   */
  profile(task, options) {
    return this.#component.profile(task, options);
  }

  /**
   * What each sentence does to the score. What is shown stays.
   *
   * @param {Partial<Task>} [task]
   * @param {{ part?: "response" | "user" | "system", signal?: AbortSignal }} [options]
   * @returns {Promise<Explanation>}
   */
  explain(task, options) {
    return this.#component.explain(task, options);
  }

  /**
   * Ends the score under way.
   *
   * @returns {Promise<void>}
   */
  cancel() {
    return this.#component.cancel();
  }

  connectedCallback() {
    this.#upgrade("task");
    this.#component.connect();
  }

  disconnectedCallback() {
    // One that only moves is back before this.
    queueMicrotask(() => this.isConnected || this.#component.disconnect());
  }

  /**
   * @param {string} name
   * @param {string | null} _old
   * @param {string | null} value
   */
  attributeChangedCallback(name, _old, value) {
    if (name === "src") this.#component.src = value ?? "";
    else if (name in TEXTS) this.#component.task = { ...this.task, ...textOf(name, value ?? "") };
    else this.#component.look = this.#look();
  }

  #look() {
    const theme = this.getAttribute("theme") ?? "auto";
    return { lang: this.getAttribute("lang") ?? "", theme, compact: this.hasAttribute("compact") };
  }

  /** A property that was set before the element was defined hides the class's own. @param {"task"} name */
  #upgrade(name) {
    if (!Object.hasOwn(this, name)) return;
    const value = this[name];
    delete (/** @type {any} */ (this)[name]);
    this[name] = value;
  }
}

/**
 * @param {string} name of an attribute
 * @param {string} value
 * @returns {Partial<Task>}
 */
function textOf(name, value) {
  // A definition describes the metric that was set with it.
  return { [TEXTS[name]]: value, ...(name === "metric" && { definition: undefined }) };
}
