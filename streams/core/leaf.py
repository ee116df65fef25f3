"""The leaf of a memory: a commitment that only who holds the agent's secret, or the opening of this one memory, can make.

  path, opening = BLAKE3-keyed(secret, memory id), 64 bytes, halved
  value         = BLAKE3-keyed(opening, encoding of the memory)

``path`` is where the leaf lies in the agent's sparse Merkle tree; ``value`` is both the value there and the preimage of the
element of the agent's LtHash. Neither can be guessed from the memory's text once the secret is gone; handing out one
``opening`` lets its receiver check one memory and tells nothing of the others.
Invariant: different memories have different encodings, because every variable part has its length in front. What changes
when a memory is only read (access counts) is not in it, nor is anything but what the log says of the memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from struct import Struct, pack
from typing import Any, NamedTuple

from blake3 import blake3

from streams.core.merkle.sparse import SparseTree

DOMAIN = b"monmouth/memory/1"
"""Of a memory that says nothing beyond the fields of the first version: its commitment is what it always was."""
WIDER_DOMAIN = b"monmouth/memory/2"
"""Of a memory with a form, a statement, times of validity, edges, a session or an import; these follow the rest."""
TYPE_CODES: Mapping[str, int] = {"SHORT_TERM": 0, "LONG_TERM": 1, "WORKING": 2, "EPISODIC": 3, "SEMANTIC": 4, "PROCEDURAL": 5}
SOURCE_CODES: Mapping[str, int] = {"CHAIN": 0, "COMMAND": 1, "SESSION": 2, "IMPORT": 3}
HASH = 32
ADDRESS = 20

_HEAD = Struct("<17sBBBBqiqdIII")
_EDGE = Struct("<BBBdqI")
EDGE_CODES: Mapping[str, int] = {"LINK": 0, "SUPERSEDES": 1, "MERGES": 2, "INVALIDATES": 3}
_NOTHING = bytes(HASH)


class Leaf(NamedTuple):
    """Path and value, 32 bytes each."""

    path: bytes
    value: bytes


def encode(memory: Mapping[str, Any]) -> bytes:
    """The bytes that are committed to: a fixed head (little-endian: codes, block number, transaction index, timestamp,
    importance as f64, lengths), ids, lengths of tags, then media type, content and tags. Raises ValueError for an id of a
    wrong size.
    """
    block, transaction = memory["block"], memory["transaction"]
    media: bytes = memory["media_type"].encode()
    tags: list[str] = memory["tags"]
    content: bytes = memory["content"]
    wider = _wider(memory)
    head = _HEAD.pack(
        WIDER_DOMAIN if wider else DOMAIN,
        TYPE_CODES[memory["type"]],
        SOURCE_CODES[memory["source"]],
        block is not None,
        transaction is not None,
        -1 if block is None else block["number"],
        memory["transaction_index"],
        memory["timestamp"],
        memory["importance"],
        len(media),
        len(content),
        len(tags),
    )
    ids: bytes = memory["id"] + memory["agent"] + (_NOTHING if block is None else block["hash"]) + (transaction or _NOTHING)
    if len(ids) != 3 * HASH + ADDRESS or len(memory["id"]) != HASH or len(memory["agent"]) != ADDRESS:
        raise ValueError("ids of a memory have 32 bytes, its agent 20")
    if not tags:
        return head + ids + media + content + wider
    labels = [tag.encode() for tag in tags]
    return b"".join((head, ids, pack(f"<{len(labels)}I", *map(len, labels)), media, content, *labels, wider))


def _wider(memory: Mapping[str, Any]) -> bytes:
    """Fields of later versions; empty if each is at its default. What is in the clear for its reader is committed to, so
    ``sealed`` is not part of it.
    """
    edges: list[Mapping[str, Any]] = memory["edges"]
    times, texts = (memory["valid_from"], memory["valid_to"]), (memory["subject"], memory["predicate"])
    ids = (memory["session"], memory["imported_from"])
    if memory["form"] == "MEMORY" and not edges and all(part is None for part in (*times, *texts, *ids)):
        return b""
    optional = [None if text is None else text.encode() for text in texts] + list(ids)
    return b"".join(
        (
            pack("<B", memory["form"] != "MEMORY"),
            *(pack("<Bq", time is not None, time or 0) for time in times),
            *(pack("<BI", part is not None, len(part or b"")) + (part or b"") for part in optional),
            pack("<I", len(edges)),
            *map(_edge, edges),
        )
    )


def _edge(edge: Mapping[str, Any]) -> bytes:
    relation: bytes = edge["relation"].encode()
    source, until = edge["source"], edge["until"]
    head = _EDGE.pack(
        EDGE_CODES[edge["kind"]], source is not None, until is not None, edge["strength"], until or 0, len(relation)
    )
    ids: bytes = (source or _NOTHING) + edge["target"]
    if len(ids) != 2 * HASH:
        raise ValueError("an edge goes from and to ids of 32 bytes")
    return head + ids + relation


def path_and_opening(secret: bytes, memory_id: bytes) -> tuple[bytes, bytes]:
    """Where the memory lies in the agent's tree, and the key that commits to it. ``secret``: 32 bytes."""
    both = blake3(memory_id, key=secret).digest(2 * HASH)
    return both[:HASH], both[HASH:]


def value_of(opening: bytes, memory: Mapping[str, Any]) -> bytes:
    """The commitment to ``memory``, for whoever was handed its opening."""
    return blake3(encode(memory), key=opening).digest()


def leaf_of(secret: bytes, memory: Mapping[str, Any]) -> Leaf:
    """The leaf of one memory."""
    path, opening = path_and_opening(secret, memory["id"])
    return Leaf(path, value_of(opening, memory))


def tree_of(secret: bytes, memories: Iterable[Mapping[str, Any]]) -> SparseTree:
    """The sparse Merkle tree over one agent's live memories."""
    return SparseTree.of(dict(leaf_of(secret, memory) for memory in memories))
