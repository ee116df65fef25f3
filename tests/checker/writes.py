"""Jepsen's classes about what was written: lost writes, duplicates, aborted reads, inconsistent offsets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from tests.checker.anomaly import Anomaly
from tests.checker.events import Abort, Ack, Entry, Poll, Send
from tests.checker.history import History, Place, name_of
from tests.checker.standing import fold


def lost_writes(history: History) -> Iterator[Anomaly]:
    """An acknowledged record is nowhere in its partition, though the partition was read whole."""
    held = {place: {name_of(item) for item in items} for place, items in history.logs.items()}
    committed = {ack.transaction for ack in history.of(Ack)}
    for send in history.of(Send):
        place = Place(send.topic, send.partition)
        if send.transaction in committed and place in held and send.id not in held[place]:
            yield Anomaly("lost write", str(place), f"{send.id} of committed transaction {send.transaction} is not in the log")


def duplicates(history: History) -> Iterator[Anomaly]:
    """One record lies at two offsets of a partition, and both stand: a block undone and added again is no duplicate."""
    for place, items in history.logs.items():
        offsets: dict[str, list[int]] = defaultdict(list)
        for entry in fold(items).entries:
            offsets[entry.id].append(entry.offset)
        for id_, at in offsets.items():
            if len(at) > 1:
                yield Anomaly("duplicate", str(place), f"{id_} stands at offsets {', '.join(map(str, sorted(at)))}")


def aborted_reads(history: History) -> Iterator[Anomaly]:
    """A record was read of which every write belongs to a transaction that is known to be aborted."""
    aborted = {abort.transaction for abort in history.of(Abort)}
    sends: dict[tuple[Place, str], list[Send]] = defaultdict(list)
    for send in history.of(Send):
        sends[Place(send.topic, send.partition), send.id].append(send)
    void = {key for key, all_ in sends.items() if all(send.transaction in aborted for send in all_)}
    for place, offset, id_ in sorted(set(_reads(history))):
        if (place, id_) in void:
            yield Anomaly("aborted read", str(place), f"{id_} at offset {offset} was read, and its transaction was aborted")


def inconsistent_offsets(history: History) -> Iterator[Anomaly]:
    """Two observers (a reader, the whole log, the broker's answer to the writer) disagree on what lies at an offset."""
    seen: dict[tuple[Place, int], set[str]] = defaultdict(set)
    for place, offset, id_ in _reads(history):
        seen[place, offset].add(id_)
    committed = {ack.transaction for ack in history.of(Ack)}
    for send in history.of(Send):
        if send.offset is not None and send.transaction in committed:
            seen[Place(send.topic, send.partition), send.offset].add(send.id)
    for (place, offset), ids in seen.items():
        if len(ids) > 1:
            yield Anomaly("inconsistent offset", str(place), f"offset {offset} was seen to hold {' and '.join(sorted(ids))}")


def _reads(history: History) -> Iterator[tuple[Place, int, str]]:
    for poll in history.of(Poll):
        for offset, id_ in poll.records:
            yield Place(poll.topic, poll.partition), offset, id_
    for place, items in history.logs.items():
        for item in items:
            if isinstance(item, Entry):
                yield place, item.offset, item.id
            else:
                yield place, item.offset, name_of(item)
