// What worker.rs runs in the page: each scenario returns plain values to compare.
import { REASONS } from "./backend.js";
import { parseBundles } from "./bundles.js";
import { ScorerClient } from "./client.js";

const TASK = { metric: "task_completion_rate", user: "How do I boil an egg?", response: "Put it in boiling water. Wait." };
const LONG = { ...TASK, response: "long" };

/** A client that keeps a diary; `fake` as provoke.js takes it. */
function open(fake = {}) {
  const diary = [];
  const workers = [];
  const client = new ScorerClient({
    onLost: ({ kind }) => diary.push(`lost ${kind}`),
    onRestart: (loading) => loading.then(({ backend }) => diary.push(`back on ${backend}`), () => diary.push("failed")),
    start(name) {
      workers.push(new Worker(`provoke.js?${encodeURIComponent(JSON.stringify(fake))}`, { type: "module", name }));
      return workers.at(-1);
    },
  });
  const broken = (what) => workers.at(-1).postMessage({ provoke: what });
  const said = (response, options) => client.score({ ...TASK, response }, options).then(() => "scored", ({ kind, name, retryable }) => ({ kind: kind ?? name, retryable: Boolean(retryable) }));
  return { client, diary, workers, broken, said };
}

const soon = () => new Promise((resolve) => setTimeout(resolve, 100));
const held = async () => (await navigator.locks.query()).held.length;

// --- Fake scorer ---

export async function badRowsFailAlone() {
  const { client } = open();
  await client.load();
  const rows = await client.scoreBatch([TASK, { metric: 3 }, { ...TASK, response: "" }, null, TASK]);
  return rows.map(({ error, score }) => error?.kind ?? score);
}

export async function misuse() {
  const { client } = open();
  const kind = (promise) => promise.then(() => "accepted", (error) => error.kind);
  const before = await kind(client.score(TASK));
  await client.load();
  const long = "x".repeat(1_000_001);
  return {
    before,
    part: await kind(client.explain(TASK, { part: "title" })),
    definition: await kind(client.profile(TASK, { own: [{ name: "mine", definition: " " }] })),
    long: await kind(client.score({ ...TASK, response: long })),
    many: await kind(client.scoreBatch(Array(1001).fill(TASK))),
    elsewhere: await kind(open().client.load({ model: "https://elsewhere.example/model/" })),
  };
}

/** Before any other task runs the promise has rejected; what waited behind it goes on. */
export async function cancelled() {
  const { client, diary, said } = open();
  await client.load();
  const abort = new AbortController();
  const long = said("long", { signal: abort.signal });
  const waiting = said("next");
  await soon();
  const later = new Promise((resolve) => setTimeout(resolve, 0, "not at once"));
  abort.abort();
  return { long: await Promise.race([long, later]), waiting: await waiting, diary };
}

export async function stuck() {
  const { client, diary, said } = open();
  await client.load();
  const abort = new AbortController();
  const hung = said("stuck", { signal: abort.signal });
  const waiting = said("next");
  await soon();
  abort.abort();
  return { hung: await hung, waiting: await waiting, after: await said("after"), diary };
}

export async function panicked() {
  const { client, diary, said } = open();
  await client.load();
  const message = await client.score({ ...TASK, response: "panic" }).catch(({ message }) => message);
  return { message, after: await said("after"), memory: await said("full"), again: await said("again"), diary };
}

/** What each end without a panic's words is taken for; an answer in between, so that it is not given up. */
export async function traps(...responses) {
  const { client, diary, said } = open();
  await client.load();
  const kinds = [];
  for (const response of responses) kinds.push((await said(response)).kind, await said("after"));
  const message = await client.score({ ...TASK, response: "bounds" }).catch(({ message }) => message);
  return { kinds, message, lost: diary.filter((line) => line.startsWith("lost")).length };
}

export async function terminated() {
  const { client, diary, workers, said } = open();
  await client.load();
  const long = said("long");
  await soon();
  workers.at(-1).terminate();
  return { long: await long, after: await said("after"), diary, workers: workers.length };
}

export async function givenUp() {
  const { client, said } = open();
  await client.load();
  const losses = [await said("panic"), await said("panic"), await said("panic")];
  const after = await said("after");
  await client.load();
  return { retryable: losses.map(({ retryable }) => retryable), after, again: await said("again") };
}

export async function deviceLost() {
  const { client, diary, broken, said } = open();
  const { backend } = await client.load({ backend: "webgpu" });
  const long = said("long");
  await soon();
  broken("device");
  return { backend, long: await long, after: await said("after"), diary };
}

/** While nothing runs, and twice in a row. */
export async function deviceLostTwice() {
  const client = open();
  await client.client.load({ backend: "webgpu" });
  for (const losses of [2, 4]) {
    client.broken("device");
    while (client.diary.length < losses) await soon();
  }
  const { receipt } = await client.client.score(TASK);
  return { diary: client.diary, backend: receipt.backend };
}

