"""Other real stream agents that may run beside the memory agent, each held against one pass over the canonical chain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from schemas.codec import codec
from streams import topics
from streams.agents.base import StreamAgent
from streams.agents.graph import GraphAgent
from streams.agents.intent import IntentAgent, intent_record
from streams.decoding.nl.parser import default_reader
from tests.fakes import MemoryState, record_of
from tests.sim.agents import Canonical, Cast
from tests.sim.broker import Broker
from tests.toys import factory, live_output, table

Check = Callable[[Broker, Canonical], Iterator[str]]
TABLES = {topics.EDGES: "GraphEdge", topics.REGISTRY: "AgentProfile"}


def _as_read(name: str, record: Any) -> dict[str, Any]:
    """A record as it is after a way through the log, where numbers have the log's precision."""
    return dict(codec().decode(codec().encode(name, record))[1])


def check_intents(broker: Broker, canonical: Canonical) -> Iterator[str]:
    """Each transaction's intent, once, in order, in its block."""
    reader = default_reader()
    for partition in range(canonical.partitions):
        found = live_output(broker.read(topics.INTENTS, partition), topics.INTENTS, partition, broker.verifier)
        wanted = [
            (ref, [_as_read("Intent", intent_record(record, reader.read(record))) for _, _, record in placed[partition]])  # type: ignore[arg-type]
            for ref, placed in canonical.blocks
        ]
        if [(ref, [dict(value) for value in values]) for ref, values in found] != wanted:
            yield f"{topics.INTENTS}/{partition}: not the intents of the canonical chain, block by block"


def check_graph(broker: Broker, canonical: Canonical) -> Iterator[str]:
    """Rows of both tables, whole."""
    agent = GraphAgent(0, MemoryState())
    emits = list(agent.apply(None, [record_of(topics.TRANSACTIONS, "ChainTransaction", tx) for tx in canonical.records]))
    wanted = {
        (emit.topic, emit.key): _as_read(TABLES[emit.topic], emit.value) for emit in (*emits, *agent.emit_before_commit())
    }
    found = {
        (topic, key): dict(row)
        for topic in TABLES
        for partition in range(canonical.partitions)
        for key, row in table(broker.read(topic, partition)).items()
    }
    if wrong := sum(wanted.get(name) != found.get(name) for name in wanted.keys() | found.keys()):
        yield f"graph: {wrong} rows are not as one pass over the canonical chain has them"


BESIDE: dict[str, tuple[type[StreamAgent], Check]] = {
    "intent": (IntentAgent, check_intents),
    "graph": (GraphAgent, check_graph),
}


def with_beside(cast: Cast, name: str) -> Cast:
    """``cast`` and the stream agent ``name`` beside it."""
    spec, check = BESIDE[name]

    def both(broker: Broker, canonical: Canonical) -> Iterator[str]:
        yield from cast.check(broker, canonical)
        yield from check(broker, canonical)

    return replace(cast, factories=lambda: [*cast.factories(), factory(spec)], check=both, groups=(*cast.groups, spec))
