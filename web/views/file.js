// @ts-check
/** A whole file of answers: read it, map its columns, score it, look at the results. */
import { el } from "../dom.js";
import { inWords } from "../error-words.js";
import { confirmed } from "../file/confirm.js";
import { DropZone } from "../file/drop-zone.js";
import { JobList } from "../file/job-list.js";
import { JobView } from "../file/job-view.js";
import { readFile } from "../file/reader.js";
import { Refusal } from "../file/refusal.js";
import { Session } from "../file/session.js";
import { Store } from "../file/store.js";
import { told } from "../file/words.js";

/**
 * @typedef {import("../app.js").App} App
 * @typedef {import("../file/types.js").Job} Job
 */

/** Milliseconds between two drawings of the list while scores come in. */
const CALM = 1000;
/** Only one tab scores a job. */
const LOCK = "touchstone-files";

/**
 * @param {HTMLElement} root
 * @param {App} app
 */
export function mount(root, app) {
  return new FileView(root, app);
}

class FileView {
  #root;
  #app;
  #store = new Store((full) => this.#onMemory(full));
  /** @type {Map<number, Session>} by id of the job */
  #sessions = new Map();
  /** @type {Job[]} latest first */
  #jobs = [];
  #openId = 0;
  /** @type {DropZone | null} */
  #drop = null;
  /** @type {JobList | null} */
  #list = null;
  /** @type {JobView | null} */
  #view = null;
  #place = el("div", { class: "file-place" });
  #notice = el("p", { class: "trouble", role: "alert", hidden: "" });
  /** Files still to be read. @type {File[]} */
  #waiting = [];
  #reading = false;
  /** What is said of the files dropped last. @type {(string | HTMLElement)[]} */
  #lines = [];
  #scoring = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #soon;
  #lastId = 0;

