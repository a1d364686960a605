// @ts-check
import { el } from "../dom.js";

/**
 * Asks before something is lost.
 *
 * @param {import("../app.js").App} app
 * @param {string} question
 * @param {string} yes what the button that goes ahead says
 * @returns {Promise<boolean>}
 */
export function confirmed(app, question, yes) {
  const go = el("button", { value: "yes", class: "danger" }, yes);
  const stay = el("button", { value: "", class: "secondary", autofocus: "" }, app.t("file.confirm.keep"));
  const form = el("form", { method: "dialog" }, el("p", { id: "file-question" }, question), el("div", { class: "file-buttons" }, go, stay));
  const dialog = /** @type {HTMLDialogElement} */ (el("dialog", { class: "file-dialog", "aria-labelledby": "file-question" }, form));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    }),
  );
}
