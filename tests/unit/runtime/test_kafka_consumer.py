"""A worker asks a node that has just come up: what that does not know yet is not missing."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from streams.errors import ConfigurationError
from streams.runtime.kafka import consumer as module
from streams.runtime.kafka.consumer import KafkaConsumer
from streams.runtime.kafka.names import Names
from streams.settings import KafkaSettings


async def checked(monkeypatch: pytest.MonkeyPatch, answers: Sequence[dict[str, int]]) -> int:
    """How often it asked; ``answers``: partitions by topic, the last one again and again."""
    monkeypatch.setattr(module, "ASK_AGAIN_SECONDS", 0.001)
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0.05)
    asked: list[Any] = []

    class Client:
        async def fetch_all_metadata(self) -> Any:
            answer = answers[min(len(asked), len(answers) - 1)]
            asked.append(answer)
            return SimpleNamespace(partitions_for_topic=lambda topic: set(range(answer.get(topic, 0))) or None)

    consumer = KafkaConsumer(KafkaSettings(), Names("p."), "agent", ["one", "two"])
    monkeypatch.setattr(consumer, "_consumer", SimpleNamespace(_client=Client()))
    await consumer._check_topics()
    return len(asked)


async def test_it_asks_until_a_node_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await checked(monkeypatch, [{}, {"p.one": 2}, {"p.one": 2, "p.two": 2}]) == 3


async def test_what_stays_unknown_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"no topic p\.two"):
        await checked(monkeypatch, [{"p.one": 2}])


async def test_unequal_partitions_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="differ in partitions"):
        await checked(monkeypatch, [{"p.one": 2, "p.two": 3}])
