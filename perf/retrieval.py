"""Latency of a ranking with a question never asked before, beside a search by vectors alone on the same stores.

    .venv/bin/python -m perf.retrieval [--memories 10000] [--questions 200]

One agent's memories in the embedded stores; each question is embedded anew. Prints milliseconds (p50, p95, p99) from question
to ranked rows, the time to make the index from the stores and its size, and the time of a ranking after each of many writes.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import numpy as np
from blake3 import blake3

from connectors.embedding import open_embedder
from connectors.stores.lmdb_memory import LmdbMemoryStore
from connectors.stores.lmdb_vectors import LmdbVectorStore
from perf.texts import mixed
from schemas.defaults import plain_memory
from schemas.records import MemoryFact
from streams.core.canonical import CanonicalView
from streams.core.canonical_text import canonical_text
from streams.ports.embedder import Embedder
from streams.ports.stores import VectorRow
from streams.retrieval.ranked import Question
from streams.serving.context.nearest import Nearest
from streams.serving.reads import MemoryReads
from streams.serving.retrieval.hybrid import Hybrid
from streams.serving.retrieval.indexes import AgentIndexes
from streams.serving.vectors import QueryVectors
from streams.settings import Settings

AGENT = b"\xa1" * 20
TOPICS = ["the pool on Base", "a loan in DAI", "the vote on fees", "my stake", "gas on Friday", "the bridge to Optimism"]


class StillChain:
    """A chain without blocks: the memories come from commands."""

    def __init__(self) -> None:
        self.view = CanonicalView()

    async def barrier(self) -> None:
        return

    async def lag(self) -> int:
        return 0


def fact(number: int, text: str) -> MemoryFact:
    cause = blake3(b"cause" + number.to_bytes(8)).digest()
    memory = {**plain_memory(cause, AGENT, "EPISODIC", "COMMAND", 1_700_000_000 + 7_000 * number), "content": text.encode()}
    return {"op": "UPSERT", "cause": cause, "memory_id": cause, "owner": AGENT, "memory": memory, "block": None}  # type: ignore[typeddict-item]


def vector_rows(embedder: Embedder, facts: Sequence[MemoryFact], rows: np.ndarray | None = None) -> list[VectorRow]:
    texts = [canonical_text(each["memory"]["content"]) or "" for each in facts if each["memory"]]
    vectors = embedder.embed(texts) if rows is None else rows
    return [VectorRow(AGENT, each["memory_id"], row) for each, row in zip(facts, vectors, strict=True)]


async def timed(questions: Sequence[str], ask: Callable[[str], Awaitable[object]]) -> list[float]:
    took = []
    for question in questions:
        started = time.perf_counter()
        await ask(question)
        took.append(1_000 * (time.perf_counter() - started))
    return took


def show(name: str, took: Sequence[float]) -> None:
    p50, p95, p99 = np.percentile(took, [50, 95, 99])
    print(f"  {name:46}{len(took):>6}{p50:>9.1f}{p95:>9.1f}{p99:>9.1f}")


async def measure(folder: Path, memories: int, questions: int) -> None:
    embedder = open_embedder(Settings())
    store, index = LmdbMemoryStore(folder / "m"), LmdbVectorStore(folder / "v", embedder.dimension)
    texts = mixed(memories)
    facts = [fact(number, text) for number, text in enumerate(texts)]
    noise = np.random.default_rng(1).standard_normal((memories, embedder.dimension)).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)  # what a vector says does not change what a search costs
    for start in range(0, memories, 1_000):
        part = slice(start, start + 1_000)
        await store.apply(facts[part])
        await index.upsert(vector_rows(embedder, facts[part], noise[part]))
    chain = StillChain()
    vectors = QueryVectors(embedder)
    reads = MemoryReads(chain, store)
    indexes = AgentIndexes(store, index, chain, embedder.dimension, 1 << 30)
    nearest = Nearest(reads, index, vectors)
    hybrid = Hybrid(reads, indexes, vectors, nearest)
    draw = random.Random(1)

    def asked(count: int) -> list[str]:
        return [
            f"what did I do about {draw.choice(TOPICS)} and number {draw.randrange(1 << 30)} last month?" for _ in range(count)
        ]

    started = time.perf_counter()
    async with indexes.of(AGENT) as made:
        assert made is not None
        size = made.nbytes
    print(f"index of {memories:,} memories made in {time.perf_counter() - started:.2f} s, {size / (1 << 20):.1f} MiB")
    print(f"  {'milliseconds':46}{'n':>6}{'p50':>9}{'p95':>9}{'p99':>9}")
    show("the question's vector alone", await timed(asked(questions), vectors.vector))
    show(
        "vectors alone, question never asked",
        await timed(asked(questions), lambda q: nearest.rank(Question(AGENT, q, 10, -1.0))),
    )
    show(
        "all signals, question never asked", await timed(asked(questions), lambda q: hybrid.rank(Question(AGENT, q, 10, -1.0)))
    )
    known = asked(1)[0]
    show("all signals, vector known", await timed([known] * questions, lambda q: hybrid.rank(Question(AGENT, q, 10, -1.0))))
    number = memories

    async def write_and_ask(question: str) -> None:
        nonlocal number
        number += 1
        await store.apply([fact(number, f"wrote note {number}")])
        await hybrid.rank(Question(AGENT, question, 10, -1.0))

    show("a write and then all signals, vector known", await timed([known] * questions, write_and_ask))
    vectors.close()
    await store.close()
    await index.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memories", type=int, default=10_000)
    parser.add_argument("--questions", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), options.memories, options.questions))


if __name__ == "__main__":
    main()
