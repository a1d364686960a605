// @ts-check
/** Runs by itself: a sandbox without an origin of its own is told so, since nothing else runs there. */
(() => {
  if (self.origin !== "null") return;
  const message =
    "The scorer cannot run in a sandbox without an origin of its own: add allow-same-origin beside allow-scripts " +
    "to the sandbox attribute of the frame.";
  addEventListener("DOMContentLoaded", () => {
    const note = document.getElementById("note");
    if (note) note.textContent = message;
  });
  // Holds nothing that anyone may not know.
  parent.postMessage({ v: 1, id: null, type: "error", error: { kind: "sandbox", message } }, "*");
})();
