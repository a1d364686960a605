// @ts-check
/** Starts the page: settings, words, model and the view that the address asks for. */
import { App } from "./app.js";
import { byId } from "./dom.js";
import { chooseLanguage, I18n } from "./i18n.js";
import { ModelKeeper } from "./model.js";
import { attachOwnData } from "./own/attach.js";
import { Router } from "./router.js";
import { applyTheme, Settings } from "./settings.js";
import { wireSettings } from "./settings-dialog.js";
import { openShared } from "./share.js";

/** The views in the order of the navigation; each needs the message `shell.view.<name>`. */
const ROUTES = [
  { name: "answer", load: () => import("./views/answer.js") },
  { name: "compare", load: () => import("./views/compare.js") },
  { name: "file", load: () => import("./views/file.js") },
  { name: "metrics", load: () => import("./views/metrics.js") },
  { name: "corrections", load: () => import("./views/corrections.js") },
];

const settings = new Settings();
const app = new App({
  i18n: new I18n(),
  settings,
  navigate: (view, state) => open(() => router.go(view, state)),
  keeper: (app) => new ModelKeeper(app),
});

const router = new Router(ROUTES, app, openLink);

/**
 * @param {string} view
 * @param {URLSearchParams} parameters
 */
async function openLink(view, parameters) {
  const packed = parameters.get("s");
  if (packed === null) return undefined;
  try {
    return await openShared(view, packed);
  } catch (error) {
    app.error(error);
    return undefined;
  }
}

/** @param {() => Promise<void>} show */
async function open(show) {
  try {
    await show();
  } catch (error) {
    app.error(error, () => open(show));
  }
}

async function loadCatalogue() {
  try {
    await app.loadCatalogue();
  } catch (error) {
    app.error(error, loadCatalogue);
  }
}

async function start() {
  applyTheme(settings.get("theme"));
  app.reload().catch(() => {}); // shown by the keeper
  loadCatalogue();
  attachOwnData(app).catch((error) => app.error(error));
  try {
    await app.use(chooseLanguage(settings.get("language"), navigator.languages));
  } catch (error) {
    app.error(error, start);
  }
  wireSettings(app);
  await open(() => router.follow());
}

byId("skip", HTMLAnchorElement).addEventListener("click", (event) => {
  event.preventDefault(); // the fragment belongs to the router
  byId("main", HTMLElement).focus();
});
start();
