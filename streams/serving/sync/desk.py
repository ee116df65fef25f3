"""Answers to a partner: what this deployment's log and store say of the chain, as digests. Nothing of a private text.

Invariant: every answer is within the limits of ``wire.sync``, so that a partner may hold others to them.
"""

from __future__ import annotations

from blake3 import blake3

from schemas.codec import codec
from streams import __version__
from streams.core.block import BlockRef
from streams.core.sync.tree import DIGITS, Node
from streams.errors import MonmouthError
from streams.serving.addresses import to_hex
from streams.serving.chain import ChainReader
from streams.serving.faults import BadRequestError, ConflictError, LateError, NotKeptError
from streams.serving.progress import ProgressTable
from streams.serving.sync.kept import STREAM_AGENT, Kept
from streams.serving.sync.snapshots import Snapshot, Snapshots, StoreFacts
from streams.serving.wire.sync import (
    AGENTS_LIMIT,
    FACTS_LIMIT,
    KEPT_LIMIT,
    ROWS_LIMIT,
    AgentDigest,
    AgentsView,
    ChildrenView,
    FactView,
    KeptCheckpoint,
    KeptHeights,
    NodeView,
    RowsView,
    RowView,
    SnapshotView,
    StretchView,
    SyncSummary,
)


def rules_of(registered: frozenset[bytes]) -> bytes:
    """Digest of what decides which memories a block leaves: this version, and the agents recorded as counterparties."""
    return blake3(b"monmouth/sync/rules/1" + __version__.encode() + b"\0" + b"".join(sorted(registered))).digest()


