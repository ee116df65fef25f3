"""Shapes of the chain's state and the gateway's health."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streams.serving.wire.base import Answer, Block


class ReorgView(Answer):
    """One reorganisation. ``severity``: by depth alone; the producer, which sees both branches, also counts conflicts."""

    sequence: int
    depth: int
    severity: str
    tip: Block
    ancestor: Block


class ChainState(Answer):
    """The chain as the log tells it. ``reorgs``: the latest, newest first."""

    sequence: int | None
    head: Block | None
    final: Block | None
    reorg_count: int
    reorgs: list[ReorgView]


class Component(Answer):
    """One probe. ``milliseconds``: how long it took."""

    status: Literal["healthy", "degraded", "failed"]
    message: str = ""
    milliseconds: float


class Health(Answer):
    """All probes. ``score``: healthy share of the components, 0 to 1."""

    status: Literal["healthy", "degraded", "failed"]
    score: float
    components: dict[str, Component]
    uptime_seconds: float
    version: str


class Ready(Answer):
    """Whether to send requests here."""

    ready: bool


class TopQuestion(Answer):
    """A question asked often. ``name`` tells nothing of it, and is another one after a restart."""

    name: str
    askings: int


class CacheState(Answer):
    """The cache of contexts. ``events``: what happened since the start, by kind; ``hit_rate``: hits over look-ups."""

    enabled: bool
    entries: int = 0
    hot_entries: int = 0
    bytes: int = 0
    hot_bytes: int = 0
    limit_bytes: int = 0
    ttl_seconds: float = 0
    hit_rate: float = 0
    events: dict[str, int] = Field(default_factory=dict)
    top: list[TopQuestion] = Field(default_factory=list)
