// @ts-check
/** One answer on every metric: the catalogue's and the user's own, in one pass. */
import { el } from "./dom.js";
import { Job } from "./job.js";
import { familiesOf } from "./map/families.js";
import { recordOf } from "./own/adjusted.js";
import { mount as mountAdjustment } from "./own/adjustment.js";
import { ProfileDetail } from "./profile/detail.js";
import { HeatStrip } from "./profile/strip.js";
import { ProfileTable } from "./profile/table.js";
import { csvLine, saveFile } from "./save-file.js";

/**
 * @typedef {import("./app.js").App} App
 * @typedef {import("./protocol.js").Task} Task
 *
 * @typedef {object} Result one metric's score, as in `Score`
 * @property {string} metric
 * @property {number} score
 * @property {number} rounded
 * @property {[number, number] | null} interval
 * @property {number | null} coverage
 * @property {"judged" | "synthetic" | "text"} support
 * @property {boolean} abstain
 * @property {string[]} doubts
 *
 * @typedef {{ scores: Result[], truncated: { kept: number, of: number } | null, receipt: { bundle: string }, milliseconds: number }} Profile
 *
 * @typedef {object} Entry
 * @property {Result & import("./own/adjusted.js").Mark} result
 * @property {string} title
 * @property {string} family
 * @property {string} definition
 * @property {boolean} own
 * @property {string} words what a search looks in, in small letters
 */

/**
 * @param {HTMLElement} root
 * @param {App} app
 * @returns {{ show: (data: { task: Task }) => Promise<void>, stop: () => void }}
 */
export function mount(root, app) {
  const view = new ProfileView(root, app);
  return { show: ({ task }) => view.show(task), stop: () => view.stop() };
}

class ProfileView {
  #app;
  #job;
  #strip;
  #table;
  #detail;
  #body = el("div", { class: "profile-body", hidden: "" });
  #summary = el("p", { role: "status" });
  #cut = el("p", { class: "notice", hidden: "" });
  /** @type {Task | null} */
  #task = null;
  /** @type {Profile | null} */
  #profile = null;
  #adjustment;
  /** @type {Entry[]} */
  #entries = [];

