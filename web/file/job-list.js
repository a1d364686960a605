// @ts-check
import { el } from "../dom.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("./types.js").Job} Job
 */

/** The files that are kept, each with its state, to open or to delete. */
export class JobList {
  #app;
  #hooks;
  #list = el("ul", { class: "job-list" });
  #kept = el("p", { class: "caption" });

  /**
   * @param {App} app
   * @param {{ open: (job: Job) => void, remove: (job: Job) => void }} hooks
   */
  constructor(app, hooks) {
    this.#app = app;
    this.#hooks = hooks;
    this.element = el("section", { class: "file-jobs", "aria-labelledby": "file-jobs-title" }, el("h3", { id: "file-jobs-title" }, app.t("file.jobs")), this.#list, this.#kept);
  }

  /**
   * @param {Job[]} jobs
   * @param {number} open id of the one on show
   * @param {boolean} inMemory
   */
  draw(jobs, open, inMemory) {
    const { activeElement } = document;
    const focused = activeElement instanceof HTMLElement && this.#list.contains(activeElement) ? activeElement.dataset.focus : undefined;
    this.element.hidden = jobs.length === 0;
    this.#list.replaceChildren(...jobs.map((job) => this.#item(job, job.id === open)));
    this.#kept.textContent = this.#app.t(inMemory ? "file.jobs.memory" : "file.jobs.kept");
    if (focused) /** @type {HTMLElement | null} */ (this.#list.querySelector(`[data-focus="${focused}"]`))?.focus();
  }

  /**
   * @param {Job} job
   * @param {boolean} open
   */
  #item(job, open) {
    const total = job.rows * (job.mode === "chosen" ? Math.max(1, job.metrics.length) : 1);
    const share = job.state === "ready" ? this.#app.t("file.rows", { count: job.rows }) : this.#app.t("file.progress.count", { done: job.done, count: total });
    const state = el("span", { class: `job-state ${job.state}` }, this.#app.t(`file.state.${job.state}`));
    const show = el("button", { type: "button", class: "job", "data-focus": `open-${job.id}`, "aria-current": open ? "true" : undefined },
      el("span", { class: "job-name", dir: "auto" }, job.name), el("span", { class: "job-facts" }, state, " ", share));
    show.addEventListener("click", () => this.#hooks.open(job));
    const remove = el("button", { type: "button", class: "secondary remove", "data-focus": `remove-${job.id}`, "aria-label": this.#app.t("file.jobs.remove", { name: job.name }) }, this.#app.t("file.jobs.delete"));
    remove.addEventListener("click", () => this.#hooks.remove(job));
    return el("li", { "data-job": job.id }, show, remove);
  }
}
