// @ts-check
import { byId, el } from "./dom.js";
import { LANGUAGES } from "./i18n.js";
import { applyTheme } from "./settings.js";

/**
 * The choices of the header and of the settings dialog.
 *
 * @param {import("./app.js").App} app
 */
export function wireSettings(app) {
  wireLanguage(app);
  wireThemes(app);
  wireBackend(app);
  const dialog = byId("settings", HTMLDialogElement);
  byId("open-settings", HTMLButtonElement).addEventListener("click", () => dialog.showModal());
  // A press on the backdrop lands on the dialog itself.
  dialog.addEventListener("click", ({ target }) => {
    if (target === dialog) dialog.close();
  });
}

/** @param {import("./app.js").App} app */
function wireLanguage(app) {
  const select = byId("language", HTMLSelectElement);
  const options = Object.entries(LANGUAGES).map(([tag, name]) => el("option", { value: tag, lang: tag }, name));
  select.replaceChildren(...options);
  select.value = app.language;
  select.onchange = async () => {
    const chosen = select.value;
    try {
      await app.use(chosen);
      app.settings.set("language", chosen);
    } catch (error) {
      select.value = app.language;
      app.error(error);
    }
  };
}

/** @param {import("./app.js").App} app */
function wireThemes({ settings }) {
  for (const radio of document.querySelectorAll("#themes input")) {
    if (!(radio instanceof HTMLInputElement)) continue;
    radio.checked = radio.value === settings.get("theme");
    radio.onchange = () => {
      const theme = /** @type {import("./settings.js").Values["theme"]} */ (radio.value);
      settings.set("theme", theme);
      applyTheme(theme);
    };
  }
}

/** @param {import("./app.js").App} app */
function wireBackend(app) {
  const select = byId("backend", HTMLSelectElement);
  select.value = app.settings.get("backend");
  select.onchange = () => {
    app.settings.set("backend", /** @type {import("./protocol.js").BackendChoice} */ (select.value));
    app.reload().catch(() => {}); // shown by the keeper
  };
}
