"""Several gateways behind one client: the quick one is preferred, a dead one is left and found again, no call is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from streams.core.balance import Strategy
from streams.identity.bls import SecretKey
from streams.serving import calls, choice
from streams.serving.client import AgentKey, AsyncClient, Client
from streams.serving.client_errors import GatewayError, UnreachableError
from streams.serving.several import OverSeveral

CALL = calls.ready()
HEADERS = {"accept": "application/json"}


class Gateway:
    """Counts what it is asked; ``delay`` before each answer."""

    def __init__(self) -> None:
        self.asked, self.delay = 0, 0.0
        self.server: TestServer | None = None
        self.port: int | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self.server = TestServer(app, host="127.0.0.1", port=self.port)
        await self.server.start_server()
        self.port = self.server.port

    async def stop(self) -> None:
        if self.server is not None:
            await self.server.close()
            self.server = None

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        await asyncio.sleep(self.delay)
        return web.json_response({"ready": True})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
async def gateways() -> AsyncIterator[list[Gateway]]:
    made = [Gateway(), Gateway()]
    for one in made:
        await one.start()
    yield made
    for one in made:
        await one.stop()


async def ask(way: OverSeveral, times: int) -> None:
    for _ in range(times):
        assert (await way(CALL, HEADERS, 5.0)).status == 200


@pytest.mark.parametrize(("strategy", "weights", "shares"), [("round_robin", [], (10, 10)), ("weighted", [3.0, 1.0], (15, 5))])
async def test_calls_are_shared(
    gateways: list[Gateway], strategy: Strategy, weights: list[float], shares: tuple[int, int]
) -> None:
    way = OverSeveral([one.url for one in gateways], strategy, weights)
    await ask(way, 20)
    assert tuple(one.asked for one in gateways) == shares
    await way.close()


async def test_the_quicker_one_is_preferred(gateways: list[Gateway]) -> None:
    way = OverSeveral([one.url for one in gateways])
    gateways[0].delay = 0.05
    await ask(way, 48)
    assert gateways[1].asked > 40
    await way.close()


async def test_one_that_died_is_left_alone_and_found_again(gateways: list[Gateway], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "TERMS", choice.Terms(failures=3, open_seconds=0.2, successes=1, concurrent=None))
    way = OverSeveral([one.url for one in gateways], "round_robin")
    await ask(way, 4)
    await gateways[0].stop()
    before = gateways[1].asked
    await ask(way, 20)  # no call fails
    assert gateways[1].asked == before + 20
    assert way._choice.breakers[0].view().failures == 3, "once its circuit is open it is not asked"
    await gateways[0].start()
    await asyncio.sleep(0.25)
    asked = gateways[0].asked
    await ask(way, 10)
    assert gateways[0].asked == asked + 5
    await way.close()


async def test_with_all_gone_the_caller_is_told_and_one_that_is_back_is_found_at_once(gateways: list[Gateway]) -> None:
    way = OverSeveral([one.url for one in gateways])
    for one in gateways:
        await one.stop()
    for _ in range(4):
        with pytest.raises(UnreachableError):
            await way(CALL, HEADERS, 5.0)
    await gateways[1].start()
    await ask(way, 3)
    await way.close()


def test_what_is_no_list_of_gateways_is_refused() -> None:
    with pytest.raises(GatewayError):
        OverSeveral([])
    with pytest.raises(GatewayError):
        OverSeveral(["http://a:1"], "weighted", [1.0, 2.0])
    with pytest.raises(GatewayError):
        OverSeveral(["nonsense"])


async def test_both_clients_take_several_and_lose_no_call(gateways: list[Gateway]) -> None:
    urls = [one.url for one in gateways]
    await gateways[0].stop()

    def block() -> int:
        with Client(urls, strategy="round_robin") as client:
            return sum(client.live().ready for _ in range(8))

    assert await asyncio.to_thread(block) == 8
    async with AsyncClient(urls, strategy="round_robin") as client:
        assert [(await client.live()).ready for _ in range(8)] == [True] * 8
    assert gateways[1].asked == 16
    await gateways[1].stop()
    with pytest.raises(UnreachableError):
        await asyncio.to_thread(lambda: Client(urls).live())


async def test_the_blocking_client_shares_calls_too(gateways: list[Gateway]) -> None:
    def block() -> None:
        with Client([one.url for one in gateways], strategy="weighted", weights=[3.0, 1.0]) as client:
            for _ in range(20):
                client.live()

    await asyncio.to_thread(block)
    assert [one.asked for one in gateways] == [15, 5]


@pytest.mark.parametrize("made", [Client, AsyncClient])
def test_what_several_gateways_cannot_do_is_refused(made: type[Client | AsyncClient]) -> None:
    with pytest.raises(GatewayError, match="a client needs the address of a gateway"):
        made([])
    with pytest.raises(GatewayError, match="a login by key is of one gateway"):
        made(["http://127.0.0.1:1", "http://127.0.0.1:2"], key=AgentKey(bytes(20), SecretKey.generate()))
