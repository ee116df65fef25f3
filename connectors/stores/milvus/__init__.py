"""VectorStore on Milvus: a server, for search across agents and beyond one machine, or a Milvus Lite file of one process."""

from connectors.stores.milvus.client import Access
from connectors.stores.milvus.store import MilvusVectorStore

__all__ = ["Access", "MilvusVectorStore"]
