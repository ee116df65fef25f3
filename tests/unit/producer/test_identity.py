"""The producer before it knows its chain: it waits for a node that is silent, and ends at what is no node of its chain."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from connectors.chain.rpc import RpcSource
from streams.cli.producer import publish
from streams.errors import ConfigurationError, NotANodeError, SourceError
from streams.health import Health
from streams.policy import SourceOpenError
from streams.producer.identity import HINT, cause, identify
from streams.producer.loop import LONGEST_PAUSE, pause_after
from streams.settings import ChainSettings, KafkaSettings, Settings
from tests.chains import CHAIN_ID, ScriptedSource, chain

MOST_TRIES = 3
pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.producer.loop.FIRST_PAUSE", 0.001)
    monkeypatch.setattr("streams.producer.loop.LONGEST_PAUSE", 0.01)


class LateSource(ScriptedSource):
    """A node that answers from its ``failures`` + first call on."""

    def __init__(self, failures: int) -> None:
        super().__init__(chain(1))
        self.failures = failures

    async def chain_id(self) -> int:
        if self.failures:
            self.failures -= 1
            raise SourceError("it does not answer")
        return CHAIN_ID


@asynccontextmanager
async def serving(status: int, text: str) -> AsyncIterator[tuple[RpcSource, list[int]]]:
    """A source whose address answers so, and how often it was asked."""
    asked: list[int] = []

    async def answer(_: web.Request) -> web.Response:
        asked.append(status)
        return web.Response(status=status, text=text)

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    source = RpcSource(f"http://{host}:{port}")
    try:
        yield source, asked
    finally:
        await source.close()
        await runner.cleanup()


async def test_a_node_that_comes_late_is_waited_for() -> None:
    said: list[str] = []
    assert await identify(LateSource(40), ChainSettings(), said.append) == CHAIN_ID
    assert said == ["it does not answer"] * 40


async def test_a_node_that_is_not_asked_for_a_moment_is_no_news(monkeypatch: pytest.MonkeyPatch) -> None:
    source, said = LateSource(0), list[str]()
    met = iter([SourceError("silent"), SourceOpenError("node", 5.0, "node does not answer: silent"), SourceError("silent")])

    async def chain_id() -> int:
        if (error := next(met, None)) is not None:
            raise error
        return CHAIN_ID

    monkeypatch.setattr(source, "chain_id", chain_id)
    assert await identify(source, ChainSettings(), said.append) == CHAIN_ID
    assert said == ["silent"] * 3


async def test_who_does_not_wait_asks_a_few_times() -> None:
    source = LateSource(40)
    with pytest.raises(SourceError, match="does not answer"):
        await identify(source, ChainSettings())
    assert source.failures == 35


async def test_a_node_of_another_chain_ends_it_at_once() -> None:
    with pytest.raises(ConfigurationError, match=f"the node is chain {CHAIN_ID}, chain.chain_id is set to 7"):
        await identify(LateSource(0), ChainSettings(chain_id=7), lambda _: None)


@pytest.mark.parametrize(("status", "text"), [(404, "no such page"), (200, "<html>"), (200, '{"hello": 1}'), (401, "who?")])
async def test_what_is_no_node_ends_it_at_once(status: int, text: str) -> None:
    async with serving(status, text) as (source, asked):
        with pytest.raises(NotANodeError) as refused:
            await identify(source, ChainSettings(), lambda _: None)
    assert "Is this the address" in str(refused.value)
    assert len(asked) <= MOST_TRIES, "one question, asked again by its policy alone"


@pytest.mark.parametrize("status", [429, 503])
async def test_a_node_that_is_busy_or_behind_a_proxy_is_waited_for(status: int) -> None:
    said: list[str] = []
    async with serving(status, "later") as (source, _):
        waiting = asyncio.create_task(identify(source, ChainSettings(), said.append))
        async with asyncio.timeout(20):
            while len(said) < 12:
                await asyncio.sleep(0.01)
        assert not waiting.done()
        waiting.cancel()
    assert len(set(said)) == 1, "a circuit that opens meanwhile is no news"


async def test_who_gives_up_says_what_it_met_and_promises_nothing() -> None:
    source = RpcSource("http://127.0.0.1:1")
    for _ in range(3):
        with pytest.raises(SourceError) as refused:
            await identify(source, ChainSettings())
        assert "does not answer" in cause(refused.value)
        assert refused.value.hint == HINT
    await source.close()


def test_pauses_grow_to_the_longest_and_no_outage_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert [pause_after(failures) for failures in (1, 2, 3)] == [0.25, 0.5, 1.0]
    assert pause_after(100_000) == LONGEST_PAUSE == 30.0


async def test_the_producer_waits_is_not_ready_says_so_once_and_stops_when_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(state_dir=tmp_path, kafka=KafkaSettings(bootstrap="127.0.0.1:1"))
    health, source = Health(60), LateSource(1_000_000)
    with caplog.at_level(logging.WARNING, "streams.cli.producer"):
        running = asyncio.create_task(publish(settings, source, health=health))
        async with asyncio.timeout(20):
            while source.failures > 999_980 or "waits for its node" not in str(health.ready()):
                assert not running.done()
                await asyncio.sleep(0.01)
        assert health.startup() == health.ready() == ("waits for its node: it does not answer",)
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(20):
            assert await running is None
    assert health.ready() == ("it is stopping",)
    lines = [record.getMessage() for record in caplog.records if record.name == "streams.cli.producer"]
    assert lines == ["it does not answer; trying until it works"]


async def test_a_producer_that_is_to_stop_by_itself_does_not_wait(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path, kafka=KafkaSettings(bootstrap="127.0.0.1:1"))
    with pytest.raises(SourceError, match="does not answer"):
        await publish(settings, LateSource(1_000_000), once=True)
