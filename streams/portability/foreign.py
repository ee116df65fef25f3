"""What files of other products have in common when they are read as memories.

Assumes nothing of the files; they come from outside. Invariant: reading is a pure function of the file and the agent, ids
included, so that importing a file twice is importing it once; what cannot be kept as a memory (empty texts, too long ones) is
counted, never cut or dropped without a word.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from schemas.defaults import plain_memory
from schemas.records import Memory, MemoryType
from streams.agents.memory_limits import MAX_CONTENT, MAX_TAG, MAX_TAGS, MAX_TIMESTAMP
from streams.core.ids import content_id
from streams.portability.errors import PackageError

ALL = "*"
"""Chosen where a file holds memories of several, or of another: all of them."""
LONGEST_DOCUMENT = 1 << 25
"""Bytes: as objects it may take 25 times the room."""
GZIP = b"\x1f\x8b"
MOST_DEPTH = 64
"""Of lists and objects in each other: many times what any of the products writes."""
_WORD = 19
"""Digits of a whole number that surely fits 64 bits."""


@dataclass(frozen=True, slots=True)
class Reading:
    """``skipped``: entries that hold no text, or more than a memory may."""

    product: str
    memories: tuple[Memory, ...]
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to remember. ``name``: what tells it apart in its file."""

    name: str
    content: bytes
    kind: MemoryType
    tags: tuple[str, ...] = ()
    timestamp: int = 0
    importance: float = 0.5
    media_type: str = "text/plain"
    subject: str | None = None
    predicate: str | None = None


def reading(product: str, agent: bytes, entries: Iterable[Entry]) -> Reading:
    """Memories of ``agent`` from the entries of one file."""
    found: dict[bytes, Memory] = {}
    skipped = 0
    for entry in entries:
        if not entry.content.strip() or len(entry.content) > MAX_CONTENT:
            skipped += 1
            continue
        memory = _memory(product, agent, entry)
        found[memory["id"]] = memory
    return Reading(product, tuple(found[memory_id] for memory_id in sorted(found)), skipped)


def _memory(product: str, agent: bytes, entry: Entry) -> Memory:
    memory_id = content_id("monmouth/memory/import", agent, product.encode(), text(entry.name).encode(), entry.content)
    stamp = min(max(entry.timestamp, 0), MAX_TIMESTAMP)
    return {
        **plain_memory(memory_id, agent, entry.kind, "IMPORT", stamp),
        "content": entry.content,
        "media_type": entry.media_type,
        "importance": min(max(entry.importance, 0.0), 1.0),
        "tags": labels(entry.tags),
        "subject": entry.subject,
        "predicate": entry.predicate,
    }


def labels(tags: Sequence[str]) -> list[str]:
    """Tags within the limits, each once."""
    return list(dict.fromkeys(text(tag)[:MAX_TAG] for tag in tags if tag))[:MAX_TAGS]


def seconds(said: object) -> int:
    """Unix seconds of a number or an ISO 8601 text; 0 if it says no time."""
    if isinstance(said, bool) or said is None:
        return 0
    if isinstance(said, (int, float)):
        return int(said) if abs(said) < MAX_TIMESTAMP else 0
    try:
        moment = datetime.fromisoformat(str(said))
    except ValueError:
        return 0
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def expanded(data: bytes, most: int) -> bytes:
    """Without gzip, if it has any. Raises PackageError, for more than ``most`` bytes too."""
    if not data.startswith(GZIP):
        return data
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        content = unpack.decompress(data, most + 1)
    except zlib.error:
        raise PackageError("the file cannot be unpacked") from None
    if len(content) > most:
        raise PackageError(f"the document has more than {most} bytes", "Split it into several files.")
    if not unpack.eof:
        raise PackageError("the file is cut")
    return content


def json_of(data: bytes) -> Any:
    """The JSON document. Raises PackageError."""
    if len(data) > LONGEST_DOCUMENT:
        raise PackageError(f"the document has more than {LONGEST_DOCUMENT >> 20} MiB", "Split it into several files.")
    try:
        said = json.loads(data, parse_constant=_finite, parse_float=_finite, parse_int=_whole)
    except RecursionError:
        raise PackageError(_TOO_DEEP) from None
    except ValueError:
        raise PackageError("the file is no JSON document") from None
    _demand_shallow(said)
    return said


_TOO_DEEP = f"the document is nested deeper than {MOST_DEPTH} levels"


def _demand_shallow(said: object) -> None:
    """So that whoever walks through it need not count."""
    level = [said]
    for _ in range(MOST_DEPTH):
        inner = [part.values() if isinstance(part, dict) else part for part in level if isinstance(part, (dict, list))]
        level = [item for items in inner for item in items if isinstance(item, (dict, list))]
        if not level:
            return
    raise PackageError(_TOO_DEEP)


def _finite(said: str) -> float:
    number = float(said)
    if not isfinite(number):
        raise PackageError(f"the document has a number that is none: {said[:20]}")
    return number


def _whole(said: str) -> float:
    return int(said) if len(said) <= _WORD else _finite(said)


def objects(said: object, what: str) -> list[dict[str, Any]]:
    """A list of objects. Raises PackageError, naming it as ``what``."""
    if said is None:
        return []
    if not isinstance(said, list) or not all(isinstance(item, dict) for item in said):
        raise PackageError(f"{what} is not a list of objects")
    return said


def names(said: object, what: str) -> list[str]:
    """A list of names. Raises PackageError, naming it as ``what``."""
    if said is None:
        return []
    if not isinstance(said, list) or not all(isinstance(item, str) for item in said):
        raise PackageError(f"{what} is not a list of names")
    return said


def text(said: object) -> str:
    """The text, or an empty one; half of a surrogate pair, which JSON can spell, becomes a question mark."""
    return said.encode("utf-8", "replace").decode() if isinstance(said, str) else ""
