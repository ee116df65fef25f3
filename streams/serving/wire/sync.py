"""Shapes that two deployments exchange to compare what they hold. Each has limits: a partner may be broken, or lie."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from streams.serving.wire.base import Answer

KEPT_LIMIT = 32_768
CHILDREN = 16
AGENTS_LIMIT = 64
ROWS_LIMIT = 500
FACTS_LIMIT = 1_000

Hash = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-f]{64}$")]
Agent = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-f]{40}$")]
Height = Annotated[int, Field(ge=0, lt=1 << 63)]
Count = Annotated[int, Field(ge=0, lt=1 << 63)]
Word = Annotated[str, StringConstraints(max_length=128)]


class SyncSummary(Answer):
    """Who answers. ``rules``: digest of what decides which memories a block leaves; ``settled``: every memory agent has taken
    in the blocks up to here.
    """

    version: Word
    rules: Hash
    partitions: Annotated[int, Field(ge=1, le=65_536)]
    head: Height | None
    settled: Height | None


class KeptHeights(Answer):
    """Heights of which a checkpoint is kept, rising."""

    heights: Annotated[list[Height], Field(max_length=KEPT_LIMIT)]


class KeptCheckpoint(Answer):
    """A block, and the digest of all that the log said up to it."""

    number: Height
    hash: Hash
    digest: Hash


class NodeView(Answer):
    """A node of the tree over agents."""

    digest: Hash
    count: Count


class SnapshotView(Answer):
    """What the store holds of the chain up to a block. ``ready``: it can be asked; until then ``agents`` were read so far."""

    id: Word
    number: Height
    hash: Hash
    ready: bool
    agents: Count
    shift: Annotated[int, Field(ge=0, le=63)]
    root: NodeView | None


class StretchView(Answer):
    """Digest of all facts of blocks up to the end of a stretch."""

    stretch: Height
    digest: Hash


class ChildrenView(Answer):
    """The 16 nodes below a node."""

    children: Annotated[list[NodeView], Field(min_length=CHILDREN, max_length=CHILDREN)]


class AgentDigest(Answer):
    """One agent. ``erased``: its keys were destroyed here."""

    agent: Agent
    digest: Hash
    erased: bool = False


class AgentsView(Answer):
    """All agents of a node."""

    agents: Annotated[list[AgentDigest], Field(max_length=AGENTS_LIMIT)]


class FactView(Answer):
    """A fact of a block about a memory."""

    op: Literal["UPSERT", "DELETE"]
    number: Height
    hash: Hash
    element: Hash


class RowView(Answer):
    """A memory, with the facts of blocks that stand for it."""

    memory_id: Hash
    facts: Annotated[list[FactView], Field(min_length=1, max_length=FACTS_LIMIT)]


class RowsView(Answer):
    """A page of an agent's memories. ``erased``: as in AgentDigest; ``unreadable``: the store cannot read its rows.

    ``next``: what the next page begins behind.
    """

    agent: Agent
    rows: Annotated[list[RowView], Field(max_length=ROWS_LIMIT)]
    erased: bool = False
    unreadable: bool = False
    next: Hash | None = None
