"""The simulated broker's logs and transactions.

A commit is decided in one step and then becomes visible partition by partition, offsets included, after delays of their own, as
on a real broker; a transactional id is fenced by epoch, waits for what its former owner decided, and times out when left open.
Control records take offsets; compaction leaves gaps. Invariants asserted on the way: committed offsets go back for a replay
alone, and lie within the log; a transaction that was not decided is never visible.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from streams import topics
from streams.errors import FencedError
from streams.ports.log import KeyValue, TopicPartition
from tests.chainlog import VERIFIER
from tests.sim.parameters import Parameters
from tests.sim.process import outside
from tests.sim.signatures import Remembering


@dataclass(eq=False)
class Transaction:
    """``outcome``: True committed, False aborted, None open. ``waiting``: partitions that have no control record of it yet.

    ``replays``: whether it says how far a replay has come, as one that moves an offset back must.
    """

    id: str
    outcome: bool | None = None
    waiting: set[TopicPartition] = field(default_factory=set)
    replays: bool = False
    offsets: dict[tuple[str, TopicPartition], int] = field(default_factory=dict)
    done: asyncio.Event = field(default_factory=asyncio.Event)


class Entry(NamedTuple):
    """One offset of a log; ``gone``: a control record, or compacted away."""

    offset: int
    key: bytes | None
    value: bytes | None
    transaction: Transaction | None = None
    gone: bool = False
    timestamp: int = 0


@dataclass(eq=False)
class Log:
    """One partition. ``opened``: first offset of each transaction not resolved here."""

    entries: list[Entry] = field(default_factory=list)
    opened: dict[Transaction, int] = field(default_factory=dict)

    @property
    def stable(self) -> int:
        """Last stable offset: nothing at or behind it is visible."""
        return min(self.opened.values(), default=len(self.entries))

    def visible(self, start: int, stop: int) -> Iterable[Entry]:
        for offset in range(start, min(stop, self.stable)):
            entry = self.entries[offset]
            if not entry.gone and (entry.transaction is None or entry.transaction.outcome):
                yield entry


class Broker:
    """``changed``: fires when something may have become visible. ``watch``: called with each partition that grew visibly.

    ``verifier``: of whatever reads its logs.
    """

    def __init__(self, parameters: Parameters, random: Random, note: Callable[[str, str], None]) -> None:
        self.parameters = parameters
        self.verifier = Remembering(VERIFIER)
        self.random = random
        self.note = note
        self.logs: dict[TopicPartition, Log] = {}
        self.committed: dict[tuple[str, TopicPartition], int] = {}
        self.epochs: dict[str, int] = {}
        self.open: dict[str, Transaction] = {}
        self.changed = asyncio.Event()
        self.watch: Callable[[TopicPartition], None] = lambda _: None

    def log(self, target: TopicPartition) -> Log:
        return self.logs.setdefault(target, Log())

    def append(self, target: TopicPartition, records: Iterable[KeyValue], transaction: Transaction | None = None) -> None:
        log = self.log(target)
        if transaction is not None:
            transaction.waiting.add(target)
            transaction.replays |= target.topic == topics.REPLAYS
            log.opened.setdefault(transaction, len(log.entries))
        for key, value in records:
            log.entries.append(Entry(len(log.entries), key, value, transaction))
        if transaction is None:
            self._grown(target)

    def read(self, topic: str, partition: int) -> list[KeyValue]:
        """Everything a read_committed reader sees."""
        log = self.log(TopicPartition(topic, partition))
        return [(entry.key, entry.value) for entry in log.visible(0, len(log.entries))]

    # Transactions.
    async def take_over(self, name: str) -> int:
        """The new epoch of a transactional id, once nothing of it is open or undecided."""
        epoch = self.epochs[name] = self.epochs.get(name, -1) + 1
        transaction = self.open.get(name)
        if transaction is not None:
            if transaction.outcome is None:
                self.decide(transaction, commit=False)
            await transaction.done.wait()
        return epoch

    def owned(self, name: str, epoch: int) -> None:
        """Raises FencedError if the id has a newer owner."""
        if self.epochs.get(name, -1) != epoch:
            raise FencedError(f"{name} is fenced")

    async def begin(self, name: str, epoch: int) -> Transaction:
        """A new transaction, after the last one of this id is visible everywhere."""
        while (last := self.open.get(name)) is not None:
            self.owned(name, epoch)
            assert last.outcome is not None, "a transaction is open"
            await last.done.wait()
        self.owned(name, epoch)
        transaction = self.open[name] = Transaction(name)
        timeout = self.parameters.transaction_timeout
        asyncio.get_running_loop().call_later(timeout, self._expire, transaction)
        return transaction

    def _expire(self, transaction: Transaction) -> None:
        if transaction.outcome is None:
            self.note("broker", f"timeout of {transaction.id}")
            self.epochs[transaction.id] += 1
            self.decide(transaction, commit=False)

    def decide(self, transaction: Transaction, *, commit: bool) -> None:
        """Commits or aborts, for good; control records follow."""
        assert transaction.outcome is None
        transaction.outcome = commit
        self.note("broker", f"{'commit' if commit else 'abort'} {transaction.id}")
        steps: list[TopicPartition | None] = [*sorted(transaction.waiting), None]
        self.random.shuffle(steps)
        if self.parameters.marker_delay:
            outside(self._resolve_slowly(transaction, steps))
        else:
            for step in steps:
                self._resolve(transaction, step)
            self._finished(transaction)

    async def _resolve_slowly(self, transaction: Transaction, steps: list[TopicPartition | None]) -> None:
        for step in steps:
            await asyncio.sleep(self.random.random() * self.parameters.marker_delay)
            self._resolve(transaction, step)
        self._finished(transaction)

    def _resolve(self, transaction: Transaction, target: TopicPartition | None) -> None:
        """Writes one control record; None stands for the partition of the group's offsets."""
        if target is not None:
            log = self.log(target)
            log.entries.append(Entry(len(log.entries), None, None, transaction, gone=True))
            del log.opened[transaction]
            self._grown(target)
        elif transaction.outcome:
            for (group, source), offset in transaction.offsets.items():
                forward = self.committed.get((group, source), 0) < offset
                assert forward or transaction.replays, f"{group}: offset of {source} went back to {offset}"
                assert offset <= self.log(source).stable, f"{group}: offset {offset} of {source} lies behind the log"
                self.committed[group, source] = offset

    def _finished(self, transaction: Transaction) -> None:
        if self.open.get(transaction.id) is transaction:
            del self.open[transaction.id]
        transaction.done.set()

    def _grown(self, target: TopicPartition) -> None:
        self.watch(target)
        self.wake()

    def wake(self) -> None:
        """Whoever waits for records looks again."""
        self.changed.set()
        self.changed = asyncio.Event()

    # Compaction.
    def compact(self) -> None:
        """Of every key of a compacted topic, drops all but the newest record, up to a random point below the stable offset."""
        for target in sorted(self.logs):
            spec = topics.TOPICS[target.topic]
            log = self.logs[target]
            if spec.cleanup != "compact" or log.stable < 2:
                continue
            self._compact(log, self.random.randrange(log.stable))

    def _compact(self, log: Log, stop: int) -> None:
        newest = {entry.key: entry.offset for entry in log.visible(0, stop)}
        tombstones = self.random.random() < 0.3  # those are kept for a while
        for entry in list(log.visible(0, stop)):
            last = newest[entry.key] == entry.offset
            if not last or (entry.value is None and tombstones):
                log.entries[entry.offset] = Entry(entry.offset, None, None, None, gone=True)
