// @ts-check
/** Wires the page: fields to the scorer, the scorer to the result. */
import { ScorerClient } from "./client.js";
import { byId, el } from "./dom.js";
import { MetricChooser } from "./metric-chooser.js";
import { TouchstoneError } from "./protocol.js";
import { ResultView } from "./result-view.js";
import { languageOf } from "./script-language.js";

/**
 * @typedef {import("./protocol.js").Task} Task
 * @typedef {import("./protocol.js").Loaded} Loaded
 * @typedef {import("./protocol.js").Progress} Progress
 * @typedef {import("./metric-chooser.js").Metric} Metric
 *
 * @typedef {object} Example
 * @property {string} id
 * @property {string} language a language tag
 * @property {"good" | "poor"} answer
 * @property {string} metric
 * @property {string} [system]
 * @property {string} user
 * @property {string} response
 */

const DEFAULT_METRIC = "task_completion_rate";
const BACKENDS = { webgpu: "WebGPU", cpu: "the CPU" };

/** What to do, by kind of error. */
const ADVICE = /** @type {Record<string, string>} */ ({
  network: "Check the connection and that the host has every file, then retry.",
  hash: "The download was altered or cut short. Retry fetches it again.",
  memory: "Close other tabs or programs, or use a device with more memory, then retry.",
  unsupported: "Use a current Chrome, Edge, Firefox or Safari.",
  device: "Retry, or choose CPU under “Runs on”.",
  panic: "Retry starts the scorer again.",
  worker: "Retry starts the scorer again.",
  deadline: "Retry starts the scorer again; CPU under “Runs on” may work where WebGPU hangs.",
});
/** Errors after which the model has to be loaded again. */
const NEEDS_LOAD = ["worker", "deadline", "panic", "device", "memory", "not-loaded"];

const form = byId("task", HTMLFormElement);
const fields = {
  system: byId("system", HTMLTextAreaElement),
  user: byId("user", HTMLTextAreaElement),
  response: byId("response", HTMLTextAreaElement),
  ownName: byId("own-name", HTMLInputElement),
  ownDefinition: byId("own-definition", HTMLTextAreaElement),
};
const ownMetric = byId("metric-own", HTMLInputElement);
const backend = byId("backend", HTMLSelectElement);
const scoreButton = byId("score", HTMLButtonElement);
const cancelButton = byId("cancel", HTMLButtonElement);

const chooser = new MetricChooser(
  {
    input: byId("metric", HTMLInputElement),
    popup: byId("metric-popup", HTMLElement),
    list: byId("metric-list", HTMLElement),
    definition: byId("metric-active-definition", HTMLElement),
    count: byId("metric-count", HTMLElement),
  },
  (metric) => {
    byId("metric-definition", HTMLElement).textContent = metric.definition;
    refresh();
  },
);
/** @type {Map<string, string>} */
const titles = new Map();
const result = new ResultView((name) => titles.get(name) ?? name);
const client = new ScorerClient({ onLost: () => forgetModel() });

/** @type {Promise<Loaded> | null} the model, loading or loaded */
let model = null;
/** @type {Promise<Loaded> | null} whose outcome is shown, an earlier one is of no interest */
let latestLoad = null;
/** @type {AbortController | null} of the score under way */
let scoring = null;
/** @type {Task | null} what the shown result belongs to */
let scored = null;
/** @type {string} why no score is possible at all, if so */
let hopeless = "";

// --- Model ---

/** Loads the model in a fresh worker: wasm memory never shrinks, and a failed import stays failed. */
function loadModel() {
  client.close();
  hideError();
  delete document.body.dataset.ready;
  const choice = /** @type {import("./protocol.js").BackendChoice} */ (backend.value);
  const loading = client.load({ backend: choice, onProgress: showProgress });
  model = latestLoad = loading;
  setStatus("loading", "Loading the model");
  loading.then(
    (loaded) => latestLoad === loading && showLoaded(loaded),
    (error) => latestLoad === loading && showLoadError(error),
  );
  return loading;
}

/** @param {Loaded} loaded */
function showLoaded(loaded) {
  hideProgress();
  setStatus("ready", `Ready on ${BACKENDS[loaded.backend]} after ${loaded.seconds.toFixed(1)} s. ${loaded.reason}`);
  document.body.dataset.ready = "true";
}

/** @param {unknown} error */
function showLoadError(error) {
  forgetModel();
  if (error instanceof TouchstoneError && error.kind === "unsupported") hopeless = error.message;
  showError(error, hopeless ? null : loadModel);
  refresh();
}

/** The worker died or its model is no longer usable: the next score loads it again. */
function forgetModel() {
  model = null;
  hideProgress();
  delete document.body.dataset.ready;
  setStatus("failed", "The model is not loaded.");
}

