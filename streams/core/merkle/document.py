"""Proofs as JSON documents and as bytes, for REST and files.

A document names its kind and holds everything a verifier needs except trust in the root, which must come from elsewhere; for a
log, root and size are trusted together, since RFC 9162 does not bind the size to the root.
Invariant: parsing is strict (lower-case hex, exact lengths, no unknown fields), so one proof has one form; anything else
raises ProofError, never another exception. Verification of a parsed document returns a bool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from streams.core.merkle import log, sparse
from streams.core.merkle.fields import HASH, ProofError, hashes, hex_bytes, integer, only

__all__ = [
    "ConsistencyDocument",
    "Document",
    "EntryDocument",
    "MemberDocument",
    "ProofError",
    "from_bytes",
    "parse",
    "to_bytes",
]

_VERSION = b"\x01"


@dataclass(frozen=True, slots=True)
class MemberDocument:
    """That the sparse tree of ``root`` has ``value`` at ``path``, or, with ``value`` None, nothing there."""

    kind: ClassVar[str] = "sparse-merkle"
    root: bytes
    path: bytes
    value: bytes | None
    proof: sparse.SparseProof

    @property
    def claim(self) -> str:
        """What is claimed, in words."""
        if self.value is None:
            return f"nothing lies at {self.path.hex()} under root {self.root.hex()}"
        return f"{self.value.hex()} lies at {self.path.hex()} under root {self.root.hex()}"

    def holds(self) -> bool:
        """Whether the proof shows it."""
        return sparse.verify(self.proof, self.root, self.path, self.value)

    def record(self) -> dict[str, Any]:
        """The JSON form."""
        neighbour = self.proof.neighbour
        return {
            "kind": self.kind,
            "root": self.root.hex(),
            "path": self.path.hex(),
            "value": None if self.value is None else self.value.hex(),
            "siblings": [sibling.hex() for sibling in self.proof.siblings],
            "neighbour": neighbour and {"path": neighbour[0].hex(), "value": neighbour[1].hex()},
        }

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> MemberDocument:
        """The inverse of ``record``."""
        only(record, "kind", "root", "path", "value", "siblings", "neighbour")
        value, neighbour = record["value"], record["neighbour"]
        if neighbour is not None:
            only(neighbour, "path", "value")
            neighbour = (hex_bytes(neighbour["path"]), hex_bytes(neighbour["value"]))
        proof = sparse.SparseProof(hashes(record["siblings"], sparse.BITS), neighbour)
        return cls(hex_bytes(record["root"]), hex_bytes(record["path"]), None if value is None else hex_bytes(value), proof)


@dataclass(frozen=True, slots=True)
class EntryDocument:
    """That leaf hash ``leaf`` is number ``index`` of the log of ``size`` leaves and ``root``."""

    kind: ClassVar[str] = "log-inclusion"
    root: bytes
    index: int
    size: int
    leaf: bytes
    path: tuple[bytes, ...]

    @property
    def claim(self) -> str:
        """What is claimed, in words."""
        return f"entry {self.index} of the log of {self.size} entries and root {self.root.hex()} is {self.leaf.hex()}"

    def holds(self) -> bool:
        """Whether the proof shows it."""
        return log.verify_inclusion(self.index, self.size, self.leaf, self.path, self.root)

    def record(self) -> dict[str, Any]:
        """The JSON form."""
        plain = {"root": self.root.hex(), "index": self.index, "size": self.size, "leaf": self.leaf.hex()}
        return {"kind": self.kind, **plain, "hashes": [digest.hex() for digest in self.path]}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> EntryDocument:
        """The inverse of ``record``."""
        only(record, "kind", "root", "index", "size", "leaf", "hashes")
        index, size = integer(record["index"]), integer(record["size"])
        return cls(hex_bytes(record["root"]), index, size, hex_bytes(record["leaf"]), hashes(record["hashes"], 128))


@dataclass(frozen=True, slots=True)
class ConsistencyDocument:
    """That the log of ``first`` leaves and ``first_root`` is the beginning of that of ``size`` leaves and ``root``."""

    kind: ClassVar[str] = "log-consistency"
    root: bytes
    size: int
    first_root: bytes
    first: int
    path: tuple[bytes, ...]

    @property
    def claim(self) -> str:
        """What is claimed, in words."""
        whole = f"the log of {self.size} entries and root {self.root.hex()}"
        return f"{whole} begins with the one of {self.first} entries and root {self.first_root.hex()}"

    def holds(self) -> bool:
        """Whether the proof shows it."""
        return log.verify_consistency(self.first, self.size, self.path, self.first_root, self.root)

    def record(self) -> dict[str, Any]:
        """The JSON form."""
        plain = {"root": self.root.hex(), "size": self.size, "first_root": self.first_root.hex(), "first": self.first}
        return {"kind": self.kind, **plain, "hashes": [digest.hex() for digest in self.path]}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> ConsistencyDocument:
        """The inverse of ``record``."""
        only(record, "kind", "root", "size", "first_root", "first", "hashes")
        size, first = integer(record["size"]), integer(record["first"])
        return cls(hex_bytes(record["root"]), size, hex_bytes(record["first_root"]), first, hashes(record["hashes"], 128))


Document = MemberDocument | EntryDocument | ConsistencyDocument
_KINDS: dict[str, type[Document]] = {cls.kind: cls for cls in (MemberDocument, EntryDocument, ConsistencyDocument)}


def parse(record: object) -> Document:
    """The proof in a decoded JSON document. Raises ProofError."""
    if not isinstance(record, dict):
        raise ProofError("a proof is a JSON object")
    kind = record.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ProofError(f"kind must be one of {', '.join(_KINDS)}")
    return _KINDS[kind].of(record)


def to_bytes(proof: sparse.SparseProof) -> bytes:
    """The binary form of a sparse proof: version 1, number of siblings (u16, big-endian), neighbour flag, hashes."""
    neighbour = proof.neighbour or ()
    head = _VERSION + len(proof.siblings).to_bytes(2, "big") + bytes([bool(neighbour)])
    return head + b"".join((*neighbour, *proof.siblings))


def from_bytes(wire: bytes) -> sparse.SparseProof:
    """The inverse of ``to_bytes``. Raises ProofError."""
    if len(wire) < 4 or wire[:1] != _VERSION or wire[3] > 1:
        raise ProofError("not a sparse Merkle proof of version 1")
    count, neighbours = int.from_bytes(wire[1:3], "big"), 2 * wire[3]
    if count > sparse.BITS or len(wire) != 4 + HASH * (count + neighbours):
        raise ProofError(f"{len(wire)} bytes do not hold {count} siblings")
    parts = [wire[at : at + HASH] for at in range(4, len(wire), HASH)]
    return sparse.SparseProof(tuple(parts[neighbours:]), (parts[0], parts[1]) if neighbours else None)
