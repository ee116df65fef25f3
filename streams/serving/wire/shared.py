"""Shapes of a question to several agents' memories, and of its answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from streams.serving.wire.base import LEAST, QUERY_LIMIT, RESULTS_LIMIT, Answer, AsOf, Text, Wire
from streams.serving.wire.context import ContextItem

OWNERS_LIMIT = 63
"""Most other agents in one question."""


class SharedQueryRequest(Wire):
    """A question about the agent's own memories and those that others let it read."""

    query: Text = Field(min_length=1, max_length=QUERY_LIMIT, description="In words.")
    owners: list[Annotated[str, Field(max_length=42)]] | None = Field(
        None,
        max_length=OWNERS_LIMIT,
        description="Whose memories, besides the agent's own; none names all who let it read, of their own accord.",
    )
    max_results: int = Field(10, ge=1, le=RESULTS_LIMIT, description="Most items.")
    min_similarity: float | None = Field(None, ge=-1, le=1, description=LEAST)
    as_of_block: int | None = Field(None, ge=0, description="Answer by what was known at this block.")
    as_of_time: int | None = Field(None, description="Answer by what was known at this time; unix seconds.")
    valid_at: int | None = Field(None, description="What was true then; None is now, or the moment of as_of.")
    include_invalid: bool = Field(False, description="Also what is not true then.")
    max_tokens: int | None = Field(None, ge=1, description="Bound on the tokens of all texts; None takes the server's setting.")


class SharedItem(ContextItem):
    """A memory found, and whose it is."""

    owner: str


class SharedContext(Answer):
    """The answer, best first. ``owners``: whose memories were looked at; ``unsearched``: whose could not be, as there are too
    many or the stores do not tell what changed. The rest is as in Context.
    """

    agent: str
    query: str
    owners: list[str]
    unsearched: list[str]
    items: list[SharedItem]
    tokens: int
    tokens_allowed: int
    left_out: int
    as_of: AsOf