/** The model as it is wanted now, even if the choice changes while it loads. */
async function currentModel() {
  for (;;) {
    const loading = model ?? loadModel();
    try {
      const loaded = await loading;
      if (loading === model) return loaded;
    } catch (error) {
      if (loading === model || model === null) throw error;
    }
  }
}

// --- Score ---

/** @returns {Task} */
function readTask() {
  const task = ownMetric.checked
    ? { metric: fields.ownName.value.trim() || "my metric", definition: fields.ownDefinition.value }
    : { metric: chooser.chosen?.name ?? "" };
  const system = fields.system.value;
  return { ...task, ...(system && { system }), user: fields.user.value, response: fields.response.value };
}

/** Why there is nothing to score, or "". */
function obstacle() {
  if (hopeless) return hopeless;
  if (!fields.response.value.trim()) return "Write or paste the answer to score it.";
  if (ownMetric.checked && !fields.ownDefinition.value.trim()) return "Say in words what your metric judges.";
  if (!ownMetric.checked && !chooser.chosen) return "Choose a metric.";
  return "";
}

async function score() {
  scoring?.abort();
  const mine = new AbortController();
  scoring = mine;
  const task = readTask();
  const ready = document.body.dataset.ready === "true";
  if (ready) hideError();
  result.busy(ready ? "Scoring…" : "Waiting for the model; it is scored as soon as it is ready.");
  cancelButton.hidden = false;
  try {
    const loaded = await untilAborted(currentModel(), mine.signal);
    result.busy("Scoring…");
    const value = await client.score(task, { signal: mine.signal });
    scored = task;
    result.show(task, value, loaded);
    result.mark(isStale());
    bringIntoView();
  } catch (error) {
    if (scoring === mine) giveUp(error);
  } finally {
    if (scoring === mine) {
      scoring = null;
      cancelButton.hidden = true;
    }
  }
}

/** @param {unknown} error */
function giveUp(error) {
  if (error instanceof DOMException && error.name === "AbortError") return result.clear();
  const kind = error instanceof TouchstoneError ? error.kind : "";
  const lost = NEEDS_LOAD.includes(kind);
  // An error of loading is on show already; Retry then goes on to score.
  if (lost) forgetModel();
  showError(error, hopeless ? null : lost || model === null ? score : null);
  byId("error", HTMLElement).scrollIntoView({ block: "nearest" });
  result.fail();
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal} signal
 * @returns {Promise<T>}
 */
function untilAborted(promise, signal) {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}

/** On a narrow screen the result lies below the fields. */
function bringIntoView() {
  const section = byId("result", HTMLElement);
  if (section.getBoundingClientRect().top > innerHeight * 0.6) section.scrollIntoView({ block: "start" });
}

function isStale() {
  return JSON.stringify(readTask()) !== JSON.stringify(scored);
}

// --- What is shown ---

/** After any change of the inputs. */
function refresh() {
  for (const field of Object.values(fields)) setLanguage(field);
  const reason = obstacle();
  scoreButton.disabled = reason !== "";
  byId("score-reason", HTMLElement).textContent = reason;
  if (fields.response.value.trim()) sayBesideAnswer("");
  if (scored) result.mark(isStale());
}

/** @param {HTMLElement & { value: string }} field */
function setLanguage(field) {
  const language = languageOf(field.value);
  if (language) field.lang = language;
  else field.removeAttribute("lang");
}

/** @param {string} message */
function sayBesideAnswer(message) {
  byId("response-error", HTMLElement).textContent = message;
  if (message) fields.response.setAttribute("aria-invalid", "true");
  else fields.response.removeAttribute("aria-invalid");
}

function checkAnswer() {
  if (fields.response.value.trim()) return true;
  sayBesideAnswer("The answer is empty: there is nothing to score yet.");
  return false;
}

/** @param {Progress} progress */
function showProgress({ stage, loaded, total, label }) {
  const bar = byId("progress", HTMLProgressElement);
  byId("progress-row", HTMLElement).hidden = false;
  if (total > 0) {
    bar.max = total;
    bar.value = loaded;
  } else {
    bar.removeAttribute("value");
  }
  const size = `${megabytes(loaded)} of ${megabytes(total)} MB, ${Math.floor((100 * loaded) / total)} %`;
  byId("progress-label", HTMLElement).textContent = stage === "download" && total > 0 ? `${label}: ${size}` : label;
}

/** @param {number} bytes */
function megabytes(bytes) {
  return (bytes / 1e6).toFixed(1);
}

function hideProgress() {
  byId("progress-row", HTMLElement).hidden = true;
}

