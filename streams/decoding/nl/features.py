"""Hashed n-grams of masked text: the features of the default classifier, which needs no model files.

Words and pairs of words, and runs of three to five characters inside words. Each feature is one of DIMENSION cells, by XXH3
(fixed for all machines); the counts are damped by a square root and the row has length 1.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

DIMENSION = 8_192
_WORD = re.compile(r"[^\W_]+(?:'\w+)?|->|[?@/{}:=]")


def ngrams(masked: str) -> Iterator[str]:
    """Features of a text, with repeats."""
    words = ["^", *_WORD.findall(masked)[:200], "$"]
    for first, second in pairwise(words):
        yield f"w {second}"
        yield f"b {first} {second}"
    for word in words[1:-1]:
        if not word.isupper():
            padded = f"<{word[:30]}>"
            yield from (f"c {padded[i : i + n]}" for n in (3, 4, 5) for i in range(len(padded) - n + 1))


def cells(masked: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(cells, weights) of the features that are there; weights have length 1."""
    counts = Counter(xxh3_64_intdigest(gram.encode("utf-8", "replace")) % DIMENSION for gram in ngrams(masked))
    index = np.fromiter(counts.keys(), np.int64, len(counts))
    weight = np.sqrt(np.fromiter(counts.values(), np.float32, len(counts)))
    return index, (weight / np.linalg.norm(weight)).astype(np.float32)
