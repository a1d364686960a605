// @ts-check
import { byId } from "./dom.js";
import { MetricChooser, showDefinition } from "./metric-chooser.js";
import { languageOf } from "./script-language.js";

/**
 * @typedef {import("./protocol.js").Task} Task
 * @typedef {import("./app.js").App} App
 */

const DEFAULT_METRIC = "task_completion_rate";

/** The fields of one answer: what is scored, and on which metric. */
export class TaskForm {
  form = byId("task", HTMLFormElement);
  response = byId("response", HTMLTextAreaElement);
  #system = byId("system", HTMLTextAreaElement);
  #user = byId("user", HTMLTextAreaElement);
  #ownName = byId("own-name", HTMLInputElement);
  #ownDefinition = byId("own-definition", HTMLTextAreaElement);
  #own = byId("metric-own", HTMLInputElement);
  #app;
  #chooser;
  /** @type {string} a metric to choose once the catalogue is there */
  #wanted = DEFAULT_METRIC;

  /**
   * @param {App} app
   * @param {() => void} onChange
   */
  constructor(app, onChange) {
    this.#app = app;
    this.#chooser = new MetricChooser(chooserParts(), app, (metric) => {
      showDefinition(byId("metric-definition", HTMLElement), metric);
      onChange();
    });
    this.form.addEventListener("input", ({ target }) => {
      if (target !== byId("metric", HTMLInputElement)) onChange();
    });
    this.form.addEventListener("change", () => {
      this.#showKind();
      onChange();
    });
    this.response.addEventListener("blur", () => this.checkAnswer());
    for (const change of ["metrics", "language"]) app.events.addEventListener(change, () => this.#showMetrics());
    this.#showMetrics();
    this.#showKind();
  }

  /** @returns {Task} */
  get task() {
    const metric = this.#own.checked
      ? { metric: this.#ownName.value.trim() || "my metric", definition: this.#ownDefinition.value }
      : listed(this.#chooser.chosen);
    const system = this.#system.value;
    return { ...metric, ...(system && { system }), user: this.#user.value, response: this.response.value };
  }

  /** @param {Partial<Task>} task texts that are missing become empty, a missing metric stays */
  set task({ metric, definition, system = "", user = "", response = "" }) {
    this.#system.value = system;
    byId("system-details", HTMLDetailsElement).open = system !== "";
    this.#user.value = user;
    this.response.value = response;
    if (metric !== undefined) this.#setMetric(metric, definition);
    this.markLanguages();
  }

  /** @param {string} name a metric of the list */
  set metric(name) {
    this.#setMetric(name);
  }

  /**
   * @param {string} metric
   * @param {string} [definition]
   */
  #setMetric(metric, definition) {
    const same = this.#app.metrics().find(({ name }) => name === metric);
    const own = definition !== undefined && same?.definition !== definition;
    byId(own ? "metric-own" : "metric-listed", HTMLInputElement).checked = true;
    this.#showKind();
    if (own) {
      this.#ownName.value = metric;
      this.#ownDefinition.value = definition;
      return;
    }
    this.#wanted = metric;
    this.#chooser.choose(metric);
  }

  /** Whether the list has come. */
  get ready() {
    return this.#app.metrics().length > 0;
  }

  /** Why there is nothing to score, or "". */
  get obstacle() {
    if (!this.response.value.trim()) return this.#app.t("answer.need.answer");
    if (this.#own.checked && !this.#ownDefinition.value.trim()) return this.#app.t("answer.need.definition");
    if (!this.#own.checked && !this.#chooser.chosen) return this.#app.t("answer.need.metric");
    return "";
  }

  /** Whether the fields still hold what was scored; compares without copying long texts. @param {Task} task */
  holds(task) {
    const now = this.task;
    return ["metric", "definition", "system", "user", "response"].every(
      (name) => now[/** @type {keyof Task} */ (name)] === task[/** @type {keyof Task} */ (name)],
    );
  }

  /** Tells fonts and screen readers what script each field is in. */
  markLanguages() {
    for (const field of [this.#system, this.#user, this.response, this.#ownName, this.#ownDefinition]) {
      const language = languageOf(field.value);
      if (language) field.lang = language;
      else field.removeAttribute("lang");
    }
  }

  /** Says beside the field when there is no answer. @returns {boolean} whether there is one */
  checkAnswer() {
    const there = this.response.value.trim() !== "";
    byId("response-error", HTMLElement).textContent = there ? "" : this.#app.t("answer.empty");
    if (there) this.response.removeAttribute("aria-invalid");
    else this.response.setAttribute("aria-invalid", "true");
    return there;
  }

  #showMetrics() {
    const metrics = this.#app.metrics();
    if (metrics.length > 0) this.#chooser.offer(metrics, this.#wanted);
  }

  #showKind() {
    byId("listed-fields", HTMLElement).hidden = this.#own.checked;
    byId("own-fields", HTMLElement).hidden = !this.#own.checked;
  }
}

function chooserParts() {
  return {
    input: byId("metric", HTMLInputElement),
    popup: byId("metric-popup", HTMLElement),
    list: byId("metric-list", HTMLElement),
    definition: byId("metric-active-definition", HTMLElement),
    count: byId("metric-count", HTMLElement),
  };
}

/**
 * A metric of the list as a task names it; one of the user's own goes with its definition.
 *
 * @param {import("./app.js").Metric | null} metric
 */
function listed(metric) {
  return { metric: metric?.name ?? "", ...(metric?.own && { definition: metric.definition }) };
}
