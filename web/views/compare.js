// @ts-check
/** Two answers to one prompt, on every metric. */
import { CompareForm } from "../compare-form.js";
import { CompareTable } from "../compare-table.js";
import { el } from "../dom.js";
import { mount as mountAdjustment } from "../own/adjustment.js";
import { copy } from "../receipt.js";
import { linkTo } from "../share.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("../share.js").Shared} Shared
 * @typedef {import("../protocol.js").Profile} Profile
 * @typedef {{ a: Profile, b: Profile, chosen: string }} Compared
 */

/**
 * @param {HTMLElement} root
 * @param {App} app
 */
export function mount(root, app) {
  return new CompareView(root, app);
}

class CompareView {
  #app;
  #form;
  #table;
  #note = el("p", { id: "compare-note", role: "status" });
  #result = el("section", { class: "card", id: "compare-result", hidden: "", "aria-labelledby": "compare-title" });
  /** @type {ReturnType<typeof mountAdjustment>} */
  #adjustment = /** @type {any} */ (null);
  #balance = el("div", { class: "balance", "aria-hidden": "true" });
  #only = /** @type {HTMLInputElement} */ (el("input", { type: "checkbox", id: "compare-only" }));
  #search = /** @type {HTMLInputElement} */ (el("input", { type: "search", id: "compare-search", dir: "auto" }));
  #said = el("span", { role: "status", class: "muted" });
  #shown = el("p", { class: "caption", role: "status" });
  /** @type {AbortController | null} */
  #running = null;
  /** @type {Compared | null} */
  #compared = null;
  /** @type {{ name: string, definition?: string }} the metric that stands out */
  #metric = { name: "task_completion_rate" };

