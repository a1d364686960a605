// @ts-check
/** Export and import of what the user keeps, the same for metrics and corrections. */
import { el } from "../dom.js";
import { inWords } from "../error-words.js";
import { TouchstoneError } from "../protocol.js";
import { saveFile } from "../save-file.js";

/**
 * @typedef {import("../app.js").App} App
 *
 * @typedef {object} Kind
 * @property {{ export: string, import: string }} keys the buttons' messages
 * @property {string} file the export's name
 * @property {string} type its media type
 * @property {string} accept what the import's dialog offers
 * @property {() => string} exported
 * @property {(text: string) => Promise<string[]>} imported answers what came of it, in lines
 */

/** Larger files are no collection of metrics or corrections. */
const LIMIT = 50_000_000;

export class Transfer {
  element = el("div", { class: "transfer" });
  #app;
  #kind;
  #export;
  #input;
  #said = el("div", { role: "status", class: "transfer-said" });

  /**
   * @param {App} app
   * @param {Kind} kind
   * @param {HTMLElement[]} options of the import
   */
  constructor(app, kind, ...options) {
    this.#app = app;
    this.#kind = kind;
    this.#export = app.say(
      el("button", { type: "button", class: "secondary", "data-act": "export" }),
      kind.keys.export,
    );
    this.#export.addEventListener("click", () => saveFile(kind.file, kind.type, kind.exported()));
    this.#input = /** @type {HTMLInputElement} */ (
      el("input", { type: "file", accept: kind.accept, class: "visually-hidden", tabindex: -1, "aria-hidden": "true" })
    );
    this.#input.addEventListener("change", () => this.#import());
    const open = app.say(el("button", { type: "button", class: "secondary", "data-act": "import" }), kind.keys.import);
    open.addEventListener("click", () => this.#input.click());
    this.element.append(
      el("div", { class: "tools" }, this.#export, open, this.#input, ...options),
      this.#said,
    );
  }

  /** @param {boolean} empty whether there is nothing to export */
  set empty(empty) {
    /** @type {HTMLButtonElement} */ (this.#export).disabled = empty;
  }

  async #import() {
    const file = this.#input.files?.[0];
    if (!file) return;
    try {
      this.say(await this.#kind.imported(await textOf(file)));
    } catch (error) {
      const words = this.#app.t("metrics.import.failed", { file: file.name });
      this.say([el("span", {}, words, " ", inWords(this.#app, error))], true);
    }
    this.#input.value = ""; // the same file can be chosen again
  }

  /**
   * @param {(string | HTMLElement)[]} lines
   * @param {boolean} [bad]
   */
  say(lines, bad = false) {
    this.#said.classList.toggle("bad", bad);
    this.#said.replaceChildren(...lines.map((line) => el("p", {}, line)));
  }
}

/** @param {File} file */
async function textOf(file) {
  if (file.size > LIMIT) {
    const [found, limit] = [Math.round(file.size / 1e6), LIMIT / 1e6];
    const wording = { key: "metrics.import.too-big", values: { found, limit } };
    throw new TouchstoneError("input", `It has ${found} MB, where at most ${limit} MB are read.`, { wording });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    throw new TouchstoneError("input", "It is not UTF-8 text.", { wording: { key: "metrics.import.no-text", values: {} } });
  }
}
