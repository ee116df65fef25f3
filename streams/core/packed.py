"""A table of rows of one width by key, for a million keys that are seldom asked for: a few bytes above what they say.

Rows lie in pages that are allocated whole, so that growing leaves no holes; an index of row numbers, in buckets, finds them.
Which bucket follows from Python's own hash of the key, whose seed each process draws anew, so nobody can choose keys that meet
in one. A dictionary of small objects costs some 400 bytes more a row.
Invariants: a key has one row at most, whose number stays the same until it is dropped; numbers of dropped rows are used again.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

BUCKETS = 1 << 16
_MASK = BUCKETS - 1
_PAGE = 4_096
NOWHERE = -1


class PackedTable:
    """``key``: bytes of a key; ``width``: of what is kept of it."""

    __slots__ = ("_count", "_free", "_index", "_key", "_pages", "_row", "_used")

    def __init__(self, key: int, width: int) -> None:
        self._key = key
        self._row = key + width
        self._pages: list[bytearray] = []
        self._index: list[array[int] | None] = [None] * BUCKETS
        self._free = array("I")
        self._used = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: bytes) -> bool:
        return self.number(key) != NOWHERE

    def number(self, key: bytes) -> int:
        """Number of the key's row; NOWHERE if there is none."""
        bucket = self._index[hash(key) & _MASK]
        if bucket is not None and len(key) == self._key:
            for number in bucket:
                if self._pages[number // _PAGE].startswith(key, number % _PAGE * self._row):
                    return number
        return NOWHERE

    def at(self, number: int) -> tuple[bytes, bytes]:
        """Key, and what is kept of it, of a row that is there."""
        start = number % _PAGE * self._row
        row = bytes(self._pages[number // _PAGE][start : start + self._row])
        return row[: self._key], row[self._key :]

    def get(self, key: bytes) -> bytes | None:
        """What is kept of ``key``."""
        number = self.number(key)
        return None if number == NOWHERE else self.at(number)[1]

    def set(self, key: bytes, value: bytes) -> int:
        """Keeps ``value``; the row's number. Raises ValueError if key or value has another width."""
        if len(key) != self._key or len(value) != self._row - self._key:
            raise ValueError(f"a row has {self._key} + {self._row - self._key} bytes, not {len(key)} + {len(value)}")
        number = self.number(key)
        if number == NOWHERE:
            number = self._add(key)
        start = number % _PAGE * self._row
        self._pages[number // _PAGE][start : start + self._row] = key + value
        return number

    def pop(self, key: bytes) -> bytes | None:
        """Drops a row; what it was."""
        number = self.number(key)
        if number == NOWHERE:
            return None
        value = self.at(number)[1]
        bucket = self._index[hash(key) & _MASK]
        assert bucket is not None
        bucket.remove(number)
        self._free.append(number)
        self._count -= 1
        return value

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Keys and what is kept of them, in no order."""
        for bucket in self._index:
            yield from map(self.at, bucket or ())

    def _add(self, key: bytes) -> int:
        if self._free:
            number = self._free.pop()
        else:
            number = self._used
            if number == _PAGE * len(self._pages):
                self._pages.append(bytearray(_PAGE * self._row))
            self._used += 1
        place = hash(key) & _MASK
        bucket = self._index[place]
        if bucket is None:
            bucket = self._index[place] = array("I")
        bucket.append(number)
        self._count += 1
        return number
