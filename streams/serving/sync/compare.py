"""Compares two deployments of one chain: the log by checkpoints, the stores by blocks and by agents.

Assumes nothing of either side but what it commits itself to (see ``partner``). Costs O(log n) questions in the number of
checkpoints and of blocks, and O(d log n) in agents for d that differ; nobody lists all agents.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from streams.core.sync.search import first_difference
from streams.core.sync.tree import WIDTH
from streams.serving.sync.findings import (
    AgentDifference,
    Divergence,
    Findings,
    MemoryDifference,
    Side,
    SideView,
    StoreFindings,
    Verdict,
)
from streams.serving.sync.partner import MovedError, OpenSnapshot, Partner, PartnerError, Rows
from streams.serving.wire.sync import AGENTS_LIMIT, KeptCheckpoint, NodeView, RowView, SyncSummary

LIMIT = 1_000
"""Agents that are named."""
ATTEMPTS = 3
PAUSE = 0.5


async def compare(here: Partner, there: Partner, limit: int = LIMIT) -> Findings:
    """What differs. Raises PartnerError; MovedError becomes one if it comes ``ATTEMPTS`` times."""
    for attempt in range(ATTEMPTS):
        try:
            return await _Comparison(here, there, limit).run()
        except MovedError as error:
            if attempt == ATTEMPTS - 1:
                raise PartnerError(f"tried {ATTEMPTS} times: {error.message}", error.hint) from None
            await asyncio.sleep(PAUSE * (attempt + 1))
    raise AssertionError


@dataclass
class _Comparison:
    here: Partner
    there: Partner
    limit: int
    _asked: dict[int, tuple[KeptCheckpoint, KeptCheckpoint]] = field(default_factory=dict)

    async def run(self) -> Findings:
        before = (self.here.requests, self.there.requests)
        mine, theirs = await asyncio.gather(self.here.summary(), self.there.summary())
        ours, others = await asyncio.gather(self.here.heights(), self.there.heights())
        settled = min(mine.settled if mine.settled is not None else -1, theirs.settled if theirs.settled is not None else -1)
        heights = [height for height in sorted({*ours} & {*others}) if height <= settled]
        if not heights:
            raise PartnerError(
                "no checkpoint is kept by both deployments",
                "Let workers take in some blocks on both sides; are the settings equal?",
            )
        divergence, at = await self._history(heights)
        stores = None if at is None else await self._stores(at)
        return Findings(
            verdict=_verdict(mine, theirs, divergence, stores),
            here=_side(mine),
            there=_side(theirs),
            same_rules=mine.rules == theirs.rules,
            compared_at=at and at.number,
            compared_hash=at and at.hash,
            checkpoints=len(heights),
            divergence=divergence,
            stores=stores,
            requests=(self.here.requests - before[0], self.there.requests - before[1]),
        )

    async def _history(self, heights: Sequence[int]) -> tuple[Divergence | None, KeptCheckpoint | None]:
        """The first difference of the logs, and the highest checkpoint that has the same block on both sides."""

        async def same_block(index: int) -> bool:
            mine, theirs = await self._both(heights[index])
            return mine.hash == theirs.hash

        async def same_digest(index: int) -> bool:
            mine, theirs = await self._both(heights[index])
            return mine.digest == theirs.digest

        fork = await first_difference(len(heights), same_block)
        at = (await self._both(heights[fork - 1]))[0] if fork else None
        first = await first_difference(fork, same_digest)
        if first == len(heights):
            return None, at
        mine, theirs = await self._both(heights[first])
        return Divergence(
            kind="log" if first < fork else "branch",
            after=heights[first - 1] if first else None,
            at=heights[first],
            here_hash=mine.hash,
            there_hash=theirs.hash,
        ), at

    async def _both(self, height: int) -> tuple[KeptCheckpoint, KeptCheckpoint]:
        found = self._asked.get(height)
        if found is None:
            found = self._asked[height] = await asyncio.gather(self.here.checkpoint(height), self.there.checkpoint(height))
        return found

    async def _stores(self, at: KeptCheckpoint) -> StoreFindings:
        mine, theirs = await asyncio.gather(self.here.open(at.number, at.hash), self.there.open(at.number, at.hash))
        if mine.root.digest == theirs.root.digest:
            return StoreFindings(equal=True)

        async def same(stretch: int) -> bool:
            one, other = await asyncio.gather(mine.stretch(stretch), theirs.stretch(stretch))
            return one == other

        count = (at.number >> mine.shift) + 1
        stretch = await first_difference(count, same)
        span = None if stretch == count else (stretch << mine.shift, ((stretch + 1) << mine.shift) - 1)
        descent = _Descent(mine, theirs, self.limit)
        await descent.below("", mine.root, theirs.root)
        agents = [await _agent(mine, theirs, *pair) for pair in descent.found[: self.limit]]
        blocks = [memory.block for agent in agents for memory in agent.memories]
        more = len(descent.found) > self.limit
        readable = all(agent.unreadable is None for agent in agents)
        if readable and not more and span and not (blocks and span[0] <= min(blocks) <= span[1]):
            raise MovedError("the blocks that differ are not those of the memories that differ", "Compare again.")
        return StoreFindings(equal=False, stretch=span, first_block=min(blocks, default=None), agents=agents, more=more)


@dataclass
class _Descent:
    """Goes down the two trees where they differ. ``found``: agents that do, with their digests; "" where one is missing."""

    mine: OpenSnapshot
    theirs: OpenSnapshot
    limit: int
    found: list[tuple[str, str, str]] = field(default_factory=list)

    async def below(self, prefix: str, mine: NodeView, theirs: NodeView) -> None:
        """Looks for agents that differ below two nodes that do."""
        if len(self.found) > self.limit:
            return
        if max(mine.count, theirs.count) <= AGENTS_LIMIT:
            await self._agents(prefix, mine, theirs)
            return
        ours, others = await asyncio.gather(self.mine.children(prefix, mine), self.theirs.children(prefix, theirs))
        for digit in range(WIDTH):
            if ours[digit].digest != others[digit].digest:
                await self.below(f"{prefix}{digit:x}", ours[digit], others[digit])

    async def _agents(self, prefix: str, mine: NodeView, theirs: NodeView) -> None:
        ours, others = await asyncio.gather(self.mine.agents(prefix, mine), self.theirs.agents(prefix, theirs))
        one, other = ({agent.agent: agent.digest for agent in side} for side in (ours, others))
        for agent in sorted({*one, *other}):
            if one.get(agent) != other.get(agent):
                self.found.append((agent, one.get(agent, ""), other.get(agent, "")))


async def _agent(mine: OpenSnapshot, theirs: OpenSnapshot, agent: str, one: str, other: str) -> AgentDifference:
    ours, others = await asyncio.gather(mine.rows(agent, one), theirs.rows(agent, other))
    return AgentDifference(
        agent=agent,
        side="both" if one and other else "here" if one else "there",
        erased=_where(ours.erased, others.erased),
        unreadable=_where(ours.unreadable, others.unreadable),
        memories=_memories(ours, others) if not (ours.unreadable or others.unreadable) else [],
    )


def _where(here: bool, there: bool) -> Side | None:
    if here and there:
        return "both"
    return "here" if here else "there" if there else None


def _memories(ours: Rows, others: Rows) -> list[MemoryDifference]:
    one, other = ({row.memory_id: row for row in side.rows} for side in (ours, others))
    found = []
    for memory_id in sorted({*one, *other}):
        mine, theirs = one.get(memory_id), other.get(memory_id)
        if mine is None or theirs is None or mine != theirs:
            number, block_hash = _lowest(mine, theirs)
            side: Side = "both" if mine and theirs else "here" if mine else "there"
            found.append(MemoryDifference(memory_id=memory_id, side=side, block=number, hash=block_hash))
    return found


def _lowest(mine: RowView | None, theirs: RowView | None) -> tuple[int, str]:
    """The lowest block of a fact that only one side has."""
    one, other = ({(fact.number, fact.hash, fact.element) for fact in row.facts} if row else set() for row in (mine, theirs))
    number, block_hash, _ = min(one ^ other)
    return number, block_hash


def _side(summary: SyncSummary) -> SideView:
    return SideView(version=summary.version, partitions=summary.partitions, head=summary.head, settled=summary.settled)


def _verdict(mine: SyncSummary, theirs: SyncSummary, divergence: Divergence | None, stores: StoreFindings | None) -> Verdict:
    if divergence is not None and divergence.kind == "branch":
        return "forked"
    damaged = stores is None or stores.more or any(agent.erased is None for agent in stores.agents)
    if divergence is not None or damaged:
        return "differs"
    if mine.head != theirs.head:
        return "behind" if (mine.head or 0) < (theirs.head or 0) else "ahead"
    return "equal"
