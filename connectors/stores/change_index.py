"""Which rows of an agent changed since when: the index behind ``version`` and ``changes`` of the embedded stores.

Databases, all keyed by agent (20) first. ``agents``: agent -> epoch, sequence, rows, removed (u64 little-endian each).
``changes``: agent + sequence (8, big-endian) -> id (32), and one byte more if its row is gone. ``sequences``: agent + id -> the
sequence under which the id stands in ``changes``.
Assumes that ``note`` is called in the transaction that changes the rows, with each id once.
Invariants:
  * an id stands in ``changes`` exactly once, under the sequence of its last change, so that following costs what changed;
  * (epoch, sequence) grows with every change, in any process, and names one content: also between two times of having no row,
    which leaves no byte of the agent, since the store notes (EMPTIED) the last transaction that took some agent's last row;
  * of removed ids at most SPARE + rows / SHARE are kept: then they are swept out and a new epoch, the number of the LMDB
    transaction, tells readers to start over.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from connectors.stores.keys import AGENT, MEMORY_ID
from connectors.stores.lmdb_environment import Transaction
from streams.ports.stores import Changes, Version

DATABASES = ("agents", "changes", "sequences")
EMPTIED = b"emptied"
SPARE = 64
SHARE = 8
_STATE = struct.Struct("<QQQQ")
_SEQUENCE = struct.Struct(">Q")
_GONE = b"-"


class AgentState(NamedTuple):
    """The row of one agent in ``agents``."""

    epoch: int
    sequence: int
    rows: int
    removed: int

    @property
    def version(self) -> Version:
        """What names the agent's content."""
        return Version(self.epoch, self.sequence)


class ChangeIndex:
    """``databases``: by name, those of DATABASES among them."""

    def __init__(self, databases: Mapping[str, Any]) -> None:
        self._agents, self._changes, self._sequences = (databases[name] for name in DATABASES)

    def state(self, txn: Transaction, agent: bytes) -> AgentState | None:
        """None: the agent has no row."""
        value = txn.get(agent, db=self._agents)
        return None if value is None else AgentState(*_STATE.unpack(value))

    def version(self, txn: Transaction, agent: bytes) -> Version:
        """The agent's version in this snapshot."""
        state = self.state(txn, agent)
        if state is not None:
            return state.version
        emptied = txn.get(EMPTIED)
        return Version(_SEQUENCE.unpack(emptied)[0] if emptied else 0, 0)

    def note(self, txn: Transaction, agent: bytes, changed: Mapping[bytes, bool]) -> None:
        """Ids whose rows changed, each with whether a row is there now."""
        epoch, sequence, rows, removed = self.state(txn, agent) or AgentState(txn.id(), 0, 0, 0)
        for memory_id, there in changed.items():
            sequence += 1
            was_there, was_removed = self._forget(txn, agent, memory_id)
            txn.put(agent + _SEQUENCE.pack(sequence), memory_id + (b"" if there else _GONE), db=self._changes)
            txn.put(agent + memory_id, _SEQUENCE.pack(sequence), db=self._sequences)
            rows += there - was_there
            removed += (not there) - was_removed
        if rows == 0:
            self._sweep(txn, agent, everything=True)
            txn.delete(agent, db=self._agents)
            txn.put(EMPTIED, _SEQUENCE.pack(txn.id()))
            return
        if removed > SPARE + rows // SHARE:
            self._sweep(txn, agent, everything=False)
            epoch, removed = txn.id(), 0
        txn.put(agent, _STATE.pack(epoch, sequence, rows, removed), db=self._agents)

    def since(self, txn: Transaction, agent: bytes, after: int) -> Iterator[tuple[int, bytes]]:
        """(sequence, id) of what changed after a sequence, oldest first."""
        with txn.cursor(db=self._changes) as cursor:
            there = cursor.set_range(agent + _SEQUENCE.pack(after + 1))
            while there and (key := cursor.key()).startswith(agent):
                yield _SEQUENCE.unpack_from(key, AGENT)[0], cursor.value()[:MEMORY_ID]
                there = cursor.next()

    def changes(self, txn: Transaction, agent: bytes, since: Version | None, limit: int) -> Changes:
        """One page; see ``MemoryStore.changes``."""
        now = self.version(txn, agent)
        start_over = since is None or since.epoch != now.epoch
        after = 0 if since is None or start_over else since.sequence
        ids: list[bytes] = []
        for sequence, memory_id in self.since(txn, agent, after):
            if len(ids) == limit:
                return Changes(Version(now.epoch, after), ids, start_over, more=True)
            ids.append(memory_id)
            after = sequence
        return Changes(now, ids, start_over, more=False)

    def _forget(self, txn: Transaction, agent: bytes, memory_id: bytes) -> tuple[bool, bool]:
        """Takes the id's entry out; whether it told of a row, and whether of a removed one."""
        found = txn.get(agent + memory_id, db=self._sequences)
        if found is None:
            return False, False
        was_there = len(txn.pop(agent + found, db=self._changes)) == MEMORY_ID
        return was_there, not was_there

    def _sweep(self, txn: Transaction, agent: bytes, everything: bool) -> None:
        """Takes out the removed ids, or all of them."""
        with txn.cursor(db=self._changes) as cursor:
            there = cursor.set_range(agent)
            while there and cursor.key().startswith(agent):
                value = cursor.value()
                if everything or len(value) > MEMORY_ID:
                    txn.delete(agent + value[:MEMORY_ID], db=self._sequences)
                    cursor.delete()  # the cursor now stands at the next entry
                    there = bool(cursor.key())
                else:
                    there = cursor.next()


def index_rows(txn: Transaction, databases: Mapping[str, Any], rows: str) -> None:
    """Makes the index anew from the rows of a store (agent + id -> anything) that was written without one."""
    for name in DATABASES:
        txn.drop(databases[name], delete=False)
    index = ChangeIndex(databases)
    owner, ids = b"", dict[bytes, bool]()
    with txn.cursor(db=databases[rows]) as cursor:
        for key in cursor.iternext(keys=True, values=False):
            if key[:AGENT] != owner:
                if ids:
                    index.note(txn, owner, ids)
                owner, ids = key[:AGENT], {}
            ids[key[AGENT:]] = True
    if ids:
        index.note(txn, owner, ids)
