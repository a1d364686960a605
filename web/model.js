// @ts-check
import { wordsOf } from "./error-words.js";
import { ModelStatus } from "./model-status.js";
import { TouchstoneError } from "./protocol.js";

/** @typedef {import("./protocol.js").Loaded} Loaded */

/** Keeps one model loaded and says how it stands. */
export class ModelKeeper {
  /** @type {import("./client.js").ScorerClient | null} made with the first load: the page stands without it */
  #client = null;
  /** Whether a model is loaded. */
  ready = false;
  /** Why no model can ever be loaded in this browser. @type {TouchstoneError | null} */
  #obstacle = null;
  /** @type {Promise<Loaded> | null} loading or loaded */
  #model = null;
  /** Counts the loads: a slow list of bundles must not start an earlier one late. */
  #turn = 0;
  #app;
  #status;

  /** @param {import("./app.js").App} app */
  constructor(app) {
    this.#app = app;
    this.#status = new ModelStatus(app);
  }

  /** Why no model can ever be loaded in this browser, or "". */
  get hopeless() {
    return this.#obstacle ? wordsOf(this.#app, this.#obstacle).headline : "";
  }

  /** The scorer behind the worker. */
  get client() {
    if (!this.#client) throw new TouchstoneError("not-loaded", "No model is loaded. Load the model before scoring.");
    return this.#client;
  }

  /** Loads the model in a fresh worker: wasm memory never shrinks, and a failed import stays failed. */
  load() {
    this.#client?.close();
    this.#setReady(false);
    const loading = this.#open();
    this.#follow(loading);
    return loading;
  }

  /** The bundle that was chosen, or the host's first. */
  async #open() {
    const { settings } = this.#app;
    const turn = ++this.#turn;
    const [client, { findBundle, listBundles }] = await Promise.all([this.#makeClient(), import("./bundles.js")]);
    const { path } = findBundle(await listBundles(), settings.get("bundle"));
    if (turn !== this.#turn) throw new DOMException("Another load has begun.", "AbortError");
    return client.load({
      model: path,
      backend: settings.get("backend"),
      onProgress: (progress) => this.#status.progress(progress),
    });
  }

  async #makeClient() {
    const { ScorerClient } = await import("./client.js");
    this.#client ??= new ScorerClient({
      onLost: () => this.#forget(),
      onRestart: (loading) => this.#follow(loading),
    });
    return this.#client;
  }

  /** @param {Promise<Loaded>} loading the model that counts from now on */
  #follow(loading) {
    this.#model = loading;
    this.#status.loading();
    loading.then(
      (loaded) => this.#model === loading && this.#loaded(loaded),
      (error) => this.#model === loading && this.#failed(error),
    );
  }

  /** The model as it is wanted now, even if the choice changes while it loads. */
  async current() {
    for (;;) {
      const loading = this.#model ?? this.load();
      try {
        const loaded = await loading;
        if (loading === this.#model) return loaded;
      } catch (error) {
        if (loading === this.#model || this.#model === null) throw error;
      }
    }
  }

  /** @param {Loaded} loaded */
  #loaded(loaded) {
    this.#setReady(true);
    this.#status.ready(loaded);
  }

  /** @param {unknown} error */
  #failed(error) {
    this.#forget();
    if (error instanceof TouchstoneError && error.kind === "unsupported") this.#obstacle = error;
    this.#app.error(error, this.#obstacle ? null : () => this.load().catch(() => {})); // shown by #failed
  }

  /** The worker died or its model is no longer usable: the next call loads it again. */
  #forget() {
    this.#model = null;
    this.#setReady(false);
    this.#status.lost();
  }

  /** @param {boolean} ready */
  #setReady(ready) {
    this.ready = ready;
    if (ready) document.body.dataset.ready = "true";
    else delete document.body.dataset.ready;
    this.#app.events.dispatchEvent(new Event("model"));
  }
}
