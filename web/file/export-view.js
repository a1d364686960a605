// @ts-check
import { el } from "../dom.js";
import { download, exportName, exported } from "./exporter.js";
import { NotExported } from "./tools.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("./session.js").Session} Session
 * @typedef {import("./exporter.js").Kind} Kind
 */

const KINDS = /** @type {Kind[]} */ (["csv", "jsonl", "langfuse", "llm-comparator"]);

/** The buttons that hand the results to the user as a file. */
export class ExportView {
  #app;
  #session;
  #said = el("span", { role: "status", class: "caption" });
  #more;
  #safe;

  /**
   * @param {App} app
   * @param {Session} session
   */
  constructor(app, session) {
    this.#app = app;
    this.#session = session;
    this.#more = box("export-more", true);
    this.#safe = box("export-safe", false);
    const buttons = el("div", { class: "file-buttons" }, ...KINDS.map((kind) => this.#button(kind)), this.#said);
    const checks = [
      el("label", { class: "check" }, this.#more, app.t("file.export.more")),
      el("label", { class: "check" }, this.#safe, app.t("file.export.safe")),
    ];
    const hints = ["file.export.hint", "file.export.tools"].map((key) => el("p", { class: "caption" }, app.t(key)));
    this.element = el("div", { class: "file-export" }, el("h4", {}, app.t("file.export.title")), buttons, ...checks, ...hints);
  }

  /** @param {Kind} kind */
  #button(kind) {
    const button = el("button", { type: "button", class: "secondary", "data-export": kind }, this.#app.t(`file.export.${kind}`));
    button.addEventListener("click", () => this.#save(kind));
    return button;
  }

  /** @param {Kind} kind */
  async #save(kind) {
    this.#said.textContent = this.#app.t("file.export.busy");
    try {
      this.#said.textContent = await this.#saved(kind);
    } catch (error) {
      if (!(error instanceof NotExported)) throw error;
      this.#said.textContent = this.#app.t(`file.export.refused.${error.code}`, error.values);
    }
  }

  /** @param {Kind} kind @returns {Promise<string>} what to say of it */
  async #saved(kind) {
    const name = exportName(this.#session.job.name, kind);
    const { blob, alone } = await exported(this.#session, { kind, more: this.#more.checked, safe: this.#safe.checked });
    download(name, blob);
    const done = this.#app.t("file.export.done", { name });
    return alone === 0 ? done : `${done} ${this.#app.t("file.export.alone", { count: alone })}`;
  }
}

/**
 * @param {string} name
 * @param {boolean} on
 */
function box(name, on) {
  const input = /** @type {HTMLInputElement} */ (el("input", { type: "checkbox", class: name }));
  input.checked = on;
  return input;
}
