// @ts-check
/** That scores are adjusted by the user's corrections, and the way back with a click. */
import { el } from "../dom.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("./adjusted.js").Mark & { score: number }} Shown
 */

/**
 * @param {HTMLElement} root
 * @param {App} app
 * @returns {{ show: (shown: Shown) => void, count: (adjusted: number, of: number) => void, clear: () => void }}
 *   again after the event "corrections"
 */
export function mount(root, app) {
  root.classList.add("adjustment");
  return {
    show({ score, model, corrections }) {
      const values = model && { from: app.number(model.score, 1), to: app.number(score, 1), count: corrections ?? 0 };
      draw(root, app, values ? app.t("corrections.adjusted", values) : "");
    },
    count(adjusted, of) {
      const values = { adjusted, of, count: app.corrections.report().n };
      draw(root, app, adjusted > 0 ? app.t("corrections.adjusted-some", values) : "");
    },
    clear: () => root.replaceChildren(),
  };
}

/**
 * @param {HTMLElement} root
 * @param {App} app
 * @param {string} changed what is adjusted, or ""
 */
function draw(root, app, changed) {
  const off = !app.corrections.enabled && app.corrections.report().useful;
  root.hidden = !changed && !off;
  if (root.hidden) return root.replaceChildren();
  const had = root.contains(document.activeElement);
  const button = el(
    "button",
    { type: "button", class: "secondary small", "data-act": "adjust" },
    app.t(changed ? "corrections.undo" : "corrections.redo"),
  );
  button.addEventListener("click", () => (app.corrections.enabled = !changed));
  root.replaceChildren(el("p", { role: "status" }, changed || app.t("corrections.adjusted.off")), button);
  if (had) button.focus();
}

/**
 * A star behind an adjusted score, which says the model's own.
 *
 * @param {App} app
 * @param {import("./adjusted.js").Mark} shown
 * @returns {HTMLElement[]}
 */
export function starOf(app, { model }) {
  if (!model) return [];
  const words = app.t("corrections.model", { score: app.number(model.score, 1) });
  const hidden = el("span", { class: "visually-hidden" }, ` (${words})`);
  return [el("span", { class: "adjusted-star", title: words }, el("span", { "aria-hidden": "true" }, "*"), hidden)];
}
