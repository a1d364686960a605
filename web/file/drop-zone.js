// @ts-check
import { el } from "../dom.js";

/** @typedef {import("../app.js").App} App */

const TYPES = ".csv,.tsv,.txt,.json,.jsonl,.ndjson,.gz";

/** Where files are dropped or chosen, and what became of it. */
export class DropZone {
  #app;
  #onFiles;
  #said = el("div", { class: "file-said", role: "alert" });
  #reading = el("div", { class: "file-reading", hidden: "" });

  /**
   * @param {App} app
   * @param {(files: File[], folders: string[]) => void} onFiles `folders`: names of what cannot be read
   * @param {HTMLElement} area the whole of it takes what is dropped
   */
  constructor(app, onFiles, area) {
    this.#app = app;
    this.#onFiles = onFiles;
    const input = /** @type {HTMLInputElement} */ (el("input", { type: "file", id: "file-input", multiple: "", accept: TYPES, class: "visually-hidden", "aria-describedby": "file-formats" }));
    input.addEventListener("change", () => {
      const files = [...(input.files ?? [])];
      input.value = ""; // the same file can be chosen again
      if (files.length > 0) onFiles(files, []);
    });
    const words = el("div", {}, el("p", { class: "drop-title" }, app.t("file.drop")), el("label", { for: "file-input", class: "button" }, app.t("file.choose")));
    this.element = el("section", { class: "drop card", "aria-label": app.t("file.drop") },
      el("div", { class: "drop-target" }, icon(), words, input),
      el("p", { id: "file-formats", class: "caption" }, app.t("file.formats")), this.#reading, this.#said);
    this.#listen(area);
  }

  /** @param {HTMLElement} area */
  #listen(area) {
    area.addEventListener("dragover", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      this.element.classList.add("over");
    });
    area.addEventListener("dragleave", (event) => {
      if (event.relatedTarget instanceof Node && area.contains(event.relatedTarget)) return;
      this.element.classList.remove("over");
    });
    area.addEventListener("drop", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return; // text goes into its field
      event.preventDefault();
      this.element.classList.remove("over");
      // Asked now: the items are gone after the event.
      const items = [...event.dataTransfer.items].filter(({ kind }) => kind === "file");
      const isFolder = items.map((item) => item.webkitGetAsEntry?.()?.isDirectory ?? false);
      const files = [...event.dataTransfer.files];
      this.#onFiles(files.filter((_, i) => !isFolder[i]), files.filter((_, i) => isFolder[i]).map(({ name }) => name));
    });
  }

  /** @param {(string | HTMLElement)[]} lines what to say about the last files; none takes it away */
  say(lines) {
    this.#said.replaceChildren(...lines.map((line) => el("p", {}, line)));
  }

  /**
   * @param {string} text how far reading is, or "" when it is over
   * @param {() => void} [cancel]
   */
  reading(text, cancel) {
    this.#reading.hidden = text === "";
    const words = this.#reading.querySelector("p");
    if (words && text) words.textContent = text;
    if (words && text) return;
    this.#reading.replaceChildren();
    if (!text) return;
    const button = el("button", { type: "button", class: "secondary", "data-action": "cancel-reading" }, this.#app.t("file.action.cancel"));
    button.addEventListener("click", () => cancel?.());
    this.#reading.append(el("p", { role: "status" }, text), button);
  }
}

function icon() {
  const path = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  path.setAttribute("viewBox", "0 0 48 48");
  path.setAttribute("aria-hidden", "true");
  for (const d of ["M12 6h16l10 10v26H12z", "M28 6v10h10", "M18 25h14M18 31h14M18 37h9"]) {
    const stroke = document.createElementNS("http://www.w3.org/2000/svg", "path");
    stroke.setAttribute("d", d);
    path.append(stroke);
  }
  return path;
}
