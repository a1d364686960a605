// @ts-check
/** The note that a score is adjusted by the user's corrections, with the way back. */
import { el } from "../dom.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("../protocol.js").Task} Task
 * @typedef {import("../protocol.js").Score} Score
 */

/**
 * @param {HTMLElement} root
 * @param {App} app
 * @returns {{ show: (data: { task: Task, score: Score }) => void, clear: () => void }} `show` again
 *   after the event "corrections"
 */
export function mount(root, app) {
  root.classList.add("adjustment");
  return { show: ({ task, score }) => show(root, app, task, score), clear: () => root.replaceChildren() };
}

/**
 * @param {HTMLElement} root
 * @param {App} app
 * @param {Task} task
 * @param {Score} score
 */
function show(root, app, task, score) {
  const { adjusted } = app.corrections.calibrate(score, task.metric);
  const changed = adjusted !== null;
  const off = !app.corrections.enabled && app.corrections.report().useful;
  root.hidden = !changed && !off;
  if (root.hidden) return root.replaceChildren();
  /** @type {import("../i18n.js").Values} */
  const values = changed
    ? { from: app.number(adjusted.from, 1), to: app.number(adjusted.score, 1), count: adjusted.n }
    : {};
  const words = app.t(changed ? "corrections.adjusted" : "corrections.adjusted.off", values);
  const had = root.contains(document.activeElement);
  const button = el(
    "button",
    { type: "button", class: "secondary small", "data-act": "adjust" },
    app.t(changed ? "corrections.undo" : "corrections.redo"),
  );
  button.addEventListener("click", () => (app.corrections.enabled = !changed));
  root.replaceChildren(el("p", { role: "status" }, words), button);
  if (had) button.focus();
}
