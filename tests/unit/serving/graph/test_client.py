"""The graph through the clients: every method asks what its route takes."""

from __future__ import annotations

import inspect

import pytest

from streams.serving.app import create_app
from streams.serving.client import AsyncClient
from streams.serving.client_errors import NotFoundError
from streams.serving.graph.client import AsyncGraph, Graph
from streams.serving.transport import InProcess
from tests.identity import OPERATOR_TOKEN
from tests.unit.serving.graph.dealings import DAY, START, Dealings, paid
from tests.unit.serving.world import ALICE, BOB, World

CAROL = b"\xc0" * 20


async def test_every_question_can_be_asked(world: World) -> None:
    Dealings(world).block(*[paid(ALICE, BOB)] * 5, paid(BOB, CAROL))
    exchange = InProcess(create_app(world.services))
    async with AsyncClient("http://127.0.0.1", token=OPERATOR_TOKEN, exchange=exchange, retries=0) as client:
        graph = client.graph
        assert [one.node for one in (await graph.neighbours(ALICE, depth=2)).items] == [f"0x{BOB.hex()}", f"0x{CAROL.hex()}"]
        assert (await graph.neighbours(ALICE, as_of_block=0)).items == []
        assert (await graph.edges(f"0x{BOB.hex()}", limit=1)).total == 2
        assert len((await graph.path(ALICE, CAROL, as_of_time=START + 9 * DAY)).nodes) == 3
        assert (await graph.profile(ALICE)).transactions == 5
        assert (await graph.insights(ALICE)).success == 1.0
        assert {one.kind for one in (await graph.patterns()).items} == {"FREQUENT_PAIR", "BRIDGE"}
        assert (await graph.identities()).items == []
        assert (await graph.patterns(kind="HUB")).total == 0
        assert (await graph.top()).by == "pagerank"
        trusted = await graph.top(seeds=[ALICE], limit=2)
        assert (trusted.by, trusted.items[0].node) == ("trust", f"0x{ALICE.hex()}")
        with pytest.raises(NotFoundError):
            await graph.profile(CAROL)


def test_both_clients_ask_the_same() -> None:
    def methods(kind: type) -> dict[str, list[str]]:
        found = inspect.getmembers(kind, inspect.isfunction)
        return {name: list(inspect.signature(method).parameters) for name, method in found if not name.startswith("_")}

    assert methods(Graph) == methods(AsyncGraph)
