"""The memory agent against a store: order of writes, forgetting, duplicates, poison."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.codec import codec
from streams import topics
from streams.agents.base import Emit, Record
from streams.agents.memory import MemoryAgent
from streams.agents.memory_facts import ASKED
from streams.core.block import BlockRef
from streams.core.ids import chain_memory_id, command_memory_id
from streams.core.presence import everything
from streams.errors import PoisonError, StoreError
from streams.metrics import REGISTRY
from tests.fakes import DictMemoryStore, MemoryState, record_of
from tests.transactions import AGENT, PEER, call_data, chain_transaction
from tests.unit.agents.test_memory_facts import STORE, command, link

HASH = (1).to_bytes(32, "big")
BLOCK = BlockRef(1, HASH, bytes(32))
NOTE = chain_memory_id(1, HASH, 0, AGENT, ASKED)


def block_of(*transactions: Any) -> list[Record]:
    return [
        record_of(topics.TRANSACTIONS, "ChainTransaction", tx | {"index": i}, i, key=tx["agent"])
        for i, tx in enumerate(transactions)
    ]


def commanded(**fields: Any) -> list[Record]:
    value: Any = command(**fields)
    return [record_of(topics.COMMANDS, "MemoryCommand", value, key=value["agent"])]


def storing(**fields: Any):
    return chain_transaction(input=call_data(STORE, 1, b"note", 5_000, []), **fields)


def forgetting(memory_id: bytes, **fields: Any):
    return chain_transaction(input=call_data("forgetMemory(bytes32 a)", memory_id), **fields)


def table(emits: list[Emit]) -> dict[bytes, Any]:
    """What the compacted topic holds after these writes."""
    rows: dict[bytes, Any] = {}
    for emit in emits:
        if emit.topic == topics.MEMORY_STATE:
            rows[emit.key] = emit.value
    return {key: value for key, value in rows.items() if value is not None}


async def live(store: DictMemoryStore, agent: bytes = AGENT) -> list[bytes]:
    return await store.live_ids(agent, everything)


@pytest.fixture
def store() -> DictMemoryStore:
    return DictMemoryStore()


@pytest.fixture
def agent(store: DictMemoryStore) -> MemoryAgent:
    return MemoryAgent(0, MemoryState(), store)


async def test_facts_then_rows_and_nothing_reaches_the_store_before_flush(agent: MemoryAgent, store: DictMemoryStore) -> None:
    emits = list(agent.apply(BLOCK, block_of(storing())))
    assert [emit.topic for emit in emits] == ["memory.log"] * 2 + ["memory.state"] * 2
    assert all(codec().encode(emit.type, emit.value or {}) for emit in emits)
    assert [emit.key for emit in emits[:2]] == [AGENT, AGENT]
    assert AGENT + NOTE in table(emits)
    assert store.calls == []
    await agent.flush()
    assert NOTE in await live(store)
    assert len(store.calls) == 1


async def test_forgetting_on_the_chain_and_its_undoing(agent: MemoryAgent, store: DictMemoryStore) -> None:
    later = BlockRef(2, (2).to_bytes(32, "big"), HASH)
    emits = list(agent.apply(BLOCK, block_of(storing())))
    records = block_of(forgetting(NOTE, block=2))
    emits += agent.apply(later, records)
    await agent.flush()
    assert NOTE not in await live(store)
    assert AGENT + NOTE not in table(emits)
    back = list(agent.revert(later, records))
    assert {emit.topic for emit in back} == {"memory.state"}
    await agent.flush()
    assert NOTE in await live(store)
    assert table(emits + back)[AGENT + NOTE]["content"] == b"note"


async def test_nobody_forgets_for_another(agent: MemoryAgent, store: DictMemoryStore) -> None:
    thief = {"agent": PEER, "sender": PEER}
    emits = list(agent.apply(BLOCK, block_of(storing(), forgetting(NOTE, **thief))))
    emits += agent.apply(None, commanded(agent=PEER, op="FORGET", memory_id=NOTE))
    await agent.flush()
    assert NOTE in await live(store)
    assert AGENT + NOTE in table(emits)
    assert PEER + NOTE not in table(emits)


async def test_a_command_forgets_for_good_whatever_comes_first(store: DictMemoryStore) -> None:
    steps = {"chain": (BLOCK, block_of(storing())), "forget": (None, commanded(op="FORGET", memory_id=NOTE))}
    states, tables = [], []
    for order in (("chain", "forget"), ("forget", "chain")):
        state = MemoryState()
        agent = MemoryAgent(0, state, store)
        emits = [emit for step in order for emit in agent.apply(*steps[step])]
        await agent.flush()
        assert NOTE not in await live(store)
        states.append(state.content)
        tables.append(table(emits))
    assert states[0] == states[1]
    assert tables[0] == tables[1]


async def test_a_repeated_command_is_one_memory(agent: MemoryAgent, store: DictMemoryStore) -> None:
    first = list(agent.apply(None, commanded()))
    state = dict(agent.state.content)  # type: ignore[attr-defined]
    second = list(agent.apply(None, commanded()))
    await agent.flush()
    assert first == second
    assert agent.state.content == state  # type: ignore[attr-defined]
    assert await live(store) == [command_memory_id(AGENT, b"\x01" * 16)]


async def test_what_a_command_leaves_is_known_when_the_log_took_it_whatever_it_claims(store: DictMemoryStore) -> None:
    first, again = (commanded(timestamp=100)[0]._replace(appended=at) for at in (5_000, 6_000))
    for held in (False, True):
        agent = MemoryAgent(0, MemoryState(), store)
        emits = [*agent.apply(None, [first]), *agent.apply(None, [again])]
        if held:
            store.rows.clear()
            await agent.flush_again()
        await agent.flush()
        (row,) = table(emits).values()
        (kept,) = await store.get(AGENT, [row["id"]])
        assert kept is not None and kept.memory is not None
        assert [(m["timestamp"], m["known_at"]) for m in (row, kept.memory)] == [(100, 5_000)] * 2, "by its first sending"


async def test_a_command_id_used_twice_keeps_the_first_text(agent: MemoryAgent, store: DictMemoryStore) -> None:
    emits = list(agent.apply(None, commanded())) + list(agent.apply(None, commanded(content=b"other")))
    await agent.flush()
    (row,) = table(emits).values()
    (kept,) = await store.get(AGENT, [row["id"]])
    assert row["content"] == b"note"
    assert kept is not None
    assert kept.memory is not None
    assert kept.memory["content"] == b"note"


async def test_a_wrong_command_changes_nothing(agent: MemoryAgent, store: DictMemoryStore) -> None:
    with pytest.raises(PoisonError):
        list(agent.apply(None, commanded() + commanded(id=b"\x02" * 16, importance=2.0)))
    await agent.flush()
    assert agent.state.content == {}  # type: ignore[attr-defined]
    assert store.calls == []


def test_a_record_of_another_type_is_poison(agent: MemoryAgent) -> None:
    with pytest.raises(PoisonError, match="Embedding"):
        list(agent.apply(BLOCK, [record_of(topics.TRANSACTIONS, "Embedding", {})]))


async def test_the_store_hears_of_applies_and_reverts_in_order(agent: MemoryAgent, store: DictMemoryStore) -> None:
    records = block_of(storing())
    list(agent.apply(BLOCK, records))
    list(agent.revert(BLOCK, records))
    list(agent.apply(BLOCK, records))
    await agent.flush()
    assert [direction for direction, _ in store.calls] == ["apply", "revert", "apply"]
    assert NOTE in await live(store)
    store.calls.clear()
    await agent.flush()
    assert store.calls == []


async def test_what_the_store_did_not_acknowledge_is_kept_for_the_next_flush(
    agent: MemoryAgent, store: DictMemoryStore
) -> None:
    working = store.apply

    async def refuse(facts: Any) -> None:
        raise StoreError("disk full")

    list(agent.apply(BLOCK, block_of(storing())))
    store.apply = refuse  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        await agent.flush()
    store.apply = working  # type: ignore[method-assign]
    await agent.flush()
    assert NOTE in await live(store)


def test_the_digest_says_which_blocks_stand_and_ignores_commands(agent: MemoryAgent) -> None:
    empty = agent.state_digest()
    list(agent.apply(None, commanded()))
    assert agent.state_digest() == empty
    records = block_of(storing())
    list(agent.apply(BLOCK, records))
    assert agent.state_digest() != empty
    list(agent.revert(BLOCK, records))
    assert agent.state_digest() == empty


async def test_old_work_done_again_takes_nothing_out_of_the_store_that_may_come_back(store: DictMemoryStore) -> None:
    """The log holds the block, its undo, and the block again; another worker has committed all that."""
    records = block_of(storing())
    first = MemoryAgent(0, MemoryState(), store)
    list(first.apply(BLOCK, records))
    await first.flush()
    again = MemoryAgent(0, MemoryState(), store)
    for step in (again.apply, again.revert, again.apply):
        list(step(BLOCK, records))
        await again.flush_again()
        assert NOTE in await live(store), "wherever it ends"
    await again.flush()
    assert NOTE in await live(store)
    list(again.revert(BLOCK, records))
    await again.flush_again()
    await again.flush()
    assert await live(store) == []


async def test_an_owner_lost_on_the_way_leaves_nothing_half_done(store: DictMemoryStore) -> None:
    """Its work done again stops between a block and the undo of that block; the next owner may be past both."""
    lost = MemoryAgent(0, MemoryState(), store)
    list(lost.apply(BLOCK, block_of(storing())))
    await lost.flush_again()
    assert lost.held == 2
    assert await live(store) == []
    list(lost.revert(BLOCK, block_of(storing())))
    await lost.flush_again()
    await lost.flush()
    assert lost.held == 0
    assert await live(store) == []


def stored() -> float:
    return REGISTRY.get_sample_value("monmouth_memories_stored_total") or 0.0


async def commit(agent: MemoryAgent) -> float:
    """How many memories one more commit stores."""
    before = stored()
    list(agent.emit_before_commit())
    await agent.flush()
    assert stored() == before, "not before it is committed"
    agent.committed()
    return stored() - before


async def test_a_memory_of_a_command_is_stored_when_it_is_committed_and_once(agent: MemoryAgent) -> None:
    list(agent.apply(None, commanded()))
    assert await commit(agent) == 1
    list(agent.apply(None, commanded()))
    assert await commit(agent) == 0, "the same command again"
    list(agent.apply(None, commanded(op="LINK", id=bytes(15) + b"\x07", edges=[link(NOTE)], content=b"")))
    assert await commit(agent) == 0, "what says something of memories is none"


async def test_a_memory_of_a_transaction_is_stored_when_its_block_is_final(agent: MemoryAgent) -> None:
    list(agent.apply(BLOCK, block_of(storing())))
    assert await commit(agent) == 0
    list(agent.finalize(BLOCK))
    assert await commit(agent) == 2
    list(agent.finalize(BLOCK))
    assert await commit(agent) == 0


async def test_what_a_reorg_takes_back_was_never_stored(agent: MemoryAgent) -> None:
    other = BlockRef(1, (2).to_bytes(32, "big"), bytes(32))
    list(agent.apply(BLOCK, block_of(storing())))
    await commit(agent)
    list(agent.revert(BLOCK, block_of(storing())))
    list(agent.apply(other, block_of(storing(block={"number": 1, "hash": other.hash, "parent": bytes(32)}))))
    assert await commit(agent) == 0
    list(agent.finalize(other))
    assert await commit(agent) == 2, "those of the block that stays"


async def test_work_that_is_done_again_stores_nothing_again(agent: MemoryAgent) -> None:
    list(agent.apply(BLOCK, block_of(storing())))
    list(agent.apply(None, commanded()))
    list(agent.finalize(BLOCK))
    list(agent.emit_before_commit())
    await agent.flush_again()
    assert await commit(agent) == 0
    list(agent.revert(BLOCK, block_of(storing())))
    list(agent.apply(BLOCK, block_of(storing())))
    list(agent.finalize(BLOCK))
    assert await commit(agent) == 0, "a replay of a block that was final"
