"""Matrices of the agents searched lately, within a bound on their total size.

Invariants: the bytes held never exceed ``capacity``, for longer than one insertion takes; the least recently used agent
leaves first; a matrix is touched by one thread at a time.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from connectors.stores.agent_matrix import AgentMatrix
from streams.ports.stores import Version

NO_VERSION = Version(-1, -1)


@dataclass(slots=True)
class Entry:
    """A matrix and the version of the agent's vectors it shows. Hold ``lock`` while using either."""

    version: Version = NO_VERSION
    matrix: AgentMatrix | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    charged: int = 0


class MatrixCache:
    """``capacity`` in bytes."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        return self._bytes

    def entry(self, agent: bytes) -> Entry:
        """The agent's entry, empty if it is new; now the most recently used."""
        with self._lock:
            entry = self._entries.setdefault(agent, Entry())
            self._entries.move_to_end(agent)
            return entry

    def settle(self, agent: bytes, entry: Entry) -> None:
        """Accounts for the entry's size after a change and evicts others, then itself, until all fits."""
        size = 0 if entry.matrix is None else entry.matrix.nbytes
        with self._lock:
            if self._entries.get(agent) is not entry:  # evicted meanwhile; its user still searches it, then it is gone
                return
            self._bytes += size - entry.charged
            entry.charged = size
            while self._bytes > self.capacity and self._entries:
                _, gone = self._entries.popitem(last=False)
                self._bytes -= gone.charged
                gone.charged = 0

    def drop(self, agent: bytes) -> None:
        """Forgets the agent."""
        with self._lock:
            gone = self._entries.pop(agent, None)
            if gone is not None:
                self._bytes -= gone.charged
                gone.charged = 0
