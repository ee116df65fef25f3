"""Memory and vector stores: embedded and external. ``open_*`` choose by the settings; the caller closes what it opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from connectors.stores.lmdb_memory import LmdbMemoryStore
from connectors.stores.lmdb_vectors import LmdbVectorStore
from connectors.stores.read_only import ReadOnlyMemoryStore, ReadOnlyVectorStore
from streams.errors import ConfigurationError
from streams.ports.stores import MemoryStore, VectorStore
from streams.private_file import read_secret
from streams.settings import Settings

if TYPE_CHECKING:
    from connectors.stores.milvus import Access

VECTORS = Path("vectors")


def open_memory_store(settings: Settings) -> MemoryStore:
    """The store of memories: embedded, or Cassandra if cassandra.contact_points names some. Raises StoreError."""
    if settings.cassandra.contact_points:
        from connectors.stores.cassandra import CassandraMemoryStore  # noqa: PLC0415  (not needed by default)

        return CassandraMemoryStore(settings.cassandra, settings.state_dir)
    return LmdbMemoryStore(settings.path(settings.memory.db_path), settings.memory.store_gib << 30)


def open_vector_store(settings: Settings, *, late: bool = False) -> VectorStore:
    """The store of vectors: embedded, or Milvus if rag.vector_store_url names one. Raises StoreError, ConfigurationError.

    ``late``: for a process that can wait for a server that is away, see ``MilvusVectorStore``.
    """
    url = settings.rag.vector_store_url
    if not url:
        return LmdbVectorStore(settings.path(VECTORS), map_size=settings.memory.store_gib << 30)
    from connectors.stores.milvus import MilvusVectorStore  # noqa: PLC0415  (not needed by default)

    rag = settings.rag
    return MilvusVectorStore(_milvus_access(settings), rag.vector_collection, index=rag.vector_index, late=late)


def _milvus_access(settings: Settings) -> Access:
    from connectors.stores.milvus import Access  # noqa: PLC0415

    rag = settings.rag
    token = rag.vector_store_token.get_secret_value()
    if rag.vector_store_token_file is not None:
        if token:
            raise ConfigurationError("rag.vector_store_token and rag.vector_store_token_file are both set", "Keep one.")
        try:
            token = read_secret(settings.path(rag.vector_store_token_file), "rag.vector_store_token_file")
        except OSError as error:
            raise ConfigurationError(f"{rag.vector_store_token_file} cannot be read: {error.strerror}") from None
    files = (rag.vector_store_ca_file, rag.vector_store_cert_file, rag.vector_store_key_file)
    ca, certificate, key = (None if file is None else settings.path(file) for file in files)
    plain = rag.vector_store_allow_unencrypted
    return Access(rag.vector_store_url, token, ca, certificate, key, rag.vector_store_server_name, allow_unencrypted=plain)


def memories_are_shared(settings: Settings) -> bool:
    """Whether workers on other machines use the same store of memories."""
    return bool(settings.cassandra.contact_points)


def vectors_are_shared(settings: Settings) -> bool:
    """Whether workers on other machines use the same store of vectors."""
    return "://" in settings.rag.vector_store_url


def check_own_stores(settings: Settings) -> None:
    """Raises ConfigurationError if an embedded store lies outside the state folder, where another worker may be its owner.

    A standby fills the embedded stores of its own folder as an owner would, which it must never do to those of a live owner.
    """
    files = [] if memories_are_shared(settings) else [settings.memory.db_path]
    if settings.rag.vector_store_url and not vectors_are_shared(settings):
        files.append(Path(settings.rag.vector_store_url).absolute())
    home = settings.state_dir.resolve()
    for file in files:
        if not settings.path(file).resolve().is_relative_to(home):
            raise ConfigurationError(
                f"a standby needs stores of its own, and {file} is not in the state folder {settings.state_dir}",
                "Leave memory.db_path as it is, use Cassandra or a Milvus server, or start the worker without --standby.",
            )


__all__ = [
    "LmdbMemoryStore",
    "LmdbVectorStore",
    "ReadOnlyMemoryStore",
    "ReadOnlyVectorStore",
    "check_own_stores",
    "memories_are_shared",
    "open_memory_store",
    "open_vector_store",
    "vectors_are_shared",
]
