// The real worker with a hand on what can break: a message { provoke } breaks it. `self.fake`, from
// the address, tells the fake scorer and the graphics adapter how to behave.
import "./worker.js";

self.fake = JSON.parse(decodeURIComponent(new URL(import.meta.url).search.slice(1)) || "{}");
const never = () => new Promise(() => {});
const devices = [];
let instance;

/** What parts of files were asked for. */
self.ranges = [];
const { fetch } = self;
self.fetch = (resource, options) => {
  if (options?.headers?.Range) ranges.push(options.headers.Range);
  return fetch(resource, options);
};

const { instantiateStreaming } = WebAssembly;
WebAssembly.instantiateStreaming = async (...source) => {
  const made = await instantiateStreaming(...source);
  instance = made.instance;
  return made;
};

if (self.GPUAdapter) {
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (...options) {
    if (fake.hang === "device") await never();
    devices.push(await requestDevice.apply(this, options));
    return devices.at(-1);
  };
  const { requestAdapter } = GPU.prototype;
  GPU.prototype.requestAdapter = async function (...options) {
    if (fake.hang === "adapter") await never();
    const adapter = await requestAdapter.apply(this, options);
    if (fake.hardware) passForHardware(adapter);
    return adapter;
  };
}

function passForHardware(adapter) {
  Object.defineProperty(adapter, "info", { value: { vendor: "acme", architecture: "one" } });
}

const BREAKS = {
  device: () => devices.at(-1).destroy(),
  /** All that the allocator has and all that it could get, down to pieces of 4 kB. */
  memory() {
    const { memory, __wbindgen_malloc: malloc } = instance.exports;
    for (let pages = 1 << 16; pages >= 1; pages >>= 1) until(() => memory.grow(pages));
    for (let bytes = 1 << 29; bytes >= 4096; bytes >>= 1) until(() => malloc(bytes, 1));
  },
  heap: () => new Uint8Array(instance.exports.memory.buffer).fill(0xff),
};

function until(fails) {
  try {
    for (;;) fails();
  } catch {
    // no more of this size
  }
}

self.addEventListener("message", (event) => {
  if (!event.data.provoke) return;
  event.stopImmediatePropagation();
  BREAKS[event.data.provoke]();
}, { capture: true });
