// Stands in for a wasm build (`wasm/cpu/touchstone.js`, BACKEND replaced): as slow, stuck, wrong or
// broken as `self.fake` (see provoke.js) says. What a text asks for stands in the answer.
const wanted = () => ({ ...self.fake, ...self.fake?.BACKEND });

const PAGES = 1024;
const memory = new WebAssembly.Memory({ initial: 1, maximum: PAGES });

export default async function init({ module_or_path }) {
  await WebAssembly.compileStreaming(fetch(module_or_path));
  return { memory };
}

function busy(milliseconds) {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

async function layers(count, milliseconds, pause) {
  for (let layer = 0; layer < count; layer++) {
    busy(milliseconds);
    await pause();
  }
}

/** As wasm-bindgen does: the trap leaves the future by an unhandled rejection, the promise never settles. */
function panic() {
  console.error("panicked at src/fake.rs:1:1:\nboom\n\nStack:\n");
  Promise.reject(new WebAssembly.RuntimeError("unreachable"));
  return new Promise(() => {});
}

/** How wasm ends without the words of a panic. */
const TRAPS = {
  unreachable: () => new WebAssembly.RuntimeError("unreachable"),
  bounds: () => new WebAssembly.RuntimeError("memory access out of bounds"),
  deep: () => new RangeError("Maximum call stack size exceeded"),
  allocation: () => new RangeError("Array buffer allocation failed"),
  full: () => new WebAssembly.RuntimeError("unreachable"),
};

const score = { score: 5, rounded: 5, receipt: { backend: "BACKEND" } };

export class WebScorer {
  static async load(_manifest, files) {
    if (wanted().start) throw new Error(wanted().start);
    let sum = 0;
    for (const name of Object.keys(files)) {
      files[name].forEach((byte, index) => (sum = (sum * 31 + byte + index) % 1_000_003));
      delete files[name];
    }
    if ("BACKEND" === "webgpu") await (await navigator.gpu.requestAdapter()).requestDevice();
    return Object.assign(new WebScorer(), { sum });
  }
  async warm_up() {}
  info() {
    return { bundle: "fake", version: "1", backend: "BACKEND", sum: this.sum, ranges: self.ranges };
  }
  async score({ response }, pause) {
    if (response === "panic") return panic();
    if (response === "full") memory.grow(PAGES - 1);
    if (response in TRAPS) throw TRAPS[response]();
    if (response === "stuck") for (;;);
    await layers(response === "long" ? 100_000 : 3, 5, pause);
    return score;
  }
  async score_batch(tasks, pause) {
    await layers(3, wanted().milliseconds ?? 1, pause);
    return tasks.map(({ response }) => (response ? score : { error: { kind: "input", message: "empty" } }));
  }
  async check() {
    const found = wanted().wrong ? 8 : 5;
    return { passed: found === 5, worst: found - 5, cases: [{ expected: 5, found }] };
  }
}
