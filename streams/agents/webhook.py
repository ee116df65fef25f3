"""The webhook agent: records outside blocks, each posted to a place of the operator's choice as soon as it goes.

What a tap of the topic sees is what is sent: the record as it lies there, private fields still sealed, and no ciphertext. So
the receiver gets what the log tells everybody, and an erased agent left no text with it. Bytes are hex behind ``0x``.
Invariants: a record has one name, TOPIC/PARTITION/OFFSET as on the broker and as in ``monmouth dlq``, and comes under it at
least once; records of one topic and key come in their order (see ``Delivery``); what a block caused is never sent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

import orjson

from schemas.codec import codec
from streams import topics
from streams.agents.base import Delivery, LocalState, Record
from streams.ports.receiver import Receiver

OFFERED = (topics.COMMANDS, topics.EVICTIONS, topics.MEMORY_LOG)
"""Topics, shared out by agent, that keep records outside blocks: what agents ask for, what the limit pushes out, and the facts
that follow from both. All that is in others belongs to a block, is a row of a table, or is a program's own affair.
"""


class WebhookAgent(Delivery):
    """``chosen``: those of OFFERED that go out; the others are passed over."""

    name: ClassVar[str] = "webhook"
    inputs: ClassVar[tuple[str, ...]] = (topics.MEMORY_LOG, topics.COMMANDS, topics.EVICTIONS, *topics.RETRIES)

    def __init__(
        self, partition: int, state: LocalState, receiver: Receiver, *, chosen: Collection[str], prefix: str = ""
    ) -> None:
        super().__init__(partition, state)
        self._receiver = receiver
        self._chosen = frozenset(chosen)
        self._prefix = prefix

    async def deliver(self, record: Record) -> None:
        """Hands it over. Raises what the receiver raises."""
        if record.topic in self._chosen:
            name = f"{topics.physical(self._prefix, record.topic)}/{record.partition}/{record.offset}"
            await self._receiver.take(name, body_of(name, record))


def body_of(name: str, record: Record) -> bytes:
    """The JSON that is sent."""
    kind, value = codec().decode_closed(record.raw)
    said = {"id": name, "key": record.key, "type": kind, "record": _public(value)}
    return orjson.dumps(said, default=_hex)


def _public(value: Any) -> Any:
    """``sealed`` says whether there is more that is private, in a record and in those within it."""
    if isinstance(value, Mapping):
        return {name: part is not None if name == "sealed" else _public(part) for name, part in value.items()}
    return [_public(part) for part in value] if isinstance(value, list | tuple) else value


def _hex(value: Any) -> str:
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    raise TypeError(f"{type(value).__name__} is nothing that JSON has")
