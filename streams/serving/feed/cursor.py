"""A place in an agent's feed, as text: what comes next, for whoever resumes there.

Invariant: printing and parsing are inverse; a cursor depends on the log alone, so that it outlives a gateway and serves at any
other one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from streams.serving.faults import BadRequestError

LARGEST = (1 << 63) - 1
_FORM = re.compile(r"(\d{1,19})\.(\d{1,19})\.(\d{1,19})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The record at ``offset`` of ``partition`` comes next, without its first ``sent`` events."""

    partition: int
    offset: int
    sent: int = 0

    def __str__(self) -> str:
        return f"{self.partition}.{self.offset}.{self.sent}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """The inverse of ``str``. Raises BadRequestError."""
        found = _FORM.fullmatch(text)
        numbers = [int(part) for part in found.groups()] if found else []
        if not numbers or max(numbers) > LARGEST:
            raise BadRequestError(f"cursor {text[:80]!r} is not valid", "Send the id of the last event you have, as it came.")
        return cls(*numbers)
