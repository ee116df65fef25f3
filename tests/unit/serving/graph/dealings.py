"""Transactions in a World's chain, through the graph agent into its graph."""

from __future__ import annotations

from typing import Any

from schemas.codec import codec
from streams import topics
from streams.agents.graph import GraphAgent
from streams.core.block import BlockRef
from streams.serving.graph.events import Registries, event_of
from tests.fakes import MemoryState, record_of
from tests.transactions import chain_transaction, number
from tests.unit.serving.world import World

COIN = 10**18
DAY = 86_400
START = 1_700_000_000
IDENTITY, REPUTATION = b"\x80" * 20, b"\x81" * 20
REGISTRIES = Registries.parse([f"0x{IDENTITY.hex()}:0x{REPUTATION.hex()}"])


def paid(source: bytes, target: bytes, coins: float = 1.0, **fields: Any) -> dict[str, Any]:
    """A payment."""
    value = number(int(coins * COIN))
    return {"agent": source, "sender": source, "to": target, "value": value, **fields}


class Dealings:
    """Blocks of transactions, a day apart."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._agent = GraphAgent(0, MemoryState())

    def block(self, *transactions: dict[str, Any], ref: BlockRef | None = None) -> tuple[BlockRef, list[dict[str, Any]]]:
        """A block more, in the view too unless ``ref`` is given."""
        ref = ref or self.world.grow()
        drawn: list[dict[str, Any]] = [
            {**chain_transaction(**tx, block=ref.record(), index=i, timestamp=START + DAY * ref.number)}
            for i, tx in enumerate(transactions)
        ]
        self._take(self._agent.apply(ref, self._records(drawn)))
        return ref, drawn

    def revert(self, block: tuple[BlockRef, list[dict[str, Any]]]) -> None:
        """The graph agent takes a block back."""
        self._take(self._agent.revert(block[0], self._records(block[1])))

    @staticmethod
    def _records(drawn: list[dict[str, Any]]) -> list[Any]:
        return [record_of(topics.TRANSACTIONS, "ChainTransaction", tx) for tx in drawn]

    def _take(self, emits: Any) -> None:
        for emit in emits:
            if emit.value is None:
                self.world.edges.table.remove(emit.key[20:])
            else:
                value = codec().encode(emit.type, emit.value)
                self.world.edges.table.put(event_of(emit.key, value, REGISTRIES))
