"""The default Embedder: ONNX Runtime on the CPU, one thread; more throughput comes from more workers.

Invariant: the vector of a text is the same bits alone or in any batch, in any order. Each text is padded to its own number of
tokens rounded up to WIDTH, never to its neighbours', and only texts of equal width share a run, so that what is computed for a
row does not depend on the other rows. (Equal bits on one type of CPU and one version of the runtime; else about 1e-7.)
A run holds at most BUDGET tokens: larger ones fall out of the core's cache and are slower, one by one is nearly as fast.
Only the first 256 tokens of a text count, as the model was trained.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from connectors.embedding.compiled import Precision, compiled
from connectors.embedding.model import DIMENSION, MAX_TOKENS, NAME, WEIGHTS_SHA256, ModelFiles, verify

WIDTH = 8
BUDGET = 512

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # one core per worker, also for the tokenizer


class OnnxEmbedder:
    """Embedder on ``files``. Makes the ONNX file at first use (seconds). Safe for threads."""

    model = NAME
    model_hash = bytes.fromhex(WEIGHTS_SHA256)
    dimension = DIMENSION

    def __init__(self, files: ModelFiles, precision: Precision = "fp32") -> None:
        verify(files, "tokenizer.json")
        self.backend = f"onnxruntime-{precision}"
        self._tokenizer = Tokenizer.from_file(str(files.tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._counter = Tokenizer.from_file(str(files.tokenizer))
        self._counter.no_padding()
        self._counter.no_truncation()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_mem_pattern = False  # shapes vary, and each would be remembered
        options.log_severity_level = 3
        path = str(compiled(files, precision))
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.empty((len(texts), DIMENSION), np.float32)
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]
        for width, members in runs([len(ids) for ids in tokens]):
            ids = np.zeros((len(members), width), np.int64)
            mask = np.zeros_like(ids)
            for row, member in enumerate(members):
                ids[row, : len(tokens[member])] = tokens[member]
                mask[row, : len(tokens[member])] = 1
            vectors[members] = self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return vectors

    def count_tokens(self, text: str) -> int:
        return len(self._counter.encode(text, add_special_tokens=False).ids)


def runs(lengths: Sequence[int], budget: int = BUDGET) -> Iterator[tuple[int, list[int]]]:
    """Splits texts of these token counts into runs: (width, members), widths equal within a run, tokens within ``budget``."""
    by_width: dict[int, list[int]] = defaultdict(list)
    for member, length in enumerate(lengths):
        by_width[max(1, -(-length // WIDTH)) * WIDTH].append(member)
    for width, members in sorted(by_width.items()):
        size = max(1, budget // width)
        for start in range(0, len(members), size):
            yield width, members[start : start + size]
