"""The log as the runtime sees it: a thin client interface, so that a simulator or another client library can take its place.

Topics are logical names; the implementation adds the prefix. Reads are read_committed: records of open and aborted
transactions are never seen, so offsets may have gaps. Errors: LogError for what may pass (the caller builds the part anew and
goes on from durable positions), FencedError where another owner took over, PositionLostError where the log no longer holds a
position. After any error of a producer it is closed and never used again: the outcome of its transaction is unknown.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from streams.errors import Category, MonmouthError, Severity


class LogError(MonmouthError):
    """The log did not answer, or not clearly. What was under way may or may not have happened."""

    category = Category.NETWORK
    severity = Severity.MEDIUM
    passes = True


class TopicPartition(NamedTuple):
    """One partition of a logical topic."""

    topic: str
    partition: int


class Message(Protocol):
    """One record as it lies in the log."""

    @property
    def offset(self) -> int: ...

    @property
    def key(self) -> bytes | None: ...

    @property
    def value(self) -> bytes | None: ...

    @property
    def timestamp(self) -> int:
        """Milliseconds since 1970, when the broker took it (the topics say LogAppendTime): the same in every reading. 0 or
        less: not known, as in an archive of an earlier version.
        """


KeyValue = tuple[bytes | None, bytes | None]


class RebalanceListener(Protocol):
    """Called while the group changes, before any further ``getmany`` returns records of the new assignment."""

    async def revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Everything held so far is given up. May wait for work in flight."""

    async def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """These are held now. Must be quick: no heartbeat is sent meanwhile."""


class LogConsumer(Protocol):
    """A member of a consumer group. Partition n of all its topics goes to the same member."""

    async def start(self, listener: RebalanceListener) -> None:
        """Joins the group in the background. Raises LogError, ConfigurationError."""

    async def getmany(self, *, timeout_ms: int, max_records: int) -> Mapping[TopicPartition, Sequence[Message]]:
        """Next records, none of a partition that is paused or held. Never call it while holding what ``revoked`` waits for.

        Raises LogError, PositionLostError, InstanceFencedError.
        """

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Sets the position; records fetched before are dropped."""

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """No records of these until ``resume``."""

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """The inverse of ``pause``."""

    def hold(self, partitions: Collection[TopicPartition]) -> None:
        """No records of these until ``release``, while they are worked on: what was fetched ahead is kept."""

    def release(self, partitions: Collection[TopicPartition]) -> None:
        """The inverse of ``hold``; a ``getmany`` under way takes it into account."""

    def caught_up(self, partition: TopicPartition) -> bool:
        """Whether nothing is left to read, as far as the broker has said; False for a partition not held."""

    async def committed(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int | None]:
        """Offsets committed for the group; None where there is none."""

    async def stop(self) -> None:
        """Leaves the group. Safe to call twice."""


class LogReader(Protocol):
    """Reads ranges of the log outside any group. One read at a time."""

    async def bounds(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """First offset, and the offset after the last record of all, also of transactions still open."""

    def read_range(self, partition: TopicPartition, start: int, stop: int) -> AsyncIterator[Sequence[Message]]:
        """Records with ``start`` <= offset < ``stop``, in batches. Waits for transactions still open in front of ``stop``.

        Raises PositionLostError if ``start`` lies before the log, LogError if no progress is made for long.
        """

    async def close(self) -> None:
        """Safe to call twice."""


class LogProducer(Protocol):
    """A transactional producer. All methods may raise FencedError and LogError."""

    async def start(self) -> None:
        """Takes over the transactional id: ends and fences what a former owner left open."""

    async def begin(self) -> None:
        """Opens a transaction."""

    async def send(
        self,
        outputs: Mapping[TopicPartition, Iterable[KeyValue]],
        headers: Mapping[bytes, list[tuple[str, bytes]]] = ...,
    ) -> None:
        """Writes records in order per partition; returns when all are acknowledged. ``headers``: of records, by value."""

    async def send_offsets(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Adds offsets of the consumer group to the transaction."""

    async def commit(self) -> None:
        """Makes the transaction visible. On LogError it may or may not be."""

    async def abort(self) -> None:
        """Drops the transaction."""

    async def close(self) -> None:
        """Never raises, never waits long; an open transaction is left to the next owner or to its timeout."""


class LogClient(Protocol):
    """Makes the parts."""

    def consumer(self, group: str, topics: Sequence[str]) -> LogConsumer:
        """A member of ``group`` on ``topics``."""

    def reader(self) -> LogReader:
        """A reader."""

    def producer(self, group: str, partition: int) -> LogProducer:
        """The producer of one input partition of ``group``; its transactional id is theirs alone."""
