// @ts-check
import { el } from "../dom.js";
import { Component } from "./component.js";

/**
 * @typedef {import("../protocol.js").Task} Task
 *
 * @typedef {object} Props as the element's attributes of these names
 * @property {string} [src]
 * @property {string} [metric]
 * @property {string} [system]
 * @property {string} [prompt]
 * @property {string} [response]
 * @property {Partial<Task>} [task] instead of the four texts
 * @property {string} [lang]
 * @property {string} [dir]
 * @property {"light" | "dark" | "auto"} [theme]
 * @property {boolean} [compact]
 */

/** The same as `<touchstone-scorer>` inside any element, for pages without custom elements. */
export class Touchstone {
  #element = el("div");
  #component;
  /** @type {Props} */
  #props = {};

  /**
   * @param {Element} target gets one child, and hears the element's events as they bubble
   * @param {Props} [props]
   */
  constructor(target, props = {}) {
    target.append(this.#element);
    this.#component = new Component(this.#element, this.#element.attachShadow({ mode: "open" }));
    this.update(props);
    this.#component.connect();
  }

  /** @param {Props} props those that change */
  update(props) {
    this.#props = { ...this.#props, ...props };
    const { src = "", lang = "", dir, theme = "auto", compact = false } = this.#props;
    if (dir) this.#element.dir = dir;
    this.#element.toggleAttribute("compact", compact);
    this.#component.src = src;
    this.#component.look = { lang, theme, compact };
    this.#component.task = /** @type {Task} */ (taskOf(this.#props));
  }

  get task() {
    return this.#component.task;
  }

  /**
   * @param {Partial<Task>} [task]
   * @param {{ signal?: AbortSignal }} [options]
   */
  score(task, options) {
    return this.#component.score(task, options);
  }

  /**
   * @param {Partial<Task>} [task]
   * @param {{ own?: import("../protocol.js").MetricText[], signal?: AbortSignal }} [options]
   */
  profile(task, options) {
    return this.#component.profile(task, options);
  }

  /**
   * @param {Partial<Task>} [task]
   * @param {{ part?: import("../protocol.js").Part, signal?: AbortSignal }} [options]
   */
  explain(task, options) {
    return this.#component.explain(task, options);
  }

  cancel() {
    return this.#component.cancel();
  }

  /** Takes everything out of the page. */
  destroy() {
    this.#component.disconnect();
    this.#element.remove();
  }
}

/** @param {Props} props */
function taskOf({ task, metric, system, prompt, response }) {
  return task ?? { metric, system, user: prompt, response };
}
