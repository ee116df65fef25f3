"""Makes the rows of agents in a store what the log says of the chain, and leaves what commands said as it is.

Invariants: a plan is a function of the row and of the log's facts, and carried out a second time it is empty; facts of commands
are never dropped; a fact of a block is taken out only if the block is part of the chain up to the height and the log does not
have the fact.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from schemas.records import Memory, MemoryFact
from streams.agents.memory_facts import delete_fact, upsert_fact
from streams.agents.memory_rows import fact_name
from streams.core.presence import NO_BLOCK, Fact, Presence
from streams.core.sync.digests import content_of
from streams.ports.stores import MemoryStore, StoredMemory

PAGE = 1_000
Standing = tuple[bool, Fact]
"""Whether it is an UPSERT, and which fact."""


@dataclass(slots=True)
class RowPlan:
    """Facts to take out of a store, then facts to put in.

    ``lacked``, ``altered``, ``extra``: ids of memories, by what is wrong with them.
    """

    revert: list[MemoryFact] = field(default_factory=list)
    apply: list[MemoryFact] = field(default_factory=list)
    lacked: set[bytes] = field(default_factory=set)
    altered: set[bytes] = field(default_factory=set)
    extra: set[bytes] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.revert or self.apply)


def plan_row(
    plan: RowPlan, name: tuple[bytes, bytes], row: StoredMemory | None, facts: Sequence[MemoryFact], chain: Collection[bytes]
) -> None:
    """Adds what it takes to make the row of (owner, memory id) what ``facts``, of blocks of ``chain`` (hashes), say."""
    owner, memory_id = name
    presence = row.presence if row is not None else Presence()
    held = {(True, fact) for fact in presence.upserts} | {(False, fact) for fact in presence.deletes}
    wanted = {_standing(fact): fact for fact in facts}
    said = next((fact["memory"] for fact in facts if fact["memory"] is not None), None)
    stale = [one for one in held if one[1].block_hash in chain and one not in wanted]
    memory = row.memory if row is not None else None
    if said is not None and memory is not None and memory["source"] == "CHAIN" and content_of(memory) != content_of(said):
        plan.altered.add(memory_id)
        plan.revert += [_fact(owner, memory_id, one, memory) for one in _ordered(held)]
        kept = [one for one in _ordered(held) if one not in wanted and one not in stale]
        plan.apply += [*facts, *(_fact(owner, memory_id, one, said) for one in kept)]
        return
    missing = [fact for one, fact in wanted.items() if one not in held]
    if missing:
        plan.lacked.add(memory_id)
        plan.apply += missing
    if stale:
        plan.extra.add(memory_id)
        plan.revert += [_fact(owner, memory_id, one, memory) for one in _ordered(stale)]


def _ordered(standings: Iterable[Standing]) -> list[Standing]:
    return sorted(standings, key=lambda one: (one[0], one[1].block_hash, one[1].cause))


def _standing(fact: MemoryFact) -> Standing:
    return fact["op"] == "UPSERT", fact_name(fact)


def _fact(owner: bytes, memory_id: bytes, standing: Standing, memory: Memory | None) -> MemoryFact:
    upsert, fact = standing
    block = None if fact.block_hash == NO_BLOCK else {"number": fact.block_number, "hash": fact.block_hash, "parent": bytes(32)}
    if upsert and memory is not None:
        return upsert_fact(fact.cause, memory, block)  # type: ignore[arg-type]
    return delete_fact(fact.cause, owner, memory_id, block)  # type: ignore[arg-type]


async def plan_agent(
    store: MemoryStore, owner: bytes, ids: Iterable[bytes], facts: Sequence[MemoryFact], chain: Collection[bytes]
) -> RowPlan:
    """The plan for all rows of an agent. ``ids``: of the rows in the store. Raises StoreError."""
    by_id: dict[bytes, list[MemoryFact]] = {}
    for fact in facts:
        by_id.setdefault(fact["memory_id"], []).append(fact)
    plan = RowPlan()
    wanted = sorted({*ids, *by_id})
    for start in range(0, len(wanted), PAGE):
        part = wanted[start : start + PAGE]
        for memory_id, row in zip(part, await store.get(owner, part), strict=True):
            plan_row(plan, (owner, memory_id), row, by_id.get(memory_id, []), chain)
    return plan
