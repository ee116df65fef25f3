"""Laws of the memory agent: revert undoes apply, and the order of chain and commands does not matter."""

from __future__ import annotations

import asyncio
from typing import Any

from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from schemas.defaults import plain_command, plain_memory
from streams import topics
from streams.agents.base import Emit, Record
from streams.agents.memory import MemoryAgent
from streams.agents.memory_facts import ASKED
from streams.core.block import BlockRef
from streams.core.ids import chain_memory_id, command_memory_id, is_claimed
from tests.fakes import DictMemoryStore, MemoryState, record_of
from tests.transactions import AGENT, PEER, call_data, chain_transaction

AGENTS = (AGENT, PEER)
STORE = "storeMemory(uint8 a,bytes b,uint16 c,string[] d)"
Step = tuple[BlockRef | None, list[Record]]


def block_hash(number: int) -> bytes:
    return number.to_bytes(32, "big")


IDS = [chain_memory_id(1, block_hash(n), i, a, ASKED) for n in (1, 2, 3) for i in (0, 1) for a in AGENTS] + [
    command_memory_id(a, bytes([n]) * 16) for n in (1, 2) for a in AGENTS
]


def relating(one: bytes, other: bytes) -> list[bytes]:
    """Call data that says something of two memories, if they are two."""
    return [
        call_data("linkMemories(bytes32 a,bytes32 b,string c)", one, other, "caused"),
        call_data("invalidateMemory(bytes32 a,string b)", one, ""),
        call_data("supersedeMemory(bytes32 a,uint8 b,bytes c,uint16 d,string[] e)", one, 4, b"note", 100, []),
        call_data("mergeMemories(bytes32[] a,uint8 b,bytes c,uint16 d,string[] e)", [one, other], 4, b"note", 100, []),
    ]


def calls() -> st.SearchStrategy[bytes]:
    """Call data that stores, forgets, replaces or relates some of IDS, learns, or pays."""
    return st.one_of(
        st.sampled_from([b"", call_data("learn(string a)", "x"), call_data(STORE, 1, b"note", 100, ["t"])]),
        st.sampled_from(IDS).map(lambda memory_id: call_data("forgetMemory(bytes32 a)", memory_id)),
        st.tuples(st.sampled_from(IDS), st.sampled_from(IDS)).flatmap(lambda pair: st.sampled_from(relating(*pair))),
    )


@st.composite
def blocks(draw: st.DrawFn, number: int) -> Step:
    """One block of up to three transactions of two agents."""
    records = []
    for index in range(draw(st.integers(0, 3))):
        sender = draw(st.sampled_from(AGENTS))
        status = draw(st.sampled_from([0, 1, 1, 1]))
        transaction = chain_transaction(
            block=number, index=index, agent=sender, sender=sender, status=status, input=draw(calls())
        )
        records.append(record_of(topics.TRANSACTIONS, "ChainTransaction", transaction, index, key=sender))
    return BlockRef(number, block_hash(number), block_hash(number - 1)), records


@st.composite
def commands(draw: st.DrawFn) -> Step:
    """One STORE or FORGET; ids are few, so repeats and hits are common."""
    agent, forget = draw(st.sampled_from(AGENTS)), draw(st.booleans())
    name = bytes([draw(st.integers(1, 2))]) * 16
    value = {
        **plain_command(name, agent, "FORGET" if forget else "STORE", 1_700_000_000),
        "memory_id": draw(st.sampled_from(IDS)) if forget else None,
        "type": None if forget else "WORKING",
        "content": b"" if forget else b"note",
    }
    return None, [record_of(topics.COMMANDS, "MemoryCommand", value, key=agent)]


@st.composite
def claims(draw: st.DrawFn) -> Step:
    """An IMPORT from a file nobody vouches for, of a memory under an id that the chain or a command uses, with another text."""
    agent, memory_id = draw(st.sampled_from(AGENTS)), draw(st.sampled_from(IDS))
    source = draw(st.sampled_from(["CHAIN", "COMMAND", "IMPORT"]))
    block: Any = BlockRef(1, block_hash(1), block_hash(0)).record() if source == "CHAIN" else None
    memory = {
        **plain_memory(memory_id, agent, "SEMANTIC", source, 1_700_000_000),
        "block": block,
        "content": draw(st.sampled_from([b"one claim", b"another"])) + source.encode(),  # a claim is named by id and text
        "imported_from": b"\x0f" * 32,
    }
    return _imported(memory)


