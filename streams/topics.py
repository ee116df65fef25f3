"""The topic map: every topic, how it is kept, what it holds, who writes it.

Invariant: topics keyed by agent have equal partition counts and the Kafka default partitioner (murmur2 of the key), so
one partition number is one set of agents everywhere, for us and for producers in other languages.
Block time is in the payload; brokers stamp records with append time, so that retention never reads the age of a block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FOREVER = -1
DAY_MS = 86_400_000
MIB = 1024 * 1024

BLOCKS = "chain.blocks"
TRANSACTIONS = "chain.transactions"
COMMANDS = "memory.commands"
EVICTIONS = "memory.evictions"
INTENTS = "rag.intents"
MEMORY_LOG = "memory.log"
MEMORY_STATE = "memory.state"
EMBEDDINGS = "rag.embeddings"
ROOTS = "memory.roots"
EDGES = "graph.edges"
REGISTRY = "agents.registry"
ACCESS = "agents.access"
ERASURES = "memory.erasures"
SESSIONS = "memory.sessions"
CHECKPOINTS = "checkpoints"
BRIDGE = "bridge.records"
SCHEMAS = "schemas"
REPLAYS = "replays"
MESSAGES = "exex.messages"
OPS_METRICS = "ops.metrics"
OPS_HEALTH = "ops.health"
OPS_ALERTS = "ops.alerts"
OPS_WINDOWS = "ops.windows"
OPS_SERIES = "ops.table.series"
OPS_SLO = "ops.slo"
OPS_SLO_TABLE = "ops.table.slo"
DLQ = "dlq"
RETRIES = ("retry.5s", "retry.1m", "retry.10m")
"""Copies of records that are to be tried again after so long."""
EVERY_PROCESS = "every process"
"""Writer of a topic that each program writes to, the stream agents' among them."""

OPS_READERS = ("gateway", "ops", "supervisor")


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic. ``records``: schema names of its values; none where they are a program's own affair. ``partitions`` None means
    the agent partition count.

    ``writer`` and ``readers`` are programs; what stream agents read they say themselves, and operators read everything. Access
    on the cluster follows from it.
    """

    name: str
    cleanup: Literal["delete", "compact", "compact,delete"]
    records: tuple[str, ...]
    writer: str
    key: str
    readers: tuple[str, ...] = ()
    partitions: int | None = None
    retention_ms: int = FOREVER
    max_message_bytes: int = 2 * MIB
    segment_bytes: int | None = None

    def config(self) -> dict[str, str]:
        """Broker settings of the topic."""
        settings = {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(self.retention_ms),
            "max.message.bytes": str(self.max_message_bytes),
            "message.timestamp.type": "LogAppendTime",
        }
        if self.cleanup == "compact":
            del settings["retention.ms"]
        if self.cleanup != "delete":
            settings |= {"min.cleanable.dirty.ratio": "0.1", "delete.retention.ms": str(DAY_MS)}
        if self.segment_bytes is not None:
            settings["segment.bytes"] = str(self.segment_bytes)
        return settings


TOPICS: dict[str, TopicSpec] = {
    spec.name: spec
    for spec in (
        TopicSpec(BLOCKS, "delete", ("BlockNotification",), "producer", "chain id", ("producer", "gateway"), partitions=1),
        TopicSpec(TRANSACTIONS, "delete", ("ChainTransaction", "Marker"), "producer", "agent", max_message_bytes=16 * MIB),
        TopicSpec(COMMANDS, "delete", ("MemoryCommand",), "gateway", "agent"),
        TopicSpec(EVICTIONS, "delete", ("MemoryFact",), "memory", "agent"),
        TopicSpec(INTENTS, "delete", ("Intent", "Marker"), "intent", "agent", retention_ms=30 * DAY_MS),
        TopicSpec(MEMORY_LOG, "delete", ("MemoryFact", "Marker"), "memory", "agent", ("gateway",)),
        TopicSpec(MEMORY_STATE, "compact", ("Memory",), "memory", "agent + memory id"),
        TopicSpec(EMBEDDINGS, "compact", ("Embedding",), "embedding", "agent + memory id"),
        TopicSpec(ROOTS, "compact", ("LatticeRoot", "LatticeLog"), "lattice", "agent; partition + index", ("gateway",)),
        TopicSpec(EDGES, "compact", ("GraphEdge",), "graph", "source + event id", ("gateway",)),
        TopicSpec(REGISTRY, "compact", ("AgentProfile",), "graph", "agent"),
        TopicSpec(SESSIONS, "compact", ("Session",), "memory", "agent + session id", ("gateway",)),
        TopicSpec(ACCESS, "compact", ("AgentAccess",), "memory", "agent", ("gateway",)),
        TopicSpec(ERASURES, "compact", ("Erasure",), "memory", "agent", ("gateway",)),
        TopicSpec(
            CHECKPOINTS,
            "compact",
            ("Checkpoint",),
            "stream agents",
            "stream agent / partition / slot",
            ("gateway",),
            segment_bytes=16 * MIB,
        ),
        TopicSpec(BRIDGE, "compact", ("BridgedMemory",), "bridge", "agent + memory id"),
        TopicSpec(SCHEMAS, "compact", ("SchemaEntry",), "gateway", "kind / version / subject", ("gateway",), partitions=1),
        TopicSpec(REPLAYS, "compact", ("Replay",), "operator; stream agents", "stream agent / partition / request or status"),
        TopicSpec(MESSAGES, "delete", ("Message",), EVERY_PROCESS, "target", ("gateway",), retention_ms=DAY_MS),
        TopicSpec(
            OPS_METRICS,
            "delete",
            ("MetricReport",),
            EVERY_PROCESS,
            "component / instance",
            OPS_READERS,
            retention_ms=7 * DAY_MS,
        ),
        TopicSpec(
            OPS_HEALTH,
            "compact",
            ("HealthReport",),
            EVERY_PROCESS,
            "component / instance",
            OPS_READERS,
            partitions=1,
            segment_bytes=16 * MIB,
        ),
        TopicSpec(OPS_ALERTS, "compact", ("AlertRecord",), "ops", "rule | labels", OPS_READERS, partitions=1),
        TopicSpec(
            OPS_WINDOWS,
            "compact,delete",
            ("OpsWindow",),
            "ops",
            "kind / seconds / series / start",
            OPS_READERS,
            partitions=1,
            retention_ms=7 * DAY_MS,
            segment_bytes=16 * MIB,
        ),
        TopicSpec(OPS_SERIES, "compact", (), "ops", "partition / process, seconds, start", ("ops",), segment_bytes=16 * MIB),
        TopicSpec(
            OPS_SLO,
            "compact,delete",
            ("OpsWindow",),
            "ops",
            "kind / seconds / series / start",
            OPS_READERS,
            partitions=1,
            retention_ms=400 * DAY_MS,
            segment_bytes=16 * MIB,
        ),
        TopicSpec(OPS_SLO_TABLE, "compact", (), "ops", "partition / process", ("ops",), segment_bytes=16 * MIB),
        *(
            TopicSpec(name, "delete", ("DeadLetter",), "runtime", "as its source", max_message_bytes=3 * MIB)
            for name in RETRIES
        ),
        TopicSpec(DLQ, "delete", ("DeadLetter",), "runtime", "topic / partition / offset", partitions=1),
    )
}


def physical(prefix: str, name: str) -> str:
    """The broker's name of logical topic ``name``."""
    return f"{prefix}{name}"


def logical(prefix: str, topic: str) -> str:
    """The inverse of ``physical``."""
    return topic.removeprefix(prefix)
