// @ts-check
import { byId, el } from "./dom.js";
import { TouchstoneError } from "./protocol.js";

/** Kinds of error with a message `shell.advice.<kind>`: what to do about them. */
const ADVISED = ["network", "hash", "memory", "unsupported", "device", "panic", "worker", "deadline"];

/** The one place at the top of the page where errors are shown. */
export class ErrorBox {
  #box = byId("error", HTMLElement);
  #t;

  /** @param {import("./app.js").App["t"]} t */
  constructor(t) {
    this.#t = t;
  }

  /**
   * @param {unknown} error
   * @param {(() => void) | null} retry
   */
  show(error, retry) {
    const kind = error instanceof TouchstoneError ? error.kind : "internal";
    const advice = ADVISED.includes(kind) ? ` ${this.#t(`shell.advice.${kind}`)}` : "";
    this.#box.dataset.kind = kind;
    this.#box.replaceChildren(el("p", {}, this.#messageOf(error), advice), ...(retry ? [this.#retryButton(retry)] : []));
    this.#box.scrollIntoView({ block: "nearest" });
  }

  /**
   * An error that names its message's `key` and `values` speaks the page's language.
   *
   * @param {any} error
   */
  #messageOf(error) {
    const words = typeof error?.key === "string" ? this.#t(error.key, error.values) : "";
    if (words) return words;
    return error instanceof Error ? error.message : String(error);
  }

  hide() {
    this.#box.replaceChildren();
  }

  /** @param {() => void} retry */
  #retryButton(retry) {
    const button = el("button", { type: "button", id: "retry", class: "secondary" }, this.#t("shell.retry") || "Retry");
    button.addEventListener("click", () => {
      this.hide();
      retry();
    });
    return button;
  }
}
