// @ts-check
import { byId } from "./dom.js";
import { recordOf } from "./own/adjusted.js";
import { linkTo } from "./share.js";

/**
 * @typedef {import("./app.js").App} App
 * @typedef {import("./protocol.js").Task} Task
 * @typedef {import("./protocol.js").TimedScore} TimedScore
 */

/** How long "Copied." stands, in milliseconds. */
const SAID_FOR = 5_000;

/** The record of one score, to copy, and the link that restores it. */
export class Receipt {
  #app;
  #shown = byId("receipt", HTMLElement);
  #said = byId("copied", HTMLElement);
  /** @type {{ task: Task, score: TimedScore & { adjusted?: object } } | null} the model's own score */
  #scored = null;

  /** @param {App} app */
  constructor(app) {
    this.#app = app;
    byId("copy", HTMLButtonElement).addEventListener("click", () => this.#copyReceipt());
    byId("share", HTMLButtonElement).addEventListener("click", () => this.#copyLink());
  }

  /**
   * @param {Task} task
   * @param {TimedScore & import("./own/adjusted.js").Mark} shown
   */
  show(task, shown) {
    const score = recordOf(shown);
    this.#scored = { task, score };
    this.#shown.textContent = JSON.stringify(receiptOf(task, score), null, 2);
  }

  async #copyReceipt() {
    if (await copy(this.#shown.textContent ?? "")) return this.#say("answer.copied");
    // Without a secure page there is no clipboard: leave the copying to the user's keys.
    byId("receipt-details", HTMLDetailsElement).open = true;
    getSelection()?.selectAllChildren(this.#shown);
    this.#say("answer.selected");
  }

  async #copyLink() {
    if (!this.#scored) return;
    const { task, score } = this.#scored;
    const { bundle, version } = score.receipt;
    try {
      const link = await linkTo("answer", { v: 1, task, result: { score: score.score, bundle, version } });
      if (await copy(link)) return this.#say("answer.link-copied");
      location.hash = new URL(link).hash; // where the user can copy it
      this.#say("answer.link-in-address");
    } catch (error) {
      this.#app.error(error);
    }
  }

  /** @param {string} key */
  #say(key) {
    this.#app.say(this.#said, key);
    setTimeout(() => {
      this.#said.removeAttribute("data-t");
      this.#said.textContent = "";
    }, SAID_FOR);
  }
}

/**
 * @param {string} text
 * @returns {Promise<boolean>} whether the clipboard took it
 */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * What was scored on and with what; the texts themselves stay out of it.
 *
 * @param {Task} task
 * @param {TimedScore} score
 */
export function receiptOf({ metric, definition }, score) {
  return { metric, ...(definition !== undefined && { definition }), ...score };
}
