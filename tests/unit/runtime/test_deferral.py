"""Records that are tried again later, by the real loop over an in-memory log: settled once, in the order of their key."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
from prometheus_client import REGISTRY

from schemas.codec import codec
from schemas.defaults import plain_command
from streams import topics
from streams.agents.base import Delivery, Record, StreamAgent
from streams.errors import ConfigurationError, PoisonError, StoreError
from streams.policy import CircuitOpenError
from streams.ports.log import TopicPartition
from streams.runtime.deferral import check_defers
from streams.runtime.job import AgentFactory
from tests.chainlog import ChainLog, partition_of
from tests.fakelog import FakeBroker
from tests.unit.runtime.driving import FAST, publish, settings, until, worker
from tests.unit.runtime.test_loop import grown

QUICK = replace(FAST, pauses=(0.05, 0.1, 0.2))
AGENTS = [bytes([number]) * 20 for number in range(1, 5)]
COMMANDS = topics.COMMANDS


class Place:
    """Outside. ``fails``: failures left by text; ``poison``: texts it never takes; ``away``: it is not asked at all."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, str]] = []
        self.fails: Counter[str] = Counter()
        self.poison: set[str] = set()
        self.away = False
        self.asked = 0

    async def take(self, record: Record) -> None:
        await asyncio.sleep(0)
        self.asked += 1
        text = record.value["content"].decode()
        if self.away:
            raise CircuitOpenError("place", 1.0)
        if text in self.poison:
            raise PoisonError("never")
        if self.fails[text] > 0:
            self.fails[text] -= 1
            raise StoreError("it does not answer")
        self.got.append((record.value["agent"], text))


class Post(Delivery):
    name: ClassVar[str] = "post"
    inputs: ClassVar[tuple[str, ...]] = (topics.TRANSACTIONS, COMMANDS, *topics.RETRIES)
    place: ClassVar[Place]

    async def deliver(self, record: Record) -> None:
        await self.place.take(record)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    found = Place()
    monkeypatch.setattr(Post, "place", found, raising=False)
    return found


def post() -> AgentFactory:
    return AgentFactory(Post, Post)


def say(broker: FakeBroker, chain: ChainLog, agent: bytes, text: str) -> None:
    command = plain_command(text.encode().ljust(16, b"."), agent, "STORE", 1)
    value = codec().encode("MemoryCommand", {**command, "content": text.encode()})
    broker.append(TopicPartition(COMMANDS, partition_of(agent, chain.partitions)), [(agent, value)])


def letters(broker: FakeBroker) -> dict[str, tuple[str, int]]:
    found = {}
    for _, value in broker.read(topics.DLQ, 0):
        assert value is not None
        letter = codec().decode(value)[1]
        found[codec().decode(letter["value"])[1]["content"].decode()] = (letter["error"], letter["attempts"])
    return found


def by_agent(place: Place) -> dict[bytes, list[str]]:
    found: defaultdict[bytes, list[str]] = defaultdict(list)
    for agent, text in place.got:
        found[agent].append(text)
    return dict(found)


async def test_what_fails_for_a_while_comes_again_and_nothing_of_its_key_overtakes_it(tmp_path: Path, place: Place) -> None:
    broker, chain = FakeBroker(), grown()
    publish(broker, chain)
    place.fails.update({"0-1": 1, "1-0": 3, "1-2": 2})
    texts = {agent: [f"{number}-{place_}" for place_ in range(5)] for number, agent in enumerate(AGENTS)}
    for agent, own in texts.items():
        for text in own:
            say(broker, chain, agent, text)
    async with worker(broker, settings(tmp_path), [post()], QUICK) as task:
        await until(lambda: len(place.got) == 20, task, 20)
    assert by_agent(place) == texts
    assert letters(broker) == {}
    order = [text for _, text in place.got]
    assert max(order.index("2-4"), order.index("3-4")) < order.index("1-0")  # other keys did not wait


