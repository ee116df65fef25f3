"""One record of the log as a reader sees it.

Invariant: ``raw`` is the value as it lies in the log, byte for byte, since digests are taken over it; ``type`` is empty where
``raw`` is no record this version knows, and ``value`` then is the reason as a string. ``type`` NEWER: it names a schema that
only a newer version of the product can know; ``value`` is the reason too. ``type`` ERASED: a command of an agent whose key was
destroyed; it counts as read, and nobody acts on it. (Facts of such an agent are handed on, for they have ids and leaves.)
``appended`` is the time the broker gave the record when it took it, so it is the same whoever reads it and however often; the
clock of whoever sent it has no part in it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

MARKER = "Marker"
NEWER = "(newer)"
ERASED = "(erased)"


class Record(NamedTuple):
    """``topic`` is logical, ``type`` the schema name; ``appended`` in unix seconds, 0 where it is not known."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    type: str
    value: Any
    raw: bytes = b""
    appended: int = 0
