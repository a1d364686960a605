// @ts-check
import { byId } from "./dom.js";

/**
 * @typedef {import("./protocol.js").Loaded} Loaded
 * @typedef {import("./protocol.js").Progress} Progress
 */

const BACKENDS = { webgpu: "WebGPU", cpu: "CPU" };

/** The line in the header that says how the model stands, with a bar while it loads. */
export class ModelStatus {
  #line = byId("status", HTMLElement);
  #row = byId("progress-row", HTMLElement);
  #bar = byId("progress", HTMLProgressElement);
  #label = byId("progress-label", HTMLElement);
  #reason = byId("backend-reason", HTMLElement);
  #notice = byId("notice", HTMLElement);
  #app;

  /** @param {import("./app.js").App} app */
  constructor(app) {
    this.#app = app;
  }

  loading() {
    this.#set("loading", "shell.loading");
  }

  /** @param {Loaded} loaded */
  ready({ backend, why, notice, seconds }) {
    this.#row.hidden = true;
    this.#set("ready", "shell.ready", { backend: BACKENDS[backend], seconds: this.#app.number(seconds, 1) });
    this.#app.say(this.#reason, why.key, why.values);
    this.#notice.hidden = !notice;
    if (notice) this.#app.say(this.#notice, notice.key, notice.values);
  }

  lost() {
    this.#row.hidden = true;
    this.#set("failed", "shell.lost");
  }

  /** @param {Progress} progress */
  progress({ stage, loaded, total }) {
    this.#row.hidden = false;
    if (total > 0) {
      this.#bar.max = total;
      this.#bar.value = loaded;
    } else {
      this.#bar.removeAttribute("value");
    }
    const label = this.#app.t(`shell.stage.${stage}`);
    this.#label.textContent = stage === "download" && total > 0 ? `${label}: ${this.#size(loaded, total)}` : label;
  }

  /**
   * @param {number} loaded
   * @param {number} total
   */
  #size(loaded, total) {
    const [done, of] = [this.#app.number(loaded / 1e6, 1), this.#app.number(total / 1e6, 1)];
    return this.#app.t("shell.size", { done, of, percent: Math.floor((100 * loaded) / total) });
  }

  /**
   * @param {"loading" | "ready" | "failed"} state
   * @param {string} key
   * @param {import("./i18n.js").Values} [values]
   */
  #set(state, key, values) {
    this.#line.dataset.state = state;
    this.#app.say(this.#line, key, values);
  }
}
