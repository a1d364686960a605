// @ts-check
import { el } from "../dom.js";

/**
 * A slider for the right score.
 *
 * @param {import("../protocol.js").TimedScore} score
 * @param {import("../words.js").Words} words
 * @param {(corrected: number) => void} correct
 */
export function correctionForm({ rounded }, words, correct) {
  const range = { type: "range", id: "right-score", min: 0, max: 10, step: 0.5, value: rounded };
  const slider = /** @type {HTMLInputElement} */ (el("input", range));
  const shown = el("output", { for: "right-score" }, words.number(rounded, 1));
  slider.addEventListener("input", () => (shown.textContent = words.number(slider.valueAsNumber, 1)));
  const said = el("p", { class: "note", role: "status" });
  const form = el(
    "form",
    { class: "correction", part: "correction" },
    el("label", { for: "right-score" }, words.t("answer.right-score")),
    el("div", { class: "slider" }, slider, shown),
    el("button", { type: "submit", part: "button" }, words.t("widget.correct")),
    said,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    correct(slider.valueAsNumber);
    said.textContent = words.t("widget.corrected", { score: words.number(slider.valueAsNumber, 1) });
  });
  return { element: form, close: () => {} };
}
