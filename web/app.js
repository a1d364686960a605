// @ts-check
/**
 * What the shell gives to every view and component.
 *
 * @typedef {import("./i18n.js").Values} Values
 * @typedef {import("./protocol.js").Loaded} Loaded
 * @typedef {{ name: string, parent: string | null, title: string, definition: string, own?: true }} Metric
 *
 * @typedef {object} View
 * @property {(state?: any) => void} show `state` is what another view or a link hands over
 * @property {() => void} hide
 */
import { ErrorBox } from "./error-box.js";
import { fetchJson } from "./fetch-json.js";
import { TouchstoneError } from "./protocol.js";

/** The one place that views share; `page.js` makes it. */
export class App {
  /** Hears of "metrics", "corrections", "model" and "language". */
  events = new EventTarget();
  /** @type {import("./own/metrics.js").OwnMetrics} */
  own = /** @type {any} */ (null);
  /** @type {import("./corrections.js").Corrections} */
  corrections = /** @type {any} */ (null);
  /** @type {Metric[]} */
  #catalogue = [];
  /** @type {Metric[]} */
  #own = [];
  /** @type {Metric[] | null} both, made when asked for */
  #metrics = null;
  /** @type {Map<string, string> | null} */
  #titles = null;
  #i18n;
  #settings;
  #errors;
  #navigate;
  #keeper;
  #openOwnData;
  /** @type {Promise<void> | null} */
  #ownData = null;

  /**
   * @param {object} parts
   * @param {import("./i18n.js").I18n} parts.i18n
   * @param {import("./settings.js").Settings} parts.settings
   * @param {(view: string, state?: unknown) => void} parts.navigate
   * @param {(app: App) => import("./model.js").ModelKeeper} parts.keeper
   * @param {() => Promise<void>} parts.openOwnData sets `own` and `corrections`
   */
  constructor({ i18n, settings, navigate, keeper, openOwnData }) {
    this.#i18n = i18n;
    this.#settings = settings;
    this.#navigate = navigate;
    this.#errors = new ErrorBox(this);
    this.#openOwnData = openOwnData;
    this.#keeper = keeper(this);
  }

  /** The scorer behind the worker. */
  get client() {
    return this.#keeper.client;
  }

  get settings() {
    return this.#settings;
  }

  get language() {
    return this.#i18n.language;
  }

  /**
   * A message in the page's language.
   *
   * @param {string} key
   * @param {Values} [values] `count` chooses the plural form
   */
  t(key, values) {
    return this.#i18n.t(key, values);
  }

  /**
   * Fills an element with a message that follows a change of language by itself.
   *
   * @template {Element} T
   * @param {T} element
   * @param {string} key
   * @param {Values} [values]
   */
  say(element, key, values) {
    return this.#i18n.say(element, key, values);
  }

  /** Follows the `data-t-...` attributes of newly made elements. @param {Element} root */
  translate(root) {
    this.#i18n.translate(root);
  }

  /**
   * @param {number} value
   * @param {number} [digits] after the point
   */
  number(value, digits) {
    return this.#i18n.number(value, digits);
  }

  /** The loaded model; loads it if needed. */
  model() {
    return this.#keeper.current();
  }

  /**
   * Calls the scorer with a loaded model, and again if the model is replaced or lost meanwhile.
   *
   * @template T
   * @param {(client: import("./client.js").ScorerClient) => Promise<T>} call
   * @param {AbortSignal} signal
   * @returns {Promise<{ value: T, loaded: Loaded }>}
   */
  async run(call, signal) {
    for (;;) {
      const loaded = await untilAborted(this.model(), signal);
      try {
        return { value: await call(this.client), loaded };
      } catch (error) {
        if (signal.aborted || !isPassing(error)) throw error;
      }
    }
  }

  /** Why nothing can ever be scored in this browser, or "". */
  get hopeless() {
    return this.#keeper.hopeless;
  }

  /** Whether a score would start at once. */
  get ready() {
    return this.#keeper.ready;
  }

  /** Loads the model anew, after a change of backend or bundle. */
  reload() {
    this.clearError();
    return this.#keeper.load();
  }

  /**
   * Shows an error at the top of the page.
   *
   * @param {unknown} error
   * @param {(() => void) | null} [retry]
   */
  error(error, retry = null) {
    this.#errors.show(error, retry);
  }

  /** Takes an error away that no longer holds. */
  clearError() {
    this.#errors.hide();
  }

  /** Resolves once the user's own metrics and corrections are here; opens them if needed. */
  ownData() {
    this.#ownData ??= this.#openOwnData().catch((error) => {
      this.#ownData = null; // tried again by the next who asks
      throw error;
    });
    return this.#ownData;
  }

  /** The catalogue, its titles in the page's language, then the user's own metrics. */
  metrics() {
    this.#metrics ??= [...this.#catalogue.map((metric) => this.#translated(metric)), ...this.#own];
    return this.#metrics;
  }

  /** @param {Metric} metric */
  #translated(metric) {
    return { ...metric, title: this.#i18n.find(`metric.${metric.name}`) ?? metric.title };
  }

  /** @param {Metric[]} metrics the user's own */
  setOwnMetrics(metrics) {
    this.#own = metrics.map((metric) => ({ ...metric, own: /** @type {const} */ (true) }));
    this.#tell("metrics");
  }

  async loadCatalogue() {
    this.#catalogue = await fetchJson("catalogue.json");
    this.#tell("metrics");
  }

  /** The readable title of a metric. @param {string} name */
  title(name) {
    this.#titles ??= new Map(this.metrics().map((metric) => [metric.name, metric.title]));
    return this.#titles.get(name) ?? name;
  }

  /** The readable title of a family. @param {string} name a metric's `parent` */
  family(name) {
    const words = name.replace(/_+/g, " ");
    return this.#i18n.find(`family.${name}`) ?? words.charAt(0).toUpperCase() + words.slice(1);
  }

  /**
   * @param {string} view
   * @param {unknown} [state]
   */
  show(view, state) {
    this.#navigate(view, state);
  }

  /** @param {string} language */
  async use(language) {
    await this.#i18n.use(language);
    this.#tell("language");
  }

  /** @param {"metrics" | "corrections" | "model" | "language"} what */
  #tell(what) {
    this.#metrics = this.#titles = null;
    this.events.dispatchEvent(new Event(what));
  }
}

/**
 * Whether the same call may succeed with the model that is loaded next. The client ends a chain of
 * losses: the errors of the last are not `retryable`.
 *
 * @param {unknown} error
 */
function isPassing(error) {
  if (error instanceof DOMException) return error.name === "AbortError"; // the scorer was closed
  return error instanceof TouchstoneError && error.retryable;
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal} signal
 * @returns {Promise<T>}
 */
function untilAborted(promise, signal) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}
