"""A hard budget of tokens. Pure.

Invariant: what is kept never costs more than the budget, and an item is kept whole or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence


def within_budget(tokens: Sequence[int], budget: int) -> list[int]:
    """Indices kept, in order: each item that still fits; one that does not is passed over for smaller ones behind it."""
    kept, spent = [], 0
    for index, count in enumerate(tokens):
        if spent + count <= budget:
            kept.append(index)
            spent += count
    return kept
