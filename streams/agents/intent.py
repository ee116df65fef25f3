"""The intent agent: what each transaction asks for.

Assumes records of chain.transactions. Invariant: one Intent per record, in record order, a pure function of that record; so
there is nothing to revert, and a rewind is the marker alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from schemas.records import ChainTransaction, Intent
from streams import topics
from streams.agents.base import Emit, LocalState, Record, StreamAgent
from streams.core.block import BlockRef
from streams.decoding.nl.parser import default_reader
from streams.decoding.reading import Reader, Reading

MAX_ALTERNATIVES = 3


def intent_record(transaction: ChainTransaction, reading: Reading) -> Intent:
    """The Avro record for one reading."""
    return {
        "chain_id": transaction["chain_id"],
        "block": transaction["block"],
        "timestamp": transaction["timestamp"],
        "agent": transaction["agent"],
        "transaction": transaction["hash"],
        "transaction_index": transaction["index"],
        "intent": reading.intent,
        "confidence": reading.confidence,
        "method": reading.method,
        "slots": reading.slots,
        "text": reading.text,
        "alternatives": [
            {"intent": name, "confidence": confidence} for name, confidence in reading.alternatives[:MAX_ALTERNATIVES]
        ],
    }


class IntentAgent(StreamAgent):
    """chain.transactions to rag.intents."""

    name: ClassVar[str] = "intent"
    inputs: ClassVar[tuple[str, ...]] = (topics.TRANSACTIONS,)
    logs: ClassVar[tuple[str, ...]] = (topics.INTENTS,)

    def __init__(self, partition: int, state: LocalState, reader: Reader | None = None) -> None:
        super().__init__(partition, state)
        self._reader = reader or default_reader()

    def apply(self, block: BlockRef | None, records: Sequence[Record]) -> Iterable[Emit]:
        """One Intent per ChainTransaction."""
        for record in records:
            transaction: ChainTransaction = record.value
            intent = intent_record(transaction, self._reader.read(transaction))
            yield Emit(topics.INTENTS, transaction["agent"], "Intent", {**intent})
