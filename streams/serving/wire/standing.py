"""Shapes of the chain's state and the gateway's health."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streams.serving.wire.base import Answer, Block, Wire


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


HealthStatus = Literal["healthy", "degraded", "failed"]


class ProbedPart(Answer):
    """One probe of a part of the gateway. ``milliseconds``: how long it took."""

    status: HealthStatus
    message: str = ""
    milliseconds: float


class ComponentHealth(Answer):
    """One component. ``message``: what was found of it; ``weight``: its share in the score; ``affected``: something that it
    needs has failed, for which it is not told itself; ``causes``: what that is; ``because``: the same as a sentence.
    """

    status: HealthStatus
    score: float
    message: str = ""
    milliseconds: float = 0.0
    weight: float
    needs: list[str] = Field(default_factory=list)
    affected: bool = False
    causes: list[str] = Field(default_factory=list)
    because: str = ""


class PredictedBreach(Answer):
    """A limit that will be reached, in seconds from now: ``expected``, and with ``confidence`` between the other two."""

    component: str
    of: str
    value: float
    limit: float
    unit: str
    expected_seconds: float
    earliest_seconds: float
    latest_seconds: float
    confidence: float
    text: str


class Health(Answer):
    """The deployment. ``score``: of all components, weighed by how many depend on each, 0 to 1. What follows is for the
    operator alone: ``roots`` are components that are themselves not well, worst first.
    """

    status: HealthStatus
    score: float
    components: dict[str, ComponentHealth] = Field(default_factory=dict)
    roots: list[str] = Field(default_factory=list)
    predictions: list[PredictedBreach] = Field(default_factory=list)
    uptime_seconds: float | None = None
    version: str | None = None


class Ready(Answer):
    """Whether to send requests here."""

    ready: bool


class TopQuestion(Answer):
    """A question asked often. ``name`` tells nothing of it, and is another one after a restart."""

    name: str
    askings: int


class CacheSize(Wire):
    """Memory for kept answers, as the settings ``cache.size_mb`` and ``cache.l1_entries`` say it at the start."""

    size_mb: int = Field(ge=1, le=1_048_576, description="Of both levels.")
    l1_entries: int | None = Field(None, ge=0, description="Most hot answers held ready; None: 1,024 for each 4 MB.")


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
