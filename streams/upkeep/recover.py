"""Restores what an agent remembers where a store lost or altered it: five strategies, each held against the published root.

To write to the stores, a partition is taken over for a moment as its next owner would take it: the producers of the stream
agents that write there are fenced first, then the stores are claimed, then the log is read. The owner opens its partition anew
and goes on; where this was cut off half way, it fills the store from the log (``streams.repair.owned``). Invariants: nothing is
restored whose root is not the one published, unless nobody has published one; what the log says and the store does not hold is
put in, what the store holds and the log does not say is taken out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from blake3 import blake3

from schemas.codec import codec
from schemas.records import Embedding, LatticeRoot
from streams import topics
from streams.core.block import BlockRef
from streams.errors import MonmouthError
from streams.ports.log import LogReader, TopicPartition
from streams.ports.stores import MemoryStore, VectorRow, VectorStore
from streams.repair.owned import WRITER, OwnedRows, owned_rows
from streams.upkeep.candidates import (
    Candidate,
    RecoveryError,
    agreed,
    completed,
    facts_of,
    from_base,
    from_log,
    from_store,
)
from streams.upkeep.pipeline import Pipeline
from streams.upkeep.replay import Asked, request
from streams.upkeep.standing import Advanced, AgentRoot, Secrets, StandingLog

Whose: TypeAlias = tuple[bytes, int]
"""Address of an agent, and its partition."""
CONCURRENT = 5
SECONDS = 30.0
AI_GUIDED = "AIGuided"
THRESHOLD = Fraction(2, 3)


class Strategy(StrEnum):
    """FULL: rows and vectors from the log. PARTIAL: one part of it. INCREMENTAL: a saved checkpoint and the log since.
    CONSENSUS: what enough of several replicas agree on. SCORED: the replica of the best quality, FULL if that is wrong.
    AI_GUIDED: another name of SCORED; a sum of three terms chooses, no language model.
    """

    FULL = "full"
    PARTIAL = "partial"
    INCREMENTAL = "incremental"
    CONSENSUS = "consensus"
    SCORED = "scored"
    AI_GUIDED = "scored"

    @classmethod
    def _missing_(cls, value: object) -> Strategy | None:
        return cls.SCORED if isinstance(value, str) and value.lower() == AI_GUIDED.lower() else None


class Part(StrEnum):
    """MEMORY: rows of the memory store. CONTEXT: the vectors that contexts are found by. STATE: the published root."""

    MEMORY = "memory"
    CONTEXT = "context"
    STATE = "state"


@dataclass(frozen=True)
class Replica:
    """Another place that holds memories: a standby's folder, another instance. ``age``: seconds since it was written."""

    name: str
    store: MemoryStore
    age: float = 0.0


@dataclass(frozen=True)
class Recovery:
    """``lane``: names a partition of a stream agent in a store, as its owner does. ``replicas``: for CONSENSUS and SCORED."""

    pipeline: Pipeline
    memories: MemoryStore
    vectors: VectorStore | None
    secrets: Secrets
    lane: Callable[[str, int], bytes]
    replicas: Sequence[Replica] = ()
    base: Path | None = None
    threshold: Fraction = THRESHOLD
    parts: frozenset[Part] = frozenset(Part)


@dataclass(frozen=True)
class Work:
    """What agents of one partition share. ``standing``: its log, folded as far as it was read; ``advanced``: told of reads.

    ``storing``: entered while a store is at work, which has time limits of its own.
    """

    standing: StandingLog
    advanced: Advanced = lambda *_: None
    storing: Callable[[], AbstractContextManager[None]] = nullcontext


@dataclass(frozen=True)
class Recovered:
    """``source``: what was taken. ``put_in``, ``taken_out``: facts; ``vectors``: put in. ``replay``: for the root."""

    agent: bytes
    source: str
    memories: int
    put_in: int
    taken_out: int
    vectors: int
    replay: Asked | None = None


async def recover_all(
    recovery: Recovery,
    strategy: Strategy,
    agents: Sequence[Whose],
    *,
    concurrent: int = CONCURRENT,
    seconds: float = SECONDS,
    advanced: Advanced = lambda *_: None,
) -> list[Recovered | RecoveryError]:
    """Several agents (address, partition), a few at a time; what became of each, in order. An agent is given up when nothing
    has been read on for it for ``seconds``, but not while rows or vectors are exchanged: that would leave half of them.

    Agents of one partition come one after another, since a partition has one owner at a time, and share one fold of its log.
    """
    limit = asyncio.Semaphore(concurrent)
    found: dict[int, Recovered | RecoveryError] = {}

    async def all_of(partition: int, places: Sequence[int]) -> None:
        work = Work(StandingLog(recovery.pipeline, partition), advanced)
        for place in places:
            async with limit:
                found[place] = await _within(recovery, strategy, agents[place][0], work, seconds)
            if work.standing.spoiled:
                work = Work(StandingLog(recovery.pipeline, partition), advanced)

    lanes: dict[int, list[int]] = {}
    for place, (_, partition) in enumerate(agents):
        lanes.setdefault(partition, []).append(place)
    await asyncio.gather(*(all_of(partition, places) for partition, places in lanes.items()))
    return [found[place] for place in range(len(agents))]


