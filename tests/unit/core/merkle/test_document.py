"""Proof documents: one form each, strict, and true only if they hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.merkle.document import ConsistencyDocument, Document, EntryDocument, MemberDocument, parse
from streams.core.merkle.fields import ProofError
from streams.core.merkle.log import MerkleLog, leaf_hash
from streams.core.merkle.sparse import SparseTree
from tests.samples import h

TREE = SparseTree.of({h(n): h(n + 1) for n in (*range(20), 129)})
LOG = MerkleLog()
for entry in range(13):
    LOG.append(leaf_hash(bytes([entry])))
DOCUMENTS: dict[str, Document] = {
    "member": MemberDocument(TREE.root, h(5), h(6), TREE.prove(h(5))),
    "absent": MemberDocument(TREE.root, h(130), None, TREE.prove(h(130))),
    "entry": EntryDocument(LOG.root(), 6, 13, leaf_hash(b"\x06"), LOG.prove_inclusion(6)),
    "consistency": ConsistencyDocument(LOG.root(), 13, LOG.root(6), 6, LOG.prove_consistency(6)),
}


@pytest.fixture(params=sorted(DOCUMENTS))
def document(request: pytest.FixtureRequest) -> Document:
    return DOCUMENTS[request.param]


def test_documents_hold_and_read_back(document: Document) -> None:
    assert document.holds()
    assert parse(json.loads(json.dumps(document.record()))) == document
    assert document.root.hex() in document.claim


def flips(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Places of every hex string and number in a document."""
    if isinstance(value, dict):
        return [place for key in value if key != "kind" for place in flips(value[key], (*at, key))]
    if isinstance(value, list):
        return [place for index, item in enumerate(value) for place in flips(item, (*at, index))]
    return [at] if value is not None else []


def changed(record: Any, place: tuple[Any, ...]) -> Any:
    record = json.loads(json.dumps(record))
    holder = record
    for key in place[:-1]:
        holder = holder[key]
    old = holder[place[-1]]
    holder[place[-1]] = old + 1 if isinstance(old, int) else ("0" if old[0] != "0" else "1") + old[1:]
    return record


def test_every_value_matters(document: Document) -> None:
    places = flips(document.record())
    assert len(places) > 4
    for place in places:
        if place == ("size",):
            continue  # the size is what is trusted beside the root: see the next test
        assert not parse(changed(document.record(), place)).holds(), place
    with pytest.raises(ProofError):
        parse({**document.record(), "extra": 1})
    for name in document.record():
        with pytest.raises(ProofError):
            parse({key: value for key, value in document.record().items() if key != name})


@pytest.mark.parametrize("name", ["entry", "consistency"])
def test_a_size_that_needs_another_path_fails(name: str) -> None:
    record = DOCUMENTS[name].record()
    for size in (0, 1, 5, 6, 7, 8, 17, 32, 1 << 40):
        assert not parse({**record, "size": size}).holds(), size


def test_a_neighbour_elsewhere_fails() -> None:
    record = DOCUMENTS["absent"].record()
    assert record["neighbour"] is not None, "or this test shows nothing"
    assert not parse(changed(record, ("neighbour", "path"))).holds()
    with pytest.raises(ProofError):
        parse({**record, "neighbour": {"path": "00"}})


@pytest.mark.parametrize("text", ["", "00", "zz" * 32, "AB" * 32, "0x" + "00" * 31, " " + "0" * 63, "٠" * 64, 5, None, ["00"]])
def test_a_hash_has_one_form(text: Any) -> None:
    for name, document in DOCUMENTS.items():
        with pytest.raises(ProofError):
            parse({**document.record(), "root": text})
        assert name


@pytest.mark.parametrize("number", ["6", 6.0, True, None, -1, 1 << 64])
def test_a_size_has_one_form(number: Any) -> None:
    for name, field in (("entry", "index"), ("entry", "size"), ("consistency", "first"), ("consistency", "size")):
        with pytest.raises(ProofError):
            parse({**DOCUMENTS[name].record(), field: number})


def test_long_lists_are_refused() -> None:
    with pytest.raises(ProofError, match="at most 256"):
        parse({**DOCUMENTS["member"].record(), "siblings": ["00" * 32] * 257})
    with pytest.raises(ProofError, match="at most 128"):
        parse({**DOCUMENTS["entry"].record(), "hashes": ["00" * 32] * 129})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
fields = st.sampled_from(["root", "path", "value", "siblings", "neighbour", "index", "size", "leaf", "hashes", "first"])


@given(st.sampled_from(sorted(DOCUMENTS)), fields, json_values)
def test_hostile_documents_raise_proof_error_only(name: str, field: str, value: Any) -> None:
    try:
        document = parse({**DOCUMENTS[name].record(), field: value})
    except ProofError:
        return
    assert isinstance(document.holds(), bool)


@given(json_values)
def test_anything_is_refused_as_proof_error(value: Any) -> None:
    for record in (value, {"kind": value}):
        with pytest.raises(ProofError):
            parse(record)
