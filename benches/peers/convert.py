"""Writes a bundle's encoder for the peers: `python convert.py BUNDLE FOLDER`.

FOLDER becomes a checkpoint as sentence-transformers and transformers.js read it, the weights as f32,
and `onnx/` gets the same weights for ONNX Runtime: f32, int8 (its dynamic quantisation), the bundle's own
4-bit blocks, and f16 for WebGPU.
"""

import json
import sys
from pathlib import Path

import onnx
from onnxruntime.quantization import quantize_dynamic
from onnxruntime.transformers.float16 import convert_float_to_float16
from safetensors.numpy import save_file

from graphs import encoder_model
from weights import WORDS, Weights

TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "model_max_length": 512,
    "bos_token": "<s>",
    "cls_token": "<s>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "unk_token": "<unk>",
    "pad_token": "<pad>",
    "mask_token": "<mask>",
}


def write_checkpoint(weights, folder):
    """The files of a sentence-transformers model."""
    config = {"architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu", **weights.config}
    write(folder / "config.json", config)
    write(folder / "tokenizer_config.json", TOKENIZER)
    write(folder / "tokenizer.json", weights.tokenizer())
    names = {name.removesuffix(".q4").removesuffix(".q8").removesuffix(".scale") for name in weights.tensors}
    save_file({name: weights.f32(name) for name in names}, folder / "model.safetensors", metadata={"format": "pt"})
    kinds = ["Transformer", "Pooling", "Normalize"]
    modules = [
        {"idx": index, "name": str(index), "path": f"{index}_{kind}" if index else "", "type": f"sentence_transformers.models.{kind}"}
        for index, kind in enumerate(kinds)
    ]
    write(folder / "modules.json", modules)
    write(folder / "sentence_bert_config.json", {"max_seq_length": 512, "do_lower_case": False})
    pooling = {"word_embedding_dimension": weights.config["hidden_size"], "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "2_Normalize").mkdir(exist_ok=True)
    write(folder / "1_Pooling" / "config.json", pooling)


def write_onnx(weights, folder):
    """The models, under the names that transformers.js gives them; `model_gpu` is for WebGPU."""
    folder.mkdir(exist_ok=True)
    plain, gpu = folder / "model.onnx", folder / "model_gpu.onnx"
    onnx.save(encoder_model(weights), plain)
    # Shapes are not inferred through com.microsoft's operators; all that is quantised is f32.
    unknown = {"DefaultTensorType": onnx.TensorProto.FLOAT}
    quantize_dynamic(plain, folder / "model_quantized.onnx", extra_options=unknown)
    onnx.save(encoder_model(weights, for_gpu=True), gpu)
    half = convert_float_to_float16(onnx.load(gpu), keep_io_types=True, disable_shape_infer=True)
    onnx.save(half, folder / "model_gpu_fp16.onnx")
    if weights.q4(WORDS):
        onnx.save(encoder_model(weights, q4=True), folder / "model_q4.onnx")
        onnx.save(encoder_model(weights, q4=True, for_gpu=True), folder / "model_gpu_q4.onnx")


def write(path, value):
    path.write_text(json.dumps(value, indent=1))


def main():
    bundle, folder = map(Path, sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    weights = Weights(bundle)
    write_checkpoint(weights, folder)
    write_onnx(weights, folder / "onnx")


if __name__ == "__main__":
    main()
