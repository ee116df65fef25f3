"""Memory and vector stores: embedded and external. ``open_*`` choose by the settings; the caller closes what it opened."""

from __future__ import annotations

from pathlib import Path

from connectors.stores.lmdb_memory import LmdbMemoryStore
from connectors.stores.lmdb_vectors import LmdbVectorStore
from streams.ports.stores import MemoryStore, VectorStore
from streams.settings import Settings

VECTORS = Path("vectors")


def open_memory_store(settings: Settings) -> MemoryStore:
    """The store of memories. Raises StoreError if it cannot be opened."""
    return LmdbMemoryStore(settings.path(settings.memory.db_path), settings.memory.store_gib << 30)


def open_vector_store(settings: Settings) -> VectorStore:
    """The store of vectors: embedded, or Milvus if rag.vector_store_url names one. Raises StoreError, ConfigurationError."""
    url = settings.rag.vector_store_url
    if not url:
        return LmdbVectorStore(settings.path(VECTORS), map_size=settings.memory.store_gib << 30)
    from connectors.stores.milvus import MilvusVectorStore  # noqa: PLC0415  (not needed by default)

    return MilvusVectorStore(url, settings.rag.vector_store_token.get_secret_value())


__all__ = ["LmdbMemoryStore", "LmdbVectorStore", "open_memory_store", "open_vector_store"]
