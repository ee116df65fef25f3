"""The table of newest roots: packed, and answering for agents whose older roots were forgotten."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import codec
from streams.core.block import BlockRef
from streams.metrics import REGISTRY
from streams.serving import kept_roots, root_history
from streams.serving.packed_roots import PackedRoots
from streams.serving.root_history import Seen
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
    tail._take(0, 1, ALICE, record(ALICE, 3, block))
    assert await tail.fresh(ALICE) == Root(ALICE, 3, b"\x0c" * 32, b"\x0e" * 32, block)
    assert await tail.fresh(BOB) is None
    tail._take(0, 2, ALICE, None)
    assert await tail.fresh(ALICE) is None


async def test_agents_are_active_while_they_have_memories(tail: RootTail) -> None:
    tail._take(0, 3, ALICE, record(ALICE, 3, REF))
    tail._take(0, 4, BOB, record(BOB, 0, REF))
    assert REGISTRY.get_sample_value("monmouth_agents_active_total") == tail.active == 1
    tail._take(0, 5, ALICE, record(ALICE, 0, REF))
    tail._take(0, 6, BOB, None)
    assert REGISTRY.get_sample_value("monmouth_agents_active_total") == tail.active == 0


async def test_the_newest_root_is_known_where_others_pushed_it_out_of_the_history(
    tail: RootTail, monkeypatch: pytest.MonkeyPatch
) -> None:
    tail._history = root_history.RootHistory(root_history.Bounds(10, 2))
    for number in (0, 1, 2):
        agent = bytes([number]) * 20
        tail._take(0, number, agent, record(agent, 1, REF))
    (seen,) = await tail.history(bytes(20))
    assert seen.root == await tail.fresh(bytes(20))
    assert not seen.live


def at(number: int, branch: int = 0) -> BlockRef:
    return BlockRef(number, bytes([branch, number]) * 16, bytes([branch, max(0, number - 1)]) * 16)


def process(file: Path, met: int = 0) -> RootTail:
    """A tail that goes on with what the file keeps. ``met``: the end of the topic when it came."""
    made = RootTail(KafkaSettings(), 1.0, file=file)
    made.tail.met = {0: met}
    made.load()
    return made


async def test_a_new_process_knows_the_roots_that_compaction_took(tmp_path: Path) -> None:
    """Root 2 and 3 of Alice left the topic; what was written while nobody read is seen with a gap in front of it."""
    file = tmp_path / "gateway" / "roots.history"
    before = process(file)
    written = [record(ALICE, number, at(number)) for number in range(6)]
    for number in range(4):
        before._take(0, number, ALICE, written[number])
    before._take(0, 4, BOB, None)
    await before.save(file)
    assert (file.stat().st_mode & 0o777, [each.name for each in file.parent.iterdir()]) == (0o600, ["roots.history"])
    after = process(file, 10)
    assert after._history.of(ALICE) == before._history.of(ALICE)
    for offset, key, value in ((3, ALICE, written[3]), (4, BOB, None), (9, ALICE, written[4]), (10, ALICE, written[5])):
        after._take(0, offset, key, value)
    seen = after._history.of(ALICE)
    assert [each.root and each.root.count for each in seen] == [0, 1, 2, 3, 4, 5]
    assert [each.live for each in seen] == [True, True, True, True, False, True]
    assert after._history.of(BOB) == [Seen(None, live=True)]
    assert after._roots.get(ALICE) == seen[-1].root


async def test_what_is_kept_of_another_topic_counts_for_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "roots.history"
    before = process(file)
    for number in range(3):
        before._take(0, number, ALICE, record(ALICE, number, at(number)))
    await before.save(file)
    after = process(file, 10)
    after._take(0, 1, ALICE, record(ALICE, 9, at(9, branch=1)))
    assert [each.root and each.root.count for each in after._history.of(ALICE)] == [9]
    assert "is not the topic that older roots were kept of" in caplog.text


@pytest.mark.parametrize("written", [0, 10, 70])
async def test_a_topic_that_ends_before_what_was_read_was_made_anew(
    tmp_path: Path, written: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of more records than are told apart one by one."""
    file = tmp_path / "roots.history"
    before = process(file)
    for number in range(100):
        before._take(0, number, (ALICE, BOB)[number % 2], record((ALICE, BOB)[number % 2], number, at(number)))
    await before.save(file)
    after = process(file, written)

    async def read(_: float) -> None:
        """All that is there is taken below."""

    monkeypatch.setattr(after.tail, "barrier", read)
    for number in range(written):
        after._take(0, number, ALICE, record(ALICE, number, at(number, branch=1)))
    assert [seen.root and seen.root.block for seen in await after.history(ALICE)] == [at(n, 1) for n in range(written)]
    assert await after.history(BOB) == []
    assert caplog.text.count("is not the topic that older roots were kept of") == 1
    await after.save(file)
    assert process(file, 1_000)._history.of(BOB) == [], "nor by the next process, when the topic has grown"


