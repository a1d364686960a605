"""A bundle's encoder as an ONNX graph.

It is written with the operators into which ONNX Runtime fuses a BERT (com.microsoft), so that nothing
is left for its optimiser to find or to miss.
"""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from weights import BLOCK, WORDS, Weights

MICROSOFT = "com.microsoft"
# Of MatMulNBits: inputs are rounded to 8 bits, its fastest way on a CPU.
ACCURACY = 4


class Graph:
    """Nodes and initialisers of a graph that grows front to back."""

    def __init__(self):
        self.nodes, self.initialisers = [], {}

    def constant(self, name, value):
        """An initialiser; its name."""
        if name not in self.initialisers:
            self.initialisers[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def node(self, kind, inputs, domain="", outputs=1, **attributes):
        """A node; the name of its first output."""
        name = f"{kind.lower()}_{len(self.nodes)}"
        names = [name] + [""] * (outputs - 1)
        self.nodes.append(helper.make_node(kind, inputs, names, name, domain=domain, **attributes))
        return name


class Encoder:
    """The graph of an encoder. `q4` keeps its 4-bit blocks as they are; `for_gpu` gives attention its mask as
    a bias, the one form that ONNX Runtime's WebGPU kernels take."""

    def __init__(self, weights, q4, for_gpu):
        self.weights, self.q4, self.for_gpu = weights, q4, for_gpu
        self.config, self.graph = weights.config, Graph()

    def model(self):
        """The whole model: ids and mask in, the last layer's token vectors out."""
        graph = self.graph
        mask = self.bias() if self.for_gpu else graph.node("Cast", ["attention_mask"], to=TensorProto.INT32)
        x = self.embeddings()
        for layer in self.weights.layers():
            x = self.layer(layer, x, mask)
        graph.nodes.append(helper.make_node("Identity", [x], ["last_hidden_state"]))
        shape = ["batch", "tokens"]
        inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "attention_mask")]
        width = self.config["hidden_size"]
        output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*shape, width])
        whole = helper.make_graph(graph.nodes, "encoder", inputs, [output], list(graph.initialisers.values()))
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(whole, opset_imports=opsets, ir_version=8)

    def bias(self):
        """What is added to attention's logits, `[batch, 1, tokens, tokens]`: little where a key is padding."""
        graph = self.graph
        mask = graph.node("Cast", ["attention_mask"], to=TensorProto.FLOAT)
        mask = graph.node("Unsqueeze", [mask, graph.constant("inner axes", np.array([1, 2]))])
        mask = graph.node("Sub", [mask, graph.constant("one", np.float32([1]))])
        # Within f16.
        mask = graph.node("Mul", [mask, graph.constant("far", np.float32([1e4]))])
        tokens, one = graph.node("Shape", ["input_ids"], start=1), graph.constant("once", np.array([1]))
        return graph.node("Expand", [mask, graph.node("Concat", [one, one, tokens, one], axis=0)])

    def embeddings(self):
        """The normalised sum of words, positions and token type 0."""
        graph, offsets = self.graph, self.graph.constant("positions", self.weights.offsets())
        length = graph.node("Shape", ["input_ids"], start=1, end=2)
        zero = graph.constant("zero", np.array([0]))
        offsets = graph.node("Slice", [offsets, zero, length, zero])
        x = graph.node("Add", [self.words(), offsets])
        return self.norm("LayerNormalization", [x], "embeddings.LayerNorm")

    def words(self):
        graph, packed = self.graph, self.q4 and self.weights.q4(WORDS)
        if not packed:
            return graph.node("Gather", [graph.constant(WORDS, self.weights.f32(WORDS)), "input_ids"])
        codes, scales = graph.constant(WORDS, pairs(packed[0])), graph.constant(f"{WORDS}.scale", packed[1].astype(np.float32))
        options = dict(bits=4, block_size=BLOCK, gather_axis=0, quantize_axis=1)
        return graph.node("GatherBlockQuantized", [codes, "input_ids", scales], MICROSOFT, **options)

    def layer(self, layer, x, mask):
        context = self.attend(layer, x, mask)
        output = f"{layer}.attention.output"
        x = self.skip(self.product(f"{output}.dense", context), x, output, f"{output}.dense")
        inner = self.product(f"{layer}.intermediate.dense", x)
        inner = self.graph.node("BiasGelu", [inner, self.plain(f"{layer}.intermediate.dense.bias")], MICROSOFT)
        return self.skip(self.product(f"{layer}.output.dense", inner), x, f"{layer}.output", f"{layer}.output.dense")

    def attend(self, layer, x, mask):
        graph, heads = self.graph, self.config["num_attention_heads"]
        names = [f"{layer}.attention.self.{part}" for part in ("query", "key", "value")]
        bias = graph.constant(f"{layer}.qkv.bias", np.concatenate([self.weights.f32(f"{name}.bias") for name in names]))
        if not self.q4 and not self.for_gpu:
            weight = np.concatenate([self.weights.f32(f"{name}.weight") for name in names]).T
            weight = graph.constant(f"{layer}.qkv.weight", weight)
            return graph.node("Attention", [x, weight, bias, mask], MICROSOFT, num_heads=heads)
        query, key, value = (self.product(name, x) for name in names)
        inputs = [query, key, value, bias]
        inputs += ["", mask] if self.for_gpu else [mask]
        return graph.node("MultiHeadAttention", inputs, MICROSOFT, num_heads=heads)

    def product(self, name, x):
        """`x` times the matrix of the linear layer `name`, without its bias."""
        graph, packed = self.graph, self.q4 and self.weights.q4(f"{name}.weight")
        if not packed:
            return graph.node("MatMul", [x, graph.constant(f"{name}.weight", self.weights.f32(f"{name}.weight").T)])
        (rows, columns), scales = packed[0].shape, packed[1].astype(np.float32)
        codes = graph.constant(f"{name}.weight", pairs(packed[0]).reshape(rows, -1, BLOCK // 2))
        scales = graph.constant(f"{name}.scale", scales.reshape(-1))
        options = dict(K=columns, N=rows, bits=4, block_size=BLOCK, accuracy_level=ACCURACY)
        return graph.node("MatMulNBits", [x, codes, scales], MICROSOFT, **options)

    def skip(self, x, skip, norm, linear):
        return self.norm("SkipLayerNormalization", [x, skip], f"{norm}.LayerNorm", [self.plain(f"{linear}.bias")], MICROSOFT)

    def norm(self, kind, inputs, name, more=(), domain=""):
        inputs = [*inputs, self.plain(f"{name}.weight"), self.plain(f"{name}.bias"), *more]
        return self.graph.node(kind, inputs, domain, epsilon=self.config["layer_norm_eps"])

    def plain(self, name):
        return self.graph.constant(name, self.weights.f32(name))


def pairs(values):
    """Signed 4-bit weights as ONNX Runtime packs them: two neighbours a byte, the first one low, plus 8."""
    codes = (values + 8).astype(np.uint8)
    return codes[:, ::2] | codes[:, 1::2] << 4


def encoder_model(weights, q4=False, for_gpu=False):
    """The encoder as an ONNX model, see `Encoder`."""
    return Encoder(weights, q4, for_gpu).model()
