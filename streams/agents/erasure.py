"""Which agents of a partition were erased, and which records are therefore passed over.

Keys of local state: ``e`` + agent (20). An ERASE command takes out all that its agent has, and what comes of the agent after
it, by command or from the chain, leaves no memory. Transactions are in another topic than commands, and may be read before or
after it: the state is the same either way, since rows of an erased agent are none in any case. What they count for in the
digest of the chain's facts stays counted, so that the digest is equal whenever the same blocks stand.
Invariant: an erased agent stays erased. Commands lie outside blocks, so no reorg takes an erasure back, nor brings back what it
removed: a block undone and seen again is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from schemas.records import BlockRefRecord, Erasure, MemoryCommand, MemoryFact
from streams.agents.base import LocalState, Record
from streams.core.block import ZERO_HASH
from streams.core.presence import NO_BLOCK, Fact, Presence

ERASED = b"e"
Run = tuple[list[Record], list[Record], Record | None]


class Erasures:
    """A view of one partition's LocalState."""

    def __init__(self, state: LocalState) -> None:
        self._state = state
        self._erased = {key[len(ERASED) :] for key, _ in state.scan(ERASED)}

    def add(self, agent: bytes) -> None:
        """``agent`` is erased from now on."""
        self._state.put(ERASED + agent, b"")
        self._erased.add(agent)

    def runs(self, records: Sequence[Record]) -> Iterator[Run]:
        """(records that count, transactions passed over, the ERASE behind them), in log order."""
        run: list[Record] = []
        passed_over: list[Record] = []
        for record in records:
            if self._is_erased(record):
                passed_over += [record] if record.type == "ChainTransaction" else []
            elif record.type == "MemoryCommand" and record.value["op"] == "ERASE":
                yield run, passed_over, record
                run, passed_over = [], []
            else:
                run.append(record)
        yield run, passed_over, None

    def split(self, records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
        """(records that count, transactions of erased agents)."""
        if not self._erased:
            return list(records), []
        return [r for r in records if not self._is_erased(r)], [r for r in records if self._is_erased(r)]

    def _is_erased(self, record: Record) -> bool:
        return bool(self._erased) and record.value.get("agent", record.value.get("owner")) in self._erased


def standing_facts(owner: bytes, memory_id: bytes, presence: Presence) -> Iterator[MemoryFact]:
    """What stands of a memory, to be taken back."""
    for op, facts in (("UPSERT", presence.upserts), ("DELETE", presence.deletes)):
        for fact in facts:
            yield {
                "op": op,  # type: ignore[typeddict-item]
                "cause": fact.cause,
                "memory_id": memory_id,
                "owner": owner,
                "memory": None,
                "block": _block(fact),
            }


def _block(fact: Fact) -> BlockRefRecord | None:
    if fact.block_hash == NO_BLOCK:
        return None
    return {"number": fact.block_number, "hash": fact.block_hash, "parent": ZERO_HASH}


def erasure_of(command: MemoryCommand, memories: int) -> Erasure:
    """The record that says so."""
    return {"agent": command["agent"], "command": command["id"], "timestamp": command["timestamp"], "memories": memories}
