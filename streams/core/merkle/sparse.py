"""A compact sparse Merkle tree: a map from 32-byte paths to 32-byte values with proofs of inclusion and of absence.

Definition (as in Jellyfish: Gao, Hu and Wu 2021), over the set of leaves below a node at depth d:
  none: EMPTY; one: BLAKE3(0x00, path, value), however deep; more: BLAKE3(0x01, left, right), split on bit d of the path,
  most significant bit first.
Invariants: the root depends on the set of leaves alone; a leaf binds its whole path, so it cannot be moved; no leaf can
pass for a node or for EMPTY. Paths should come out of a keyed hash, so that nobody can choose them to share long prefixes;
should they, depth stays within 256.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from blake3 import blake3

HASH = 32
BITS = 8 * HASH
EMPTY = bytes(HASH)


class Leaf(NamedTuple):
    """A subtree of one leaf."""

    hash: bytes
    path: bytes
    value: bytes


class Branch(NamedTuple):
    """A subtree of two leaves or more; the child without any is None."""

    hash: bytes
    left: Leaf | Branch | None
    right: Leaf | Branch | None


Node = Leaf | Branch | None
_Change = tuple[int, bytes, bytes | None]
"""A path as a number and as bytes, and its value or None, to remove it."""


_new_leaf = partial(tuple.__new__, Leaf)
_new_branch = partial(tuple.__new__, Branch)  # without the detour of a named tuple's own constructor


def leaf_hash(path: bytes, value: bytes) -> bytes:
    """Hash of a leaf."""
    return blake3(b"\x00" + path + value).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of a branch."""
    return blake3(b"\x01" + left + right).digest()


def bit(path: bytes, depth: int) -> int:
    """Bit ``depth`` of ``path``, counted from the most significant."""
    return path[depth >> 3] >> (7 - (depth & 7)) & 1


def common_prefix(a: bytes, b: bytes) -> int:
    """How many leading bits two paths share."""
    return BITS - (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).bit_length()


class SparseProof(NamedTuple):
    """Siblings from the leaf to the root; for an absence also the ``neighbour`` (path, value) that lies in the way, if any."""

    siblings: tuple[bytes, ...]
    neighbour: tuple[bytes, bytes] | None = None


class SparseTree:
    """The tree as a persistent value: ``update`` returns a new one that shares what did not change.

    An update makes O(changes x log n) hashes.
    """

    __slots__ = ("_node",)

    def __init__(self, node: Node = None) -> None:
        self._node = node

    @classmethod
    def of(cls, leaves: Mapping[bytes, bytes]) -> SparseTree:
        """The tree of these paths and values."""
        return cls().update(leaves)

    @property
    def root(self) -> bytes:
        """32 bytes; EMPTY if there is no leaf."""
        return self._node.hash if self._node else EMPTY

    def update(self, changes: Mapping[bytes, bytes | None]) -> SparseTree:
        """With these paths set, or removed where the value is None. Raises ValueError for a path or value of a wrong size."""
        if any(len(path) != HASH or (value is not None and len(value) != HASH) for path, value in changes.items()):
            raise ValueError(f"paths and values have {HASH} bytes")
        ordered = [(int.from_bytes(path, "big"), path, changes[path]) for path in sorted(changes)]
        return SparseTree(_update(self._node, 0, ordered, 0, len(ordered)))

    def get(self, path: bytes) -> bytes | None:
        """The value at ``path``."""
        leaf = self._walk(path)[0]
        return leaf.value if leaf and leaf.path == path else None

    def prove(self, path: bytes) -> SparseProof:
        """Proves what ``get(path)`` says, inclusion or absence."""
        leaf, siblings = self._walk(path)
        neighbour = (leaf.path, leaf.value) if leaf and leaf.path != path else None
        return SparseProof(tuple(reversed(siblings)), neighbour)

    def leaves(self) -> Iterator[tuple[bytes, bytes]]:
        """Paths and values in order of path."""
        pending = [self._node]
        while pending:
            node = pending.pop()
            if isinstance(node, Leaf):
                yield node.path, node.value
            elif node:
                pending += [node.right, node.left]

    def _walk(self, path: bytes) -> tuple[Leaf | None, list[bytes]]:
        node, siblings = self._node, list[bytes]()
        while isinstance(node, Branch):
            near, far = (node.right, node.left) if bit(path, len(siblings)) else (node.left, node.right)
            siblings.append(far.hash if far else EMPTY)
            node = near
        return node, siblings


def _half(key: int, depth: int) -> tuple[int]:
    """Where the right half of the subtree at ``depth`` that holds ``key`` begins, to bisect a list of tuples with."""
    shift = BITS - 1 - depth
    return ((key >> shift | 1) << shift,)


def _update(node: Node, depth: int, changes: Sequence[_Change], low: int, high: int) -> Node:
    """``node`` with the changes from ``low`` to ``high``; recursion is no deeper than a path has bits."""
    if low == high:
        return node
    if not isinstance(node, Branch):
        return _rebuild(node, depth, changes[low:high])
    if high - low == 1:
        return _set(node, depth, changes[low])
    middle = bisect_left(changes, _half(changes[low][0], depth), low, high)
    left = _update(node.left, depth + 1, changes, low, middle)
    right = _update(node.right, depth + 1, changes, middle, high)
    return node if left is node.left and right is node.right else _join(left, right)


