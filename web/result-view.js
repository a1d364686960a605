// @ts-check
import { byId, el } from "./dom.js";
import { drawGauge } from "./gauge.js";

/**
 * @typedef {import("./protocol.js").Task} Task
 * @typedef {import("./protocol.js").TimedScore} TimedScore
 * @typedef {import("./protocol.js").Loaded} Loaded
 * @typedef {"empty" | "busy" | "done" | "stale" | "error"} State
 */

const BACKENDS = { webgpu: "WebGPU", cpu: "CPU" };

const SUPPORT = {
  judged: "Judged examples of this metric and language were seen in training.",
  synthetic: "Only synthetic examples of this metric and language were seen in training.",
  text: "No judged example of this metric and language was seen in training: the score rests on the metric's wording alone.",
};

const DOUBTS = {
  "no-examples": SUPPORT.text,
  "wide-interval": "The interval is so wide that the score says little.",
  "far-text": "Prompt or answer is unlike the texts the model was trained on.",
  "unrelated-metric": "The conversation seems to have little to do with this metric.",
};

/** Draws one score. It never shows a number that does not belong to what its state says. */
export class ResultView {
  #section = byId("result", HTMLElement);
  #note = byId("result-note", HTMLElement);
  #summary = byId("result-summary", HTMLElement);
  #titleOf;
  #receipt = "";

  /** @param {(metric: string) => string} titleOf the readable title of a metric's name */
  constructor(titleOf) {
    this.#titleOf = titleOf;
    byId("copy", HTMLButtonElement).addEventListener("click", () => this.#copy());
  }

  /** @returns {State} */
  get state() {
    return /** @type {State} */ (this.#section.dataset.state);
  }

  /**
   * @param {State} state
   * @param {string} note
   */
  #set(state, note) {
    this.#section.dataset.state = state;
    this.#section.setAttribute("aria-busy", String(state === "busy"));
    this.#note.textContent = note;
  }

  clear() {
    this.#set("empty", "Write or paste an answer, choose a metric and press Score.");
    this.#blank();
  }

  /** @param {string} note what is being waited for */
  busy(note) {
    this.#set("busy", note);
    this.#blank();
  }

  fail() {
    this.#set("error", "No score. What went wrong is said above.");
    this.#blank();
  }

  /** @param {boolean} stale whether the inputs are no longer those that were scored */
  mark(stale) {
    if (this.state !== "done" && this.state !== "stale") return;
    if (stale) this.#set("stale", "The inputs have changed: this is the score of the earlier ones.");
    else this.#set("done", "");
  }

  /**
   * @param {Task} task
   * @param {TimedScore} score
   * @param {Loaded} loaded
   */
  show(task, score, loaded) {
    const title = task.definition === undefined ? this.#titleOf(task.metric) : task.metric;
    text("result-metric", title);
    text("result-score", score.score.toFixed(1));
    text("result-rounded", `${score.rounded} of 10 when rounded`);
    drawGauge(byId("gauge", HTMLElement), score);
    this.#showDoubt(score);
    this.#showAnchors(score.anchors);
    this.#showFacts(score, loaded);
    this.#receipt = JSON.stringify(receiptOf(task, score), null, 2);
    text("receipt", this.#receipt);
    this.#set("done", "");
    const nearest = score.anchors[0] ? ` Nearest anchor: ${this.#titleOf(score.anchors[0].metric)}.` : "";
    const doubt = score.abstain ? " Touchstone is not sure." : "";
    this.#summary.textContent = `${score.score.toFixed(1)} of 10 for ${title}.${doubt}${nearest}`;
  }

  #blank() {
    for (const id of ["result-score", "result-rounded", "result-metric", "result-backend", "result-summary", "receipt"]) {
      text(id, "");
    }
    byId("anchors", HTMLElement).replaceChildren();
    drawGauge(byId("gauge", HTMLElement), null);
  }

  /** @param {TimedScore} score */
  #showDoubt({ abstain, doubts, support, interval, coverage }) {
    byId("result-doubt", HTMLElement).hidden = !abstain;
    text("result-doubt-why", doubts.map((doubt) => DOUBTS[doubt] ?? doubt).join(" "));
    text("result-support", SUPPORT[support] ?? support);
    row("interval", interval && `${interval[0].toFixed(1)} to ${interval[1].toFixed(1)}${covering(coverage)}`);
  }

  /** @param {TimedScore["anchors"]} anchors */
  #showAnchors(anchors) {
    const values = anchors.map(({ similarity }) => similarity);
    const [min, max] = [Math.min(...values), Math.max(...values)];
    byId("anchors", HTMLElement).replaceChildren(
      ...anchors.map(({ metric, similarity }) => {
        const bar = el("span", { class: "bar", "aria-hidden": "true" });
        bar.style.setProperty("--share", String(max > min ? (similarity - min) / (max - min) : 1));
        return el(
          "li",
          { "data-metric": metric, title: metric },
          el("span", { class: "anchor-title" }, this.#titleOf(metric)),
          bar,
          el("span", { class: "anchor-value" }, similarity.toFixed(3)),
        );
      }),
    );
    const scale =
      max > min
        ? `Bars run from the lowest (${min.toFixed(3)}) to the highest (${max.toFixed(3)}) similarity of this list.`
        : "";
    text("anchors-scale", scale);
  }

  /**
   * @param {TimedScore} score
   * @param {Loaded} loaded
   */
  #showFacts({ milliseconds, receipt, truncated }, { backend, reason }) {
    text("result-backend", BACKENDS[backend]);
    text("result-reason", reason);
    text("result-time", milliseconds < 10 ? `${milliseconds.toFixed(1)} ms` : `${count(Math.round(milliseconds))} ms`);
    text("result-tokens", count(receipt.tokens));
    row("truncated", truncated && `kept ${count(truncated.kept)} of ${count(truncated.of)} tokens`);
  }

  async #copy() {
    const said = byId("copied", HTMLElement);
    try {
      await navigator.clipboard.writeText(this.#receipt);
      said.textContent = "Copied.";
    } catch {
      // Without a secure page there is no clipboard: leave the copying to the user's keys.
      getSelection()?.selectAllChildren(byId("receipt", HTMLElement));
      said.textContent = "Selected: copy it with Ctrl+C.";
    }
    setTimeout(() => (said.textContent = ""), 4000);
  }
}

/**
 * What was scored on and with what; the texts themselves stay out of it.
 *
 * @param {Task} task
 * @param {TimedScore} score
 */
function receiptOf({ metric, definition }, score) {
  return { metric, ...(definition !== undefined && { definition }), ...score };
}

/**
 * @param {string} id
 * @param {string} value
 */
function text(id, value) {
  byId(id, HTMLElement).textContent = value;
}

/**
 * A line of the facts, hidden where there is nothing to say.
 *
 * @param {string} name
 * @param {string | null} value
 */
function row(name, value) {
  byId(`row-${name}`, HTMLElement).hidden = !value;
  text(`result-${name}`, value ?? "");
}

/** @param {number | null} coverage */
function covering(coverage) {
  return coverage === null
    ? " (no claim how often it holds: nobody judged such answers)"
    : ` (made to hold ${Math.round(coverage * 100)} % of judges' scores)`;
}

/** @param {number} n */
function count(n) {
  return n.toLocaleString("en");
}
