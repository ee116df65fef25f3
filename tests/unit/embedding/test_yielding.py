"""A yielding embedder gives the same vectors, from threads of a lower priority, and changes nobody else's."""

import os
import sys
import threading

import numpy as np
import pytest

from connectors.embedding import YieldingEmbedder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="no priority of single threads on this system")


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


class Watched:
    model, model_hash, backend, dimension = "m", b"h", "b", 2

    def __init__(self) -> None:
        self.seen: list[int] = []

    def embed(self, texts):
        self.seen.append(niceness())
        if "" in texts:
            raise ValueError("empty")
        return np.array([[len(text), 1] for text in texts], np.float32)

    def count_tokens(self, text: str) -> int:
        return len(text.split())


def test_the_work_yields_and_the_caller_does_not() -> None:
    behind, before = Watched(), niceness()
    yielding = YieldingEmbedder(behind, min(19, before + 7), threads=2)
    assert yielding.embed(["a", "bc"]).tolist() == [[1, 1], [2, 1]]
    assert behind.seen == [min(19, before + 7)]
    assert niceness() == before
    assert yielding.count_tokens("two words") == 2
    assert (yielding.model, yielding.model_hash, yielding.backend, yielding.dimension) == ("m", b"h", "b", 2)


def test_its_errors_are_the_callers() -> None:
    with pytest.raises(ValueError, match="empty"):
        YieldingEmbedder(Watched(), 19).embed([""])


def test_a_priority_that_is_lower_already_stays() -> None:
    behind = Watched()
    YieldingEmbedder(behind, 0, threads=1).embed(["a"])
    assert behind.seen == [max(0, niceness())]
