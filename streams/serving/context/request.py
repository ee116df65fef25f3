"""What is asked of the finder. Hashable: equal requests at the same state of memory have equal answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ContextRequest:
    """``min_similarity`` None takes the server's setting; ``max_tokens`` can only lower the server's limit."""

    agent: bytes
    query: str
    max_results: int = 10
    min_similarity: float | None = None
    max_tokens: int | None = None
