"""A question as the ranking sees it. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.core.canonical_text import canonical_text
from streams.retrieval.cues import entities, wants_number, wants_time
from streams.retrieval.dates import Span, spans
from streams.retrieval.numbers import asked_numbers
from streams.retrieval.words import raw_words, stemmed

MAX_TERMS = 64
"""Of a longer question the beginning counts in the lexical part, so that no question costs more than that."""


@dataclass(frozen=True, slots=True)
class Asked:
    """``vector``: of the canonical text, L2-normalised. ``terms``: stems with their counts."""

    text: str
    vector: NDArray[np.float32]
    words: frozenset[str]
    terms: dict[str, int]
    entities: frozenset[str]
    numbers: dict[str, float]
    wants_time: bool
    wants_number: bool

    @classmethod
    def of(cls, question: str, vector: NDArray[np.float32]) -> Asked:
        text = canonical_text(question) or ""
        words = raw_words(text)
        return cls(
            text=text,
            vector=vector,
            words=frozenset(words),
            terms=dict(Counter(stemmed(words)[:MAX_TERMS])),
            entities=frozenset(sorted(entities(text))[:MAX_TERMS]),
            numbers=asked_numbers(text),
            wants_time=wants_time(text),
            wants_number=wants_number(text),
        )

    def spans(self, now: int) -> list[Span]:
        """Spans of time the question names, counted from ``now``."""
        return spans(self.text, now)
