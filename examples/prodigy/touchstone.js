// What `recipe.py` gives to Prodigy as "javascript": one scorer for all tasks.
(() => {
  const HOST = "https://touchstone.example.org/";
  import(`${HOST}widget-define.js`);
  const scorer = document.createElement("touchstone-scorer");

  /** The task that the scorer was given: Prodigy tells of every change, also of our own. */
  let asked;

  function show() {
    const { content } = window.prodigy;
    const place = document.querySelector("#touchstone");
    if (!content || !place) return;
    // Prodigy may have drawn its blocks anew.
    if (scorer.parentNode !== place) place.append(scorer);
    if (asked === content._task_hash) return;
    asked = content._task_hash;
    const { metric, definition, system, prompt, response } = content;
    scorer.task = { metric, ...(definition && { definition }), ...(system && { system }), user: prompt, response };
  }

  /** Adds to the task on the screen, unless another has taken its place meanwhile. */
  function write(fields) {
    if (asked === window.prodigy.content?._task_hash) window.prodigy.update(fields);
  }

  scorer.addEventListener("touchstone-result", ({ detail: { result } }) => {
    const { score, interval, abstain, receipt } = result;
    write({ score, touchstone: { interval, unsure: abstain, bundle: receipt.bundle } });
  });
  // "This score is wrong…" in the card: the annotator's own score.
  scorer.addEventListener("touchstone-correction", ({ detail }) => write({ rating: detail.corrected }));

  for (const name of ["prodigymount", "prodigyupdate", "prodigyundo"]) document.addEventListener(name, show);
})();