async def _within(
    recovery: Recovery, strategy: Strategy, agent: bytes, work: Work, seconds: float
) -> Recovered | RecoveryError:
    clock = asyncio.get_running_loop().time
    try:
        async with asyncio.timeout(seconds) as limit:

            def advanced(source: TopicPartition, position: int, stop: int) -> None:
                limit.reschedule(clock() + seconds)
                work.advanced(source, position, stop)

            @contextmanager
            def storing() -> Iterator[None]:
                limit.reschedule(None)
                yield
                limit.reschedule(clock() + seconds)

            return await recover_one(recovery, strategy, agent, Work(work.standing, advanced, storing))
    except TimeoutError:
        return RecoveryError(f"agent 0x{agent.hex()}: no progress for {seconds:g} s", "Give it longer: --timeout.")
    except RecoveryError as error:
        return error
    except MonmouthError as error:  # of one agent: the others go on
        return RecoveryError(f"agent 0x{agent.hex()}: {error.message}", error.hint)


async def recover(recovery: Recovery, strategy: Strategy, agent: bytes, partition: int) -> Recovered:
    """One agent. Raises RecoveryError, LogIntegrityError, LogError, StoreError."""
    return await recover_one(recovery, strategy, agent, Work(StandingLog(recovery.pipeline, partition)))


async def recover_one(recovery: Recovery, strategy: Strategy, agent: bytes, work: Work) -> Recovered:
    """One of several agents. Raises as ``recover`` does."""
    partition = work.standing.partition
    parts = recovery.parts if strategy is Strategy.PARTIAL else frozenset((Part.MEMORY, Part.CONTEXT))
    async with _taken_over(recovery, partition, parts) as (reader, rows, vectors):
        published = await _published(reader, agent, work)
        chosen = await _chosen(recovery, strategy, reader, agent, work, published)
        put_in = taken_out = held = 0
        if Part.MEMORY in parts:
            _demand_root(chosen, recovery.secrets, published, agent)
            assert rows is not None
            with work.storing():
                put_in, taken_out = await _restore(rows, agent, chosen)
                restored = await from_store("the store", rows.store, agent)
            _demand_root(restored, recovery.secrets, published, agent)
        if Part.CONTEXT in parts and vectors is not None:
            held = await _restore_vectors(reader, vectors, agent, work, chosen)
        right = _is_root(chosen.root(recovery.secrets), published)
    asked = None
    if Part.STATE in parts and not right:
        asked = await _publish_again(recovery, agent, partition, chosen)
    live = sum(row.live for row in chosen.rows.values())
    return Recovered(agent, chosen.name, live, put_in, taken_out, held, asked)


@asynccontextmanager
async def _taken_over(
    recovery: Recovery, partition: int, parts: frozenset[Part]
) -> AsyncIterator[tuple[LogReader, OwnedRows | None, VectorStore | None]]:
    """The stores, as an owner of the partition has them."""
    pipeline = recovery.pipeline
    async with AsyncExitStack() as stack:
        rows, vectors = None, recovery.vectors
        if Part.MEMORY in parts:
            lane = recovery.lane(WRITER, partition)
            rows = await stack.enter_async_context(owned_rows(pipeline, recovery.memories, partition, lane))
        if Part.CONTEXT in parts and vectors is not None:
            producer = pipeline.owner("embedding").producer("embedding", partition)
            stack.push_async_callback(producer.close)
            await producer.start()
            vectors = await vectors.claim(recovery.lane("embedding", partition))
        reader = pipeline.client.reader()
        stack.push_async_callback(reader.close)
        yield reader, rows, vectors


async def _chosen(  # noqa: PLR0917  (what a choice is made of)
    recovery: Recovery, strategy: Strategy, reader: LogReader, agent: bytes, work: Work, published: LatticeRoot | None
) -> Candidate:
    if strategy is Strategy.INCREMENTAL:
        if recovery.base is None:
            raise RecoveryError("an incremental recovery needs a checkpoint", "Name one: --base FILE.")
        base = await from_base(recovery.pipeline, reader, recovery.base, agent, work.standing.partition, advanced=work.advanced)
        return completed(base, await from_store("the store", recovery.memories, agent))
    if strategy in (Strategy.CONSENSUS, Strategy.SCORED):
        candidates = [await from_store(each.name, each.store, agent, each.age) for each in recovery.replicas]
        if strategy is Strategy.CONSENSUS:
            if len(candidates) < 2:
                raise RecoveryError("a consensus needs two replicas at least", "Name them: --replica FOLDER, several times.")
            return agreed(candidates, recovery.secrets, recovery.threshold)
        if best := _best(recovery.secrets, candidates, published):
            return best
    return await from_log(work.standing, reader, agent, work.advanced)


