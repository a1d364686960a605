// @ts-check
/** What the element and `Touchstone` share: a task, its score, and the states in between. */
import { TouchstoneError } from "../protocol.js";
import { Words } from "../words.js";
import { FIRST_WORDS, firstLanguage } from "./first-words.js";
import { hostAt, unlessAborted } from "./host.js";
import { copyTask, isComplete, isSame, NOTHING } from "./task.js";
import { View } from "./view.js";

/**
 * @typedef {import("../protocol.js").Task} Task
 * @typedef {import("../protocol.js").TimedScore} TimedScore
 * @typedef {import("../protocol.js").Explanation} Explanation
 * @typedef {import("../protocol.js").Profile} Profile
 * @typedef {import("../protocol.js").Loaded} Loaded
 * @typedef {{ signal?: AbortSignal }} Options
 *
 * @typedef {object} Look
 * @property {string} lang "" for the page's own
 * @property {string} theme "light", "dark" or "auto"
 * @property {boolean} compact
 *
 * @typedef {{ promise: Promise<TimedScore>, resolve: (score: TimedScore) => void, reject: (error: unknown) => void }} Outcome
 */

export class Component {
  #target;
  #view;
  #src = "";
  /** @type {Task} */
  #task = NOTHING;
  /** @type {Look} */
  #look = { lang: "", theme: "auto", compact: false };
  /** @type {import("./host.js").Host | null} while connected */
  #host = null;
  /** Ends what is under way when the component leaves or its source changes. */
  #stay = new AbortController();
  /** Whether the model is being loaded. */
  #starting = false;
  /** The language that was asked for and whose words are all here; "" at first. */
  #spoken = "";
  /** @type {AbortController | null} the score under way */
  #run = null;
  /** @type {Outcome} of the task that is set */
  #outcome = outcome();
  /** @type {{ task: Task, score: TimedScore } | null} what is shown */
  #shown = null;
  /** @type {{ loaded: Loaded, secure: boolean } | null} */
  #model = null;