async def test_a_topic_with_fewer_partitions_was_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "roots.history"
    before = process(file)
    before._take(0, 0, ALICE, record(ALICE, 1, at(1)))
    before._take(1, 0, BOB, record(BOB, 1, at(1)))
    await before.save(file)
    after = process(file, 500)
    after._take(0, 400, ALICE, record(ALICE, 2, at(2, branch=1)))
    assert [seen.root and seen.root.count for seen in after._history.of(ALICE)] == [2]
    assert after._history.of(BOB) == []


async def test_older_roots_are_packed_beside_the_loop_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed, packing, go_on = kept_roots.packed, threading.Event(), threading.Event()

    def slowly(*kept: Any) -> bytes:
        assert threading.current_thread() is not threading.main_thread(), "requests would wait"
        packing.set()
        assert go_on.wait(30)
        return packed(*kept)

    monkeypatch.setattr(kept_roots, "packed", slowly)
    file, tail = tmp_path / "roots.history", process(tmp_path / "none")
    tail._take(0, 0, ALICE, record(ALICE, 1, at(1)))
    saving = asyncio.create_task(tail.save(file))
    assert await asyncio.to_thread(packing.wait, 30)
    tail._take(0, 1, ALICE, record(ALICE, 2, at(2)))
    go_on.set()
    await saving
    kept = process(file, 2)
    assert [seen.root and seen.root.count for seen in kept._history.of(ALICE)] == [1]
    assert kept._places.positions == {0: 1} and list(kept._places.witnesses[0]) == [0]
    await tail.save(file)
    assert process(file, 2)._history.of(ALICE) == tail._history.of(ALICE)


async def test_nothing_is_left_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, tail = tmp_path / "roots.history", process(tmp_path / "none")
    tail._take(0, 0, ALICE, record(ALICE, 1, at(1)))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        await tail.save(file)
    assert list(tmp_path.iterdir()) == []
    ended, other = tmp_path / "roots.history.123", tmp_path / "roots.history_of_another_gateway"
    for path in (ended, other):
        path.write_bytes(b"half")
    os.utime(ended, (1_000, 1_000))
    await tail.save(file)
    assert sorted(tmp_path.iterdir()) == [file, other], "what a process left that was killed, and not what one is writing"


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b"", lambda b: b[:70] + b"x" + b[71:], lambda b: b"no\n{}"])
async def test_a_damaged_file_counts_as_none(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    file = tmp_path / "roots.history"
    before = process(file)
    before._take(0, 0, ALICE, record(ALICE, 1, None))
    await before.save(file)
    file.write_bytes(damage(file.read_bytes()))
    assert process(file)._history.of(ALICE) == []
    assert process(tmp_path / "none")._history.of(ALICE) == []


async def test_a_disk_that_fails_is_told_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "gateway").write_text("in the way")
    file = tmp_path / "gateway" / "roots.history"
    tail = process(tmp_path / "none")
    tail._take(0, 0, ALICE, record(ALICE, 1, REF))
    for _ in range(3):
        await tail.save(file)
    assert caplog.text.count("older roots are not kept") == 1, "once, not at every try"
    (tmp_path / "gateway").unlink()
    await tail.save(file)
    assert process(file)._history.of(ALICE) == tail._history.of(ALICE)
    file.unlink()
    await tail.save(file)
    assert not file.exists(), "nothing is new"


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
