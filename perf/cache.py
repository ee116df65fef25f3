"""Hit rate of the gateway's cache of contexts on a Zipf load with writes, and whether it ever served what was not so.

    .venv/bin/python -m perf.cache [--operations 100000] [--agents 1000] [--skew 1.05]
        [--questions 4] [--writes 0.02] [--mb 256] [--nearest]

Agents are asked by Zipf, each one's questions by Zipf too; of the operations a share are writes, each a block with a
memory for an agent drawn the same way; other blocks come between, and undos. Real stores, view, finder and ranking, that of all
signals (``--nearest``: by vectors alone, sooner); vectors are drawn from the text's hash, since no model is part of what is
measured. After every question the same one is asked of the finder without a cache, and the answers must be equal byte for byte:
`stale` counts those that are not. Beside it two plain LRUs of the same bytes: one by question alone, and one that is right, by
question, versions and step of the view. A hit is timed from call to answer in this process: HTTP and the broker's answer to the
barrier are not in it.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from connectors.stores import LmdbMemoryStore, LmdbVectorStore
from perf.texts import mixed
from schemas.defaults import plain_memory
from schemas.records import MemoryFact
from streams.core.block import BlockRef, Step
from streams.core.canonical import CanonicalView, ChainStep
from streams.ports.stores import VectorRow
from streams.serving.cache.finder import CachedFinder
from streams.serving.cache.freshness import Freshness
from streams.serving.cache.levels import ENTRY_BYTES, Limits, Question
from streams.serving.context.finder import ContextFinder
from streams.serving.context.nearest import Nearest
from streams.serving.context.request import ContextRequest
from streams.serving.reads import MemoryReads
from streams.serving.retrieval.hybrid import Hybrid
from streams.serving.retrieval.indexes import AgentIndexes
from streams.serving.vectors import QueryVectors
from streams.settings import RagSettings

GOAL = 0.85
ROWS = 20
"""Memories of an agent at the start."""
BLOCK_EVERY = 50
UNDO_EVERY = 400


class Hashed:
    """An embedder whose vectors are drawn from the text's hash."""

    model = backend = "hashed"
    model_hash = bytes(32)
    dimension = 384

    def embed(self, texts: list[str]) -> NDArray[np.float32]:
        seeds = [int.from_bytes(blake3(text.encode()).digest(8), "big") for text in texts]
        rows = np.stack([np.random.default_rng(seed).standard_normal(self.dimension) for seed in seeds]).astype(np.float32)
        unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit

    def count_tokens(self, text: str) -> int:
        return len(text.split())


class Chain:
    """A ChainReader that has always read everything."""

    def __init__(self) -> None:
        self.view = CanonicalView()
        self.blocks: list[BlockRef] = []
        self.facts: dict[bytes, MemoryFact] = {}
        self.forks = 0

    async def barrier(self) -> None: ...

    async def lag(self) -> int:
        return 0

    def grow(self) -> BlockRef:
        """A block more."""
        parent = self.blocks[-1] if self.blocks else BlockRef(-1, bytes(32), bytes(32))
        self.forks += 1
        ref = BlockRef(parent.number + 1, blake3(b"%d" % self.forks).digest(), parent.hash)
        self.blocks.append(ref)
        final = self.blocks[max(0, len(self.blocks) - 65)]
        self.view.apply(ChainStep(Step.NEW, self._next(), ref, ref, final))
        return ref

    def shrink(self, depth: int) -> list[BlockRef]:
        """An undo; what it removed, newest first."""
        removed = self.blocks[-depth:][::-1]
        del self.blocks[-depth:]
        head = self.blocks[-1]
        self.view.apply(ChainStep(Step.UNDO, self._next(), removed[0], head, removed=tuple(removed), ancestor=head))
        return removed

    def _next(self) -> int:
        return 0 if self.view.sequence is None else self.view.sequence + 1


@dataclass(slots=True)
class Lru:
    """A plain LRU within bytes, counted as ours are."""

    name: str
    limit: int
    looks: int = 0
    hits: int = 0
    stale: int = 0
    held: int = 0
    rows: OrderedDict[Hashable, bytes] = field(default_factory=OrderedDict)

    def ask(self, key: Hashable, truth: bytes) -> None:
        """One question whose answer is ``truth``."""
        self.looks += 1
        found = self.rows.get(key)
        if found is not None:
            self.rows.move_to_end(key)
            self.hits += 1
            self.stale += found != truth
            return
        self.rows[key] = truth
        self.held += len(truth) + ENTRY_BYTES
        while self.held > self.limit:
            self.held -= len(self.rows.popitem(last=False)[1]) + ENTRY_BYTES


