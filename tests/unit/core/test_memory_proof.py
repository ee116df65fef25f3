"""Proof of one memory, with its content."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.leaf import path_and_opening, tree_of
from streams.core.memory_proof import MemoryDocument, parse, prove_memory
from streams.core.merkle.document import MemberDocument
from streams.core.merkle.fields import ProofError
from tests.samples import MEMORY, h

SECRET = h(250)
LIVE = [{**MEMORY, "id": h(n), "content": b"memory %d" % n} for n in range(30, 40)]
LIVE[3] = {**LIVE[3], "source": "COMMAND", "block": None, "transaction": None, "transaction_index": -1, "tags": []}
PROOF = prove_memory(SECRET, LIVE, h(31))
RECORD: dict[str, Any] = PROOF.record()
CHANGES: dict[str, Any] = {
    "id": h(99).hex(),
    "agent": "00" * 20,
    "type": "WORKING",
    "source": "COMMAND",
    "block": None,
    "transaction": None,
    "transaction_index": 4,
    "content": "00",
    "media_type": "text/html",
    "importance": 0.5,
    "tags": ["swap"],
    "timestamp": 5,
}


def through_json(record: Any) -> Any:
    return json.loads(json.dumps(record))


@pytest.mark.parametrize("memory", LIVE, ids=lambda memory: memory["id"].hex()[:4])
def test_every_live_memory_is_proved_with_its_content(memory: dict[str, Any]) -> None:
    proof = prove_memory(SECRET, LIVE, memory["id"])
    assert isinstance(proof, MemoryDocument)
    assert proof.root == tree_of(SECRET, LIVE).root
    assert proof.memory["content"] == memory["content"]
    assert proof.holds()
    assert parse(through_json(proof.record())) == proof
    assert memory["id"].hex() in proof.claim


def test_one_that_is_not_live_is_proved_absent() -> None:
    proof = parse(through_json(prove_memory(SECRET, LIVE, h(77)).record()))
    assert isinstance(proof, MemberDocument)
    assert proof.value is None
    assert proof.holds()


@pytest.mark.parametrize("field", sorted(CHANGES))
def test_no_part_of_the_memory_can_be_changed(field: str) -> None:
    assert set(CHANGES) == set(RECORD["memory"])
    forged = {**RECORD, "memory": {**RECORD["memory"], field: CHANGES[field]}}
    assert not parse(through_json(forged)).holds()


@pytest.mark.parametrize("block", [{"number": 18, "hash": h(1).hex()}, {"number": 17, "hash": h(2).hex()}])
def test_nor_its_block(block: dict[str, Any]) -> None:
    assert not parse({**RECORD, "memory": {**RECORD["memory"], "block": block}}).holds()


@pytest.mark.parametrize("field", ["root", "path", "opening"])
def test_nor_what_leads_to_the_root(field: str) -> None:
    assert not parse({**RECORD, field: h(5).hex()}).holds()
    assert not parse({**RECORD, "siblings": RECORD["siblings"][1:]}).holds()
    assert not parse({**RECORD, "siblings": [h(5).hex(), *RECORD["siblings"][1:]]}).holds()


def test_the_secret_and_other_openings_stay_at_home() -> None:
    text = json.dumps(RECORD)
    assert SECRET.hex() not in text
    assert not any(path_and_opening(SECRET, memory["id"])[1].hex() in text for memory in LIVE if memory["id"] != h(31))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(CHANGES)), json_values)
def test_hostile_memories_raise_proof_error_only(field: str, value: Any) -> None:
    try:
        proof = parse({**RECORD, "memory": {**RECORD["memory"], field: value}})
    except ProofError:
        return
    assert isinstance(proof.holds(), bool)


@pytest.mark.parametrize("tags", [["\ud800"], "swap", [5], None])
def test_tags_are_texts(tags: Any) -> None:
    with pytest.raises(ProofError):
        parse({**RECORD, "memory": {**RECORD["memory"], "tags": tags}})


@pytest.mark.parametrize(
    "record", [None, [], {}, {**RECORD, "kind": "other"}, {**RECORD, "memory": None}, {**RECORD, "extra": 1}]
)
def test_what_is_no_proof(record: Any) -> None:
    with pytest.raises(ProofError):
        parse(record)
