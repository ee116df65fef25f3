"""The stream agent of a scale run: numbers each agent's records, in state that must go back with every undo.

Its output is a function of its input log alone, so that a reader of both logs can recompute every record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from blake3 import blake3

from streams.agents.base import Emit, LocalState, Record, StreamAgent
from streams.core.block import BlockRef

EVENTS, ENTRIES, COUNTS = "scale.events", "scale.entries", "scale.counts"


def entry(event: Mapping[str, Any], number: int) -> dict[str, Any]:
    """The record that says ``event`` is its agent's ``number``-th."""
    return {**event, "text": str(number)}


def row(agent: bytes, count: int) -> dict[str, Any]:
    """The table's record: how many stand."""
    zero = bytes(32)
    return {"agent": agent, "count": count, "lattice": b"", "checksum": zero, "merkle_root": zero, "block": None}


def digest(counts: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Of (agent, count as decimal digits) in order of agents."""
    return blake3(b"".join([key + value for key, value in counts])).digest()


class Ledger(StreamAgent):
    """One entry per event; a row per agent touched."""

    name: ClassVar[str] = "ledger"
    inputs: ClassVar[tuple[str, ...]] = (EVENTS,)
    logs: ClassVar[tuple[str, ...]] = (ENTRIES,)
    tables: ClassVar[tuple[str, ...]] = (COUNTS,)
    stateful: ClassVar[bool] = True
    keeps_state: ClassVar[bool] = True

    def __init__(self, partition: int, state: LocalState) -> None:
        super().__init__(partition, state)
        self.touched: dict[bytes, None] = {}

    def apply(self, block: BlockRef | None, records: Sequence[Record]) -> Iterator[Emit]:
        for record in records:
            event = record.value
            yield Emit(ENTRIES, event["agent"], "Intent", entry(event, self._add(event["agent"], 1)))

    def revert(self, block: BlockRef, records: Sequence[Record]) -> Iterable[Emit]:
        for record in records:
            self._add(record.value["agent"], -1)
        return ()

    def emit_before_commit(self) -> list[Emit]:
        emits = [Emit(COUNTS, agent, "LatticeRoot", row(agent, self._count(agent))) for agent in self.touched]
        self.touched.clear()
        return emits

    def state_digest(self) -> bytes:
        return digest(self.state.scan(b""))

    def _count(self, agent: bytes) -> int:
        return int(self.state.get(agent) or 0)

    def _add(self, agent: bytes, amount: int) -> int:
        count = self._count(agent) + amount
        if count:
            self.state.put(agent, b"%d" % count)
        else:
            self.state.delete(agent)
        self.touched[agent] = None
        return count