class Load:
    """Stores, finder and caches under a load drawn from a seed."""

    def __init__(self, folder: Path, args: argparse.Namespace) -> None:
        self.args = args
        self.random = np.random.default_rng(args.seed)
        self.chain = Chain()
        self.memories, self.vectors = LmdbMemoryStore(folder / "memories"), LmdbVectorStore(folder / "vectors")
        self.embedder = Hashed()
        self.queries = QueryVectors(self.embedder)
        reads = MemoryReads(self.chain, self.memories)
        nearest = Nearest(reads, self.vectors, self.queries)
        indexes = AgentIndexes(self.memories, self.vectors, self.chain, self.embedder.dimension, RagSettings().index_mib << 20)
        ranking = nearest if args.nearest else Hybrid(reads, indexes, self.queries, nearest)
        self.plain = CachedFinder(
            ContextFinder(reads, ranking, self.queries, RagSettings(min_similarity=-1)), reads, self._freshness(), None
        )
        size = int(args.mb * 2**20)
        self.ours = CachedFinder(
            ContextFinder(reads, ranking, self.queries, RagSettings(min_similarity=-1)),
            reads,
            self._freshness(),
            Limits(size, args.l1, 300.0),
        )
        self.lrus = [Lru("LRU by question", size), Lru("LRU by question, versions, step", size)]
        self.agents = [blake3(b"agent %d" % n).digest(20) for n in range(args.agents)]
        self.texts = mixed(5_000)
        self.made = self.stale = 0
        self.waits: list[float] = []
        self.read_seconds: list[float] = []
        self.asked_seconds: list[float] = []

    def _freshness(self) -> Freshness:
        return Freshness(self.chain, self.memories, [self.vectors])

    async def fill(self) -> None:
        """Memories of every agent, in old blocks."""
        for start in range(0, len(self.agents), 50):
            ref = self.chain.grow()
            await self._write([self._fact(agent, ref) for agent in self.agents[start : start + 50] for _ in range(ROWS)])
        for _ in range(200):
            self.chain.grow()

    async def run(self) -> None:
        """All operations."""
        for number, (agent, question, writes) in enumerate(self._drawn(), 1):
            if number % BLOCK_EVERY == 0:
                self.chain.grow()
            if number % UNDO_EVERY == 0:
                await self._undo(int(self.random.integers(1, 4)))
            if writes:
                await self._write([self._fact(agent, self.chain.grow())])
            else:
                await self._ask(ContextRequest(agent, f"question {question}"))

    async def singles(self, count: int = 2_000) -> None:
        """Reads of one memory, and what a cache would have to do before it could serve one: ask for the versions, look up."""
        reads, freshness, cache = MemoryReads(self.chain, self.memories), self._freshness(), self.ours.cache
        assert cache is not None
        for fact in list(self.chain.facts.values())[:count] or []:
            agent, started = fact["owner"], time.perf_counter()
            await reads.get(agent, fact["memory_id"])
            read = time.perf_counter()
            versions = await freshness.versions(agent)
            question = Question(agent, (fact["memory_id"],))
            cache.look_up(question, lambda stamp, of=versions: stamp.versions == of)
            self.read_seconds.append(read - started)
            self.asked_seconds.append(time.perf_counter() - read)

    async def close(self) -> None:
        """Closes the stores."""
        await self.memories.close()
        await self.vectors.close()
        self.queries.close()

    def _drawn(self) -> Iterator[tuple[bytes, int, bool]]:
        args = self.args
        agents = self._zipf(args.agents, args.operations)
        questions = self._zipf(args.questions, args.operations)
        writes = self.random.random(args.operations) < args.writes
        return ((self.agents[a], int(q), bool(w)) for a, q, w in zip(agents, questions, writes, strict=True))

    def _zipf(self, count: int, size: int) -> NDArray[np.int64]:
        weights = 1.0 / np.arange(1, count + 1) ** self.args.skew
        return self.random.choice(count, size, p=weights / weights.sum())

    async def _ask(self, request: ContextRequest) -> None:
        started = time.perf_counter()
        answered = await self.ours.answer(request)
        waited = time.perf_counter() - started
        truth = (await self.plain.answer(request)).body
        self.stale += answered.body != truth
        if answered.cached:
            self.waits.append(waited)
        timeless = truth[: truth.rindex(b',"as_of":')]
        versions = (await self.memories.version(request.agent), await self.vectors.version(request.agent))
        self.lrus[0].ask(request, timeless)
        self.lrus[1].ask((request, versions, self.chain.view.sequence), timeless)

    def _fact(self, agent: bytes, ref: BlockRef) -> MemoryFact:
        self.made += 1
        memory_id = blake3(b"memory %d" % self.made).digest()
        block = ref.record()
        memory = plain_memory(memory_id, agent, "EPISODIC", "CHAIN", 1_000 + self.made)
        memory["content"] = self.texts[self.made % len(self.texts)].encode()
        memory["block"], memory["transaction"] = block, blake3(memory_id).digest()
        return {"op": "UPSERT", "cause": memory_id, "memory_id": memory_id, "owner": agent, "memory": memory, "block": block}

    async def _write(self, facts: list[MemoryFact]) -> None:
        await self.memories.apply(facts)
        vectors = self.embedder.embed([fact["memory_id"].hex() for fact in facts])
        keys = [(fact["owner"], fact["memory_id"]) for fact in facts]
        await self.vectors.upsert([VectorRow(*key, vector) for key, vector in zip(keys, vectors, strict=True)])
        if len(facts) == 1 and facts[0]["block"] is not None:
            self.chain.facts[facts[0]["block"]["hash"]] = facts[0]

    async def _undo(self, depth: int) -> None:
        for ref in self.chain.shrink(depth):
            fact = self.chain.facts.pop(ref.hash, None)
            if fact is not None:
                await self.memories.revert([fact])
                await self.vectors.delete([(fact["owner"], fact["memory_id"])])


