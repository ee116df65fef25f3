"""Records outside blocks that a stream agent delivers to a place outside, tried again later where that fails for a while.

The copy that waits, the record's way on and the position commit in one transaction, so each record is settled once: delivered,
or among the dead letters. A delivery that was under way when its transaction failed is repeated, under the same origin.
Which failure goes which way: what can never pass (PoisonError) is dead at once; a place that is known to be away as a whole
(CircuitOpenError) holds the partition, since all of it would fail; anything else that may pass sets the one record aside.
Assumes the stream agent reads RETRIES. Invariant: see ``streams.core.deferral``; what waits is known from the topics alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from schemas.codec import codec
from streams import topics
from streams.agents.base import StreamAgent
from streams.core.deferral import MOST, Name, Waiting, next_tier
from streams.core.record import ERASED, Record
from streams.errors import Category, ConfigurationError, MonmouthError, PoisonError, Severity, may_pass
from streams.metrics import count_error
from streams.policy.errors import CircuitOpenError
from streams.ports.log import LogReader, TopicPartition
from streams.runtime import metrics
from streams.runtime.deadletter import dead_letter, unreadable
from streams.runtime.decode import decode
from streams.runtime.outbox import Outbox
from streams.topics import RETRIES


class FullError(MonmouthError):
    """As many wait as may. The partition is opened anew, and takes fewer at once until no more come in (``ripening``)."""

    category = Category.EXTERNAL
    severity = Severity.MEDIUM
    passes = True


class _Original(NamedTuple):
    """A record as it lay in its topic."""

    offset: int
    key: bytes | None
    value: bytes
    timestamp: int = 0


@dataclass(frozen=True, slots=True)
class _Try:
    """``attempts``: that have failed. ``reason``: of the last one."""

    record: Record
    attempts: int = 0
    error: str = ""
    reason: str = ""

    @property
    def name(self) -> Name:
        return self.record.topic, self.record.key


def check_defers(spec: type[StreamAgent]) -> None:
    """Raises ConfigurationError for a stream agent whose records cannot be put off without being overtaken."""
    if not spec.defers:
        return
    if spec.stateful or spec.keeps_state or spec.logs or spec.tables:
        raise ConfigurationError(
            f"stream agent {spec.name} cannot put records off: its state or its outputs depend on their order",
            "Leave out defers: a failure that may pass then holds the partition. See docs/stream-agents.md.",
        )
    if spec.inputs[-len(RETRIES) :] != RETRIES:
        raise ConfigurationError(f"stream agent {spec.name} puts records off and does not read {', '.join(RETRIES)}")


class Deferral:
    """Of one partition."""

    def __init__(self, agent: str, partition: int, prefix: str) -> None:
        self.waiting = Waiting()
        self._agent = agent
        self._partition = partition
        self._prefix = prefix

    async def load(self, reader: LogReader, positions: Mapping[str, int]) -> None:
        """Finds out what waits: the copies behind the position."""
        found: list[tuple[Name, int, int]] = []
        for tier, topic in enumerate(RETRIES):
            source = TopicPartition(topic, self._partition)
            _, stop = (await reader.bounds([source]))[source]
            async for messages in reader.read_range(source, positions[topic], stop):
                copies = (self._try(copy) for copy in decode(source, messages) if unreadable(copy) is None)
                found += [(one.name, one.record.offset, tier) for one in copies if one is not None]
        self.waiting = Waiting(found)

    async def take(self, record: Record, agent: StreamAgent, outbox: Outbox) -> None:
        """Settles a record, or sets it aside. Raises CircuitOpenError, FullError, and a defect of the stream agent."""
        one = self._try(record) if record.topic in RETRIES else _Try(record)
        if one is None or self._lost(one, outbox):
            return
        tier = self.waiting.place(one.name, one.record.offset)
        if tier is not None:
            self._aside(one, tier, outbox)
            return
        try:
            await agent.deliver(one.record)
        except PoisonError as error:
            self._dead(one, error, outbox)
        except Exception as error:
            if isinstance(error, CircuitOpenError) or not may_pass(error):
                raise
            self._failed(one, error, outbox)
        else:
            self.waiting.settle(one.name, one.record.offset)

    def _lost(self, one: _Try, outbox: Outbox) -> bool:
        """Whether its key went away while it waited: nobody acts on a record of an erased agent; others are dead letters."""
        fault = unreadable(one.record)
        if fault is None:
            return False
        if one.record.type != ERASED:
            outbox.dead_letter(one.record, *fault, attempts=max(1, one.attempts))
        self.waiting.settle(one.name, one.record.offset)
        return True

    def _failed(self, one: _Try, error: Exception, outbox: Outbox) -> None:
        said = error.message if isinstance(error, MonmouthError) else type(error).__name__
        again = _Try(one.record, one.attempts + 1, type(error).__name__, said)
        tier = next_tier(again.attempts)
        if tier is None:
            self._dead(again, error, outbox)
        else:
            count_error(error)
            self._aside(again, tier, outbox)

    def _aside(self, one: _Try, tier: int, outbox: Outbox) -> None:
        if self.waiting.full and not self.waiting.holds(one.name, one.record.offset):  # one that waits goes its way to its end
            raise FullError(f"{self._agent}/{self._partition}: {MOST} records wait to be tried again")
        letter = dead_letter(
            one.record, self._source(one.record), self._agent, one.error, one.reason, attempts=one.attempts, whole=True
        )
        outbox.again(RETRIES[tier], one.record.key, codec().encode("DeadLetter", letter))
        self.waiting.put(one.name, one.record.offset, tier)
        metrics.DEFERRED.labels(self._agent, RETRIES[tier]).inc()

    def _dead(self, one: _Try, error: Exception, outbox: Outbox) -> None:
        said = error.message if isinstance(error, MonmouthError) else type(error).__name__
        outbox.dead_letter(one.record, type(error).__name__, said, attempts=max(1, one.attempts), cause=error)
        self.waiting.settle(one.name, one.record.offset)

    def _source(self, record: Record) -> str:
        return topics.physical(self._prefix, record.topic)

    def _try(self, copy: Record) -> _Try | None:
        """What a copy says; None if another stream agent set it aside."""
        letter = copy.value
        if letter["stream_agent"] != self._agent or letter["value"] is None or letter["partition"] != self._partition:
            return None
        source = TopicPartition(topics.logical(self._prefix, letter["topic"]), letter["partition"])
        (record,) = decode(source, [_Original(letter["offset"], letter["key"], letter["value"])])
        return _Try(record, letter["attempts"], letter["error"], letter["reason"])
