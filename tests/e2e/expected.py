"""What must come out: a single-thread fold of the canonical chain and the commands, and how a finished run differs from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from blake3 import blake3

from connectors.stores import open_memory_store, open_vector_store
from schemas.codec import codec
from schemas.records import ChainTransaction, Memory, MemoryCommand, MemoryFact
from streams import topics
from streams.agents.graph import GraphAgent
from streams.agents.intent import intent_record
from streams.agents.memory_facts import command_facts, transaction_facts
from streams.cli.demo.check import canonical_records
from streams.core.block import BlockRef
from streams.core.canonical_text import canonical_text
from streams.decoding.nl.parser import default_reader
from streams.oracle import Oracle, World, differences
from streams.ports.chain import ChainSource
from streams.ports.embedder import Embedder
from streams.settings import Settings
from streams.vault.sealing import open_keys, sealed_records
from tests.e2e.readback import Partition, marked, read, records, table
from tests.fakes import MemoryState, record_of

Name = tuple[str, bytes, bytes, bytes, bytes]


def name_of(fact: MemoryFact) -> Name:
    """What makes a fact one fact."""
    block = fact["block"]
    return fact["op"], fact["owner"], fact["memory_id"], fact["cause"], block["hash"] if block else b""


@dataclass(frozen=True)
class Expected:
    """``memories``: every memory that was ever upserted on the canonical chain or by command, by agent + id."""

    blocks: list[BlockRef]
    facts: Counter[Name]
    intents: Counter[bytes]
    memories: dict[bytes, Memory]
    world: World
    graph: dict[tuple[str, bytes], Any] = field(default_factory=dict)

    @property
    def live(self) -> set[bytes]:
        """Keys (agent + id) of live memories."""
        return {agent + id_ for agent, state in self.world.agents.items() for id_ in state.ids}


async def expect(source: ChainSource, settings: Settings, head: BlockRef, commands: Iterable[MemoryCommand] = ()) -> Expected:
    """Reads the chain from ``source``, not from the log."""
    reader = default_reader()
    records = [record async for record in canonical_records(source, settings, head)]
    readings = [reader.read(record) for record in records]
    facts = [fact for record, reading in zip(records, readings, strict=True) for fact in transaction_facts(record, reading)] + [
        fact for command in commands for fact in command_facts(command["agent"], command)
    ]
    keys = open_keys(settings)
    oracle: Oracle[MemoryFact] = Oracle(lambda fact: [fact], keys.leaf_secret)
    oracle.fold(facts)
    intents = (codec().encode("Intent", intent_record(*pair)) for pair in zip(records, readings, strict=True))
    memories = {fact["owner"] + fact["memory_id"]: fact["memory"] for fact in reversed(facts) if fact["memory"]}
    return Expected(
        await _refs(source, settings, head),
        Counter(map(name_of, facts)),
        Counter(intents),
        memories,
        oracle.world(),
        graph_of(records),
    )


def graph_of(transactions: Iterable[ChainTransaction]) -> dict[tuple[str, bytes], Any]:
    """Rows of graph.edges and agents.registry, by one pass over the canonical chain."""
    agent = GraphAgent(0, MemoryState())
    emits = list(agent.apply(None, [record_of(topics.TRANSACTIONS, "ChainTransaction", tx) for tx in transactions]))
    return {(emit.topic, emit.key): emit.value for emit in (*emits, *agent.emit_before_commit())}


async def _refs(source: ChainSource, settings: Settings, head: BlockRef) -> list[BlockRef]:
    found = await source.canonical(range(settings.chain.start_block, head.number + 1))
    assert all(ref is not None for ref in found)
    return [ref for ref in found if ref is not None]


async def faults(settings: Settings, expected: Expected, agents: Sequence[str], embedder: Embedder | None = None) -> list[str]:
    """Everything the outputs of ``agents`` have that they must not, or lack; empty if the run is right to the last byte."""
    with sealed_records(settings):
        return await _faults(settings, expected, agents, embedder)


async def _faults(settings: Settings, expected: Expected, agents: Sequence[str], embedder: Embedder | None) -> list[str]:
    found = _blocks(await marked(settings, topics.TRANSACTIONS), expected, topics.TRANSACTIONS)
    if "intent" in agents:
        found += await _intents(settings, expected)
    if "memory" in agents:
        found += await _memory(settings, expected)
    if "lattice" in agents:
        found += await _lattice(settings, expected)
    if "graph" in agents:
        found += await _graph(settings, expected)
    if "embedding" in agents:
        assert embedder is not None
        found += await _embedding(settings, expected, embedder)
    return found


def _blocks(partitions: dict[int, Partition], expected: Expected, topic: str) -> list[str]:
    return [
        f"{topic}/{number}: {len(partition.blocks)} blocks stand, {len(expected.blocks)} must"
        for number, partition in partitions.items()
        if [ref for ref, _ in partition.blocks] != expected.blocks
    ]


def _difference(what: str, wanted: Counter, got: Counter) -> list[str]:
    lost, extra = wanted - got, got - wanted
    return [f"{what}: {lost.total()} lost, {extra.total()} too many or doubled"] if lost or extra else []


async def _intents(settings: Settings, expected: Expected) -> list[str]:
    found = await marked(settings, topics.INTENTS)
    values = Counter(value for partition in found.values() for value in partition.values)
    return _blocks(found, expected, topics.INTENTS) + _difference(topics.INTENTS, expected.intents, values)


def said(memory: Memory) -> Memory:
    """Without when the log had it, which who reads commands alone does not know."""
    return {**memory, "known_at": None}


async def _memory(settings: Settings, expected: Expected) -> list[str]:
    found = await marked(settings, topics.MEMORY_LOG)
    facts = Counter(name_of(codec().decode(value)[1]) for partition in found.values() for value in partition.values)
    faults = _blocks(found, expected, topics.MEMORY_LOG) + _difference(topics.MEMORY_LOG, expected.facts, facts)
    state = await table(settings.kafka, topics.MEMORY_STATE, "Memory")
    wanted = {key: memory for key, memory in expected.memories.items() if key in expected.live}
    faults += _difference(topics.MEMORY_STATE, Counter(wanted.keys()), Counter(state.keys()))
    differing = [key for key in wanted if said(state.get(key, wanted[key])) != wanted[key]]
    faults += [f"{topics.MEMORY_STATE}: {key.hex()} differs" for key in differing]
    store = open_memory_store(settings)
    try:
        held = Counter([agent + id_ async for agent in store.agents() for id_ in await store.live_ids(agent, lambda _: True)])
    finally:
        await store.close()
    return faults + _difference("memory store", Counter(expected.live), held)


async def _lattice(settings: Settings, expected: Expected) -> list[str]:
    return [str(found) for found in differences(expected.world, await table(settings.kafka, topics.ROOTS, "LatticeRoot"))]


async def _graph(settings: Settings, expected: Expected) -> list[str]:
    found: dict[tuple[str, bytes], Any] = {}
    for topic, kind in ((topics.EDGES, "GraphEdge"), (topics.REGISTRY, "AgentProfile")):
        found |= {(topic, key): row for key, row in (await table(settings.kafka, topic, kind)).items()}
    names = expected.graph.keys() | found.keys()
    wrong = [name for name in names if expected.graph.get(name) != found.get(name)]
    return [f"{topic}: {key.hex()} is not as one pass over the chain has it" for topic, key in sorted(wrong)]


async def _embedding(settings: Settings, expected: Expected, embedder: Embedder) -> list[str]:
    texts = {key: canonical_text(memory["content"], memory["media_type"]) for key, memory in expected.memories.items()}
    rows = await table(settings.kafka, topics.EMBEDDINGS, "Embedding")
    due = [key for key in expected.live if texts[key] is not None]
    faults = (
        [f"{topics.EMBEDDINGS}: {len(rows.keys() - texts.keys())} vectors of nothing"] if rows.keys() - texts.keys() else []
    )
    vectors = embedder.embed([texts[key] or "" for key in due]) if due else []
    store = open_vector_store(settings)
    try:
        held = await store.find([(key[:20], key[20:]) for key in due])
    finally:
        await store.close()
    for key, vector, row in zip(due, vectors, held, strict=True):
        said = rows.get(key)
        if said is None or said["vector"] != vector.astype("<f4").tobytes():
            faults.append(f"{topics.EMBEDDINGS}: {key.hex()} is {'missing' if said is None else 'another vector'}")
        elif said["text_digest"] != blake3((texts[key] or "").encode()).digest():
            faults.append(f"{topics.EMBEDDINGS}: {key.hex()} names another text")
        if row is None or row.vector.tobytes() != vector.tobytes():
            faults.append(f"vector store: {key.hex()} is {'missing' if row is None else 'another vector'}")
    return faults


async def letters(settings: Settings) -> list[dict]:
    """The dead letters."""
    entries = (await read(settings.kafka, topics.DLQ))[0]
    return [record for name, record in records(entry.value for entry in entries) if name == "DeadLetter"]
