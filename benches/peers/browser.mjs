// @ts-check
/**
 * One peer in a Chromium of its own: `node browser.mjs ORDER`. Speaks as native.py does; a request
 * `{ memory: true }` is answered with `{ bytes }`. An order with `starts`, a request, is answered with the seconds
 * from opening a page to the result of that request, and nothing else is done.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { serve } from "./serve.mjs";

const FLAGS = [
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--enable-features=Vulkan",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|basic render/i;
/** A page that a long submit has killed may never answer. */
const DEADLINE = 600_000;
/** Longer submits end a page on a software adapter. */
const SOFTWARE_TOKENS = 128;

const order = JSON.parse(process.argv[2]);
const { chromium } = createRequire(join(order.modules, "here.js"))("playwright-core");
const server = await serve({
  "/bench/": join(import.meta.dirname, "web"),
  "/modules/": order.modules,
  "/models/": order.models,
  "/page/": order.page,
  "/page/model/": order.bundle,
});

/** @param {string[]} flags */
const launch = (flags) => ({ executablePath: order.chromium, args: [...FLAGS, ...flags] });

/**
 * What WebGPU runs on, and the flags that bring it up; a software adapter is asked for only where no other is there.
 *
 * @returns {Promise<{ flags: string[], adapter: string }>}
 */
async function findAdapter() {
  if (order.device !== "webgpu") return { flags: [], adapter: "" };
  for (const flags of [[], ["--use-webgpu-adapter=swiftshader"]]) {
    const browser = await chromium.launch(launch(flags));
    const page = await browser.newPage();
    await page.goto(`${server.url}/bench/page.html`);
    const adapter = await page.evaluate(() => /** @type {any} */ (window).adapter());
    await browser.close();
    if (adapter) return { flags, adapter };
  }
  throw new Error("Chromium has no WebGPU adapter here");
}

/**
 * @param {string[]} flags
 * @param {string} adapter
 */
async function answer(flags, adapter) {
  const browser = await chromium.launch(launch(flags));
  const page = await browser.newPage();
  await page.goto(`${server.url}/bench/page.html`);
  const ready = await within(page.evaluate((order) => /** @type {any} */ (window).ask({ order }), order));
  const version = adapter ? `${ready.version} on ${adapter}` : ready.version;
  write({ version, most_tokens: SOFTWARE.test(adapter) ? SOFTWARE_TOKENS : null });
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    const asked = request.memory ? memory(browser) : page.evaluate((request) => /** @type {any} */ (window).ask(request), request);
    write(await within(asked).catch((/** @type {Error} */ error) => ({ error: error.message })));
  }
  await browser.close();
}

/**
 * Most bytes that the page's process and, for WebGPU, the graphics process had resident.
 *
 * @param {any} browser
 */
async function memory(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const kinds = order.device === "webgpu" ? ["renderer", "GPU"] : ["renderer"];
  let bytes = 0;
  for (const kind of kinds) {
    const pids = processInfo.filter((/** @type {any} */ it) => it.type === kind).map((/** @type {any} */ it) => it.id);
    // A spare renderer may stand by: the page's is the largest.
    bytes += Math.max(...(await Promise.all(pids.map(resident))));
  }
  return { bytes };
}

/** @param {number} pid */
async function resident(pid) {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(status.match(/VmHWM:\s+(\d+)/)?.[1] ?? 0) * 1024;
}

/** @param {string[]} flags */
async function starts(flags) {
  const profiles = await Promise.all([0, 1].map(() => mkdtemp(join(tmpdir(), "peers-"))));
  try {
    // The first visit is for the server: afterwards its answers are compressed.
    await visit(profiles[0], flags);
    const empty = await visit(profiles[1], flags);
    const warm = await visit(profiles[1], flags);
    write({ empty: empty.seconds, warm: warm.seconds, bytes: empty.bytes, warm_bytes: warm.bytes });
  } finally {
    await Promise.all(profiles.map((profile) => rm(profile, { recursive: true, force: true, maxRetries: 5 })));
  }
}

/**
 * @param {string} profile
 * @param {string[]} flags
 */
async function visit(profile, flags) {
  const context = await chromium.launchPersistentContext(profile, launch(flags));
  const page = await context.newPage();
  server.sent();
  const started = performance.now();
  await page.goto(`${server.url}/bench/page.html`);
  await within(page.evaluate((order) => /** @type {any} */ (window).first(order), order));
  const seconds = (performance.now() - started) / 1000;
  await context.close();
  return { seconds, bytes: server.sent() };
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
function within(promise) {
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`no answer within ${DEADLINE / 60_000} minutes`)), DEADLINE).unref();
  });
  return Promise.race([promise, /** @type {Promise<never>} */ (late)]);
}

/** @param {unknown} value */
function write(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

try {
  const { flags, adapter } = await findAdapter();
  await (order.starts ? starts(flags) : answer(flags, adapter));
} catch (error) {
  write({ error: /** @type {Error} */ (error).message });
}
// Ends a browser that an error left open, too.
process.exit();
