// @ts-check

/** @type {Map<string, Promise<void>>} */
const loaded = new Map();

/**
 * Brings style sheets that only parts of the page need, each once.
 *
 * @param {string[]} files beside the page
 * @returns {Promise<unknown>} once they hold; a missing one leaves its part plain
 */
export function loadStyles(files) {
  return Promise.all(files.map((file) => loaded.get(file) ?? load(file)));
}

/** @param {string} file */
function load(file) {
  /** @type {Promise<void>} */
  const done = new Promise((resolve) => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = file;
    link.onload = () => resolve();
    link.onerror = () => {
      loaded.delete(file);
      link.remove();
      resolve();
    };
    document.head.append(link);
  });
  loaded.set(file, done);
  return done;
}
