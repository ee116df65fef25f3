"""Proof of one memory: that this text, with all that belongs to it, is among what an agent remembers under a root.

The document carries the memory, the opening of its leaf (``streams.core.leaf``) and the path to the root. Whoever is handed it
can check content and membership without any secret, and learns nothing of other memories.
Invariant: the commitment is computed from the memory in the document, never taken from it; every field but ``kind`` is covered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from streams.core.leaf import ADDRESS, SOURCE_CODES, TYPE_CODES, path_and_opening, tree_of, value_of
from streams.core.merkle import document, sparse
from streams.core.merkle.fields import ProofError, hashes, hex_bytes, integer, only

INT64 = 1 << 63
INT32 = 1 << 31
_FIELDS = ("id", "agent", "type", "source", "block", "transaction", "transaction_index")
_MORE_FIELDS = ("content", "media_type", "importance", "tags", "timestamp")


@dataclass(frozen=True, slots=True)
class MemoryDocument:
    """That ``memory`` lies at ``path`` in the tree of ``root``."""

    kind: ClassVar[str] = "memory"
    root: bytes
    path: bytes
    opening: bytes
    memory: Mapping[str, Any]
    siblings: tuple[bytes, ...]

    @property
    def claim(self) -> str:
        """What is claimed, in words."""
        owner, name = self.memory["agent"].hex(), self.memory["id"].hex()
        return f"agent 0x{owner} remembers {name} with this content under root {self.root.hex()}"

    def holds(self) -> bool:
        """Whether the proof shows it."""
        return sparse.verify(sparse.SparseProof(self.siblings), self.root, self.path, value_of(self.opening, self.memory))

    def record(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "kind": self.kind,
            "root": self.root.hex(),
            "path": self.path.hex(),
            "opening": self.opening.hex(),
            "memory": _to_json(self.memory),
            "siblings": [sibling.hex() for sibling in self.siblings],
        }

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> MemoryDocument:
        """The inverse of ``record``. Raises ProofError."""
        only(record, "kind", "root", "path", "opening", "memory", "siblings")
        root, path, opening = (hex_bytes(record[name]) for name in ("root", "path", "opening"))
        return cls(root, path, opening, _from_json(record["memory"]), hashes(record["siblings"], sparse.BITS))


Document = document.Document | MemoryDocument


def parse(record: object) -> Document:
    """The proof of any kind in a decoded JSON document. Raises ProofError."""
    if isinstance(record, dict) and record.get("kind") == MemoryDocument.kind:
        return MemoryDocument.of(record)
    return document.parse(record)


def prove_memory(secret: bytes, live: Iterable[Mapping[str, Any]], memory_id: bytes) -> Document:
    """Proves that ``memory_id`` is among the ``live`` memories of an agent, or that it is not.

    The root in the document is that of ``live``: compare it with the published one, and read again if the log went on between.
    """
    memories = {memory["id"]: memory for memory in live}
    tree = tree_of(secret, memories.values())
    path, opening = path_and_opening(secret, memory_id)
    proof = tree.prove(path)
    if memory_id not in memories:
        return document.MemberDocument(tree.root, path, None, proof)
    return MemoryDocument(tree.root, path, opening, _covered(memories[memory_id]), proof.siblings)


def _covered(memory: Mapping[str, Any]) -> dict[str, Any]:
    """What the leaf covers."""
    block = memory["block"]
    covered = {name: memory[name] for name in (*_FIELDS, *_MORE_FIELDS)}
    return {**covered, "block": None if block is None else {"number": block["number"], "hash": block["hash"]}}


def _to_json(memory: Mapping[str, Any]) -> dict[str, Any]:
    block, transaction = memory["block"], memory["transaction"]
    return {
        **memory,
        "id": memory["id"].hex(),
        "agent": memory["agent"].hex(),
        "block": None if block is None else {"number": block["number"], "hash": block["hash"].hex()},
        "transaction": None if transaction is None else transaction.hex(),
        "content": memory["content"].hex(),
    }


def _from_json(value: Any) -> dict[str, Any]:
    only(value, *_FIELDS, *_MORE_FIELDS)
    block, transaction, tags = value["block"], value["transaction"], value["tags"]
    if block is not None:
        only(block, "number", "hash")
        block = {"number": integer(block["number"], -INT64, INT64 - 1), "hash": hex_bytes(block["hash"])}
    if not isinstance(tags, list):
        raise ProofError("tags is a list of texts")
    if not isinstance(value["content"], str) or not isinstance(value["importance"], float):
        raise ProofError("content is hex, importance a number with a point")
    return {
        "id": hex_bytes(value["id"]),
        "agent": hex_bytes(value["agent"], ADDRESS),
        "type": _one_of(value["type"], TYPE_CODES),
        "source": _one_of(value["source"], SOURCE_CODES),
        "block": block,
        "transaction": None if transaction is None else hex_bytes(transaction),
        "transaction_index": integer(value["transaction_index"], -INT32, INT32 - 1),
        "content": hex_bytes(value["content"], len(value["content"]) // 2),
        "media_type": _text(value["media_type"]),
        "importance": value["importance"],
        "tags": [_text(tag) for tag in tags],
        "timestamp": integer(value["timestamp"], -INT64, INT64 - 1),
    }


def _one_of(value: object, codes: Mapping[str, int]) -> str:
    if not isinstance(value, str) or value not in codes:
        raise ProofError(f"expected one of {', '.join(codes)}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ProofError("expected a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ProofError("expected a text in Unicode") from None
    return value
