"""The package of the reference design (row P1 of its formats), read only: JSON, plain or gzip.

Two spellings of version 1.0.0 are read. The one its code writes: ``format_version``, ``export_timestamp`` as an object of
``secs_since_epoch`` and ``nanos_since_epoch``, and the age of a memory, in seconds, under its ``timestamp``. The one its
description has: ``version``, ``timestamp`` or ``exported_at`` as seconds, and ``age_seconds``. Both: ``agent_id``,
``memory_count``, ``memories`` with base64 ``content``, a type by name and an optional vector, and ``metadata`` with source
chain, reason, compression and encryption. Names of fields are taken in snake case or camel case. Vectors are not believed;
ours are computed from the text.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any

from schemas.records import MEMORY_TYPES, MemoryType
from streams.portability.errors import PackageError
from streams.portability.foreign import ALL, Entry, Reading, objects, reading, seconds, text

PRODUCT = "reference"
VERSION = "1.0.0"
_VERSIONS = ("format_version", "version")
_MOMENTS = ("export_timestamp", "timestamp", "exported_at")


def sniff(said: object) -> bool:
    """Whether a JSON document is such a package."""
    if not isinstance(said, Mapping):
        return False
    found = set(map(_snake, said))
    return "memories" in found and "metadata" in found and not found.isdisjoint(_VERSIONS)


def read(said: Any, agent: bytes, chosen: str | None = None) -> Reading:
    """``chosen``: the agent that the package is of, where that is not ``agent``, or ``ALL`` for any.

    Raises PackageError for another version or agent, a wrong count, content that is not base64, or an encrypted package.
    """
    if not sniff(said):
        raise PackageError("the file is no package of the reference design")
    said = _named(said)
    metadata = _named(said["metadata"])
    version = next(said[name] for name in _VERSIONS if name in said)
    if version != VERSION:
        raise PackageError(f"the package is of version {str(version)[:40]!r}; {VERSION} can be read")
    if metadata.get("encryption") not in (None, "", "None", "none"):
        raise PackageError("the package is encrypted, in a way that the reference design does not define")
    _demand_own(said.get("agent_id"), agent, chosen)
    items = [_named(item) for item in objects(said["memories"], "memories")]
    count = said.get("memory_count", len(items))
    if count != len(items):
        raise PackageError(f"the package says {str(count)[:40]} memories and holds {len(items)}")
    return reading(PRODUCT, agent, _entries(items, _packed_at(said)))


def _demand_own(owner: object, agent: bytes, chosen: str | None) -> None:
    own = f"0x{agent.hex()}"
    if owner is None or chosen == ALL or text(owner).lower() == (chosen or own).lower():
        return
    who = text(owner)[:80]
    raise PackageError(f"the package holds memories of agent {who!r}", f"To take them for {own}, name that agent too.")


def _packed_at(said: Mapping[str, Any]) -> int:
    moment = next((said[name] for name in _MOMENTS if said.get(name) is not None), None)
    if isinstance(moment, Mapping):  # how serde spells a SystemTime
        moment = _named(moment).get("secs_since_epoch")
    return seconds(moment)


def _entries(items: list[dict[str, Any]], packed_at: int) -> Iterator[Entry]:
    for number, item in enumerate(items):
        try:
            content = b64decode(item["content"], validate=True)
        except (KeyError, TypeError, ValueError, binascii.Error):
            raise PackageError(f"the content of memory {number} is not base64") from None
        age = next((item[name] for name in ("age_seconds", "timestamp") if isinstance(item.get(name), (int, float))), 0)
        yield Entry(
            text(item.get("id")) or str(number),
            content,
            _kind(item.get("memory_type") or item.get("type")),
            ("imported",),
            packed_at - int(age),
            float(item["importance"]) if isinstance(item.get("importance"), (int, float)) else 0.5,
            media_type="text/plain" if _is_text(content) else "application/octet-stream",
        )


def _kind(said: object) -> MemoryType:
    name = _snake(text(said)).upper()
    found: list[MemoryType] = [kind for kind in MEMORY_TYPES if kind == name]
    if not found:
        raise PackageError(f"memory type {text(said)[:40]!r} is not known", f"Types: {', '.join(MEMORY_TYPES)}.")
    return found[0]


def _named(said: object) -> dict[str, Any]:
    """Fields in snake case. Raises PackageError if it is no object, or has a field twice."""
    if not isinstance(said, Mapping):
        raise PackageError("a part of the package is no object")
    found = {_snake(name): value for name, value in said.items()}
    if len(found) < len(said):
        raise PackageError("a part of the package has a field in two spellings")
    return found


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
