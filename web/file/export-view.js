// @ts-check
import { el } from "../dom.js";
import { download, exportName, exported } from "./exporter.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("./session.js").Session} Session
 */

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
    const buttons = el("div", { class: "file-buttons" }, this.#button("csv"), this.#button("jsonl"), this.#said);
    const checks = [
      el("label", { class: "check" }, this.#more, app.t("file.export.more")),
      el("label", { class: "check" }, this.#safe, app.t("file.export.safe")),
    ];
    const hint = el("p", { class: "caption" }, app.t("file.export.hint"));
    this.element = el("div", { class: "file-export" }, el("h4", {}, app.t("file.export.title")), buttons, ...checks, hint);
  }

  /** @param {"csv" | "jsonl"} kind */
  #button(kind) {
    const button = el("button", { type: "button", class: "secondary", "data-export": kind }, this.#app.t(`file.export.${kind}`));
    button.addEventListener("click", () => this.#save(kind));
    return button;
  }

  /** @param {"csv" | "jsonl"} kind */
  async #save(kind) {
    this.#said.textContent = this.#app.t("file.export.busy");
    const name = exportName(this.#session.job.name, kind);
    const blob = await exported(this.#session, { kind, more: this.#more.checked, safe: this.#safe.checked });
    download(name, blob);
    this.#said.textContent = this.#app.t("file.export.done", { name });
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