def _set(node: Branch, depth: int, change: _Change) -> Node:
    """One change, without recursion."""
    key, shift = change[0], BITS - 1 - depth
    spine: list[tuple[Branch, int]] = []
    below: Node = node
    while isinstance(below, Branch):
        turn = key >> shift & 1
        spine.append((below, turn))
        below = below.right if turn else below.left
        shift -= 1
    new = _replace(below, BITS - 1 - shift, change)
    if new is below:
        return node
    while spine:
        branch, turn = spine.pop()
        new = _join(branch.left, new) if turn else _join(new, branch.right)
    return new


def _replace(node: Leaf | None, depth: int, change: _Change) -> Node:
    """What takes the place of a lone leaf or of nothing after one change."""
    key, path, value = change
    if value is None:
        return None if node is None or node.path == path else node
    leaf: Leaf = _new_leaf((blake3(b"\x00" + path + value).digest(), path, value))
    if node is None or node.path == path:
        return leaf
    shared = BITS - (key ^ int.from_bytes(node.path, "big")).bit_length()
    new = _join(node, leaf) if key >> (BITS - 1 - shared) & 1 else _join(leaf, node)
    for level in range(shared - 1, depth - 1, -1):
        new = _join(None, new) if key >> (BITS - 1 - level) & 1 else _join(new, None)
    return new


def _rebuild(node: Leaf | None, depth: int, changes: Sequence[_Change]) -> Node:
    """What takes the place of a lone leaf or of nothing."""
    if len(changes) == 1:
        return _replace(node, depth, changes[0])
    leaves: list[tuple[int, Leaf]] = [
        (key, _new_leaf((blake3(b"\x00" + path + value).digest(), path, value)))
        for key, path, value in changes
        if value is not None
    ]
    if node and not any(path == node.path for _, path, _ in changes):
        if not leaves:
            return node
        insort(leaves, (int.from_bytes(node.path, "big"), node))
    return _build(leaves, depth, 0, len(leaves))


def _build(leaves: Sequence[tuple[int, Leaf]], depth: int, low: int, high: int) -> Node:
    if high - low < 2:
        return leaves[low][1] if low < high else None
    middle = bisect_left(leaves, _half(leaves[low][0], depth), low, high)
    return _join(_build(leaves, depth + 1, low, middle), _build(leaves, depth + 1, middle, high))


def _join(left: Node, right: Node) -> Node:
    if left is not None and right is not None:
        return _new_branch((blake3(b"\x01" + left[0] + right[0]).digest(), left, right))
    if left is None and (right is None or isinstance(right, Leaf)):
        return right
    if right is None and isinstance(left, Leaf):
        return left
    return Branch(node_hash(left.hash if left else EMPTY, right.hash if right else EMPTY), left, right)


def root_of(leaves: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The root in one pass over (path, value) pairs in strictly rising order of path.

    Keeps a stack of finished subtrees (hash, depth). Raises ValueError if the order is wrong.
    """
    stack: list[tuple[bytes, int]] = []
    previous: tuple[bytes, bytes] | None = None
    shared_before = -1
    for current in leaves:
        if previous is not None:
            if current[0] <= previous[0]:
                raise ValueError("paths must rise strictly")
            shared = common_prefix(previous[0], current[0])
            _push(stack, previous, max(shared_before, shared) + 1, shared + 1)
            shared_before = shared
        previous = current
    if previous is None:
        return EMPTY
    _push(stack, previous, shared_before + 1, 0)
    return stack[0][0]


def _push(stack: list[tuple[bytes, int]], leaf: tuple[bytes, bytes], depth: int, up_to: int) -> None:
    """Puts a leaf at ``depth`` and closes the subtrees that end with it, up to depth ``up_to``."""
    path, digest = leaf[0], leaf_hash(*leaf)
    while depth > up_to:
        if stack and stack[-1][1] == depth:
            digest = node_hash(stack.pop()[0], digest)
        elif bit(path, depth - 1):
            digest = node_hash(EMPTY, digest)
        else:
            digest = node_hash(digest, EMPTY)
        depth -= 1
    stack.append((digest, depth))


def verify(proof: SparseProof, root: bytes, path: bytes, value: bytes | None) -> bool:
    """Whether ``proof`` shows that the tree of ``root`` has ``value`` at ``path``, or nothing there (``value`` None).

    Needs nothing else and trusts nothing in the proof; anything malformed is False, never an exception.
    """
    if not _well_formed(proof) or not _is_hash(root) or not _is_hash(path):
        return False
    depth = len(proof.siblings)
    if value is not None:
        if not _is_hash(value) or proof.neighbour is not None:
            return False
        digest = leaf_hash(path, value)
    elif proof.neighbour is None:
        digest = EMPTY
    else:
        other, other_value = proof.neighbour
        if other == path or common_prefix(other, path) < depth:
            return False
        digest = leaf_hash(other, other_value)
    for level, sibling in zip(range(depth - 1, -1, -1), proof.siblings, strict=True):
        digest = node_hash(sibling, digest) if bit(path, level) else node_hash(digest, sibling)
    return digest == root


def _well_formed(proof: object) -> bool:
    if not isinstance(proof, SparseProof) or not isinstance(proof.siblings, tuple) or len(proof.siblings) > BITS:
        return False
    neighbour = proof.neighbour
    if neighbour is not None and not (isinstance(neighbour, tuple) and len(neighbour) == 2 and all(map(_is_hash, neighbour))):
        return False
    return all(map(_is_hash, proof.siblings))


def _is_hash(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == HASH