def _best(secrets: Secrets, candidates: Sequence[Candidate], published: LatticeRoot | None) -> Candidate | None:
    """The one of the best quality; None if that is wrong, or there is none."""
    scored = [(each.quality(valid=(ok := _is_root(each.root(secrets), published))), ok, each) for each in candidates]
    if not scored:
        return None
    _, right, best = max(scored, key=lambda row: row[0])
    return best if right else None


async def _published(reader: LogReader, agent: bytes, work: Work) -> LatticeRoot | None:
    found: LatticeRoot | None = None
    async for _, row in _rows(reader, topics.ROOTS, work, lambda key: key == agent):
        found = row
    return found


async def _rows(
    reader: LogReader, topic: str, work: Work, wanted: Callable[[bytes | None], bool]
) -> AsyncIterator[tuple[str, Any]]:
    source = TopicPartition(topic, work.standing.partition)
    first, stop = (await reader.bounds([source]))[source]
    async for messages in reader.read_range(source, first, stop):
        for message in messages:
            if wanted(message.key):
                yield codec().decode(message.value) if message.value is not None else ("", None)
        work.advanced(source, messages[-1].offset + 1, stop)


def _is_root(root: AgentRoot, published: LatticeRoot | None) -> bool:
    if published is None:
        return root.count == 0
    must = published["count"], published["checksum"], published["merkle_root"]
    return (root.count, root.lattice.checksum(), root.merkle_root) == must


def _demand_root(candidate: Candidate, secrets: Secrets, published: LatticeRoot | None, agent: bytes) -> None:
    if not _is_root(candidate.root(secrets), published):
        raise RecoveryError(
            f"agent 0x{agent.hex()}: {candidate.name} does not give the root that is published",
            "Nothing was restored from it. Is the lattice agent at rest? 'monmouth verify' says which side is wrong.",
        )


async def _restore(held: OwnedRows, agent: bytes, candidate: Candidate) -> tuple[int, int]:
    """Makes the store's rows of the agent those of the candidate; facts put in and taken out."""
    now = await from_store("the store", held.store, agent)
    wrong = {i for i in now.rows.keys() | candidate.rows.keys() if now.rows.get(i) != candidate.rows.get(i)}
    out = facts_of(agent, {i: row for i, row in now.rows.items() if i in wrong})
    new = facts_of(agent, {i: row for i, row in candidate.rows.items() if i in wrong})
    await held.exchange(out, new)
    return len(new), len(out)


async def _restore_vectors(reader: LogReader, store: VectorStore, agent: bytes, work: Work, candidate: Candidate) -> int:
    """Puts the published vectors of live memories in where the store has others or none."""
    newest: dict[bytes, Embedding] = {}
    async for kind, row in _rows(reader, topics.EMBEDDINGS, work, lambda key: key is not None and key[:20] == agent):
        if kind == "Embedding" and row is not None:
            newest[row["memory_id"]] = row
    live = [i for i, row in candidate.rows.items() if row.live and i in newest]
    wanted = [_vector(newest[i]) for i in live]
    with work.storing():
        found = await store.find([(agent, i) for i in live])
        pairs = zip(wanted, found, strict=True)
        wrong = [new for new, old in pairs if old is None or not np.array_equal(old.vector, new.vector)]
        await store.upsert(wrong)
    return len(wrong)


def _vector(row: Embedding) -> VectorRow:
    vector = np.frombuffer(row["vector"], dtype="<f4").astype(np.float32)
    place = BlockRef.of(row["block"]).hash if row["block"] is not None else b""
    source = blake3(row["model_hash"] + row["text_digest"] + row["backend"].encode()).digest()
    return VectorRow(row["agent"], row["memory_id"], vector, place, source)


async def _publish_again(recovery: Recovery, agent: bytes, partition: int, candidate: Candidate) -> Asked:
    """Has the lattice agent do the agent's blocks again, so that it publishes the root it has."""
    blocks = [row.block for row in candidate.rows.values() if row.block is not None]
    if not blocks:
        name = f"agent 0x{agent.hex()}"
        raise RecoveryError(f"{name} has memories of commands alone", "Rebuild: monmouth rebuild --agent lattice.")
    return await request(recovery.pipeline, "lattice", {partition: max(blocks)}, None)
