"""The real Milvus as one local process, for trying out and for tests; at scale any Milvus by ``rag.vector_store_url``.

The server comes from a Python package, whose hash is checked against a lock file.
"""

from infra.milvus.errors import MilvusError
from infra.milvus.local import LocalMilvus, MilvusStatus, server_folder

__all__ = ["LocalMilvus", "MilvusError", "MilvusStatus", "server_folder"]
