"""Laws of the sparse Merkle tree, against an implementation of its definition that shares no code with it."""

from __future__ import annotations

from typing import Any

from blake3 import blake3
from hypothesis import assume, given
from hypothesis import strategies as st

from streams.core.merkle.document import from_bytes, to_bytes
from streams.core.merkle.fields import ProofError
from streams.core.merkle.sparse import EMPTY, SparseProof, SparseTree, root_of, verify

hashes = st.binary(min_size=32, max_size=32)
close = st.builds(
    lambda head, tail: head + bytes(30 - len(head) + 1) + tail, st.binary(max_size=2), st.binary(min_size=1, max_size=1)
)
paths = st.one_of(hashes, close.filter(lambda path: len(path) == 32), close.map(lambda path: path.rjust(32, b"\0")[:32]))
leaf_sets = st.dictionaries(paths, hashes, max_size=24)


def naive(leaves: dict[str, bytes], values: dict[str, bytes]) -> bytes:
    """The definition, level by level over bit strings."""
    if not leaves:
        return bytes(32)
    if len(leaves) == 1:
        (path,) = leaves.values()
        return blake3(b"\x00" + path + values[path.hex()]).digest()
    zero = {bits[1:]: path for bits, path in leaves.items() if bits[0] == "0"}
    one = {bits[1:]: path for bits, path in leaves.items() if bits[0] == "1"}
    return blake3(b"\x01" + naive(zero, values) + naive(one, values)).digest()


def naive_root(leaves: dict[bytes, bytes]) -> bytes:
    values = {path.hex(): value for path, value in leaves.items()}
    return naive({format(int.from_bytes(path, "big"), "0256b"): path for path in leaves}, values)


@given(leaf_sets)
def test_root_is_the_definition_s(leaves: dict[bytes, bytes]) -> None:
    expected = naive_root(leaves)
    tree = SparseTree.of(leaves)
    assert tree.root == expected
    assert root_of(sorted(leaves.items())) == expected
    assert dict(tree.leaves()) == leaves
    assert [path for path, _ in tree.leaves()] == sorted(leaves)


@given(leaf_sets, leaf_sets, st.data())
def test_updates_in_any_order_and_grouping_give_the_same_root(before: dict, after: dict, data: st.DataObject) -> None:
    changes: dict[bytes, bytes | None] = {**dict.fromkeys(before), **after}
    order = data.draw(st.permutations(list(changes)))
    cut = data.draw(st.integers(0, len(order)))
    tree = SparseTree.of(before)
    for part in (order[:cut], order[cut:]):
        tree = tree.update({path: changes[path] for path in part})
    assert tree.root == naive_root(after)
    for path in order:
        tree = tree.update({path: None})
    assert tree.root == EMPTY


@given(leaf_sets, st.lists(paths, max_size=5))
def test_every_member_is_proved_present_and_every_other_absent(leaves: dict[bytes, bytes], others: list[bytes]) -> None:
    tree = SparseTree.of(leaves)
    for path, value in leaves.items():
        proof = from_bytes(to_bytes(tree.prove(path)))
        assert tree.get(path) == value
        assert verify(proof, tree.root, path, value)
        assert not verify(proof, tree.root, path, None)
    for path in set(others) - set(leaves):
        proof = from_bytes(to_bytes(tree.prove(path)))
        assert tree.get(path) is None
        assert verify(proof, tree.root, path, None)
        assert not verify(proof, tree.root, path, bytes(32))


@given(leaf_sets, paths, st.data())
def test_any_changed_bit_fails(leaves: dict[bytes, bytes], path: bytes, data: st.DataObject) -> None:
    tree = SparseTree.of(leaves)
    wire, root, value = to_bytes(tree.prove(path)), tree.root, tree.get(path)
    parts = {"wire": wire, "root": root, "path": path} | ({} if value is None else {"value": value})
    name = data.draw(st.sampled_from(sorted(parts)))
    bit = data.draw(st.integers(0, 8 * len(parts[name]) - 1))
    changed = bytearray(parts[name])
    changed[bit // 8] ^= 1 << bit % 8
    parts[name] = bytes(changed)
    if name == "path" and value is None:
        # moving the path of an absence is the same true claim as long as it stays in the same empty place
        assume(SparseTree.of(leaves).prove(parts["path"]) != tree.prove(path))
    try:
        proof = from_bytes(parts["wire"])
    except ProofError:
        return
    assert not verify(proof, parts["root"], parts["path"], parts.get("value"))


@given(leaf_sets, hashes, hashes)
def test_a_proof_does_not_carry_over_to_another_value_or_path(leaves: dict[bytes, bytes], path: bytes, value: bytes) -> None:
    assume(leaves.get(path) != value)
    tree = SparseTree.of(leaves)
    for known in [*leaves, path]:
        assert not verify(tree.prove(known), tree.root, path, value)


@given(st.binary(max_size=200))
def test_hostile_bytes_are_refused_or_read_back(wire: bytes) -> None:
    try:
        proof = from_bytes(wire)
    except ProofError:
        return
    assert to_bytes(proof) == wire


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.binary(max_size=40) | st.text(max_size=5), st.lists, max_leaves=8
)


@given(st.tuples(junk, junk), junk, junk, junk)
def test_verification_of_anything_is_a_bool(parts: tuple[Any, Any], root: Any, path: Any, value: Any) -> None:
    assert verify(SparseProof(*parts), root, path, value) is False
    assert verify(parts, root, path, value) is False  # type: ignore[arg-type]
    assert verify(SparseProof((), None), root, path, value) is False or (root == EMPTY and value is None)
