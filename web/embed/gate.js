// @ts-check
/** Lets in what comes from the embedding page, is allowed, new, well formed and not too much. */
import { PROTOCOL, TouchstoneError } from "../protocol.js";
import { checkConversation, checkOwnMetrics, checkPart, checkTask } from "../worker/checks.js";

/**
 * @typedef {{ data: any, origin: string, source: unknown }} Incoming
 * @typedef {{ id: number, type: string, fields: any }} Request
 * @typedef {{ id: number | null, error: unknown, more?: object }} Refusal
 */

/** Requests that may come at once after a rest, and how many more each second. */
const BURST = 200;
const RATE = 100;

/** What each type of request must hold; answers the checked fields. */
const SHAPES = {
  hello: () => ({}),
  load: () => ({}),
  words: (/** @type {any} */ { lang }) => ({ lang: checkLanguage(lang) }),
  score: (/** @type {any} */ { task }) => ({ task: checkTask(task) }),
  profile: (/** @type {any} */ { task, own }) => ({ task: checkConversation(task), own: checkOwnMetrics(own ?? []) }),
  explain: (/** @type {any} */ { task, part }) => ({ task: checkTask(task), part: checkPart(part ?? "response") }),
  cancel: (/** @type {any} */ { target }) => ({ target: checkId(target) }),
};

export class Gate {
  #embedders;
  #parent;
  /** Ids only rise: one that does not was sent before. */
  #lastId = 0;
  #allowance;

  /**
   * @param {import("./origins.js").Embedders} embedders
   * @param {unknown} parent the one window that is answered
   * @param {() => number} [now] milliseconds
   */
  constructor(embedders, parent, now = () => performance.now()) {
    this.#embedders = embedders;
    this.#parent = parent;
    this.#allowance = new Allowance(now);
  }

  /**
   * @param {Incoming} incoming
   * @returns {{ request: Request } | { refusal: Refusal } | null} null for what is not answered
   */
  admit({ data, origin, source }) {
    if (source !== this.#parent) return null;
    const id = isId(data?.id) ? data.id : null;
    try {
      this.#checkOrigin(origin);
      this.#allowance.take();
      checkVersion(data);
      return { request: this.#read(data, id) };
    } catch (error) {
      const { anonymous, more } = /** @type {Refused} */ (error);
      return { refusal: { id: anonymous ? null : id, error, more } };
    }
  }

  /** @param {string} origin */
  #checkOrigin(origin) {
    const { origins, problem } = this.#embedders;
    if (origins.has(origin)) return;
    const message = `Pages of ${origin} may not use this scorer; who hosts it can add the origin to its embed.json. ${problem}`;
    throw new Refused("origin", message.trim());
  }

  /**
   * @param {any} data
   * @param {number | null} id
   * @returns {Request}
   */
  #read(data, id) {
    if (id === null) throw new Refused("protocol", "The id of a request must be a whole number above 0.");
    // Without an id: the answer to the first request must not be taken for this one.
    if (id <= this.#lastId) throw new Refused("replay", `The id ${id} is not new: ids must rise.`, { anonymous: true });
    this.#lastId = id;
    const { type } = data;
    if (typeof type !== "string" || !Object.hasOwn(SHAPES, type)) {
      throw new Refused("protocol", `Requests of this type are not known; there are ${Object.keys(SHAPES).join(", ")}.`);
    }
    return { id, type, fields: SHAPES[/** @type {keyof typeof SHAPES} */ (type)](data) };
  }
}

/** A refusal of the gate itself; `more` goes into the answer. */
class Refused extends TouchstoneError {
  /**
   * @param {string} kind
   * @param {string} message
   * @param {{ anonymous?: boolean, more?: object }} [options]
   */
  constructor(kind, message, { anonymous = false, more = {} } = {}) {
    super(kind, message);
    this.anonymous = anonymous;
    this.more = more;
  }
}

/** A bucket of tokens that fills with time. */
class Allowance {
  #left = BURST;
  #at;
  #now;

  /** @param {() => number} now */
  constructor(now) {
    this.#now = now;
    this.#at = now();
  }

  take() {
    const now = this.#now();
    this.#left = Math.min(BURST, this.#left + ((now - this.#at) / 1000) * RATE);
    this.#at = now;
    if (this.#left >= 1) return void (this.#left -= 1);
    const wait = Math.ceil((1000 * (1 - this.#left)) / RATE);
    throw new Refused("flood", `Too many requests: at most ${RATE} a second are read.`, { more: { wait } });
  }
}

/** @param {any} data */
function checkVersion(data) {
  if (data?.v === PROTOCOL) return;
  const message = `Messages of version ${String(data?.v).slice(0, 20)} are not known; this scorer speaks version ${PROTOCOL}.`;
  throw new Refused("version", message, { more: { supported: [PROTOCOL] } });
}

/** @param {unknown} lang */
function checkLanguage(lang) {
  if (typeof lang === "string" && lang.length <= 35) return lang;
  throw new Refused("protocol", "The language must be a tag such as “hi”.");
}

/** @param {unknown} id */
function checkId(id) {
  if (isId(id)) return /** @type {number} */ (id);
  throw new Refused("protocol", "The target of a cancel must be the id of a request.");
}

/** @param {unknown} id */
function isId(id) {
  return Number.isSafeInteger(id) && /** @type {number} */ (id) > 0;
}
