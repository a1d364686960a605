// @ts-check
/** A closer look at one metric of a profile: its definition and doubt, its score explained. */
import { el } from "../dom.js";
import { mount as mountExplanation } from "../explanation.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("../protocol.js").Task} Task
 * @typedef {import("../profile.js").Entry} Entry
 */

export class ProfileDetail {
  element = el("section", { class: "profile-detail", hidden: "", tabindex: -1 });
  #app;
  #onClose;
  /** @type {ReturnType<typeof mountExplanation> | null} */
  #explanation = null;
  /** @type {{ metric: string, task: Task } | null} */
  #shown = null;

  /**
   * @param {App} app
   * @param {() => void} onClose
   */
  constructor(app, onClose) {
    this.#app = app;
    this.#onClose = onClose;
    this.element.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
  }

  close() {
    if (this.element.hidden) return;
    this.hide();
    this.#onClose();
  }

  hide() {
    this.#explanation?.stop();
    this.element.hidden = true;
    this.#shown = null;
  }

  /**
   * @param {Entry} entry
   * @param {Task} task of this metric
   */
  show(entry, task) {
    this.#draw(entry, task);
    this.#shown = { metric: entry.result.metric, task };
    this.element.hidden = false;
    this.element.focus();
    this.element.scrollIntoView({ block: "nearest" });
  }

  /** Draws what is looked at once more, in other words or with another score. @param {Entry[]} entries */
  refresh(entries) {
    const entry = entries.find(({ result }) => result.metric === this.#shown?.metric);
    if (entry && this.#shown) this.#draw(entry, this.#shown.task);
  }

  /**
   * @param {Entry} entry
   * @param {Task} task
   */
  #draw({ title, family, definition, own, result }, task) {
    this.#explanation?.stop();
    this.#explanation = null;
    const place = el("div", {});
    const why = result.doubts.map((doubt) => this.#app.t(`answer.doubt.${doubt}`)).join(" ");
    const notice = result.abstain
      ? [el("p", { class: "notice" }, el("strong", {}, this.#app.t("answer.unsure")), " ", why)]
      : [];
    this.element.setAttribute("aria-label", title);
    this.element.replaceChildren(
      this.#closeButton(),
      el("h4", {}, el("bdi", {}, title)),
      el("p", { class: "muted" }, [family, this.#score(result)].filter(Boolean).join(" · ")),
      el("p", { dir: "auto", lang: own ? undefined : "en" }, definition),
      ...notice,
      el("p", { class: "muted" }, this.#app.t(`answer.support.${result.support}`)),
      el(
        "div",
        { class: "tools" },
        this.#button("profile.explain", () => this.#explain(place, task), "secondary"),
        this.#button("profile.open", () => this.#app.show("answer", { task }), "secondary"),
      ),
      place,
    );
  }

  /** @param {Entry["result"]} result */
  #score({ score, interval, coverage, model }) {
    const own = model ? ` (${this.#app.t("corrections.model", { score: this.#app.number(model.score, 1) })})` : "";
    const words = `${this.#app.t("profile.score", { score: this.#app.number(score, 1) })}${own}`;
    if (!interval) return words;
    const range = this.#app.t("profile.range", {
      low: this.#app.number(interval[0], 1),
      high: this.#app.number(interval[1], 1),
    });
    const held = coverage === null ? "" : ` ${this.#app.t("profile.coverage", { share: Math.round(100 * coverage) })}`;
    return `${words} · ${range}${held}`;
  }

  #closeButton() {
    const button = this.#button("", () => this.close(), "secondary detail-close");
    button.setAttribute("aria-label", this.#app.t("profile.close"));
    button.textContent = "✕";
    return button;
  }

  /**
   * @param {string} key
   * @param {() => void} act
   * @param {string} look
   */
  #button(key, act, look) {
    const button = el("button", { type: "button", class: look }, key && this.#app.t(key));
    button.addEventListener("click", act);
    return button;
  }

  /**
   * @param {HTMLElement} place
   * @param {Task} task
   */
  #explain(place, task) {
    if (this.#explanation) return;
    this.#explanation = mountExplanation(place, this.#app);
    this.#explanation.show({ task });
  }
}
