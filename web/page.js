// @ts-check
/** Starts the page: settings, words, model and the view that the address asks for. */
import { App } from "./app.js";
import { byId } from "./dom.js";
import { chooseLanguage, I18n } from "./i18n.js";
import { loadStyles } from "./load-style.js";
import { ModelKeeper } from "./model.js";
import { Router } from "./router.js";
import { applyTheme, Settings } from "./settings.js";
import { wireSettings } from "./settings-dialog.js";
import { openShared } from "./share.js";

/** The views in the order of the navigation; each needs the message `shell.view.<name>`. */
const ROUTES = [
  { name: "answer", styles: [], load: () => import("./views/answer.js") },
  { name: "compare", styles: ["compare.css"], load: () => import("./views/compare.js") },
  { name: "file", styles: ["file.css"], load: () => import("./views/file.js") },
  { name: "metrics", styles: ["own.css", "anchor-map.css"], load: () => withOwnData(import("./views/metrics.js")) },
  { name: "corrections", styles: ["own.css"], load: () => withOwnData(import("./views/corrections.js")) },
];

const settings = new Settings();
const app = new App({
  i18n: new I18n(),
  settings,
  navigate: (view, state) => open(() => router.go(view, state)),
  keeper: (app) => new ModelKeeper(app),
  openOwnData,
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

/**
 * What a view needs that shows the user's own metrics or corrections.
 *
 * @template T
 * @param {Promise<T>} view
 */
async function withOwnData(view) {
  await app.ownData();
  return view;
}

async function openOwnData() {
  const [{ attachOwnData }] = await Promise.all([import("./own/attach.js"), loadStyles(["own.css"])]);
  await attachOwnData(app);
}

/** First the page that is asked for, then what it can wait for. */
async function start() {
  applyTheme(settings.get("theme"));
  try {
    await app.use(chooseLanguage(settings.get("language"), navigator.languages));
  } catch (error) {
    return app.error(error, start);
  }
  wireSettings(app);
  await open(() => router.follow());
  await painted();
  performance.mark("shown");
  app.model().catch(() => {}); // shown by the keeper
  loadCatalogue();
  app.ownData().catch((error) => app.error(error));
  await Promise.all([offerBundles(), useOffline()]).catch((error) => app.error(error));
}

async function offerBundles() {
  const { mountBundleChooser } = await import("./bundle-chooser.js");
  await mountBundleChooser(app, byId("settings-more", HTMLElement)).catch(() => {}); // loading the model says it
}

async function useOffline() {
  const { mountOfflineNotice } = await import("./offline-notice.js");
  mountOfflineNotice(app, byId("offline-state", HTMLElement), byId("update", HTMLElement));
}

/** Resolves after the next frame; soon in a tab that shows none. */
function painted() {
  return new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve));
    setTimeout(resolve, 500);
  });
}

byId("skip", HTMLAnchorElement).addEventListener("click", (event) => {
  event.preventDefault(); // the fragment belongs to the router
  byId("main", HTMLElement).focus();
});
start();