/** On an adapter that passes for hardware, both are timed; the second load remembers. */
export async function contest(webgpu, cpu) {
  const { client, workers } = open({ hardware: true, webgpu: { milliseconds: webgpu }, cpu: { milliseconds: cpu } });
  const first = await client.load();
  const [measured, held1] = [first.measured.webgpu < first.measured.cpu ? "webgpu" : "cpu", await held()];
  const second = await client.load();
  return { key: first.why.key, reason: first.reason, backend: first.backend, measured, held: held1, again: second.backend,
    same: JSON.stringify(second.why) === JSON.stringify(first.why), workers: workers.length, check: second.check.earlier };
}

/** The user's own choice outdoes the measurement. */
export async function byHand() {
  const { client } = open({ hardware: true });
  const { backend, why, measured } = await client.load({ backend: "cpu" });
  return { backend, key: why.key, measured };
}

export async function wrongScores() {
  const refused = await open({ wrong: true }).client.load({ backend: "cpu" }).catch(({ kind, message }) => ({ kind, message }));
  const { client } = open({ hardware: true, webgpu: { wrong: true } });
  const { backend, notice, reason, check } = await client.load();
  return { backend, notice: notice.key, reason, passed: check.passed, refused };
}

export async function brokenBuild() {
  const { backend, why, reason } = await open({ hardware: true, webgpu: { start: "no shader" } }).client.load();
  return { backend, key: why.key, reason };
}

export async function hanging(what) {
  const { backend, why, reason } = await open({ hardware: true, hang: what }).client.load();
  return { backend, key: why.key, reason };
}

/** As after a download that broke off behind its first part: the rest is asked for, and fits. */
export async function resumed() {
  const whole = await open().client.load();
  const cache = await caches.open("touchstone-model");
  for (const { url } of await cache.keys()) if (/&part=[1-9]/.test(url)) await cache.delete(url);
  const labels = new Set();
  const onProgress = ({ stage, label, loaded }) => stage === "download" && loaded && labels.add(label.split(" ")[0]);
  const rest = await open().client.load({ onProgress });
  return { labels: [...labels], ranges: [whole.info.ranges, rest.info.ranges], same: rest.info.sum === whole.info.sum };
}

// --- Real scorer, on the CPU ---

export async function allCalls() {
  const { client } = open();
  const { backend, info } = await client.load();
  const score = await client.score(TASK);
  const rows = await client.scoreBatch([TASK, { ...TASK, response: "  " }, { ...TASK, metric: "nope" }, TASK]);
  const profile = await client.profile(TASK, { own: [{ name: "mine", definition: "Is it kind? 10: kind. 0: cruel." }] });
  const explanation = await client.explain(TASK);
  const { anchors } = await client.locate({ name: "mine", definition: "Is it kind?" });
  const map = await client.map();
  const check = await client.check();
  return {
    backend, bundle: info.bundle, score: score.score, timed: score.milliseconds > 0,
    rows: rows.map(({ error, score }) => error?.kind ?? score),
    profiled: profile.scores.find(({ metric }) => metric === TASK.metric).score,
    metrics: profile.scores.length, own: profile.scores.at(-1).metric,
    whole: explanation.score, parts: explanation.parts.map(({ start, end }) => TASK.response.slice(start, end)),
    changes: explanation.parts.map(({ score, change }) => Math.abs(explanation.score - score - change) < 1e-4),
    anchors: anchors.length, map: map && map.metrics.length, check: check && check.passed,
  };
}

export async function realCancel() {
  const { client, diary } = open();
  await client.load();
  const alone = await client.score(TASK);
  const abort = new AbortController();
  const rows = Array(1000).fill({ ...TASK, response: "A rather long answer. ".repeat(100) });
  const batch = client.scoreBatch(rows, { signal: abort.signal }).catch(({ name }) => name);
  await soon();
  abort.abort();
  const after = await client.score(TASK);
  return { batch: await batch, same: after.score === alone.score, diary };
}

export async function realBreak(what) {
  const { client, diary, broken } = open();
  await client.load();
  const alone = await client.score(TASK);
  broken(what);
  const rows = Array(100).fill({ ...TASK, response: "A rather long answer. ".repeat(100) });
  const error = await client.scoreBatch(rows).catch(({ kind, retryable }) => ({ kind, retryable }));
  const after = await client.score(TASK);
  return { error, same: after.score === alone.score, diary };
}

const SWITCHER = new ScorerClient();

/** Loads the bundles in turn; how many workers there are then. */
export async function switchTo(...models) {
  for (const model of models) {
    const { info } = await SWITCHER.load({ model, backend: "cpu" });
    await SWITCHER.score({ ...TASK, metric: TASK.metric });
    if (!info.bundle) throw new Error("no bundle");
  }
  await soon();
  return held();
}

// --- Lists ---

export async function reasonsInWords() {
  const messages = await (await fetch("messages/en.json")).json();
  return Object.entries(REASONS).filter(([name, text]) => messages[`worker.reason.${name}`] !== text).map(([name]) => name);
}

export async function badLists() {
  const texts = ["", "[]", `{"bundles": []}`, `{"bundles": [{"path": "model/"}]}`,
    ...["https://elsewhere.example/", "//elsewhere.example/", "/", "", "model/?x"].map((path) => JSON.stringify({ bundles: [{ name: "n", path }] }))];
  return texts.filter((text) => {
    try {
      parseBundles(text);
      return true;
    } catch (error) {
      return error.kind !== "format";
    }
  });
}
