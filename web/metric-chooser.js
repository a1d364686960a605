// @ts-check
import { el } from "./dom.js";
import { languageOf } from "./script-language.js";

/**
 * @typedef {import("./app.js").Metric} Metric
 * @typedef {import("./app.js").App} App
 * @typedef {{ metric: Metric, element: HTMLElement, words: string, title: string }} Option
 * @typedef {{ title: string, options: Option[] }} Group
 */

/**
 * A searchable list of metrics: the WAI-ARIA combobox with a grouped listbox.
 *
 * Up and Down move, Home and End jump, Enter takes, Escape goes back to what was chosen; typing
 * filters by title, name and definition.
 */
export class MetricChooser {
  #input;
  #list;
  #popup;
  #definition;
  #count;
  #app;
  #onChange;
  /** @type {Group[]} */
  #groups = [];
  /** @type {Option[]} in the order shown */
  #shown = [];
  /** @type {Option | null} */
  #active = null;
  /** @type {Metric | null} */
  #chosen = null;
  /** What was typed since the list opened. */
  #query = "";

  /**
   * @param {object} parts
   * @param {HTMLInputElement} parts.input
   * @param {HTMLElement} parts.popup holds the list and the definition
   * @param {HTMLElement} parts.list
   * @param {HTMLElement} parts.definition shows the definition of the active option
   * @param {HTMLElement} parts.count a live region with the number of matches
   * @param {App} app
   * @param {(metric: Metric) => void} onChange
   */
  constructor({ input, popup, list, definition, count }, app, onChange) {
    this.#app = app;
    this.#input = input;
    this.#popup = popup;
    this.#list = list;
    this.#definition = definition;
    this.#count = count;
    this.#onChange = onChange;
    input.addEventListener("click", () => this.#open());
    input.addEventListener("input", () => this.#filter(input.value));
    input.addEventListener("keydown", (event) => this.#onKey(event));
    input.addEventListener("blur", () => this.#close());
    // The press must not take the focus from the input, or the list would close under it.
    popup.addEventListener("pointerdown", (event) => event.preventDefault());
    list.addEventListener("click", (event) => this.#onClick(event));
  }

  /** @returns {Metric | null} */
  get chosen() {
    return this.#chosen;
  }

  /**
   * Takes a list in place of the one before. The choice stays if the list has it, or else is
   * `wanted` or the first; a list that is open stays open at what was typed.
   *
   * @param {Metric[]} metrics at least one
   * @param {string} wanted a name
   */
  offer(metrics, wanted) {
    this.#groups = groupByParent(metrics, this.#app);
    this.#input.disabled = false;
    const options = this.#options();
    const [kept, other] = [this.#chosen?.name, wanted].map((name) => options.find(({ metric }) => metric.name === name));
    const option = kept ?? other ?? options.find(({ metric }) => metric === metrics[0]);
    if (option) this.#mark(option);
    if (!this.#isOpen()) return this.#close(); // which shows the choice's new title
    const active = this.#active?.metric.name;
    this.#filter(this.#query);
    this.#activate(this.#shown.find(({ metric }) => metric.name === active) ?? this.#shown[0] ?? null);
  }

  /**
   * Chooses by name; a name that is not in the list changes nothing.
   *
   * @param {string} name
   */
  choose(name) {
    const option = this.#options().find(({ metric }) => metric.name === name);
    if (option) this.#take(option);
  }

  #options() {
    return this.#groups.flatMap(({ options }) => options);
  }

  #isOpen() {
    return !this.#popup.hidden;
  }

  #open() {
    if (this.#isOpen()) return;
    this.#input.select();
    this.#filter("");
    this.#activate(this.#shown.find(({ metric }) => metric === this.#chosen) ?? this.#shown[0] ?? null);
    this.#popup.scrollIntoView({ block: "nearest" });
  }

  #close() {
    this.#popup.hidden = true;
    this.#input.setAttribute("aria-expanded", "false");
    this.#input.removeAttribute("aria-activedescendant");
    this.#input.value = this.#chosen?.title ?? "";
    this.#count.textContent = "";
    this.#active = null;
  }

  /** @param {Option} option */
  #take(option) {
    this.#mark(option);
    this.#close();
  }

  /** Makes it the choice; the list stays as it is. @param {Option} option */
  #mark({ metric: chosen }) {
    const changed = this.#chosen !== chosen;
    this.#chosen = chosen;
    this.#input.dataset.value = chosen.name;
    for (const { element, metric } of this.#options()) element.setAttribute("aria-selected", String(metric === chosen));
    if (changed) this.#onChange(chosen);
  }

  /** @param {string} query */
  #filter(query) {
    this.#query = query;
    const words = query.toLowerCase().split(/[\s_/]+/).filter(Boolean);
    const groups = this.#groups
      .map(({ title, options }) => ({ title, options: bestFirst(options, words) }))
      .filter(({ options }) => options.length > 0);
    if (words.length > 0) groups.sort((a, b) => rankOf(a, words) - rankOf(b, words));
    this.#shown = groups.flatMap(({ options }) => options);
    this.#draw(groups);
    this.#popup.hidden = false;
    this.#input.setAttribute("aria-expanded", "true");
    this.#activate(this.#shown[0] ?? null);
  }

  /** @param {Group[]} groups */
  #draw(groups) {
    const n = this.#shown.length;
    this.#count.textContent = this.#app.t("answer.metrics-found", { count: n });
    this.#list.replaceChildren(
      ...groups.map(({ title, options }, index) => {
        const id = `metric-group-${index}`;
        const heading = el("div", { id, class: "group-title", role: "presentation" }, title);
        const members = options.map(({ element }) => element);
        return el("div", { role: "group", "aria-labelledby": id }, heading, ...members);
      }),
    );
  }

