"""A worker is ready while every partition it holds runs and what it needs answers, and says what is wrong otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from streams import health as module
from streams.errors import StoreError
from streams.health import Health
from streams.ports.log import LogError
from streams.runtime.job import AgentFactory
from streams.runtime.worker import run_worker
from tests.chainlog import SIGNER, VERIFIER, ChainLog
from tests.fakelog import FakeBroker, Group
from tests.unit.runtime.driving import FAST, Tally, caught_up, publish, settings, until


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "PULSE_SECONDS", 0.01)
    monkeypatch.setattr(module, "PULSE_PATIENCE", 0.2)


@pytest.fixture
def broker() -> FakeBroker:
    broker, chain = FakeBroker(partitions=2), ChainLog(partitions=2)
    for _ in range(4):
        chain.add([1, 2])
    publish(broker, chain)
    return broker


@asynccontextmanager
async def watched(
    broker: FakeBroker, tmp_path: Path, factory: AgentFactory, rewind_seconds: float = 5.0
) -> AsyncIterator[tuple[Health, asyncio.Task[None]]]:
    health, stop, config = Health(60), asyncio.Event(), settings(tmp_path)
    config.probes.rewind_seconds = rewind_seconds
    run = run_worker(config, [factory], VERIFIER, SIGNER, stop, client=broker, limits=FAST, health=health)
    task = asyncio.create_task(run)
    try:
        yield health, task
    finally:
        stop.set()
        await task


def said(health: Health, text: str) -> Callable[[], bool]:
    return lambda: any(text in complaint for complaint in health.ready())


async def test_ready_when_all_partitions_run_and_not_when_it_stops(broker: FakeBroker, tmp_path: Path) -> None:
    async with watched(broker, tmp_path, AgentFactory(Tally, Tally)) as (health, task):
        await until(lambda: not health.ready(), task)
        assert not health.startup()
    assert health.ready() == ("it is stopping",)


async def test_not_started_before_it_has_a_share(broker: FakeBroker, tmp_path: Path) -> None:
    group = broker.groups["tally"] = Group()
    await group.rebalancing.acquire()  # a rebalance that lasts
    async with watched(broker, tmp_path, AgentFactory(Tally, Tally)) as (health, task):
        await until(said(health, "tally: waits for its share of the partitions"), task)
        assert health.startup()
        group.rebalancing.release()
        await until(lambda: not health.ready(), task)
        assert not health.startup()


async def test_not_ready_while_a_partition_is_opened(broker: FakeBroker, tmp_path: Path) -> None:
    gate = asyncio.Event()

    async def claim(partition: int) -> bytes:
        if partition == 1:
            await gate.wait()
        return b""

    async with watched(broker, tmp_path, AgentFactory(Tally, Tally, claim=claim)) as (health, task):
        await until(lambda: health.ready() == ("tally/1: is being opened",), task)
        gate.set()
        await until(lambda: not health.ready(), task)


async def test_not_ready_while_a_store_refuses_what_is_written(broker: FakeBroker, tmp_path: Path) -> None:
    away = True

    class Writing(Tally):
        async def flush(self) -> None:
            if away:
                raise StoreError("it is away")

    async with watched(broker, tmp_path, AgentFactory(Writing, Writing)) as (health, task):
        await until(said(health, "is being opened"), task)
        away = False
        await until(lambda: not health.ready(), task)


async def test_not_ready_in_a_rewind_that_lasts(tmp_path: Path) -> None:
    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)
    for _ in range(4):
        chain.add([1, 2])
    publish(broker, chain)
    since, gate = chain.sequence, asyncio.Event()

    async with watched(broker, tmp_path, AgentFactory(Tally, Tally), rewind_seconds=0.05) as (health, task):
        await until(lambda: caught_up(broker, "tally"), task)
        await until(lambda: not health.ready(), task)
        read = broker.reader

        def held() -> Any:
            return _Held(read(), gate)

        broker.reader = held  # type: ignore[method-assign]
        chain.undo(2)
        publish(broker, chain, since)
        await until(said(health, "tally/0: has rewound for"), task)
        assert not health.live()
        gate.set()
        await until(lambda: not health.ready(), task)


class _Held:
    """A reader that gives nothing until it may."""

    def __init__(self, reader: Any, gate: asyncio.Event) -> None:
        self._reader = reader
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    async def read_range(self, *where: Any) -> AsyncIterator[Any]:
        await self._gate.wait()
        async for found in self._reader.read_range(*where):
            yield found


async def test_not_ready_while_the_broker_is_away(broker: FakeBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with watched(broker, tmp_path, AgentFactory(Tally, Tally)) as (health, task):
        await until(lambda: not health.ready(), task)
        consumer = broker.groups["tally"].members[0].consumer

        async def away(_: Any) -> Any:
            raise LogError("no node answers")

        with monkeypatch.context() as patched:
            patched.setattr(consumer, "committed", away)
            await until(lambda: health.ready() == ("tally: the broker: no node answers",), task)
        await until(lambda: not health.ready(), task)


class Store:
    """Is away, and refuses or is silent."""

    def __init__(self, answer: str) -> None:
        self.away = True
        self._answer = answer

    async def probe(self) -> None:
        if self.away and self._answer == "refuses":
            raise StoreError("it is away")
        if self.away:
            await asyncio.sleep(60)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [("refuses", "tally: its store: it is away"), ("is silent", "tally: its store: no answer within 0.2 s")],
)
async def test_not_ready_while_a_store_is_away_and_nothing_is_written(
    broker: FakeBroker, tmp_path: Path, answer: str, complaint: str
) -> None:
    store = Store(answer)
    async with watched(broker, tmp_path, AgentFactory(Tally, Tally, probe=store.probe)) as (health, task):
        await until(lambda: health.ready() == (complaint,), task)
        store.away = False
        await until(lambda: not health.ready(), task)


@pytest.mark.parametrize("answer", ["refuses", "is silent"])
async def test_not_started_before_its_store_has_once_answered_and_its_name_is_said(
    broker: FakeBroker, tmp_path: Path, answer: str
) -> None:
    store = Store(answer)
    async with watched(broker, tmp_path, AgentFactory(Tally, Tally, probe=store.probe)) as (health, task):
        await until(lambda: caught_up(broker, "tally"), task)
        await until(lambda: any(said.startswith("tally: its store: ") for said in health.startup()), task)
        assert not health.live(), "it does what it can meanwhile"
        store.away = False
        await until(lambda: not health.startup(), task)
        store.away = True
        await until(lambda: bool(health.ready()), task)
        assert not health.startup(), "it has started once"
