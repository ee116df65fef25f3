"""all-MiniLM-L6-v2 as an ONNX graph, written out from the weights: no torch, no exporter.

The network is BERT (Devlin et al., 2018) with 6 post-norm layers, 12 heads of 32, exact GELU, then the mean over the tokens
that the mask keeps and L2 normalisation, as the model's own modules.json says.
Inputs: ``input_ids``, ``attention_mask``: int64, (batch, tokens). Output: ``sentence_embedding``: float32, (batch, 384).
Only operators of the ONNX standard, opset 17. Linear layers end in ``MatMul`` nodes named ``*.product`` on constant weights of
shape (in, out), which is where the int8 variant takes hold.
A change that may change a bit of a vector raises ``compiled.REVISIONS``.
Folded in beforehand: token type 0 (the only one used) into the positions, 1/sqrt(32) into the query weights.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from connectors.embedding.weights import Weights
from streams.errors import ConfigurationError

HIDDEN, HEADS, LAYERS, EPSILON = 384, 12, 6, 1e-12
HEAD = HIDDEN // HEADS
OPSET, IR = 17, 8
INPUTS = ("input_ids", "attention_mask")
OUTPUT = "sentence_embedding"
_MASKED = -1e9


class GraphBuilder:
    """Collects nodes and constants; every method returns the name of the value it made."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, value: NDArray[Any] | float | list[int]) -> str:
        """A constant; Python floats become float32, lists of ints int64."""
        array = np.asarray(value, np.float32 if isinstance(value, float) else None)
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, operator: str, name: str, *inputs: str, **attributes: Any) -> str:
        """A node with one output of the same name."""
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def linear(self, name: str, x: str, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
        """The layer x W + b, with ``weight`` of shape (in, out)."""
        product = self.node("MatMul", f"{name}.product", x, self.constant(f"{name}.weight", weight))
        return self.node("Add", name, product, self.constant(f"{name}.bias", bias))

    def norm(self, name: str, x: str, weights: Weights, key: str) -> str:
        """Layer normalisation over the last axis."""
        scale = self.constant(f"{name}.scale", weights[f"{key}.weight"])
        shift = self.constant(f"{name}.shift", weights[f"{key}.bias"])
        return self.node("LayerNormalization", name, x, scale, shift, epsilon=EPSILON)


def build_graph(weights: Weights) -> onnx.ModelProto:
    """The whole model. Raises ConfigurationError if ``weights`` are not those of this architecture."""
    try:
        return _build(weights)
    except KeyError as error:
        raise ConfigurationError(f"the weights have no tensor {error}; this is not all-MiniLM-L6-v2") from None


def _build(weights: Weights) -> onnx.ModelProto:
    graph = GraphBuilder()
    mask = graph.node("Cast", "mask", "attention_mask", to=TensorProto.FLOAT)
    absent = graph.node("Sub", "absent", graph.constant("unit", 1.0), mask)
    penalty = graph.node("Mul", "penalty", absent, graph.constant("masked", _MASKED))
    penalty = graph.node("Unsqueeze", "penalty.heads", penalty, graph.constant("axes.heads", [1, 2]))
    graph.constant("shape.split", [0, 0, 3 * HEADS, HEAD])
    graph.constant("shape.merged", [0, 0, HIDDEN])
    x = _embed(graph, weights)
    for index in range(LAYERS):
        x = _attention(graph, weights, index, x, penalty)
        x = _feed_forward(graph, weights, index, x)
    _pool(graph, x, mask)
    tokens = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in INPUTS]
    output = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", HIDDEN])
    made = helper.make_graph(graph.nodes, "all-MiniLM-L6-v2", tokens, [output], graph.constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="monmouth")


def _embed(graph: GraphBuilder, weights: Weights) -> str:
    """Word + position, normalised; shape (batch, tokens, 384)."""
    positions = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
    words = graph.constant("words", weights["embeddings.word_embeddings.weight"])
    length = graph.node("Shape", "length", "input_ids", start=1, end=2)
    first = graph.constant("first", [0])
    place = graph.node("Slice", "place", graph.constant("positions", positions), first, length, first)
    x = graph.node("Add", "embedding", graph.node("Gather", "word", words, "input_ids"), place)
    return graph.norm("embedding.norm", x, weights, "embeddings.LayerNorm")