  /** @param {Option | null} option */
  #activate(option) {
    if (this.#active) {
      this.#active.element.classList.remove("active");
      this.#active.element.removeAttribute("aria-describedby");
    }
    this.#active = option;
    if (option) showDefinition(this.#definition, option.metric);
    else this.#app.say(this.#definition, "answer.no-metric");
    if (!option) return this.#input.removeAttribute("aria-activedescendant");
    option.element.classList.add("active");
    option.element.setAttribute("aria-describedby", this.#definition.id);
    this.#input.setAttribute("aria-activedescendant", option.element.id);
    // The first option is shown with the title of its group.
    const first = option === this.#shown[0];
    (first ? this.#list.firstElementChild : option.element)?.scrollIntoView({ block: "nearest" });
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.ctrlKey || event.metaKey || event.isComposing) return;
    if (!this.#isOpen()) {
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
      event.preventDefault();
      return this.#open();
    }
    const now = this.#active ? this.#shown.indexOf(this.#active) : -1;
    const last = this.#shown.length - 1;
    switch (event.key) {
      case "ArrowDown":
        this.#activate(this.#shown[now === last ? 0 : now + 1] ?? null);
        break;
      case "ArrowUp":
        this.#activate(this.#shown[now <= 0 ? last : now - 1] ?? null);
        break;
      case "Home":
        this.#activate(this.#shown[0] ?? null);
        break;
      case "End":
        this.#activate(this.#shown[last] ?? null);
        break;
      case "Enter":
        if (this.#active) this.#take(this.#active);
        break;
      case "Escape":
        this.#close();
        break;
      default:
        return;
    }
    event.preventDefault();
  }

  /** @param {MouseEvent} event */
  #onClick(event) {
    const element = event.target instanceof Element && event.target.closest("[role=option]");
    const option = this.#shown.find((shown) => shown.element === element);
    if (option) this.#take(option);
  }
}

/**
 * A definition in its own language: those of the catalogue are English.
 *
 * @param {HTMLElement} element
 * @param {Metric} metric
 */
export function showDefinition(element, { definition, own }) {
  element.removeAttribute("data-t");
  element.lang = own ? languageOf(definition) : "en";
  element.textContent = definition;
}

/**
 * Families in the order of the list; a parent that is a metric itself heads its family.
 *
 * @param {Metric[]} metrics
 * @param {App} app
 * @returns {Group[]}
 */
function groupByParent(metrics, app) {
  const parents = new Set(metrics.map(({ parent }) => parent));
  /** @type {Map<string, Group>} */
  const groups = new Map();
  for (const metric of metrics) {
    const key = metric.parent ?? (parents.has(metric.name) ? metric.name : "");
    const group = groups.get(key) ?? { title: key ? app.family(key) : app.t("answer.alone"), options: [] };
    groups.set(key, group);
    const option = makeOption(metric);
    if (metric.name === key) group.options.unshift(option);
    else group.options.push(option);
  }
  return [...groups.values()];
}

/**
 * @param {Metric} metric
 * @returns {Option}
 */
function makeOption(metric) {
  const { name, title, definition } = metric;
  const element = el(
    "div",
    { role: "option", id: `metric-option-${name.replace(/\W+/g, "-")}`, "data-metric": name, "aria-selected": "false" },
    title,
  );
  const words = `${title} ${name.replace(/[_/]+/g, " ")} ${definition}`.toLowerCase();
  return { metric, element, words, title: title.toLowerCase() };
}

/**
 * @param {Option[]} options
 * @param {string[]} words all must occur
 */
function bestFirst(options, words) {
  const found = options.filter((option) => words.every((word) => option.words.includes(word)));
  return words.length === 0 ? found : found.sort((a, b) => rank(a, words) - rank(b, words));
}

/**
 * Of its best option, which comes first.
 *
 * @param {Group} group
 * @param {string[]} words
 */
function rankOf({ options: [best] }, words) {
  return best ? rank(best, words) : Infinity;
}

/**
 * 0 where the title or the name begins with the query, 1 where one holds it, 2 for the definition.
 *
 * @param {Option} option
 * @param {string[]} words
 */
function rank({ title, metric }, words) {
  const name = metric.name.replace(/[_/]+/g, " ");
  const query = words.join(" ");
  if (title.startsWith(query) || name.startsWith(query)) return 0;
  return words.every((word) => title.includes(word) || name.includes(word)) ? 1 : 2;
}
