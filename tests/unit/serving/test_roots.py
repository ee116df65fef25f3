"""The table of newest roots: packed, and answering for agents whose older roots were forgotten."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import codec
from streams.core.block import BlockRef
from streams.serving import root_history
from streams.serving.packed_roots import PackedRoots
from streams.serving.roots import Root, RootTail
from streams.settings import KafkaSettings
from tests.unit.serving.world import ALICE, BOB

REF = BlockRef(7, b"\x07" * 32, b"\x06" * 32)


def record(agent: bytes, count: int, block: BlockRef | None) -> bytes:
    return codec().encode(
        "LatticeRoot",
        {
            "agent": agent,
            "count": count,
            "lattice": bytes(2048),
            "checksum": b"\x0c" * 32,
            "merkle_root": b"\x0e" * 32,
            "block": None if block is None else block.record(),
        },
    )


@pytest.fixture
def tail(monkeypatch: pytest.MonkeyPatch) -> RootTail:
    made = RootTail(KafkaSettings(), 1.0)

    async def read(_: float) -> None:
        """Nothing more is there."""

    monkeypatch.setattr(made.tail, "barrier", read)
    return made


@pytest.mark.parametrize("block", [REF, None])
async def test_a_root_comes_back_as_it_was(tail: RootTail, block: BlockRef | None) -> None:
    tail._take(0, ALICE, record(ALICE, 3, block))
    assert await tail.fresh(ALICE) == Root(ALICE, 3, b"\x0c" * 32, b"\x0e" * 32, block)
    assert await tail.fresh(BOB) is None
    tail._take(0, ALICE, None)
    assert await tail.fresh(ALICE) is None


async def test_agents_are_active_while_they_have_memories(tail: RootTail) -> None:
    tail._take(0, ALICE, record(ALICE, 3, REF))
    tail._take(0, BOB, record(BOB, 0, REF))
    assert tail._active == 1
    tail._take(0, ALICE, record(ALICE, 0, REF))
    tail._take(0, BOB, None)
    assert tail._active == 0


async def test_the_newest_root_is_known_where_others_pushed_it_out_of_the_history(
    tail: RootTail, monkeypatch: pytest.MonkeyPatch
) -> None:
    tail._history = root_history.RootHistory(10, 2)
    for number in (0, 1, 2):
        agent = bytes([number]) * 20
        tail._take(0, agent, record(agent, 1, REF))
    (seen,) = await tail.history(bytes(20))
    assert seen.root == await tail.fresh(bytes(20))
    assert not seen.live


ROOTS = st.builds(
    Root,
    st.integers(0, 3).map(lambda n: bytes([n]) * 20),
    st.integers(0, 1 << 60),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=32, max_size=32),
    st.none() | st.integers(0, 2).map(lambda n: BlockRef(n, bytes([n]) * 32, bytes([n + 1]) * 32)),
)


@given(st.lists(ROOTS | st.integers(0, 3).map(lambda n: bytes([n]) * 20), max_size=40))
def test_packed_roots_are_a_dictionary_of_roots(steps: list[Root | bytes]) -> None:
    packed, model = PackedRoots(), dict[bytes, Root]()
    for step in steps:
        if isinstance(step, bytes):
            assert packed.pop(step) == model.pop(step, None)
        else:
            assert packed.set(step) == model.get(step.agent)
            model[step.agent] = step
    assert {agent: packed.get(agent) for agent in model} == model
    assert len(packed) == len(model)
    assert len(packed._blocks) == len({root.block for root in model.values() if root.block})
