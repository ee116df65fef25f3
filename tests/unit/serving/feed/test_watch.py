"""The clients' ``watch``: over restarts, overflow and broken connections, without a gap and without a repeat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from itertools import islice

import pytest

from streams.serving import client_errors as errors
from streams.serving import following
from streams.serving.app import create_app
from streams.serving.client import AsyncClient, Client
from streams.serving.feed.stream import Feeds
from streams.serving.following import Following
from streams.serving.gate import Gate
from streams.serving.wire import Change
from tests.identity import OPERATOR_TOKEN
from tests.unit.serving.feed.test_stream import Live, name
from tests.unit.serving.served import served
from tests.unit.serving.world import ALICE, World


@pytest.fixture
def live(world: World) -> Live:
    return Live(world)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "LONGEST_PAUSE", 0.2)


async def taken(feed: AsyncIterator[Change], count: int) -> list[Change]:
    async with asyncio.timeout(20):
        return [await anext(feed) for _ in range(count)]


async def test_a_feed_goes_on_over_a_gateway_that_is_started_again(world: World, live: Live) -> None:
    port = 0
    facts = [fact for number in range(3) for fact in await live.block(f"fact {number}")]
    async with AsyncClient("http://127.0.0.1:1", token=OPERATOR_TOKEN) as client:
        async with served(create_app(world.services)) as url:
            port = int(url.rpartition(":")[2])
            client.url = client._http.way(0)._url = url
            feed = client.watch(ALICE, start="beginning")
            got = await taken(feed, 3)
            await world.feeds.stop()
        facts += await live.block("while nobody served")
        waiting = asyncio.create_task(taken(feed, 2))
        await asyncio.sleep(0.3)
        object.__setattr__(world.services, "feeds", feeds := Feeds(world.facts.feed(), world.reads, quiet=0.2))
        async with served(create_app(world.services), port=port):
            facts += await live.block("and after")
            got += await waiting
            assert [change.memory_id for change in got] == [name(fact) for fact in facts]
            await feed.aclose()
        await feeds.log.stop()


async def test_sync_and_async_see_the_same(world: World, live: Live) -> None:
    await live.block("swapped eth", "voted yes")
    await live.undo(1)
    async with served(create_app(world.services)) as url:

        def blocking() -> list[Change]:
            with Client(url, token=OPERATOR_TOKEN) as client:
                return list(islice(client.watch(ALICE, start="beginning"), 5))

        one = await asyncio.to_thread(blocking)
        async with (
            AsyncClient(url, token=OPERATOR_TOKEN) as client,
            aclosing(client.watch(ALICE, start="beginning")) as feed,
        ):
            assert await taken(feed, 5) == one
        assert [change.type for change in one] == ["memory.stored"] * 2 + ["memory.undone"] * 2 + ["block.undone"]

        def resumed() -> Change:
            with Client(url, token=OPERATOR_TOKEN) as client:
                changes: Iterator[Change] = client.watch(ALICE, cursor=one[0].cursor, types=["memory.undone"])
                return next(changes)

        assert await asyncio.to_thread(resumed) == one[2]


async def test_overflow_is_nothing_the_reader_notices(world: World, live: Live) -> None:
    object.__setattr__(world.services, "feeds", Feeds(world.facts.feed(size=8), world.reads, quiet=0.2))
    async with (
        served(create_app(world.services)) as url,
        AsyncClient(url, token=OPERATOR_TOKEN) as client,
        aclosing(client.watch(ALICE, types=["memory.stored"])) as feed,
    ):
        reading = asyncio.create_task(taken(feed, 200))
        async with asyncio.timeout(10):
            while not world.services.feeds.open:
                await asyncio.sleep(0.01)
        facts = [fact for number in range(200) for fact in await live.block(f"fact {number}")]
        assert [change.memory_id for change in await reading] == [name(fact) for fact in facts]
    await world.services.feeds.log.stop()


async def test_what_will_not_pass_is_raised_at_once(world: World, live: Live) -> None:
    async with served(create_app(world.services)) as url:
        for token, cursor, kind in (
            ("wrong" * 10, None, errors.UnauthenticatedError),
            (OPERATOR_TOKEN, "nonsense", errors.BadRequestError),
            (OPERATOR_TOKEN, f"{world.facts.partition(ALICE)}.99999.0", errors.CursorLostError),
        ):
            async with AsyncClient(url, token=token) as client:
                with pytest.raises(kind):
                    await anext(client.watch(ALICE, cursor=cursor))
            with Client(url, token=token) as blocking, pytest.raises(kind):
                await asyncio.to_thread(next, blocking.watch(ALICE, cursor=cursor))
        async with AsyncClient(url, token=OPERATOR_TOKEN) as client:
            feed = client.watch(ALICE)
            waiting = asyncio.create_task(taken(feed, 1))
            await asyncio.sleep(0.3)
            object.__setattr__(world.services, "gate", Gate("another-token-" + "1" * 30))
            with pytest.raises(errors.UnauthenticatedError):
                await waiting


async def test_without_a_gateway_patience_ends() -> None:
    async with AsyncClient("http://127.0.0.1:9") as client:
        with pytest.raises(errors.UnreachableError):
            await anext(client.watch(ALICE, patience=0.3))
    with Client("http://127.0.0.1:9") as blocking, pytest.raises(errors.UnreachableError):
        await asyncio.to_thread(next, blocking.watch(ALICE, patience=0.3))


def test_lines_of_any_server() -> None:
    feed = Following(ALICE, [], None, "now")
    change = b'{"type":"block.final","cursor":"0.1.1","agent":"0x00"}'
    quiet = (b": hello\n", b"retry: 1\r\n", b"id: 0.0.0\n", b"\n")
    for line in (*quiet, b"event: block.final\r\n", b"id:0.1.1\n", b"data: " + change):
        assert feed.line(line) is None
    assert feed.cursor == "0.0.0"
    read = feed.line(b"\r\n")
    assert read is not None
    assert (read.type, feed.cursor) == ("block.final", "0.1.1")
    feed.line(b"event: memory.dreamt\n")
    feed.line(b"data: {}\n")
    with pytest.raises(errors.UnreadableError):
        feed.line(b"\n")
    with pytest.raises(errors.UnreadableError):
        feed.line(b"x" * (following.LINE_LIMIT + 1))


async def test_a_feed_goes_on_at_the_next_gateway(world: World, live: Live) -> None:
    facts = await live.block("swapped eth")
    async with served(create_app(world.services)) as url:
        urls = ["http://127.0.0.1:1", url]

        def blocking() -> list[Change]:
            with Client(urls, token=OPERATOR_TOKEN) as client:
                return list(islice(client.watch(ALICE, start="beginning"), 1))

        assert [change.memory_id for change in await asyncio.to_thread(blocking)] == [name(fact) for fact in facts]
        async with (
            AsyncClient(urls, token=OPERATOR_TOKEN) as client,
            aclosing(client.watch(ALICE, start="beginning")) as feed,
        ):
            assert [change.memory_id for change in await taken(feed, 1)] == [name(fact) for fact in facts]
