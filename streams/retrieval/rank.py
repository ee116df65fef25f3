"""Ranks the memories of one index, or of several as if they were one.

Score = weighted sum of the signals (weights.json, fitted by ``python -m perf.locomo --fit``) + band, where
band = BAND * (importance + recency) / 2 and recency = 2^(-age / HALF_LIFE), age counted from the newest memory. The band
orders what is nearly equal and never lifts anything over what is more than BAND better.
Invariants: only the indexes given are looked at, for words' rarity as for answers; equal memories and questions give equal
answers, whatever the order of the changes that led there; equal scores are ordered by id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.retrieval.diversity import spread_out
from streams.retrieval.index import Corpus, MemoryIndex
from streams.retrieval.lexical import rarity
from streams.retrieval.question import Asked
from streams.retrieval.signals import SIGNALS, Signals, fused, scaled
from streams.retrieval.weights import WEIGHTS

BAND = 0.02
HALF_LIFE_SECONDS = 7 * 86_400
ARRANGED = 64
SAME_NUMBER = 0.5

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scored:
    """``similarity``: the cosine; None for a memory without a vector.

    ``shares``: whether it, a neighbour or what is linked to it shares a word with the question, or it holds a number of about
    the same size, also in a field, or lies in a span of time that the question names.
    """

    id: bytes
    index: MemoryIndex
    score: float
    similarity: float | None
    shares: bool


class Near(NamedTuple):
    """What is near enough to a question: see ``Question.min_similarity`` and ``Question.least``."""

    min_similarity: float
    least: float

    def mask(self, similarity: Floats, shares: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """By row. ``similarity``: NaN where the vector is still to come; a shared word or number has to do there."""
        near: NDArray[np.bool_] = (similarity >= self.least) & (shares | (similarity >= self.min_similarity))
        return np.where(np.isnan(similarity), shares, near)


def signals_of(indexes: Sequence[MemoryIndex], asked: Asked) -> list[Signals]:
    """Signals of each index, words' rarity counted over all of them."""
    corpus = Corpus()
    for index in indexes:
        index.count(corpus, asked)
    rare = {term: rarity(corpus.documents, holders) for term, holders in corpus.holders.items()}
    return [index.signals(asked, rare, corpus) for index in indexes]


def ranked(
    indexes: Sequence[MemoryIndex],
    asked: Asked,
    limit: int,
    without: Set[bytes] = frozenset(),
    *,
    weights: Mapping[str, float] = WEIGHTS,
    near: Near | None = None,
) -> list[Scored]:
    """The ``limit`` best, best first. ``without``: ids that are not to take part. ``near``: what is not, is left out."""
    indexes = [index for index in indexes if len(index)]
    parts = signals_of(indexes, asked)
    if not parts:
        return []
    ids = [memory_id for part in parts for memory_id in part.ids]
    owner = np.repeat(np.arange(len(parts)), [len(part.ids) for part in parts])
    values = np.concatenate([part.values for part in parts])
    similarity = np.concatenate([part.similarity for part in parts])
    importance = np.concatenate([part.importance for part in parts])
    time = np.concatenate([part.time for part in parts])
    rows = np.flatnonzero([memory_id not in without for memory_id in ids]) if without else np.arange(len(ids))
    if not len(rows):
        return []
    score = fused(scaled(values[rows]), weights) + _band(importance[rows], time[rows])
    shares = _shares(values)
    if near is not None:
        kept = np.flatnonzero(near.mask(similarity[rows], shares[rows]))
        rows, score = rows[kept], score[kept]
    found = []
    for at in _best(score, [ids[row] for row in rows.tolist()], limit):
        row = int(rows[at])
        cosine = float(similarity[row])
        known = None if np.isnan(cosine) else cosine
        found.append(Scored(ids[row], indexes[owner[row]], float(score[at]), known, bool(shares[row])))
    return found


def arranged(found: Sequence[Scored], texts: Sequence[str]) -> list[int]:
    """Indices of what was found, as an answer lists it: the first ARRANGED spread out, the rest as they were."""
    first = min(len(found), ARRANGED)
    if not first:
        return []
    scores = np.array([each.score for each in found[:first]], np.float32)
    vectors = np.stack([each.index.vector(each.id) for each in found[:first]])
    order = spread_out(texts[:first], scores, vectors)
    return order + list(range(first, len(found)))


def _shares(values: Floats) -> NDArray[np.bool_]:
    said = {name: values[:, SIGNALS.index(name)] for name in ("words_near", "words_linked", "structure", "dates")}
    words: NDArray[np.bool_] = (said["words_near"] > 0) | (said["words_linked"] > 0)
    found: NDArray[np.bool_] = words | (said["structure"] > SAME_NUMBER) | (said["dates"] >= 1)
    return found


def _band(importance: Floats, time: NDArray[np.int64]) -> Floats:
    age = (time.max() - time).astype(np.float64)
    recency = np.exp2(-age / HALF_LIFE_SECONDS)
    band: Floats = (BAND * (importance + recency) / 2).astype(np.float32)
    return band


def _best(score: Floats, ids: Sequence[bytes], limit: int) -> list[int]:
    limit = min(limit, len(ids))
    if limit <= 0:
        return []
    cut = np.partition(score, len(score) - limit)[len(score) - limit]
    rows = np.flatnonzero(score >= cut).tolist()
    return sorted(rows, key=lambda row: (-score[row], ids[row]))[:limit]
