"""What an operator does with dead letters: reads them, sends them once more, or closes them.

Assumes the fold writes a letter under the key of its source record. A letter is open until a record of the same key without a
value follows it, which says that somebody dealt with it; should the record be refused again later, it is open again.
Invariants: a record is sent again and its letter closed in one transaction, by one such tool at a time (the others are fenced),
so it is sent once; nothing is added to a topic whose records are counted by markers, where the log may only be read again,
nor to one that no stream agent takes records from, whatever a letter says: every stream agent may write letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.codec import SchemaError, codec
from schemas.records import DeadLetter
from streams import topics
from streams.core.record import MARKER
from streams.errors import ConfigurationError, PositionLostError
from streams.ports.log import KeyValue, LogClient, LogReader, TopicPartition

LETTERS = TopicPartition(topics.DLQ, 0)
TOOL = "dlq"
"""Group of the transactional id."""
RESENT = frozenset({topics.COMMANDS, topics.EVICTIONS})
"""What stream agents take records from that no marker counts."""
AT_ONCE = 500
"""Most records of one transaction."""


@dataclass(frozen=True, slots=True)
class Letter:
    """``id``: topic/partition/offset of the source record, as on the broker. ``offset``: of the letter itself."""

    id: str
    offset: int
    record: DeadLetter


async def open_letters(reader: LogReader) -> list[Letter]:
    """All open letters, oldest first. Raises LogError."""
    first, stop = (await reader.bounds([LETTERS]))[LETTERS]
    found: dict[bytes, Letter] = {}
    async for messages in reader.read_range(LETTERS, first, stop):
        for message in messages:
            if message.key is None:
                continue
            found.pop(message.key, None)
            if message.value is not None and (record := _decoded(message.value)) is not None:
                found[message.key] = Letter(message.key.decode(errors="replace"), message.offset, record)
    return list(found.values())


def _decoded(value: bytes) -> DeadLetter | None:
    try:
        kind, record = codec().decode(value)
    except SchemaError:
        return None
    return record if kind == "DeadLetter" else None


def source_of(letter: Letter, prefix: str) -> TopicPartition:
    """Where its record came from, by our name of the topic."""
    return TopicPartition(topics.logical(prefix, letter.record["topic"]), letter.record["partition"])


def refusal(letter: Letter, prefix: str) -> str | None:
    """Why its record cannot be sent again; None if it can."""
    source = source_of(letter, prefix)
    spec = topics.TOPICS.get(source.topic)
    if spec is None:
        return f"{letter.record['topic']} is no topic of this pipeline"
    if MARKER in spec.records:
        return f"records of {letter.record['topic']} are counted block by block, and none can be added"
    if source.topic not in RESENT:
        return f"no stream agent takes records from {letter.record['topic']}, so none was refused"
    return None


async def whole_record(reader: LogReader, letter: Letter, prefix: str) -> KeyValue:
    """Key and value as they were. Raises ConfigurationError if the letter holds a part only, and the topic no more."""
    record = letter.record
    if not record["truncated"]:
        return record["key"], record["value"] or b""
    source, offset = source_of(letter, prefix), record["offset"]
    try:
        async for messages in reader.read_range(source, offset, offset + 1):
            for message in messages:
                return message.key, message.value or b""
    except PositionLostError:
        pass
    raise ConfigurationError(
        f"{letter.id}: the letter holds {len(record['value'] or b'')} of {record['size']} bytes, the topic no longer any",
        "Send it again from where it came from, then `monmouth dlq drop` it.",
    )


async def resend(client: LogClient, reader: LogReader, letters: Sequence[Letter], prefix: str) -> None:
    """Sends records once more and closes their letters. Raises ConfigurationError before anything is sent."""
    for letter in letters:
        if (reason := refusal(letter, prefix)) is not None:
            raise ConfigurationError(
                f"{letter.id} cannot be sent again: {reason}",
                "Mend the cause, then read the log again with `monmouth replay`; or `monmouth dlq drop` the letter.",
            )
    outputs = [(source_of(letter, prefix), await whole_record(reader, letter, prefix)) for letter in letters]
    await _write(client, letters, outputs)


async def close(client: LogClient, letters: Sequence[Letter]) -> None:
    """Says that somebody dealt with them."""
    await _write(client, letters, [])


async def _write(client: LogClient, letters: Sequence[Letter], records: Sequence[tuple[TopicPartition, KeyValue]]) -> None:
    producer = client.producer(TOOL, 0)
    await producer.start()
    try:
        for at in range(0, len(letters), AT_ONCE):
            outputs: dict[TopicPartition, list[KeyValue]] = {}
            for target, record in records[at : at + AT_ONCE]:
                outputs.setdefault(target, []).append(record)
            outputs[LETTERS] = [(letter.id.encode(), None) for letter in letters[at : at + AT_ONCE]]
            await producer.begin()
            await producer.send(outputs)
            await producer.commit()
    finally:
        await producer.close()
