// @ts-check
/** One answer: the form, its score and what explains it. */
import { CorrectionForm } from "../correction-form.js";
import { byId } from "../dom.js";
import { offerExamples } from "../examples.js";
import { InsightPanel } from "../insight-panel.js";
import { TouchstoneError } from "../protocol.js";
import { ResultView } from "../result-view.js";
import { TaskForm } from "../task-form.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("../protocol.js").Task} Task
 * @typedef {import("../share.js").Shared} Shared
 */

/**
 * @param {HTMLElement} root
 * @param {App} app
 */
export function mount(root, app) {
  return new AnswerView(root, app);
}

/** A task from a link or a file on a metric that this page does not have. */
class UnknownMetric extends TouchstoneError {
  /** @param {string} metric */
  constructor(metric) {
    const wording = { key: "answer.unknown-metric", values: { metric } };
    super("input", `No metric is called “${metric}”.`, { wording });
  }
}

class AnswerView {
  #root;
  #app;
  #form;
  #result;
  #panel;
  #button = byId("score", HTMLButtonElement);
  #cancel = byId("cancel", HTMLButtonElement);
  /** @type {AbortController | null} of the score under way */
  #scoring = null;
  /** @type {Task | null} what the shown result belongs to */
  #scored = null;
  #refreshing = false;
  /** @type {{ task: Task, result?: Shared["result"] } | null} shown once the catalogue is there */
  #awaited = null;

  /**
   * @param {HTMLElement} root
   * @param {App} app
   */
  constructor(root, app) {
    this.#root = root;
    this.#app = app;
    this.#panel = new InsightPanel(app);
    this.#result = new ResultView(app, this.#panel, new CorrectionForm(app));
    this.#form = new TaskForm(app, () => this.#changed());
    this.#listen();
    this.#result.clear();
    if (matchMedia("(max-width: 34rem)").matches) byId("examples-details", HTMLDetailsElement).open = false;
    offerExamples(app, (example) => this.#use(example)).catch((error) => app.error(error));
    this.#refresh();
  }

  #listen() {
    this.#form.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#start();
    });
    this.#cancel.addEventListener("click", () => {
      this.#scoring?.abort();
      this.#button.focus();
    });
    document.addEventListener("keydown", (event) => this.#onKey(event));
    this.#app.events.addEventListener("metrics", () => this.#awaited && this.show(this.#awaited));
    for (const change of ["language", "model"]) {
      this.#app.events.addEventListener(change, () => this.#refresh());
    }
    if (/Mac|iPhone|iPad/.test(navigator.platform)) byId("score-keys", HTMLElement).textContent = "⌘ Enter";
  }

  /** @param {{ metric?: string, task?: Task, result?: Shared["result"] }} [state] a task is scored at once */
  show({ metric, task, result } = {}) {
    if (metric) this.#form.metric = metric;
    if (!task) return this.#refresh();
    if (!this.#form.ready) {
      this.#awaited = { task, result };
      return;
    }
    this.#awaited = null;
    if (!this.#knows(task)) return this.#app.error(new UnknownMetric(task.metric));
    this.#form.task = task;
    byId("examples-details", HTMLDetailsElement).open = false;
    this.#refresh();
    this.#start(result);
  }

  /** @param {Task} task */
  #knows({ metric, definition }) {
    return definition !== undefined || this.#app.metrics().some(({ name }) => name === metric);
  }

  hide() {}

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (this.#root.hidden || event.isComposing) return;
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    if (!this.#start() && !this.#form.checkAnswer()) this.#form.response.focus();
  }

  /** @param {import("../examples.js").Example} example */
  #use({ metric, system, user, response }) {
    this.#form.task = { metric, system, user, response };
    this.#refresh();
  }

  /** At most once a frame: typing into a long text stays quick. */
  #changed() {
    if (this.#refreshing) return;
    this.#refreshing = true;
    requestAnimationFrame(() => this.#refresh());
  }

  #refresh() {
    this.#refreshing = false;
    this.#form.markLanguages();
    const reason = this.#app.hopeless || this.#form.obstacle;
    this.#button.disabled = reason !== "";
    byId("score-reason", HTMLElement).textContent = reason;
    if (this.#form.response.value.trim()) this.#form.checkAnswer();
    if (this.#scored) this.#result.mark(!this.#form.holds(this.#scored));
  }

  /**
   * @param {Shared["result"]} [claim] what the sender of a link saw
   * @returns {boolean} whether there is something to score
   */
  #start(claim) {
    if (this.#app.hopeless || this.#form.obstacle) return false;
    this.#score(claim);
    return true;
  }

  /** @param {Shared["result"]} [claim] */
  async #score(claim) {
    this.#scoring?.abort();
    const mine = new AbortController();
    this.#scoring = mine;
    const task = this.#form.task;
    if (this.#app.ready) this.#app.clearError();
    this.#result.busy(this.#app.ready ? "answer.scoring" : "answer.waiting");
    this.#cancel.hidden = false;
    try {
      const call = this.#app.run((client) => client.score(task, { signal: mine.signal }), mine.signal);
      const { value, loaded } = await call;
      await this.#app.ownData(); // corrections may adjust the score
      this.#scored = task;
      this.#result.show({ task, score: value, loaded, claim });
      this.#result.mark(!this.#form.holds(task));
    } catch (error) {
      if (this.#scoring === mine) this.#giveUp(error, claim);
    } finally {
      if (this.#scoring === mine) this.#done();
    }
  }

  #done() {
    this.#scoring = null;
    this.#cancel.hidden = true;
  }

  /**
   * @param {unknown} error
   * @param {Shared["result"]} claim
   */
  #giveUp(error, claim) {
    this.#scored = null;
    if (error instanceof DOMException && error.name === "AbortError") return this.#result.clear();
    this.#app.error(error, this.#app.hopeless ? null : () => this.#start(claim));
    this.#result.fail();
  }
}
