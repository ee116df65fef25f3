"""Checkpoints of one stream agent's partition, read from their topic.

Assumes the producer of the partition was started before, so that no transaction of a former owner is still open; those of other
stream agents may be, and the read waits for them.
Anybody who may write to the topic may write under any key. Invariant: a slot that holds no checkpoint of its own is as good as
lost, which costs reading and nothing else: what slots say of blocks and state is compared with markers and digests, and where
the slot that tells of early writes is lost, they count as unfinished.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from schemas.codec import SchemaError, UnknownSchemaError, codec
from streams import topics
from streams.core.checkpoint import REDO, Checkpoint, Redo, slot_key
from streams.errors import LogIntegrityError, OutdatedError
from streams.ports.log import LogReader, Message, TopicPartition
from streams.runtime import metrics

_log = logging.getLogger(__name__)


async def read_checkpoints(reader: LogReader, stream_agent: str, partition: int) -> dict[str, Checkpoint]:
    """By slot, the newest of each; without those that are none. Raises OutdatedError for one of a newer version."""
    source = TopicPartition(topics.CHECKPOINTS, partition)
    first, stop = (await reader.bounds([source]))[source]
    prefix = slot_key(stream_agent, partition, "")
    newest: dict[str, Message] = {}
    async for messages in reader.read_range(source, first, stop):
        for message in messages:
            if message.key is not None and message.key.startswith(prefix):
                newest[message.key[len(prefix) :].decode(errors="replace")] = message
    found: dict[str, Checkpoint] = {}
    for slot, message in newest.items():
        if message.value is None:
            continue
        try:
            found[slot] = _own(stream_agent, partition, slot, message.value)
        except LogIntegrityError as error:
            _log.warning("%s/%d: %s; it counts as lost", stream_agent, partition, error.message)
            metrics.GARBAGE.labels(stream_agent, topics.CHECKPOINTS).inc()
            if slot == REDO:  # the offset is more than any count that local state may be bound to
                found[slot] = Redo(message.offset, unfinished=True).checkpoint(stream_agent, partition, "")
    return found


def decode_slots(slots: Mapping[str, bytes]) -> dict[str, Checkpoint]:
    """Checkpoints from their encoded form. Raises LogIntegrityError for bytes that are none, OutdatedError."""
    return {slot: _decoded(slot, value) for slot, value in slots.items()}


def _own(stream_agent: str, partition: int, slot: str, value: bytes) -> Checkpoint:
    found = _decoded(slot, value)
    if found.key != slot_key(stream_agent, partition, slot):
        raise LogIntegrityError(f"checkpoint {slot} is that of another slot")
    return found


def _decoded(slot: str, value: bytes) -> Checkpoint:
    try:
        kind, record = codec().decode(value)
    except UnknownSchemaError as error:
        raise OutdatedError(f"checkpoint {slot}", str(error)) from error
    except SchemaError as error:
        raise LogIntegrityError(f"checkpoint {slot}: {error}") from error
    if kind != "Checkpoint":
        raise LogIntegrityError(f"checkpoint {slot} is a {kind}")
    return Checkpoint.of(record)
