"""Stream agents small enough to be their own oracle, on real topics and records.

``Copy`` (stateless) writes one Intent per transaction. ``Tally`` (stateful) counts transactions per agent in local state,
writes an Intent that carries the count to its log and the count to its table. What they should have written follows from the
canonical chain alone: see ``expected_counts``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

from blake3 import blake3

from schemas.codec import codec
from streams import topics
from streams.agents.base import Emit, LocalState, Record, StreamAgent
from streams.core.block import BlockRef
from streams.core.segment import Assembler, Block, Undo
from streams.errors import PoisonError
from streams.ports.log import TopicPartition
from streams.runtime.decode import decode
from streams.runtime.job import AgentFactory
from streams.signing import Verifier
from tests.chainlog import VERIFIER, ChainLog
from tests.fakelog import Entry

POISON = b"poison"
Pair = tuple[bytes | None, bytes | None]


def intent(record: dict[str, Any], text: str) -> dict[str, Any]:
    return {
        "chain_id": record["chain_id"], "block": record["block"], "timestamp": record["timestamp"], "agent": record["agent"],
        "transaction": record["hash"], "transaction_index": record["index"], "intent": "transfer", "confidence": 1.0,
        "method": None, "slots": {}, "text": text, "alternatives": [],
    }  # fmt: skip


def refuse_poison(record: Record) -> None:
    if record.value.get("input") == POISON or record.value.get("content") == POISON:
        raise PoisonError("this one can never be processed")


class Copy(StreamAgent):
    name: ClassVar[str] = "copy"
    inputs: ClassVar[tuple[str, ...]] = (topics.TRANSACTIONS,)
    logs: ClassVar[tuple[str, ...]] = (topics.INTENTS,)

    def apply(self, block: BlockRef | None, records: Sequence[Record]) -> Iterable[Emit]:
        for record in records:
            refuse_poison(record)
        return [Emit(topics.INTENTS, r.value["agent"], "Intent", intent(r.value, "copy")) for r in records]


class Tally(StreamAgent):
    name: ClassVar[str] = "tally"
    inputs: ClassVar[tuple[str, ...]] = (topics.TRANSACTIONS, topics.COMMANDS)
    logs: ClassVar[tuple[str, ...]] = (topics.INTENTS,)
    tables: ClassVar[tuple[str, ...]] = (topics.ROOTS,)
    stateful: ClassVar[bool] = True
    keeps_state: ClassVar[bool] = True

    def __init__(self, partition: int, state: LocalState) -> None:
        super().__init__(partition, state)
        self.touched: dict[bytes, None] = {}

    def apply(self, block: BlockRef | None, records: Sequence[Record]) -> Iterator[Emit]:
        for record in records:
            refuse_poison(record)
            prefix = b"c" if record.type == "MemoryCommand" else b"t"
            count = self._add(prefix, record.value["agent"], 1)
            if block is not None:
                yield Emit(topics.INTENTS, record.value["agent"], "Intent", intent(record.value, str(count)))

    def revert(self, block: BlockRef, records: Sequence[Record]) -> Iterable[Emit]:
        for record in reversed(records):
            refuse_poison(record)
            self._add(b"t", record.value["agent"], -1)
        return ()

    def emit_before_commit(self) -> list[Emit]:
        emits = [Emit(topics.ROOTS, agent, "LatticeRoot", root(agent, self._count(b"t" + agent))) for agent in self.touched]
        self.touched.clear()
        return emits

    def state_digest(self) -> bytes:
        return blake3(b"".join(key + value for key, value in self.state.scan(b"t"))).digest()

    def _count(self, key: bytes) -> int:
        return int(self.state.get(key) or 0)

    def _add(self, prefix: bytes, agent: bytes, amount: int) -> int:
        count = self._count(prefix + agent) + amount
        if count:
            self.state.put(prefix + agent, b"%d" % count)
        else:
            self.state.delete(prefix + agent)
        self.touched[agent] = None
        return count


def root(agent: bytes, count: int) -> dict[str, Any]:
    zero = bytes(32)
    return {"agent": agent, "count": count, "lattice": b"", "checksum": zero, "merkle_root": zero, "block": None}


def factory(spec: type[StreamAgent]) -> AgentFactory:
    return AgentFactory(spec, spec)


def expected_counts(chain: ChainLog, partition: int) -> Counter[bytes]:
    """Transactions per agent on the canonical chain."""
    return Counter(key for _, placed in chain.blocks for key, _, _ in placed[partition])


def live_output(
    pairs: Sequence[Pair], topic: str, partition: int, verifier: Verifier = VERIFIER
) -> list[tuple[BlockRef, list[Any]]]:
    """What stands in a marked topic: per live block its records, checked against its markers as any reader would."""
    assembler = Assembler(topic, partition, 0, lambda record: verifier.verify("Marker", record.value, record.raw), first=0)
    messages = [Entry(offset, key, value) for offset, (key, value) in enumerate(pairs)]
    live: list[tuple[BlockRef, list[Any]]] = []
    for unit in assembler.feed(decode(TopicPartition(topic, partition), messages)):
        if isinstance(unit, Block):
            live.append((unit.marker.block, [record.value for record in unit.records]))
        elif isinstance(unit, Undo):
            del live[-len(unit.marker.removed) :]
    assert assembler.waiting == 0
    return live


def expected_output(chain: ChainLog, partition: int, *, counted: bool) -> list[tuple[BlockRef, list[Any]]]:
    """What ``Tally`` (``counted``) or ``Copy`` must have standing in its log: the oracle."""
    counts: Counter[bytes] = Counter()
    expected = []
    for ref, placed in chain.blocks:
        records = []
        for key, _, value in placed[partition]:
            if value["input"] == POISON:
                continue
            counts[key] += 1
            records.append(intent(value, str(counts[key]) if counted else "copy"))
        expected.append((ref, records))
    return expected


def table(pairs: Sequence[Pair]) -> dict[bytes, Any]:
    """A compacted topic's latest records by key."""
    rows = {key: value for key, value in pairs if key is not None}
    return {key: codec().decode(value)[1] for key, value in rows.items() if value is not None}
