"""The lattice agent over random histories of blocks, undos, commands, finality, commits and restarts, against the oracle."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import codec
from schemas.records import LatticeRoot, MemoryFact
from streams.agents.base import Emit
from streams.agents.lattice import LatticeAgent
from streams.core.block import BlockRef
from streams.core.log_entry import entry_hash
from streams.core.lthash import ZERO, LtHash, merge
from streams.core.merkle.log import verify_consistency, verify_inclusion
from streams.oracle import Oracle, World, differences
from tests.facts import agent_of, delete, digest, secret_of, upsert
from tests.fakes import MemoryState, record_of

AGENTS = 3
GENESIS = BlockRef(0, digest("genesis"), bytes(32))


def oracle_of(facts: list[MemoryFact]) -> World:
    return Oracle(lambda fact: (fact,), secret_of).fold(facts).world()


@dataclass
class Partition:
    """A lattice agent with what the runtime would keep around it."""

    number: int = 0
    state: MemoryState = field(default_factory=MemoryState)
    roots: dict[bytes, LatticeRoot] = field(default_factory=dict)
    log: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.agent = LatticeAgent(self.number, self.state, secret_of)

    def take(self, emissions: Any) -> None:
        for emit in emissions:
            assert isinstance(emit, Emit)
            assert emit.topic == "memory.roots"
            if emit.value is not None:
                assert codec().decode(codec().encode(emit.type, emit.value)) == (emit.type, emit.value)
            if emit.type == "LatticeLog":
                self.log.append(emit.value)
            elif emit.value is None:
                self.roots.pop(emit.key, None)
            else:
                self.roots[emit.key] = emit.value

    def apply(self, block: BlockRef | None, facts: list[MemoryFact]) -> None:
        self.take(self.agent.apply(block, [record_of("memory.log", "MemoryFact", fact) for fact in facts]))

    def revert(self, block: BlockRef, facts: list[MemoryFact]) -> None:
        self.take(self.agent.revert(block, [record_of("memory.log", "MemoryFact", fact) for fact in facts]))

    def commit(self) -> None:
        self.take(self.agent.emit_before_commit())


@dataclass
class History:
    """A chain with commands beside it, as it grows and shrinks."""

    chain: list[tuple[BlockRef, list[MemoryFact]]] = field(default_factory=list)
    commands: list[MemoryFact] = field(default_factory=list)
    seen: list[tuple[bytes, bytes]] = field(default_factory=list)
    undone: list[tuple[BlockRef, list[MemoryFact]]] = field(default_factory=list)
    final: int = 0

    @property
    def tip(self) -> BlockRef:
        return self.chain[-1][0] if self.chain else GENESIS

    def facts(self) -> list[MemoryFact]:
        return [fact for _, facts in self.chain for fact in facts] + self.commands

    def draw_facts(self, data: st.DataObject, block: BlockRef | None) -> list[MemoryFact]:
        facts: list[MemoryFact] = []
        for choice, number in data.draw(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40)), max_size=6)):
            place = digest(block, len(facts), len(self.seen))
            if choice < 4 or not self.seen:
                owner = agent_of(number % AGENTS)
                self.seen.append((owner, digest("id", place)))
                facts.append(upsert(*self.seen[-1], digest("cause", place), block))
            elif choice == 4:
                facts.append(delete(*self.seen[number % len(self.seen)], digest("cause", place), block))
            else:
                earlier = facts or (self.commands if block is None else [])
                facts += earlier[-1:]  # told twice
        return facts


steps = st.lists(
    st.sampled_from(["block", "block", "block", "undo", "redo", "command", "final", "commit", "restart"]), max_size=25
)


@settings(max_examples=150, deadline=None)
@given(steps, st.data())
def test_any_history_leaves_what_the_oracle_says(names: list[str], data: st.DataObject) -> None:
    history, partition = History(), Partition()
    digests: dict[tuple[bytes, ...], bytes] = {(): ZERO.checksum()}
    for salt, name in enumerate(names):
        if name == "block":
            block = BlockRef(history.tip.number + 1, digest(salt, history.tip.hash), history.tip.hash)
            facts = history.draw_facts(data, block)
            history.chain.append((block, facts))
            partition.apply(block, facts)
        elif name == "undo":
            depth = data.draw(st.integers(0, len(history.chain) - history.final))
            for block, facts in reversed(history.chain[len(history.chain) - depth :]):
                partition.revert(block, facts)
            history.undone += history.chain[len(history.chain) - depth :]
            del history.chain[len(history.chain) - depth :]
        elif name == "redo":
            for block, facts in history.undone:
                if block.parent == history.tip.hash:
                    history.chain.append((block, facts))
                    partition.apply(block, facts)
        elif name == "command":
            facts = history.draw_facts(data, None)
            history.commands += facts
            partition.apply(None, facts)
        elif name == "final" and history.final < len(history.chain):
            history.final = data.draw(st.integers(history.final + 1, len(history.chain)))
            partition.take(partition.agent.finalize(history.chain[history.final - 1][0]))
        elif name == "commit":
            partition.commit()
            assert differences(oracle_of(history.facts()), partition.roots) == []
        elif name == "restart":
            partition.commit()
            partition.restart()
        standing = tuple(block.hash for block, _ in history.chain)
        assert digests.setdefault(standing, partition.agent.state_digest()) == partition.agent.state_digest()
    partition.commit()
    check(partition, history)


def check(partition: Partition, history: History) -> None:
    world = oracle_of(history.facts())
    assert differences(world, partition.roots) == []
    assert partition.agent.total.checksum() == world.checksum
    chain_only = oracle_of([fact for _, facts in history.chain for fact in facts])
    assert partition.agent.state_digest() == chain_only.checksum
    for agent, root in partition.roots.items():
        touching = [block for block, facts in history.chain if any(fact["owner"] == agent for fact in facts)]
        assert root["block"] == (touching[-1].record() if touching else None)
    for entry in partition.log:
        block = BlockRef.of(entry["block"])
        below = [fact for other, facts in history.chain if other.number <= block.number for fact in facts]
        assert entry["checksum"] == oracle_of(below).checksum
    check_log(partition)


def check_log(partition: Partition) -> None:
    log, size = partition.agent.final_log, len(partition.log)
    assert log.frontier().size == size
    for index, entry in enumerate(partition.log):
        assert entry["index"] == index
        assert log.root(index + 1) == entry["root"]
        leaf = entry_hash(0, BlockRef.of(entry["block"]), entry["checksum"])
        assert verify_inclusion(index, size, leaf, log.prove_inclusion(index, size), partition.log[-1]["root"])
        proof = log.prove_consistency(index + 1, size)
        assert verify_consistency(index + 1, size, proof, entry["root"], partition.log[-1]["root"])


@settings(max_examples=100, deadline=None)
@given(st.data(), st.integers(0, 3), st.integers(1, 4))
def test_apply_then_revert_is_the_identity_on_bytes(data: st.DataObject, before: int, depth: int) -> None:
    history, partition = History(), Partition()
    for _ in range(before):
        facts = history.draw_facts(data, None)
        partition.apply(None, facts)
        block = BlockRef(history.tip.number + 1, digest(history.tip), history.tip.hash)
        facts = history.draw_facts(data, block)
        history.chain.append((block, facts))
        partition.apply(block, facts)
    partition.commit()
    snapshot, roots = dict(partition.state.content), dict(partition.roots)
    state, total = partition.agent.state_digest(), bytes(partition.agent.total)
    added = []
    for number in range(depth):
        parent = added[-1][0] if added else history.tip
        block = BlockRef(parent.number + 1, digest("fork", number, parent), parent.hash)
        added.append((block, history.draw_facts(data, block)))
        partition.apply(*added[-1])
    if data.draw(st.booleans()):
        partition.commit()
    for block, facts in reversed(added):
        partition.revert(block, facts)
    partition.commit()
    assert partition.state.content == snapshot
    assert partition.roots == roots
    assert (partition.agent.state_digest(), bytes(partition.agent.total)) == (state, total)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.randoms(use_true_random=False))
def test_any_order_and_any_partitioning_give_the_same_bytes(data: st.DataObject, random: Any) -> None:
    history, whole = History(), Partition()
    facts = history.draw_facts(data, None) + history.draw_facts(data, None)
    whole.apply(None, facts)
    whole.commit()
    homes = [data.draw(st.integers(0, 2)) for _ in range(AGENTS)]
    parts = [Partition(number) for number in range(3)]
    random.shuffle(facts)
    for fact in facts:
        parts[homes[fact["owner"][0] - 1]].apply(None, [fact])
    for part in parts:
        part.commit()
    assert {agent: root for part in parts for agent, root in part.roots.items()} == whole.roots
    assert bytes(merge(part.agent.total for part in parts)) == bytes(whole.agent.total)
    assert bytes(merge(LtHash.of(root["lattice"]) for root in whole.roots.values())) == bytes(whole.agent.total)
