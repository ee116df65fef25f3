"""What bears on a memory, found by looking at every row: for stores kept in dictionaries, and to compare real ones with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from schemas.records import Memory
from streams.core.validity import Statement, start_of, statement_of
from streams.ports.stores import Concern, Counts, StoredMemory


def concerning(rows: Iterable[StoredMemory], concerns: Sequence[Concern], counts: Counts) -> list[StoredMemory]:
    """See ``MemoryStore.concerning``; ``rows``: all of the agent."""
    standing = {row.memory["id"]: row for row in rows if row.memory is not None and counts(row)}
    memories = [row.memory for row in standing.values() if row.memory is not None]
    named: dict[bytes, set[bytes]] = {}
    said: dict[Statement, list[Memory]] = {}
    for memory in memories:
        for edge in memory["edges"]:
            for end in (edge["source"], edge["target"]):
                named.setdefault(end or b"", set()).add(memory["id"])
        statement = statement_of(memory)
        if statement is not None:
            said.setdefault(statement, []).append(memory)
    found: set[bytes] = set()
    for concern in concerns:
        found |= named.get(concern.memory_id, set())
        if concern.statement is not None:
            history = said.get(concern.statement, [])
            later = min((start_of(m) for m in history if start_of(m) > concern.start), default=None)
            found |= {m["id"] for m in history if start_of(m) in (concern.start, later)}
    return [standing[memory_id] for memory_id in sorted(found)]
