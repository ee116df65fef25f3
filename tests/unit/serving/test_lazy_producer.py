"""One connection, made when it is needed, and another one where it broke."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError, OutOfOrderSequenceNumber

from streams.serving import lazy_producer as module
from streams.serving.lazy_producer import LazyProducer
from streams.settings import KafkaSettings

KAFKA = KafkaSettings(bootstrap="127.0.0.1:1")


class Fake:
    """A producer; the first ``refused`` ones do not come to be connected."""

    made: list[Fake]
    refused = 0

    def __init__(self, **options: Any) -> None:
        self.options, self.open = options, False
        Fake.made.append(self)

    async def start(self) -> None:
        await asyncio.sleep(0)
        if len(Fake.made) <= Fake.refused:
            raise KafkaConnectionError
        self.open = True

    async def stop(self) -> None:
        self.open = False


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> list[Fake]:
    Fake.made, Fake.refused = [], 0
    monkeypatch.setattr(module, "AIOKafkaProducer", Fake)
    return Fake.made


async def test_those_who_come_at_once_share_one(made: list[Fake]) -> None:
    lazy = LazyProducer(KAFKA, acks="all")
    assert made == []
    first, *others = await asyncio.gather(*(lazy.connected() for _ in range(5)))
    assert [first] * 4 == others and len(made) == 1
    assert made[0].options["acks"] == "all" and made[0].options["enable_idempotence"] is True
    await lazy.stop()
    await lazy.stop()
    assert not made[0].open


async def test_one_that_does_not_come_about_is_closed_and_made_anew(made: list[Fake], monkeypatch: pytest.MonkeyPatch) -> None:
    Fake.refused = 1
    lazy = LazyProducer(KAFKA)
    with pytest.raises(KafkaConnectionError):
        await lazy.connected()
    assert await lazy.connected() is made[1]
    assert [one.open for one in made] == [False, True]


async def test_one_that_is_broken_is_dropped_and_one_that_waits_is_kept(made: list[Fake]) -> None:
    lazy = LazyProducer(KAFKA)
    first = await lazy.connected()
    await lazy.failed(KafkaConnectionError())
    await lazy.failed(TimeoutError())
    assert await lazy.connected() is first
    await lazy.failed(OutOfOrderSequenceNumber())
    assert await lazy.connected() is made[1]
    assert [one.open for one in made] == [False, True]
