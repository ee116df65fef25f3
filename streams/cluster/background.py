"""What a transactional client met in the background, where its sender runs.

Assumes aiokafka 0.12 or later: what ended a transaction is left on the waiter of its transaction manager, and whoever calls
next is answered by the client's state machine (``OUT_OF_TURN``), which does not say why.
"""

from __future__ import annotations

from aiokafka import AIOKafkaProducer
from aiokafka.errors import IllegalOperation, ProducerFenced

OUT_OF_TURN = (AssertionError, IllegalOperation)


def met(producer: AIOKafkaProducer) -> BaseException | None:
    """What ended the transaction, if anything did."""
    waiter = producer._txn_manager.wait_for_transaction_end()
    return waiter.exception() if waiter is not None and waiter.done() and not waiter.cancelled() else None


def met_fence(producer: AIOKafkaProducer) -> bool:
    """True if another producer took the transactional id."""
    return isinstance(met(producer), ProducerFenced)
