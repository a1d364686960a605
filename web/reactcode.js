// @ts-check
/**
 * The scorer as an app of Label Studio Enterprise: `<ReactCode src=".../reactcode.html"
 * outputs="score:number(0,10)">` shows reactcode.html in a frame and speaks `postMessage` with it.
 * Written to the documentation of that tag; it has not been tried inside the real thing.
 *
 * From Label Studio
 *   init, update  { tag, data, regions, viewState }   in an update what did not change is missing
 *   regions       { tag, regions }
 *   viewState     { tag, viewState }
 *
 * To Label Studio
 *   ready         {}
 *   addRegion     { tag, value: { score }, extraData: { displayText } }
 *   updateRegion  { tag, id, value: { score } }
 *
 * Regions are what Label Studio says they are: after a change its next message is waited for.
 */
import { chooseLanguage, I18n } from "./i18n.js";
import "./widget-define.js";

/**
 * @typedef {import("./protocol.js").Task} Task
 * @typedef {{ id: string, value?: { score?: unknown }, locked?: boolean }} Region
 * @typedef {{ type: string, tag: string, data?: unknown, regions?: Region[], viewState?: { darkMode?: boolean } }} Message
 */

/** Data fields of a task, the likeliest name first; the companion knows the same. */
const NAMES = /** @type {Record<keyof Task, string[]>} */ ({
  metric: ["metric_name", "metric", "criterion"],
  definition: ["metric_description", "definition", "criterion_description"],
  system: ["system_prompt", "system", "system_message"],
  user: ["user_prompt", "user", "prompt", "question", "instruction", "query", "input"],
  response: ["response", "answer", "output", "completion", "reply"],
});

const i18n = new I18n();
const [status, given, accept] = ["status", "given", "accept"].map((id) => /** @type {HTMLElement} */ (document.getElementById(id)));
const scorer = /** @type {HTMLElement & { task: Task }} */ (document.getElementById("scorer"));

/** @type {{ tag: string, origin: string } | null} known from the first `init` on */
let studio = null;
/** @type {Region[]} */
let regions = [];
/** What was asked last, as JSON. */
let asked = "";
/** @type {number | null} the score that is shown */
let score = null;

addEventListener("message", (event) => {
  const message = /** @type {Message | null} */ (event.data);
  if (event.source !== parent || typeof message?.type !== "string" || typeof message.tag !== "string") return;
  if (message.type === "init") studio = { tag: message.tag, origin: event.origin };
  if (message.tag === studio?.tag && event.origin === studio.origin) take(message);
});

scorer.addEventListener("touchstone-result", (event) => {
  score = /** @type {CustomEvent} */ (event).detail.result.score;
  show();
});
scorer.addEventListener("touchstone-correction", (event) => give(/** @type {CustomEvent} */ (event).detail.corrected));
accept.addEventListener("click", () => score !== null && give(score));

await i18n.use(chooseLanguage("", navigator.languages));
i18n.say(status, "reactcode.waiting");
// Nothing is known of the page around yet; this says nothing either.
if (parent !== window) parent.postMessage({ type: "ready" }, "*");

/** @param {Message} message */
function take({ data, regions: now, viewState }) {
  if (viewState) dress(viewState.darkMode ? "dark" : "light");
  if (Array.isArray(now)) regions = now;
  // While Label Studio warms a frame up, there is no data yet.
  if (data) ask(taskOf(data));
  show();
}

/** @param {string} theme */
function dress(theme) {
  document.documentElement.dataset.theme = theme;
  scorer.setAttribute("theme", theme);
}

/** @param {Task} task */
function ask(task) {
  // Another annotation of the same task has the same score.
  if (asked === (asked = JSON.stringify(task))) return;
  const missing = /** @type {const} */ (["metric", "user", "response"]).filter((name) => !task[name]);
  scorer.hidden = missing.length > 0;
  status.hidden = missing.length === 0;
  score = null;
  if (missing.length === 0) scorer.task = task;
  else i18n.say(status, "reactcode.missing", { names: missing.map((name) => NAMES[name].join(" / ")).join("; ") });
}

/** @param {number} value */
function give(value) {
  if (!studio) return;
  const rounded = Math.round(value * 10) / 10;
  const { tag, origin } = studio;
  const [region] = regions;
  const message = region
    ? { type: "updateRegion", tag, id: region.id, value: { score: rounded } }
    : { type: "addRegion", tag, value: { score: rounded }, extraData: { displayText: String(rounded) } };
  // An origin "null" cannot be named; the window is still the one that asked.
  parent.postMessage(message, origin === "null" ? "*" : origin);
}

function show() {
  const there = regions[0]?.value?.score;
  given.hidden = typeof there !== "number";
  if (typeof there === "number") i18n.say(given, "reactcode.given", { score: there });
  accept.hidden = score === null || regions[0]?.locked === true;
  if (score !== null) i18n.say(accept, "reactcode.accept", { score: i18n.number(score, 1) });
}

/**
 * @param {unknown} data the task's data, or the field that the tag's `data` names
 * @returns {Task}
 */
function taskOf(data) {
  const fields = /** @type {Record<string, unknown>} */ (typeof data === "string" ? parsed(data) : data);
  const text = (/** @type {string[]} */ names) => {
    const name = names.find((name) => typeof fields[name] === "string");
    return name === undefined ? "" : /** @type {string} */ (fields[name]);
  };
  const [metric, definition, system, user, response] = Object.values(NAMES).map(text);
  return { metric, user, response, ...(system && { system }), ...(definition && { definition }) };
}

/** @param {string} json */
function parsed(json) {
  try {
    return JSON.parse(json) ?? {};
  } catch {
    return {};
  }
}
