"""Copies in retry topics wait until they are due: each topic one pause, so what lies first is due first.

How late it is, the brokers' stamps say: no clock here is compared with theirs. It is at least as late there as the newest stamp
seen says, and since then as much time went by as here.
Where as many wait as may, nothing comes in that could have to wait too, until half of them are settled: copies go on.
Invariant: nothing is handed out before its pause is over, later it may be; what is held back is read again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from streams.core.deferral import Waiting
from streams.ports.log import LogConsumer, LogError, Message, TopicPartition
from streams.topics import RETRIES


class Ripening:
    """``pauses``: by place in RETRIES. ``seated``: whether a partition runs, so that what was paused for it may go on.
    ``waiting``: what waits in it. ``delivered``: topics of whose records some may have to wait.
    """

    def __init__(
        self,
        pauses: Sequence[float],
        seated: Callable[[int], bool],
        waiting: Callable[[int], Waiting | None],
        delivered: Sequence[str],
    ) -> None:
        self._pauses = dict(zip(RETRIES, pauses, strict=True))
        self._seated = seated
        self._waiting = waiting
        self._delivered = delivered
        self._ahead = float("-inf")

    def ripe(self, source: TopicPartition, messages: Sequence[Message], consumer: LogConsumer) -> Sequence[Message]:
        """Those that are due; the rest is read again when it is."""
        loop = asyncio.get_running_loop()
        if messages:
            self._ahead = max(self._ahead, messages[-1].timestamp / 1000 - loop.time())
        pause = self._pauses.get(source.topic)
        if pause is None:
            return () if self._shut(source, messages, consumer) else messages
        now = loop.time() + self._ahead
        due = 0
        while due < len(messages) and messages[due].timestamp / 1000 + pause <= now:
            due += 1
        if due < len(messages):
            first = messages[due]
            with suppress(LogError):  # no longer assigned
                consumer.seek(source, first.offset)
                consumer.pause([source])
                loop.call_later(first.timestamp / 1000 + pause - now, self._resume, source, consumer)
        return messages[:due]

    def _shut(self, source: TopicPartition, messages: Sequence[Message], consumer: LogConsumer) -> bool:
        waiting = self._waiting(source.partition) if source.topic in self._delivered else None
        if waiting is None or not waiting.full or not messages:
            return False
        with suppress(LogError):  # no longer assigned
            consumer.seek(source, messages[0].offset)
            consumer.pause([source])
        return True

    def reopen(self, number: int, consumer: LogConsumer) -> None:
        """Lets what could have to wait come in again, where there is room. Raises LogError."""
        waiting = self._waiting(number)
        if waiting is not None and waiting.roomy:
            consumer.resume([TopicPartition(topic, number) for topic in self._delivered])

    def _resume(self, source: TopicPartition, consumer: LogConsumer) -> None:
        if self._seated(source.partition):  # else it is resumed when the partition is opened
            with suppress(LogError):
                consumer.resume([source])
