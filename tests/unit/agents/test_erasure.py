"""ERASE in the stream agents: what goes, what stays, in which order things are read, and that nothing brings it back."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from schemas.codec import codec, using
from streams import topics
from streams.agents.access import Authority
from streams.agents.base import Emit, Record
from streams.agents.embedding import EmbeddingAgent
from streams.agents.lattice import LatticeAgent
from streams.agents.memory import MemoryAgent
from streams.core.block import BlockRef
from streams.core.presence import everything
from streams.core.record import ERASED
from streams.errors import PoisonError
from streams.ports.log import TopicPartition
from streams.runtime.decode import decode
from streams.signing import Signer, Verifier
from streams.vault.keys import FileKeyStore
from streams.vault.master import MasterKey
from streams.vault.sealing import SealingCodec
from tests.fakes import DictMemoryStore, MemoryState
from tests.serving_fakes import FakeEmbedder, FakeVectorStore
from tests.transactions import AGENT, PEER, call_data, chain_transaction
from tests.unit.agents.test_memory_facts import STORE, command

CANARY = "canary in the erasure of agents"
BLOCKS = [BlockRef(n, n.to_bytes(32, "big"), (n - 1).to_bytes(32, "big")) for n in range(1, 6)]


class Message:
    timestamp = 0

    def __init__(self, offset: int, key: bytes | None, value: bytes) -> None:
        self.offset, self.key, self.value = offset, key, value


class Line:
    """The memory agent, and embedding and lattice behind it, over a log in wire form that can be read again."""

    def __init__(self, sealing: SealingCodec) -> None:
        self.sealing = sealing
        self.inputs: list[tuple[str, BlockRef | None, list[tuple[bytes, bytes]]]] = []
        self.log: list[tuple[str, BlockRef | None, list[tuple[bytes, bytes]]]] = []
        self.start()

    def start(self) -> None:
        """All agents anew, with nothing."""
        self.store, self.index = DictMemoryStore(), FakeVectorStore()
        self.states = [MemoryState(), MemoryState(), MemoryState()]
        self.memory = MemoryAgent(0, self.states[0], self.store)
        self.embedding = EmbeddingAgent(0, self.states[1], FakeEmbedder(), self.index)
        self.lattice = LatticeAgent(0, self.states[2], self.sealing.keys.leaf_secret)
        self.tables: dict[str, dict[bytes, Any]] = {}

    def _records(self, topic: str, pairs: list[tuple[bytes, bytes]]) -> list[Record]:
        read = decode(TopicPartition(topic, 0), [Message(n, *pair) for n, pair in enumerate(pairs)])
        return [record for record in read if record.type != ERASED]

    def _keep(self, emits: Iterable[Emit]) -> None:
        for emit in emits:
            if emit.value is not None:
                self.tables.setdefault(emit.topic, {})[emit.key] = codec().encode(emit.type, emit.value)
            else:
                self.tables.setdefault(emit.topic, {}).pop(emit.key, None)

    async def say(self, topic: str, kind: str, records: list[dict[str, Any]], block: BlockRef | None = None) -> None:
        """Something new in an input topic."""
        self.inputs.append((topic, block, [(record["agent"], codec().encode(kind, record)) for record in records]))
        await self.take(*self.inputs[-1])

    async def take(self, topic: str, block: BlockRef | None, pairs: list[tuple[bytes, bytes]], *, write: bool = True) -> None:
        records = self._records(topic, pairs)
        await self.memory.prepare(records)
        emits = list(self.memory.apply(block, records))
        await self.memory.flush()
        facts = [emit for emit in emits if emit.topic == topics.MEMORY_LOG]
        self._keep(emit for emit in emits if emit.topic != topics.MEMORY_LOG)
        if write:
            self.log.append(("apply", block, [(emit.key, codec().encode(emit.type, emit.value)) for emit in facts]))
            await self.follow(*self.log[-1])

    async def undo(self, block: BlockRef) -> None:
        for topic, of, pairs in reversed(self.inputs):
            if of == block:
                self._keep(self.memory.revert(block, self._records(topic, pairs)))
        await self.memory.flush()
        self.inputs = [entry for entry in self.inputs if entry[1] != block]
        for way, of, pairs in [entry for entry in self.log if entry[1] == block]:
            assert way == "apply"
            self.log.append(("revert", of, pairs))
            await self.follow(*self.log[-1])

    async def follow(self, way: str, block: BlockRef | None, pairs: list[tuple[bytes, bytes]]) -> None:
        records = self._records(topics.MEMORY_LOG, pairs)
        for agent in (self.embedding, self.lattice):
            await agent.prepare(records)
            if way == "apply":
                self._keep(agent.apply(block, records))
            elif block is not None:
                self._keep(agent.revert(block, records))
            self._keep(agent.emit_before_commit())
            await agent.flush()

    async def replay(self) -> None:
        """Everything from the beginning of the log: transactions first, commands then, as the runtime catches up."""
        self.start()
        for topic in (topics.TRANSACTIONS, topics.COMMANDS):
            for entry in [entry for entry in self.inputs if entry[0] == topic]:
                await self.take(*entry, write=False)
        for entry in self.log:
            await self.follow(*entry)

    def all_bytes(self) -> bytes:
        """Whatever is kept anywhere."""
        pieces = [key + value for state in self.states for key, value in state.content.items()]
        pieces += [key + value for table in self.tables.values() for key, value in table.items()]
        pieces += [value for entries in (self.inputs, self.log) for _, _, pairs in entries for _, value in pairs]
        return b"\n".join(pieces)

    def roots(self) -> dict[bytes, Any]:
        return {key: codec().decode(value)[1] for key, value in self.tables.get(topics.ROOTS, {}).items()}


def transaction(block: BlockRef, agent: bytes, text: str, index: int = 0) -> dict[str, Any]:
    return chain_transaction(
        input=call_data(STORE, 1, text.encode(), 5_000, []), block=block.record(), agent=agent, sender=agent, index=index
    )


def storing(agent: bytes, number: int, text: str) -> dict[str, Any]:
    return {**command(agent=agent, id=number.to_bytes(16, "big")), "content": text.encode()}


def erasing(agent: bytes = AGENT, **fields: Any) -> dict[str, Any]:
    from schemas.defaults import plain_command  # noqa: PLC0415

    return {**plain_command(b"e" * 16, agent, "ERASE", 99), **fields}


@pytest.fixture
def sealing(tmp_path: Path) -> SealingCodec:
    return SealingCodec(FileKeyStore(tmp_path / "keys", lambda: MasterKey(bytes(32))))


async def told(line: Line) -> None:
    """Two agents with memories by chain and by command."""
    for n, block in enumerate(BLOCKS[:3]):
        both = [transaction(block, AGENT, f"{CANARY} {n}"), transaction(block, PEER, f"peer {n}", 1)]
        await line.say(topics.TRANSACTIONS, "ChainTransaction", both, block)
        await line.say(
            topics.COMMANDS, "MemoryCommand", [storing(AGENT, n, f"{CANARY} said {n}"), storing(PEER, n, f"said {n}")]
        )


async def test_an_erasure_takes_one_agent_and_leaves_the_others_to_the_bit(sealing: SealingCodec) -> None:
    with using(sealing):
        line, plain = Line(sealing), Line(sealing)
        await told(line)
        await told(plain)
        before = line.roots()
        assert len(await line.store.live_ids(AGENT, everything)) == 9
        await line.say(topics.COMMANDS, "MemoryCommand", [erasing()])
        after = line.roots()
        assert after.pop(PEER) == before[PEER] == plain.roots()[PEER]
        assert (after[AGENT]["count"], after[AGENT]["merkle_root"]) == (0, bytes(32))
        assert AGENT not in line.store.rows or not line.store.rows[AGENT]
        assert not [key for key in line.states[0].content if key.startswith(b"m" + AGENT)]
        for topic in (topics.MEMORY_STATE, topics.EMBEDDINGS):
            assert {key[:20] for key in line.tables[topic]} == {PEER}
        assert {agent for agent, _ in line.index.rows} == {PEER}
        assert line.lattice.state_digest() == plain.lattice.state_digest()  # what stands on the chain
        assert line.memory.state_digest() == plain.memory.state_digest()
        (said,) = [codec().decode(value)[1] for value in line.tables[topics.ERASURES].values()]
        assert said == {"agent": AGENT, "command": b"e" * 16, "timestamp": 99, "memories": 9}


async def test_history_read_again_gives_the_same_state_with_the_keys_and_without(sealing: SealingCodec) -> None:
    with using(sealing):
        line = Line(sealing)
        await told(line)
        await line.say(topics.COMMANDS, "MemoryCommand", [erasing()])
        await line.say(topics.TRANSACTIONS, "ChainTransaction", [transaction(BLOCKS[3], AGENT, f"{CANARY} late")], BLOCKS[3])
        seen = ([dict(state.content) for state in line.states[1:]], line.roots(), line.lattice.final_log.frontier())
        mine = {key: value for key, value in line.states[0].content.items() if AGENT not in key}
        digests = line.memory.state_digest(), line.lattice.state_digest()
        for destroyed in (False, True):
            if destroyed:
                sealing.keys.destroy(AGENT)
            await line.replay()
            assert ([dict(state.content) for state in line.states[1:]], line.roots(), line.lattice.final_log.frontier()) == seen
            assert {key: value for key, value in line.states[0].content.items() if AGENT not in key} == mine
            assert (line.memory.state_digest(), line.lattice.state_digest()) == digests
            assert await line.store.live_ids(AGENT, everything) == []
            assert {agent for agent, _ in line.index.rows} == {PEER}


async def test_no_reorg_brings_anything_back(sealing: SealingCodec) -> None:
    with using(sealing):
        line, plain = Line(sealing), Line(sealing)
        for each in (line, plain):
            await told(each)
        digests = []
        for each in (plain, line):
            if each is line:
                await line.say(topics.COMMANDS, "MemoryCommand", [erasing()])
                sealing.keys.destroy(AGENT)
            await each.undo(BLOCKS[2])
            await each.undo(BLOCKS[1])
            digests.append((each.memory.state_digest(), each.lattice.state_digest()))
            both = [transaction(BLOCKS[1], AGENT, f"{CANARY} again"), transaction(BLOCKS[1], PEER, "peer 1", 1)]
            await each.say(topics.TRANSACTIONS, "ChainTransaction", both, BLOCKS[1])
        assert digests[0] == digests[1]  # so checkpoints written before the erasure hold after it
        assert await line.store.live_ids(AGENT, everything) == []
        assert line.roots()[AGENT]["count"] == 0
        assert {agent for agent, _ in line.index.rows} == {PEER}
        peers = len(await line.store.live_ids(PEER, everything))
        assert line.roots()[PEER]["count"] == peers == 7


async def test_nothing_of_it_is_left_in_what_is_kept_but_on_the_chain(sealing: SealingCodec) -> None:
    with using(sealing):
        line = Line(sealing)
        await line.say(topics.COMMANDS, "MemoryCommand", [storing(AGENT, n, f"{CANARY} {n}") for n in range(3)])
        assert CANARY.encode() not in line.all_bytes()
    line = Line(sealing)  # and without sealing it would be
    await line.say(topics.COMMANDS, "MemoryCommand", [storing(AGENT, n, f"{CANARY} {n}") for n in range(3)])
    assert CANARY.encode() in line.all_bytes()


async def test_what_comes_later_of_an_erased_agent_is_passed_over_also_in_one_batch(sealing: SealingCodec) -> None:
    with using(sealing):
        line = Line(sealing)
        batch = [storing(AGENT, 1, "one"), storing(PEER, 1, "peer"), erasing(), storing(AGENT, 2, "two"), erasing(id=b"f" * 16)]
        await line.say(topics.COMMANDS, "MemoryCommand", batch)
        await line.say(topics.COMMANDS, "MemoryCommand", [storing(AGENT, 3, "three")])
        assert await line.store.live_ids(AGENT, everything) == []
        assert len(await line.store.live_ids(PEER, everything)) == 1
        (said,) = [codec().decode(value)[1] for value in line.tables[topics.ERASURES].values()]
        assert (said["command"], said["memories"]) == (b"e" * 16, 1)


def one(record: dict[str, Any], key: bytes | None = None) -> list[Record]:
    return [
        Record(topics.COMMANDS, 0, 0, key or record["agent"], "MemoryCommand", record, codec().encode("MemoryCommand", record))
    ]


def test_an_erasure_that_nobody_may_ask_for_is_refused_and_changes_nothing() -> None:
    state = MemoryState()
    authority = Authority("gateway", Verifier([Signer(bytes(32)).public]))
    agent = MemoryAgent(0, state, DictMemoryStore(), authority=authority)
    for record, key in ((erasing(), None), (erasing(signature=bytes(72)), None), (erasing(), PEER)):
        with pytest.raises(PoisonError):
            list(agent.apply(None, one(record, key)))
    by_another = erasing(author=PEER)
    from streams.identity.commands import sign_as_gateway  # noqa: PLC0415

    with pytest.raises(PoisonError, match="the agent's own to say"):
        list(agent.apply(None, one(sign_as_gateway(Signer(bytes(32)), by_another))))  # type: ignore[arg-type]
    assert state.content == {}
    assert list(agent.apply(None, one(sign_as_gateway(Signer(bytes(32)), erasing()))))  # type: ignore[arg-type]
    assert state.content == {b"e" + AGENT: b""}
