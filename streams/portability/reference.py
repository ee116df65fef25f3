"""The package of the reference design (row P1 of its formats), read only: JSON, plain or gzip.

Its form: version "1.0.0", ``agent_id``, ``timestamp``, ``memory_count``, ``memories`` with base64 ``content``, a type by
name, an optional vector and ``age_seconds``, and ``metadata`` with source chain, reason, compression and encryption.
Names of fields are taken in snake case or camel case. Vectors in it are not believed; ours are computed from the text.
"""

from __future__ import annotations

import binascii
import re
import zlib
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any

from schemas.records import MEMORY_TYPES, MemoryType
from streams.portability.errors import PackageError
from streams.portability.foreign import Entry, Reading, json_of, objects, reading, seconds, text

PRODUCT = "reference"
VERSION = "1.0.0"
GZIP = b"\x1f\x8b"
LARGEST = 1 << 28


def sniff(said: object) -> bool:
    """Whether a JSON document is such a package."""
    return isinstance(said, Mapping) and "version" in said and "memories" in said and isinstance(said.get("metadata"), Mapping)


def expanded(data: bytes) -> bytes:
    """Without gzip, if it has any. Raises PackageError."""
    if not data.startswith(GZIP):
        return data
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        content = unpack.decompress(data, LARGEST)
    except zlib.error:
        raise PackageError("the file cannot be unpacked") from None
    if unpack.unconsumed_tail or not unpack.eof:
        raise PackageError(f"the file is cut, or holds more than {LARGEST >> 20} MiB")
    return content


def read(data: bytes, agent: bytes) -> Reading:
    """Raises PackageError for another version, a wrong count, content that is not base64, or an encrypted package."""
    said = json_of(expanded(data))
    if not sniff(said):
        raise PackageError("the file is no package of the reference design")
    said = _snake(said)
    if said["version"] != VERSION:
        raise PackageError(f"the package is of version {said['version']!r}; {VERSION} can be read")
    if said["metadata"].get("encryption") not in (None, "", "None", "none"):
        raise PackageError("the package is encrypted, in a way that the reference design does not define")
    items = objects(said["memories"], "memories")
    count = said.get("memory_count", len(items))
    if count != len(items):
        raise PackageError(f"the package says {count} memories and holds {len(items)}")
    return reading(PRODUCT, agent, _entries(items, seconds(said.get("timestamp") or said.get("exported_at"))))


def _entries(items: list[dict[str, Any]], packed_at: int) -> Iterator[Entry]:
    for number, item in enumerate(items):
        try:
            content = b64decode(item["content"], validate=True)
        except (KeyError, TypeError, ValueError, binascii.Error):
            raise PackageError(f"the content of memory {number} is not base64") from None
        age = item.get("age_seconds")
        moment = packed_at - int(age) if isinstance(age, (int, float)) else packed_at
        yield Entry(
            text(item.get("id")) or str(number),
            content,
            _kind(item.get("memory_type") or item.get("type")),
            ("imported",),
            max(0, moment),
            float(item["importance"]) if isinstance(item.get("importance"), (int, float)) else 0.5,
            media_type="text/plain" if _is_text(content) else "application/octet-stream",
        )


def _kind(said: object) -> MemoryType:
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text(said)).upper()
    found: list[MemoryType] = [kind for kind in MEMORY_TYPES if kind == name]
    if not found:
        raise PackageError(f"memory type {said!r} is not known", f"Types: {', '.join(MEMORY_TYPES)}.")
    return found[0]


def _snake(said: Any) -> Any:
    if isinstance(said, dict):
        return {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower(): _snake(value) for key, value in said.items()}
    return [_snake(item) for item in said] if isinstance(said, list) else said


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
