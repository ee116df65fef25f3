"""Clean histories, made from a plan: a small perfect pipeline whose every event is recorded. No randomness: plans vary.

Partition 0 and 1 of ``in`` are written by a producer (block by block, undone and redone as the plan says, some transactions
aborted first), folded by group ``agent`` into ``out``, and the canonical ids into sink ``store``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Literal, NamedTuple

from tests.checker.events import (
    Abort,
    Ack,
    Answer,
    Applied,
    Assign,
    Chain,
    Commit,
    Digest,
    Distinct,
    Due,
    Entry,
    Event,
    Kill,
    Log,
    Marker,
    Poll,
    Row,
    Send,
    Start,
    Work,
)  # fmt: skip
from tests.checker.history import History
from tests.checker.markers import digest_of

PARTITIONS = 2
KEYS = 4


class Move(NamedTuple):
    """``n``: records of a block, or blocks to undo. ``redo`` brings the undone blocks back; ``retry`` aborts once before."""

    kind: Literal["block", "undo", "redo", "outside", "kill", "ask"]
    n: int = 1
    retry: bool = False


@dataclass
class _Block:
    name: str
    parent: str
    records: list[tuple[str, int]]  # (id, key)


@dataclass
class Pipeline:
    """Records everything it does in ``events``; ``logs`` at the end."""

    events: list[Event] = field(default_factory=list)
    logs: dict[tuple[str, int], list[Entry | Marker]] = field(default_factory=dict)
    chain: list[_Block] = field(default_factory=list)
    undone: list[_Block] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    sequence: int = -1
    at: float = 0.0
    ends: dict[tuple[str, int], int] = field(default_factory=dict)
    due: dict[int, int] = field(default_factory=dict)
    names: Iterator[int] = field(default_factory=count)
    transactions: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        for partition in range(PARTITIONS):
            for topic in ("in", "out"):
                self.logs[topic, partition] = []
                self.ends[topic, partition] = 0
            self.say(Assign(process="tap", topic="in", partition=partition, position=0))

    def say(self, event: Event) -> None:
        self.at += 0.25
        self.events.append(event.model_copy(update={"at": self.at}))

    def move(self, move: Move) -> None:
        if move.kind == "block":
            parent = self.chain[-1].name if self.chain else "genesis"
            name = f"b{next(self.names)}"
            self.add(
                _Block(name, parent, [(f"{name}.{i}", (i * i + len(name)) % KEYS) for i in range(move.n)]), retry=move.retry
            )
            self.undone = []
        elif move.kind == "undo":
            self.undo(min(move.n, len(self.chain) - 1))
        elif move.kind == "redo":
            again, self.undone = self.undone, []
            for block in again:
                self.add(block)
        elif move.kind == "outside":
            self.command(f"c{next(self.names)}", move.n % PARTITIONS)
        elif move.kind == "kill":
            self.say(Kill(process="worker", fault="kill"))
            self.say(Start(process="worker"))
            for partition in range(PARTITIONS):
                self.say(Assign(process="tap", topic="in", partition=partition, position=self.due.get(partition, 0)))
        else:
            rows = tuple((id_, block.name) for block in self.chain for id_, _ in block.records)
            self.say(Answer(process="gateway", sequence=self.sequence, until=self.sequence, rows=rows))

    def add(self, block: _Block, retry: bool = False) -> None:
        self.sequence += 1
        placed = [[r for r in block.records if r[1] % PARTITIONS == partition] for partition in range(PARTITIONS)]
        if retry:
            self.write(block, placed, Abort)
        self.write(block, placed, Ack)
        self.chain.append(block)
        for partition, records in enumerate(placed):
            first = self.ends["in", partition]
            entries = self.append("in", partition, block, records)
            self.follow(partition, first, entries)
            state = digest_of(id_.encode().hex() for b in self.chain for id_, key in b.records if key % PARTITIONS == partition)
            for source in ("agent", "oracle"):
                self.say(Digest(source=source, subject=f"state/{partition}", block=block.name, value=state))

    def write(self, block: _Block, placed: list[list[tuple[str, int]]], end: type[Ack | Abort]) -> None:
        name = f"t{next(self.transactions)}"
        for partition, records in enumerate(placed):
            lane = "in", partition
            for i, (id_, _) in enumerate(records):
                at = self.ends[lane] + i
                self.say(Send(process="producer", transaction=name, topic="in", partition=partition, id=id_, offset=at))
            if end is Abort:
                self.ends[lane] += len(records) + 1
        self.say(end(transaction=name))

    def append(self, topic: str, partition: int, block: _Block, records: list[tuple[str, int]]) -> list[Entry]:
        lane = topic, partition
        entries = [
            Entry(
                topic=topic, partition=partition, offset=self.ends[lane] + i, id=id_, key=f"k{key}", block=block.name,
                value=f"{topic} {id_}".encode().hex(), order=(int(block.name[1:]), i),
            )
            for i, (id_, key) in enumerate(records)
        ]  # fmt: skip
        self.mark(
            lane, entries, Marker(
                topic=topic, partition=partition, offset=self.ends[lane] + len(entries), step="NEW", sequence=self.sequence,
                block=block.name, parent=block.parent, count=len(entries), digest=digest_of(e.value for e in entries),
            ),
        )  # fmt: skip
        return entries

    def mark(self, lane: tuple[str, int], entries: list[Entry], marker: Marker) -> None:
        self.logs[lane] += [*entries, marker]
        self.ends[lane] = marker.offset + 2  # the transaction's own control record takes an offset

    def follow(self, partition: int, first: int, entries: list[Entry]) -> None:
        """The tap reads it, the agent processes it and commits."""
        marker = self.logs["in", partition][-1]
        records = (*((e.offset, e.id) for e in entries), (marker.offset, f"marker {self.sequence}"))
        self.say(Poll(process="tap", topic="in", partition=partition, records=records))
        self.due[partition] = marker.offset + 1
        lane = {"group": "agent", "topic": "in", "partition": partition}
        if isinstance(marker, Marker) and marker.step == "NEW":
            block = self.chain[-1]
            self.append("out", partition, block, [(e.id, int((e.key or "k0")[1:])) for e in entries])
        self.say(Work(group="agent", records=len(records)))
        self.say(Applied(**lane, offsets=tuple(offset for offset, _ in records)))
        self.say(Commit(**lane, position=marker.offset + 1))

    def undo(self, depth: int) -> None:
        if depth < 1:
            return
        self.sequence += 1
        self.undone = self.chain[-depth:]
        del self.chain[-depth:]
        removed = tuple(block.name for block in reversed(self.undone))
        for partition in range(PARTITIONS):
            for topic in ("in", "out"):
                lane = topic, partition
                self.mark(
                    lane, [], Marker(
                        topic=topic, partition=partition, offset=self.ends[lane], step="UNDO", sequence=self.sequence,
                        block=removed[0], removed=removed, ancestor=self.chain[-1].name,
                    ),
                )  # fmt: skip
            self.follow(partition, self.ends["in", partition], [])

    def command(self, id_: str, partition: int) -> None:
        name, lane = f"t{next(self.transactions)}", ("out", partition)
        at = self.ends[lane]
        self.say(Send(process="client", transaction=name, topic="out", partition=partition, id=id_, offset=at))
        self.say(Ack(transaction=name))
        self.logs[lane].append(Entry(topic="out", partition=partition, offset=at, id=id_, key=f"k{partition}"))
        self.ends[lane] = at + 2
        self.outside.append(id_)

    def finish(self) -> History:
        self.say(Chain(topic="in", partition=0))
        for (topic, partition), items in self.logs.items():
            self.say(Log(topic=topic, partition=partition, start=0, end=self.ends[topic, partition]))
            for item in items:
                self.say(item)
        for id_, block in [*((id_, b.name) for b in self.chain for id_, _ in b.records), *((c, None) for c in self.outside)]:
            self.say(Row(sink="store", id=id_, block=block))
            self.say(Due(sink="store", id=id_))
        total = sum(len(items) for (topic, _), items in self.logs.items() if topic == "in")
        self.say(Distinct(group="agent", records=total))
        return History(tuple(self.events))


def history(moves: list[Move]) -> History:
    """What a perfect pipeline leaves behind that is put through ``moves``. A block is laid first, so there is always one."""
    pipeline = Pipeline()
    for move in [Move("block", 5), *moves]:
        pipeline.move(move)
    return pipeline.finish()


PLAN = [
    Move("block", 6, retry=True), Move("outside"), Move("block", 3), Move("undo", 2), Move("block", 5), Move("ask"),
    Move("undo", 1), Move("redo"), Move("kill"), Move("block", 7), Move("ask"), Move("outside", 2), Move("block", 4),
]  # fmt: skip
"""A bit of everything."""
