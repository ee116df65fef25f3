"""What the embedding agent left behind, beside what follows from the oracle's facts: rag.embeddings and the vector store.

A memory of text has a vector while its UPSERT stands, unless a DELETE stands that can no longer be undone: one by command, or
one of a block at or below the finality line.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from blake3 import blake3

from connectors.embedding.model import DIMENSION
from connectors.stores import open_vector_store
from streams.core.canonical_text import canonical_text
from streams.settings import Settings
from streams.topics import EMBEDDINGS
from tests.checker.events import Digest, Due, Event, Row
from tests.e2e.expected import Expected
from tests.e2e.readback import table

STORE = "vector store"
EVERY = 1_000_000
"""More than any agent has: a search for so many gives all."""


async def vectors(settings: Settings, expected: Expected, agents: set[bytes], final: int) -> list[Event]:
    """Rows and dues of both sinks, and digests of what each vector is and is of.

    ``agents``: all that ever had a memory, on whatever branch; ``final``: height of the finality line.
    """
    texts = {key: text for key in kept(expected, final) if (text := _text(expected, key)) is not None}
    found: list[Event] = []
    for key, text in texts.items():
        found += [Due(sink=EMBEDDINGS, id=key.hex()), Due(sink=STORE, id=key.hex())]
        found.append(Digest(source="oracle", subject=f"text {key.hex()}", block="end", value=blake3(text.encode()).hexdigest()))
    for key, row in (await table(settings.kafka, EMBEDDINGS, "Embedding")).items():
        found.append(Row(sink=EMBEDDINGS, id=key.hex()))
        found.append(Digest(source=EMBEDDINGS, subject=f"text {key.hex()}", block="end", value=row["text_digest"].hex()))
        found.append(Digest(source=EMBEDDINGS, subject=f"vector {key.hex()}", block="end", value=row["vector"].hex()))
    return [*found, *await _store(settings, agents)]


def kept(expected: Expected, final: int) -> Iterator[bytes]:
    """Keys (agent + id) of memories whose vector must be there."""
    heights = {ref.hash: ref.number for ref in expected.blocks}
    purged = {
        owner + id_ for op, owner, id_, _, block in expected.facts if op == "DELETE" and (not block or heights[block] <= final)
    }
    yield from expected.memories.keys() - purged


def _text(expected: Expected, key: bytes) -> str | None:
    memory = expected.memories[key]
    return canonical_text(memory["content"], memory["media_type"])


async def _store(settings: Settings, agents: set[bytes]) -> list[Event]:
    probe = np.zeros(DIMENSION, np.float32)
    probe[0] = 1.0
    found: list[Event] = []
    store = open_vector_store(settings)
    try:
        for agent in sorted(agents):
            keys = [(agent, hit.memory_id) for hit in await store.search(agent, probe, EVERY)]
            for (_, id_), row in zip(keys, await store.find(keys), strict=True):
                key = (agent + id_).hex()
                found.append(Row(sink=STORE, id=key))
                if row is not None:
                    value = row.vector.astype("<f4").tobytes().hex()
                    found.append(Digest(source=STORE, subject=f"vector {key}", block="end", value=value))
    finally:
        await store.close()
    return found
