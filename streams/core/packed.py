"""A table of rows of one width by key, for a million keys that are seldom asked for: a few bytes above what they say.

Rows lie together in buckets, each one string of bytes; which bucket follows from Python's own hash of the key, whose seed is
drawn anew by each process, so nobody can choose keys that meet in one. A dictionary of small objects costs some 400 bytes more
a row.
Invariant: a key has one row at most, the last that was set. Cost of a change: a copy of one bucket, of a thousandth of the rows
or less.
"""

from __future__ import annotations

from collections.abc import Iterator

BUCKETS = 1 << 16
_MASK = BUCKETS - 1


class PackedTable:
    """``key``: bytes of a key; ``width``: of what is kept of it."""

    __slots__ = ("_buckets", "_count", "_key", "_row")

    def __init__(self, key: int, width: int) -> None:
        self._key = key
        self._row = key + width
        self._buckets: list[bytes] = [b""] * BUCKETS
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: bytes) -> bool:
        return self._find(self._buckets[hash(key) & _MASK], key) >= 0

    def get(self, key: bytes) -> bytes | None:
        """What is kept of ``key``."""
        bucket = self._buckets[hash(key) & _MASK]
        at = self._find(bucket, key)
        return None if at < 0 else bucket[at + self._key : at + self._row]

    def set(self, key: bytes, value: bytes) -> None:
        """Keeps ``value``. Raises ValueError if key or value has another width."""
        if len(key) != self._key or len(value) != self._row - self._key:
            raise ValueError(f"a row has {self._key} + {self._row - self._key} bytes, not {len(key)} + {len(value)}")
        place = hash(key) & _MASK
        bucket = self._buckets[place]
        at = self._find(bucket, key)
        if at < 0:
            self._buckets[place] = bucket + key + value
            self._count += 1
        else:
            self._buckets[place] = bucket[: at + self._key] + value + bucket[at + self._row :]

    def pop(self, key: bytes) -> bytes | None:
        """Drops a row; what it was."""
        place = hash(key) & _MASK
        bucket = self._buckets[place]
        at = self._find(bucket, key)
        if at < 0:
            return None
        self._buckets[place] = bucket[:at] + bucket[at + self._row :]
        self._count -= 1
        return bucket[at + self._key : at + self._row]

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Keys and what is kept of them, in no order."""
        for bucket in self._buckets:
            for at in range(0, len(bucket), self._row):
                yield bucket[at : at + self._key], bucket[at + self._key : at + self._row]

    def _find(self, bucket: bytes, key: bytes) -> int:
        """Where the key's row begins; -1 if there is none. What looks like the key across two rows is not it."""
        if len(key) != self._key:
            return -1
        at = bucket.find(key)
        while at >= 0 and at % self._row:
            at = bucket.find(key, at + 1)
        return at
