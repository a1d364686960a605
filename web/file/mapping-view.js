// @ts-check
/** Which column is what, on which metrics to score, and the first rows as a check. */
import { el } from "../dom.js";
import { ROLES, cell, fieldOf } from "./columns.js";
import { MAX_ITEMS } from "./limits.js";
import { MetricPicker } from "./metric-picker.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("./session.js").Session} Session
 */

/** Rows of the preview, columns of the preview that play no part, and characters of a cell. */
const ROWS = 5;
const OTHERS = 3;
const CELL = 160;
/** Unknown metrics that are shown with a choice each. */
const UNKNOWN = 12;

let views = 0;

export class MappingView {
  #app;
  #session;
  #start;
  #id = `file-map-${++views}`;
  #preview = el("div", { class: "preview", tabindex: 0, role: "region" });
  #metrics = el("div", {});
  #findings = el("ul", { class: "findings" });
  #total = el("p", { class: "total", role: "status" });
  #button;
  #onSurvey = () => this.#drawFindings();

  /**
   * @param {App} app
   * @param {Session} session
   * @param {() => void} start
   */
  constructor(app, session, start) {
    this.#app = app;
    this.#session = session;
    this.#start = start;
    this.#button = /** @type {HTMLButtonElement} */ (el("button", { type: "submit", class: "file-start" }, app.t("file.start")));
    this.#preview.setAttribute("aria-label", app.t("file.preview"));
    this.element = this.#form();
    session.addEventListener("survey", this.#onSurvey);
    this.#drawPreview();
    this.#drawMetrics();
    this.#drawFindings();
  }

  #form() {
    const t = (/** @type {string} */ key) => this.#app.t(key);
    const form = el("form", { class: "file-mapping", "aria-label": t("file.mapping") },
      el("h4", {}, t("file.mapping")),
      el("div", { class: "roles" }, ...ROLES.map((role) => this.#role(role))),
      this.#preview,
      el("h4", {}, t("file.metrics")),
      this.#modes(),
      this.#metrics,
      this.#findings,
      el("div", { class: "file-buttons" }, this.#button, this.#total));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.#session.obstacle) this.#start();
    });
    return form;
  }

  /** @param {typeof ROLES[number]} role */
  #role(role) {
    const { job } = this.#session;
    const id = `${this.#id}-${role}`;
    const needed = role === "response" || role === "user";
    const none = el("option", { value: "" }, this.#app.t("file.mapping.none"));
    const options = job.columns.map((key, i) => el("option", { value: String(i) }, key || this.#app.t("file.mapping.column", { number: i + 1 })));
    const select = /** @type {HTMLSelectElement} */ (el("select", { id, "data-role": role }, none, ...options));
    const column = job.mapping[role];
    select.value = column === null ? "" : String(job.columns.indexOf(column));
    select.addEventListener("change", () => this.#map(role, select.value === "" ? null : job.columns[Number(select.value)]));
    const hint = needed ? [] : [el("span", { class: "hint" }, this.#app.t("file.optional"))];
    return el("div", { class: "role" }, el("label", { for: id }, this.#app.t(`file.role.${role}`), " ", ...hint), select);
  }

  /**
   * @param {typeof ROLES[number]} role
   * @param {string | null} column
   */
  #map(role, column) {
    const { job } = this.#session;
    job.mapping[role] = column;
    if (role === "metric" && column === null) job.mode = "chosen";
    if (role === "metric" && column !== null) job.mode = "column";
    this.#drawModes();
    this.#drawPreview();
    this.#drawMetrics();
    this.#rescan();
  }

  #rescan() {
    this.#session.save();
    this.#session.scan();
  }

  #modes() {
    const group = el("div", { class: "switch", role: "radiogroup", "aria-label": this.#app.t("file.metrics") });
    for (const mode of /** @type {const} */ (["column", "chosen"])) {
      const radio = /** @type {HTMLInputElement} */ (el("input", { type: "radio", name: `${this.#id}-mode`, value: mode }));
      radio.addEventListener("change", () => {
        this.#session.job.mode = mode;
        this.#drawMetrics();
        this.#drawFindings();
        this.#session.save();
      });
      group.append(el("label", {}, radio, this.#app.t(`file.mode.${mode}`)));
    }
    this.modes = group;
    this.#drawModes();
    return group;
  }

  #drawModes() {
    const { mode, mapping } = this.#session.job;
    for (const radio of this.modes?.querySelectorAll("input") ?? []) {
      radio.checked = radio.value === mode;
      radio.disabled = radio.value === "column" && mapping.metric === null;
    }
  }

  #drawMetrics() {
    const { job } = this.#session;
    if (job.mode === "column") return this.#metrics.replaceChildren();
    const picker = new MetricPicker(this.#app, job.metrics.map(({ name }) => name), (names) => {
      job.metrics = names.map((name) => ({ name }));
      this.#drawFindings();
      this.#session.save();
    });
    this.#metrics.replaceChildren(picker.element);
  }

  async #drawPreview() {
    const { job, store } = this.#session;
    const rows = (await store.chunk(job.id, 0)).slice(0, ROWS);
    const roles = /** @type {Map<string, string>} */ (new Map());
    for (const role of ROLES) if (job.mapping[role] !== null) roles.set(/** @type {string} */ (job.mapping[role]), role);
    const others = job.columns.filter((key) => !roles.has(key));
    const shown = [...roles.keys(), ...others.slice(0, OTHERS)];
    const head = el("tr", {}, el("th", { scope: "col" }, "#"), ...shown.map((key) => this.#previewHead(key, roles.get(key))));
    const body = rows.map((row) => el("tr", {}, el("td", {}, this.#app.number(row.n)), ...shown.map((key) => previewCell(cell(fieldOf(row, job.columns, key))))));
    const table = el("table", {}, el("thead", {}, head), el("tbody", {}, ...body));
    const more = others.length - OTHERS;
    const note = more > 0 ? [el("p", { class: "caption" }, this.#app.t("file.preview.more", { count: more }))] : [];
    this.#preview.replaceChildren(table, ...note);
  }

  /**
   * @param {string} key
   * @param {string | undefined} role
   */
  #previewHead(key, role) {
    const part = role ? [el("span", { class: "part" }, this.#app.t(`file.role.${role}`))] : [];
    return el("th", { scope: "col", class: role ? "mapped" : "" }, ...part, el("span", {}, key));
  }

  #drawFindings() {
    const { survey, job } = this.#session;
    const t = (/** @type {string} */ key, /** @type {any} */ values) => this.#app.t(key, values);
    const findings = survey ? [
      ...this.#unknown(),
      ...(survey.emptyAnswers > 0 && job.mapping.response !== null ? [el("li", { class: "warn" }, t("file.finding.empty", { count: survey.emptyAnswers }))] : []),
      ...(survey.judgedRows > 0 ? [el("li", {}, t(job.mode === "chosen" ? "file.finding.judged-chosen" : "file.finding.judged", { count: survey.judgedRows }))] : []),
      ...(survey.badScores > 0 ? [el("li", { class: "warn" }, t("file.finding.bad-scores", { count: survey.badScores }))] : []),
    ] : [];
    this.#findings.replaceChildren(...findings);
    this.#drawTotal();
  }

  #drawTotal() {
    const { obstacle, items, job } = this.#session;
    this.#button.disabled = obstacle !== "";
    const metrics = job.mode === "chosen" ? job.metrics.length : 1;
    const sum = this.#app.t(metrics > 1 ? "file.total.product" : "file.total", { rows: job.rows, metrics, count: items });
    this.#total.textContent = obstacle ? this.#app.t(`file.obstacle.${obstacle}`, { items, limit: MAX_ITEMS }) : sum;
  }

  #unknown() {
    const unknown = this.#session.unknown();
    const items = unknown.slice(0, UNKNOWN).map((one) => this.#unknownItem(one));
    const more = unknown.length - UNKNOWN;
    if (more > 0) items.push(el("li", { class: "warn" }, this.#app.t("file.finding.more-unknown", { count: more })));
    return items;
  }

  /** @param {import("./session.js").Unknown} unknown */
  #unknownItem({ name, rows, nearest }) {
    const key = name === "" ? "file.finding.no-metric" : "file.finding.unknown";
    const words = el("span", {}, this.#app.t(key, { count: rows, name }), " ");
    const label = this.#app.t("file.finding.instead", { name });
    const rest = this.#app.metrics().map((metric) => metric.name).filter((one) => !nearest.includes(one));
    const option = (/** @type {string} */ one) => el("option", { value: one }, this.#app.title(one));
    const select = /** @type {HTMLSelectElement} */ (el("select", { "aria-label": label, "data-unknown": name },
      el("option", { value: "" }, this.#app.t("file.finding.leave")),
      el("optgroup", { label: this.#app.t("file.finding.nearest") }, ...nearest.map(option)),
      el("optgroup", { label: this.#app.t("file.finding.others") }, ...rest.map(option))));
    select.addEventListener("change", () => {
      this.#session.job.aliases[name] = select.value;
      this.#rescan();
    });
    return el("li", { class: "warn" }, words, select);
  }

  close() {
    this.#session.removeEventListener("survey", this.#onSurvey);
  }
}

/** @param {string} text */
function previewCell(text) {
  const short = text.length > CELL ? `${text.slice(0, CELL)}…` : text;
  return el("td", { dir: "auto" }, el("div", { class: "clamp" }, short));
}
