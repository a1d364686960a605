// @ts-check
/**
 * The measured runtimes. The first request carries the `order` and loads one of them; the others are those of
 * native.py, with `ids`, the texts' token ids, for a runtime without a tokenizer.
 */

/**
 * @typedef {ArrayLike<number>[]} Vectors
 * @typedef {{ version: string, embed: (texts: string[], ids: number[][]) => Promise<Vectors> }} Runtime
 * @typedef {{ device: "wasm" | "webgpu" | "cpu", dtype: string, threads: number }} Order
 */

const PREFIX = "query: ";
const MAX_TOKENS = 512;
const BATCH = 32;
const ORT = "/modules/onnxruntime-web/dist/";
/** What transformers.js puts behind a model's name for each kind of number. */
const SUFFIXES = { fp32: "", fp16: "_fp16", q8: "_quantized", q4: "_q4" };

/** @type {Record<string, (order: any) => Promise<Runtime>>} */
const RUNTIMES = { touchstone, transformers, onnxruntime };

/** @type {Runtime} */
let runtime;

self.onmessage = async ({ data, ports: [port] }) => {
  try {
    port.postMessage(data.order ? await load(data.order) : await embed(data));
  } catch (error) {
    port.postMessage({ error: String(/** @type {any} */ (error)?.message ?? error) });
  }
};

/** @param {any} order */
async function load(order) {
  runtime = await RUNTIMES[order.runtime](order);
  return { version: runtime.version };
}

/** @param {{ texts: string[], ids: number[][], vectors?: boolean }} request */
async function embed({ texts, ids, vectors }) {
  const started = performance.now();
  const found = await runtime.embed(texts, ids ?? []);
  const ms = performance.now() - started;
  return { ms, vectors: vectors ? found.map((vector) => Array.from(vector)) : null };
}

/**
 * Touchstone's wasm without its page, reading whole windows instead of the default heads' shorter ones.
 *
 * @param {Order} order
 * @returns {Promise<Runtime>}
 */
async function touchstone({ device }) {
  const folder = new URL(`/page/wasm/${device}/`, location.href);
  const code = await import(new URL("touchstone.js", folder).href);
  await code.default({ module_or_path: new URL("touchstone_bg.wasm", folder) });
  const manifest = await (await fetch("/page/model/bundle.json")).json();
  Object.assign(manifest.heads.template, { max_tokens: MAX_TOKENS, max_windows: 1, overlap: 0 });
  /** @type {Record<string, Uint8Array>} */
  const files = {};
  for (const name of Object.keys(manifest.files)) {
    files[name] = new Uint8Array(await (await fetch(`/page/model/${name}`)).arrayBuffer());
  }
  const scorer = await code.WebScorer.load(new TextEncoder().encode(JSON.stringify(manifest)), files);
  return { version: scorer.info().version, embed: (texts) => scorer.embed(texts) };
}

/**
 * @param {Order} order
 * @returns {Promise<Runtime>}
 */
async function transformers({ device, dtype, threads }) {
  const { env, pipeline } = await import(new URL("/modules/@huggingface/transformers/dist/transformers.min.js", location.href).href);
  const build = `${ORT}ort-wasm-simd-threaded.asyncify`;
  Object.assign(env, { allowRemoteModels: false, allowLocalModels: true, localModelPath: "/" });
  Object.assign(env.backends.onnx.wasm, { numThreads: threads, wasmPaths: { mjs: `${build}.mjs`, wasm: `${build}.wasm` } });
  const extract = await pipeline("feature-extraction", "models", { device, dtype, model_file_name: fileOf(device) });
  const run = async (/** @type {string[]} */ texts) => {
    const found = await extract(texts, { pooling: "mean", normalize: true });
    return found.tolist();
  };
  return { version: env.version, embed: (texts) => inBatches(texts.map((text) => PREFIX + text), run) };
}

/**
 * @param {Order} order
 * @returns {Promise<Runtime>}
 */
async function onnxruntime({ device, dtype, threads }) {
  const ort = await import(new URL(`${ORT}ort.${device}.min.mjs`, location.href).href);
  Object.assign(ort.env.wasm, { numThreads: threads, wasmPaths: ORT });
  const file = `/models/onnx/${fileOf(device)}${SUFFIXES[/** @type {keyof typeof SUFFIXES} */ (dtype)]}.onnx`;
  const session = await ort.InferenceSession.create(file, { executionProviders: [device] });
  const run = async (/** @type {number[][]} */ rows) => {
    const length = Math.max(...rows.map((row) => row.length));
    const shape = [rows.length, length];
    const [ids, mask] = [new BigInt64Array(rows.length * length), new BigInt64Array(rows.length * length)];
    rows.forEach((row, index) => {
      ids.set(row.map(BigInt), index * length);
      mask.fill(1n, index * length, index * length + row.length);
    });
    const feeds = { input_ids: new ort.Tensor("int64", ids, shape), attention_mask: new ort.Tensor("int64", mask, shape) };
    const { last_hidden_state: hidden } = await session.run(feeds);
    return pool(hidden.data, rows, length);
  };
  return { version: ort.env.versions.web, embed: (_, ids) => inBatches(ids, run) };
}

/** @param {string} device */
function fileOf(device) {
  return device === "webgpu" ? "model_gpu" : "model";
}

/**
 * Batches of like length, results in the order of what was given.
 *
 * @template {{ length: number }} T
 * @param {T[]} all
 * @param {(batch: T[]) => Promise<Vectors>} run
 * @returns {Promise<Vectors>}
 */
async function inBatches(all, run) {
  const order = all.map((_, index) => index).sort((a, b) => all[a].length - all[b].length);
  /** @type {Vectors} */
  const results = [];
  for (let start = 0; start < order.length; start += BATCH) {
    const batch = order.slice(start, start + BATCH);
    const found = await run(batch.map((index) => all[index]));
    batch.forEach((index, place) => (results[index] = found[place]));
  }
  return results;
}

/**
 * The mean over each row's tokens, of length 1.
 *
 * @param {Float32Array} hidden `[rows, length, width]`
 * @param {number[][]} rows
 * @param {number} length
 */
function pool(hidden, rows, length) {
  const width = hidden.length / rows.length / length;
  return rows.map((row, index) => {
    const sum = new Float32Array(width);
    for (let token = 0; token < row.length; token++) {
      const start = (index * length + token) * width;
      for (let column = 0; column < width; column++) sum[column] += hidden[start + column];
    }
    const norm = Math.hypot(...sum);
    return sum.map((value) => value / norm);
  });
}
