"""A hard budget of tokens. Pure.

Assumes ``count`` is the model's own tokenizer. Nothing more is asked of it: a text may have more tokens than its parts, and a
part more than the whole.
Invariant: what is kept never costs more than the budget; an item is kept whole, or not at all, or cut where that was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

Count = Callable[[str], int]
_WORD_ENDS = re.compile(r"(?<=\S)(?=\s)")


def within_budget(tokens: Sequence[int], budget: int) -> list[int]:
    """Indices kept, in order: each item that still fits; one that does not is passed over for smaller ones behind it."""
    kept, spent = [], 0
    for index, count in enumerate(tokens):
        if spent + count <= budget:
            kept.append(index)
            spent += count
    return kept


def unbroken(tokens: Sequence[int], budget: int) -> int:
    """How many items from the first on fit without passing one over."""
    spent = 0
    for index, count in enumerate(tokens):
        spent += count
        if spent > budget:
            return index
    return len(tokens)


def cut(text: str, limit: int, count: Count) -> str:
    """A beginning of ``text`` of at most ``limit`` tokens, as long as found in a few steps; at a word's end if there is one.

    Empty if nothing fits.
    """
    if count(text) <= limit:
        return text
    return _longest(text, [end.start() for end in _WORD_ENDS.finditer(text)], limit, count) or _longest(
        text, range(1, len(text)), limit, count
    )


def _longest(text: str, ends: Sequence[int], limit: int, count: Count) -> str:
    best, low, high = "", 0, len(ends) - 1
    while low <= high:
        middle = (low + high) // 2
        if count(text[: ends[middle]]) <= limit:
            best, low = text[: ends[middle]], middle + 1
        else:
            high = middle - 1
    return best
