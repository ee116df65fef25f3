"""What the lattice keeps of each agent: lattice state, counts, and a sparse Merkle tree that is built when it is needed.

State and counts are written to LocalState by ``flush``, once for all ``save`` calls of a transaction; trees are a cache over
the rows there.
Invariants: a cached tree with its pending changes equals the tree over the agent's live rows; caches are bounded, and nothing
is dropped that LocalState could not give back.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from streams.agents.base import LocalState
from streams.agents.lattice.rows import live_leaf
from streams.core.lthash import STATE_BYTES, ZERO, LtHash
from streams.core.merkle.sparse import SparseTree

ROW = b"m"
ACCOUNT = b"a"
MAX_ACCOUNTS = 10_000
LEAVE = 10
"""Percent of them that leave at once when there are more."""
MAX_TREE_LEAVES = 200_000


@dataclass(slots=True)
class Account:
    """One agent. ``count``: live memories; ``rows``: memories of which any fact stands. ``changes``: not in ``tree`` yet."""

    lattice: LtHash = ZERO
    count: int = 0
    rows: int = 0
    tree: SparseTree | None = None
    changes: dict[bytes, bytes | None] = field(default_factory=dict, repr=False)

    def note(self, changes: dict[bytes, bytes | None]) -> None:
        """Remembers changes of leaves for the tree; gives the tree up if building it anew is cheaper."""
        if self.tree is None:
            return
        self.changes |= changes
        if len(self.changes) > 1024 + self.count:
            self.forget_tree()

    def forget_tree(self) -> None:
        """Drops the cached tree."""
        self.tree = None
        self.changes = {}


class Accounts:
    """Accounts by agent, least recently used first."""

    def __init__(self, state: LocalState) -> None:
        self._state = state
        self._cache: OrderedDict[bytes, Account] = OrderedDict()
        self._unsaved: dict[bytes, Account] = {}

    def __getitem__(self, agent: bytes) -> Account:
        account = self._cache.get(agent)
        if account is None:
            account = self._cache[agent] = self._load(agent)
        else:
            self._cache.move_to_end(agent)
        return account

    def _load(self, agent: bytes) -> Account:
        wire = self._state.get(ACCOUNT + agent)
        if wire is None:
            return Account(tree=SparseTree())
        counts = wire[STATE_BYTES:]
        lattice = LtHash.of(wire[:STATE_BYTES])
        return Account(lattice, int.from_bytes(counts[:8], "big"), int.from_bytes(counts[8:], "big"))

    def save(self, agent: bytes) -> None:
        """Notes that an account must be written to LocalState."""
        self._unsaved[agent] = self._cache[agent]

    def flush(self) -> None:
        """Writes what was noted; an agent without rows leaves nothing there."""
        for agent, account in self._unsaved.items():
            if account.rows:
                counts = account.count.to_bytes(8, "big") + account.rows.to_bytes(8, "big")
                self._state.put(ACCOUNT + agent, bytes(account.lattice) + counts)
            else:
                self._state.delete(ACCOUNT + agent)
        self._unsaved.clear()

    def merkle_root(self, agent: bytes) -> bytes:
        """Root of the agent's sparse Merkle tree, with all changes in it."""
        account = self[agent]
        if account.tree is None:
            leaves = (live_leaf(row) for _, row in self._state.scan(ROW + agent))
            account.tree = SparseTree.of(dict(leaf for leaf in leaves if leaf))
        else:
            account.tree = account.tree.update(account.changes)
        account.changes = {}
        return account.tree.root

    def trim(self) -> None:
        """Drops the tenth of the accounts used least recently, if there are more than MAX_ACCOUNTS."""
        if len(self._cache) <= MAX_ACCOUNTS:
            return
        self.flush()
        while len(self._cache) > max(1, MAX_ACCOUNTS * (100 - LEAVE) // 100):
            self._cache.popitem(last=False)

    def trim_trees(self) -> None:
        """Drops the trees used least recently, if they have more than MAX_TREE_LEAVES leaves."""
        kept = 0
        for account in reversed(self._cache.values()):
            kept += account.count if account.tree else 0
            if kept > MAX_TREE_LEAVES:
                account.forget_tree()
