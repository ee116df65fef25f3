"""Shapes of requests that write: one for each verb, and the receipt that answers them."""

from __future__ import annotations

from pydantic import Field

from schemas.records import MemoryType
from streams.serving.wire.base import EDGES_LIMIT, TAGS_LIMIT, WAIT_LIMIT, Answer, Text, Wire

WHOLE_LIMIT = 2**53
"""Whole numbers up to here survive JSON."""


class Link(Wire):
    """A link from the memory that is stored."""

    target: str = Field(description="Memory id.")
    relation: Text = Field("", max_length=64)
    strength: float = Field(1.0, ge=0, le=1)


class LinkBetween(Link):
    """A link between two memories."""

    source: str = Field(description="Memory id.")


class Ended(Wire):
    """A memory that something takes the place of, or that is no longer true."""

    memory_id: str
    until: int | None = Field(None, description="Unix seconds from which it is not true any more; None is when the new one is.")


class StoreRequest(Wire):
    """A memory to keep. Exactly one of ``text`` and ``content_base64``."""

    text: Text | None = Field(None, description="Content as text.")
    content_base64: str | None = Field(None, description="Content as bytes, in base64.")
    media_type: Text = Field("text/plain", min_length=1, max_length=128)
    type: MemoryType = "LONG_TERM"
    importance: float = Field(0.5, ge=0, le=1)
    tags: list[Text] = Field(default_factory=list, max_length=TAGS_LIMIT)
    timestamp: int | None = Field(None, ge=0, le=WHOLE_LIMIT, description="When it happened, in unix seconds; None is now.")
    subject: Text | None = Field(None, min_length=1, max_length=256, description="With predicate: what it is about.")
    predicate: Text | None = Field(None, min_length=1, max_length=256)
    valid_from: int | None = Field(None, description="Unix seconds from which it is true; None is the timestamp.")
    valid_to: int | None = Field(None, description="Unix seconds from which it is not true any more; None is open.")
    links: list[Link] = Field(default_factory=list, max_length=EDGES_LIMIT, description="From this memory to others.")
    command_id: str | None = Field(None, description="UUID; repeat one to be sure that a retry stores nothing twice.")
    wait: float = Field(0, ge=0, le=WAIT_LIMIT, description="Seconds to wait until reads show the memory.")


class SupersedeRequest(StoreRequest):
    """A memory to keep in the place of others."""

    supersedes: list[Ended] = Field(min_length=1, max_length=EDGES_LIMIT)


class MergeRequest(StoreRequest):
    """A memory to keep that says what others said."""

    merges: list[Ended] = Field(min_length=1, max_length=EDGES_LIMIT)


class AmendRequest(Wire):
    """What all amendments have in common."""

    reason: Text = Field("", max_length=4_096)
    timestamp: int | None = Field(None, ge=0, le=WHOLE_LIMIT, description="When it happened, in unix seconds; None is now.")
    command_id: str | None = Field(None, description="UUID; repeat one to be sure that a retry does nothing twice.")
    wait: float = Field(0, ge=0, le=WAIT_LIMIT, description="Seconds to wait until reads show the effect.")


class LinkRequest(AmendRequest):
    """Memories that belong together."""

    links: list[LinkBetween] = Field(min_length=1, max_length=EDGES_LIMIT)


class InvalidateRequest(AmendRequest):
    """Memories that are no longer true."""

    memories: list[Ended] = Field(min_length=1, max_length=EDGES_LIMIT)


class Receipt(Answer):
    """A command the log has acknowledged. ``visible``: reads show its effect already.

    ``memory_id``: of the memory or amendment it leaves, or of the one it forgets. ``write_token``: for ``wait_for`` of a read
    of this agent, which then shows it.
    """

    command_id: str
    memory_id: str
    visible: bool
    write_token: str = ""
