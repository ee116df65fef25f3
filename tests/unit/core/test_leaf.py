"""Leaves: keyed, unambiguous, and opened one at a time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.records import MEMORY_TYPES
from streams.core.leaf import TYPE_CODES, encode, leaf_of, path_and_opening, tree_of, value_of
from streams.core.merkle.sparse import EMPTY, verify
from tests.samples import BLOCK, EDGE, MEMORY, OLDER, h

SECRET, OTHER = h(1), h(2)
CHANGES: dict[str, Any] = {
    "id": h(99),
    "agent": bytes(20),
    "type": "WORKING",
    "source": "COMMAND",
    "block": OLDER,
    "transaction": None,
    "transaction_index": 4,
    "content": b"other",
    "media_type": "text/html",
    "importance": 0.7500001,
    "tags": ["swap"],
    "timestamp": 1_700_000_001,
    "form": "AMENDMENT",
    "subject": None,
    "predicate": "lives i",
    "valid_from": None,
    "valid_to": 0,
    "edges": [{**EDGE, "strength": 0.25}],
    "session": None,
    "imported_from": h(98),
}
FIRST = {
    "form": "MEMORY", "subject": None, "predicate": None, "valid_from": None, "valid_to": None, "edges": [], "session": None,
    "imported_from": None,
}  # fmt: skip
EDGES: dict[str, Any] = {
    "kind": "SUPERSEDES", "source": None, "target": h(97), "relation": "", "strength": 0.0, "until": None,
}  # fmt: skip


def test_every_field_counts() -> None:
    assert set(CHANGES) == set(MEMORY) - {"sealed", "known_at"}
    leaves = {leaf_of(SECRET, MEMORY).value} | {leaf_of(SECRET, {**MEMORY, name: new}).value for name, new in CHANGES.items()}
    assert len(leaves) == 1 + len(CHANGES)


def test_every_field_of_an_edge_counts() -> None:
    assert set(EDGES) == set(EDGE)
    changed = [{**MEMORY, "edges": [{**EDGE, name: new}]} for name, new in EDGES.items()]
    leaves = {leaf_of(SECRET, memory).value for memory in [MEMORY, *changed]}
    assert len(leaves) == 1 + len(EDGES)


def test_a_memory_of_the_first_version_keeps_its_commitment() -> None:
    """Computed before there were any further fields."""
    assert encode({**MEMORY, **FIRST}).startswith(b"monmouth/memory/1")
    assert value_of(SECRET, {**MEMORY, **FIRST}).hex() == "492305d9c81a5463610d2a63c712a29bb94432a15a74289dc84cfd0dbf52330f"


def test_the_encrypted_form_does_not_count() -> None:
    assert leaf_of(SECRET, {**MEMORY, "sealed": None}) == leaf_of(SECRET, MEMORY)


def test_what_a_reader_changes_does_not_count() -> None:
    assert leaf_of(SECRET, {**MEMORY, "access_count": 5}) == leaf_of(SECRET, MEMORY)


def test_type_codes_follow_the_record() -> None:
    assert tuple(TYPE_CODES) == MEMORY_TYPES
    assert list(TYPE_CODES.values()) == [0, 1, 2, 3, 4, 5]


def test_no_block_is_not_a_block_of_zeros() -> None:
    zeros = {**BLOCK, "number": -1, "hash": bytes(32)}
    assert encode({**MEMORY, "block": None}) != encode({**MEMORY, "block": zeros})
    assert encode({**MEMORY, "transaction": None}) != encode({**MEMORY, "transaction": bytes(32)})


texts = st.text(max_size=6)
names = st.none() | texts
variable = st.fixed_dictionaries(
    {
        "content": st.binary(max_size=6),
        "media_type": texts,
        "tags": st.lists(texts, max_size=3),
        "subject": names,
        "predicate": names,
        "valid_to": st.none() | st.integers(0, 2),
        "edges": st.lists(st.builds(lambda relation: {**EDGE, "relation": relation}, texts), max_size=2),
    }
)


@given(variable, variable)
def test_different_memories_have_different_encodings(one: dict[str, Any], two: dict[str, Any]) -> None:
    assume(one != two)
    assert encode({**MEMORY, **one}) != encode({**MEMORY, **two})


@pytest.mark.parametrize("field", ["id", "agent", "transaction"])
def test_ids_of_a_wrong_size_are_refused(field: str) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        encode({**MEMORY, field: b"short"})


def test_a_leaf_cannot_be_made_without_the_secret() -> None:
    mine, foreign = leaf_of(SECRET, MEMORY), leaf_of(OTHER, MEMORY)
    assert mine.path != foreign.path
    assert mine.value != foreign.value


def test_one_opening_shows_one_memory() -> None:
    path, opening = path_and_opening(SECRET, MEMORY["id"])
    leaf = leaf_of(SECRET, MEMORY)
    assert (path, value_of(opening, MEMORY)) == leaf
    assert value_of(opening, {**MEMORY, "content": b"forged"}) != leaf.value
    assert path_and_opening(SECRET, h(99))[1] != opening


def test_the_tree_of_an_agent_proves_members_and_strangers() -> None:
    memories = [{**MEMORY, "id": h(n)} for n in range(30, 50)]
    tree = tree_of(SECRET, memories)
    for memory in memories:
        leaf = leaf_of(SECRET, memory)
        assert verify(tree.prove(leaf.path), tree.root, leaf.path, leaf.value)
        assert not verify(tree.prove(leaf.path), tree.root, leaf.path, leaf_of(OTHER, memory).value)
    assert tree_of(SECRET, reversed(memories)).root == tree.root
    assert tree_of(SECRET, []).root == EMPTY


def test_when_a_log_had_it_is_no_part_of_what_is_committed_to() -> None:
    assert encode({**MEMORY, "known_at": None}) == encode(MEMORY)
