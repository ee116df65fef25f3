"""How far a stream agent is behind in each of its partitions: the age of the oldest record that waits, not a count of offsets.

Assumes record timestamps are set when a record is written, as producers of the pipeline do. A partition that has nothing to
read is 0 behind. Between two polls the first record of the last batch stands for the next one, so a partition that runs is
never said to be less behind than it is; one that is being opened is, for the first second.
Invariant: a gauge exists for the partitions of the current share, and for no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial

from streams import wall
from streams.errors import MonmouthError
from streams.ports.log import LogClient, LogConsumer, TopicPartition
from streams.runtime import metrics

OPENING_SECONDS = 1.0


class Lateness:
    """That of one stream agent in one worker."""

    def __init__(self, agent: str, now: Callable[[], float] = wall.time_of_day) -> None:
        self._agent = agent
        self._now = now
        self._since: dict[int, dict[str, float]] = {}

    def share(self, numbers: Collection[int]) -> None:
        """These partitions are held from now on."""
        for number in self._since.keys() - set(numbers):
            with suppress(KeyError):
                metrics.SECONDS_BEHIND.remove(self._agent, str(number))
        self._since = {number: self._since.get(number, {}) for number in numbers}
        for number in numbers:
            metrics.SECONDS_BEHIND.labels(self._agent, str(number)).set_function(partial(self.seconds, number))

    def seconds(self, number: int) -> float:
        """Age of what waits in a partition; called by the threads that serve metrics too."""
        since = list(self._since.get(number, {}).values())
        return max(0.0, self._now() - min(since)) if since else 0.0

    def waits(self, source: TopicPartition, timestamp_ms: int) -> None:
        """A record with this timestamp is the next of ``source``."""
        if source.partition in self._since:
            self._since[source.partition][source.topic] = timestamp_ms / 1000

    def look(self, source: TopicPartition, consumer: LogConsumer) -> None:
        """Asks what is left after work."""
        held = self._since.get(source.partition)
        if held is None:
            return
        if consumer.caught_up(source):
            held.pop(source.topic, None)
        else:
            held.setdefault(source.topic, self._now())

    async def look_ahead(self, sources: Sequence[TopicPartition], consumer: LogConsumer, client: LogClient) -> None:
        """Reads the first record that waits, where opening the partition takes long. Cancelled when that is done."""
        await asyncio.sleep(OPENING_SECONDS)
        reader = client.reader()
        try:
            committed, bounds = await consumer.committed(sources), await reader.bounds(sources)
            for source in sources:
                first, stop = bounds[source]
                async for messages in reader.read_range(source, max(committed[source] or 0, first), stop):
                    self.waits(source, messages[0].timestamp)
                    break
        except MonmouthError:  # whoever opens it meets the same trouble, and says so
            pass
        finally:
            await reader.close()
