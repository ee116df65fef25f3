"""What may be imported, and what is refused as a dead letter."""

from __future__ import annotations

from typing import Any, cast

import pytest

from schemas.defaults import plain_command, plain_edge, plain_memory
from schemas.records import Memory, MemoryCommand
from streams.agents.memory_facts import command_facts
from streams.agents.memory_limits import MIN_VALID
from streams.core.ids import chain_memory_id, claimed_id, command_memory_id, is_claimed
from streams.errors import PoisonError
from tests.samples import BLOCK

AGENT, OTHER, ID = b"\x01" * 20, b"\x02" * 20, b"\x07" * 32
MEMORY: Memory = {**plain_memory(ID, AGENT, "SEMANTIC", "COMMAND", 1_700_000_000), "content": b"note"}
CHAIN: dict[str, Any] = {"source": "CHAIN", "block": BLOCK, "transaction": ID, "transaction_index": 1}


def command(**fields: Any) -> MemoryCommand:
    memory = cast("Memory", {**MEMORY, **fields})
    return {**plain_command(b"\x01" * 16, AGENT, "IMPORT", 1_700_000_001), "memory_id": memory["id"], "memory": memory}


@pytest.mark.parametrize("fields", [{}, CHAIN, {"form": "AMENDMENT", "content": b""}], ids=str)
def test_a_memory_stands_as_it_was_and_in_no_block(fields: dict[str, Any]) -> None:
    (fact,) = command_facts(AGENT, command(**fields))
    assert (fact["op"], fact["memory_id"], fact["block"]) == ("UPSERT", ID, None)
    assert fact["memory"] == {**MEMORY, **fields}


def test_an_import_is_known_from_its_own_time_on_but_for_what_the_chain_says() -> None:
    for fields, known in (({}, 9), ({"known_at": 1}, 9), (CHAIN, None), ({**CHAIN, "imported_from": ID}, 9)):
        (fact,) = command_facts(AGENT, command(**fields), 9)
        assert fact["memory"] is not None and fact["memory"]["known_at"] == known, fields


@pytest.mark.parametrize("fields", [{}, CHAIN, {"form": "AMENDMENT", "content": b""}], ids=str)
def test_a_claim_gets_an_id_that_nothing_else_can_have(fields: dict[str, Any]) -> None:
    (fact,) = command_facts(AGENT, command(imported_from=b"\x09" * 32, **fields))
    name = claimed_id(AGENT, ID, fields.get("content", MEMORY["content"]))
    assert fact["memory_id"] == name != ID and is_claimed(AGENT, name)
    assert fact["memory"] == {**MEMORY, **fields, "id": name, "imported_from": b"\x09" * 32}
    (again,) = command_facts(AGENT, command(imported_from=b"\x09" * 32, **{**fields, "id": name}))
    assert again["memory"] == fact["memory"], "as it is when it is exported and taken in elsewhere"
    native = [chain_memory_id(1, ID, index, AGENT) for index in range(500)]
    native += [command_memory_id(AGENT, bytes([n]) * 16) for n in range(256)]
    assert not any(is_claimed(AGENT, each) for each in native)
    assert claimed_id(AGENT, ID, b"another text") != name
    assert claimed_id(OTHER, ID, MEMORY["content"]) != name and not is_claimed(OTHER, name)


@pytest.mark.parametrize(
    "fields",
    [
        {"agent": OTHER},
        {"sealed": b"x"},
        {"source": "CHAIN"},
        {"source": "SESSION"},
        {"content": b""},
        {"content": bytes(65_537)},
        {"media_type": ""},
        {"media_type": "x" * 129},
        {"tags": ["x"] * 33},
        {"tags": [""]},
        {"tags": ["x" * 65]},
        {"importance": float("nan")},
        {"importance": 1.5},
        {"timestamp": -1},
        {"valid_from": 5, "valid_to": 5},
        {"subject": "alice"},
        {"edges": [plain_edge("LINK", ID)] * 65},
        {"edges": [{**plain_edge("LINK", ID), "strength": 2.0}]},
        {"edges": [{**plain_edge("LINK", ID), "relation": "x" * 257}]},
        {"edges": [{**plain_edge("LINK", ID), "until": MIN_VALID - 1}]},
        {"valid_from": MIN_VALID - 1},
        {"valid_to": 253_402_300_800},
    ],
    ids=str,
)
def test_what_is_beyond_the_limits_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(PoisonError, match="IMPORT"):
        command_facts(AGENT, command(**fields))


def test_a_command_without_its_memory_or_for_another_is_refused() -> None:
    for wrong in ({"memory": None}, {"memory_id": b"\x08" * 32}):
        with pytest.raises(PoisonError, match="IMPORT"):
            command_facts(AGENT, cast("MemoryCommand", {**command(), **wrong}))


@pytest.mark.parametrize(
    "fields",
    [
        {"valid_from": -400_000_000, "valid_to": -1},
        {"valid_from": MIN_VALID},
        {"edges": [{**plain_edge("INVALIDATES", ID), "until": -5}]},
    ],
    ids=str,
)
def test_what_a_command_may_say_of_times_before_1970_may_be_imported(fields: dict[str, Any]) -> None:
    said = cast(
        "MemoryCommand",
        {
            **plain_command(b"\x02" * 16, AGENT, "INVALIDATE" if "edges" in fields else "STORE", 1_700_000_000),
            "type": "SEMANTIC",
            "content": b"born",
            **fields,
        },
    )
    (stored,) = command_facts(AGENT, said)
    assert stored["memory"] is not None
    (imported,) = command_facts(AGENT, command(**stored["memory"]))
    assert imported["memory"] == stored["memory"]
