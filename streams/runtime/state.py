"""Local state of one stream agent's partition: an overlay of changes over LMDB.

Reads see the overlay first. ``commit`` writes the overlay and the runtime's own slots (positions, live chain) in one LMDB
transaction, as a compare-and-set: it refuses if another owner has opened the state since, or if the slots are not those this
owner last saw. So a paused owner that wakes up cannot overwrite newer state, and state never differs from its positions.
Losing the newest commits in a power cut is fine, since the log replays them; a torn file is not, so data pages are synced.
LMDB forbids opening one environment twice in a process, so stores of one folder that overlap for a moment share it.
It holds memories, as the stores do, so nobody but its user may read it. An owner takes the state over from whoever has it; a
standby (``StandbyStore``) only where no owner is alive, which is checked in the transaction that takes it.
"""

from __future__ import annotations

import asyncio
import secrets
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import lmdb

from streams.errors import StoreError
from streams.runtime.occupancy import Occupancy, check_no_owner, enter_as_owner, enter_as_standby

MAP_SIZE = 1 << 38  # address space, not disk
OWNER = b"owner"
STORES = b"stores"
SLOT = b"slot/"
_MISSING = object()
_environments: dict[Path, tuple[lmdb.Environment, int]] = {}


class StaleStateError(StoreError):
    """Another owner has taken this state over. Build the partition anew."""


def _open(path: Path) -> lmdb.Environment:
    environment, users = _environments.get(path, (None, 0))
    if environment is None:
        environment = lmdb.open(str(path), map_size=MAP_SIZE, max_dbs=2, metasync=False, max_readers=64, mode=0o600)
        environment.reader_check()
    _environments[path] = (environment, users + 1)
    return environment


def _close(path: Path) -> None:
    environment, users = _environments.pop(path)
    if users > 1:
        _environments[path] = (environment, users - 1)
    else:
        environment.close()


