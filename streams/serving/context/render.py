"""A context as plain text for a prompt: numbered items and, if asked, where each comes from. Pure.

Invariant: a line that begins with ``[`` and a number is this module's own; lines of a memory after its first are indented, so
no memory can pass for another item or for a source.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Style = Literal["plain", "cited"]
GAP = "\n\n"
INDENT = "    "


def block_of(number: int, text: str) -> str:
    """One item."""
    lines = text.splitlines() or [""]
    return f"[{number}] " + f"\n{INDENT}".join(lines)


def source_of(number: int, block: int | None, transaction: str | None, memory_id: str) -> str:
    """Where one item comes from."""
    if block is None:
        return f"[{number}] memory {memory_id}"
    return f"[{number}] block {block}, transaction {transaction}, memory {memory_id}"


def rendered(texts: Sequence[str], sources: Sequence[str]) -> str:
    """The whole; ``sources`` is empty for style ``plain``."""
    blocks = [block_of(number, text) for number, text in enumerate(texts, 1)]
    if sources:
        blocks.append("Sources:\n" + "\n".join(sources))
    return GAP.join(blocks)
