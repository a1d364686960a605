// @ts-check
/** The choice among the models of the host; not shown where there is only one. */
import { findBundle, listBundles } from "./bundles.js";
import { el } from "./dom.js";

/**
 * @param {import("./app.js").App} app
 * @param {HTMLElement} root takes the choice at its end
 */
export async function mountBundleChooser(app, root) {
  const bundles = await listBundles();
  if (bundles.length < 2) return;
  const select = /** @type {HTMLSelectElement} */ (
    el("select", { id: "bundle", autocomplete: "off", "aria-describedby": "bundle-about" })
  );
  const about = el("p", { id: "bundle-about", class: "hint" });
  const label = el("label", { for: "bundle", "data-t": "worker.bundle" });
  const chosen = () => findBundle(bundles, select.value);
  const describe = () => (about.textContent = describeBundle(app, chosen()));
  select.append(...bundles.map(({ name, path }) => el("option", { value: path }, name)));
  select.value = findBundle(bundles, app.settings.get("bundle")).path;
  select.addEventListener("change", () => {
    app.settings.set("bundle", chosen().path);
    describe();
    app.reload().catch(() => {}); // shown by the keeper
  });
  app.events.addEventListener("language", describe);
  root.append(label, select, about);
  app.translate(root);
  describe();
}

/**
 * @param {import("./app.js").App} app
 * @param {import("./bundles.js").BundleEntry} bundle
 */
function describeBundle(app, { bytes, about }) {
  const size = bytes === null ? "" : app.t("worker.bundle.size", { size: app.number(bytes / 1e6, 1) });
  return [about, size].filter(Boolean).join(" · ");
}
