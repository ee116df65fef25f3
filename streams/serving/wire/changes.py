"""Shapes of the change feed."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from streams.serving.wire.base import Answer, Block
from streams.serving.wire.memories import MemoryView

ChangeType = Literal["memory.stored", "memory.amended", "memory.forgotten", "memory.undone", "block.undone", "block.final"]
CHANGE_TYPES: tuple[ChangeType, ...] = get_args(ChangeType)


class Change(Answer):
    """One event. ``cursor``: the place right after it, to resume at.

    ``memory``: of one stored or amended, as it is live when the event is sent; null if it is not any more. ``undone``: what
    ``memory.undone`` took back, because a reorganisation removed the block that held it. ``removed`` (newest first) and
    ``ancestor``: of ``block.undone``, which follows the last ``memory.undone`` of a reorganisation.
    """

    type: ChangeType
    cursor: str
    agent: str
    memory_id: str | None = None
    block: Block | None = None
    memory: MemoryView | None = None
    undone: Literal["memory.stored", "memory.amended", "memory.forgotten"] | None = None
    removed: list[Block] = Field(default_factory=list)
    ancestor: Block | None = None


class FeedEnd(Answer):
    """Why the gateway ended a feed, as its last event: resume at ``cursor``, unless ``error`` says that it is of no use."""

    error: str
    message: str
    hint: str = ""
    cursor: str
