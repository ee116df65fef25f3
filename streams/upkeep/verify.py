"""Compares what follows from memory.log and chain.transactions with a pass over each: stores, tables, checkpoints, local state,
the node's chain.

Assumes the pipeline may be at work meanwhile: what is found is looked at again, and counts if it is still there a moment later.
Invariants: nothing is written; each difference names its side, and the stream agent, memory and block where it has one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from schemas.records import Embedding, LatticeRoot
from streams import topics
from streams.core.canonical_text import canonical_text
from streams.core.checkpoint import TIP
from streams.errors import PositionLostError, StoreError
from streams.ports.chain import ChainSource, from_one_node
from streams.ports.log import LogReader
from streams.ports.stores import MemoryStore, StoredMemory, VectorStore
from streams.runtime.checkpoints import read_checkpoints
from streams.stored_ids import stored_ids
from streams.upkeep.difference import Difference, Report
from streams.upkeep.pipeline import Pipeline
from streams.upkeep.standing import Secrets, StandingLog, StandingRow, root_of_rows
from streams.upkeep.tables import memory_digest, newest_rows, row_differences
from streams.upkeep.transactions import TransactionLog
from streams.upkeep.verify_graph import graph_differences, graph_rows, local_graph_differences
from streams.upkeep.verify_positions import checkpoint_differences, due, presence_differences, read_settled

PAGE = 500
LOOKS = 5
PAUSE_SECONDS = 1.0
AGENT = 20
ROOT_NAMES = ("count", "lattice", "checksum", "Merkle root", "agent")


@dataclass(frozen=True, slots=True)
class Sides:
    """What is compared; None: not this. ``secrets``: leaf secrets, without which roots and the lattice's digests are left out.

    ``state_dir``: of the workers, if it lies on this machine.
    """

    memories: MemoryStore | None = None
    vectors: VectorStore | None = None
    secrets: Secrets | None = None
    source: ChainSource | None = None
    state_dir: Path | None = None


async def verify(
    pipeline: Pipeline, reader: LogReader, sides: Sides, partitions: Sequence[int], *, pause: float = PAUSE_SECONDS
) -> Report:
    """Folds the logs of each partition, one partition after another, and compares. ``reader``: of the log, or of an archive in
    front of it.

    Raises LogIntegrityError if a log is not what its markers say, PositionLostError if memory.log has lost its beginning.
    """
    report, known = Report(), set[bytes]()
    for number in partitions:
        standing, transactions = StandingLog(pipeline, number, digests={}), TransactionLog(pipeline, number)
        before: set[Difference] | None = None
        for look in range(LOOKS):
            skipped: list[str] = []
            await standing.read(reader)
            found = [each async for each in _compare(reader, sides, standing, transactions, skipped)]
            if not found or set(found) == before:
                break
            before = set(found) if before is None else before & set(found)
            if look + 1 < LOOKS:
                await asyncio.sleep(pause)
        report.differences += [each for each in found if before is None or each in before]
        report.skipped += skipped
        report.memories += sum(1 for _ in standing.live())
        report.blocks = max(report.blocks, len(standing.chain))
        report.records += standing.records
        known |= {agent for agent, _ in standing.rows}
    if sides.memories is not None and len(partitions) == pipeline.partitions:
        report.differences += [each async for each in _strangers(known, sides.memories)]
    return report


async def _compare(
    reader: LogReader, sides: Sides, standing: StandingLog, transactions: TransactionLog, skipped: list[str]
) -> AsyncIterator[Difference]:
    number = standing.partition
    erased = set(await newest_rows(reader, topics.ERASURES, number, "Erasure", lambda _: None))
    if sides.memories is not None:
        async for each in _of_memories(standing, sides.memories, erased):
            yield each
    for each in _of_state(standing, await newest_rows(reader, topics.MEMORY_STATE, number, "Memory", memory_digest), erased):
        yield each
    if sides.vectors is not None:
        rows = await newest_rows(reader, topics.EMBEDDINGS, number, "Embedding", _small_embedding)
        async for each in _of_vectors(standing, sides.vectors, rows, erased):
            yield each
    if sides.secrets is not None:
        roots = await newest_rows(reader, topics.ROOTS, number, "LatticeRoot", _small_root)
        for each in _of_roots(standing, roots, sides.secrets, erased):
            yield each
    async for each in _of_agents(reader, sides, standing, transactions, erased, skipped):
        yield each
    if (source := sides.source) is not None:
        for each in await from_one_node(source, None, lambda: _of_chain(standing, source)):
            yield each


def _by_agent(standing: StandingLog) -> dict[bytes, dict[bytes, StandingRow]]:
    found: dict[bytes, dict[bytes, StandingRow]] = {}
    for (agent, memory_id), row in standing.rows.items():
        found.setdefault(agent, {})[memory_id] = row
    return found


async def _of_memories(standing: StandingLog, store: MemoryStore, erased: Iterable[bytes]) -> AsyncIterator[Difference]:
    """Rows that are missing, altered, or too many."""
    gone = set(erased)
    for agent, rows in _by_agent(standing).items():
        wanted = {} if agent in gone else rows
        ids = sorted(wanted)
        for at in range(0, len(ids), PAGE):
            page = ids[at : at + PAGE]
            try:
                stored = await store.get(agent, page)
            except StoreError as error:
                yield Difference("memory store", f"cannot be read: {error.message}", agent)
                continue
            for memory_id, found in zip(page, stored, strict=True):
                if what := _row_fault(wanted[memory_id], found):
                    yield Difference("memory store", what, agent, memory_id, wanted[memory_id].block)
        for memory_id in sorted(await _stored_ids(store, agent) - wanted.keys()):
            yield Difference("memory store", "has a row too many", agent, memory_id)


def _row_fault(wanted: StandingRow, found: StoredMemory | None) -> str:
    if found is None:
        return "the row is missing"
    if found.presence != wanted.presence:
        return f"the row counts {_facts(found)}, the log {_facts(wanted)}"
    if found.memory is None or wanted.memory is None:
        return "" if found.memory is wanted.memory else "the row is there, its memory is not"
    fields = [name for name in found.memory if name != "sealed" and found.memory[name] != wanted.memory[name]]  # type: ignore[literal-required]
    return f"the memory differs in {', '.join(fields)}" if fields else ""


def _facts(row: StoredMemory | StandingRow) -> str:
    return f"{len(row.presence.upserts)} UPSERTs and {len(row.presence.deletes)} DELETEs that stand"


async def _stored_ids(store: MemoryStore, agent: bytes) -> set[bytes]:
    """Ids of all rows of an agent that are there now; of live ones alone where the store cannot tell what changed."""
    ids, found = await stored_ids(store, agent), set[bytes]()
    for start in range(0, len(ids), PAGE):
        part = ids[start : start + PAGE]
        found |= {one for one, row in zip(part, await store.get(agent, part), strict=True) if row is not None}
    return found


async def _strangers(known: Container[bytes], store: MemoryStore) -> AsyncIterator[Difference]:
    """Agents in the store of whom the log says nothing."""
    async for agent in store.agents():
        if agent not in known:
            for memory_id in sorted(await _stored_ids(store, agent)):
                yield Difference("memory store", "has a row too many, of an agent that the log does not know", agent, memory_id)


def _of_state(standing: StandingLog, rows: Mapping[bytes, bytes], erased: Iterable[bytes]) -> Iterator[Difference]:
    """memory.state: each live memory and no other."""
    gone = set(erased)
    live = {key: row for key, row in standing.live() if key[0] not in gone and row.memory is not None}
    wanted = {key[0] + key[1]: memory_digest(row.memory) for key, row in live.items() if row.memory is not None}

    def name(key: bytes, what: str) -> Difference:
        whose = key[:AGENT], key[AGENT:]
        return Difference(topics.MEMORY_STATE, f"the memory {what}", *whose, live[whose].block if whose in live else None)

    return row_differences(wanted, rows, name)


class _Vector(NamedTuple):
    """Of a published embedding."""

    text_digest: bytes
    digest: bytes


def _small_embedding(row: Embedding) -> _Vector:
    return _Vector(row["text_digest"], blake3(row["vector"]).digest())


async def _of_vectors(
    standing: StandingLog, store: VectorStore, rows: Mapping[bytes, _Vector], erased: Iterable[bytes]
) -> AsyncIterator[Difference]:
    """Of each live text: a vector in the topic, of that text, and the same in the store. Both may hold more."""
    gone = set(erased)
    wanted = [(key, text, row.block) for key, row in standing.live() if key[0] not in gone and (text := _text(row)) is not None]
    for at in range(0, len(wanted), PAGE):
        page = wanted[at : at + PAGE]
        stored = await store.find([key for key, _, _ in page])
        for (key, text, block), found in zip(page, stored, strict=True):
            published = rows.get(key[0] + key[1])
            if published is None:
                yield Difference("rag.embeddings", "the vector is missing", *key, block)
            elif published.text_digest != blake3(text.encode()).digest():
                yield Difference("rag.embeddings", "the vector is of another text", *key, block)
            if found is None:
                yield Difference("vectors", "the vector is missing", *key, block)
            elif published is not None and blake3(found.vector.astype("<f4").tobytes()).digest() != published.digest:
                yield Difference("vectors", "the vector is not the one published in rag.embeddings", *key, block)


def _text(row: StandingRow) -> str | None:
    memory = row.memory
    if memory is None or memory["sealed"] is not None or memory["form"] == "AMENDMENT":
        return None
    return canonical_text(memory["content"], memory["media_type"])


class _Root(NamedTuple):
    """Of a published root, in the order of ROOT_NAMES."""

    memories: int
    lattice: bytes
    checksum: bytes
    merkle_root: bytes
    agent: bytes


def _small_root(row: LatticeRoot) -> _Root:
    return _Root(row["count"], blake3(row["lattice"]).digest(), row["checksum"], row["merkle_root"], row["agent"])


def _of_roots(
    standing: StandingLog, roots: Mapping[bytes, _Root], secrets: Secrets, erased: Iterable[bytes]
) -> Iterator[Difference]:
    gone, agents = set(erased), _by_agent(standing)
    for agent in sorted(agents.keys() | roots.keys()):
        rows = {} if agent in gone else agents.get(agent, {})
        wanted = root_of_rows(rows, secrets)
        root = roots.get(agent)
        block = max((row.block for row in rows.values() if row.block is not None), default=None)
        if root is None:
            if wanted.count:
                yield Difference("memory.roots", f"no root is published, of {wanted.count} memories", agent, block=block)
            continue
        must = _Root(wanted.count, blake3(bytes(wanted.lattice)).digest(), wanted.lattice.checksum(), wanted.merkle_root, agent)
        if wrong := [name for name, got, due in zip(ROOT_NAMES, root, must, strict=True) if got != due]:
            yield Difference("memory.roots", f"the published root differs in {', '.join(wrong)}", agent, block=block)


async def _of_agents(  # noqa: PLR0917  (all there is)
    reader: LogReader,
    sides: Sides,
    standing: StandingLog,
    transactions: TransactionLog,
    erased: Collection[bytes],
    skipped: list[str],
) -> AsyncIterator[Difference]:
    """Checkpoints and local state of each stream agent, and the graph's tables."""
    number, chain = standing.partition, None
    edges = await graph_rows(reader, number)
    try:
        graphed = bool(edges) or TIP in await read_checkpoints(reader, "graph", number)
        await transactions.read(reader, graph=graphed, erased=erased)
        chain = transactions
    except PositionLostError as error:
        skipped.append(f"partition {number} of what follows from chain.transactions: {error.message}")
    for name, must in due(standing, chain, sides.secrets).items():
        tip, found = await checkpoint_differences(reader, name, number, must, skipped)
        for each in found:
            yield each
        if tip is None or sides.state_dir is None or name not in ("memory", "lattice", "graph"):
            continue
        local = read_settled(sides.state_dir, name, number, tip, skipped)
        if local is None:
            continue
        if name != "graph":
            for each in presence_differences(local, name, standing):
                yield each
        elif transactions.graph is not None and tip.at.block == transactions.head:
            for each in local_graph_differences(local, number, transactions.graph):
                yield each
    if chain is not None and chain.graph is not None:
        for each in await graph_differences(reader, number, chain.graph, edges):
            yield each


async def _of_chain(standing: StandingLog, source: ChainSource) -> list[Difference]:
    """Blocks of the log that the node does not call canonical. Its newest may be ahead of the log's, or behind."""
    differences = []
    head = (await source.head()).number
    for at in range(0, len(standing.chain), PAGE):
        page = [block for block in standing.chain[at : at + PAGE] if block.number <= head]
        for block, found in zip(page, await source.canonical([block.number for block in page]), strict=True):
            if found is None or found.hash != block.hash:
                named = "does not know it" if found is None else f"has {found}"
                differences.append(Difference("chain", f"the log has {block}, the node {named}", block=block.number))
    return differences
