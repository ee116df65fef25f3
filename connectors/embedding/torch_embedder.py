"""The same model on sentence-transformers and torch (extra ``torch``): the way to a GPU, and the reference for parity.

Assumes sentence-transformers, imported when an embedder is made (seconds). The device is the best there is: CUDA, Apple's MPS,
else the CPU. Texts are grouped as in ``onnx_embedder``: equal widths only, each text padded to its own.
Every run of one width has one shape (short runs are filled with empty rows), so that the same kernels run for a text whatever
its batch, and its bits stay the same on one device. Against the ONNX backend expect differences of about 1e-7.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from connectors.embedding.model import DIMENSION, MAX_TOKENS, NAME, WEIGHTS_SHA256, ModelFiles, verify
from connectors.embedding.onnx_embedder import BUDGET, runs
from streams.errors import ConfigurationError

GPU_BUDGET = 16_384
"""Tokens in one run on a GPU, which needs many rows at once."""


def _import_torch() -> tuple[Any, Any]:
    try:
        import torch  # noqa: PLC0415  (an extra)
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(
            f"the torch backend needs {error.name or 'sentence-transformers'}",
            "Install it: pip install 'monmouth[torch]', or set rag.embedding_backend to onnx.",
        ) from None
    return torch, SentenceTransformer


def _best_device(torch: Any) -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


class TorchEmbedder:
    """Embedder on ``files``; ``device`` as torch names it, or None for the best there is."""

    model = NAME
    model_hash = bytes.fromhex(WEIGHTS_SHA256)
    dimension = DIMENSION

    def __init__(self, files: ModelFiles, device: str | None = None) -> None:
        self._torch, load = _import_torch()
        verify(files)
        device = device or _best_device(self._torch)
        self.backend = f"sentence-transformers-{device.partition(':')[0]}-fp32"
        self._budget = BUDGET if device == "cpu" else GPU_BUDGET
        self._model = load(str(files.folder), device=device, local_files_only=True)
        self._model.eval()
        self._tokenizer = Tokenizer.from_file(str(files.tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._counter = Tokenizer.from_file(str(files.tokenizer))
        self._counter.no_padding()
        self._counter.no_truncation()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.empty((len(texts), DIMENSION), np.float32)
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]
        for width, members in runs([len(ids) for ids in tokens], self._budget):
            ids = np.zeros((max(1, self._budget // width), width), np.int64)
            mask = np.zeros_like(ids)
            mask[:, 0] = 1  # filling rows hold one token, so that their mean is defined
            for row, member in enumerate(members):
                ids[row, : len(tokens[member])] = tokens[member]
                mask[row, : len(tokens[member])] = 1
            vectors[members] = self._run(ids, mask)[: len(members)]
        return vectors

    def count_tokens(self, text: str) -> int:
        return len(self._counter.encode(text, add_special_tokens=False).ids)

    def _run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        torch, device = self._torch, self._model.device
        with torch.inference_mode():
            features = {
                "input_ids": torch.from_numpy(ids).to(device),
                "attention_mask": torch.from_numpy(mask).to(device),
                "token_type_ids": torch.zeros(ids.shape, dtype=torch.int64, device=device),
            }
            made = self._model(features)["sentence_embedding"]
            vectors: NDArray[np.float32] = torch.nn.functional.normalize(made, dim=1).float().cpu().numpy()
            return vectors
