// @ts-check
import { byId, el } from "./dom.js";
import { loadStyles } from "./load-style.js";

/**
 * @typedef {import("./app.js").App} App
 * @typedef {import("./app.js").View} View
 *
 * @typedef {object} Route
 * @property {string} name the fragment, and the key `shell.view.<name>` of its words
 * @property {string[]} styles style sheets of its own
 * @property {() => Promise<{ mount: (root: HTMLElement, app: App) => View }>} load
 */

/** Shows one view at a time, by the fragment of the address. */
export class Router {
  #routes;
  #app;
  #onParameters;
  #nav = byId("views", HTMLElement);
  /** @type {Map<string, Promise<View>>} */
  #mounted = new Map();
  /** @type {string} */
  #current = "";

  /**
   * @param {Route[]} routes the first is the default
   * @param {App} app
   * @param {(view: string, parameters: URLSearchParams) => Promise<unknown>} onParameters what a link's
   *   parameters hand over to its view
   */
  constructor(routes, app, onParameters) {
    this.#routes = routes;
    this.#app = app;
    this.#onParameters = onParameters;
    this.#nav.replaceChildren(...routes.map(({ name }) => this.#link(name)));
    addEventListener("hashchange", () => this.follow());
    app.events.addEventListener("language", () => this.#name(this.#current));
  }

  /** @param {string} name */
  #link(name) {
    return this.#app.say(el("a", { href: `#${name}`, "data-view": name }), `shell.view.${name}`);
  }

  /** Shows what the address asks for. */
  async follow() {
    const [name = "", query = ""] = location.hash.slice(1).split("?", 2);
    if (name === "main") return; // the link past the header
    const route = this.#routes.find((known) => known.name === name) ?? this.#routes[0];
    if (!route) return;
    const parameters = new URLSearchParams(query);
    await this.#show(route, parameters.size > 0 ? await this.#onParameters(route.name, parameters) : undefined);
  }

  /**
   * @param {string} name
   * @param {unknown} [state]
   */
  async go(name, state) {
    const route = this.#routes.find((known) => known.name === name);
    if (!route) return;
    history.pushState(null, "", `#${name}`);
    scrollTo(0, 0);
    await this.#show(route, state);
  }

  /**
   * @param {Route} route
   * @param {unknown} state
   */
  async #show(route, state) {
    const before = this.#current;
    this.#current = route.name;
    this.#mark(route.name);
    if (before && before !== route.name) (await this.#mounted.get(before))?.hide();
    const view = await this.#view(route);
    if (this.#current === route.name) view.show(state);
  }

  /** @param {string} name */
  #mark(name) {
    for (const link of this.#nav.querySelectorAll("a")) {
      if (link.dataset.view === name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    for (const { name: other } of this.#routes) this.#section(other).hidden = other !== name;
    this.#name(name);
  }

  /** The window's title. @param {string} view */
  #name(view) {
    if (view) document.title = `${this.#app.t(`shell.view.${view}`)} · Touchstone`;
  }

  /** @param {Route} route */
  #view({ name, styles, load }) {
    const known = this.#mounted.get(name);
    if (known) return known;
    const parts = Promise.all([load(), loadStyles(styles)]);
    const view = parts.then(([{ mount }]) => mount(this.#section(name), this.#app));
    view.catch(() => this.#mounted.delete(name)); // a failed download is tried again
    this.#mounted.set(name, view);
    return view;
  }

  /** @param {string} name */
  #section(name) {
    const id = `view-${name}`;
    const found = document.getElementById(id);
    if (found) return found;
    const section = el("section", { id, class: "view", "aria-labelledby": `${id}-title`, hidden: "" });
    const title = el("h2", { id: `${id}-title`, class: "visually-hidden" });
    section.append(this.#app.say(title, `shell.view.${name}`));
    byId("main", HTMLElement).append(section);
    return /** @type {HTMLElement} */ (section);
  }
}
