// @ts-check
/** How fast a backend is on this machine: the same few texts on each, for about half a second. */
import { guard } from "./failure.js";
import { pauseFor } from "./pause.js";

/** Milliseconds for one backend; both together take about a second. */
const BUDGET = 500;
const METRIC = "task_completion_rate";

/** Short texts in three scripts, as they are typed into the page. @type {import("../protocol.js").Task[]} */
const TASKS = [
  { metric: METRIC, user: "How do I boil an egg?", response: "Put it in boiling water for eight minutes, then cool it." },
  { metric: METRIC, user: "बुख़ार में क्या करना चाहिए?", response: "आराम कीजिए, ख़ूब पानी पीजिए, और तीन दिन बाद डॉक्टर को दिखाइए।" },
  { metric: METRIC, user: "சென்னையிலிருந்து மதுரைக்கு எப்படிப் போவது?", response: "வைகை எக்ஸ்பிரஸ் ரயிலில் போகலாம்." },
  { metric: METRIC, user: "Name a prime above 10 and say why it is one.", response: "13 is a prime: no smaller number but 1 divides it." },
];

/**
 * Milliseconds for the texts, the median of as many rounds as fit. The first round compiles
 * kernels and is not counted.
 *
 * @param {import("./scorer.js").WebScorer} scorer
 * @param {AbortSignal} signal
 * @returns {Promise<number | null>} null where this bundle cannot score the texts
 */
export async function timeBatch(scorer, signal) {
  const round = async () => {
    const started = performance.now();
    const scores = await guard(() => scorer.score_batch(TASKS, pauseFor(signal)));
    if (scores.some((score) => "error" in score)) return null;
    return performance.now() - started;
  };
  if ((await round()) === null) return null;
  const times = [];
  const end = performance.now() + BUDGET;
  do times.push((await round()) ?? 0);
  while (performance.now() < end);
  return times.sort((a, b) => a - b)[times.length >> 1];
}
