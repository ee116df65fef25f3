"""The state of one branch after a block: the ledger and what its agents still remember of their latest notes.

Invariant: a world is never changed once its block is built; the next block works on a copy.
"""

from __future__ import annotations

from dataclasses import dataclass

from connectors.chain.devchain.contracts import deploy
from connectors.chain.devchain.ledger import Ledger
from connectors.chain.devchain.notes import Note

RECENT = 48
GENESIS_WEI = 1_000_000 * 10**18


@dataclass(frozen=True, slots=True)
class Stored:
    """A note that a transaction stored with the hub."""

    agent: bytes
    memory_id: bytes
    transaction: bytes
    note: Note


@dataclass(frozen=True, slots=True)
class World:
    """``recent`` holds each agent's latest live memory ids, oldest first, at most RECENT of them."""

    ledger: Ledger
    recent: dict[bytes, tuple[bytes, ...]]

    def after(self, ledger: Ledger, stored: tuple[Stored, ...], forgotten: frozenset[bytes]) -> World:
        """The world after a block that left this ledger and these notes."""
        recent = dict(self.recent)
        for agent, ids in recent.items():
            if forgotten.intersection(ids):
                recent[agent] = tuple(i for i in ids if i not in forgotten)
        for item in stored:
            recent[item.agent] = (*recent.get(item.agent, ()), item.memory_id)[-RECENT:]
        return World(ledger, recent)


def genesis_world(agents: tuple[bytes, ...]) -> World:
    """Funded agents, deployed contracts, nothing remembered."""
    ledger = Ledger()
    for address in agents:
        ledger.balances[address] = GENESIS_WEI
    deploy(ledger, agents)
    return World(ledger, {})
