"""What speaks for a memory as an answer to a question, one number per memory and signal.

Each signal is a function of the question and the documents alone. Those that are compared within one question (SCALED) are
brought to 0..1 by their least and greatest value before they are summed, and a signal of LIKE by those of another one; the
others are 0..1 by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SIGNALS = (
    "dense",
    "dense_near",
    "dense_linked",
    "words",
    "words_near",
    "words_linked",
    "thread",
    "author",
    "entities",
    "dates",
    "answers",
    "structure",
    "length",
    "question",
)
"""dense: cosine. dense_near: cosine of the neighbours. words: BM25. words_near: BM25 of the memory with a share of its
neighbours' words. dense_linked, words_linked: cosine and BM25 of the best memory that is strongly linked to it, times the
link's strength; NaN where there is none. thread: the best words_near of its thread. author: is from or about someone the
question names. entities: share of the question's names, addresses and amounts in it. dates: lies in a span of time the question
names. answers: holds a time or a number where one is asked for. structure: its numbers are about those the question gives, or
its fields have their names. length: logarithm of its words. question: asks itself."""
SCALED = frozenset({"dense", "dense_near", "words", "words_near", "thread", "length"})


LIKE = MappingProxyType({"dense_linked": "dense", "words_linked": "words"})
"""Signals brought to 0..1 by another one's least and greatest value: a weak neighbour must not pass for the best one."""


@dataclass(frozen=True, slots=True)
class Signals:
    """``values``: shape (rows, len(SIGNALS)). ``similarity``: cosine of each, NaN where there is no vector."""

    ids: Sequence[bytes]
    values: Floats
    similarity: Floats
    importance: Floats
    time: NDArray[np.int64]


def scaled(values: Floats) -> Floats:
    """Columns of SCALED signals brought to 0..1; one that says the same of all says nothing."""
    result = values.copy()
    for column, name in enumerate(SIGNALS):
        if name in SCALED and len(values):
            low, high = values[:, column].min(), values[:, column].max()
            result[:, column] = (values[:, column] - low) / (high - low) if high > low else 0.0
        elif name in LIKE and len(values):
            like = values[:, SIGNALS.index(LIKE[name])]
            low, high = like.min(), like.max()
            share = (values[:, column] - low) / (high - low) if high > low else np.zeros_like(like)
            result[:, column] = np.clip(np.nan_to_num(share), 0.0, 1.0)
    return result


def fused(values: Floats, weights: Mapping[str, float]) -> Floats:
    """The weighted sum of scaled signals; summed in one order, so that equal rows have equal scores wherever they lie."""
    total = np.zeros(len(values), np.float64)
    for column, name in enumerate(SIGNALS):
        total += weights.get(name, 0.0) * values[:, column].astype(np.float64)
    return total.astype(np.float32)
