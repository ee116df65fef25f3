"""Features of numeric memories as vectors: near where the same names have values of about the same size.

Each name has eight places of the vector (two names may share some). They hold cosines and sines of the value's signed logarithm
at four frequencies, so that the product of two vectors tells how far apart the values are: twice the value is near, a hundred
times is not. Vectors are L2-normalised. A question's numbers are those it writes behind a name: "gas 21000", "price = 3.5".
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

BLOCKS = 32
FREQUENCIES = (0.25, 0.5, 1.0, 2.0)
DIMENSION = BLOCKS * 2 * len(FREQUENCIES)
MAX_ASKED = 32
_PAIR = re.compile(
    r"([A-Za-z_][\w.]*)\s*(?:=|:|\bis\b|\bof\b|\bat\b|\babout\b|\baround\b|~)?\s*(-?\d{1,30}(?:\.\d{1,30})?)(?![\w.]*[A-Za-z])"
)

Floats = NDArray[np.float32]


def vector_of(features: Mapping[str, float]) -> Floats:
    """Of at least one feature; zero only where features cancel out."""
    vector = np.zeros(DIMENSION, np.float64)
    for name, value in sorted(features.items()):
        size = math.copysign(math.log1p(abs(value)), value)
        start = 2 * len(FREQUENCIES) * (xxh3_64_intdigest(name.lower().encode("utf-8", "replace")) % BLOCKS)
        for place, frequency in enumerate(FREQUENCIES):
            vector[start + 2 * place] += math.cos(frequency * size)
            vector[start + 2 * place + 1] += math.sin(frequency * size)
    length = float(np.linalg.norm(vector))
    return (vector / length if length > 1e-9 else vector).astype(np.float32)


def asked_numbers(question: str) -> dict[str, float]:
    """Numbers that the question gives, by the name in front of them."""
    return {match[1].lower(): float(match[2]) for match in list(_PAIR.finditer(question))[:MAX_ASKED]}


class NumberIndex:
    """Vectors of numeric memories by slot. Bounded by what its owner puts in."""

    def __init__(self) -> None:
        self._rows: dict[int, Floats] = {}

    @property
    def nbytes(self) -> int:
        """Memory held, estimated."""
        return len(self._rows) * (4 * DIMENSION + 200)

    def put(self, slot: int, features: Mapping[str, float]) -> None:
        """Sets the numbers of ``slot``."""
        self._rows[slot] = vector_of(features)

    def remove(self, slot: int) -> None:
        """Takes them out, if there are any."""
        self._rows.pop(slot, None)

    def search(self, features: Mapping[str, float]) -> tuple[NDArray[np.int64], Floats]:
        """Slots of numeric memories and their cosines to the features, none below 0."""
        if not features or not self._rows:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        slots = np.fromiter(self._rows, np.int64, len(self._rows))
        scores = np.vecdot(np.stack(list(self._rows.values())), vector_of(features))
        return slots, np.maximum(scores, np.float32(0))
