"""The newest row of each key of a compacted topic, made small as it is read: what is held is as large as what is compared.

Invariant: a row that is no record of the schema meant counts as none, so that it is missed where one is due.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from blake3 import blake3

from schemas.codec import SchemaError, codec
from schemas.records import Memory
from streams.ports.log import LogReader, TopicPartition
from streams.upkeep.difference import Difference

T = TypeVar("T")


async def newest_rows(reader: LogReader, topic: str, partition: int, kind: str, small: Callable[[Any], T]) -> dict[bytes, T]:
    """By key, what ``small`` makes of each record of schema ``kind``."""
    source = TopicPartition(topic, partition)
    first, stop = (await reader.bounds([source]))[source]
    rows: dict[bytes, T] = {}
    async for messages in reader.read_range(source, first, stop):
        for key, value in ((message.key, message.value) for message in messages):
            if key is None:
                continue
            rows.pop(key, None)
            try:
                found, row = codec().decode(value) if value is not None else ("", None)
            except SchemaError:
                continue
            if found == kind:
                rows[key] = small(row)
    return rows


def record_digest(kind: str, row: Any) -> bytes:
    """Of a record that is not sealed."""
    return blake3(codec().encode(kind, row)).digest()


def memory_digest(memory: Memory) -> bytes:
    """Of what a memory says, opened; sealed bytes differ each time the same is sealed.

    When the log had it is left out: work that a later version does again may say it where an earlier one did not.
    """
    said = [(name, value) for name, value in memory.items() if name not in {"sealed", "known_at"}]
    return blake3(repr(sorted(said)).encode()).digest()


def row_differences(
    wanted: Mapping[bytes, bytes], rows: Mapping[bytes, bytes], name: Callable[[bytes, str], Difference]
) -> Iterator[Difference]:
    """Of digests by key. ``name``: a difference that says what is wrong with the row of a key."""
    for key in sorted(wanted.keys() | rows.keys()):
        if key not in rows:
            yield name(key, "is missing")
        elif key not in wanted:
            yield name(key, "is too many")
        elif wanted[key] != rows[key]:
            yield name(key, "is not what the log says")