def _imported(memory: Any) -> Step:
    name = blake3(memory["id"] + memory["content"]).digest(16)
    value = {**plain_command(name, memory["agent"], "IMPORT", 1_700_000_000), "memory_id": memory["id"], "memory": memory}
    return None, [record_of(topics.COMMANDS, "MemoryCommand", value, key=memory["agent"])]


def restored(chain: list[Step]) -> list[Step]:
    """An IMPORT of each memory that a chain leaves, as an installation that is trusted would have exported it."""
    world = World()
    for step in chain:
        world.apply(step)
    return [_imported(memory) for memory in world.table.values() if memory is not None]


CHAIN = st.tuples(blocks(1), blocks(2), blocks(3)).map(list)


class World:
    """Agent, its state, its store, and what the compacted topic holds."""

    def __init__(self) -> None:
        self.state, self.store = MemoryState(), DictMemoryStore()
        self.agent = MemoryAgent(0, self.state, self.store)
        self.table: dict[bytes, Any] = {}

    def apply(self, step: Step) -> None:
        self._write(list(self.agent.apply(*step)))

    def revert(self, step: Step) -> None:
        assert step[0] is not None
        self._write(list(self.agent.revert(step[0], step[1])))

    def snapshot(self) -> tuple[Any, ...]:
        asyncio.run(self.agent.flush())
        rows = {key: value for key, value in self.table.items() if value is not None}
        return dict(self.state.content), {a: dict(r) for a, r in self.store.rows.items()}, rows, self.agent.state_digest()

    def _write(self, emits: list[Emit]) -> None:
        self.table.update((emit.key, emit.value) for emit in emits if emit.topic == topics.MEMORY_STATE)


@given(CHAIN, st.lists(commands(), max_size=4), st.data())
def test_revert_of_a_block_after_its_apply_is_identity(chain: list[Step], commanded: list[Step], data: st.DataObject) -> None:
    world = World()
    for step in [*commanded, *chain[:2]]:
        world.apply(step)
    before = world.snapshot()
    world.apply(chain[2])
    world.revert(chain[2])
    assert world.snapshot() == before


@given(CHAIN, st.lists(st.one_of(commands(), claims()), max_size=4), st.data())
def test_commands_may_come_anywhere_and_a_reorg_leaves_what_never_having_seen_it_would(
    chain: list[Step], commanded: list[Step], data: st.DataObject
) -> None:
    vouched_for = restored(chain)
    commanded += data.draw(st.lists(st.sampled_from(vouched_for), max_size=3, unique_by=id)) if vouched_for else []
    plain = World()
    for step in [chain[0], *commanded]:
        plain.apply(step)
    mixed = World()
    places = [data.draw(st.integers(0, 5)) for _ in commanded]
    detour: list[tuple[bool, Step]] = [
        (True, chain[0]),
        (True, chain[1]),
        (True, chain[2]),
        (False, chain[2]),
        (False, chain[1]),
    ]
    for position in range(6):
        for place, command in sorted(zip(places, commanded, strict=True), key=lambda pair: pair[0]):
            if place == position:
                mixed.apply(command)
        if position < 5:
            forward, step = detour[position]
            (mixed.apply if forward else mixed.revert)(step)
    assert mixed.snapshot() == plain.snapshot()


@given(CHAIN, st.lists(claims(), min_size=1, max_size=6), st.data())
def test_a_claim_changes_nothing_that_the_chain_says_whenever_it_comes(
    chain: list[Step], claimed: list[Step], data: st.DataObject
) -> None:
    alone, beside = World(), World()
    for step in chain:
        alone.apply(step)
    order: list[Step] = data.draw(st.permutations([*range(3), *claimed]).map(lambda mixed: _in_order(mixed, chain)))
    for step in order:
        beside.apply(step)
    said = {key: memory for key, memory in beside.table.items() if memory is not None}
    held = {key: said[key] for key in said if not is_claimed(key[:20], key[20:])}
    assert held == {key: memory for key, memory in alone.table.items() if memory is not None}
    assert all(memory["imported_from"] for key, memory in said.items() if key not in held)
    assert said.keys() > held.keys()


def _in_order(mixed: list[Any], chain: list[Step]) -> list[Step]:
    """The blocks among the others where numbers stand, in their own order."""
    left = iter(chain)
    return [next(left) if isinstance(one, int) else one for one in mixed]


@given(CHAIN)
def test_applying_a_block_twice_is_applying_it_once(chain: list[Step]) -> None:
    once, twice = World(), World()
    for step in chain:
        once.apply(step)
        twice.apply(step)
        twice.apply(step)
    assert once.snapshot() == twice.snapshot()
