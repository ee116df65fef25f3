"""Memories that are structures, by the names and the numbers of their fields.

The text of a structure tells its names and values as if they were prose; what tells it apart is that a value belongs to a
name. So its names have postings of their own, and its numbers are compared with a question's one by one, under the same name:
a record with twenty fields is as near to "slippage 0.5" as one that has no other.
Score of a structure, 0 to 1: the share of the question's words that name fields of it, by weight; where the question gives
numbers, the mean of that and of how near the structure's numbers of these names are. What is no structure scores 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.core.structured import MAX_FEATURES
from streams.retrieval.lexical import LexicalIndex
from streams.retrieval.numbers import FREQUENCIES
from streams.retrieval.words import raw_words, stemmed

BYTES_PER_NUMBER = 120
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Fields:
    """``names``: stems of the words in names. ``numbers``: by the last part of the name, in lower case."""

    names: frozenset[str]
    numbers: Mapping[str, tuple[float, ...]]

    @classmethod
    def of(cls, leaves: Sequence[tuple[str, float | None]]) -> Fields:
        """Of a structure's leaves: path, and the number there."""
        numbers: dict[str, tuple[float, ...]] = {}
        for path, number in leaves[:MAX_FEATURES]:
            if number is not None and (name := path.rpartition(".")[2].lower()):
                numbers[name] = (*numbers.get(name, ()), number)
        words = [word for path, _ in leaves[:MAX_FEATURES] for word in raw_words(path.replace(".", " ").replace("_", " "))]
        return cls(frozenset(stemmed(words)), numbers)


def nearness(one: float, other: float) -> float:
    """1 for equal numbers, less the more their sizes differ, 0 for what is far apart; see ``streams.retrieval.numbers``."""
    apart = math.copysign(math.log1p(abs(one)), one) - math.copysign(math.log1p(abs(other)), other)
    return max(0.0, sum(math.cos(frequency * apart) for frequency in FREQUENCIES) / len(FREQUENCIES))


class FieldIndex:
    """Structures by slot. Bounded by what its owner puts in."""

    def __init__(self) -> None:
        self._names = LexicalIndex()
        self._numbers: dict[int, Mapping[str, tuple[float, ...]]] = {}

    @property
    def nbytes(self) -> int:
        """Memory held, estimated."""
        return self._names.nbytes + BYTES_PER_NUMBER * sum(1 + len(held) for held in self._numbers.values())

    def put(self, slot: int, fields: Fields) -> None:
        """Sets the fields of ``slot``."""
        self._names.put(slot, sorted(fields.names))
        self._numbers[slot] = fields.numbers

    def remove(self, slot: int) -> None:
        """Takes them out, if there are any."""
        self._names.remove(slot)
        self._numbers.pop(slot, None)

    def search(self, weights: Mapping[str, float], asked: Mapping[str, float]) -> tuple[NDArray[np.int64], Floats]:
        """Slots of structures and their scores. ``weights``: of the question's words; ``asked``: its numbers by name."""
        if not self._numbers:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        named = dict.fromkeys(self._numbers, 0.0)
        whole = sum(weights.values())
        for word, weight in sorted(weights.items()) if whole else ():
            for slot in self._names.postings(word)[0].tolist():
                named[slot] += weight / whole
        scores = [self._score(share, self._numbers[slot], asked) for slot, share in named.items()]
        return np.fromiter(named, np.int64, len(named)), np.array(scores, np.float32)

    def _score(self, share: float, held: Mapping[str, tuple[float, ...]], asked: Mapping[str, float]) -> float:
        if not asked:
            return share
        near = [max((nearness(value, number) for number in held.get(name, ())), default=0.0) for name, value in asked.items()]
        return (share + sum(near) / len(near)) / 2
