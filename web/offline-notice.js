// @ts-check
/** Says whether the page works without a network, and offers a new version with a button. */
import { el } from "./dom.js";
import { askForPersistence, Offline } from "./offline.js";

/**
 * @param {import("./app.js").App} app
 * @param {HTMLElement} line takes a sentence about use without a network
 * @param {HTMLElement} notice a live region, takes the offer of a new version
 */
export function mountOfflineNotice(app, line, notice) {
  const offline = new Offline();
  const show = () => {
    line.dataset.state = offline.state;
    app.say(line, `worker.offline.${offline.state}`);
    if (!offline.update) notice.replaceChildren();
    else if (!notice.firstChild) offerUpdate(app, offline, notice);
  };
  offline.addEventListener("change", show);
  app.events.addEventListener("model", () => app.ready && keepBuild(app, offline).catch(() => {})); // a model lost at once
  show();
  offline.start();
}

/**
 * @param {import("./app.js").App} app
 * @param {Offline} offline
 */
async function keepBuild(app, offline) {
  const { build } = await app.model();
  await offline.keep(build);
  await askForPersistence(); // last: a browser may wait for the user's answer
}

/**
 * @param {import("./app.js").App} app
 * @param {Offline} offline
 * @param {HTMLElement} place
 */
function offerUpdate(app, offline, place) {
  const text = app.say(el("p"), "worker.update");
  const button = app.say(el("button", { type: "button", class: "secondary", id: "use-update" }), "worker.update.use");
  button.addEventListener("click", async () => {
    const count = await offline.use();
    if (count > 0) app.say(text, "worker.update.others", { count });
  });
  place.replaceChildren(text, button);
}
