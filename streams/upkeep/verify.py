"""Compares all that follows from memory.log with one pass over it: stores, tables, checkpoints, local state, the node's chain.

Assumes the pipeline may be at work meanwhile: what is found is looked at again, and counts if it is still there a moment later.
Invariants: nothing is written; each difference names its side, and the stream agent, memory and block where it has one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blake3 import blake3

from schemas.codec import SchemaError, codec
from schemas.records import Embedding, LatticeRoot
from streams import topics
from streams.core.canonical_text import canonical_text
from streams.core.checkpoint import TIP, Checkpoint
from streams.errors import StoreError
from streams.ports.chain import ChainSource, from_one_node
from streams.ports.log import LogReader, TopicPartition
from streams.ports.stores import MemoryStore, StoredMemory, VectorStore
from streams.runtime.checkpoints import read_checkpoints
from streams.runtime.state import state_path
from streams.stored_ids import stored_ids
from streams.upkeep.local import lattice_presences, memory_presences, read_local
from streams.upkeep.pipeline import Pipeline
from streams.upkeep.standing import Key, Secrets, StandingLog, StandingRow, root_of_rows

PAGE = 500
LOOKS = 5
PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Difference:
    """``side``: what disagrees with the log. ``agent``, ``memory_id``: whose, empty if of none. ``block``: height, or None."""

    side: str
    what: str
    agent: bytes = b""
    memory_id: bytes = b""
    block: int | None = None

    def __str__(self) -> str:
        whose = [f"agent 0x{self.agent.hex()}"] if self.agent else []
        whose += [f"memory {self.memory_id.hex()}"] if self.memory_id else []
        whose += [f"block {self.block}"] if self.block is not None else []
        return f"{self.side}: {', '.join(whose)}{': ' if whose else ''}{self.what}"

    def as_json(self) -> dict[str, Any]:
        """For a machine."""
        return {
            "side": self.side,
            "what": self.what,
            "agent": f"0x{self.agent.hex()}" if self.agent else None,
            "memory_id": self.memory_id.hex() or None,
            "block": self.block,
        }


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


@dataclass
class Report:
    """``memories``: live, by the log. ``blocks``: that stand. ``skipped``: what could not be compared, and why."""

    memories: int = 0
    blocks: int = 0
    records: int = 0
    differences: list[Difference] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


async def verify(
    pipeline: Pipeline, reader: LogReader, sides: Sides, partitions: Sequence[int], *, pause: float = PAUSE_SECONDS
) -> Report:
    """Folds memory.log of each partition and compares. ``reader``: of the log, or of an archive in front of it.

    Raises LogIntegrityError if the log is not what its markers say, PositionLostError if it has lost its beginning.
    """
    report = Report()
    folded = [StandingLog(pipeline, number) for number in partitions]
    for standing in folded:
        before: set[Difference] | None = None
        for look in range(LOOKS):
            await standing.read(reader)
            skipped: list[str] = []
            found = [each async for each in _compare(reader, sides, standing, skipped)]
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
    if sides.memories is not None and len(folded) == pipeline.partitions:
        report.differences += [each async for each in _strangers(folded, sides.memories)]
    return report


async def _compare(reader: LogReader, sides: Sides, standing: StandingLog, skipped: list[str]) -> AsyncIterator[Difference]:
    number = standing.partition
    erased = set(await _table(reader, topics.ERASURES, number, "Erasure"))
    if sides.memories is not None:
        async for each in _of_memories(standing, sides.memories, erased):
            yield each
    if sides.vectors is not None:
        rows = await _table(reader, topics.EMBEDDINGS, number, "Embedding")
        async for each in _of_vectors(standing, sides.vectors, rows, erased):
            yield each
    if sides.secrets is not None:
        roots = await _table(reader, topics.ROOTS, number, "LatticeRoot")
        for each in _of_roots(standing, roots, sides.secrets, erased):
            yield each
    async for each in _of_digests(reader, sides, standing, skipped):
        yield each
    if (source := sides.source) is not None:
        for each in await from_one_node(source, None, lambda: _of_chain(standing, source)):
            yield each


async def _table(reader: LogReader, topic: str, partition: int, kind: str) -> dict[bytes, Any]:
    """The newest row of each key of a compacted topic, of one schema; what is no record of ours is left out."""
    source = TopicPartition(topic, partition)
    first, stop = (await reader.bounds([source]))[source]
    newest: dict[bytes, bytes | None] = {}
    async for messages in reader.read_range(source, first, stop):
        newest |= {message.key: message.value for message in messages if message.key is not None}
    rows = {}
    for key, value in newest.items():
        if value is None:
            continue
        try:
            found, row = codec().decode(value)
        except SchemaError:
            continue
        if found == kind:
            rows[key] = row
    return rows


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


async def _strangers(folded: Sequence[StandingLog], store: MemoryStore) -> AsyncIterator[Difference]:
    """Agents in the store of whom the log says nothing."""
    known = {agent for standing in folded for agent, _ in standing.rows}
    async for agent in store.agents():
        if agent not in known:
            for memory_id in sorted(await _stored_ids(store, agent)):
                yield Difference("memory store", "has a row too many, of an agent that the log does not know", agent, memory_id)


async def _of_vectors(
    standing: StandingLog, store: VectorStore, rows: Mapping[bytes, Embedding], erased: Iterable[bytes]
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
            elif published["text_digest"] != blake3(text.encode()).digest():
                yield Difference("rag.embeddings", "the vector is of another text", *key, block)
            if found is None:
                yield Difference("vectors", "the vector is missing", *key, block)
            elif published is not None and found.vector.astype("<f4").tobytes() != published["vector"]:
                yield Difference("vectors", "the vector is not the one published in rag.embeddings", *key, block)


def _text(row: StandingRow) -> str | None:
    memory = row.memory
    if memory is None or memory["sealed"] is not None or memory["form"] == "AMENDMENT":
        return None
    return canonical_text(memory["content"], memory["media_type"])


def _of_roots(
    standing: StandingLog, roots: Mapping[bytes, LatticeRoot], secrets: Secrets, erased: Iterable[bytes]
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
        pairs = (
            ("count", root["count"], wanted.count),
            ("lattice", root["lattice"], bytes(wanted.lattice)),
            ("checksum", root["checksum"], wanted.lattice.checksum()),
            ("Merkle root", root["merkle_root"], wanted.merkle_root),
            ("agent", root["agent"], agent),
        )
        if wrong := [name for name, got, must in pairs if got != must]:
            yield Difference("memory.roots", f"the published root differs in {', '.join(wrong)}", agent, block=block)


async def _of_digests(reader: LogReader, sides: Sides, standing: StandingLog, skipped: list[str]) -> AsyncIterator[Difference]:
    """State digests as the stream agents committed them, and as local state holds them, where these have come as far."""
    head, number = standing.head, standing.partition
    must: dict[str, bytes | None] = {"memory": standing.facts_digest(), "embedding": None}
    must["lattice"] = standing.chain_checksum(sides.secrets) if sides.secrets is not None else None
    for name, digest in must.items():
        tip = (await read_checkpoints(reader, name, number)).get(TIP)
        where = f"{name}/{number}"
        if tip is None:
            skipped.append(f"{where} has no checkpoint")
            continue
        if head is not None and tip.at.block != head:
            yield Difference(f"checkpoint of {where}", f"stands at block {tip.at.block}, the log at {head}", block=head.number)
        elif None not in (digest, tip.at.state) and tip.at.state != digest:
            yield Difference(f"checkpoint of {where}", "the state digest is not that of the log", block=tip.at.block.number)
        if sides.state_dir is not None and name != "embedding":
            for what, key, block in _of_local(sides.state_dir, name, tip, standing, skipped):
                yield Difference(f"local state of {where}", what, *key, block)


def _of_local(
    state_dir: Path, name: str, tip: Checkpoint, standing: StandingLog, skipped: list[str]
) -> Iterator[tuple[str, Key, int | None]]:
    """Rows of local state, if it stands where the stream agent does."""
    local = read_local(state_path(state_dir, name, standing.partition))
    if local is None or local.tip is None or local.tip.offsets != tip.offsets:
        skipped.append(f"local state of {name}/{standing.partition} is not here, or not at the committed position")
        return
    presences = memory_presences(local) if name == "memory" else lattice_presences(local)
    wanted = {key: row.presence for key, row in standing.rows.items()}
    for key in sorted(wanted.keys() | presences.keys()):
        if key in wanted and key in presences and presences[key] != wanted[key]:
            yield "the facts of the row are not those of the log", key, standing.rows[key].block
        elif key not in presences and (name == "lattice" or not _is_erased(standing, key)):
            yield "the row is missing", key, standing.rows[key].block
        elif key not in wanted:
            yield "has a row too many", key, None


def _is_erased(standing: StandingLog, key: Key) -> bool:
    memory = standing.rows[key].memory
    return memory is not None and memory["sealed"] is not None


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
