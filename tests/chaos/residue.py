"""What a run left behind, as events: whole logs, what follows from them, rows of tables and stores beside the oracle's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from connectors.chain.rpc import RpcSource
from connectors.stores import open_memory_store
from schemas.codec import codec
from schemas.records import MemoryCommand
from streams.agents.memory_facts import command_facts
from streams.core.block import BlockRef
from streams.core.ids import command_cause
from streams.errors import PoisonError
from streams.settings import Settings
from streams.topics import (
    COMMANDS,
    DLQ,
    EDGES,
    INTENTS,
    MEMORY_LOG,
    MEMORY_STATE,
    REGISTRY,
    ROOTS,
    TRANSACTIONS,
    physical,
)
from tests.chaos.naming import decode, entry
from tests.chaos.vectors import vectors
from tests.checker.events import Applied, Chain, Digest, Distinct, Due, Entry, Event, Log, Marker, Row
from tests.e2e.expected import Expected, expect, said
from tests.e2e.readback import Entry as Raw
from tests.e2e.readback import read, table

MARKED = (TRANSACTIONS, INTENTS, MEMORY_LOG)
INPUTS = {
    "intent": (TRANSACTIONS,),
    "memory": (TRANSACTIONS, COMMANDS),
    "embedding": (MEMORY_LOG,),
    "lattice": (MEMORY_LOG,),
    "graph": (TRANSACTIONS,),
}
OUTPUT = {"intent": INTENTS, "memory": MEMORY_LOG}
"""Marked output of a stream agent: a marker there shows that the input up to the same sequence was processed."""

Raws = Mapping[str, Mapping[int, list[Raw]]]
Items = Mapping[str, Mapping[int, list[Entry | Marker]]]


async def residue(settings: Settings, rpc_url: str, head: BlockRef) -> list[Event]:
    """Reads everything. The node must rest at ``head`` and the pipeline too."""
    raws = {topic: await read(settings.kafka, topic) for topic in (*MARKED, COMMANDS, DLQ)}
    items = {
        topic: {number: [entry(topic, number, *raw) for raw in found] for number, found in raws[topic].items()}
        for topic in (*MARKED, COMMANDS)
    }
    source = RpcSource(rpc_url, level="header")
    try:
        expected = await expect(source, settings, head, _commands(raws))
    finally:
        await source.close()
    return [
        *_logs(items),
        *_applied(items),
        *_answered(raws, settings),
        *_distinct(items),
        *_facts(raws, expected),
        *_poison(raws, settings),
        *await _tables(settings, expected),
        *await vectors(settings, expected, _owners(raws), _final(raws)),
    ]


def _final(raws: Raws) -> int:
    """Height of the finality line of the log of memories; -1 where nothing is final."""
    records = (decode(raw.value or b"") for found in raws[MEMORY_LOG].values() for raw in found if raw.key is None)
    return max((m["block"]["number"] for kind, m in records if kind == "Marker" and m["step"] == "FINAL"), default=-1)


def _owners(raws: Raws) -> set[bytes]:
    return {raw.key for found in raws[MEMORY_LOG].values() for raw in found if raw.key is not None}


def _logs(items: Items) -> Iterator[Event]:
    yield Chain(topic=TRANSACTIONS, partition=0)
    for topic, partitions in items.items():
        for partition, found in partitions.items():
            end = found[-1].offset + 1 if found else 0
            yield Log(topic=topic, partition=partition, start=0, end=end)
            yield from found


def _applied(items: Items) -> Iterator[Applied]:
    """By the markers that came out, what of the marked input went in."""
    for agent, output in OUTPUT.items():
        for partition, found in items[TRANSACTIONS].items():
            done = {item.sequence for item in items[output][partition] if isinstance(item, Marker)}
            marks = [-1, *(i for i, item in enumerate(found) if isinstance(item, Marker))]
            offsets = [
                item.offset
                for before, at in pairwise(marks)
                if _sequence(found[at]) in done
                for item in found[before + 1 : at + 1]
            ]
            yield Applied(group=agent, topic=TRANSACTIONS, partition=partition, offsets=tuple(offsets))


def _sequence(item: Entry | Marker) -> int:
    return item.sequence if isinstance(item, Marker) else -1


def _answered(raws: Raws, settings: Settings) -> Iterator[Applied]:
    """By the facts and dead letters that came out, which commands went in."""
    causes = {
        record["cause"] for found in raws[MEMORY_LOG].values() for raw in found for kind, record in [decode(raw.value or b"")]
        if kind == "MemoryFact"
    }  # fmt: skip
    dead = {place for place, _ in _letters(raws)}
    for partition, found in raws[COMMANDS].items():
        offsets = []
        for raw in found:
            kind, record = decode(raw.value or b"")
            done = kind == "MemoryCommand" and command_cause(record["agent"], record["id"]) in causes
            if done or (physical(settings.kafka.prefix, COMMANDS), partition, raw.offset) in dead:
                offsets.append(raw.offset)
        yield Applied(group="memory", topic=COMMANDS, partition=partition, offsets=tuple(offsets))


def _letters(raws: Raws) -> Iterator[tuple[tuple[str, int, int], Any]]:
    for found in raws[DLQ].values():
        for raw in found:
            _, letter = decode(raw.value or b"")
            yield (letter["topic"], letter["partition"], letter["offset"]), letter


def _distinct(items: Items) -> Iterator[Distinct]:
    for agent, inputs in INPUTS.items():
        yield Distinct(group=agent, records=sum(len(found) for topic in inputs for found in items[topic].values()))


def _good(raw: Raw) -> MemoryCommand | None:
    """The command, if it is one that may be carried out."""
    kind, record = decode(raw.value or b"")
    if kind != "MemoryCommand":
        return None
    try:
        command_facts(raw.key, record)
    except PoisonError:
        return None
    command: MemoryCommand = record
    return command


def _commands(raws: Raws) -> list[MemoryCommand]:
    return [command for found in raws[COMMANDS].values() for raw in found if (command := _good(raw)) is not None]


def _poison(raws: Raws, settings: Settings) -> Iterator[Event]:
    topic = physical(settings.kafka.prefix, COMMANDS)
    for partition, found in raws[COMMANDS].items():
        for raw in found:
            if _good(raw) is None:
                yield Due(sink=DLQ, id=f"{topic}/{partition}/{raw.offset}")
    for (source, partition, offset), _ in _letters(raws):
        yield Row(sink=DLQ, id=f"{source}/{partition}/{offset}")
    yield Due(sink=DLQ, id="")
    yield Row(sink=DLQ, id="")


def _facts(raws: Raws, expected: Expected) -> Iterator[Event]:
    """memory.log and rag.intents hold what the oracle says, each once."""
    from tests.e2e.expected import name_of  # noqa: PLC0415

    for name, count in expected.facts.items():
        yield from [Due(sink=MEMORY_LOG, id=_text(name))] * count
    for fact in _standing(raws[MEMORY_LOG]):
        record = decode(fact)[1]
        block = record["block"]
        yield Row(sink=MEMORY_LOG, id=_text(name_of(record)), block=block["hash"].hex() if block else None)
    for value, count in expected.intents.items():
        yield from [Due(sink=INTENTS, id=_text((repr(decode(value)[1]),)))] * count
    for value in _standing(raws[INTENTS]):
        intent = decode(value)[1]  # as this version reads it: another one may have written it
        yield Row(sink=INTENTS, id=_text((repr(intent),)), block=intent["block"]["hash"].hex())


def _text(parts: Iterable[str | bytes]) -> str:
    from blake3 import blake3  # noqa: PLC0415

    return blake3(repr(tuple(parts)).encode()).hexdigest(length=12)


def _standing(partitions: Mapping[int, list[Raw]]) -> Iterator[bytes]:
    """Values that stand in a marked topic."""
    for found in partitions.values():
        blocks: dict[bytes, list[bytes]] = {}
        opened: dict[bytes | None, list[bytes]] = defaultdict(list)
        for raw in found:
            kind, record = decode(raw.value or b"")
            if kind != "Marker":
                opened[record["block"]["hash"] if record["block"] else None].append(raw.value or b"")
            elif record["step"] == "NEW":
                blocks[record["block"]["hash"]] = opened.pop(record["block"]["hash"], [])
            for ref in record["removed"] if kind == "Marker" else ():
                blocks.pop(ref["hash"], None)
        for values in (*blocks.values(), *opened.values()):
            yield from values


async def _tables(settings: Settings, expected: Expected) -> list[Event]:
    """memory.state, memory.roots, the graph and the memory store."""
    found: list[Event] = []
    for key in expected.live:
        found += [Due(sink=MEMORY_STATE, id=key.hex()), Due(sink="memory store", id=key.hex())]
        found.append(Due(sink="memory store, read", id=key.hex()))
    for key, memory in (await table(settings.kafka, MEMORY_STATE, "Memory")).items():
        block = memory["block"]
        found.append(Row(sink=MEMORY_STATE, id=key.hex(), block=block["hash"].hex() if block else None))
        found.append(Digest(source=MEMORY_STATE, subject=f"memory {key.hex()}", block="end", value=repr(said(memory))))
        if key in expected.memories:
            wanted = repr(decode(codec().encode("Memory", expected.memories[key]))[1])  # as this version reads it
            found.append(Digest(source="oracle", subject=f"memory {key.hex()}", block="end", value=wanted))
    found += await _store(settings, expected)
    found += await _roots(settings, expected)
    found += await _graph(settings, expected)
    return found


async def _store(settings: Settings, expected: Expected) -> list[Event]:
    """The memory store twice: every row with the block of each fact that makes it live, and what a reader gets to see."""
    standing = {ref.hash for ref in expected.blocks}
    rows: list[Event] = []
    store = open_memory_store(settings)
    try:
        async for agent in store.agents():
            ids = await store.live_ids(agent, lambda _: True)
            for id_, stored in zip(ids, await store.get(agent, ids), strict=True):
                facts = sorted({fact.block_hash for fact in stored.presence.upserts}) if stored else []
                stands = not facts or any(block in standing or not block for block in facts)
                rows.append(Row(sink="memory store", id=(agent + id_).hex(), block=None if stands else facts[0].hex()))
            shown = await store.live_ids(agent, standing.__contains__)
            rows += [Row(sink="memory store, read", id=(agent + id_).hex()) for id_ in shown]
    finally:
        await store.close()
    return rows


async def _graph(settings: Settings, expected: Expected) -> list[Event]:
    """graph.edges and agents.registry, whole rows."""
    found: list[Event] = []
    for topic, kind in ((EDGES, "GraphEdge"), (REGISTRY, "AgentProfile")):
        for key, row in (await table(settings.kafka, topic, kind)).items():
            found.append(Row(sink=topic, id=key.hex(), block=row["block"]["hash"].hex()))
            found.append(Digest(source=topic, subject=f"{topic} {key.hex()}", block="end", value=repr(row)))
    for (topic, key), row in expected.graph.items():
        wanted = repr(decode(codec().encode("GraphEdge" if topic == EDGES else "AgentProfile", row))[1])
        found.append(Due(sink=topic, id=key.hex()))
        found.append(Digest(source="oracle", subject=f"{topic} {key.hex()}", block="end", value=wanted))
    return found


async def _roots(settings: Settings, expected: Expected) -> list[Event]:
    found: list[Event] = []
    for agent, root in (await table(settings.kafka, ROOTS, "LatticeRoot")).items():
        if root["count"] or agent in expected.world.agents:
            found.append(Row(sink=ROOTS, id=agent.hex()))
        value = f"{root['count']} {root['checksum'].hex()} {root['merkle_root'].hex()}"
        found.append(Digest(source=ROOTS, subject=f"root {agent.hex()}", block="end", value=value))
    for agent, state in expected.world.agents.items():
        value = f"{state.count} {state.checksum.hex()} {state.merkle_root.hex()}"
        found.append(Digest(source="oracle", subject=f"root {agent.hex()}", block="end", value=value))
        found.append(Due(sink=ROOTS, id=agent.hex()))
    return found
