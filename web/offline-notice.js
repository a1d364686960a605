// @ts-check
/** Says whether the page works without a network, and offers a new version with a button. */
import { el } from "./dom.js";
import { askForPersistence, Offline } from "./offline.js";

/**
 * @typedef {object} OfflineNotice
 * @property {(build: import("./protocol.js").Backend) => Promise<void>} modelLoaded to be told of every loaded model
 *
 * @param {import("./app.js").App} app
 * @param {{ state: HTMLElement, update: HTMLElement }} places `state`: a line of text; `update`: a live region
 * @returns {OfflineNotice}
 */
export function mountOfflineNotice(app, places) {
  const offline = new Offline();
  const show = () => {
    app.say(places.state, `worker.offline.${offline.state}`);
    if (!offline.update) places.update.replaceChildren();
    else if (!places.update.firstChild) offerUpdate(app, offline, places.update);
  };
  offline.addEventListener("change", show);
  show();
  offline.start();
  return {
    async modelLoaded(build) {
      await askForPersistence();
      await offline.keep(build);
    },
  };
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
