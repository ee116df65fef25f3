"""Shapes of a question and of the context that answers it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from schemas.records import MemoryType
from streams.serving.wire.base import (
    LEAST,
    LIST_LIMIT,
    QUERY_LIMIT,
    RESULTS_LIMIT,
    TAGS_LIMIT,
    WAIT_LIMIT,
    Answer,
    AsOf,
    Block,
    Text,
    Wire,
)
from streams.serving.wire.memories import Citation, MemoryView, ValidityView
from streams.serving.wire.proofs import RootView

FAR = 2**53
WINDOW = 50
Size = Annotated[int, Field(ge=1, le=LIST_LIMIT, description="Most memories of one window.")]
Tags = Annotated[list[Text], Field(min_length=1, max_length=TAGS_LIMIT)]


class TemporalWindow(Wire):
    """The newest stretch of time, counted back from the newest memory."""

    kind: Literal["temporal"]
    seconds: int = Field(ge=0, le=FAR)
    size: Size = WINDOW


class ActionsWindow(Wire):
    """What the newest transactions left."""

    kind: Literal["actions"]
    count: int = Field(WINDOW, ge=1, le=LIST_LIMIT)
    size: Size = WINDOW


class SemanticWindow(Wire):
    """Memories with any of the tags."""

    kind: Literal["semantic"]
    tags: Tags
    size: Size = WINDOW


class PriorityWindow(Wire):
    """Memories of at least an importance."""

    kind: Literal["priority"]
    min_importance: float = Field(ge=0, le=1)
    size: Size = WINDOW


WindowShape = Annotated[TemporalWindow | ActionsWindow | SemanticWindow | PriorityWindow, Field(discriminator="kind")]


class ContextFilter(Wire):
    """Which memories may be used at all; what is not given admits all. Times are unix seconds, inclusive."""

    types: list[MemoryType] | None = Field(None, min_length=1)
    tags: Tags | None = None
    min_importance: float = Field(0.0, ge=0, le=1)
    since: int | None = Field(None, ge=-FAR, le=FAR)
    until: int | None = Field(None, ge=-FAR, le=FAR)


class Terms(Wire):
    """How a question is to be answered, wherever it is asked."""

    max_results: int = Field(10, ge=1, le=RESULTS_LIMIT, description="Of a question; a window has its own size.")
    min_similarity: float | None = Field(
        None,
        ge=-1,
        le=1,
        description=LEAST,
    )
    as_of_block: int | None = Field(None, ge=0, description="Answer by what was known at this block.")
    as_of_time: int | None = Field(None, description="Answer by what was known at this time; unix seconds.")
    valid_at: int | None = Field(None, description="What was true then; None is now, or the moment of as_of.")
    include_invalid: bool = Field(False, description="Also what is not true then.")
    max_tokens: int | None = Field(None, ge=1, description="Bound on the tokens of all texts; None takes the server's setting.")
    filter: ContextFilter | None = None
    order: Literal["score", "time", "edges"] = Field(
        "score", description="Best first; oldest first; the best at both ends, where models look."
    )
    render: Literal["plain", "cited"] | None = Field(None, description="Also as one numbered text, with sources if cited.")
    truncate: bool = Field(False, description="One memory that is too long for the rest of the budget may be cut.")
    wait_for: str | None = Field(None, max_length=256, description="write_token of a receipt: answer when its effect shows.")
    wait_for_block: int | str | None = Field(None, description="Number or hash: answer when that block is taken in.")
    wait: float = Field(5.0, ge=0, le=WAIT_LIMIT, description="Seconds to wait at most; then 504.")


class SessionQueryRequest(Terms):
    """A question about what a session holds."""

    query: Text = Field(min_length=1, max_length=QUERY_LIMIT, description="In words.")


class QueryRequest(Terms):
    """A question about an agent's memories, a window over them, or both."""

    query: Text | None = Field(
        None, min_length=1, max_length=QUERY_LIMIT, description="In words; none reads the window itself."
    )
    window: WindowShape | None = None
    cursor: str | None = Field(None, max_length=128, description="`next` of the answer before: the window behind it.")
    proofs: bool = Field(False, description="Prove every item against the agent's published root.")

    @model_validator(mode="after")
    def _says_something(self) -> QueryRequest:
        if self.query is None and self.window is None and self.cursor is None:
            raise ValueError("give a query, a window, or both")
        if self.query is not None and self.cursor is not None:
            raise ValueError("a cursor walks over a window; a question has none")
        return self


class ItemProof(Answer):
    """That ``memory``, as it is here, lies under the context's root: ``opening`` is the key that commits to it, ``proof`` the
    self-contained document.
    """

    memory: MemoryView
    opening: str
    proof: dict[str, Any]


class ContextItem(Answer):
    """One memory found. ``score`` orders the items; ``similarity`` is the cosine alone, None where nothing was asked in words.

    ``tokens``: of the text, or of about its part in ``prompt``. ``truncated``: the text is the beginning of the memory's.
    """

    text: str
    score: float
    similarity: float | None
    tokens: int
    truncated: bool = False
    type: MemoryType
    importance: float
    tags: list[str]
    timestamp: int
    citation: Citation
    validity: ValidityView | None = None
    proof: ItemProof | None = None

    @property
    def memory_id(self) -> str:
        """Of the memory cited."""
        return self.citation.memory_id

    @property
    def block(self) -> Block | None:
        """The block cited; None for a memory that a command stored."""
        return self.citation.block


class Omitted(Answer):
    """What matched and is not in the answer, or not whole, by reason."""

    over_budget: int = 0
    not_text: int = 0
    truncated: int = 0


class Context(Answer):
    """The answer to a query. ``tokens``: of all texts together, or of ``prompt``, never more than ``tokens_allowed``;
    ``left_out``: items that matched but went over the budget.

    ``prompt``: the items as one text, if that was asked for. ``next``: cursor of the window behind this one; None at the end of
    history, and for a question. ``root``: what the items' proofs are for, if they were asked for.
    """

    agent: str
    query: str | None
    items: list[ContextItem]
    tokens: int
    tokens_allowed: int = 0
    left_out: int
    omitted: Omitted = Omitted()
    prompt: str | None = None
    next: str | None = None
    root: RootView | None = None
    as_of: AsOf
