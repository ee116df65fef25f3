"""Who needs whom, as the topic map and the stream agents say it."""

from __future__ import annotations

from streams.ops.health.dependencies import Dependencies
from streams.ops.health.topology import needs_of
from streams.upkeep.pipeline import stream_agents

STORES = {"memories": "cassandra", "vectors": "milvus"}
OF_ALL = ("broker", "disk", "store_folders")
NEEDS = needs_of(stream_agents(), STORES, own={"embedder": (), "chain_view": ("broker",)})


def test_what_each_needs() -> None:
    assert {
        "producer": {"broker", "disk", "node"},
        "intent": {*OF_ALL, "producer"},
        "memory": {*OF_ALL, "producer", "cassandra"},
        "embedding": {*OF_ALL, "memory", "milvus"},
        "lattice": {*OF_ALL, "memory"},
        "graph": {*OF_ALL, "producer"},
        "bridge": {*OF_ALL, "memory"},
        "webhook": {*OF_ALL, "memory"},
        "embedder": set(),
        "chain_view": {"broker"},
        "gateway": {
            *("broker", "disk", "producer", "memory", "lattice", "graph", "embedding"),
            *("cassandra", "milvus", "embedder", "chain_view"),
        },
    } == NEEDS


def test_there_is_no_circle_though_the_gateway_writes_what_the_memory_agent_reads() -> None:
    assert Dependencies(NEEDS).order[-1] in {"gateway", "bridge", "intent", "webhook"}


def test_every_store_that_is_wired_to_a_stream_agent_is_declared_by_it() -> None:
    assert {spec.name for spec in stream_agents() if spec.stores} == {"memory", "embedding"}
    assert {store for spec in stream_agents() for store in spec.stores} == set(STORES)
