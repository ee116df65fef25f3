"""An agent's state, now and before: what the six lattice queries ask besides context.

Assumes that the roots' history is as long as ``root_history`` says; what lies before is refused, never guessed.
Invariant: memories handed out as a state make the published root they are handed out with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.records import Memory, MemoryType
from streams.core.presence import NO_BLOCK
from streams.core.session import in_zone
from streams.partitions import partition_of
from streams.serving.addresses import to_hex
from streams.serving.context.history import Place, cursor_of, place_of, walk_name
from streams.serving.faults import ConflictError, LateError, NotFoundError, NotKeptError
from streams.serving.final_logs import LogTable, newest_entry
from streams.serving.progress import ProgressTable
from streams.serving.proofs import Prover
from streams.serving.reads import MemoryReads
from streams.serving.roots import Root, RootTable
from streams.serving.wire import Block, ItemProof, MemoryView
from streams.serving.wire.states import CheckpointView, StandingView, StateView, SyncView, TransitionsView, VerificationView

STREAM_AGENTS = ("memory", "embedding", "lattice")
"""Of which a checkpoint tells."""


@dataclass(frozen=True, slots=True)
class Past:
    """A root that stands on the chain; ``live``: nothing between it and the one of these before it was missed."""

    root: Root
    live: bool


class AgentStates:
    """Answers about states."""

    def __init__(  # noqa: PLR0917  (parts of the gateway)
        self,
        prover: Prover,
        reads: MemoryReads,
        roots: RootTable,
        logs: LogTable,
        progress: ProgressTable,
        partitions: int,
    ) -> None:
        self._prover = prover
        self._reads = reads
        self._roots = roots
        self._logs = logs
        self._progress = progress
        self._partitions = partitions

    async def state(self, agent: bytes, types: Sequence[MemoryType] | None, proofs: bool, limit: int) -> StateView:
        """The live memories of these types but those of open sessions, with the root of all. Raises as proofs do."""
        root, held, tree = await self._prover.whole(agent)
        memories = [memory for memory in held if not in_zone(memory)]
        chosen = _newest_first(memories, types)[:limit]
        shown = None
        if proofs:
            proven = [self._prover.proof_in(root, tree, memory["id"]) for memory in chosen]
            shown = [
                ItemProof(memory=MemoryView.of(memory), opening=proof.opening or "", proof=proof.proof)
                for memory, proof in zip(chosen, proven, strict=True)
            ]
        return StateView(
            agent=to_hex(agent),
            root=root.view(),
            counts=dict(sorted(Counter(memory["type"] for memory in memories).items())),
            items=[MemoryView.of(memory) for memory in chosen],
            proofs=shown,
            as_of=self._reads.as_of(),
        )

    async def verification(self, agent: bytes, expected: bytes, block: int | None) -> VerificationView:
        """Whether the state has this checksum or root, now or at a block. Raises NotFoundError, NotKeptError, LateError."""
        if block is None:
            root, exact = await self._prover.root(agent), True
            compared = [root]
        else:
            past = await self._standing(agent)
            place = _in_force(past, block)
            root = past[place].root
            compared = [seen.root for seen in past if seen.root.block == root.block]
            here = root.block is not None and root.block.number == block
            gap = place + 1 < len(past) and not past[place + 1].live  # perhaps of another root of the same block
            exact = len(compared) == 1 and not gap and (here or await self._unchanged(agent, past, place, block))
        matching = next((one for one in compared if expected in (one.checksum, one.merkle_root)), None)
        return VerificationView(
            agent=to_hex(agent),
            expected=to_hex(expected),
            matches=matching is not None,
            exact=exact,
            root=(matching or root).view(),
        )

    async def transitions(self, agent: bytes, start: int, end: int | None, limit: int) -> TransitionsView:
        """The changes of the root behind block ``start`` up to ``end``, the first ``limit`` of them. Raises NotKeptError."""
        past = await self._standing(agent)
        place = _in_force(past, start)
        behind = [seen for seen in past[place + 1 :] if end is None or seen.root.block is None or seen.root.block.number <= end]
        changes = [seen for before, seen in zip([past[place], *behind], behind, strict=False) if seen.root != before.root]
        return TransitionsView(
            agent=to_hex(agent),
            start=past[place].root.view(),
            changes=[seen.root.view() for seen in changes[:limit]],
            complete=len(changes) <= limit and all(seen.live for seen in behind),
        )

    async def sync(
        self, agent: bytes, since: int | None, types: Sequence[MemoryType] | None, cursor: str | None, limit: int
    ) -> SyncView:
        """A page of the live memories: all, those of blocks behind ``since`` and of commands, or those of some types."""
        walk = walk_name(agent, ("sync", since), None if types is None else sorted(types))
        place = None if cursor is None else place_of(cursor, walk)
        root, memories, _ = await self._prover.whole(agent)
        known = await self._known(agent, memories, since)
        wanted = [
            memory
            for memory in _newest_first(memories, types)
            if memory["id"] not in known
            and (place is None or (memory["timestamp"], memory["id"]) < (place.timestamp, place.memory_id))
        ]
        last = wanted[limit - 1] if len(wanted) > limit else None
        return SyncView(
            agent=to_hex(agent),
            root=root.view(),
            items=[MemoryView.of(memory) for memory in wanted[:limit]],
            live=sorted(to_hex(memory["id"]) for memory in memories) if place is None else None,
            next=None if last is None else cursor_of(Place(last["timestamp"], last["id"]), walk),
            as_of=self._reads.as_of(),
        )

    async def checkpoint(self, agent: bytes) -> CheckpointView:
        """The newest checkpoints of the agent's partition. Raises NotFoundError if there are none."""
        partition = partition_of(agent, self._partitions)
        standings = {name: await self._progress.fresh(name, partition) for name in STREAM_AGENTS}
        root = await self._roots.fresh(agent)
        logs = await self._logs.fresh_logs()
        found = {name: standing for name, standing in standings.items() if standing is not None}
        if not found:
            raise NotFoundError(f"no stream agent has a checkpoint of partition {partition}", "Are the workers running?")
        return CheckpointView(
            agent=to_hex(agent),
            partition=partition,
            stream_agents={
                name: StandingView(offsets=dict(standing.offsets), block=Block.of(standing.block))
                for name, standing in found.items()
            },
            root=None if root is None else root.view(),
            final=newest_entry(logs, partition),
        )

    async def _known(self, agent: bytes, memories: Sequence[Memory], since: int | None) -> set[bytes]:
        """Ids of those that a replica has, which took in block ``since``. An import is by command, whatever block it names."""
        if since is None:
            return set()
        old = [memory["id"] for memory in memories if memory["block"] is not None and memory["block"]["number"] <= since]
        rows = await self._reads.rows(agent, old)
        return {
            memory_id
            for memory_id, row in zip(old, rows, strict=True)
            if row is not None and all(fact.block_hash != NO_BLOCK for fact in row.presence.upserts)
        }

    async def _standing(self, agent: bytes) -> list[Past]:
        """The agent's roots whose blocks are part of the chain, oldest first."""
        history = await self._roots.history(agent)
        await self._reads.chain.barrier()
        view = self._reads.chain.view
        past, live = [], True
        for seen in history:
            live = live and seen.live
            if seen.root is not None and (seen.root.block is None or view.holds(seen.root.block.number, seen.root.block.hash)):
                past.append(Past(seen.root, live))
                live = True
        if not past:
            raise NotFoundError(f"no root of {to_hex(agent)} is known", "It has no memories yet, or they were removed.")
        return past

    async def _unchanged(self, agent: bytes, past: Sequence[Past], place: int, block: int) -> bool:
        """Whether the root at ``place`` is sure to have been in force at ``block``, which is later than its own."""
        if place + 1 < len(past):
            return False
        standing = await self._progress.fresh("lattice", partition_of(agent, self._partitions))
        at = None if standing is None else standing.block
        if at is None or at.number < block:
            raise LateError(f"block {block}: the lattice agent has not taken it in", "Ask again when it has.")
        if not self._reads.chain.view.holds(at.number, at.hash):
            raise ConflictError(f"the lattice agent stands at block {at.number} of a branch that was undone", "Ask again.")
        return True


def _in_force(past: Sequence[Past], block: int) -> int:
    """Place of the last root of a block not behind ``block``. Raises NotKeptError if the history does not reach back so far."""
    places = [place for place, seen in enumerate(past) if seen.root.block is None or seen.root.block.number <= block]
    if not places:
        first = past[0].root.block
        raise NotKeptError(
            f"roots are kept from block {first.number if first else 0} on",
            "Older roots of an agent are not kept; final states of its partition are, in /v1/logs.",
        )
    return places[-1]


def _newest_first(memories: Sequence[Memory], types: Sequence[MemoryType] | None) -> list[Memory]:
    chosen = [memory for memory in memories if types is None or memory["type"] in types]
    return sorted(chosen, key=lambda memory: (memory["timestamp"], memory["id"]), reverse=True)
