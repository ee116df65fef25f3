"""Pools are bounded, let go of what is idle, never use what the far side closed, and say truly how much of them is in use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client import generate_latest

from streams.metrics import REGISTRY
from streams.pools import http_session, measure_pool, utilization


class Server:
    """Holds each request until ``gate`` is open."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.now = self.most = 0
        self.peers: set[object] = set()

    async def answer(self, request: web.Request) -> web.Response:
        self.peers.add(request.transport)
        self.now += 1
        self.most = max(self.most, self.now)
        await self.gate.wait()
        self.now -= 1
        return web.Response()


@pytest.fixture
async def served() -> AsyncIterator[tuple[Server, TestServer]]:
    server, app = Server(), web.Application()
    app.router.add_get("/", server.answer)
    async with TestServer(app, host="127.0.0.1") as running:
        yield server, running
        server.gate.set()


async def fetch(session: aiohttp.ClientSession, url: str) -> None:
    async with session.get(url) as response:
        await response.read()


async def busy(server: Server, count: int) -> None:
    async with asyncio.timeout(5):
        while server.now < count:
            await asyncio.sleep(0.005)


async def test_it_is_bounded_and_the_gauge_says_what_is_in_use(served: tuple[Server, TestServer]) -> None:
    server, running = served
    async with http_session("some", limit=4) as session:
        assert utilization()["some"] == 0.0
        asked = [asyncio.create_task(fetch(session, str(running.make_url("/")))) for _ in range(10)]
        await busy(server, 4)
        await asyncio.sleep(0.05)
        assert server.most == 4, "the others wait"
        assert utilization()["some"] == 1.0
        assert b'monmouth_connection_pool_utilization{pool="some"} 1.0' in generate_latest(REGISTRY)
        server.gate.set()
        await asyncio.gather(*asked)
        assert server.most == 4
        assert len(server.peers) == 4, "connections are used again"
        assert utilization()["some"] == 0.0
    assert "some" not in utilization(), "it is closed"


async def test_what_is_idle_is_let_go(served: tuple[Server, TestServer]) -> None:
    server, running = served
    server.gate.set()
    url = str(running.make_url("/"))
    async with http_session("idle", idle_seconds=0.1) as session:
        await fetch(session, url)
        await fetch(session, url)
        assert len(server.peers) == 1
        await asyncio.sleep(0.4)
        await fetch(session, url)
        assert len(server.peers) == 2


async def test_what_the_far_side_closed_is_not_used_again() -> None:
    async with http_session("broken") as session:
        port = None
        for _ in range(3):
            server, app = Server(), web.Application()
            server.gate.set()
            app.router.add_get("/", server.answer)
            async with TestServer(app, host="127.0.0.1", port=port) as running:
                port = running.port
                await fetch(session, f"http://127.0.0.1:{port}/")
            await asyncio.sleep(0.02)


def test_pools_of_one_name_are_one_and_those_that_are_gone_do_not_count() -> None:
    class Owner:
        def __init__(self, used: int | None) -> None:
            self.used = used

        def in_use(self) -> int | None:
            return self.used

    first, second, closed = Owner(1), Owner(3), Owner(None)
    for owner in (first, second, closed):
        measure_pool(owner, "shared", 4, Owner.in_use)
    assert utilization()["shared"] == 0.5
    del first
    assert utilization()["shared"] == 0.75