  /**
   * @param {HTMLElement} root
   * @param {App} app
   */
  constructor(root, app) {
    this.#root = root;
    this.#app = app;
    app.events.addEventListener("language", () => this.#opened && this.#build());
    app.events.addEventListener("metrics", () => this.#onMetrics());
    // Work under way is kept, but the tab that is closed stops working on it.
    addEventListener("beforeunload", (event) => this.#reading && event.preventDefault());
  }

  /** @type {Promise<void> | null} */
  #opened = null;

  /** Opens the store at the first visit, and goes on with what was being scored. */
  show() {
    this.#opened ??= this.#open();
  }

  hide() {}

  async #open() {
    this.#build();
    await this.#store.open();
    this.#jobs = await this.#store.jobs();
    for (const job of this.#jobs) settle(job);
    this.#drawList();
    const under = this.#jobs.filter((job) => job.state === "waiting");
    for (const job of under) await this.#session(job).open();
    const first = under[0] ?? this.#jobs[0];
    if (first) this.#openJob(first);
    this.#next();
  }

  #build() {
    this.#view?.close();
    this.#drop = new DropZone(this.#app, (files, folders) => this.#take(files, folders), this.#root);
    this.#list = new JobList(this.#app, { open: (job) => this.#openJob(job), remove: (job) => this.#remove(job) });
    const title = this.#root.querySelector("h2");
    const intro = el("p", { class: "file-intro" }, this.#app.t("file.intro"));
    this.#root.replaceChildren(...(title ? [title] : []), el("div", { class: "file-view" }, intro, this.#drop.element, this.#notice, this.#list.element, this.#place));
    this.#drawList();
    const open = this.#jobs.find(({ id }) => id === this.#openId);
    if (open) this.#openJob(open);
  }

  // --- Reading ---

  /**
   * @param {File[]} files
   * @param {string[]} folders
   */
  #take(files, folders) {
    if (!this.#reading) this.#lines = [];
    const lines = this.#lines;
    if (folders.length > 0) lines.push(this.#app.t("file.refused.folder", { names: folders.join(", ") }));
    if (files.length > 1) lines.push(this.#app.t("file.queued", { count: files.length, names: files.map(({ name }) => name).join(", ") }));
    else if (files.length === 1 && this.#reading) lines.push(this.#app.t("file.queued.behind", { name: files[0].name }));
    this.#drop?.say(lines);
    this.#waiting.push(...files);
    if (!this.#reading && this.#waiting.length > 0) this.#readAll();
  }

  async #readAll() {
    this.#reading = true;
    await this.#opened;
    for (let file = this.#waiting.shift(); file; file = this.#waiting.shift()) {
      try {
        await this.#readOne(file);
      } catch (error) {
        this.#lines.push(this.#failure(file, error));
        this.#drop?.say(this.#lines);
      }
    }
    this.#reading = false;
    this.#drop?.reading("");
  }

  /** @param {File} file */
  async #readOne(file) {
    const abort = new AbortController();
    const cancel = () => abort.abort(new DOMException("Cancelled.", "AbortError"));
    this.#drop?.reading(this.#app.t("file.reading", { name: file.name, count: 0 }), cancel);
    const onProgress = (/** @type {Job} */ { rows }) => this.#drop?.reading(this.#app.t("file.reading", { name: file.name, count: rows }), cancel);
    const job = await readFile(file, this.#store, { signal: abort.signal, onProgress, id: this.#newId() });
    this.#jobs.unshift(job);
    this.#openJob(job);
    this.#view?.element.scrollIntoView({ block: "nearest" });
  }

  /** Later jobs have greater ids, also two within a millisecond. */
  #newId() {
    this.#lastId = Math.max(Date.now(), this.#lastId + 1);
    return this.#lastId;
  }

  /**
   * @param {File} file
   * @param {unknown} error
   * @returns {string | HTMLElement}
   */
  #failure(file, error) {
    if (error instanceof DOMException && error.name === "AbortError") return this.#app.t("file.refused.cancelled", { name: file.name });
    const reason = error instanceof Refusal ? told(this.#app, "refused", error) : inWords(this.#app, error);
    return el("span", {}, el("bdi", {}, file.name), ": ", reason);
  }

  // --- Jobs ---

  /** @param {Job} job */
  #session(job) {
    const known = this.#sessions.get(job.id);
    if (known) return known;
    const session = new Session(this.#app, this.#store, job);
    session.addEventListener("state", () => this.#drawList());
    session.addEventListener("batch", () => this.#drawListSoon());
    this.#sessions.set(job.id, session);
    return session;
  }

  /** @param {Job} job */
  #openJob(job) {
    this.#view?.close();
    this.#view = null;
    this.#openId = job.id;
    this.#drawList();
    if (job.state === "cut-short") return this.#place.replaceChildren(el("p", { class: "trouble card" }, this.#app.t("file.cut-short", { name: job.name })));
    const fresh = !this.#sessions.has(job.id);
    const session = this.#session(job);
    this.#view = new JobView(this.#app, session, () => this.#turn(session));
    this.#place.replaceChildren(this.#view.element);
    if (fresh) session.open().catch((error) => this.#app.error(error));
  }

  /** @param {Job} job */
  async #remove(job) {
    const sure = await confirmed(this.#app, this.#app.t("file.confirm.delete", { name: job.name }), this.#app.t("file.confirm.delete-yes"));
    if (!sure) return;
    this.#sessions.get(job.id)?.pause();
    this.#sessions.delete(job.id);
    this.#jobs = this.#jobs.filter(({ id }) => id !== job.id);
    await this.#store.remove(job.id);
    if (this.#openId === job.id) {
      this.#view?.close();
      this.#view = null;
      this.#place.replaceChildren();
    }
    this.#drawList();
  }

  #drawList() {
    this.#list?.draw(this.#jobs, this.#openId, this.#store.inMemory);
  }

  #drawListSoon() {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      this.#drawList();
    }, CALM);
  }

  /** Own metrics came or went: the mapping shows them. */
  #onMetrics() {
    const open = this.#jobs.find(({ id }) => id === this.#openId);
    if (open?.state === "ready") this.#openJob(open);
  }

  /** @param {boolean} full */
  #onMemory(full) {
    this.#notice.textContent = this.#app.t(full ? "file.storage.full" : "file.storage.none");
    this.#notice.hidden = false;
    this.#drawList();
  }

  // --- Scoring, one job at a time ---

  /** @param {Session} session */
  #turn(session) {
    if (session.job.state !== "waiting") session.wait();
    this.#next();
  }

  async #next() {
    if (this.#scoring) return;
    const waiting = this.#jobs.filter((job) => job.state === "waiting").at(-1);
    const session = waiting && this.#sessions.get(waiting.id);
    if (!session) return;
    this.#scoring = true;
    await alone(() => session.run(), () => this.#elsewhere(session));
    this.#scoring = false;
    this.#next();
  }

  /** @param {Session} session another tab is at work */
  #elsewhere(session) {
    session.pause();
    this.#notice.textContent = this.#app.t("file.elsewhere");
    this.#notice.hidden = false;
  }
}

/** A job that another visit left in the middle. @param {Job} job */
function settle(job) {
  if (job.volatile || job.state === "reading") job.state = "cut-short";
  else if (job.state === "running") job.state = "waiting";
}

/**
 * Runs `work` unless another tab is at it.
 *
 * @param {() => Promise<void>} work
 * @param {() => void} otherwise
 */
async function alone(work, otherwise) {
  if (!navigator.locks) return work();
  await navigator.locks.request(LOCK, { ifAvailable: true }, (lock) => (lock ? work() : otherwise()));
}
