"""Everything one transaction will write, collected while units are folded in.

Invariants: a stream agent writes only to topics it declares, to its log topics only from ``apply``, and what it says of a block
there carries that block; the marker forwarded behind a block counts and digests exactly the values collected for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.codec import SchemaError, codec
from streams import topics
from streams.agents.base import Emit, StreamAgent
from streams.core.block import BlockRef, Step
from streams.core.checkpoint import Checkpoint
from streams.core.marker import Marker
from streams.core.record import MARKER, Record
from streams.core.replay import Replay
from streams.errors import Category, MonmouthError, PoisonError, Severity
from streams.ports.log import KeyValue, TopicPartition
from streams.runtime.deadletter import dead_letter, dead_letter_key
from streams.signing import Signer
from streams.tracing import Headers


class EmissionError(MonmouthError):
    """A stream agent emitted what it must not. A defect of the stream agent."""

    category = Category.PROCESSING
    severity = Severity.CRITICAL


class Outbox:
    """Output of one partition of one stream agent, until ``take``.

    ``lead``: how far sequences in its log topics are ahead of those in the input, because old work was done again.
    ``traced``: by hash, headers for markers of new blocks; ``headers``: by value, those of markers collected.
    """

    def __init__(self, spec: type[StreamAgent], partition: int, signer: Signer, prefix: str) -> None:
        self._spec = spec
        self._partition = partition
        self._signer = signer
        self._prefix = prefix
        self._records: dict[TopicPartition, list[KeyValue]] = {}
        self._block_values: dict[str, list[bytes]] = {topic: [] for topic in spec.logs}
        self._rows: dict[str, dict[bytes, bytes | None]] = {topic: {} for topic in spec.tables}
        self._slots: dict[str, Checkpoint] = {}
        self.dead: list[Exception] = []
        self.lead = 0
        self.traced: Mapping[bytes, Headers] = {}
        self.headers: dict[bytes, Headers] = {}

    def log(self, emits: Iterable[Emit], block: BlockRef | None) -> None:
        """Takes what ``apply`` emitted for ``block`` (None: records outside blocks)."""
        encode = codec().encode
        written = {topic: self._to(topic, self._partition).append for topic in self._block_values}
        in_block = {topic: values.append for topic, values in self._block_values.items()}
        for topic, key, kind, value in emits:
            write = written.get(topic)
            if write is None:
                self._row(topic, key, kind, value)
                continue
            if value is None or (value.get("block") is None) != (block is None):
                raise EmissionError(f"{self._spec.name}: a {kind} emitted to {topic} must carry the block it belongs to")
            try:
                encoded = encode(kind, value)
            except SchemaError as error:
                raise self._misfit(error) from error
            write((key, encoded))
            if block is not None:
                in_block[topic](encoded)

    def tables(self, emits: Iterable[Emit]) -> None:
        """Takes what anything but ``apply`` emitted."""
        for topic, key, kind, value in emits:
            self._row(topic, key, kind, value)

    def _row(self, topic: str, key: bytes, kind: str, value: Mapping[str, Any] | None) -> None:
        rows = self._rows.get(topic)
        if rows is None and topic in self._spec.requests and value is not None:
            self._to(topic, self._partition).append((key, self._encoded(kind, value)))
            return
        if rows is None:
            place = "outside apply" if topic in self._spec.logs else "but does not declare it"
            raise EmissionError(f"{self._spec.name} emitted to {topic} {place}")
        encoded = None if value is None else self._encoded(kind, value)
        rows[key] = encoded  # of several rows of one key in one transaction the last one counts

    def _encoded(self, kind: str, value: Mapping[str, Any]) -> bytes:
        try:
            return codec().encode(kind, value)
        except SchemaError as error:
            raise self._misfit(error) from error

    def _misfit(self, error: SchemaError) -> EmissionError:
        return EmissionError(f"{self._spec.name} emitted what does not fit its schema: {error}")

    def forward(self, marker: Marker) -> None:
        """Writes the marker to every log topic, signed, behind what was collected there for its block."""
        for topic, values in self._block_values.items():
            said = marker.forwarded(topic, values, self.lead).record()
            signed = codec().encode(MARKER, self._signer.sign(MARKER, said))
            self._to(topic, self._partition).append((None, signed))
            if marker.step is Step.NEW:
                values.clear()
                if (headers := self.traced.get(marker.block.hash)) is not None:
                    self.headers[signed] = headers

    def take_back(self, undo: Marker, after: int) -> None:
        """Writes an UNDO that no input says: the blocks it removes are to come again.

        ``undo``: with the sequence that the input has come to. ``after``: the one it goes back to.
        """
        self.lead += 1
        self.forward(undo)
        self.lead += undo.sequence - after

    def replay(self, status: Replay) -> None:
        """Says how far a replay has come."""
        self._to(topics.REPLAYS, self._partition).append((status.key, codec().encode("Replay", status.record())))

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Sets a slot; the last one set in a transaction counts."""
        self._slots.pop(checkpoint.slot, None)
        self._slots[checkpoint.slot] = checkpoint

    def again(self, topic: str, key: bytes | None, copy: bytes) -> None:
        """Writes a copy of a record that is to be tried again to a retry topic."""
        self._to(topic, self._partition).append((key, copy))

    def dead_letter(
        self, record: Record, error: str, reason: str, *, attempts: int = 1, cause: Exception | None = None
    ) -> None:
        """Writes a record to the dead letters. ``cause``: the error itself, where there was one."""
        source = topics.physical(self._prefix, record.topic)
        letter = dead_letter(record, source, self._spec.name, error, reason, attempts=attempts)
        self._to(topics.DLQ, 0).append((dead_letter_key(source, record), codec().encode("DeadLetter", letter)))
        self.dead.append(cause or PoisonError(reason))

    def _to(self, topic: str, partition: int) -> list[KeyValue]:
        return self._records.setdefault(TopicPartition(topic, partition), [])

    def take(self) -> tuple[dict[TopicPartition, list[KeyValue]], dict[str, bytes]]:
        """(records to write, slots set, encoded) and an empty outbox."""
        slots = {slot: codec().encode("Checkpoint", checkpoint.record()) for slot, checkpoint in self._slots.items()}
        if slots:
            written = self._to(topics.CHECKPOINTS, self._partition)
            written += [(self._slots[slot].key, value) for slot, value in slots.items()]
        for topic, rows in self._rows.items():
            if rows:
                self._to(topic, self._partition).extend(rows.items())
                rows.clear()
        records = {target: written for target, written in self._records.items() if written}
        self._records, self._slots, self.dead = {}, {}, []
        return records, slots


class Shadow(Outbox):
    """Takes everything and keeps nothing but slots: for work that was committed before and is done again for its state."""

    def log(self, emits: Iterable[Emit], block: BlockRef | None) -> None:
        for _ in emits:
            pass

    def tables(self, emits: Iterable[Emit]) -> None:
        for _ in emits:
            pass

    def forward(self, marker: Marker) -> None:
        pass

    def take_back(self, undo: Marker, after: int) -> None:
        pass

    def again(self, topic: str, key: bytes | None, copy: bytes) -> None:
        pass

    def dead_letter(
        self, record: Record, error: str, reason: str, *, attempts: int = 1, cause: Exception | None = None
    ) -> None:
        pass
