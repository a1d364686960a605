// @ts-check
import { byId, el } from "./dom.js";
import { fetchJson } from "./fetch-json.js";

/**
 * @typedef {object} Example
 * @property {string} id
 * @property {string} language a language tag
 * @property {"good" | "poor"} answer
 * @property {string} metric
 * @property {string} [system]
 * @property {string} user
 * @property {string} response
 *
 * @typedef {import("./app.js").App} App
 */

/**
 * Fetches the examples and offers each as a button, a row a language.
 *
 * @param {App} app
 * @param {(example: Example) => void} use
 */
export async function offerExamples(app, use) {
  /** @type {Example[]} */
  const examples = await fetchJson("examples.json");
  const draw = () => byId("examples", HTMLElement).replaceChildren(...rows(app, examples, use));
  for (const change of ["metrics", "language"]) app.events.addEventListener(change, draw);
  draw();
}

/**
 * @param {App} app
 * @param {Example[]} examples
 * @param {(example: Example) => void} use
 */
function rows(app, examples, use) {
  const languages = [...new Set(examples.map(({ language }) => language))];
  return languages.map((language) => {
    const some = examples.filter((example) => example.language === language);
    const name = new Intl.DisplayNames([language], { type: "language" }).of(language) ?? language;
    const buttons = some.map((example) => exampleButton(app, example, use));
    return el("div", { class: "example-row" }, el("span", { lang: language }, name), ...buttons);
  });
}

/**
 * @param {App} app
 * @param {Example} example
 * @param {(example: Example) => void} use
 */
function exampleButton(app, example, use) {
  const button = el(
    "button",
    { type: "button", class: "chip", "data-example": example.id },
    el("span", { class: `quality ${example.answer}` }, app.t(`answer.${example.answer}`)),
    el("span", {}, app.title(example.metric)),
  );
  button.addEventListener("click", () => use(example));
  return button;
}
