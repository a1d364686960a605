// What `recipe.py` puts into Prodigy's "javascript": one scorer for all tasks.
(() => {
  const HOST = "https://touchstone.example.org/";
  const scorer = document.createElement("touchstone-scorer");
  scorer.setAttribute("src", HOST);
  import(`${HOST}widget-define.js`);

  /** The task that the scorer was given: Prodigy tells of every change, also of our own. */
  let asked;

  function show() {
    const { content } = window.prodigy;
    const place = document.querySelector("#touchstone");
    if (!content || !place) return;
    // Prodigy draws its blocks anew as it likes.
    if (scorer.parentNode !== place) place.append(scorer);
    if (asked === content._task_hash) return;
    asked = content._task_hash;
    const { metric, definition, system, prompt, response } = content;
    scorer.task = { metric, ...(definition && { definition }), ...(system && { system }), user: prompt, response };
  }

  scorer.addEventListener("touchstone-result", ({ detail }) => {
    // Of a task that has been answered meanwhile.
    if (asked !== window.prodigy.content._task_hash) return;
    const { score, interval, abstain, receipt } = detail;
    window.prodigy.update({ score, touchstone: { interval, unsure: abstain, bundle: receipt.bundle } });
  });

  for (const name of ["prodigymount", "prodigyupdate", "prodigyundo"]) document.addEventListener(name, show);
})();
