"""Text to vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Embedder(Protocol):
    """A loaded model. ``embed`` blocks the calling thread; call it off the event loop.

    Invariant: the vector of a text does not depend on its neighbours in the batch, bit for bit, on one machine.
    """

    model: str
    model_hash: bytes
    backend: str
    dimension: int

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Rows in the order of ``texts``; float32, shape (len(texts), dimension), L2-normalised."""

    def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` without truncation and without the two special tokens."""
