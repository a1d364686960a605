// @ts-check
/** The user's corrections: what they taught, the list, export and import. */
import { el } from "../dom.js";
import { inWords } from "../error-words.js";
import { CalibrationPanel } from "../own/calibration-panel.js";
import { CorrectionList } from "../own/correction-list.js";
import { Transfer } from "../own/transfer.js";
import { Job } from "../job.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("../corrections.js").Correction} Correction
 */

/** Scored at a time; those done when cancelled are kept. */
const BATCH = 32;

/**
 * @param {HTMLElement} root
 * @param {App} app
 * @returns {import("../app.js").View}
 */
export function mount(root, app) {
  const view = new CorrectionsView(root, app);
  return { show: () => view.show(), hide: () => view.hide() };
}

class CorrectionsView {
  #app;
  #panel;
  #list;
  #transfer;
  #job;
  #storage = el("p", { class: "notice", hidden: "" });
  #unscored = el("div", { class: "notice", hidden: "" });
  #unscoredWords = el("p");
  #shown = false;

  /**
   * @param {HTMLElement} root
   * @param {App} app
   */
  constructor(root, app) {
    this.#app = app;
    this.#panel = new CalibrationPanel(app);
    this.#list = new CorrectionList(app);
    this.#job = new Job(app);
    const kind = {
      keys: { export: "corrections.export", import: "corrections.import" },
      file: "touchstone-corrections.jsonl",
      type: "application/jsonl",
      accept: ".jsonl,.json,.ndjson",
    };
    const calls = {
      exported: () => app.corrections.exported(),
      imported: (/** @type {string} */ text) => this.#import(text),
    };
    this.#transfer = new Transfer(app, { ...kind, ...calls });
    const scoreAll = app.say(
      el("button", { type: "button", class: "secondary small", "data-act": "score-all" }),
      "corrections.score-all",
    );
    scoreAll.addEventListener("click", () => this.#scoreAll());
    this.#unscored.append(this.#unscoredWords, scoreAll);
    const kept = el(
      "section",
      { class: "card own-kept" },
      app.say(el("h3"), "corrections.list"),
      this.#unscored,
      this.#job.element,
      this.#list.element,
      this.#transfer.element,
      app.say(el("p", { class: "caption" }), "corrections.train"),
    );
    root.classList.add("own-view");
    root.append(
      app.say(el("p", { class: "lead" }), "corrections.lead"),
      this.#storage,
      el("div", { class: "own-columns corrections" }, this.#panel.element, kept),
    );
    for (const type of ["corrections", "metrics", "language"])
      app.events.addEventListener(type, () => this.#shown && this.#draw());
  }

  show() {
    this.#shown = true;
    this.#draw();
  }

  hide() {
    this.#shown = false;
    this.#job.stop();
  }

  #draw() {
    const all = this.#app.corrections.all();
    const { unscored } = this.#app.corrections.report();
    this.#storage.hidden = this.#app.corrections.lasting;
    this.#app.say(this.#storage, "metrics.not-lasting");
    this.#transfer.empty = all.length === 0;
    this.#unscored.hidden = unscored === 0 || this.#job.busy;
    this.#unscoredWords.textContent = this.#app.t("corrections.unscored", { count: unscored });
    this.#panel.draw();
    this.#list.draw();
  }

  /** Scores with the model in use what it has not scored yet; what is scored when cancelled stays so. */
  async #scoreAll() {
    const open = this.#app.corrections.all().filter((correction) => !this.#app.corrections.counts(correction));
    /** @type {string[]} */
    /** @type {unknown[]} */
    const faults = [];
    for (let done = 0; done < open.length; done += BATCH) {
      const some = open.slice(done, done + BATCH);
      const words = this.#app.t("corrections.scoring", { done, count: open.length });
      const tasks = some.map(({ task }) => task);
      const entries = await this.#job.run(words, (client, options) => client.scoreBatch(tasks, options));
      if (!entries) break;
      faults.push(...(await this.#keepScores(some, entries)));
    }
    this.#draw();
    const words = this.#app.t("corrections.unscorable", { count: faults.length });
    const [first] = faults;
    this.#transfer.say(first ? [el("span", {}, words, " ", inWords(this.#app, first))] : [], true);
  }

  /**
   * @param {Correction[]} corrections
   * @param {import("../protocol.js").BatchEntry[]} entries in the same order
   * @returns {Promise<unknown[]>} the errors of those that could not be scored
   */
  async #keepScores(corrections, entries) {
    /** @type {[Correction, import("../protocol.js").Score][]} */
    const scored = [];
    const faults = entries.flatMap((entry, i) => {
      const correction = corrections[i];
      if ("error" in entry) return [entry.error];
      if (correction) scored.push([correction, entry]);
      return [];
    });
    try {
      await this.#app.corrections.scored(scored);
      return faults;
    } catch (error) {
      return [...faults, error];
    }
  }

  /**
   * @param {string} text
   * @returns {Promise<string[]>}
   */
  async #import(text) {
    const { refused, ...counts } = await this.#app.corrections.import(text);
    const lines = Object.entries(counts)
      .filter(([, count]) => count > 0)
      .map(([what, count]) => this.#app.t(`corrections.imported.${what}`, { count }));
    const faults = refused
      .slice(0, 5)
      .map(({ number, code, values }) =>
        this.#app.t("corrections.refused", { number, why: this.#app.t(`corrections.problem.${code}`, values) }),
      );
    const more =
      refused.length > faults.length
        ? [this.#app.t("metrics.refused.more", { count: refused.length - faults.length })]
        : [];
    return [...lines, ...faults, ...more];
  }
}
