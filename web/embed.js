// @ts-check
/**
 * The scorer for other pages: embed.html stands in a hidden frame and speaks `postMessage` with the
 * page around it. `<touchstone-scorer>` (widget.js) does this for you; any other page may as well.
 *
 * Every message is `{ v: 1, id, type, ... }`. Ids are whole numbers that rise; an answer carries the
 * id of its request. The shapes stand in protocol.js.
 *
 * Requests
 *   hello   {}               `{ versions, secure }`: the versions that are spoken, and whether the
 *                            browser counts the page as secure (WebGPU and kept files need that)
 *   load    {}               `Loaded`; the other requests load by themselves
 *   words   { lang }         `{ language, messages, titles }`: the page's words
 *   score   { task }         `TimedScore`
 *   profile { task, own? }   task without metric, `own` metrics; `Profile`
 *   explain { task, part? }  `Explanation`; the part is "response" by default
 *   cancel  { target }       id of a request, which then fails with kind "cancelled"; no answer
 *
 * Answers
 *   progress { stage, loaded, total, label }   of load, see `Progress`
 *   result   { value }
 *   error    { error: { kind, message, retryable } }   and for the kinds
 *              origin    the page is not on the list of the host, see embed/origins.js
 *              version   another version than 1; `error.supported` lists those that are known
 *              protocol  not of the shape above
 *              replay    the id is not above those before; its answer carries `id: null`
 *              flood     more than 100 requests a second; `error.wait` milliseconds, then again
 *              sandbox   a frame without an origin; comes unasked, with `id: null`
 *
 * Only the window that embeds this one is read and answered, and only where its origin is listed;
 * others on the embedding page cannot send in its name.
 */
import { Desk } from "./embed/desk.js";
import { Gate } from "./embed/gate.js";
import { fetchEmbedders } from "./embed/origins.js";

/** Waits for the list: what comes meanwhile is read afterwards, in order. */
const gate = fetchEmbedders().then((embedders) => new Gate(embedders, parent));
/** @type {Desk | null} a frame has one embedding page in its life */
let desk = null;

addEventListener("message", async (event) => {
  const admitted = (await gate).admit(event);
  if (!admitted) return;
  desk ??= new Desk(answerTo(event.origin));
  if ("request" in admitted) desk.serve(admitted.request);
  else desk.refuse(admitted.refusal);
});

/** @param {string} origin */
function answerTo(origin) {
  // An origin "null" cannot be named; the window is still the one that asked.
  const target = origin === "null" ? "*" : origin;
  return (/** @type {object} */ message) => parent.postMessage(message, target);
}
