"""In-memory stand-ins for what the runtime hands to a stream agent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from streams.agents.base import Record


class MemoryState:
    """LocalState in a dict. ``copy`` of the content makes aborts and comparisons of whole states plain."""

    def __init__(self, content: Mapping[bytes, bytes] | None = None) -> None:
        self.content: dict[bytes, bytes] = dict(content or {})

    def get(self, key: bytes) -> bytes | None:
        return self.content.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        assert isinstance(key, bytes)
        assert isinstance(value, bytes)
        self.content[key] = value

    def delete(self, key: bytes) -> None:
        self.content.pop(key, None)

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        for key in sorted(key for key in self.content if key.startswith(prefix)):
            yield key, self.content[key]


def record_of(topic: str, kind: str, value: Any, offset: int = 0, partition: int = 0, key: bytes | None = None) -> Record:
    """A decoded input record."""
    return Record(topic, partition, offset, key, kind, value)
