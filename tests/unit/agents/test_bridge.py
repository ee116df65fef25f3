"""The bridge agent: what a tap decodes from bridge.records is what stands, after any history; or, if so set, what is final."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import codec
from schemas.defaults import plain_memory
from schemas.records import MemoryFact
from streams import topics
from streams.agents.base import Record
from streams.agents.bridge import BridgeAgent
from streams.agents.memory_facts import delete_fact, upsert_fact
from streams.core.block import BlockRef
from streams.core.ids import content_id
from streams.core.presence import Fact, Presence
from streams.errors import PoisonError
from streams.portability.bridge import BridgeRecord, decode
from streams.signing import Signer
from tests.fakes import MemoryState

SIGNER = Signer(b"b" * 32)
ALICE, BOB = b"\xa1" * 20, b"\xb2" * 20
IDS = [bytes([n]) * 32 for n in range(3)]
Step = tuple[BlockRef | None, list[MemoryFact]]


def block(number: int, branch: int = 0) -> BlockRef:
    return BlockRef(number, content_id("block", number, branch), content_id("block", number - 1, 0))


def upsert(memory_id: bytes, at: BlockRef | None, **fields: Any) -> MemoryFact:
    place = None if at is None else at.record()
    memory: Any = {
        **plain_memory(memory_id, ALICE, "SEMANTIC", "COMMAND" if at is None else "CHAIN", 1_700_000_000),
        "content": b"note " + memory_id[:1], "block": place, "tags": ["t"], **fields,
    }  # fmt: skip
    return upsert_fact(content_id("put", memory_id, b"" if at is None else at.hash), memory, place)


def delete(memory_id: bytes, at: BlockRef | None) -> MemoryFact:
    place = None if at is None else at.record()
    return delete_fact(content_id("gone", memory_id, b"" if at is None else at.hash), ALICE, memory_id, place)


class Tap:
    """Somebody who reads bridge.records and knows nothing but the format and whose key to trust."""

    def __init__(self, *, final_only: bool = False, agents: frozenset[bytes] = frozenset({ALICE})) -> None:
        self.state = MemoryState()
        self.agent = BridgeAgent(0, self.state, SIGNER, agents, final_only=final_only)
        self.rows: dict[bytes, bytes] = {}

    def apply(self, at: BlockRef | None, facts: list[MemoryFact]) -> None:
        self._read(self.agent.apply(at, records(facts)))

    def revert(self, at: BlockRef, facts: list[MemoryFact]) -> None:
        self._read(self.agent.revert(at, records(facts)))

    def finalize(self, at: BlockRef) -> None:
        self._read(self.agent.finalize(at))

    def _read(self, emits: Any) -> None:
        for topic, key, kind, value in emits:
            assert topic == topics.BRIDGE
            if value is None:
                del self.rows[key]  # nothing is taken back that was not said
                continue
            name, record = codec().decode(codec().encode(kind, value))
            assert (name, record["agent"] + record["memory_id"]) == ("BridgedMemory", key)
            self.rows[key] = record["payload"]

    def seen(self) -> dict[bytes, BridgeRecord]:
        return {key[20:]: decode(payload, [SIGNER.public]) for key, payload in self.rows.items()}


def records(facts: list[MemoryFact]) -> list[Record]:
    return [Record(topics.MEMORY_LOG, 0, n, fact["owner"], "MemoryFact", fact, b"") for n, fact in enumerate(facts)]


def test_what_a_tap_decodes_is_the_memory() -> None:
    tap, at = Tap(), block(6)
    fact = upsert(IDS[0], at)
    tap.apply(at, [fact])
    assert fact["memory"] is not None
    assert tap.seen() == {IDS[0]: BridgeRecord.of(fact["memory"])}
    assert (tap.seen()[IDS[0]].slot, tap.seen()[IDS[0]].block_hash) == (3, at.hash)
    tap.revert(at, [fact])
    assert tap.seen() == {}
    assert not dict(tap.state.content)


def test_only_final_memories_cross_where_that_was_asked() -> None:
    tap = Tap(final_only=True)
    first, second = block(1), block(2)
    tap.apply(None, [upsert(IDS[2], None)])
    tap.apply(first, [upsert(IDS[0], first)])
    tap.apply(second, [upsert(IDS[1], second), delete(IDS[0], second)])
    assert set(tap.seen()) == {IDS[2]}
    tap.finalize(first)
    assert set(tap.seen()) == {IDS[0], IDS[2]}
    tap.revert(second, [upsert(IDS[1], second), delete(IDS[0], second)])
    assert set(tap.seen()) == {IDS[0], IDS[2]}
    tap.apply(second, [upsert(IDS[1], second), delete(IDS[0], second)])
    tap.finalize(second)
    assert set(tap.seen()) == {IDS[1], IDS[2]}


def test_what_does_not_cross() -> None:
    tap = Tap(agents=frozenset({BOB}))
    tap.apply(None, [upsert(IDS[0], None)])
    assert tap.seen() == {}
    tap = Tap()
    tap.apply(
        None, [upsert(IDS[0], None, form="AMENDMENT"), upsert(IDS[1], None, sealed=b"x"), upsert(IDS[2], None, tags=["t"] * 33)]
    )
    assert tap.seen() == {}
    with pytest.raises(PoisonError, match="no input"):
        list(tap.agent.apply(None, [Record(topics.MEMORY_LOG, 0, 0, ALICE, "Intent", {}, b"")]))


def test_of_what_was_forgotten_for_good_nothing_is_kept() -> None:
    tap, at = Tap(), block(1)
    tap.apply(at, [upsert(IDS[0], at)])
    tap.apply(None, [delete(IDS[0], None)])
    assert tap.seen() == {}
    tap.revert(at, [upsert(IDS[0], at)])
    tap.apply(at, [upsert(IDS[0], at)])
    assert tap.seen() == {}
    assert all(b"note" not in value for value in dict(tap.state.content).values())


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """Blocks 1 to 3 with facts about few memories, and commands in between."""
    steps: list[Step] = []
    for number in (1, 2, 3):
        for at in [None] * draw(st.integers(0, 1)) + [block(number)]:
            kinds = st.sampled_from([upsert, upsert, delete])
            steps.append((at, [draw(kinds)(draw(st.sampled_from(IDS)), at) for _ in range(draw(st.integers(0, 3)))]))
    return steps


def live(steps: list[Step], final: int | None) -> set[bytes]:
    """By the definition of presence."""
    found: dict[bytes, Presence] = {}
    for at, facts in steps:
        if at is not None and final is not None and at.number > final:
            continue
        for fact in facts:
            name = Fact(fact["cause"]) if at is None else Fact(fact["cause"], at.hash, at.number)
            before = found.get(fact["memory_id"], Presence())
            found[fact["memory_id"]] = before.upsert(name) if fact["op"] == "UPSERT" else before.delete(name)
    return {memory_id for memory_id, presence in found.items() if presence.live()}


@given(histories(), st.booleans(), st.integers(0, 3), st.data())
def test_a_tap_sees_what_stands(steps: list[Step], final_only: bool, final: int, data: st.DataObject) -> None:
    tap = Tap(final_only=final_only)
    for step in steps:
        tap.apply(*step)
    if final:
        tap.finalize(block(final))
    standing = list(steps)
    for at, facts in reversed([step for step in steps if step[0] is not None and step[0].number > final]):
        if not data.draw(st.booleans()):
            break
        assert at is not None
        tap.revert(at, facts)
        standing.remove((at, facts))
    assert set(tap.seen()) == live(standing, final if final_only else None)
