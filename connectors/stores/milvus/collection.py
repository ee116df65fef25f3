"""The collection: its schema and version, its partitions, and which index it has.

Choices, each for a measured reason:
  * Partitions by agent are named and chosen here. Milvus' own partition key, with server 2.3.5, puts upserted rows where a
    search for their agent does not look (11 of 100 found).
  * FLAT unless told otherwise: exact, and a search for one agent computes what its filter leaves only. HNSW and IVF_FLAT are
    for searches over many agents that have millions of vectors together, and give up some recall for it.
  * Inner product: vectors have length 1, so it is the cosine, and what is read back has the very bits that were written.
``perf.milvus`` prints recall, latency and rate of insertion of each.
"""

from __future__ import annotations

from typing import Any

from connectors.stores.milvus.client import TIMEOUT
from connectors.stores.milvus.rows import KEY_DIGITS, NAME_DIGITS, SEALED_DIGITS
from streams.errors import ConfigurationError

VERSION = 2
PARTITIONS = 16
LOAD_TIMEOUT = 600.0
FIELDS = {"key", "agent", "sealed", "vector"}
METRIC = "IP"
INDEXES: dict[str, dict[str, Any]] = {
    "FLAT": {},
    "HNSW": {"M": 16, "efConstruction": 200},
    "IVF_FLAT": {"nlist": 1024},
}


def form_of(dimension: int) -> str:
    """What the description of a collection of ours says."""
    return f"monmouth/vectors/{VERSION}/{dimension}"


def partition_of(name: str) -> str:
    """Where the rows of a pseudonym lie."""
    return f"agents_{int(name[:8], 16) % PARTITIONS:02d}"


def prepare(client: Any, collection: str, dimension: int, index: str, *, lite: bool) -> tuple[bytes, str]:
    """Makes the collection unless it is there, and has it loaded. Its identity and its index.

    Raises ConfigurationError if another program, version or model made it. Safe for several processes at once.
    """
    if not client.has_collection(collection, timeout=TIMEOUT):
        _create(client, collection, dimension)
    described = client.describe_collection(collection, timeout=TIMEOUT)
    _check(described, collection, dimension, lite=lite)
    if not lite:
        missing = {f"agents_{n:02d}" for n in range(PARTITIONS)} - set(client.list_partitions(collection, timeout=TIMEOUT))
        for name in sorted(missing):
            client.create_partition(collection, name, timeout=TIMEOUT)
    if "vector" not in client.list_indexes(collection, field_name="vector", timeout=TIMEOUT):
        wanted = client.prepare_index_params()
        wanted.add_index("vector", index_name="vector", index_type=index, metric_type=METRIC, params=INDEXES[index])
        client.create_index(collection, wanted, timeout=TIMEOUT)
    client.load_collection(collection, timeout=LOAD_TIMEOUT)
    found = client.describe_index(collection, "vector", timeout=TIMEOUT)
    return str(described.get("collection_id") or "").encode(), str(found["index_type"])


def search_parameters(index: str, limit: int) -> dict[str, Any]:
    """As wide a search as the limit asks for."""
    params = {"HNSW": {"ef": max(128, 2 * limit)}, "IVF_FLAT": {"nprobe": 32}}.get(index, {})
    return {"metric_type": METRIC, "params": params}


def _create(client: Any, collection: str, dimension: int) -> None:
    from pymilvus import DataType  # noqa: PLC0415

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False, description=form_of(dimension))
    schema.add_field("key", DataType.VARCHAR, max_length=KEY_DIGITS, is_primary=True)
    schema.add_field("agent", DataType.VARCHAR, max_length=NAME_DIGITS)
    schema.add_field("sealed", DataType.VARCHAR, max_length=SEALED_DIGITS)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
    try:
        client.create_collection(collection, schema=schema, timeout=TIMEOUT)
    except Exception:  # another process may have made it meanwhile
        if not client.has_collection(collection, timeout=TIMEOUT):
            raise


def _check(described: dict[str, Any], collection: str, dimension: int, *, lite: bool) -> None:
    sizes = {field["name"]: field["params"].get("dim") for field in described["fields"]}
    found = int(sizes.get("vector") or dimension)
    if found != dimension:
        raise ConfigurationError(
            f"collection {collection} holds vectors of dimension {found}, not {dimension}",
            "It belongs to another model or program; name another one in rag.vector_collection.",
        )
    said, wanted = described.get("description") or "", form_of(dimension)
    if set(sizes) != FIELDS or (said != wanted and not lite):  # Milvus Lite keeps no description
        raise ConfigurationError(
            f"collection {collection} is not of format {wanted}, but {said or 'of an older one, or of another program'}",
            "If it is ours, drop it: the workers fill a new one from the log (older ones hold ids in the clear). Else name "
            "another in rag.vector_collection.",
        )
