"""Root of the ordered Merkle-Patricia trie that headers commit to: key = RLP of the index, value = encoded item.

Builds the root from the whole list at once, without a node store (yellow paper, appendix D).
Invariant: equal to inserting the pairs one by one into a hexary trie.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from Crypto.Hash import keccak as _keccak

from connectors.chain.rlp import encode, encode_bytes, encode_list

Nibbles = bytes
Pair = tuple[Nibbles, bytes]


def keccak(data: bytes) -> bytes:
    """Keccak-256."""
    return _keccak.new(digest_bits=256, data=data).digest()


EMPTY_ROOT = keccak(b"\x80")


def ordered_root(items: Sequence[bytes]) -> bytes:
    """The trie root of ``items`` keyed by their index."""
    if not items:
        return EMPTY_ROOT
    pairs = sorted((_path(i), item) for i, item in enumerate(items))
    return keccak(_node(pairs, 0, len(pairs), 0))


@lru_cache(maxsize=4096)
def _path(index: int) -> Nibbles:
    key = encode_bytes(index.to_bytes((index.bit_length() + 7) // 8, "big"))
    return bytes([nibble for byte in key for nibble in (byte >> 4, byte & 15)])


def _compact(nibbles: Nibbles, leaf: bool) -> bytes:
    """Hex-prefix encoding: a flag nibble for leaf and odd length, then the path."""
    flag = 2 * leaf + len(nibbles) % 2
    path = bytes([flag, *nibbles]) if len(nibbles) % 2 else bytes([flag, 0, *nibbles])
    return bytes([high << 4 | low for high, low in zip(path[::2], path[1::2], strict=True)])


def _node(pairs: list[Pair], start: int, end: int, depth: int) -> bytes:
    """RLP of the node over ``pairs[start:end]``, which agree in their first ``depth`` nibbles."""
    first, value = pairs[start]
    if end - start == 1:
        return encode([_compact(first[depth:], leaf=True), value])
    last = pairs[end - 1][0]
    shared = depth
    while shared < min(len(first), len(last)) and first[shared] == last[shared]:
        shared += 1
    if shared > depth:
        return _extension(_compact(first[depth:shared], leaf=False), _node(pairs, start, end, shared))
    return _branch(pairs, start, end, depth)


def _extension(path: bytes, child: bytes) -> bytes:
    return encode_list(encode_bytes(path) + _reference(child))


def _branch(pairs: list[Pair], start: int, end: int, depth: int) -> bytes:
    value = b"\x80"
    if len(pairs[start][0]) == depth:  # a key that ends here; sorted, so it comes first
        value = encode_bytes(pairs[start][1])
        start += 1
    slots = [b"\x80"] * 16
    while start < end:
        nibble = pairs[start][0][depth]
        stop = start + 1
        while stop < end and pairs[stop][0][depth] == nibble:
            stop += 1
        slots[nibble] = _reference(_node(pairs, start, stop, depth + 1))
        start = stop
    return encode_list(b"".join(slots) + value)


def _reference(node: bytes) -> bytes:
    """A node inside its parent: itself if shorter than a hash, else its hash."""
    return node if len(node) < 32 else b"\xa0" + keccak(node)
