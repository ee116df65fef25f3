"""The oracle, and that its comparison can say no."""

from __future__ import annotations

from typing import Any

import pytest
from blake3 import blake3

from schemas.records import LatticeRoot
from streams.core.block import BlockRef
from streams.core.leaf import leaf_of
from streams.core.lthash import merge, sum_elements
from streams.core.merkle.sparse import SparseTree
from streams.oracle import Difference, Oracle, World, differences
from tests.facts import agent_of, delete, digest, memory_of, secret_of, upsert

A, B, C = (agent_of(n) for n in range(3))
BLOCK = BlockRef(1, digest("block"), digest("genesis"))
IDS = [digest("id", n) for n in range(6)]
CAUSES = [digest("cause", n) for n in range(9)]
FACTS = [
    upsert(A, IDS[0], CAUSES[0], BLOCK),
    upsert(A, IDS[1], CAUSES[1], BLOCK),
    upsert(B, IDS[2], CAUSES[2], BLOCK),
    delete(B, IDS[3], CAUSES[3]),
    upsert(B, IDS[3], CAUSES[4]),
    upsert(C, IDS[4], CAUSES[5]),
    delete(C, IDS[4], CAUSES[6], BLOCK),
    delete(A, IDS[2], CAUSES[7]),
]


def world_of(facts: list[Any]) -> World:
    return Oracle(lambda fact: (fact,), secret_of).fold(facts).world()


def root_of_agent(agent: bytes, world: World) -> LatticeRoot:
    state = world.agents[agent]
    return {
        "agent": agent,
        "count": state.count,
        "lattice": bytes(state.lattice),
        "checksum": state.checksum,
        "merkle_root": state.merkle_root,
        "block": None,
    }


@pytest.fixture
def world() -> World:
    return world_of(FACTS)


@pytest.fixture
def roots(world: World) -> dict[bytes, LatticeRoot]:
    return {agent: root_of_agent(agent, world) for agent in world.agents}


def test_what_stands(world: World) -> None:
    assert {agent: state.ids for agent, state in world.agents.items()} == {A: tuple(sorted(IDS[:2])), B: (IDS[2],)}
    assert world.count == 3
    leaves = [leaf_of(secret_of(A), memory_of(A, IDS[n], BLOCK)) for n in (0, 1)]
    assert world.agents[A].lattice == sum_elements([leaf.value for leaf in leaves])
    assert world.agents[A].merkle_root == SparseTree.of(dict(leaves)).root
    assert world.checksum == merge(state.lattice for state in world.agents.values()).checksum()


def test_order_and_repetition_do_not_matter(world: World) -> None:
    assert world_of([*reversed(FACTS), *FACTS]) == world
    folded = Oracle(lambda pair: pair, secret_of).fold([FACTS[:3], FACTS[3:]])
    assert folded.world() == world


def test_part_keeps_some_agents(world: World) -> None:
    assert set(world.part(lambda agent: agent == B).agents) == {B}


def test_agreement(world: World, roots: dict[bytes, LatticeRoot]) -> None:
    stored = {A: [IDS[1], IDS[0]], B: [IDS[2]], C: []}
    empty = {**root_of_agent(A, world), "agent": C, "count": 0, "lattice": bytes(2048), "merkle_root": bytes(32)}
    empty["checksum"] = blake3(bytes(2048)).digest()
    assert differences(world, roots, stored) == []
    assert differences(world, {**roots, C: empty}) == [], "an agent with nothing live may have a record"  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("agent", B, {"owner in the record"}),
        ("count", 7, {"count"}),
        ("lattice", bytes(2048), {"hash of the lattice state", "lattice checksum"}),
        ("lattice", b"short", {"hash of the lattice state", "lattice checksum"}),
        ("checksum", bytes(32), {"lattice checksum"}),
        ("merkle_root", bytes(32), {"Merkle root"}),
    ],
)
def test_a_wrong_root_is_named(world: World, roots: dict[bytes, Any], field: str, value: Any, what: set[str]) -> None:
    found = differences(world, {**roots, A: {**roots[A], field: value}})
    assert {one.what for one in found} == what
    assert {one.agent for one in found} <= {A, None}
    assert all(f"0x{A.hex()}" in str(one) or "all agents" in str(one) for one in found)


def test_a_missing_and_a_foreign_record_are_named(world: World, roots: dict[bytes, LatticeRoot]) -> None:
    missing = differences(world, {B: roots[B]})
    assert [(one.agent, one.what) for one in missing] == [(A, "lattice root"), (None, "lattice checksum")]
    foreign = differences(world, {**roots, C: {**roots[A], "agent": C}})
    assert {one.what for one in foreign if one.agent == C} >= {"count", "Merkle root"}


@pytest.mark.parametrize("ids", [[], [IDS[0]], [IDS[0], IDS[1], IDS[2]], [IDS[0], IDS[0], IDS[1]], [IDS[0], IDS[5]]])
def test_wrong_stored_ids_are_named(world: World, roots: dict[bytes, LatticeRoot], ids: list[bytes]) -> None:
    (found,) = differences(world, roots, {A: ids, B: [IDS[2]]})
    assert (found.agent, found.what) == (A, "stored ids")


def test_a_store_that_knows_an_agent_too_many_or_too_few(world: World, roots: dict[bytes, LatticeRoot]) -> None:
    assert [one.agent for one in differences(world, roots, {A: IDS[:2]})] == [B]
    assert [one.agent for one in differences(world, roots, {A: IDS[:2], B: [IDS[2]], C: [IDS[4]]})] == [C]


def test_the_secret_does_not_show() -> None:
    assert "leaf_secret" not in repr(Oracle(lambda fact: (fact,), secret_of))
    assert str(Difference(None, "x", "1", "2")) == "all agents: x is 2, must be 1"
