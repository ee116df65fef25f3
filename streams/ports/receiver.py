"""A place outside that takes records one by one, as a stream agent sees it."""

from __future__ import annotations

from typing import Protocol

from streams.errors import Category, MonmouthError, PoisonError, Severity


class ReceiverError(MonmouthError):
    """It did not take a record, and may take it later: it was not reached, or is too busy, or has a fault of its own."""

    category = Category.EXTERNAL
    severity = Severity.MEDIUM
    passes = True


class ReceiverRefusedError(PoisonError):
    """It refused a record, and would refuse it again."""


class Receiver(Protocol):
    """Takes each record at least once."""

    async def take(self, name: str, body: bytes) -> None:
        """Hands over one record. ``name`` is the same whenever it comes again.

        Raises ReceiverError, ReceiverRefusedError; CircuitOpenError while it is known to be away.
        """
