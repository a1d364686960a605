// @ts-check
/** Gives the app what belongs to the user: own metrics and corrections. */
import { Corrections } from "../corrections.js";
import { OwnMetrics } from "./metrics.js";

/**
 * Opens both stores; the app hears of every later change, also in another tab.
 *
 * @param {import("../app.js").App} app
 */
export async function attachOwnData(app) {
  const own = new OwnMetrics(
    () => app.setOwnMetrics(own.metrics()),
    () => app.metrics().filter((metric) => !metric.own),
  );
  app.own = own;
  app.corrections = new Corrections(() => app.events.dispatchEvent(new Event("corrections")));
  app.events.addEventListener("model", () => noteModel(app));
  await Promise.all([own.read(), app.corrections.read()]);
}

/** Corrections teach only about the model they corrected. @param {import("../app.js").App} app */
async function noteModel(app) {
  if (app.ready) app.corrections.bundle = (await app.model()).info.bundle;
}
