"""Keeps an answer from saying one thing many times.

Two texts are near-duplicates if they say the same figures (words with digits: amounts, addresses) and share nearly all of their
other words: "swapped 1 ETH" and "swapped 2 ETH" are two facts, however near their vectors lie. A near-duplicate of
something better is moved behind everything else, not dropped, so that an asker who takes all still gets all.
Among the rest, maximal marginal relevance: each next one is the best by score less MARGINAL times its greatest cosine to what
was chosen before, scores brought to 0..1.
Invariants: the result is a permutation of what was given; the best stays first; pure.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streams.retrieval.cues import figures
from streams.retrieval.words import raw_words

MARGINAL = 0.1
ALIKE = 0.9
"""Least Jaccard similarity of the words of near-duplicates."""

Floats = NDArray[np.float32]


def duplicates(texts: Sequence[str]) -> list[bool]:
    """For each text whether an earlier one says the same."""
    seen: dict[frozenset[str], list[frozenset[str]]] = {}
    found = []
    for text in texts:
        words = raw_words(text)
        said, alike = frozenset(words), seen.setdefault(figures(words), [])
        again = any(_jaccard(said, other) >= ALIKE for other in alike)
        found.append(again)
        if not again:
            alike.append(said)
    return found


def diverse(scores: Floats, vectors: Floats, marginal: float = MARGINAL) -> list[int]:
    """Indices in the order of maximal marginal relevance; equal ones in the order given. ``vectors``: normalised or zero."""
    left = np.ones(len(scores), np.bool_)
    spread = float(scores.max() - scores.min()) if len(scores) else 0.0
    gain = (scores - scores.min()) / spread if spread else np.zeros_like(scores)
    nearest = np.zeros(len(scores), np.float32)
    order: list[int] = []
    for _ in range(len(scores)):
        chosen = int(np.argmax(np.where(left, gain - marginal * nearest, -np.inf)))
        order.append(chosen)
        left[chosen] = False
        nearest = np.maximum(nearest, np.vecdot(vectors, vectors[chosen]))
    return order


def spread_out(texts: Sequence[str], scores: Floats, vectors: Floats) -> list[int]:
    """Indices, best first: diverse ones, then near-duplicates in the order given."""
    again = duplicates(texts)
    first = [index for index, repeated in enumerate(again) if not repeated]
    last = [index for index, repeated in enumerate(again) if repeated]
    return [first[at] for at in diverse(scores[first], vectors[first])] + last


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one or other else 1.0
