"""A bundle's encoder in NumPy: its tensors as f32, and a forward pass in f64 to compare with."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

BLOCK = 32
WORDS = "embeddings.word_embeddings.weight"


class Weights:
    """The tensors of a bundle by the hub's names; blocks as `src/encoder/quant.rs` describes them."""

    def __init__(self, bundle):
        bundle = Path(bundle)
        self.config = json.loads((bundle / "bundle.json").read_text())["encoder"]["config"]
        if self.config.get("model_type", "bert") != "bert":
            raise SystemExit(f"{bundle} holds a {self.config['model_type']}; the peers are fed a BERT")
        self.tensors = load_file(bundle / "encoder.safetensors")
        self.bundle = bundle

    def tokenizer(self):
        """The hub's `tokenizer.json`: the bundle keeps its pieces apart."""
        whole = json.loads((self.bundle / "tokenizer.json").read_text(encoding="utf-8"))
        pieces = self.bundle / "pieces.safetensors"
        if pieces.exists():
            parts = load_file(pieces)
            texts = parts["pieces"].tobytes().decode().split("\n")
            whole["model"]["vocab"] = [[text, float(score)] for text, score in zip(texts, parts["scores"])]
        return whole

    def q4(self, name):
        """Signed weights `[rows, columns]` and scales `[rows, blocks]` of a 4-bit matrix, else None."""
        codes = self.tensors.get(f"{name}.q4")
        if codes is None:
            return None
        codes = codes.reshape(len(codes), -1, BLOCK // 2)
        values = np.concatenate([codes & 15, codes >> 4], axis=2).astype(np.int8) - 8
        return values.reshape(len(codes), -1), self.tensors[f"{name}.scale"]

    def f32(self, name):
        """The values of `name`."""
        if name in self.tensors:
            return self.tensors[name].astype(np.float32)
        if f"{name}.q8" in self.tensors:
            values, scales = self.tensors[f"{name}.q8"].view(np.int8), self.tensors[f"{name}.scale"]
        else:
            values, scales = self.q4(name)
        return values.astype(np.float32) * np.repeat(scales.astype(np.float32), BLOCK, axis=1)

    def layers(self):
        """The prefix of each layer's names."""
        return [f"encoder.layer.{layer}" for layer in range(self.config["num_hidden_layers"])]

    def offsets(self):
        """What is added to the word at each position: position and token type 0."""
        positions = self.f32("embeddings.position_embeddings.weight")
        return positions + self.f32("embeddings.token_type_embeddings.weight")[0]


class Reference:
    """The encoder in f64, one text at a time: mean over all tokens, length 1."""

    def __init__(self, weights):
        wide = lambda name: weights.f32(name).astype(np.float64)
        self.heads, self.epsilon = weights.config["num_attention_heads"], weights.config["layer_norm_eps"]
        self.words, self.offsets = weights.f32(WORDS), weights.offsets().astype(np.float64)
        self.norm = wide("embeddings.LayerNorm.weight"), wide("embeddings.LayerNorm.bias")
        pair = lambda name: (wide(f"{name}.weight"), wide(f"{name}.bias"))
        parts = ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
                 "attention.output.LayerNorm", "intermediate.dense", "output.dense", "output.LayerNorm"]
        self.layers = [[pair(f"{layer}.{part}") for part in parts] for layer in weights.layers()]

    def embed(self, ids):
        """The vector of one text's token ids."""
        from scipy.special import erf

        def linear(x, layer):
            return x @ layer[0].T + layer[1]

        def norm(x, layer):
            x = x - x.mean(axis=1, keepdims=True)
            return x / np.sqrt((x * x).mean(axis=1, keepdims=True) + self.epsilon) * layer[0] + layer[1]

        x = norm(self.words[ids] + self.offsets[: len(ids)], self.norm)
        for query, key, value, output, attention_norm, up, down, output_norm in self.layers:
            split = lambda layer: linear(x, layer).reshape(len(ids), self.heads, -1).transpose(1, 0, 2)
            q, k, v = split(query), split(key), split(value)
            logits = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[2])
            weights = np.exp(logits - logits.max(axis=2, keepdims=True))
            weights /= weights.sum(axis=2, keepdims=True)
            x = norm(linear((weights @ v).transpose(1, 0, 2).reshape(x.shape), output) + x, attention_norm)
            inner = linear(x, up)
            inner = inner * 0.5 * (1 + erf(inner / np.sqrt(2)))
            x = norm(linear(inner, down) + x, output_norm)
        mean = x.mean(axis=0)
        return mean / np.linalg.norm(mean)
