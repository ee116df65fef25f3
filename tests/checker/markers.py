"""Marker mismatch: a log that is not what its markers say. Digests are computed here, apart from the product's code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from blake3 import blake3

from tests.checker.anomaly import Anomaly
from tests.checker.events import Entry, Marker
from tests.checker.history import History


def digest_of(values: Iterable[str]) -> str:
    """BLAKE3 over values (hex) in log order, each behind its length as u32 little-endian; hex."""
    hasher = blake3()
    for value in map(bytes.fromhex, values):
        hasher.update(len(value).to_bytes(4, "little"))
        hasher.update(value)
    return hasher.hexdigest()


@dataclass
class _Reading:
    sequence: int | None = None
    chain: list[str] = field(default_factory=list)
    open: list[Entry] = field(default_factory=list)
    marked: bool = False


def marker_mismatches(history: History) -> Iterator[Anomaly]:
    """A marker whose count, digest, block, sequence or place in the chain is not that of the records before it.

    Sequences grow by one; a NEW block follows the one that stands; an UNDO removes blocks from the tip down, newest first,
    and nothing lies in front of it; behind the last marker there is no record of a block.
    """
    for place, items in history.logs.items():
        at = _Reading()
        for item in items:
            if isinstance(item, Entry):
                if item.block is not None:
                    at.open.append(item)
                continue
            for what in _faults(at, item):
                yield Anomaly("marker mismatch", str(place), f"marker {item.sequence} at {item.offset}: {what}")
            _follow(at, item)
        if at.marked and at.open:
            yield Anomaly("marker mismatch", str(place), f"{len(at.open)} records lie behind the last marker")


def _faults(at: _Reading, marker: Marker) -> Iterator[str]:
    if at.sequence is not None and marker.sequence != at.sequence + 1:
        yield f"{at.sequence + 1} was due"
    if marker.step != "NEW":
        if at.open:
            yield f"{len(at.open)} records of no block lie in front of it"
        if marker.step == "UNDO":
            yield from _undo_faults(at, marker)
        return
    if marker.count != len(at.open):
        yield f"it counts {marker.count} records, {len(at.open)} were read"
    elif marker.digest != digest_of(entry.value for entry in at.open):
        yield "its digest is not that of the records read"
    if strangers := [entry for entry in at.open if entry.block != marker.block]:
        yield f"{strangers[0].id} in front of it is of block {strangers[0].block}"
    if at.chain and marker.parent != at.chain[-1]:
        yield f"block {marker.block} does not follow {at.chain[-1]}"


def _undo_faults(at: _Reading, marker: Marker) -> Iterator[str]:
    if not marker.removed or tuple(at.chain[-len(marker.removed) :][::-1]) != marker.removed:
        yield "it removes blocks that are not the tip"
    below = at.chain[: -len(marker.removed)] if marker.removed else at.chain
    if below and marker.ancestor != below[-1]:
        yield f"it names {marker.ancestor} the ancestor, which is {below[-1]}"


def _follow(at: _Reading, marker: Marker) -> None:
    at.sequence, at.marked, at.open = marker.sequence, True, []
    if marker.step == "NEW":
        at.chain.append(marker.block)
    elif marker.step == "UNDO":
        gone = set(marker.removed)
        at.chain = [block for block in at.chain if block not in gone]
