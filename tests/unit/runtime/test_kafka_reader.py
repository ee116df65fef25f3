"""What a reader says of a topic that is not there, and of a log that cannot be read to its end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import UnknownTopicOrPartitionError

from streams.ports.log import LogError, TopicPartition
from streams.runtime.kafka import known as module
from streams.runtime.kafka.names import Names
from streams.runtime.kafka.reader import HELD, KafkaReader
from streams.settings import KafkaSettings

PLACE = TopicPartition("dlq", 0)


class Nodes:
    """The metadata that a client holds; ``asked``: how often it was fetched before the topic was known."""

    unauthorized_topics: frozenset[str] = frozenset()

    def __init__(self, known_after: int) -> None:
        self.asked, self._known_after = 0, known_after
        self.cluster = self

    def partitions_for_topic(self, _topic: str) -> set[int] | None:
        return {0} if self.asked >= self._known_after else None

    async def fetch_all_metadata(self) -> Nodes:
        self.asked += 1
        return self

    def get_random_node(self) -> int:
        return 1

    async def send(self, _node: int, request: Any) -> Any:
        return SimpleNamespace(topics=[(UnknownTopicOrPartitionError.errno, topic) for topic in request._topics])


class Client:
    def __init__(self, known_after: int = 0) -> None:
        self._client = Nodes(known_after)

    async def beginning_offsets(self, partitions: list[Any]) -> dict[Any, int]:
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: list[Any]) -> dict[Any, int]:
        return dict.fromkeys(partitions, 7)

    def assign(self, _partitions: object) -> None:
        """Nothing to do."""

    def seek(self, _partition: object, _offset: int) -> None:
        """Nothing to do."""

    async def getmany(self, *_: object, **__: object) -> dict[Any, Any]:
        return {}

    async def position(self, _partition: object) -> int:
        return 3


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ASK_AGAIN_SECONDS", 0.001)
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0.05)


def reader(client: Client) -> KafkaReader:
    found = KafkaReader(KafkaSettings(), Names("p."))
    found._clients = cast("dict[str, AIOKafkaConsumer]", {"read_committed": client, "read_uncommitted": client})
    found._patience = -1.0
    return found


async def test_a_topic_that_nobody_made_is_named() -> None:
    with pytest.raises(LogError, match=r"there is no topic p\.dlq yet; `monmouth topics apply` makes it"):
        await reader(Client(known_after=1_000_000)).bounds([PLACE])


async def test_one_that_a_node_does_not_know_yet_is_waited_for() -> None:
    assert await reader(Client(known_after=2)).bounds([PLACE]) == {PLACE: (0, 7)}


async def test_a_transaction_that_stays_open_is_named_as_the_reason() -> None:
    with pytest.raises(LogError, match="dlq/0: nothing readable at 3, 7 was due") as stuck:
        [batch async for batch in reader(Client()).read_range(PLACE, 3, 7)]
    assert stuck.value.hint == HELD