  /**
   * @param {HTMLElement} root
   * @param {App} app
   */
  constructor(root, app) {
    this.#app = app;
    this.#table = new CompareTable(app);
    this.#form = new CompareForm(app, {
      onChange: () => this.#changed(),
      onSubmit: () => this.#compare(),
      onCancel: () => this.#running?.abort(),
    });
    root.append(this.#form.element, this.#note, this.#result);
    this.#buildResult();
    app.translate(root);
    for (const change of ["language", "metrics", "corrections"]) app.events.addEventListener(change, () => this.#draw());
    app.events.addEventListener("model", () => this.#form.refresh(this.#running !== null));
    this.#form.refresh(false);
  }

  #buildResult() {
    const title = this.#app.say(el("h3", { id: "compare-title" }), "compare.result");
    const only = el("label", { class: "check" }, this.#only, this.#app.say(el("span"), "compare.only"));
    this.#search.setAttribute("data-t-label", "compare.search");
    this.#search.setAttribute("data-t-placeholder", "compare.search");
    const share = this.#app.say(el("button", { type: "button", class: "secondary", id: "compare-share" }), "answer.share");
    share.addEventListener("click", () => this.#share());
    for (const field of [this.#only, this.#search]) field.addEventListener("input", () => this.#filter());
    const filters = el("div", { class: "filters" }, this.#search, only, share, this.#said);
    const how = this.#app.say(el("p", { class: "caption" }), "compare.how");
    const note = el("div", { hidden: "" });
    this.#adjustment = mountAdjustment(note, this.#app);
    this.#result.append(title, this.#balance, note, filters, this.#table.element, this.#shown, how);
  }

  /** @param {Shared} [shared] */
  show(shared) {
    if (!shared?.task) return;
    const { metric, definition, system, user, response } = shared.task;
    const [a, b] = shared.answers ?? [response, ""];
    this.#metric = { name: metric, definition };
    this.#form.texts = { system, user, a, b };
    this.#changed();
    if (this.#form.obstacle) this.#form.focus();
    else this.#compare();
  }

  hide() {}

  #changed() {
    this.#form.refresh(this.#running !== null);
    if (this.#compared) this.#app.say(this.#note, "answer.stale");
  }

  async #compare() {
    this.#running?.abort();
    const mine = new AbortController();
    this.#running = mine;
    if (this.#app.ready) this.#app.clearError();
    this.#compared = null;
    this.#result.hidden = true;
    this.#form.refresh(true);
    try {
      this.#compared = await this.#profiles(mine.signal);
      this.#draw();
    } catch (error) {
      if (this.#running === mine) this.#giveUp(error);
    } finally {
      if (this.#running === mine) this.#running = null;
      this.#form.refresh(this.#running !== null);
    }
  }

  /**
   * @param {AbortSignal} signal
   * @returns {Promise<Compared>}
   */
  async #profiles(signal) {
    const { system, user, a, b } = this.#form.texts;
    const own = this.#ownMetrics();
    /** @type {Profile[]} */
    const profiles = [];
    for (const [index, response] of [a, b].entries()) {
      this.#app.say(this.#note, this.#app.ready ? "compare.scoring" : "answer.waiting", { number: index + 1 });
      const task = { metric: this.#metric.name, ...(system && { system }), user, response };
      const call = (/** @type {any} */ client) => client.profile(task, { own, signal });
      profiles.push((await this.#app.run(call, signal)).value);
    }
    await this.#app.ownData(); // corrections may adjust the scores
    const [one, two] = /** @type {[Profile, Profile]} */ (profiles);
    return { a: one, b: two, chosen: this.#metric.name };
  }

  /** The user's own metrics, and the one that the texts came with. */
  #ownMetrics() {
    const own = this.#app.metrics().filter((metric) => metric.own);
    const { name, definition } = this.#metric;
    if (definition === undefined || own.some((metric) => metric.name === name)) return own;
    return [...own, { name, parent: null, title: name, definition, own: /** @type {const} */ (true) }];
  }

  /** @param {unknown} error */
  #giveUp(error) {
    this.#note.removeAttribute("data-t");
    this.#note.textContent = "";
    if (error instanceof DOMException && error.name === "AbortError") return;
    this.#app.error(error, this.#app.hopeless ? null : () => this.#compare());
  }

  #draw() {
    if (!this.#compared) return this.#form.refresh(this.#running !== null);
    const [a, b] = [this.#compared.a, this.#compared.b].map((profile) => this.#adjusted(profile));
    this.#table.show({ a, b, chosen: this.#compared.chosen });
    const both = [...a, ...b];
    this.#adjustment.count(both.filter(({ model }) => model).length, both.length);
    const count = (/** @type {string} */ name) => this.#table.rows.filter(({ verdict }) => verdict === name).length;
    const counts = { a: count("behind"), b: count("ahead"), even: this.#table.rows.length - count("behind") - count("ahead") };
    this.#app.say(this.#note, counts.a + counts.b > 0 ? "compare.summary" : "compare.summary.none", counts);
    this.#balance.replaceChildren(...Object.entries({ a: counts.a, even: counts.even, b: counts.b }).map(share));
    this.#result.hidden = false;
    this.#filter();
  }

  /** The scores as the user's corrections have them. @param {import("../protocol.js").Profile} profile */
  #adjusted({ scores, receipt }) {
    return scores.map((score) => this.#app.corrections.calibrate(score, score.metric, receipt.bundle));
  }

  #filter() {
    const words = this.#search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = this.#table.filter(({ title, a, verdict }) => {
      const beyond = !this.#only.checked || verdict === "ahead" || verdict === "behind";
      const text = `${title} ${a.metric}`.toLowerCase();
      return beyond && words.every((word) => text.includes(word));
    });
    this.#app.say(this.#shown, "answer.metrics-found", { count: shown });
  }

  async #share() {
    const { system, user, a, b } = this.#form.texts;
    const { name, definition } = this.#metric;
    const task = { metric: name, ...(definition && { definition }), ...(system && { system }), user, response: "" };
    try {
      const link = await linkTo("compare", { v: 1, task, answers: [a, b] });
      if (await copy(link)) return this.#app.say(this.#said, "answer.link-copied");
      location.hash = new URL(link).hash;
      this.#app.say(this.#said, "answer.link-in-address");
    } catch (error) {
      this.#app.error(error);
    }
  }
}

/** A part of the bar, as wide as its count. @param {[string, number]} entry */
function share([name, count]) {
  const part = /** @type {HTMLElement} */ (el("span", { class: name }, count > 0 ? String(count) : ""));
  part.style.flexGrow = String(count);
  part.hidden = count === 0;
  return part;
}
