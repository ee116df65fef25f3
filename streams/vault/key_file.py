"""The file of agents' keys: slots of one size, so that a key can be overwritten where it lies.

A database would leave old pages with the wrapped key behind; a log of keys would have to be compacted before one is gone. Here
destroying a key writes over its bytes and returns when the disk has them. (A disk that remaps blocks, a snapshot or a backup
may hold older bytes: see docs/security.md.)
Layout: head of 64 bytes (magic, generation u64, mark of the master key), then slots of 160: state (1: live, 2: destroyed),
agent (20), version (u32), key id (8), and either the wrapped keys or, when destroyed, a mark that only the master key makes. A
slot of zeros, as a torn append may leave, is none.
Assumes a file system with ``flock`` and rename, shared by all processes of the installation. Invariants: changes happen under
the lock and are on disk before it is given back; slots never move but by ``replace``; ``generation`` grows with every change
but appends of an agent's first key, and everyone who holds keys in memory compares it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from streams.vault.errors import VaultError

MAGIC = b"monmouth keys 1\n"
HEAD = 64
SLOT = 160
LIVE, DESTROYED = 1, 2
BODY = SLOT - 33
_HEAD = Struct("<16sQ32s")
_SLOT = Struct(f">B20sI8s{BODY}s")
_CHUNK = 4096 * SLOT


class Slot(NamedTuple):
    """One key of one agent. ``body``: padded with zeros."""

    state: int
    agent: bytes
    version: int
    key_id: bytes
    body: bytes

    def pack(self) -> bytes:
        """As it lies in the file."""
        return _SLOT.pack(*self)


class KeyFile:
    """``mark``: of the master key, to notice another one at once. Not for two threads at a time. Raises VaultError, OSError."""

    def __init__(self, path: Path, mark: bytes) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = -1
        with self.locked():
            self.reopen(mark)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else changes the file meanwhile. Not to be nested."""
        lock = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    @property
    def replaced(self) -> bool:
        """Whether another file has this one's name now."""
        return os.fstat(self._file).st_nlink == 0

    def reopen(self, mark: bytes) -> None:
        """Opens the file that has the name now, made if there is none. Under the lock only. Raises VaultError."""
        self.close()
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if self._size() < HEAD:
            os.pwrite(self._file, _HEAD.pack(MAGIC, 0, mark).ljust(HEAD, b"\0"), 0)
            os.fsync(self._file)
            _sync_folder(self.path.parent)
        magic, _, found = _HEAD.unpack_from(os.pread(self._file, HEAD, 0))
        if magic != MAGIC:
            raise VaultError(f"{self.path} is no file of agents' keys")
        if found != mark:
            raise VaultError(
                f"{self.path} was made with another master key", "Give that one back: without it no memory can be read."
            )

    def _size(self) -> int:
        return os.fstat(self._file).st_size

    @property
    def generation(self) -> int:
        """Grows when keys were destroyed or added to those of an agent."""
        return int.from_bytes(os.pread(self._file, 8, len(MAGIC)), "little")

    def slots(self, start: int = HEAD) -> Iterator[tuple[int, Slot]]:
        """Slots from offset ``start`` on, with their offsets, empty ones passed over."""
        while len(chunk := os.pread(self._file, _CHUNK, start)) >= SLOT:
            for at in range(0, len(chunk) - SLOT + 1, SLOT):
                if chunk[at]:
                    yield start + at, Slot(*_SLOT.unpack_from(chunk, at))
            start += len(chunk) - len(chunk) % SLOT

    @property
    def end(self) -> int:
        """Offset behind the last whole slot."""
        size = max(self._size(), HEAD)
        return size - (size - HEAD) % SLOT

    def slot(self, offset: int) -> Slot:
        """One slot."""
        return Slot(*_SLOT.unpack(os.pread(self._file, SLOT, offset)))

    def append(self, slots: Sequence[Slot]) -> int:
        """Adds slots, durably; the offset of the first. Under the lock only."""
        start = self.end
        os.pwrite(self._file, b"".join(slot.pack() for slot in slots), start)
        os.fsync(self._file)
        return start

    def overwrite(self, offsets: Sequence[int], slots: Sequence[Slot]) -> None:
        """Puts slots over others, durably, and moves the generation. Under the lock only."""
        for offset, slot in zip(offsets, slots, strict=True):
            os.pwrite(self._file, slot.pack(), offset)
        os.fsync(self._file)  # first the keys, so that whoever sees the generation finds them gone
        self.advance()

    def advance(self) -> None:
        """Moves the generation, durably. Under the lock only."""
        os.pwrite(self._file, (self.generation + 1).to_bytes(8, "little"), len(MAGIC))
        os.fsync(self._file)

    def replace(self, slots: Sequence[Slot], mark: bytes) -> None:
        """Puts a file of these slots in this one's place and writes over the old one. Under the lock only."""
        new = self.path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(_HEAD.pack(MAGIC, self.generation + 1, mark).ljust(HEAD, b"\0"))
            file.write(b"".join(slot.pack() for slot in slots))
            file.flush()
            os.fsync(file.fileno())
        old, size = os.dup(self._file), self._size()
        try:
            new.replace(self.path)
            _sync_folder(self.path.parent)
            for start in range(HEAD, size, _CHUNK):
                os.pwrite(old, bytes(min(_CHUNK, size - start)), start)
            os.fsync(old)
        finally:
            os.close(old)
        self.reopen(mark)

    def close(self) -> None:
        """Safe to call twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
