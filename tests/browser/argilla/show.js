// Argilla's way with custom fields, as its public source describes it.

/** What goes before every template: the page's styles and theme, and the record. */
const before = (record) => `
  <script>
    for (const style of parent.document.querySelectorAll("style")) document.head.append(style.cloneNode(true));
    document.documentElement.dataset.theme = parent.document.documentElement.dataset.theme;
    const record = ${JSON.stringify(record)};
  <\/script>
  <style>body { background-color: var(--bg-field); }</style>`;

/** Stands in for Handlebars, of which the template needs only `{{a.b}}`, escaped. */
const fill = `
  <script>
    const escaped = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;", "\`": "&#x60;", "=": "&#x3D;" };
    const value = (path) => path.split(".").reduce((at, key) => at?.[key], { record }) ?? "";
    const text = document.getElementById("template").innerHTML;
    document.body.innerHTML = text.replace(/\\{\\{([^{}]+)\\}\\}/g, (_, path) => String(value(path)).replace(/[&<>"'\`=]/g, (c) => escaped[c]));
  <\/script>`;

function section(title, ...content) {
  const made = document.createElement("section");
  made.className = "field";
  const head = document.createElement("h2");
  head.textContent = title;
  made.append(head, ...content);
  return made;
}

/** Shows a record; `advanced` says which template of the example. */
async function show(record, advanced) {
  const template = await (await fetch(advanced ? "field-advanced.html" : "field.html")).text();
  const frame = document.createElement("iframe");
  frame.setAttribute("scrolling", "no");
  frame.srcdoc = before(record) + (advanced ? template : `<div id="template">${template}</div>${fill}`);
  const loaded = new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
  const texts = Object.entries(record.fields).filter(([, value]) => typeof value === "string");
  const sections = texts.map(([name, value]) => section(name, Object.assign(document.createElement("p"), { textContent: value })));
  document.body.replaceChildren(...sections, section("Touchstone", frame));
  await loaded;
  frame.style.height = `${frame.contentDocument.documentElement.scrollHeight}px`;
}

/** The scorer of the record that is shown, once it is defined. */
async function scorer() {
  const { contentWindow } = document.querySelector("iframe");
  await contentWindow.customElements.whenDefined("touchstone-scorer");
  return contentWindow.document.querySelector("touchstone-scorer");
}
