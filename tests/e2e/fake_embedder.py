"""An embedder that costs nothing, where a test is about thousands of texts and not about the model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

DIMENSION = 384


class HashEmbedder:
    """A unit vector from the hash of each text: as deterministic and batch-invariant as the model, and as different for
    different texts; it says nothing about meaning.
    """

    model = "tests/hash"
    model_hash = blake3(b"tests/hash").digest()
    backend = "hash"
    dimension = DIMENSION

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = [np.frombuffer(blake3(text.encode()).digest(2 * DIMENSION), dtype="<i2") for text in texts]
        found = np.array(rows, dtype=np.float64).reshape(len(texts), DIMENSION)
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)

    def count_tokens(self, text: str) -> int:
        return len(text.split())
