"""Local state of a stream agent's partition, read by somebody who does not own it.

LMDB lets any process read while one writes, and a read sees one commit whole. Invariant: nothing is written or taken over.
Assumes this process has not opened the same state otherwise, which LMDB forbids.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import lmdb

from streams.agents.lattice.accounts import ROW as LATTICE_ROW
from streams.agents.lattice.rows import Row
from streams.agents.memory_rows import ROW as MEMORY_ROW
from streams.agents.memory_rows import MemoryRows
from streams.core.checkpoint import TIP, Checkpoint
from streams.core.presence import Presence
from streams.errors import LogIntegrityError, OutdatedError, StoreError
from streams.runtime.checkpoints import decode_slots
from streams.runtime.state import SLOT

Key = tuple[bytes, bytes]
AGENT = 20


@dataclass(frozen=True, slots=True)
class Local:
    """One commit. ``tip``: where the stream agent stood; None if it cannot be read."""

    tip: Checkpoint | None
    rows: dict[bytes, bytes]

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Rows whose key starts with ``prefix``, without it."""
        return ((key[len(prefix) :], value) for key, value in self.rows.items() if key.startswith(prefix))


def read_local(path: Path) -> Local | None:
    """The state in a folder; None if there is none. Raises StoreError."""
    if not (path / "data.mdb").exists():
        return None
    try:
        with lmdb.open(str(path), max_dbs=2, readonly=True, max_readers=64) as environment:
            data, meta = environment.open_db(b"data"), environment.open_db(b"meta")
            with environment.begin() as txn:
                slot = txn.get(SLOT + TIP.encode(), db=meta)
                rows = {bytes(key): bytes(value) for key, value in txn.cursor(db=data)}
    except lmdb.Error as error:
        raise StoreError(f"local state {path}: {error}", "Move it away: the worker builds it anew from the log.") from error
    try:
        return Local(decode_slots({TIP: slot})[TIP] if slot is not None else None, rows)
    except (LogIntegrityError, OutdatedError):
        return Local(None, rows)


def memory_presences(local: Local) -> dict[Key, Presence]:
    """The facts that stand, by the memory agent's rows."""
    return {(key[:AGENT], key[AGENT:]): MemoryRows.decode(row)[0] for key, row in local.scan(MEMORY_ROW)}


def lattice_presences(local: Local) -> dict[Key, Presence]:
    """The facts that stand, by the lattice agent's rows."""
    return {(key[:AGENT], key[AGENT:]): Row.of(row).presence for key, row in local.scan(LATTICE_ROW)}