class SyncDesk:
    """One gateway's answers."""

    def __init__(  # noqa: PLR0917  (parts of the gateway)
        self,
        chain: ChainReader,
        progress: ProgressTable,
        facts: StoreFacts,
        snapshots: Snapshots,
        partitions: int,
        rules: bytes,
    ) -> None:
        self._chain = chain
        self._progress = progress
        self._facts = facts
        self._snapshots = snapshots
        self._partitions = partitions
        self._rules = rules

    async def close(self) -> None:
        """Ends what is under way."""
        await self._snapshots.close()

    async def summary(self) -> SyncSummary:
        """Who answers, and how far it is."""
        await self._chain.barrier()
        head = self._chain.view.head
        return SyncSummary(
            version=__version__,
            rules=to_hex(self._rules),
            partitions=self._partitions,
            head=None if head is None else head.number,
            settled=await self._settled(),
        )

    async def heights(self) -> KeptHeights:
        """Heights of checkpoints that are kept, the newest of them if there are too many."""
        return KeptHeights(heights=list(await self._kept())[-KEPT_LIMIT:])

    async def checkpoint(self, number: int) -> KeptCheckpoint:
        """One of them. Raises NotKeptError."""
        kept = (await self._kept()).get(number)
        if kept is None:
            raise NotKeptError(f"no checkpoint of block {number} is kept", "Ask for the heights anew.")
        return KeptCheckpoint(number=kept.number, hash=to_hex(kept.hash), digest=to_hex(kept.digest))

    async def open(self, number: int, block_hash: bytes) -> SnapshotView:
        """Begins to digest the store as of a block. Raises ConflictError for one that is not part of the chain, LateError."""
        await self._chain.barrier()
        head = self._chain.view.head
        if head is None or number > head.number or not self._chain.view.holds(number, block_hash):
            raise ConflictError(f"block {number} is another one here, or not there", "Compare again.")
        settled = await self._settled()
        if settled is None or settled < number:
            raise LateError(f"block {number}: the memory agents have not taken it in", "Ask again when they have.")
        return _view(self._snapshots.open(BlockRef(number, block_hash, bytes(32))))

    def snapshot(self, name: str) -> SnapshotView:
        """How far it is. Raises NotFoundError."""
        return _view(self._snapshots.get(name))

    def stretch(self, name: str, stretch: int) -> StretchView:
        """Digest up to the end of a stretch of blocks. Raises NotFoundError, BadRequestError."""
        blocks = self._ready(name).blocks
        assert blocks is not None
        if stretch >= len(blocks):
            raise BadRequestError(f"there are {len(blocks)} stretches of blocks")
        return StretchView(stretch=stretch, digest=to_hex(blocks[stretch]))

    def children(self, name: str, prefix: str) -> ChildrenView:
        """The nodes below a node of the tree over agents. Raises NotFoundError, BadRequestError."""
        if len(prefix) >= DIGITS:
            raise BadRequestError("nothing lies below an agent")
        tree = self._ready(name).tree
        assert tree is not None
        return ChildrenView(children=[_node(node) for node in tree.children(prefix)])

    def agents(self, name: str, prefix: str) -> AgentsView:
        """All agents of a node of few. Raises NotFoundError, BadRequestError."""
        tree = self._ready(name).tree
        assert tree is not None
        if (count := tree.node(prefix).size) > AGENTS_LIMIT:
            raise BadRequestError(f"{count} agents lie there", f"Descend to a node of {AGENTS_LIMIT} at most.")
        return AgentsView(
            agents=[
                AgentDigest(agent=to_hex(agent), digest=to_hex(digest), erased=codec().erased(agent))
                for agent, digest in tree.agents(prefix, AGENTS_LIMIT)
            ]
        )

    async def rows(self, name: str, agent: bytes, after: bytes | None) -> RowsView:
        """A page of an agent's memories with their facts of blocks, as the store holds them now. Raises NotFoundError."""
        snapshot = self._ready(name)
        erased = codec().erased(agent)
        try:
            facts = await self._facts.of(agent, snapshot.block.number, after, ROWS_LIMIT + 1)
        except ConflictError:
            raise
        except MonmouthError:
            return RowsView(agent=to_hex(agent), rows=[], erased=erased, unreadable=True)
        rows: dict[bytes, list[FactView]] = {}
        for fact in facts:
            if fact.memory_id not in rows and len(rows) == ROWS_LIMIT + 1:
                break
            rows.setdefault(fact.memory_id, []).append(
                FactView(
                    op="UPSERT" if fact.upsert else "DELETE",
                    number=fact.number,
                    hash=to_hex(fact.block_hash),
                    element=to_hex(fact.element),
                )
            )
        if any(len(found) > FACTS_LIMIT for found in rows.values()):
            return RowsView(agent=to_hex(agent), rows=[], erased=erased, unreadable=True)
        page = [RowView(memory_id=to_hex(one), facts=found) for one, found in rows.items()][:ROWS_LIMIT]
        more = len(rows) > ROWS_LIMIT
        return RowsView(agent=to_hex(agent), rows=page, erased=erased, next=page[-1].memory_id if more else None)

    def _ready(self, name: str) -> Snapshot:
        snapshot = self._snapshots.get(name)
        if not snapshot.ready:
            raise ConflictError("the snapshot is still being made", "Ask again when it is ready.")
        return snapshot

    async def _kept(self) -> dict[int, Kept]:
        await self._chain.barrier()
        table = await self._progress.fresh_kept()
        return {number: kept for number, kept in table.items() if self._chain.view.holds(number, kept.hash)}

    async def _settled(self) -> int | None:
        """Height that every partition's memory agent has taken in."""
        standings = [await self._progress.fresh(STREAM_AGENT, partition) for partition in range(self._partitions)]
        blocks = [standing.block for standing in standings if standing is not None]
        numbers = [block.number for block in blocks if block is not None]
        return min(numbers) if len(numbers) == self._partitions else None


def _view(snapshot: Snapshot) -> SnapshotView:
    tree = snapshot.tree
    return SnapshotView(
        id=snapshot.id,
        number=snapshot.block.number,
        hash=to_hex(snapshot.block.hash),
        ready=snapshot.ready,
        agents=snapshot.agents,
        shift=snapshot.shift,
        root=None if tree is None else _node(tree.node()),
    )


def _node(node: Node) -> NodeView:
    return NodeView(digest=to_hex(node.digest), count=node.size)
