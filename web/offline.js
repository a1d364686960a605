// @ts-check
/**
 * The page's side of the service worker: it is registered once the page has started, a new version
 * is told of and used when the user says so.
 *
 * @typedef {"off" | "installing" | "partly" | "ready"} OfflineState
 *   "off": not on this address, in this browser or with this build; "partly": the page is kept, the
 *   scorer's code is not yet; "ready": both are
 */

/** A new version is looked for this often while the page stays open, in milliseconds. */
const LOOK_EVERY = 60 * 60 * 1000;

/** What makes the page work without a network. Fires "change" when `state`, or `update` changes. */
export class Offline extends EventTarget {
  /** @type {OfflineState} */
  state = "off";
  /** Whether a new version waits to be used. */
  update = false;
  /** @type {ServiceWorkerRegistration | null} */
  #registration = null;
  /** @type {import("./protocol.js").Build | null} the build in use, once it is known */
  #build = null;

  /** Registers the service worker where there is one; plain http has none but on this machine. */
  async start() {
    if (!("serviceWorker" in navigator) || !isSecureContext) return;
    try {
      await this.#register();
    } catch {
      this.#become("off"); // a host without the list of files, or a browser that forbids it
    }
  }

  /**
   * Keeps the build that runs, so that it runs without a network too.
   *
   * @param {import("./protocol.js").Build} build
   */
  async keep(build) {
    this.#build = build;
    const worker = this.#registration?.active;
    if (!worker) return;
    const { kept } = await ask(worker, { type: "keep", build });
    this.#become(kept ? "ready" : "partly");
  }

  /**
   * Uses the new version: the page is loaded anew.
   *
   * @returns {Promise<number>} other tabs that must be closed first; 0 where the page goes on
   */
  async use() {
    const waiting = this.#registration?.waiting;
    if (!waiting) return 0;
    navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
    const { others } = await ask(waiting, { type: "use" });
    return others;
  }

  async #register() {
    const url = new URL("sw.js", import.meta.url);
    const registration = await navigator.serviceWorker.register(url, { updateViaCache: "none" });
    this.#registration = registration;
    registration.addEventListener("updatefound", () => this.#follow(registration.installing));
    this.#follow(registration.installing);
    setInterval(() => registration.update().catch(() => {}), LOOK_EVERY);
    await this.#look();
  }

  /** @param {ServiceWorker | null} worker that installs */
  #follow(worker) {
    worker?.addEventListener("statechange", () => this.#look());
  }

  async #look() {
    const { active, installing, waiting } = this.#registration ?? {};
    // Without an active one the waiting one is on its way, and no update.
    this.update = Boolean(waiting && active);
    if (active?.state === "activated" && this.#build) await this.keep(this.#build);
    else this.#become(active || waiting ? "partly" : installing ? "installing" : "off");
  }

  /** @param {OfflineState} state */
  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }
}

/**
 * Asks the browser not to clear what is kept when space runs short. Some browsers ask the user.
 *
 * @returns {Promise<boolean>}
 */
export async function askForPersistence() {
  try {
    return (await navigator.storage.persisted()) || (await navigator.storage.persist());
  } catch {
    return false;
  }
}

/**
 * @param {ServiceWorker} worker
 * @param {object} message
 * @returns {Promise<any>}
 */
function ask(worker, message) {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => resolve(data);
    worker.postMessage(message, [port2]);
  });
}
