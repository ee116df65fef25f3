"""A synthetic chain in the log: blocks, signed markers, undos, finality moves, as a block producer would write them.

``ChainLog`` keeps for each partition the list of (key, value) in log order, grouped in steps (one step per notification), and
the canonical chain with its records, which is what an oracle folds. Nothing random: callers pass what varies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka.partitioner import murmur2
from blake3 import blake3

from schemas.codec import codec
from streams import topics
from streams.core.block import BlockRef, Step
from streams.core.ids import content_id
from streams.core.marker import Marker, block_digest
from streams.signing import Signer, Verifier

CHAIN_ID = 1337
SIGNER = Signer(blake3(b"chainlog").digest())
VERIFIER = Verifier([SIGNER.public])
GENESIS = BlockRef(0, content_id("test/block", 0, b"genesis"), bytes(32))

KeyValue = tuple[bytes | None, bytes]


def address(n: int) -> bytes:
    """The n-th agent."""
    return blake3(b"agent%d" % n).digest(length=20)


def partition_of(key: bytes, partitions: int) -> int:
    """Kafka's default partitioner."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def transaction(block: BlockRef, index: int, agent: bytes, **fields: Any) -> dict[str, Any]:
    """A ChainTransaction record of ``agent``, its sender."""
    return {
        "chain_id": CHAIN_ID, "block": block.record(), "timestamp": 1_700_000_000 + block.number, "agent": agent,
        "role": "SENDER", "index": index, "hash": content_id("test/tx", block.hash, index), "type": 2, "sender": agent,
        "to": address(0), "nonce": index.to_bytes(8, "big"), "value": b"\x01", "gas": 21_000, "gas_price": b"\x01",
        "max_fee_per_gas": b"\x02", "max_priority_fee_per_gas": b"\x01", "max_fee_per_blob_gas": None, "input": b"",
        "tx_chain_id": CHAIN_ID, "access_list": [], "blob_versioned_hashes": [], "authorization_list": [], "v": b"\x01",
        "r": b"\x01", "s": b"\x02", "status": 1, "post_state_root": None, "gas_used": 21_000,
        "cumulative_gas_used": 21_000 * (index + 1), "logs_bloom": bytes(256), "contract_address": None, "logs": [],
    } | fields  # fmt: skip


@dataclass
class Written:
    """What one notification wrote: per partition the (key, value) list, marker last. ``step`` and ``sequence`` as in it."""

    step: Step
    sequence: int
    records: list[list[KeyValue]]
    markers: list[Marker]


@dataclass
class ChainLog:
    """Writes blocks onto the tip. ``blocks``: the canonical chain, oldest first, with each block's records per partition."""

    partitions: int = 2
    topic: str = topics.TRANSACTIONS
    signer: Signer = SIGNER
    steps: list[Written] = field(default_factory=list)
    blocks: list[tuple[BlockRef, list[list[tuple[bytes, str, dict[str, Any]]]]]] = field(default_factory=list)
    final: BlockRef | None = None
    parent: BlockRef = GENESIS

    @property
    def head(self) -> BlockRef:
        return self.blocks[-1][0] if self.blocks else self.parent

    @property
    def sequence(self) -> int:
        """Of the next notification."""
        return len(self.steps)

    def log(self, partition: int) -> list[KeyValue]:
        """All records of one partition, in order."""
        return [pair for step in self.steps for pair in step.records[partition]]

    def next_ref(self, fork: object = 0) -> BlockRef:
        """The ref a new block would get; ``fork`` tells siblings apart, equal forks of one parent are the same block."""
        head = self.head
        return BlockRef(head.number + 1, content_id("test/block", head.number + 1, head.hash, repr(fork).encode()), head.hash)

    def add(self, agents: Sequence[int] = (), fork: object = 0, **fields: Any) -> Written:
        """A block with one ChainTransaction per entry of ``agents`` (numbers of senders)."""
        ref = self.next_ref(fork)
        placed: list[list[tuple[bytes, str, dict[str, Any]]]] = [[] for _ in range(self.partitions)]
        for index, number in enumerate(agents):
            agent = address(number)
            record = transaction(ref, index, agent, **fields)
            placed[partition_of(agent, self.partitions)].append((agent, "ChainTransaction", record))
        return self.add_records(placed, ref)

    def add_records(self, placed: Sequence[Sequence[tuple[bytes, str, Mapping[str, Any]]]], ref: BlockRef) -> Written:
        """A block of the given records: per partition (key, schema name, record)."""
        values = [[(key, codec().encode(kind, record)) for key, kind, record in part] for part in placed]
        self.blocks.append((ref, [[(k, t, dict(r)) for k, t, r in part] for part in placed]))
        return self._step(Step.NEW, ref, values, timestamp=1_700_000_000 + ref.number)

    def undo(self, depth: int) -> Written:
        """Removes the newest ``depth`` blocks."""
        removed = tuple(ref for ref, _ in reversed(self.blocks[-depth:]))
        del self.blocks[-depth:]
        ancestor = self.blocks[-1][0] if self.blocks else self.parent
        return self._step(Step.UNDO, removed[0], [[] for _ in range(self.partitions)], removed=removed, ancestor=ancestor)

    def finalize(self, number: int) -> Written:
        """Moves the finality line to the canonical block of this height."""
        self.final = next(ref for ref, _ in self.blocks if ref.number == number)
        return self._step(Step.FINAL, self.final, [[] for _ in range(self.partitions)])

    def _step(self, step: Step, block: BlockRef, values: list[list[tuple[bytes, bytes]]], **fields: Any) -> Written:
        markers = [self._marker(step, block, partition, [v for _, v in part], fields) for partition, part in enumerate(values)]
        signed = [codec().encode("Marker", self.signer.sign("Marker", marker.record())) for marker in markers]
        records: list[list[KeyValue]] = [[*part, (None, mark)] for part, mark in zip(values, signed, strict=True)]
        self.steps.append(Written(step, self.sequence, records, markers))
        return self.steps[-1]

    def _marker(self, step: Step, block: BlockRef, partition: int, values: list[bytes], fields: dict[str, Any]) -> Marker:
        new = step is Step.NEW
        return Marker(
            step=step, chain_id=CHAIN_ID, sequence=self.sequence, topic=self.topic, partition=partition, block=block,
            head=self.head, final=self.final, count=len(values), digest=block_digest(values) if new else bytes(32), **fields,
        )  # fmt: skip
