"""The graph over REST: what was true when, what a reorganisation hides, and what is refused."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from eth_abi import encode

from streams.core.graph.tally import SCALE, faded
from tests.steps import block, step_new, step_undo
from tests.transactions import log
from tests.unit.serving.graph.dealings import DAY, IDENTITY, REPUTATION, START, Dealings, paid
from tests.unit.serving.world import ALICE, BOB, World

CAROL, DAVE, ERIN = b"\xc0" * 20, b"\xd0" * 20, b"\xe0" * 20


def name(node: bytes) -> str:
    return f"0x{node.hex()}"


@pytest.fixture
def dealings(world: World) -> Dealings:
    return Dealings(world)


async def got(http: httpx.AsyncClient, path: str, **params: Any) -> Any:
    answer = await http.get(f"/v1/graph/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_neighbours_fade_and_are_as_of_any_block(http: httpx.AsyncClient, dealings: Dealings) -> None:
    dealings.block(paid(ALICE, BOB))
    dealings.block(paid(BOB, CAROL, 0.5))
    dealings.block(paid(CAROL, DAVE))
    found = await got(http, f"{name(ALICE)}/neighbours", depth=3)
    assert [(one["node"], one["depth"], one["kind"]) for one in found["items"]] == [
        (name(BOB), 1, "AGENT"), (name(CAROL), 2, "AGENT"), (name(DAVE), 3, "ACCOUNT"),
    ]  # fmt: skip
    fresh = found["items"][2]["weight"]
    assert fresh == pytest.approx(0.6, abs=1e-6)
    assert found["items"][0]["weight"] == faded(int(fresh * SCALE), 2 * DAY) / SCALE
    assert (found["as_of"]["block"], found["as_of"]["time"]) == (None, START + 3 * DAY)
    before = await got(http, f"{name(ALICE)}/neighbours", depth=3, as_of_block=1)
    assert [(one["node"], one["weight"]) for one in before["items"]] == [(name(BOB), fresh)]
    by_time = await got(http, f"{name(ALICE)}/neighbours", depth=3, as_of_time=START + 2 * DAY)
    assert len(by_time["items"]) == 2
    assert (await got(http, f"{name(ERIN)}/neighbours"))["items"] == []


async def test_an_edge_grows_event_by_event_and_can_be_seen_at_each(http: httpx.AsyncClient, dealings: Dealings) -> None:
    for _ in range(3):
        dealings.block(paid(ALICE, BOB, 0.000_01))
    counts = [(await got(http, f"{name(ALICE)}/edges", as_of_block=n))["items"][0]["events"] for n in (1, 2, 3)]
    assert counts == [1, 2, 3]
    (edge,) = (await got(http, f"{name(BOB)}/edges"))["items"]
    assert (edge["source"], edge["target"], edge["kind"], edge["volume"]) == (name(ALICE), name(BOB), "TRANSFER", 3e-5)
    assert edge["strength"] == 0.9375


async def test_a_block_that_was_undone_never_shows_though_the_table_still_holds_it(
    http: httpx.AsyncClient, world: World, dealings: Dealings
) -> None:
    dealings.block(paid(ALICE, BOB))
    last, drawn = dealings.block(paid(ALICE, CAROL), paid(ALICE, BOB, 5))
    assert len((await got(http, f"{name(ALICE)}/neighbours"))["items"]) == 2
    assert world.chain.view.sequence is not None
    world.chain.view.apply(step_undo(world.chain.view.sequence + 1, [last], world.blocks[-2]))
    after = await got(http, f"{name(ALICE)}/edges")
    assert [(edge["target"], edge["events"]) for edge in after["items"]] == [(name(BOB), 1)]
    assert (await got(http, f"{name(ALICE)}/profile"))["transactions"] == 1
    dealings.revert((last, drawn))
    assert await got(http, f"{name(ALICE)}/edges") == after


async def test_a_block_that_the_view_has_not_seen_does_not_show(
    http: httpx.AsyncClient, world: World, dealings: Dealings
) -> None:
    dealings.block(paid(ALICE, BOB))
    ahead = block(2, 0, world.blocks[-1].hash)
    dealings.block(paid(ALICE, CAROL), ref=ahead)
    assert len((await got(http, f"{name(ALICE)}/neighbours"))["items"]) == 1
    world.chain.view.apply(step_new((world.chain.view.sequence or 0) + 1, ahead))
    assert (await got(http, f"{name(ALICE)}/profile"))["transactions"] == 2


async def test_paths_and_relationships(http: httpx.AsyncClient, dealings: Dealings) -> None:
    dealings.block(paid(ALICE, BOB), paid(BOB, CAROL), paid(ALICE, DAVE, 0.000_1), paid(DAVE, CAROL, 0.000_1))
    found = await got(http, f"{name(ALICE)}/path/{name(CAROL)}")
    assert found["nodes"] == [name(ALICE), name(BOB), name(CAROL)]
    assert found["relationship"] is None
    near = await got(http, f"{name(BOB)}/path/{name(ALICE)}")
    assert (near["nodes"], near["relationship"]) == ([name(BOB), name(ALICE)], "CONSUMER")
    assert (await got(http, f"{name(ALICE)}/path/{name(ERIN)}"))["nodes"] == []


async def test_ranks_and_patterns(http: httpx.AsyncClient, dealings: Dealings) -> None:
    dealings.block(*(paid(ALICE, bytes([n]) * 20) for n in range(1, 12)), *[paid(BOB, CAROL)] * 5, paid(DAVE, ALICE))
    ranks = await got(http, "top", limit=3)
    assert {one["node"] for one in ranks["items"][:2]} == {name(ALICE), name(CAROL)}
    trust = await got(http, "top", by="trust", seed=[name(ALICE)])
    assert trust["items"][0]["node"] == name(ALICE)
    assert all(one["rank"] == 0 for one in trust["items"] if one["node"] in {name(BOB), name(CAROL), name(DAVE)})
    found = await got(http, "patterns")
    assert [(one["kind"], one["nodes"]) for one in found["items"]] == [
        ("BRIDGE", [name(ALICE)]), ("HUB", [name(ALICE)]), ("FREQUENT_PAIR", sorted([name(BOB), name(CAROL)])),
    ]  # fmt: skip
    hubs = await got(http, "patterns", kind="HUB", limit=1)
    assert (hubs["total"], len(hubs["items"])) == (1, 1)


async def test_insights_and_reputation(http: httpx.AsyncClient, dealings: Dealings) -> None:
    dealings.block(*[paid(ALICE, BOB, 2, status=0)] * 10, *[paid(ALICE, BOB, 2)] * 10)
    found = await got(http, f"{name(ALICE)}/insights")
    assert (found["trend"], found["rhythm"], found["success"], found["looked_at"]) == (1.0, "burst", 0.5, 20)
    profile = await got(http, f"{name(ALICE)}/profile")
    assert profile["reputation"] == pytest.approx((0.5 * 0.9**10) * 0.9**10 + (1 - 0.9**10), abs=1e-9)
    assert (profile["specialisation"], profile["failures"], profile["volume"]) == ("whale", 10, 20.0)


def registered(registry: bytes, agent_id: int, owner: bytes) -> dict[str, Any]:
    data = encode(["string"], ["ipfs://card"])
    return log(registry, "Registered(uint256,string,address)", agent_id, owner, data=data)


def rated(registry: bytes, agent_id: int, client: bytes, value: int, index: int = 1) -> dict[str, Any]:
    types = ["uint64", "int128", "uint8", "string", "string", "string", "string", "bytes32"]
    data = encode(types, [index, value, 2, "", "", "", "", bytes(32)])
    signature = "NewFeedback(uint256,address,uint64,int128,uint8,string,string,string,string,string,bytes32)"
    return log(registry, signature, agent_id, client, bytes(32), data=data)


async def test_identities_and_feedback_come_from_believed_registries_alone(http: httpx.AsyncClient, dealings: Dealings) -> None:
    false = b"\x66" * 20
    dealings.block(paid(ALICE, IDENTITY, 0, logs=[registered(IDENTITY, 7, ALICE), registered(false, 8, ALICE)]))
    dealings.block(paid(BOB, REPUTATION, 0, logs=[rated(REPUTATION, 7, BOB, 90), rated(false, 7, BOB, 5)]))
    dealings.block(paid(CAROL, REPUTATION, 0, logs=[rated(REPUTATION, 7, CAROL, 50)]))
    revoked = log(REPUTATION, "FeedbackRevoked(uint256,address,uint64)", 7, CAROL, 1)
    dealings.block(paid(CAROL, REPUTATION, 0, logs=[revoked]))
    (identity,) = (await got(http, f"{name(ALICE)}/profile"))["identities"]
    assert (identity["registry"], identity["agent_id"], identity["uri"]) == (name(IDENTITY), "7", "ipfs://card")
    assert identity["feedback"] == {"count": 1, "clients": 1, "mean": 0.9, "revoked": 1, "responses": 0}
    (earlier,) = (await got(http, f"{name(ALICE)}/profile", as_of_block=3))["identities"]
    assert (earlier["feedback"]["count"], earlier["feedback"]["mean"]) == (2, 0.7)
    skills = encode(["string", "bytes"], ["capabilities", b"swap,lend"])
    described = log(IDENTITY, "MetadataSet(uint256,string,string,bytes)", 7, bytes(32), data=skills)
    dealings.block(paid(ALICE, IDENTITY, 0, logs=[described]))
    (able,) = (await got(http, "identities", capability="lend"))["items"]
    assert (able["agent_id"], able["capabilities"], able["feedback"]["count"]) == ("7", ["swap", "lend"], 1)
    assert (await got(http, "identities", capability="cook"))["items"] == []
    assert (await got(http, "identities", as_of_block=0))["items"] == []
    passed = log(IDENTITY, "Transfer(address,address,uint256)", ALICE, BOB, 7)
    dealings.block(paid(ALICE, IDENTITY, 0, logs=[passed]))
    assert (await got(http, f"{name(ALICE)}/profile"))["identities"] == []
    assert len((await got(http, f"{name(BOB)}/profile"))["identities"]) == 1


@pytest.mark.parametrize(
    ("path", "params", "status", "error"),
    [
        ("0x12/neighbours", {}, 400, "bad_request"),
        (f"{name(ALICE)}/neighbours", {"depth": 4}, 422, "invalid"),
        (f"{name(ALICE)}/neighbours", {"limit": 201}, 422, "invalid"),
        (f"{name(ALICE)}/neighbours", {"as_of_block": -1}, 422, "invalid"),
        (f"{name(ALICE)}/path/nobody", {}, 400, "bad_request"),
        ("top", {"by": "trust"}, 400, "bad_request"),
        ("top", {"by": "pagerank", "seed": name(ALICE)}, 400, "bad_request"),
        ("top", {"by": "trust", "seed": ["0x1"]}, 400, "bad_request"),
        ("top", {"by": "trust", "seed": [name(ALICE)] * 33}, 422, "invalid"),
        ("patterns", {"kind": "STAR"}, 422, "invalid"),
        (f"{name(ERIN)}/profile", {}, 404, "not_found"),
        (f"{name(ERIN)}/insights", {}, 404, "not_found"),
    ],
)
async def test_what_is_refused(http: httpx.AsyncClient, path: str, params: dict[str, Any], status: int, error: str) -> None:
    answer = await http.get(f"/v1/graph/{path}", params=params)
    assert (answer.status_code, answer.json()["error"]) == (status, error)


async def test_a_graph_that_is_too_large_is_not_ranked(
    http: httpx.AsyncClient, dealings: Dealings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.serving.graph.reads.MAX_NODES", 2)
    dealings.block(paid(ALICE, BOB), paid(ALICE, CAROL))
    answer = await http.get("/v1/graph/top")
    assert (answer.status_code, "3 nodes" in answer.json()["message"]) == (400, True)
    assert len((await got(http, f"{name(ALICE)}/neighbours"))["items"]) == 2


async def test_a_lagging_view_answers_nothing(http: httpx.AsyncClient, world: World) -> None:
    world.chain.stuck = True
    for path in ("top", "patterns", f"{name(ALICE)}/edges", f"{name(ALICE)}/profile", f"{name(ALICE)}/insights"):
        assert (await http.get(f"/v1/graph/{path}")).status_code == 503
