"""What part of the world failed, and how bad that is, of any error: of ours by what its type says, of others by their type.

Others are those of the standard library and of the clients of stores and brokers. Nothing is read from a text. Invariants: what
may pass (``streams.errors.may_pass``) is never critical; what the type says nothing about, a defect most likely, stays unknown.
A type of a library is told by the package that defines it, so that nothing is imported to tell.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple

from streams.errors import Category, MonmouthError, Severity


class Filing(NamedTuple):
    """Where an error belongs."""

    category: Category
    severity: Severity


UNKNOWN = Filing(Category.UNKNOWN, Severity.HIGH)
NETWORK = Filing(Category.NETWORK, Severity.MEDIUM)
NO_MEMORY = Filing(Category.MEMORY, Severity.CRITICAL)
DISK = Filing(Category.DATABASE, Severity.CRITICAL)
"""A full disk, or a broken one: nothing that is kept on it goes on, and no retry mends it."""
STORE = Filing(Category.DATABASE, Severity.HIGH)
SETUP = Filing(Category.CONFIGURATION, Severity.HIGH)

PACKAGES = {
    "aiohttp": NETWORK,
    "aiokafka": NETWORK,
    "cassandra": STORE,
    "grpc": NETWORK,
    "kafka": NETWORK,
    "lmdb": STORE,
    "pymilvus": STORE,
    "sqlite3": STORE,
    "websockets": NETWORK,
}
"""By the package that defines the type or one that it derives from."""
_ERRNOS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS), DISK),
    errno.ENOMEM: NO_MEMORY,
    **dict.fromkeys((errno.EMFILE, errno.ENFILE, errno.EADDRINUSE, errno.EADDRNOTAVAIL), SETUP),
    **dict.fromkeys(
        (errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENOTCONN, errno.ETIMEDOUT), NETWORK
    ),
}
_TYPES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Filing], ...] = (
    (MemoryError, NO_MEMORY),
    ((TimeoutError, ConnectionError, ssl.SSLError, socket.gaierror, socket.herror), NETWORK),
    ((PermissionError, FileNotFoundError, NotADirectoryError, IsADirectoryError, ImportError), SETUP),
)
_WORST = tuple(Severity)


def classified(error: BaseException) -> Filing:
    """The category and the severity of any error; of a group those of its worst."""
    if isinstance(error, BaseExceptionGroup):
        return max(map(classified, error.exceptions), key=lambda filing: _WORST.index(filing.severity))
    if isinstance(error, MonmouthError):
        return Filing(error.category, error.severity)
    for kinds, filing in _TYPES:
        if isinstance(error, kinds):
            return filing
    if isinstance(error, OSError) and error.errno in _ERRNOS:
        return _ERRNOS[error.errno]
    return next((PACKAGES[name] for name in _packages(error) if name in PACKAGES), UNKNOWN)


def _packages(error: BaseException) -> Iterator[str]:
    return (kind.__module__.partition(".")[0] for kind in type(error).__mro__)


_COUNTED = "__monmouth_counted__"
_DEEPEST = 16


def is_counted(error: BaseException) -> bool:
    """Whether this error was counted, or the one that it translates (``raise ... from``)."""
    found: BaseException | None = error
    for _ in range(_DEEPEST):
        if found is None:
            return False
        if hasattr(found, _COUNTED):
            return True
        found = found.__cause__ or (found.__context__ if found.__suppress_context__ else None)
    return False


def mark_counted(error: BaseException) -> None:
    """Notes that it was."""
    setattr(error, _COUNTED, True)
