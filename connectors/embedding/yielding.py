"""An embedder that yields the processors to whatever else the machine does: its threads run at a lower priority.

Embedding is most of a worker's work, and what people wait for runs beside it. Assumes that the calling threads wait; where the
system has no priority of single threads, nothing changes. Invariant: the vectors are those of the embedder behind it.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from streams.ports.embedder import Embedder


class YieldingEmbedder:
    """An Embedder. ``niceness``: as ``nice`` counts it, from 0 to 19; ``threads``: texts are embedded in so many at once."""

    def __init__(self, behind: Embedder, niceness: int, threads: int | None = None) -> None:
        self.model, self.model_hash = behind.model, behind.model_hash
        self.backend, self.dimension = behind.backend, behind.dimension
        self._behind = behind
        count = threads or os.cpu_count() or 1
        self._threads = ThreadPoolExecutor(count, "embedding", initializer=_lower, initargs=(niceness,))

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._threads.submit(self._behind.embed, texts).result()

    def count_tokens(self, text: str) -> int:
        return self._behind.count_tokens(text)


def _lower(niceness: int) -> None:
    if sys.platform == "linux":  # elsewhere the call would lower the whole process
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, max(niceness, os.getpriority(os.PRIO_PROCESS, thread)))  # never raised
