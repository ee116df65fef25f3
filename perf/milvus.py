"""Vectors of many agents in a real Milvus server: rate of insertion, recall and latency of each index.

    .venv/bin/python -m perf.milvus [--rows 100000] [--queries 200] [--agents 200] [--index FLAT HNSW IVF_FLAT] [--model]

The server runs on this machine. Beside it, in the same run and on the same vectors, our own embedded store (LMDB, exact, one
agent at a time) and our faiss index over all agents. Vectors are clustered, as those of texts are, of a seed that is printed;
``--model``: of mixed texts by the embedding model instead. Recall at 10 is against brute force in float64.

Three searches: of one agent, each time another; of all agents as one pool; of an agent right after a write of its own.
Ends with an error if a row is missing, or a hit is of an agent not asked of.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from connectors.stores.faiss_search import FaissSearch
from connectors.stores.lmdb_vectors import LmdbVectorStore
from connectors.stores.milvus import MilvusVectorStore
from infra.milvus import LocalMilvus
from perf.measure import ROOT
from perf.texts import mixed
from streams.ports.stores import Hit, VectorRow, VectorStore
from streams.settings import Settings

DIMENSION = 384
CLUSTERS, LATENT = 400, 48
BATCH = 1_000
TOP = 10


@dataclass(frozen=True)
class Rows:
    """``owner``: which agent each row is of."""

    vectors: np.ndarray
    owner: np.ndarray
    agents: list[bytes]

    def rows(self, start: int, end: int) -> list[VectorRow]:
        return [VectorRow(self.agents[self.owner[n]], _id(n), self.vectors[n]) for n in range(start, end)]

    def truth(self, query: np.ndarray, agent: int | None) -> set[tuple[bytes, bytes]]:
        among = np.arange(len(self.vectors)) if agent is None else np.flatnonzero(self.owner == agent)
        scores = self.vectors[among].astype(np.float64) @ query.astype(np.float64)
        return {(self.agents[self.owner[n]], _id(int(n))) for n in among[np.argsort(-scores, kind="stable")[:TOP]]}


def _id(number: int) -> bytes:
    return number.to_bytes(32, "big")


def clustered(count: int, seed: int) -> np.ndarray:
    """Unit vectors around CLUSTERS centres, in LATENT dimensions turned into all of them."""
    draw = np.random.default_rng(seed)
    turn = draw.standard_normal((LATENT, DIMENSION)).astype(np.float32)
    centres = draw.standard_normal((CLUSTERS, LATENT)).astype(np.float32)
    points = centres[draw.integers(CLUSTERS, size=count)] + 0.6 * draw.standard_normal((count, LATENT)).astype(np.float32)
    found = points @ turn + 0.3 * draw.standard_normal((count, DIMENSION)).astype(np.float32)
    unit: np.ndarray = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit.astype(np.float32)


def embedded(count: int) -> np.ndarray:
    from connectors.embedding import open_embedder  # noqa: PLC0415

    return np.stack(open_embedder(Settings()).embed(mixed(count)))


async def filled(store: VectorStore, data: Rows) -> float:
    """Seconds."""
    started = time.perf_counter()
    for start in range(0, len(data.vectors), BATCH):
        await store.upsert(data.rows(start, min(start + BATCH, len(data.vectors))))
    return time.perf_counter() - started


Ask = Callable[[np.ndarray, int | None], Awaitable[list[Hit]]]


async def asked(name: str, data: Rows, queries: np.ndarray, ask: Ask, *, pooled: bool) -> None:
    took, kept = [], 0.0
    for n, query in enumerate(queries):
        agent = None if pooled else n % len(data.agents)
        began = time.perf_counter()
        hits = await ask(query, agent)
        took.append(1_000 * (time.perf_counter() - began))
        if agent is not None and any(hit.agent != data.agents[agent] for hit in hits):
            raise SystemExit(f"{name}: a hit of an agent that was not asked of")
        truth = data.truth(query, agent)
        kept += len(truth & {(hit.agent, hit.memory_id) for hit in hits}) / max(1, len(truth))
    p50, p95, p99 = np.percentile(took, [50, 95, 99])
    what = "all agents" if pooled else "one agent"
    print(f"  {name:24}{what:>12}{len(queries):>8}{kept / len(queries):>11.3f}{p50:>9.1f}{p95:>9.1f}{p99:>9.1f}", flush=True)


async def embedded_stores(folder: Path, data: Rows, queries: np.ndarray) -> None:
    store = LmdbVectorStore(folder, DIMENSION)
    print(
        f"  {'lmdb':24} {len(data.vectors):,} rows in {(s := await filled(store, data)):.1f} s, {len(data.vectors) / s:,.0f}/s"
    )
    await asked("lmdb, exact", data, queries, lambda q, a: store.search(data.agents[a or 0], q, TOP), pooled=False)
    search, everybody = FaissSearch(store, DIMENSION), set(data.agents)
    began = time.perf_counter()
    await search.nearest(everybody, queries[0], TOP)
    print(f"  {'faiss':24} made of the store in {time.perf_counter() - began:.1f} s")
    await asked("faiss, exact", data, queries, lambda q, _: search.nearest(everybody, q, TOP), pooled=True)
    await store.close()


async def server(url: str, index: str, data: Rows, queries: np.ndarray) -> None:
    store = MilvusVectorStore(url, f"perf_{index.lower()}", DIMENSION, index)
    client, name, count = store._client, store._collection, len(data.vectors)
    seconds = await filled(store, data)
    client.flush(name, timeout=600)
    began = time.perf_counter()
    while int(client.describe_index(name, "vector").get("pending_index_rows", 0)):
        time.sleep(0.5)  # noqa: ASYNC251  (nothing else runs)
    client.refresh_load(name)
    print(
        f"  {'milvus ' + index:24} {count:,} rows in {seconds:.1f} s, {count / seconds:,.0f}/s; "
        f"index {time.perf_counter() - began:.1f} s more"
    )
    found = await store.find([(data.agents[data.owner[n]], _id(n)) for n in range(0, count, max(1, count // 5_000))])
    if any(each is None for each in found):
        raise SystemExit(f"milvus {index}: rows are missing")
    store.catch_up()  # nobody else writes: from here on nothing is waited for
    everybody = set(data.agents)
    await store.search(data.agents[0], queries[0], TOP)
    await asked(f"milvus {index}", data, queries, lambda q, a: store.search(data.agents[a or 0], q, TOP), pooled=False)
    await asked(f"milvus {index}", data, queries, lambda q, _: store.nearest(everybody, q, TOP), pooled=True)

    async def written_before(query: np.ndarray, agent: int | None) -> list[Hit]:
        number = int(np.flatnonzero(data.owner == agent)[0])
        await store.upsert(data.rows(number, number + 1))
        return await store.search(data.agents[agent or 0], query, TOP)

    await asked(f"milvus {index}, own write", data, queries[:50], written_before, pooled=False)
    client.drop_collection(name)
    await store.close()


async def measure(rows: int, queries: int, agents: int, indexes: Sequence[str], seed: int, model: bool) -> None:
    vectors = embedded(rows + queries) if model else clustered(rows + queries, seed)
    origin = "mixed texts by the embedding model" if model else f"clustered, seed {seed}"
    owner = np.random.default_rng(seed + 1).integers(agents, size=rows)
    data = Rows(vectors[:rows], owner, [n.to_bytes(20, "big") for n in range(1, agents + 1)])
    asking = vectors[rows:]
    sizes = np.bincount(owner, minlength=agents)
    print(f"{rows:,} vectors of {DIMENSION} ({origin}), {agents} agents with {sizes.min()} to {sizes.max()} each")
    print(f"  {'':24}{'search of':>12}{'n':>8}{'recall@10':>11}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}")
    with tempfile.TemporaryDirectory() as folder:
        await embedded_stores(Path(folder) / "lmdb", data, asking)
        milvus = LocalMilvus(Path(folder), programs=ROOT / ".monmouth" / "milvus-server", say=print)
        milvus.start()
        try:
            for index in indexes:
                await server(milvus.url, index, data, asking)
        finally:
            milvus.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--index", nargs="+", default=["FLAT", "HNSW", "IVF_FLAT"], choices=["FLAT", "HNSW", "IVF_FLAT"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", action="store_true")
    options = parser.parse_args()
    asyncio.run(measure(options.rows, options.queries, options.agents, options.index, options.seed, options.model))


if __name__ == "__main__":
    main()
