"""Shapes of a question and of the context that answers it."""

from __future__ import annotations

from pydantic import Field

from schemas.records import MemoryType
from streams.serving.wire.base import QUERY_LIMIT, RESULTS_LIMIT, Answer, AsOf, Block, Wire
from streams.serving.wire.memories import Citation


class QueryRequest(Wire):
    """A question about an agent's memories."""

    query: str = Field(min_length=1, max_length=QUERY_LIMIT, description="In words.")
    max_results: int = Field(10, ge=1, le=RESULTS_LIMIT)
    min_similarity: float | None = Field(None, ge=-1, le=1, description="Least cosine; None takes the server's setting.")
    max_tokens: int | None = Field(None, ge=1, description="Bound on the tokens of all texts; None takes the server's setting.")


class ContextItem(Answer):
    """One memory found. ``score`` orders the items; ``similarity`` is the cosine alone."""

    text: str
    score: float
    similarity: float
    tokens: int
    type: MemoryType
    importance: float
    tags: list[str]
    timestamp: int
    citation: Citation

    @property
    def memory_id(self) -> str:
        """Of the memory cited."""
        return self.citation.memory_id

    @property
    def block(self) -> Block | None:
        """The block cited; None for a memory that a command stored."""
        return self.citation.block


class Context(Answer):
    """The answer to a query. ``tokens``: of all texts together; ``left_out``: items that matched but went over the budget."""

    agent: str
    query: str
    items: list[ContextItem]
    tokens: int
    left_out: int
    as_of: AsOf
