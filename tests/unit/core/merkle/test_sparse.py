"""The sparse tree: shape, depth, and forgeries that follow its structure."""

from __future__ import annotations

import pytest

from streams.core.merkle.sparse import BITS, EMPTY, SparseProof, SparseTree, leaf_hash, node_hash, root_of, verify
from tests.samples import h


def path_of(number: int) -> bytes:
    return number.to_bytes(32, "big")


def test_one_leaf_is_the_root() -> None:
    assert SparseTree.of({h(1): h(2)}).root == leaf_hash(h(1), h(2))
    assert SparseTree().root == EMPTY == root_of([])


def test_two_leaves_meet_where_their_paths_part() -> None:
    left, right = b"\x00" * 32, b"\x20" + bytes(31)
    tree = SparseTree.of({left: h(1), right: h(2)})
    meet = node_hash(leaf_hash(left, h(1)), leaf_hash(right, h(2)))
    assert tree.root == node_hash(node_hash(meet, EMPTY), EMPTY)
    assert tree.prove(left) == SparseProof((leaf_hash(right, h(2)), EMPTY, EMPTY))


def test_paths_that_share_all_but_the_last_bit() -> None:
    leaves = {path_of(n): h(n) for n in range(8)}
    tree = SparseTree.of(leaves)
    assert tree.root == root_of(sorted(leaves.items()))
    assert len(tree.prove(path_of(0)).siblings) == BITS
    for path, value in leaves.items():
        assert verify(tree.prove(path), tree.root, path, value)
    assert verify(tree.prove(path_of(8)), tree.root, path_of(8), None)
    assert tree.update(dict.fromkeys(list(leaves)[1:])).root == leaf_hash(path_of(0), h(0))


def test_many_sorted_leaves_in_one_pass() -> None:
    leaves = ((path_of(n << 200), h(1)) for n in range(20_000))
    assert root_of(leaves) == SparseTree.of({path_of(n << 200): h(1) for n in range(20_000)}).root


@pytest.mark.parametrize("paths", [[2, 1], [1, 1], [1, 3, 2]])
def test_one_pass_refuses_a_wrong_order(paths: list[int]) -> None:
    with pytest.raises(ValueError, match="rise"):
        root_of((path_of(n), h(1)) for n in paths)


@pytest.mark.parametrize("changes", [{b"short": h(1)}, {h(1): b"short"}, {b"": None}])
def test_wrong_sizes_are_refused(changes: dict[bytes, bytes | None]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SparseTree().update(changes)


def test_updates_share_what_did_not_change() -> None:
    tree = SparseTree.of({h(n): h(n) for n in range(50)})
    assert tree.update({h(200): None}).root == tree.root
    changed = tree.update({h(3): h(4)})
    assert changed.get(h(3)) == h(4)
    assert tree.get(h(3)) == h(3), "the old tree stays as it was"


def test_structural_forgeries_fail() -> None:
    tree = SparseTree.of({path_of(n << 250): h(n) for n in range(40)})
    member = path_of(7 << 250)
    proof, value = tree.prove(member), h(7)
    inner = node_hash(leaf_hash(member, value), proof.siblings[0])
    assert not verify(SparseProof(proof.siblings[1:]), tree.root, member, inner), "a node is no leaf"
    assert not verify(SparseProof(proof.siblings), tree.root, member, None), "a member is not absent"
    assert not verify(SparseProof(proof.siblings, (member, value)), tree.root, member, None), "it is no neighbour of itself"
    assert not verify(SparseProof((EMPTY, *proof.siblings)), tree.root, member, value)
    assert not verify(SparseProof(()), tree.root, member, None)
    assert not verify(SparseProof((EMPTY,) * 300), tree.root, member, value)
    far = path_of(39 << 250)
    assert not verify(SparseProof(proof.siblings, (member, value)), tree.root, far, None), "a neighbour must share the prefix"