  /**
   * @param {HTMLElement} root
   * @param {App} app
   */
  constructor(root, app) {
    this.#app = app;
    this.#job = new Job(app);
    const pick = (/** @type {Entry} */ entry) => this.#look(entry);
    this.#strip = new HeatStrip(app, pick);
    this.#table = new ProfileTable(app, pick);
    this.#detail = new ProfileDetail(app, () => this.#leave());
    const note = el("div", { hidden: "" });
    this.#adjustment = mountAdjustment(note, app);
    root.classList.add("profile");
    this.#body.append(
      this.#summary,
      this.#cut,
      note,
      this.#strip.element,
      this.#strip.tip,
      this.#scale(),
      this.#detail.element,
      this.#table.element,
      this.#exports(),
    );
    root.append(this.#job.element, this.#body);
    for (const change of ["language", "corrections"]) app.events.addEventListener(change, () => this.#draw());
  }

  stop() {
    this.#job.stop();
  }

  /** @param {Task} task */
  async show(task) {
    this.#task = task;
    this.#profile = null;
    this.#body.hidden = true;
    this.#detail.hide();
    const own = this.#app.metrics().filter((metric) => metric.own);
    const words = this.#app.t("profile.busy", { count: this.#app.metrics().length });
    const profile = await this.#job.run(
      words,
      (client, options) => client.profile(task, { own, ...options }),
      () => this.show(task),
    );
    if (!profile || this.#task !== task) return;
    await this.#app.ownData(); // corrections may adjust the scores
    this.#profile = profile;
    this.#draw();
  }

  #draw() {
    if (!this.#profile) return;
    const { truncated, milliseconds, receipt } = this.#profile;
    const scores = this.#profile.scores.map((score) => this.#app.corrections.calibrate(score, score.metric, receipt.bundle));
    const metrics = new Map(this.#app.metrics().map((metric) => [metric.name, metric]));
    const families = familiesOf(this.#app);
    this.#entries = scores.map((result) => {
      const metric = metrics.get(result.metric);
      const own = metric?.own ?? false;
      const family = own
        ? this.#app.t("map.own")
        : (families.get(result.metric)?.title ?? "") || this.#app.t("map.alone");
      const [title, definition] = [metric?.title ?? result.metric, metric?.definition ?? ""];
      return {
        result,
        title,
        family,
        definition,
        own,
        words: `${title} ${result.metric} ${family} ${definition}`.toLowerCase(),
      };
    });
    const unsure = scores.filter(({ abstain }) => abstain).length;
    this.#summary.textContent = this.#app.t("profile.summary", {
      count: scores.length,
      unsure,
      seconds: this.#app.number(milliseconds / 1000, 1),
    });
    this.#adjustment.count(scores.filter(({ model }) => model).length, scores.length);
    this.#cut.hidden = !truncated;
    this.#cut.textContent = truncated ? this.#app.t("answer.cut", { ...truncated }) : "";
    this.#strip.draw(this.#byFamily());
    this.#table.draw(this.#entries);
    this.#detail.refresh(this.#entries);
    this.#body.hidden = false;
  }

  /** Families as the catalogue has them; those that stand alone and the user's own come last. */
  #byFamily() {
    /** @type {Map<string, Entry[]>} */
    const groups = new Map();
    for (const entry of this.#entries) groups.set(entry.family, [...(groups.get(entry.family) ?? []), entry]);
    const last = [this.#app.t("map.alone"), this.#app.t("map.own")];
    const families = [...groups].map(([title, entries]) => ({ title, entries }));
    return families.sort((a, b) => last.indexOf(a.title) - last.indexOf(b.title));
  }

  #scale() {
    const steps = [0, 2, 4, 6, 8, 10].map((score) => {
      const step = el("span", { class: "heat-cell" }, this.#app.number(score));
      step.style.setProperty("--score", String(score));
      return step;
    });
    const unsure = el("span", { class: "heat-cell unsure" }, this.#app.number(5));
    unsure.style.setProperty("--score", "5");
    return el(
      "p",
      { class: "heat-scale caption" },
      this.#app.say(el("span"), "profile.scale.low"),
      ...steps,
      this.#app.say(el("span"), "profile.scale.high"),
      unsure,
      this.#app.say(el("span"), "profile.unsure"),
    );
  }

  /** @param {Entry} entry */
  #look(entry) {
    if (!this.#task) return;
    this.#strip.mark(entry.result.metric);
    this.#table.mark(entry.result.metric);
    this.#detail.show(entry, taskOf(this.#task, entry));
  }

  /** The look at one metric ends: back to where it began. */
  #leave() {
    const cell = this.#strip.element.querySelector("[aria-current]");
    this.#strip.mark("");
    this.#table.mark("");
    if (cell instanceof HTMLElement) cell.focus();
  }

  // --- Files ---

  #exports() {
    const button = (/** @type {string} */ key, /** @type {() => void} */ act) => {
      const made = this.#app.say(el("button", { type: "button", class: "secondary" }), key);
      made.addEventListener("click", act);
      return made;
    };
    return el(
      "div",
      { class: "tools" },
      button("profile.csv", () => this.#saveCsv()),
      button("profile.json", () => this.#saveJson()),
    );
  }

  #saveCsv() {
    const header = [
      "metric",
      "title",
      "family",
      "score",
      "rounded",
      "low",
      "high",
      "coverage",
      "support",
      "not_sure",
      "doubts",
      "adjusted_score",
      "adjusted_low",
      "adjusted_high",
    ];
    const lines = this.#table.shown.map(({ title, family, result }) => {
      const record = recordOf(result);
      const { metric, score, rounded, interval, coverage, support, abstain, doubts } = record;
      const { adjusted } = /** @type {{ adjusted?: import("./own/adjusted.js").Numbers }} */ (record);
      return csvLine([
        metric,
        title,
        family,
        score,
        rounded,
        interval?.[0],
        interval?.[1],
        coverage,
        support,
        String(abstain),
        doubts.join(" "),
        adjusted?.score,
        adjusted?.interval?.[0],
        adjusted?.interval?.[1],
      ]);
    });
    // The mark tells spreadsheets that the text is UTF-8.
    saveFile("profile.csv", "text/csv", `\uFEFF${csvLine(header)}${lines.join("")}`);
  }

  #saveJson() {
    const { user, response, system } = /** @type {Task} */ (this.#task);
    const scores = this.#table.shown.map(({ result }) => recordOf(result));
    const { truncated, receipt, milliseconds } = /** @type {Profile} */ (this.#profile);
    saveFile(
      "profile.json",
      "application/json",
      `${JSON.stringify({ system, user, response, scores, truncated, receipt, milliseconds }, null, 2)}\n`,
    );
  }
}

/**
 * The same texts on another metric.
 *
 * @param {Task} task
 * @param {Entry} entry
 * @returns {Task}
 */
function taskOf({ system, user, response }, { result, own, definition }) {
  return { metric: result.metric, ...(own && { definition }), ...(system && { system }), user, response };
}