async def test_what_waits_for_its_next_try_is_not_late_and_counts_as_deferred(tmp_path: Path, place: Place) -> None:
    broker, chain = FakeBroker(), grown()
    publish(broker, chain)
    number = str(partition_of(AGENTS[0], chain.partitions))
    behind = {"agent": "post", "partition": number}, "monmouth_runtime_seconds_behind"
    deferred = {"agent": "post", "topic": topics.RETRIES[0]}, "monmouth_runtime_deferred_total"
    before = REGISTRY.get_sample_value(*reversed(deferred)) or 0.0
    place.fails["once"] = 1
    say(broker, chain, AGENTS[0], "once")
    async with worker(broker, settings(tmp_path), [post()], QUICK) as task:
        await until(lambda: len(place.got) == 1, task)
        await until(lambda: REGISTRY.get_sample_value(*reversed(behind)) == 0.0, task)
    assert REGISTRY.get_sample_value(*reversed(deferred)) == before + 1


async def test_after_the_last_pause_it_is_a_dead_letter_and_those_behind_it_go_on(tmp_path: Path, place: Place) -> None:
    broker, chain = FakeBroker(), grown()
    publish(broker, chain)
    place.fails["lost"] = 99
    place.poison.add("poison")
    for text in ("lost", "poison", "last"):
        say(broker, chain, AGENTS[0], text)
    async with worker(broker, settings(tmp_path), [post()], QUICK) as task:
        await until(lambda: len(place.got) == 1, task, 20)
    assert place.got == [(AGENTS[0], "last")]
    assert letters(broker) == {"lost": ("StoreError", 4), "poison": ("PoisonError", 1)}


async def test_what_waits_is_known_again_after_a_restart(tmp_path: Path, place: Place) -> None:
    broker, chain = FakeBroker(), grown()
    publish(broker, chain)
    place.fails["first"] = 2
    slow = replace(FAST, pauses=(0.4, 0.4, 0.4))
    say(broker, chain, AGENTS[0], "first")
    async with worker(broker, settings(tmp_path), [post()], slow) as task:
        await until(lambda: place.asked == 1, task)
    say(broker, chain, AGENTS[0], "second")
    async with worker(broker, settings(tmp_path), [post()], slow) as task:
        await asyncio.sleep(0.2)
        assert place.got == []  # the second one waits behind the first
    async with worker(broker, settings(tmp_path), [post()], slow) as task:
        await until(lambda: len(place.got) == 2, task, 20)
    assert [text for _, text in place.got] == ["first", "second"]


async def test_a_place_that_is_away_as_a_whole_holds_the_partition(tmp_path: Path, place: Place) -> None:
    broker, chain = FakeBroker(), grown()
    publish(broker, chain)
    place.away = True
    for text in ("a", "b"):
        say(broker, chain, AGENTS[0], text)
    async with worker(broker, settings(tmp_path), [post()], QUICK) as task:
        await until(lambda: place.asked > 3, task)
        retried = [broker.read(name, number) for name in topics.RETRIES for number in range(chain.partitions)]
        assert not any(retried)
        place.away = False
        await until(lambda: len(place.got) == 2, task)
    assert [text for _, text in place.got] == ["a", "b"]


async def test_where_as_many_wait_as_may_those_go_on_to_their_end_and_the_others_come_after(
    tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.core.deferral.MOST", 4)
    broker, chain = FakeBroker(), grown()
    publish(broker, chain)
    texts = [f"{number}" for number in range(20)]
    place.fails.update({"0": 99, "7": 2})
    for text in texts:
        say(broker, chain, AGENTS[0], text)
    async with worker(broker, settings(tmp_path), [post()], QUICK) as task:
        await until(lambda: len(place.got) == 19, task, 20)
    assert [text for _, text in place.got] == texts[1:]
    assert letters(broker) == {"0": ("StoreError", 4)}


class Keeps(Post):
    keeps_state: ClassVar[bool] = True


class Logs(Post):
    logs: ClassVar[tuple[str, ...]] = (topics.INTENTS,)


class Rows(Post):
    tables: ClassVar[tuple[str, ...]] = (topics.REGISTRY,)


class Reverts(Post):
    stateful: ClassVar[bool] = True


class Deaf(Post):
    inputs: ClassVar[tuple[str, ...]] = (topics.TRANSACTIONS, COMMANDS)


@pytest.mark.parametrize("spec", [Keeps, Logs, Rows, Reverts, Deaf])
async def test_where_order_matters_putting_off_is_refused(tmp_path: Path, spec: type[StreamAgent]) -> None:
    with pytest.raises(ConfigurationError, match="post"):
        check_defers(spec)
    with pytest.raises(ConfigurationError):
        async with worker(FakeBroker(), settings(tmp_path), [AgentFactory(spec, spec)]) as task:  # type: ignore[type-abstract]
            await task
