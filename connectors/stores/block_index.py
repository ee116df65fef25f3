"""Which blocks the rows of an agent stand on: one count for each (agent, block) of the facts in the rows.

Database ``blocks``: agent (20) + block number (8, big-endian) + block hash (32) -> facts (u32 little-endian). Facts of commands
stand on no block and are not here.
Assumes that ``note`` is called in the transaction that changes the row.
Invariant: a block is here exactly as long as a fact of the agent's rows names it.
"""

from __future__ import annotations

import struct
from collections import Counter
from typing import Any

from connectors.stores.keys import AGENT
from connectors.stores.lmdb_environment import Transaction
from streams.core.presence import NO_BLOCK, Presence

DATABASE = "blocks"
_NUMBER = struct.Struct(">Q")
_COUNT = struct.Struct("<I")
Block = tuple[int, bytes]


def _blocks(presence: Presence) -> Counter[Block]:
    facts = (*presence.upserts, *presence.deletes)
    return Counter((fact.block_number, fact.block_hash) for fact in facts if fact.block_hash != NO_BLOCK)


class BlockIndex:
    """``database``: the one called DATABASE."""

    def __init__(self, database: Any) -> None:
        self._db = database

    def note(self, txn: Transaction, agent: bytes, before: Presence, after: Presence) -> None:
        """A row's facts changed."""
        change = _blocks(after)
        change.subtract(_blocks(before))
        for (number, block_hash), facts in change.items():
            if facts == 0:
                continue
            key = agent + _NUMBER.pack(number) + block_hash
            found = txn.get(key, db=self._db)
            total = facts + (_COUNT.unpack(found)[0] if found else 0)
            if total > 0:
                txn.put(key, _COUNT.pack(total), db=self._db)
            else:
                txn.delete(key, db=self._db)

    def since(self, txn: Transaction, agent: bytes, number: int) -> list[Block]:
        """The agent's blocks of that number and above, in order."""
        found: list[Block] = []
        with txn.cursor(db=self._db) as cursor:
            there = cursor.set_range(agent + _NUMBER.pack(max(0, number)))
            while there and (key := cursor.key()).startswith(agent):
                found.append((_NUMBER.unpack_from(key, AGENT)[0], key[AGENT + _NUMBER.size :]))
                there = cursor.next()
        return found
