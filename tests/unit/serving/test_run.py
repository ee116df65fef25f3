"""A gateway that lost its place in a topic makes way for one that reads it anew, at the same address."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
from aiokafka.errors import OffsetOutOfRangeError

from connectors.stores import LmdbMemoryStore, LmdbVectorStore
from streams.errors import LogIntegrityError, MonmouthError, PositionLostError
from streams.serving import run
from streams.serving.server import Gateway, Stores
from streams.serving.tail import TopicTail
from streams.settings import KafkaSettings, Settings
from tests.chainlog import VERIFIER
from tests.serving_fakes import FakeEmbedder
from tests.unit.serving.test_tail import nothing

LOST = PositionLostError("checkpoints was cut behind its reader")


class Stub:
    """A gateway on ports that were free. ``made``: all of them; ``losses``: what each loses, first to last."""

    made: ClassVar[list[Stub]] = []
    losses: ClassVar[list[PositionLostError | None]] = [LOST, LOST, None]

    def __init__(self, settings: Settings, *_: Any) -> None:
        self.settings, self.stopped = settings, False
        self.health = self.monitor = None
        self.port = self.metrics_port = 0
        self.lost = self.losses[len(self.made)]
        self.made.append(self)

    async def start(self) -> None:
        gateway = self.settings.gateway
        self.port, self.metrics_port = gateway.port or 1000 + len(self.made), gateway.metrics_port or 2000 + len(self.made)

    async def stop(self) -> None:
        self.stopped = True


@contextlib.asynccontextmanager
async def quiet(*_: Any, **__: Any) -> AsyncIterator[None]:
    yield


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch) -> None:
    Stub.made.clear()
    monkeypatch.setattr(run, "Gateway", Stub)
    monkeypatch.setattr(run, "reporting", quiet)
    monkeypatch.setattr(run, "LOOK_SECONDS", 0.01)


def settings_in(folder: Path) -> Settings:
    settings = Settings(state_dir=folder)
    settings.gateway.port = settings.gateway.metrics_port = 0
    return settings


@pytest.mark.parametrize("pauses", [{"SHORTEST_PAUSE": 0.01}, {"SHORTEST_PAUSE": 3_600.0, "STEADY_SECONDS": 0.0}])
@pytest.mark.usefixtures("stubbed")
async def test_a_gateway_that_lost_its_place_is_replaced_on_its_ports(
    tmp_path: Path, pauses: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a pause that grows with each loss in a row; none after one that had served for long."""
    for name, seconds in pauses.items():
        monkeypatch.setattr(run, name, seconds)
    settings = settings_in(tmp_path)
    stop: Any = asyncio.Event()
    started: Any = asyncio.get_running_loop().create_future()
    parts: Any = None
    running = asyncio.create_task(run.run_gateway(settings, parts, parts, parts, stop, started=started))
    async with asyncio.timeout(30):
        while len(Stub.made) < len(Stub.losses):
            await asyncio.sleep(0.01)
        stop.set()
        await running
    assert [(gateway.port, gateway.metrics_port) for gateway in Stub.made] == [(1001, 2001)] * 3
    assert all(gateway.stopped for gateway in Stub.made)
    assert started.result() is Stub.made[0]
    assert settings.gateway.port == 0


@pytest.mark.usefixtures("stubbed")
async def test_a_gateway_that_loses_its_place_again_soon_makes_way_after_a_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "SHORTEST_PAUSE", 3_600.0)
    monkeypatch.setattr(run, "LONGEST_PAUSE", 3_600.0)
    stop, parts = asyncio.Event(), cast("Any", None)
    running = asyncio.create_task(run.run_gateway(settings_in(tmp_path), parts, parts, parts, stop))
    async with asyncio.timeout(30):
        while not (len(Stub.made) > 1 and Stub.made[1].stopped):
            await asyncio.sleep(0.01)
        stop.set()  # which ends the pause
        await running
    assert len(Stub.made) == 2, "the first was replaced at once, the second not yet"


def test_the_pause_grows_with_each_loss_up_to_a_minute() -> None:
    assert [run.pause_after(losses) for losses in range(1, 10)] == [0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert run.pause_after(100_000) == 60


async def ending(error: Exception, monkeypatch: pytest.MonkeyPatch) -> MonmouthError | None:
    """How a tail ends that meets this while it reads."""

    async def session(self: TopicTail) -> None:
        raise error

    monkeypatch.setattr(TopicTail, "_session", session)
    tail = TopicTail(KafkaSettings(), "checkpoints", nothing)
    tail.start()
    with pytest.raises(MonmouthError):
        await tail.barrier(30)
    await tail.stop()
    return tail.failure


async def test_a_place_is_lost_where_the_log_was_cut_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(await ending(OffsetOutOfRangeError({}), monkeypatch), PositionLostError)
    assert not isinstance(await ending(LogIntegrityError("forged"), monkeypatch), PositionLostError)


async def test_a_gateway_knows_what_each_of_its_views_lost(tmp_path: Path) -> None:
    embedder = FakeEmbedder()
    stores = Stores(LmdbMemoryStore(tmp_path / "memories"), LmdbVectorStore(tmp_path / "vectors", dimension=embedder.dimension))
    gateway = Gateway(Settings(state_dir=tmp_path), stores, embedder, VERIFIER)
    assert len(gateway.tails.topics) == 7
    for tail in gateway.tails.topics:
        tail.failure = LogIntegrityError("forged")
        assert gateway.lost is None, "reading again mends nothing"
        tail.failure = LOST
        assert gateway.lost is LOST
        tail.failure = None
    await gateway.stop()
    await stores.memories.close()
    await stores.vectors.close()