def show(load: Load) -> None:
    """The table."""
    args, cache = load.args, load.ours.cache
    assert cache is not None
    print(
        f"\n{args.operations:,} operations, {args.agents:,} agents, Zipf {args.skew}, {args.questions} questions each, "
        f"{args.writes:.1%} writes, {args.mb:g} MB"
    )
    print(f"  {'':34}{'look-ups':>10}{'hits':>10}{'hit rate':>10}{'stale':>8}{'answers':>10}{'bytes':>14}")
    hits = len(load.waits)
    looks = load.lrus[0].looks
    lines = [("ours, two levels", looks, hits, load.stale, len(cache), cache.l1_bytes + cache.l2_bytes)]
    lines += [(lru.name, lru.looks, lru.hits, lru.stale, len(lru.rows), lru.held) for lru in load.lrus]
    for name, looked, hit, stale, entries, held in lines:
        print(f"  {name:34}{looked:>10,}{hit:>10,}{hit / looked:>10.1%}{stale:>8,}{entries:>10,}{held:>14,}")
    p50, p99 = (1e6 * float(np.quantile(load.waits, q)) for q in (0.5, 0.99))
    if load.read_seconds:
        read, asked = (1e6 * float(np.median(seconds)) for seconds in (load.read_seconds, load.asked_seconds))
        print(f"  a read of one memory: p50 {read:,.0f} us; asking a cache first, without its answer: p50 {asked:,.0f} us")
    events = ", ".join(f"{event.value} {count:,}" for event, count in sorted(cache.counts.items()))
    print(f"  a hit: p50 {p50:,.0f} us, p99 {p99:,.0f} us; goal of the hit rate {GOAL:.0%}")
    print(f"  {events}")


async def measure(args: argparse.Namespace) -> Load:
    """One load from start to end."""
    with tempfile.TemporaryDirectory() as folder:
        load = Load(Path(folder), args)
        await load.fill()
        await load.run()
        await load.singles()
        await load.close()
    return load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=100_000)
    parser.add_argument("--agents", type=int, default=1_000)
    parser.add_argument("--skew", type=float, default=1.05, help="exponent of the Zipf distributions")
    parser.add_argument("--questions", type=int, default=4, help="different questions asked of an agent")
    parser.add_argument("--writes", type=float, default=0.02, help="share of operations that are writes")
    parser.add_argument("--mb", type=float, default=256.0, help="memory of each cache")
    parser.add_argument("--l1", type=int, default=65_536, help="entries of the first level")
    parser.add_argument("--nearest", action="store_true", help="rank by vectors alone, where the gateway ranks by all signals")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    load = asyncio.run(measure(args))
    show(load)
    if load.stale:
        raise SystemExit(f"{load.stale} answers were stale")


if __name__ == "__main__":
    main()
