"""Recomputes one partition of a scale run from its input log, and compares with everything the workers committed.

Reads both logs once, side by side, in flat memory. Assumes nothing of the workers: input and output are cut into units by the
core's own assembler, which checks signatures, counts, digests and the order of markers, and each output record must be the very
bytes that the input before it asks for. Findings carry the class names of ``tests.checker``.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.codec import codec
from streams.core.marker import Marker
from streams.core.segment import Block, Undo, Unit
from tests.scale.ledger import digest, entry, row

KEEP = 64
"""Blocks whose events are remembered, since they may be undone."""
MOST = 20
"""Findings kept of a partition."""


@dataclass
class Verdict:
    """What one partition held. ``events``: records of the input; ``entries``: of the output. ``findings``: what was wrong."""

    partition: int
    events: int = 0
    entries: int = 0
    blocks: int = 0
    undone: int = 0
    position: int = 0
    findings: list[str] = field(default_factory=list)

    def find(self, kind: str, text: str) -> None:
        if len(self.findings) < MOST:
            self.findings.append(f"{kind}: partition {self.partition}: {text}")


class Oracle:
    """The ledger, folded by one thread."""

    def __init__(self) -> None:
        self.counts: Counter[bytes] = Counter()
        self._undoable: deque[list[bytes]] = deque(maxlen=KEEP)

    def due(self, unit: Unit) -> list[bytes]:
        """The output records of ``unit``."""
        if isinstance(unit, Undo):
            for _ in unit.marker.removed:
                self.counts.subtract(self._undoable.pop())
            return []
        if not isinstance(unit, Block):
            return []
        encode, values = codec().encode, []
        for record in unit.records:
            event = record.value
            self.counts[event["agent"]] += 1
            values.append(encode("Intent", entry(event, self.counts[event["agent"]])))
        self._undoable.append([record.value["agent"] for record in unit.records])
        return values

    @property
    def state(self) -> bytes:
        """The state digest that must stand."""
        return digest(sorted((agent, b"%d" % count) for agent, count in self.counts.items() if count))

    @property
    def rows(self) -> dict[bytes, int]:
        """The table that must stand."""
        return dict(self.counts)


class Check:
    """Takes the units of both logs in pairs, then what stands at the end. ``verdict`` says what it found."""

    def __init__(self, partition: int) -> None:
        self.verdict = Verdict(partition)
        self._oracle = Oracle()

    def pair(self, one: Unit | None, other: Unit | None) -> None:
        """The next unit of the input and of the output; None where a log has ended."""
        verdict = self.verdict
        if one is None:
            verdict.find("duplicate", f"the output has a {_name(other)} more than the input")
            return
        _count(verdict, one)
        due = self._oracle.due(one)
        if other is None:
            verdict.find("lost write", f"the output ends before {_name(one)}")
        elif _said(one.marker) != _said(other.marker):
            verdict.find("marker mismatch", f"{_name(other)} stands where {_name(one)} is due")
        else:
            _compare(verdict, one.marker, due, [record.raw for record in other.records] if isinstance(other, Block) else [])

    def standing(self, table: Mapping[bytes, Any], tip: Mapping[str, Any] | None) -> None:
        """``table``: newest row by agent. ``tip``: the stream agent's newest checkpoint."""
        _standing(self.verdict, self._oracle, table, tip)


def _count(verdict: Verdict, unit: Unit) -> None:
    verdict.position = unit.next_offset
    if isinstance(unit, Block):
        verdict.blocks += 1
        verdict.events += len(unit.records)
    elif isinstance(unit, Undo):
        verdict.undone += len(unit.marker.removed)


def _compare(verdict: Verdict, marker: Marker, due: Sequence[bytes], found: Sequence[bytes]) -> None:
    verdict.entries += len(found)
    if due == found:
        return
    lost, more = Counter(due) - Counter(found), Counter(found) - Counter(due)
    if lost:
        verdict.find("lost write", f"{lost.total()} of {len(due)} records of block {marker.block}")
    for value, times in more.items():
        verdict.find("duplicate" if value in due else "stale row", f"{times} records too many in block {marker.block}")
    if not lost and not more:
        verdict.find("order per key", f"records of block {marker.block} stand in another order")


def _standing(verdict: Verdict, oracle: Oracle, table: Mapping[bytes, Any], tip: Mapping[str, Any] | None) -> None:
    for agent, count in oracle.rows.items():
        if table.get(agent) != row(agent, count):
            verdict.find("stale row", f"the table says {table.get(agent)} of {agent.hex()}, which has {count}")
    for agent in table.keys() - oracle.rows.keys():
        verdict.find("stale row", f"the table knows {agent.hex()}, which never acted")
    if tip is None:
        verdict.find("commit hole", "no checkpoint says where the stream agent stands")
    elif tip["state_digest"] != oracle.state:
        verdict.find("digest mismatch", f"the state at {tip['block']['number']} is not the oracle's")
    elif list(tip["offsets"].values()) != [verdict.position]:
        verdict.find("commit hole", f"the stream agent stands at {tip['offsets']}, the input ends at {verdict.position}")


def _said(marker: Marker) -> tuple[Any, ...]:
    """What a forwarded marker keeps."""
    return marker.step, marker.sequence, marker.block, marker.head, marker.removed, marker.ancestor


def _name(unit: Unit | None) -> str:
    assert unit is not None
    return f"{unit.marker.step.value} {unit.marker.sequence} of block {unit.marker.block}"