  /**
   * @param {HTMLElement} target hears the events
   * @param {ShadowRoot} root is drawn into
   */
  constructor(target, root) {
    this.#target = target;
    this.#view = new View(root, {
      score: () => this.#go(),
      cancel: () => this.cancel(),
      explain: (signal) => this.explain(undefined, { signal }),
      correct: (corrected) => this.#correct(corrected),
    });
  }

  get task() {
    return this.#task;
  }

  set task(task) {
    const next = copyTask(task);
    if (isSame(next, this.#task)) return;
    this.#task = next;
    this.#renew(new DOMException("Another text has taken the place of this one.", "AbortError"));
    this.#go();
  }

  /** @param {Look} look */
  set look(look) {
    const other = look.lang !== this.#look.lang;
    this.#look = look;
    this.#view.dress(look);
    if (other && this.#host && !this.#starting) this.#speak().catch((error) => this.#failed(error));
  }

  /** @param {string} src address of the scorer's page; "" for the folder that this module came from */
  set src(src) {
    if (src === this.#src) return;
    this.#src = src;
    this.#spoken = "";
    this.#renew(new DOMException("Another source has taken the place of this one.", "AbortError"));
    if (!this.#host) return;
    this.disconnect();
    this.connect();
  }

  connect() {
    if (this.#host) return;
    this.#stay = new AbortController();
    if (!this.#spoken) this.#speakFirst();
    try {
      this.#host = hostAt(this.#src || new URL("../", import.meta.url));
    } catch (error) {
      return this.#failed(error);
    }
    this.#host.acquire();
    this.#go();
  }

  disconnect() {
    this.#stay.abort(new DOMException("The element has left the page.", "AbortError"));
    this.#run?.abort();
    this.#host?.release();
    this.#host = this.#model = this.#run = null;
    this.#starting = false;
  }

  /**
   * Takes the task over and resolves to its score, which is then shown.
   *
   * @param {Partial<Task>} [task] the one that is set, by default
   * @param {Options} [options]
   * @returns {Promise<TimedScore>}
   */
  async score(task = this.#task, { signal } = {}) {
    signal?.throwIfAborted();
    this.task = /** @type {Task} */ (task);
    if (!isComplete(this.#task)) throw new TouchstoneError("input", "There is nothing to score: a metric and an answer are needed.");
    if (!this.#run) this.#go();
    const { promise } = this.#outcome;
    signal?.addEventListener("abort", () => this.#outcome.promise === promise && this.cancel(), { once: true });
    return unlessAborted(promise, signal);
  }

  /**
   * @param {Partial<Task>} [task] its metric does not count
   * @param {Options & { own?: import("../protocol.js").MetricText[] }} [options]
   * @returns {Promise<Profile>}
   */
  async profile(task = this.#task, { own = [], signal } = {}) {
    return this.#ask("profile", { task: copyTask(task), own }, signal);
  }

  /**
   * @param {Partial<Task>} [task]
   * @param {Options & { part?: import("../protocol.js").Part }} [options]
   * @returns {Promise<Explanation>}
   */
  async explain(task = this.#task, { part = "response", signal } = {}) {
    return this.#ask("explain", { task: copyTask(task), part }, signal);
  }

  /** Ends the score under way; what waits for it rejects with an `AbortError`. */
  async cancel() {
    if (this.#shown) return;
    const error = new DOMException("The score was cancelled.", "AbortError");
    this.#renew(error);
    if (this.#model) this.#view.stopped();
  }

  /**
   * @param {"profile" | "explain"} type
   * @param {object} fields
   * @param {AbortSignal | undefined} signal
   */
  async #ask(type, fields, signal) {
    if (!this.#host) throw new TouchstoneError("host", "The element is not in the page.");
    return this.#host.call(type, fields, AbortSignal.any([this.#stay.signal, ...(signal ? [signal] : [])]));
  }

  /** Does what comes next: loads the model, or scores the task. */
  #go() {
    if (this.#model) this.#schedule();
    else if (this.#host && !this.#starting) this.#start(this.#host, this.#stay.signal);
  }

  // --- From the source to a model ---

  /**
   * @param {import("./host.js").Host} host
   * @param {AbortSignal} signal
   */
  async #start(host, signal) {
    this.#starting = true;
    this.#loading(null);
    try {
      const { secure } = await unlessAborted(host.open(), signal);
      await this.#speak();
      const loaded = await host.load({ signal, onProgress: (progress) => this.#progress(progress) });
      this.#model = { loaded, secure };
      this.#tell("ready", { ...loaded, secure });
      this.#schedule();
    } catch (error) {
      if (!signal.aborted) this.#failed(error);
    } finally {
      if (!signal.aborted) this.#starting = false;
    }
  }

  /** @param {import("../protocol.js").Progress} progress */
  #progress(progress) {
    const { stage, loaded, total, label } = progress;
    this.#loading({ stage, loaded, total, label });
    this.#tell("progress", { stage, loaded, total, label });
  }

  /** What was scored before the element left and came back stays. @param {import("../protocol.js").Progress | null} progress */
  #loading(progress) {
    if (!this.#shown) this.#view.loading(progress);
  }

  #speakFirst() {
    const lang = firstLanguage(this.#language());
    this.#view.speak(new Words(lang, FIRST_WORDS[lang]), {});
  }

  async #speak() {
    const wanted = this.#language();
    if (wanted === this.#spoken) return; // drawing anew would close what the user has opened
    const { language, messages, titles } = await unlessAborted(/** @type {any} */ (this.#host).words(wanted), this.#stay.signal);
    if (wanted !== this.#language()) return;
    const first = FIRST_WORDS[firstLanguage(language)];
    this.#view.speak(new Words(language, { ...first, ...messages }), titles);
    this.#spoken = wanted;
  }

  #language() {
    const around = this.#target.closest("[lang]")?.getAttribute("lang");
    return (this.#look.lang || around || navigator.language).slice(0, 35);
  }

  // --- From a task to a score ---

  /** What was waited for is over. @param {unknown} error */
  #renew(error) {
    this.#shown = null;
    this.#run?.abort(error);
    this.#run = null;
    this.#outcome.reject(error);
    this.#outcome = outcome();
  }

  /** Attributes come one by one: what is set in one go is scored once. */
  async #schedule() {
    if (this.#shown) return;
    this.#run?.abort();
    const run = new AbortController();
    this.#run = run;
    await Promise.resolve();
    if (this.#run !== run || !this.#host || !this.#model) return;
    if (isComplete(this.#task)) await this.#score(this.#host, this.#model, run.signal);
    else this.#view.waiting();
    if (this.#run === run) this.#run = null;
  }

  /**
   * @param {import("./host.js").Host} host
   * @param {{ loaded: Loaded, secure: boolean }} model
   * @param {AbortSignal} signal
   */
  async #score(host, model, signal) {
    const task = this.#task;
    this.#view.scoring();
    try {
      const score = await host.call("score", { task }, signal);
      if (signal.aborted) return;
      this.#shown = { task, score };
      this.#view.result({ task, score, ...model });
      this.#outcome.resolve(score);
      this.#tell("result", { task, result: score });
    } catch (error) {
      if (!signal.aborted) this.#failed(error);
    }
  }

  /** @param {number} corrected */
  #correct(corrected) {
    if (!this.#shown) return;
    const { task, score } = this.#shown;
    this.#tell("correction", { task, predicted: score, corrected });
  }

  /** @param {unknown} error */
  #failed(error) {
    const { kind = "internal", message = String(error), retryable = false } = /** @type {any} */ (error);
    // A text that cannot be scored says nothing about the model.
    if (kind !== "input") this.#model = null;
    this.#outcome.reject(error);
    this.#outcome = outcome();
    this.#view.failed({ kind, message });
    this.#tell("error", { kind, message, retryable });
  }

  /**
   * @param {"ready" | "progress" | "result" | "error" | "correction"} what
   * @param {object} detail
   */
  #tell(what, detail) {
    this.#target.dispatchEvent(new CustomEvent(`touchstone-${what}`, { detail, bubbles: true, composed: true }));
  }
}

/** @returns {Outcome} */
function outcome() {
  /** @type {any} */
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  made.promise.catch(() => {}); // whoever waits hears of it
  return made;
}