def _attention(graph: GraphBuilder, weights: Weights, index: int, x: str, penalty: str) -> str:
    """Multi-head self-attention with its residual and norm. Query, key and value are one product."""
    key, name = f"encoder.layer.{index}", f"layer{index}.attention"
    parts = [f"{key}.attention.self.{part}" for part in ("query", "key", "value")]
    scales = [np.float32(1 / math.sqrt(HEAD)), np.float32(1), np.float32(1)]
    weight = np.concatenate([weights[f"{part}.weight"].T * scale for part, scale in zip(parts, scales, strict=True)], axis=1)
    bias = np.concatenate([weights[f"{part}.bias"] * scale for part, scale in zip(parts, scales, strict=True)])
    joined = graph.linear(f"{name}.qkv", x, weight, bias)
    joined = graph.node("Reshape", f"{name}.split", joined, "shape.split")
    joined = graph.node("Transpose", f"{name}.byhead", joined, perm=[0, 2, 1, 3])
    query, keys, values = (f"{name}.{part}" for part in ("query", "key", "value"))
    graph.nodes.append(helper.make_node("Split", [joined], [query, keys, values], name=f"{name}.parts", axis=1))
    turned = graph.node("Transpose", f"{name}.turned", keys, perm=[0, 1, 3, 2])
    score = graph.node("Add", f"{name}.score", graph.node("MatMul", f"{name}.raw", query, turned), penalty)
    share = graph.node("Softmax", f"{name}.share", score, axis=-1)
    context = graph.node("Transpose", f"{name}.bytoken", graph.node("MatMul", f"{name}.mix", share, values), perm=[0, 2, 1, 3])
    merged = graph.node("Reshape", f"{name}.merged", context, "shape.merged")
    out = f"{key}.attention.output"
    y = graph.linear(f"{name}.out", merged, weights[f"{out}.dense.weight"].T, weights[f"{out}.dense.bias"])
    return graph.norm(f"{name}.norm", graph.node("Add", f"{name}.sum", y, x), weights, f"{out}.LayerNorm")


def _feed_forward(graph: GraphBuilder, weights: Weights, index: int, x: str) -> str:
    """W2 gelu(W1 x) with its residual and norm; gelu(u) = u/2 (1 + erf(u / sqrt 2))."""
    key, name = f"encoder.layer.{index}", f"layer{index}.feed"
    wide = f"{key}.intermediate.dense"
    u = graph.linear(f"{name}.wide", x, weights[f"{wide}.weight"].T, weights[f"{wide}.bias"])
    scaled = graph.node("Mul", f"{name}.scaled", u, graph.constant(f"{name}.root", 1 / math.sqrt(2)))
    curve = graph.node("Add", f"{name}.curve", graph.node("Erf", f"{name}.erf", scaled), graph.constant(f"{name}.unit", 1.0))
    gated = graph.node("Mul", f"{name}.gated", u, curve)
    gelu = graph.node("Mul", f"{name}.gelu", gated, graph.constant(f"{name}.half", 0.5))
    narrow = graph.linear(f"{name}.narrow", gelu, weights[f"{key}.output.dense.weight"].T, weights[f"{key}.output.dense.bias"])
    return graph.norm(f"{name}.norm", graph.node("Add", f"{name}.sum", narrow, x), weights, f"{key}.output.LayerNorm")


def _pool(graph: GraphBuilder, x: str, mask: str) -> None:
    """Mean over the tokens the mask keeps, as a product (1, tokens) x (tokens, 384); then length 1."""
    axis = graph.constant("axis.tokens", [1])
    row = graph.node("Unsqueeze", "mask.row", mask, axis)
    total = graph.node("Squeeze", "total", graph.node("MatMul", "total.row", row, x), axis)
    count = graph.node("ReduceSum", "count", mask, axis, keepdims=1)
    graph.node("LpNormalization", OUTPUT, graph.node("Div", "mean", total, count), axis=-1, p=2)
