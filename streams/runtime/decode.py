"""Messages to records, in a tight loop.

Invariant: one record per message, in order; bytes that are no record are kept, untyped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from schemas.codec import SchemaError, UnknownSchemaError, codec
from streams.core.record import ERASED, NEWER, Record
from streams.core.sealed import is_erased
from streams.ports.log import Message, TopicPartition

_record: Callable[[tuple[Any, ...]], Record] = partial(tuple.__new__, Record)
"""Without the detour of a named tuple's own constructor."""


def decode(source: TopicPartition, messages: Iterable[Message]) -> list[Record]:
    """Records of one partition. ``type`` is empty and ``value`` the reason where the bytes cannot be read."""
    topic, partition = source
    read = codec().decode
    records: list[Record] = []
    add = records.append
    for message in messages:
        raw = message.value
        try:
            kind, value = read(raw)
        except UnknownSchemaError as error:
            kind, value = NEWER, str(error)
        except SchemaError as error:
            kind, value = "", str(error)
        if kind == "MemoryCommand" and is_erased(value):
            kind, value = ERASED, ""
        appended = max(0, message.timestamp) // 1000
        add(_record((topic, partition, message.offset, message.key, kind, value, raw or b"", appended)))
    return records
