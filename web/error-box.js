// @ts-check
import { byId, el } from "./dom.js";
import { wordsOf } from "./error-words.js";
import { technical } from "./i18n.js";

/** The one place at the top of the page where errors are shown. */
export class ErrorBox {
  #box = byId("error", HTMLElement);
  #app;
  /** Draws what is shown once more, in another language. */
  #again = () => {};

  /** @param {import("./app.js").App} app */
  constructor(app) {
    this.#app = app;
    app.events.addEventListener("language", () => this.#again());
  }

  /**
   * @param {unknown} error
   * @param {(() => void) | null} retry
   */
  show(error, retry) {
    this.#again = () => this.#draw(error, retry);
    this.#again();
    this.#box.scrollIntoView({ block: "nearest" });
  }

  /**
   * @param {any} error
   * @param {(() => void) | null} retry
   */
  #draw(error, retry) {
    const { headline, advice, detail } = wordsOf(this.#app, error);
    const words = el("div", { class: "error-words" }, el("p", {}, el("strong", {}, headline), " ", advice));
    if (detail) words.append(el("p", {}, technical(detail)));
    this.#box.dataset.kind = error?.kind ?? "internal";
    this.#box.replaceChildren(words, ...(retry ? [this.#retryButton(retry)] : []));
  }

  hide() {
    this.#again = () => {};
    this.#box.replaceChildren();
  }

  /** @param {() => void} retry */
  #retryButton(retry) {
    const button = el("button", { type: "button", id: "retry", class: "secondary" }, this.#app.t("shell.retry") || "Retry");
    button.addEventListener("click", () => {
      this.hide();
      retry();
    });
    return button;
  }
}
