"""Digests of what the chain says: all of it, and nothing of what commands say."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.records import Memory
from streams.core.presence import Fact, Presence
from streams.core.sync.digests import NO_CONTENT, agent_digest, chain_facts, content_of
from tests.steps import block
from tests.unit.serving.world import ALICE, BOB, upsert

REF = block(3, 0, bytes(32))
FACT = upsert(ALICE, REF, 0, "swapped eth")
MEMORY = FACT["memory"]
CHAIN = Fact(FACT["cause"], REF.hash, REF.number)
COMMAND = Fact(b"\x01" * 32)


def digest(memory: Memory | None, presence: Presence, agent: bytes = ALICE, height: int = 9) -> bytes:
    facts = chain_facts(agent, FACT["memory_id"], memory, presence, lambda number, _: number <= height)
    return agent_digest(agent, (fact.element for fact in facts))


WHOLE = digest(MEMORY, Presence(frozenset({CHAIN})))


def test_commands_count_for_nothing() -> None:
    assert digest(MEMORY, Presence(frozenset({CHAIN, COMMAND}), frozenset({COMMAND}))) == WHOLE


@pytest.mark.parametrize(
    "change", [{"content": b"swapped dai"}, {"importance": 0.51}, {"tags": []}, {"timestamp": 1_001}, {"type": "SEMANTIC"}]
)
def test_every_field_counts(change: dict[str, Any]) -> None:
    assert MEMORY is not None
    assert digest({**MEMORY, **change}, Presence(frozenset({CHAIN}))) != WHOLE  # type: ignore[typeddict-item]


def test_facts_agent_and_height_count() -> None:
    assert digest(MEMORY, Presence(frozenset({CHAIN}), frozenset({CHAIN}))) != WHOLE
    assert digest(None, Presence(frozenset(), frozenset({CHAIN}))) != digest(None, Presence(frozenset({CHAIN})))
    assert digest(MEMORY, Presence(frozenset({CHAIN})), BOB) != WHOLE
    assert digest(MEMORY, Presence(frozenset({CHAIN})), height=2) == agent_digest(ALICE, ())


def test_a_private_text_is_in_no_digest() -> None:
    assert MEMORY is not None
    for source in ("COMMAND", "SESSION", "IMPORT"):
        assert content_of({**MEMORY, "source": source}) == NO_CONTENT
    assert content_of({**MEMORY, "sealed": b"\0"}) == NO_CONTENT
