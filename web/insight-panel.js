// @ts-check
import { byId, el } from "./dom.js";
import { loadStyles } from "./load-style.js";

/**
 * @typedef {import("./app.js").App} App
 * @typedef {import("./result-view.js").Scored} Scored
 *
 * @typedef {object} Component
 * @property {(scored: Scored) => void} show
 * @property {() => void} [stop] ends what runs: it was closed, or another score has come
 *
 * @typedef {object} Part
 * @property {string} name the keys are `answer.open.<name>` for its button and `answer.part.<name>` for its title
 * @property {string[]} styles style sheets of its own
 * @property {() => Promise<{ mount: (root: HTMLElement, app: App) => Component }>} load
 */

/** What can be opened below a score; the code comes when it is opened. @type {Part[]} */
const PARTS = [
  { name: "explain", styles: ["explanation.css"], load: () => import("./explanation.js") },
  { name: "profile", styles: ["profile.css", "explanation.css"], load: () => import("./profile.js") },
  { name: "map", styles: ["anchor-map.css"], load: () => import("./anchor-map.js") },
];

/** The place below form and score where one component at a time looks closer at the score. */
export class InsightPanel {
  #app;
  #section = byId("insight", HTMLElement);
  #body = byId("insight-body", HTMLElement);
  #title = byId("insight-title", HTMLElement);
  /** @type {Map<string, { root: HTMLElement, component: Component }>} */
  #mounted = new Map();
  /** @type {Scored | null} */
  #scored = null;
  /** @type {Component | null} the open one */
  #current = null;
  /** @type {HTMLElement | null} the button to return to */
  #opener = null;

  /** @param {App} app */
  constructor(app) {
    this.#app = app;
    byId("close-insight", HTMLButtonElement).addEventListener("click", () => {
      this.close();
      this.#opener?.focus();
    });
  }

  /** @param {Scored} scored what the buttons open from now on */
  offer(scored) {
    this.#scored = scored;
    this.close();
    byId("result-actions", HTMLElement).replaceChildren(
      ...PARTS.map((part) => this.#button(part)),
      this.#compareButton(),
    );
  }

  close() {
    this.#current?.stop?.();
    this.#current = null;
    this.#section.hidden = true;
    for (const button of document.querySelectorAll("#result-actions [aria-expanded]")) {
      button.setAttribute("aria-expanded", "false");
    }
  }

  /** @param {Part} part */
  #button(part) {
    const attributes = { type: "button", class: "secondary", "data-part": part.name };
    const button = el("button", { ...attributes, "aria-expanded": "false", "aria-controls": "insight" });
    button.addEventListener("click", () => this.#open(part, button));
    return this.#app.say(button, `answer.open.${part.name}`);
  }

  #compareButton() {
    const button = el("button", { type: "button", class: "secondary", id: "compare-with" });
    button.addEventListener("click", () => {
      if (this.#scored) this.#app.show("compare", { task: this.#scored.task });
    });
    return this.#app.say(button, "answer.compare");
  }

  /**
   * @param {Part} part
   * @param {HTMLElement} button
   */
  async #open(part, button) {
    const { name } = part;
    this.close();
    const scored = this.#scored;
    if (!scored) return;
    this.#opener = button;
    try {
      const { root, component } = this.#mounted.get(name) ?? (await this.#mount(part));
      this.#body.replaceChildren(root);
      this.#app.say(this.#title, `answer.part.${name}`);
      this.#section.hidden = false;
      button.setAttribute("aria-expanded", "true");
      this.#current = component;
      component.show(scored);
      this.#title.focus();
    } catch (error) {
      this.#app.error(error);
    }
  }

  /** @param {Part} part */
  async #mount({ name, styles, load }) {
    const [{ mount }] = await Promise.all([load(), loadStyles(styles)]);
    const root = el("div");
    const made = { root, component: mount(root, this.#app) };
    this.#mounted.set(name, made);
    return made;
  }
}
