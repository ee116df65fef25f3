"""What answers a gateway's questions: several finders over one set of reads, indexes and query vectors.

Invariant: when the gateway begins or ends to do without the vector store, no index built before is used any more.
"""

from __future__ import annotations

from streams.ports.search import PooledSearch
from streams.ports.stores import MemoryStore
from streams.serving.cache.finder import CachedFinder
from streams.serving.cache.freshness import Freshness
from streams.serving.cache.levels import Limits
from streams.serving.context.finder import ContextFinder
from streams.serving.context.nearest import Nearest
from streams.serving.context.shared import SharedFinder
from streams.serving.degraded import DegradableVectors
from streams.serving.graph.ranking import GraphRanking, asks_graph
from streams.serving.graph.reads import GraphReads
from streams.serving.reads import MemoryReads
from streams.serving.retrieval.hybrid import Hybrid
from streams.serving.retrieval.indexes import AgentIndexes
from streams.serving.retrieval.pooled import Pooled
from streams.serving.retrieval.zone import ZoneRanking
from streams.serving.tails import Tails
from streams.serving.vectors import QueryVectors
from streams.settings import CacheSettings, Settings


class Finders:
    """Over ``memories`` and ``vectors``, as ``tails`` tell what of them is live; ``dimension`` is that of the vectors."""

    def __init__(
        self,
        settings: Settings,
        tails: Tails,
        *,
        memories: MemoryStore,
        vectors: DegradableVectors,
        query_vectors: QueryVectors,
        dimension: int,
    ) -> None:
        self.reads = MemoryReads(tails.chain, memories)
        self.graph = GraphReads(tails.chain, tails.edges)
        self.indexes = AgentIndexes(memories, vectors, tails.chain, dimension, settings.rag.index_mib << 20)
        vectors.changed = self.indexes.drop_all
        nearest = Nearest(self.reads, vectors, query_vectors)
        ranking = GraphRanking(Hybrid(self.reads, self.indexes, query_vectors, nearest), self.graph)
        self.fresh = ContextFinder(self.reads, ranking, query_vectors, settings.rag)
        """Computes every answer."""
        self.cached = CachedFinder(
            self.fresh,
            self.reads,
            Freshness(tails.chain, memories, [vectors]),  # all of an agent that is read, but the graph
            _limits(settings.cache),
            elsewhere=lambda request: asks_graph(request.query),
        )
        self.zones = ContextFinder(self.reads, ZoneRanking(self.reads, vectors, query_vectors), query_vectors, settings.rag)
        """Answers from one session alone."""
        pooled = Pooled(
            self.reads, self.indexes, query_vectors, vectors.whole if isinstance(vectors.whole, PooledSearch) else None
        )
        self.shared = SharedFinder(self.reads, pooled, query_vectors, settings.rag)


def _limits(settings: CacheSettings) -> Limits | None:
    if not settings.enabled:
        return None
    return Limits(size=settings.size_mb << 20, hot=settings.hot, ttl=settings.ttl_seconds)