/**
 * @param {"loading" | "ready" | "failed"} state
 * @param {string} message
 */
function setStatus(state, message) {
  const status = byId("status", HTMLElement);
  status.dataset.state = state;
  status.textContent = message;
}

/**
 * @param {unknown} error
 * @param {(() => void) | null} retry
 */
function showError(error, retry) {
  const message = error instanceof Error ? error.message : String(error);
  const advice = error instanceof TouchstoneError ? (ADVICE[error.kind] ?? "") : "";
  const box = byId("error", HTMLElement);
  box.replaceChildren(el("p", {}, message, advice && ` ${advice}`));
  box.dataset.kind = error instanceof TouchstoneError ? error.kind : "internal";
  if (!retry) return;
  const button = el("button", { type: "button", id: "retry", class: "secondary" }, "Retry");
  button.addEventListener("click", () => retry());
  box.append(button);
}

function hideError() {
  byId("error", HTMLElement).replaceChildren();
}

// --- Examples and metrics ---

/** @param {Example[]} examples */
function showExamples(examples) {
  const rows = Object.entries(groupBy(examples, ({ language }) => language)).map(([language, some]) =>
    el("div", { class: "example-row" }, el("span", { lang: language }, nameOf(language)), ...some.map(exampleButton)),
  );
  byId("examples", HTMLElement).replaceChildren(...rows);
}

/** @param {string} language a language's name for itself */
function nameOf(language) {
  return new Intl.DisplayNames([language], { type: "language" }).of(language) ?? language;
}

/** @param {Example} example */
function exampleButton(example) {
  const title = titles.get(example.metric) ?? example.metric;
  const button = el(
    "button",
    { type: "button", class: "chip", "data-example": example.id },
    el("span", { class: `quality ${example.answer}` }, example.answer === "good" ? "Good" : "Poor"),
    el("span", {}, title),
  );
  button.addEventListener("click", () => useExample(example));
  return button;
}

/** @param {Example} example */
function useExample({ metric, system = "", user, response }) {
  fields.system.value = system;
  byId("system-details", HTMLDetailsElement).open = system !== "";
  fields.user.value = user;
  fields.response.value = response;
  byId("metric-listed", HTMLInputElement).checked = true;
  showMetricKind();
  chooser.choose(metric);
  refresh();
}

/**
 * @template T
 * @param {T[]} items
 * @param {(item: T) => string} key
 * @returns {Record<string, T[]>}
 */
function groupBy(items, key) {
  /** @type {Record<string, T[]>} */
  const groups = {};
  for (const item of items) (groups[key(item)] ??= []).push(item);
  return groups;
}

/** @param {Metric[]} metrics */
function showMetrics(metrics) {
  for (const { name, title } of metrics) titles.set(name, title);
  chooser.metrics = metrics;
  chooser.choose(metrics.some(({ name }) => name === DEFAULT_METRIC) ? DEFAULT_METRIC : (metrics[0]?.name ?? ""));
}

function showMetricKind() {
  byId("listed-fields", HTMLElement).hidden = ownMetric.checked;
  byId("own-fields", HTMLElement).hidden = !ownMetric.checked;
}

/**
 * @param {string} file
 * @returns {Promise<any>}
 */
async function fetchJson(file) {
  let response;
  try {
    response = await fetch(new URL(file, import.meta.url));
  } catch {
    throw new TouchstoneError("network", `${file} could not be fetched.`);
  }
  if (!response.ok) throw new TouchstoneError("network", `The host answered ${response.status} for ${file}.`);
  return response.json();
}

async function loadLists() {
  const examples = fetchJson("examples.json");
  examples.catch(() => {}); // awaited below; the catalogue's error comes first
  try {
    showMetrics(await fetchJson("catalogue.json"));
    showExamples(await examples);
  } catch (error) {
    showError(error, () => {
      hideError();
      loadLists();
    });
  }
  refresh();
}

// --- Start ---

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!obstacle()) score();
});
form.addEventListener("input", (event) => {
  if (event.target !== byId("metric", HTMLInputElement)) refresh();
});
form.addEventListener("change", () => {
  showMetricKind();
  refresh();
});
fields.response.addEventListener("blur", checkAnswer);
cancelButton.addEventListener("click", () => {
  scoring?.abort();
  scoreButton.focus();
});
backend.addEventListener("change", () => {
  const again = scoring !== null;
  loadModel();
  if (again) score();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
  event.preventDefault();
  if (!obstacle()) score();
  else if (!checkAnswer()) fields.response.focus();
});
if (/Mac|iPhone|iPad/.test(navigator.platform)) byId("score-keys", HTMLElement).textContent = "⌘ Enter";

result.clear();
showMetricKind();
loadModel();
loadLists();
