"""A worker asks a node that has just come up: what that does not know yet is not missing."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import TopicAuthorizationFailedError, UnknownTopicOrPartitionError

from streams.errors import ClusterAccessError, ConfigurationError
from streams.runtime.kafka import consumer as module
from streams.runtime.kafka import known
from streams.runtime.kafka.consumer import KafkaConsumer
from streams.runtime.kafka.names import Names
from streams.settings import KafkaSettings

UNKNOWN = UnknownTopicOrPartitionError.errno


async def checked(monkeypatch: pytest.MonkeyPatch, answers: Sequence[dict[str, int]], of_missing: int = UNKNOWN) -> int:
    """How often it asked; ``answers``: partitions by topic, the last one again and again; ``of_missing``: said of others."""
    monkeypatch.setattr(known, "ASK_AGAIN_SECONDS", 0.001)
    monkeypatch.setattr(known, "SETTLE_SECONDS", 0.05)
    asked: list[Any] = []

    class Client:
        async def fetch_all_metadata(self) -> Any:
            answer = answers[min(len(asked), len(answers) - 1)]
            asked.append(answer)
            own = {} if "none of ours" in answer else {f"p.{name}": 1 for name in module.OWN}
            return SimpleNamespace(partitions_for_topic=lambda topic: set(range((own | answer).get(topic, 0))) or None)

        def get_random_node(self) -> int:
            return 1

        async def send(self, _node: int, request: Any) -> Any:
            return SimpleNamespace(topics=[(of_missing, topic) for topic in request._topics])

    consumer = KafkaConsumer(KafkaSettings(), Names("p."), "agent", ["one", "two"])
    monkeypatch.setattr(consumer, "_consumer", SimpleNamespace(_client=Client()))
    await consumer._check_topics()
    return len(asked)


async def test_fetches_and_names_are_as_the_settings_say() -> None:
    settings = KafkaSettings(fetch_mib=7, partition_fetch_mib=3, instance_id="worker-7")
    client = KafkaConsumer(settings, Names("p."), "agent", ["one"])._consumer
    assert (client._fetch_max_bytes, client._max_partition_fetch_bytes) == (7 << 20, 3 << 20)
    assert client._group_instance_id == "worker-7"
    assert KafkaConsumer(KafkaSettings(), Names("p."), "agent", ["one"])._consumer._group_instance_id is None


async def test_it_asks_until_a_node_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await checked(monkeypatch, [{}, {"p.one": 2}, {"p.one": 2, "p.two": 2}]) == 3


async def test_what_stays_unknown_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"no topic p\.two"):
        await checked(monkeypatch, [{"p.one": 2}])


async def test_what_is_hidden_is_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClusterAccessError, match=r"deny READ and WRITE of topic p\.two"):
        await checked(monkeypatch, [{"p.one": 2}], TopicAuthorizationFailedError.errno)


async def test_unequal_partitions_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="differ in partitions"):
        await checked(monkeypatch, [{"p.one": 2, "p.two": 3}])


async def test_topics_that_an_older_version_did_not_have_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"no topic p\.checkpoints, p\.replays, p\.dlq\n.*`monmouth topics apply`"):
        await checked(monkeypatch, [{"p.one": 2, "p.two": 2, "none of ours": 0}])