class StateStore:
    """Implements ``streams.agents.base.LocalState``, and what the runtime needs around it."""

    def __init__(self, path: Path) -> None:
        """Opens and takes over the state in folder ``path``. Raises StoreError."""
        self._path = path.resolve()
        self._overlay: dict[bytes, bytes | None] = {}
        self._sorted: list[bytes] | None = None  # the overlay's keys, from the first scan on
        self._journal: list[tuple[bytes, bytes | object | None]] | None = None
        self._size = 0
        self._token = secrets.token_bytes(16)
        self._closed = False
        try:
            self._path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._occupancy = self._enter()
            try:
                self._take()
            except BaseException:
                self._occupancy.leave()
                raise
        except (lmdb.Error, OSError) as error:
            raise StoreError(f"local state {self._path}: {error}", "Is the disk full, or the folder not writable?") from error
        self._seen = self.slots()

    def _enter(self) -> Occupancy:
        return enter_as_owner(self._path)

    def _take(self) -> None:
        self._env = _open(self._path)
        try:
            self._data = self._env.open_db(b"data")
            self._meta = self._env.open_db(b"meta")
            with self._env.begin(write=True) as txn:
                self._may_take()
                txn.put(OWNER, self._token, db=self._meta)
                self._stores: bytes | None = txn.get(STORES, db=self._meta)
            self._read = self._env.begin(db=self._data, buffers=False)
        except BaseException:
            _close(self._path)
            raise

    def _may_take(self) -> None:
        """An owner always may."""

    @property
    def size(self) -> int:
        """Bytes of changes not yet committed, roughly."""
        return self._size

    def get(self, key: bytes) -> bytes | None:
        if key in self._overlay:
            return self._overlay[key]
        value: bytes | None = self._read.get(key)
        return value

    def put(self, key: bytes, value: bytes) -> None:
        self._change(key, value)

    def delete(self, key: bytes) -> None:
        self._change(key, None)

    def _change(self, key: bytes, value: bytes | None) -> None:
        if self._journal is not None:
            self._journal.append((key, self._overlay.get(key, _MISSING)))
        if self._sorted is not None and key not in self._overlay:
            insort(self._sorted, key)
        self._overlay[key] = value
        self._size += len(key) + len(value or b"")

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        changed = self._changed(prefix)
        merged: list[tuple[bytes, bytes]] = []
        index = 0
        with self._read.cursor() as cursor:
            found = cursor.set_range(prefix)
            while found and cursor.key().startswith(prefix):
                key, value = cursor.item()
                while index < len(changed) and changed[index] < key:
                    self._add(merged, changed[index])
                    index += 1
                if index < len(changed) and changed[index] == key:
                    self._add(merged, key)
                    index += 1
                else:
                    merged.append((key, value))
                found = cursor.next()
        for key in changed[index:]:
            self._add(merged, key)
        return iter(merged)

    def _changed(self, prefix: bytes) -> list[bytes]:
        """Keys with changes not yet committed, in order; without a look at all of them, of which there may be many."""
        if self._sorted is None:
            self._sorted = sorted(self._overlay)
        first = last = bisect_left(self._sorted, prefix)
        while last < len(self._sorted) and self._sorted[last].startswith(prefix):
            last += 1
        return self._sorted[first:last]

    def _add(self, merged: list[tuple[bytes, bytes]], key: bytes) -> None:
        value = self._overlay[key]
        if value is not None:
            merged.append((key, value))

    def begin(self) -> None:
        """Starts a part that ``rollback`` can take back."""
        self._journal = []

    def end(self) -> None:
        """Ends that part and keeps its changes."""
        self._journal = None

    def rollback(self) -> None:
        """Ends that part and takes its changes back."""
        for key, old in reversed(self._journal or []):
            if old is _MISSING:
                del self._overlay[key]
                self._sorted = None
            else:
                assert old is None or isinstance(old, bytes)
                self._overlay[key] = old
        self._journal = None

    def slots(self) -> dict[str, bytes]:
        """The runtime's own records as committed, by slot."""
        found: dict[str, bytes] = {}
        with self._env.begin(db=self._meta) as txn, txn.cursor() as cursor:
            more = cursor.set_range(SLOT)
            while more and cursor.key().startswith(SLOT):
                found[cursor.key()[len(SLOT) :].decode()] = cursor.value()
                more = cursor.next()
        return found

    def commit(self, slots: Mapping[str, bytes], guard: str) -> None:
        """Makes all changes and ``slots`` durable. ``guard``: the slot that must be as this owner last saw it.

        Blocks for a disk write; call it off the event loop. Raises StaleStateError, StoreError.
        """
        try:
            with self._env.begin(write=True) as txn:
                self._check(txn, guard)
                for key, value in self._overlay.items():
                    if value is None:
                        txn.delete(key, db=self._data)
                    else:
                        txn.put(key, value, db=self._data)
                for slot, record in slots.items():
                    txn.put(SLOT + slot.encode(), record, db=self._meta)
        except (lmdb.Error, OSError) as error:
            raise StoreError(f"local state {self._path}: {error}", "Is the disk full?") from error
        self._seen.update(slots)
        self._renew()

    async def save(self, slots: Mapping[str, bytes], guard: str) -> None:
        """``commit`` off the event loop. A cancelled caller still waits for it, so that nobody closes what a thread writes."""
        writing = asyncio.ensure_future(asyncio.to_thread(self.commit, dict(slots), guard))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            while not writing.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([writing])
            raise

    def _check(self, txn: lmdb.Transaction, guard: str) -> None:
        if txn.get(OWNER, db=self._meta) != self._token:
            raise StaleStateError(f"local state {self._path} has another owner now")
        if txn.get(SLOT + guard.encode(), db=self._meta) != self._seen.get(guard):
            raise StaleStateError(f"local state {self._path} moved on without this owner")

    def _renew(self) -> None:
        self._overlay.clear()
        self._sorted = None
        self._size = 0
        self._read.abort()
        self._read = self._env.begin(db=self._data, buffers=False)

    def bind(self, stores: bytes, *, adopt: bool = True) -> bool:
        """Says which outside stores were filled up to here. False if it was others: then everything is forgotten, durably.

        ``adopt``: state that was never bound is taken to belong to them. Raises StaleStateError, StoreError.
        """
        known, self._stores = self._stores, stores
        if known != stores and (known is not None or not adopt):
            self.reset()
            return False
        if known is None:
            self._replace(lambda txn: txn.put(STORES, stores, db=self._meta))
        return True

    def rebind(self, stores: bytes) -> None:
        """Says under another name which outside stores it is about, durably. Raises StaleStateError, StoreError."""
        self._stores = stores
        self._replace(lambda txn: txn.put(STORES, stores, db=self._meta))

    def reset(self) -> None:
        """Forgets everything but its owner and its stores, durably. Raises StaleStateError, StoreError."""

        def forget(txn: lmdb.Transaction) -> None:
            txn.drop(self._data, delete=False)
            txn.drop(self._meta, delete=False)
            txn.put(OWNER, self._token, db=self._meta)
            if self._stores is not None:
                txn.put(STORES, self._stores, db=self._meta)

        self._replace(forget)
        self._seen = {}
        self._renew()

    def _replace(self, work: Callable[[lmdb.Transaction], object]) -> None:
        try:
            with self._env.begin(write=True) as txn:
                if txn.get(OWNER, db=self._meta) != self._token:
                    raise StaleStateError(f"local state {self._path} has another owner now")
                work(txn)
        except (lmdb.Error, OSError) as error:
            raise StoreError(f"local state {self._path}: {error}") from error

    def discard(self) -> None:
        """Drops changes not committed."""
        self._journal = None
        self._renew()

    def close(self) -> None:
        """Drops changes not committed and closes. Safe to call twice."""
        if not self._closed:
            self._closed = True
            self._read.abort()
            _close(self._path)
            self._occupancy.leave()


class StandbyStore(StateStore):
    """The state while it has no owner. Raises OccupiedError at the start if it has one, or another standby.

    An owner who comes later takes it as from anyone: this one's next commit raises StaleStateError.
    """

    def _enter(self) -> Occupancy:
        return enter_as_standby(self._path)

    def _may_take(self) -> None:
        check_no_owner(self._path)


class NoState:
    """What a stream agent gets that declares no state: any use is a defect."""

    def _refuse(self) -> NoReturn:
        raise TypeError("the stream agent uses local state but does not declare keeps_state")

    def get(self, key: bytes) -> bytes | None:
        self._refuse()

    def put(self, key: bytes, value: bytes) -> None:
        self._refuse()

    def delete(self, key: bytes) -> None:
        self._refuse()

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        self._refuse()


def state_path(root: Path, stream_agent: str, partition: int) -> Path:
    """Folder of the state of one partition under the state folder ``root``."""
    return root / "local" / stream_agent / str(partition)
