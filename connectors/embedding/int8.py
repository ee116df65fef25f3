"""The int8 variant: each linear layer's product is computed on 8-bit integers, twice as fast; cosine to fp32 about 0.999.

Weights get one scale per output column, activations one per token (row), taken from that token alone, so that the vector of a
text stays independent of its batch. Channels are balanced first (SmoothQuant, Xiao et al., 2022): x W = (x / s)(s W) with s
taken from calibration texts. What GELU feeds is never below -0.17, so there the 8 bits span [-0.17, max].
Uses ONNX Runtime's MatMulIntegerToFloat. Checked on a CPU with VNNI; without it, old x86 may saturate sums: prefer fp32 there.
Assumes a graph of ``graph.py``: products are ``MatMul`` nodes named ``*.product`` with a constant second input.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

from connectors.embedding.calibration import calibration_texts
from connectors.embedding.model import MAX_TOKENS

GELU_FLOOR = 0.17
BALANCE = 0.5
_SUFFIX = ".product"
_GELU_FED = ".narrow.product"
_STEPS_PER_OCTAVE = 8
Floats = NDArray[np.float32]


def quantise(model: onnx.ModelProto, tokenizer: Path) -> onnx.ModelProto:
    """A copy of the fp32 ``model`` with integer products."""
    largest = _largest_inputs(model, tokenizer)
    made = onnx.ModelProto()
    made.CopyFrom(model)
    rewriter = _Rewriter(made)
    nodes = list(made.graph.node)
    del made.graph.node[:]
    for node in nodes:
        if node.name.endswith(_GELU_FED):
            rewriter.gelu_product(node)
        elif node.name.endswith(_SUFFIX):
            rewriter.product(node, largest[node.input[0]])
        else:
            made.graph.node.append(node)
    rewriter.drop_weights()
    made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return made


def _largest_inputs(model: onnx.ModelProto, tokenizer: Path) -> dict[str, NDArray[np.float64]]:
    """The largest magnitude of each channel of each product's input, over the calibration texts."""
    observed = onnx.ModelProto()
    observed.CopyFrom(model)
    names = sorted({node.input[0] for node in model.graph.node if node.name.endswith(_SUFFIX)})
    observed.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(observed.SerializeToString(), options, providers=["CPUExecutionProvider"])
    tokens = Tokenizer.from_file(str(tokenizer))
    tokens.no_padding()
    tokens.enable_truncation(MAX_TOKENS)
    largest: dict[str, NDArray[np.float64]] = {}
    for text in calibration_texts():
        ids = np.array([tokens.encode(text).ids], np.int64)
        for name, value in zip(names, session.run(names, {"input_ids": ids, "attention_mask": np.ones_like(ids)}), strict=True):
            seen = np.abs(value).reshape(-1, value.shape[-1]).max(axis=0).astype(np.float64)
            largest[name] = np.maximum(largest[name], seen) if name in largest else seen
    return largest


def _balance(largest: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """SmoothQuant's s, geometric mean 1; rounded, so that the last bits of the calibration run do not matter."""
    s = np.maximum(largest, 1e-5) ** BALANCE / np.maximum(np.abs(weight).max(axis=1), 1e-5) ** (1 - BALANCE)
    octaves = np.log2(s) - np.log2(s).mean()
    result: NDArray[np.float64] = 2 ** (np.rint(octaves * _STEPS_PER_OCTAVE) / _STEPS_PER_OCTAVE)
    return result


def _columns(weight: NDArray[np.float64]) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Integers in [-127, 127] and the scale of each column."""
    scale = np.maximum(np.abs(weight).max(axis=0), 1e-9) / 127
    return np.clip(np.rint(weight / scale), -127, 127).astype(np.int8), scale


class _Rewriter:
    """Replaces one product after another in ``model``."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph = model.graph
        self._weights = {constant.name: constant for constant in model.graph.initializer}
        self._replaced: list[Any] = []
        scalars = {"127": 127.0, "255": 255.0, "half": 0.5, "centre": 128.5, "tiny": 1e-9, "one": 1.0, "floor": GELU_FLOOR}
        for name, value in scalars.items():
            self._constant(f"int8.{name}", np.float32(value))
        self._constant("int8.zero", np.uint8(0))
        self._constant("int8.middle", np.uint8(128))

    def product(self, node: Any, largest: NDArray[np.float64]) -> None:
        """Rewrites x -> uint8 around 128, scaled by the row's largest magnitude."""
        weight = self._take_weight(node)
        s = _balance(largest, weight)
        integers, scale = _columns(weight * s[:, None])
        at = node.name
        x = self._node("Mul", f"{at}.balanced", node.input[0], self._constant(f"{at}.s", (1 / s).astype(np.float32)))
        size = self._node("ReduceMax", f"{at}.size", self._node("Abs", f"{at}.abs", x), axes=[-1], keepdims=1)
        size = self._node("Max", f"{at}.row", size, "int8.tiny")
        steps = self._node("Mul", f"{at}.steps", x, self._node("Div", f"{at}.rate", "int8.127", size))
        bytes_ = self._node("Cast", f"{at}.bytes", self._node("Add", f"{at}.place", steps, "int8.centre"), to=TensorProto.UINT8)
        y = self._integer_product(at, bytes_, integers, scale / 127, "int8.middle")
        self._node("Mul", node.output[0], y, size)

    def gelu_product(self, node: Any) -> None:
        """Rewrites x in [-0.17, max] -> uint8 from 0; the shift by 0.17 is taken back by a constant per column."""
        integers, scale = _columns(self._take_weight(node))
        at = node.name
        size = self._node("ReduceMax", f"{at}.size", node.input[0], axes=[-1], keepdims=1)
        size = self._node("Add", f"{at}.row", size, "int8.floor")
        shifted = self._node("Add", f"{at}.shifted", node.input[0], "int8.floor")
        steps = self._node("Mul", f"{at}.steps", shifted, self._node("Div", f"{at}.rate", "int8.255", size))
        bytes_ = self._node("Cast", f"{at}.bytes", self._node("Add", f"{at}.place", steps, "int8.half"), to=TensorProto.UINT8)
        y = self._integer_product(at, bytes_, integers, scale / 255, "int8.zero")
        shift = self._constant(f"{at}.shift", (-GELU_FLOOR * (integers * scale).sum(axis=0)).astype(np.float32))
        self._node("Add", node.output[0], self._node("Mul", f"{at}.scaled", y, size), shift)

    def drop_weights(self) -> None:
        """Removes the float weights that integers replaced."""
        for constant in self._replaced:
            self._graph.initializer.remove(constant)

    def _take_weight(self, node: Any) -> NDArray[np.float64]:
        constant = self._weights[node.input[1]]
        self._replaced.append(constant)
        return numpy_helper.to_array(constant).astype(np.float64)

    def _integer_product(
        self, at: str, bytes_: str, integers: NDArray[np.int8], scale: NDArray[np.float64], zero_point: str
    ) -> str:
        weight = self._constant(f"{at}.int8", integers)
        scales = self._constant(f"{at}.scales", scale.astype(np.float32))
        operands = (bytes_, weight, "int8.one", scales, zero_point)
        return self._node("MatMulIntegerToFloat", f"{at}.integer", *operands, domain="com.microsoft")

    def _constant(self, name: str, value: Any) -> str:
        self._graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def _node(self, operator: str, name: str, *inputs: str, **attributes: Any) -> str:
        self._graph.node.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name
