"""Entries of a partition's log of final states, as the lattice agent publishes them: made by its own fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streams.agents.lattice import LatticeAgent
from tests.fakes import MemoryState
from tests.steps import block


def published(partition: int, count: int, fork: int = 0) -> list[dict[str, Any]]:
    """The LatticeLog records of ``count`` final blocks of branch ``fork`` above block 0."""
    agent = LatticeAgent(partition, MemoryState(), lambda _: bytes(32))
    parent, records = bytes(32), []
    for number in range(1, count + 1):
        ref = block(number, fork, parent)
        parent = ref.hash
        agent.apply(ref, [])
        records += [dict(emit.value or {}) for emit in agent.finalize(ref)]
    return records


def key_of(record: dict[str, Any]) -> bytes:
    """Key of a record in memory.roots."""
    return bytes(record["partition"].to_bytes(4, "big") + record["index"].to_bytes(8, "big"))


def roots_of(records: Sequence[dict[str, Any]]) -> list[str]:
    """Root of the log after each entry, as the API writes it."""
    return ["0x" + record["root"].hex() for record in records]
