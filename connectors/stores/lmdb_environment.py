"""One LMDB environment as the embedded stores use it: one writer thread, a few reader threads, typed errors.

Assumes a local file system (LMDB locks through shared memory) and that every process opens the folder through this module.
Invariants:
  * ``write`` returns after the commit reached the disk (fsync); a function that raises leaves nothing behind.
  * ``read`` sees one snapshot, at least as new as the last commit of any process at its start; no snapshot outlives its call,
    so old pages are never pinned. Reader slots of processes that died are cleared at opening and when slots run out.
  * Of several owners of a lane only the newest claim writes: the check is part of the write's transaction, so one who was
    paused in the middle of its work and wakes up changes nothing. An upgrade of the format ends all claims of older versions.
  * Within one process a folder is open once, whoever asks: LMDB forbids a second handle.
The map is address space, not disk: the file grows with its content and stays sparse.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import lmdb

from streams.errors import FencedError, StoreError

T = TypeVar("T")
Transaction = Any
Upgrade = Callable[[Any, Mapping[str, Any]], None]
"""Brings the databases (by name) of an older format to the present one, in the transaction it is handed."""
MAP_SIZE = 64 << 30
MAX_READERS = 510
READ_THREADS = 4
FORMAT_KEY = b"format"
LANE_PREFIX = b"owner/"
OLD_LANE_PREFIX = b"lane/"
"""Of versions that know no upgrade."""
IDENTITY_KEY = b"identity"
TOKEN_BYTES = 8
# LMDB answers a short write, the usual sign of a disk that has just become full, with an input/output error.
DISK_FULL = ("No space left", "File too large", "Input/output error")
REBUILD = "Move the folder away and start the workers again: they fill a new one from the log."


def store_error(folder: Path, error: BaseException) -> StoreError:
    """What an LMDB failure means and what to do about it."""
    place = f"store {folder}"
    if isinstance(error, lmdb.MapFullError):
        return StoreError(f"{place} reached its largest size", "Raise memory.store_gib and start again; nothing was lost.")
    if isinstance(error, lmdb.MapResizedError):
        return StoreError(
            f"{place} was opened by another process with a larger size", "Give all processes one memory.store_gib."
        )
    if isinstance(error, lmdb.DiskError) or any(word in str(error) for word in DISK_FULL):
        return StoreError(f"{place}: the disk is full or failed: {error}", "Free space and start again; nothing was lost.")
    if isinstance(error, (lmdb.InvalidError, lmdb.CorruptedError, lmdb.VersionMismatchError, lmdb.PageNotFoundError)):
        return StoreError(f"{place} is not readable: {error}", REBUILD)
    return StoreError(f"{place}: {type(error).__name__}: {error}", "Check that the folder is on a local disk and writable.")


@dataclass(frozen=True, slots=True)
class Claim:
    """One ownership of a lane. ``token`` grows with each."""

    lane: bytes
    token: bytes

    def check(self, transaction: Transaction) -> None:
        """Raises FencedError if the lane was claimed again since."""
        if transaction.get(LANE_PREFIX + self.lane) != self.token:
            raise FencedError(
                f"lane {self.lane.decode()} of a store has a newer owner", "Another worker took this partition over."
            )


def _claim(transaction: Transaction, lane: bytes) -> Claim:
    last = int.from_bytes(transaction.get(LANE_PREFIX + lane, default=b""), "big")
    claim = Claim(lane, (last + 1).to_bytes(TOKEN_BYTES, "big"))
    transaction.put(LANE_PREFIX + lane, claim.token)
    return claim


def _shut_out(transaction: Transaction) -> None:
    """Ends the claims of processes of an older version that still run, and lets them make no other: after the highest token
    there is none. They would write rows that the new format's indices do not know of.
    """
    with transaction.cursor() as cursor:
        there = cursor.set_range(OLD_LANE_PREFIX)
        while there and (lane := cursor.key()).startswith(OLD_LANE_PREFIX):
            cursor.put(lane, b"\xff" * TOKEN_BYTES)
            there = cursor.next()


def _identity(transaction: Transaction) -> bytes:
    """Drawn when the files are made."""
    found: bytes = transaction.get(IDENTITY_KEY, default=b"")
    if not found:
        found = secrets.token_bytes(16)
        transaction.put(IDENTITY_KEY, found)
    return found


class LmdbEnvironment:
    """A shared handle. Get one by ``open_environment``; ``close`` once for each time it was got."""

    def __init__(
        self, folder: Path, databases: Sequence[str], form: str, map_size: int, upgrades: Mapping[str, Upgrade]
    ) -> None:
        self.folder = folder
        self.form = form
        self._users = 1
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="lmdb-write")
        self._readers = ThreadPoolExecutor(READ_THREADS, thread_name_prefix="lmdb-read")
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._env = lmdb.open(
                str(folder), map_size=map_size, max_dbs=len(databases) + 1, max_readers=MAX_READERS, mode=0o600, readahead=False
            )
        except (lmdb.Error, OSError) as error:
            raise store_error(folder, error) from None
        try:
            self._env.reader_check()
            with self._env.begin(write=True) as transaction:
                upgrade = self._check_format(transaction, upgrades)
                self.identity = _identity(transaction)
                self.databases = {name: self._env.open_db(name.encode(), txn=transaction) for name in databases}
                if upgrade is not None:
                    upgrade(transaction, self.databases)
                    _shut_out(transaction)
                    transaction.put(FORMAT_KEY, form.encode())
        except lmdb.Error as error:
            self._env.close()
            raise store_error(folder, error) from None
        except StoreError:
            self._env.close()
            raise

    def _check_format(self, transaction: Transaction, upgrades: Mapping[str, Upgrade]) -> Upgrade | None:
        """Notes the format of a new store; what an old one needs, if it can be brought to this one."""
        found = transaction.get(FORMAT_KEY, default=b"").decode(errors="replace")
        if not found:
            transaction.put(FORMAT_KEY, self.form.encode())
        elif found in upgrades:
            return upgrades[found]
        elif found != self.form:
            raise self._wrong_format(found, self.form)
        return None

    def _wrong_format(self, found: str, wanted: str) -> StoreError:
        return StoreError(f"store {self.folder} has format {found}, not {wanted}", "Give each store a folder of its own.")

    async def claim(self, lane: bytes) -> Claim:
        """Takes a lane over, at most 255 bytes: writes under older claims are refused from now on, in any process."""
        return await self.write(partial(_claim, lane=lane))

    async def write(self, work: Callable[[Transaction], T], claim: Claim | None = None) -> T:
        """Runs ``work`` in a write transaction on the writer thread; durable when it returns. Raises FencedError."""

        def owned(transaction: Transaction) -> T:
            if claim is not None:
                claim.check(transaction)
            return work(transaction)

        return await self._run(self._writer, self._write, owned)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Runs ``work`` in a read transaction on a reader thread."""
        return await self._run(self._readers, self._read, work)

    def peek(self, work: Callable[[Transaction], T]) -> T:
        """Runs ``work`` in a read transaction here and now: for a key or two, cheaper than the way to a thread and back."""
        if self._users == 0:
            raise StoreError(f"store {self.folder} is closed")
        return self._read(work)

    async def rows(self, work: Callable[[Transaction], T], count: int) -> T:
        """``peek`` for work on a row or none, ``read`` for more."""
        return self.peek(work) if count <= 1 else await self.read(work)

    async def _run(
        self, pool: ThreadPoolExecutor, call: Callable[[Callable[[Transaction], T]], T], work: Callable[[Transaction], T]
    ) -> T:
        if self._users == 0:
            raise StoreError(f"store {self.folder} is closed")
        return await asyncio.get_running_loop().run_in_executor(pool, call, work)

    def _write(self, work: Callable[[Transaction], T]) -> T:
        try:
            with self._env.begin(write=True, buffers=False) as transaction:
                return work(transaction)
        except (lmdb.Error, OSError) as error:
            raise store_error(self.folder, error) from None

    def _read(self, work: Callable[[Transaction], T]) -> T:
        try:
            with self._begin_read() as transaction:
                return work(transaction)
        except (lmdb.Error, OSError) as error:
            raise store_error(self.folder, error) from None

    def _begin_read(self) -> Transaction:
        try:
            return self._env.begin()
        except lmdb.ReadersFullError:
            self._env.reader_check()
            return self._env.begin()

    def release(self) -> bool:
        """Gives one use back; true if it was the last and the files are closed."""
        self._users -= 1
        if self._users > 0:
            return False
        self._writer.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        self._env.close()
        return True

    def share(self, form: str) -> LmdbEnvironment:
        """One user more. Raises StoreError if it expects another format."""
        if form != self.form:
            raise self._wrong_format(self.form, form)
        self._users += 1
        return self


_lock = threading.Lock()
_open: dict[Path, LmdbEnvironment] = {}


def open_environment(
    folder: Path,
    databases: Sequence[str],
    form: str,
    map_size: int = MAP_SIZE,
    upgrades: Mapping[str, Upgrade] = MappingProxyType({}),
) -> LmdbEnvironment:
    """The process's handle of ``folder``, made if missing. ``form`` names what lies in it and in which format.

    ``upgrades``: by older format, what makes this one of it.
    Raises StoreError if the folder cannot be used or holds something else.
    """
    folder = folder.resolve()
    with _lock:
        found = _open.get(folder)
        if found is not None:
            return found.share(form)
        made = LmdbEnvironment(folder, databases, form, map_size, upgrades)
        _open[folder] = made
        return made


def close_environment(environment: LmdbEnvironment) -> None:
    """Gives the handle back; waits for writes under way."""
    with _lock:
        if environment.release():
            del _open[environment.folder]
