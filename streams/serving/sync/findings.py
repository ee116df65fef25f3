"""What a comparison found, as data: the form of ``--json``, and of the text."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streams.serving.wire.base import Answer

Side = Literal["here", "there", "both"]
Verdict = Literal["equal", "behind", "ahead", "forked", "differs"]


class SideView(Answer):
    """One deployment. ``head``: of its log; ``settled``: what its memory agents have taken in."""

    version: str
    partitions: int
    head: int | None
    settled: int | None


class Divergence(Answer):
    """Equal at height ``after`` (None: nowhere that is kept), not at ``at``, and no checkpoint is kept between.

    ``kind``: "branch", other blocks; "log", the same blocks, of which other memories were made.
    """

    kind: Literal["branch", "log"]
    after: int | None
    at: int
    here_hash: str
    there_hash: str


class MemoryDifference(Answer):
    """A memory that is not the same: only on one ``side``, or on both and different. ``block``: lowest that it differs for."""

    memory_id: str
    side: Side
    block: int
    hash: str


class AgentDifference(Answer):
    """An agent that is not the same. ``erased``: where its keys were destroyed, if anywhere; that is no damage.

    ``unreadable``: where its rows cannot be read.
    """

    agent: str
    side: Side
    erased: Side | None = None
    unreadable: Side | None = None
    memories: list[MemoryDifference]


class StoreFindings(Answer):
    """Stores as of a block. ``first_block``: lowest of a fact that differs; it lies in the stretch that bisection found,
    ``stretch``. ``more``: agents beyond the limit differ too.
    """

    equal: bool
    stretch: tuple[int, int] | None = None
    first_block: int | None = None
    agents: list[AgentDifference] = Field(default_factory=list)
    more: bool = False


class Findings(Answer):
    """A whole comparison. ``compared_at``: the highest block with a checkpoint on both sides, of the same hash.

    ``requests``: how many questions each side was asked.
    """

    verdict: Verdict
    here: SideView
    there: SideView
    same_rules: bool
    compared_at: int | None
    compared_hash: str | None
    checkpoints: int
    divergence: Divergence | None
    stores: StoreFindings | None
    requests: tuple[int, int]
