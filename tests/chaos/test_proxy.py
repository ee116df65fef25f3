"""The proxy before an echoing server: what passes, what does not, and what comes late but whole."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random

import pytest

from tests.chaos.proxy import CHUNK, CHUNKS, HOST, Network, Proxy

SOON = 5.0
NOTHING = 0.3
"""Seconds in which nothing comes."""


class Echo:
    """Answers every line with itself, and keeps what arrived."""

    def __init__(self) -> None:
        self.arrived = b""
        self.ended = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK):
                self.arrived += chunk
                writer.write(chunk)
                await writer.drain()
        self.ended.set()
        writer.close()


@asynccontextmanager
async def echoing() -> AsyncIterator[tuple[Echo, Proxy]]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, HOST, 0)
    try:
        async with Proxy(server.sockets[0].getsockname()[1], random=Random(1)) as proxy:
            yield echo, proxy
    finally:
        server.close()


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, proxy: Proxy) -> Client:
        return cls(*await asyncio.open_connection(HOST, proxy.port))

    async def ask(self, text: bytes, timeout: float = SOON) -> bytes:
        self.writer.write(text)
        return await asyncio.wait_for(self.reader.readexactly(len(text)), timeout)

    async def ended(self) -> bool:
        try:
            return await asyncio.wait_for(self.reader.read(1), SOON) == b""
        except ConnectionError:
            return True


async def until(true: object) -> None:
    async with asyncio.timeout(SOON):
        while not true():  # type: ignore[operator]
            await asyncio.sleep(0.01)


async def test_what_is_sent_arrives_whole_and_the_end_too() -> None:
    async with echoing() as (echo, proxy):
        client = await Client.to(proxy)
        sent = Random(7).randbytes(3 * CHUNK * CHUNKS)
        asking = asyncio.create_task(client.ask(sent, 30))
        assert hashlib.sha256(await asking).digest() == hashlib.sha256(sent).digest()
        client.writer.write_eof()
        await asyncio.wait_for(echo.ended.wait(), SOON)
        assert await client.ended()
        await until(lambda: proxy.connections == 0)


async def test_cut_ends_both_sides_and_lets_new_ones_in() -> None:
    async with echoing() as (echo, proxy):
        client = await Client.to(proxy)
        await client.ask(b"a")
        await proxy.cut()
        assert await client.ended()
        await asyncio.wait_for(echo.ended.wait(), SOON)
        assert await (await Client.to(proxy)).ask(b"b") == b"b"


async def test_refused_until_healed_on_the_same_port() -> None:
    async with echoing() as (_, proxy):
        client, port = await Client.to(proxy), proxy.port
        await client.ask(b"a")
        await proxy.refuse()
        assert await client.ended()
        with pytest.raises(ConnectionRefusedError):
            await Client.to(proxy)
        await proxy.heal()
        assert proxy.port == port
        assert await (await Client.to(proxy)).ask(b"b") == b"b"


async def test_delay_holds_back_each_way_and_does_not_narrow() -> None:
    async with echoing() as (_, proxy):
        client = await Client.to(proxy)
        await client.ask(b"a")
        proxy.slow(0.15, jitter=0.05)
        started = time.monotonic()
        await client.ask(b"b")
        assert time.monotonic() - started >= 0.3
        started = time.monotonic()
        for number in range(20):  # all on their way at once, so not twenty times as long; jitter does not reorder them
            client.writer.write(bytes([number]))
            await asyncio.sleep(0.005)
        assert await asyncio.wait_for(client.reader.readexactly(20), SOON) == bytes(range(20))
        assert time.monotonic() - started < 2.0
        await proxy.heal()
        started = time.monotonic()
        await client.ask(b"c")
        assert time.monotonic() - started < 0.3


async def test_lost_answers_come_late() -> None:
    async with echoing() as (echo, proxy):
        client = await Client.to(proxy)
        proxy.lose("answers")
        with pytest.raises(TimeoutError):
            await client.ask(b"asked", NOTHING)
        assert echo.arrived == b"asked"
        await proxy.heal()
        assert await asyncio.wait_for(client.reader.readexactly(5), SOON) == b"asked"


async def test_lost_requests_arrive_late_even_from_one_who_is_gone() -> None:
    async with echoing() as (echo, proxy):
        client = await Client.to(proxy)
        proxy.lose("requests")
        client.writer.write(b"too late")
        client.writer.close()
        await asyncio.sleep(NOTHING)
        assert echo.arrived == b""
        assert not echo.ended.is_set()
        await proxy.heal()
        await asyncio.wait_for(echo.ended.wait(), SOON)
        assert echo.arrived == b"too late"


async def test_forgotten_connections_stay_silent_and_new_ones_are_well() -> None:
    async with echoing() as (echo, proxy):
        client = await Client.to(proxy)
        await client.ask(b"a")
        proxy.forget()
        with pytest.raises(TimeoutError):
            await client.ask(b"b", NOTHING)
        assert await (await Client.to(proxy)).ask(b"c") == b"c"
        await proxy.heal()
        with pytest.raises(TimeoutError):
            await client.ask(b"d", NOTHING)
        assert echo.arrived == b"ac"
        await proxy.cut()
        assert await client.ended()


async def test_what_is_held_is_bounded() -> None:
    async with echoing() as (echo, proxy):
        client = await Client.to(proxy)
        proxy.lose("requests")
        client.writer.write(bytes(4 * CHUNK * CHUNKS))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.writer.drain(), 1.0)
        assert echo.arrived == b""


async def test_nobody_behind_it_ends_the_connection() -> None:
    async with Proxy(1) as proxy:
        assert await (await Client.to(proxy)).ended()


async def test_a_network_strikes_those_named_or_all() -> None:
    async with echoing() as (_, one), echoing() as (_, two):
        network = Network({"one": one, "two": two})
        clients = [await Client.to(one), await Client.to(two)]
        for client in clients:
            await client.ask(b"a")
        network.lose("answers", "one")
        with pytest.raises(TimeoutError):
            await clients[0].ask(b"b", NOTHING)
        assert await clients[1].ask(b"b") == b"b"
        await network.heal()
        await network.cut()
        assert [await client.reader.read() for client in clients] == [b"b", b""]
        with pytest.raises(KeyError):
            await network.refuse("three")
