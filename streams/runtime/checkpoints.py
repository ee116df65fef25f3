"""Checkpoints of one stream agent's partition, read from their topic.

Assumes the producer of the partition was started before, so that no transaction of a former owner is still open; those of other
stream agents may be, and the read waits for them.
"""

from __future__ import annotations

from collections.abc import Mapping

from schemas.codec import SchemaError, UnknownSchemaError, codec
from streams import topics
from streams.core.checkpoint import Checkpoint, slot_key
from streams.errors import LogIntegrityError, OutdatedError
from streams.ports.log import LogReader, TopicPartition


async def read_checkpoints(reader: LogReader, stream_agent: str, partition: int) -> dict[str, Checkpoint]:
    """By slot, the newest of each. Raises LogIntegrityError for bytes that are no checkpoint."""
    source = TopicPartition(topics.CHECKPOINTS, partition)
    first, stop = (await reader.bounds([source]))[source]
    prefix = slot_key(stream_agent, partition, "")
    newest: dict[str, bytes | None] = {}
    async for messages in reader.read_range(source, first, stop):
        for message in messages:
            if message.key is not None and message.key.startswith(prefix):
                newest[message.key[len(prefix) :].decode(errors="replace")] = message.value
    return decode_slots({slot: value for slot, value in newest.items() if value is not None})


def decode_slots(slots: Mapping[str, bytes]) -> dict[str, Checkpoint]:
    """Checkpoints from their encoded form."""
    found: dict[str, Checkpoint] = {}
    for slot, value in slots.items():
        try:
            kind, record = codec().decode(value)
        except UnknownSchemaError as error:
            raise OutdatedError(f"checkpoint {slot}", str(error)) from error
        except SchemaError as error:
            raise LogIntegrityError(f"checkpoint {slot}: {error}") from error
        if kind != "Checkpoint":
            raise LogIntegrityError(f"checkpoint {slot} is a {kind}")
        found[slot] = Checkpoint.of(record)
    return found
