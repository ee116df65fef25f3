"""One memory as one line of canonical JSON, and back.

Canonical: keys sorted, no spaces, UTF-8 without escapes, ids as 0x-hex, content as base64, numbers as Python prints them
(shortest form that reads back equal). Invariant: ``line(memory(line(m))) == line(m)``, and bytes that are not the canonical
line of what they say are refused, so that one memory has one line and an altered line is another memory or none.
Not in it: ``sealed`` (a package has its own encryption), ``imported_from`` and ``known_at`` (a package says what was
remembered, not how it travelled, nor when which log had it), so that a memory has the same line wherever it lies.
"""

from __future__ import annotations

import json
import math
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from schemas.defaults import plain_memory
from schemas.records import MEMORY_TYPES, BlockRefRecord, Memory, MemoryEdge
from streams.core.leaf import EDGE_CODES, SOURCE_CODES
from streams.portability.errors import PackageError

HASH, ADDRESS, SESSION = 32, 20, 16
LONGEST_LINE = 1 << 20
_FIELDS = frozenset(plain_memory(b"", b"", "WORKING", "COMMAND", 0)) - {"sealed", "imported_from", "known_at"}
_EDGE_FIELDS = frozenset({"kind", "source", "target", "relation", "strength", "until"})


def canonical(value: object) -> bytes:
    """The one spelling of a JSON value. Raises ValueError for a number that is none."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def line_of(memory: Memory) -> bytes:
    """The canonical line, without a line end."""
    block = memory["block"]
    return canonical(
        {
            **{name: memory[name] for name in _FIELDS},  # type: ignore[literal-required]
            "id": _hex(memory["id"]),
            "agent": _hex(memory["agent"]),
            "block": block and {"number": block["number"], "hash": _hex(block["hash"]), "parent": _hex(block["parent"])},
            "transaction": _hex(memory["transaction"]),
            "content": b64encode(memory["content"]).decode(),
            "session": _hex(memory["session"]),
            "edges": [
                {**edge, "source": _hex(edge["source"]), "target": _hex(edge["target"]), "strength": float(edge["strength"])}
                for edge in memory["edges"]
            ],
            "importance": float(memory["importance"]),
        }
    )


def memory_of(line: bytes) -> Memory:
    """The inverse of ``line_of``. Raises PackageError for anything that is not the canonical line of a memory."""
    if len(line) > LONGEST_LINE:
        raise PackageError(f"a line of {len(line)} bytes; at most {LONGEST_LINE} are allowed")
    try:
        said = json.loads(line)
        memory = _read(said)
        if line_of(memory) == line:
            return memory
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        raise PackageError("a line is no memory", f"It begins {line[:80]!r}.") from None
    raise PackageError("a line is not in canonical form", f"It begins {line[:80]!r}.")


def _read(said: Mapping[str, Any]) -> Memory:
    if set(said) != _FIELDS:
        raise ValueError("fields")
    return {
        "id": _bytes(said["id"], HASH),
        "agent": _bytes(said["agent"], ADDRESS),
        "type": _one_of(said["type"], MEMORY_TYPES),
        "source": _one_of(said["source"], SOURCE_CODES),
        "block": _block(said["block"]),
        "transaction": _optional(said["transaction"], HASH),
        "transaction_index": _whole(said["transaction_index"]),
        "content": b64decode(said["content"], validate=True),
        "media_type": _text(said["media_type"]),
        "importance": _real(said["importance"]),
        "tags": [_text(tag) for tag in said["tags"]],
        "timestamp": _whole(said["timestamp"]),
        "form": _one_of(said["form"], ("MEMORY", "AMENDMENT")),
        "subject": None if said["subject"] is None else _text(said["subject"]),
        "predicate": None if said["predicate"] is None else _text(said["predicate"]),
        "valid_from": None if said["valid_from"] is None else _whole(said["valid_from"]),
        "valid_to": None if said["valid_to"] is None else _whole(said["valid_to"]),
        "edges": [_edge(edge) for edge in said["edges"]],
        "session": _optional(said["session"], SESSION),
        "imported_from": None,
        "sealed": None,
        "known_at": None,
    }


def _edge(said: Mapping[str, Any]) -> MemoryEdge:
    if set(said) != _EDGE_FIELDS:
        raise ValueError("fields of an edge")
    return {
        "kind": _one_of(said["kind"], EDGE_CODES),
        "source": _optional(said["source"], HASH),
        "target": _bytes(said["target"], HASH),
        "relation": _text(said["relation"]),
        "strength": _real(said["strength"]),
        "until": None if said["until"] is None else _whole(said["until"]),
    }


def _block(said: Mapping[str, Any] | None) -> BlockRefRecord | None:
    if said is None:
        return None
    return {"number": _whole(said["number"]), "hash": _bytes(said["hash"], HASH), "parent": _bytes(said["parent"], HASH)}


def _hex(value: bytes | None) -> str | None:
    return None if value is None else f"0x{value.hex()}"


def _bytes(said: str, size: int) -> bytes:
    value = bytes.fromhex(said.removeprefix("0x"))
    if len(value) != size:
        raise ValueError("size")
    return value


def _optional(said: str | None, size: int) -> bytes | None:
    return None if said is None else _bytes(said, size)


def _text(said: object) -> str:
    if not isinstance(said, str):
        raise TypeError("text")
    return said


def _whole(said: object) -> int:
    if type(said) is not int or not -(1 << 63) <= said < 1 << 63:
        raise TypeError("whole number of 64 bits")
    return said


def _real(said: object) -> float:
    if type(said) is not float or not math.isfinite(said):
        raise TypeError("number")
    return said


def _one_of(said: Any, names: Any) -> Any:
    if said not in names:
        raise ValueError("name")
    return said
