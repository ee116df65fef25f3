"""The two times of a read: up to when it knows, and for when it asks.

Known time is the log's: the block of a record and that block's time, or when the broker took the command (``known_at``; where
an earlier version has not kept that, what the command claims). Valid time is what records say of the world
(``streams.core.validity``). A record that is not known at a moment has no effect there, whatever it says.
Invariant: what is known at a moment is known at every later one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from streams.core.validity import Validity, validities

Record = Mapping[str, Any]


def known_at(record: Record) -> int:
    """From when on the log had it."""
    said: int | None = record["known_at"]
    time: int = record["timestamp"] if said is None else said
    return time


@dataclass(frozen=True, slots=True)
class Moment:
    """``known_block``, ``known_time``: the newest block and time the read knows of; None is all there is.

    ``valid_at``: for when it asks; None is ``known_time``, or else ``clock``. ``clock``: the reader's clock, in unix seconds;
    moments that differ in it alone ask for the same.
    ``invalid_too``: shows what is not true then as well.
    """

    clock: int = field(compare=False, repr=False)
    known_block: int | None = None
    known_time: int | None = None
    valid_at: int | None = None
    invalid_too: bool = False

    def knows(self, record: Record) -> bool:
        """Whether the record was there."""
        block = record["block"]
        if self.known_block is not None and block is not None and block["number"] > self.known_block:
            return False
        return self.known_time is None or known_at(record) <= self.known_time

    def shown(self, memories: Collection[Record], others: Iterable[Record] = ()) -> dict[bytes, Validity]:
        """Validity, by id, of those ``memories`` the read shows, all of one agent.

        ``others``: records that may bear on them. All must be live; those that are not known yet change nothing.
        """
        known = [memory for memory in memories if self.knows(memory)]
        present = self.known_time is None and self.valid_at is None
        found = validities(known, filter(self.knows, others), self.clock if present else None)
        if self.invalid_too:
            return found
        return {memory_id: validity for memory_id, validity in found.items() if validity.at(self._asked)}

    @property
    def _asked(self) -> int:
        if self.valid_at is not None:
            return self.valid_at
        return self.clock if self.known_time is None else self.known_time
