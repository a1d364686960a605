// @ts-check
/** Runs before the first paint and by itself: the theme and language that settings.js stored. */
(() => {
  try {
    const { theme, language } = JSON.parse(localStorage.getItem("touchstone.settings") ?? "{}");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
    if (typeof language === "string") document.documentElement.lang = language;
  } catch {
    // No storage or nothing sensible in it: the system's colours and the browser's language.
  }
})();
